#!/bin/sh
# SPDX-License-Identifier: MIT
# A HAProxy whose address swallows every attempt to connect: given up after 5 s and tried again, so that it is found as soon as it is back,
# not when the kernel's own patience of minutes has run out.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 4"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 2
# A queue of connections that is full: the kernel answers no more of them, until its owner takes what is in it.
port=$(free_port)
python3 - "$port" "$work/full" "$work/drain" "$work/haproxy.sock" <<'PY' &
import os, select, socket, sys, threading, time
server = socket.socket()
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(0)
fillers = []
for _ in range(4):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", int(sys.argv[1])))
    fillers.append(s)
open(sys.argv[2], "w").close()
while not os.path.exists(sys.argv[3]):
    time.sleep(0.02)
def relay(client):
    upstream = socket.socket(socket.AF_UNIX)
    upstream.connect(sys.argv[4])
    pair = {client: upstream, upstream: client}
    while True:
        for ready in select.select(list(pair), [], [])[0]:
            data = ready.recv(65536)
            if not data:
                client.close(), upstream.close()
                return
            pair[ready].sendall(data)
for s in fillers:
    s.close()
while True:
    threading.Thread(target=relay, args=(server.accept()[0],), daemon=True).start()
PY
pids="$pids $!"
await "the queue is full" 5 [ -e "$work/full" ]
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; };
haproxy = ( { name = "full"; socket = "127.0.0.1:$port"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
start_slotd
await "no connection, and said so" 8 status_says "no connection within 5 s"
touch "$work/drain"
await "connected as soon as it goes" 8 slots_are backend-web ready 2

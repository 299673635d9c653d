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
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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

# A HAProxy whose servers cannot be read is asked ever more slowly: with 100,000 of them each answer costs it 90 ms.
stop_slotd
cat >"$work/odd.py" <<'PY'
import socket, sys, threading
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(16)
INFO = "Version: 2.6.12\nPid: 77\nUptime_sec: 5\nStopping: 0\n"
def serve(client):
    for line in client.makefile():
        if line.startswith("show servers state"):
            print("read", flush=True)
        client.sendall((INFO if line == "show info\n" else "1\n# odd\n").encode() + b"\n> ")
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
PY
python3 "$work/odd.py" "$work/odd.sock" >"$work/reads" 2>"$work/odd.log" &
pids="$pids $!"
await "it listens" 5 [ -S "$work/odd.sock" ]
sed "s|socket = \"127.0.0.1:$port\"|socket = \"$work/odd.sock\"|" "$work/slotd.conf" >"$work/odd.conf"
mv "$work/odd.conf" "$work/slotd.conf"
start_slotd
await "it is said" 5 status_says "show servers state"
sleep 4
check "$(wc -l <"$work/reads") reads within some seconds" [ "$(wc -l <"$work/reads")" -le 9 ]

# A socket that may not change anything: said once, in words that help, and no slot is blamed for it.
stop_slotd
kill $(cat "$work/haproxy.pid")
wait "$haproxy_pid"
haproxy_global="stats socket $work/operator.sock level operator"
start_haproxy
sed "s|odd.sock|operator.sock|" "$work/slotd.conf" >"$work/operator.conf"
mv "$work/operator.conf" "$work/slotd.conf"
: >"$work/slotd.log"
start_slotd
await "its level is said" 5 status_says "level admin"
sleep 1
check "$(grep -c warning "$work/slotd.log") warnings" [ "$(grep -c warning "$work/slotd.log")" -le 8 ]

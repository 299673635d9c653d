#!/bin/sh
# SPDX-License-Identifier: MIT
# 240 tasks are placed at once, and a restart with nothing changed sends not one changing command: by what goes over the wire.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-one 100
backend-two 100 check inter 200ms
backend-three 100"
start_sim --starting-ms 1 --running-ms 1
start_haproxy
for app in one two three; do put_app /$app 80; done
await "the cluster settles" 30 sim_settled

# Everything that slotd sends passes here.
record() { # FILE
    rm -f "$work/relay.sock"
    socat -r "$work/$1" "UNIX-LISTEN:$work/relay.sock,fork" "UNIX-CONNECT:$work/haproxy.sock" 2>"$work/socat.log" &
    relay_pid=$!
    pids="$pids $relay_pid"
    await "the relay listens" 5 [ -S "$work/relay.sock" ]
}
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; };
haproxy = ( { name = "edge"; socket = "$work/relay.sock"; state_file = "$work/haproxy.state"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
all_serve() { [ "$(cli "show servers state" | awk '$7 == 4 && $8 == 1' | wc -l)" = 240 ]; }
record first
began=$(date +%s%N)
start_slotd
await "240 serve" 10 all_serve
# With the start of the process and the looking itself.
echo "240 serve after $((($(date +%s%N) - began) / 1000000)) ms"
await "in step" 10 status_is_good
stop_slotd
check "the relay sees commands" grep -q "^set server backend-one/s1 state ready" "$work/first"
kill "$relay_pid"

record second
start_slotd
await "in step again" 10 status_is_good
check "sync" ctl sync
stop_slotd
check "the servers were read" grep -q "^show servers state" "$work/second"
equal "changing commands after a restart" 0 "$(grep -cv '^prompt\|^show ' "$work/second")"

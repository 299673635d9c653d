#!/bin/sh
# SPDX-License-Identifier: MIT
# What the service manager hears: ready, status, signs of life, reloading, stopping.
BUILD=$1
. "$(dirname "$0")/lib.sh"

python3 - "$work/notify.sock" >"$work/heard" <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(65536).decode(), flush=True)
PY
pids="$pids $!"
await "the manager listens" 10 [ -S "$work/notify.sock" ]
heard() { grep -q -- "$1" "$work/heard"; }
heard_times() { [ "$(grep -c -- "$1" "$work/heard")" -ge "$2" ]; }

backends="backend-web 3"
start_sim
start_haproxy
put_app /web 1
export NOTIFY_SOCKET="$work/notify.sock" WATCHDOG_USEC=200000
start_slotd
await "ready" 10 heard '^READY=1$'
await "signs of life" 10 heard_times '^WATCHDOG=1$' 4
await "its status" 15 heard '^STATUS=in sync: 1 service, 1 task running$'

kill -HUP "$slotd_pid"
await "reloading" 10 heard '^RELOADING=1$'
await "with its moment" 10 heard '^MONOTONIC_USEC=[0-9]*$'
await "ready again" 10 heard_times '^READY=1$' 2
echo 'nonsense = 1;' >"$work/slotd.conf"
kill -HUP "$slotd_pid"
await "ready again after a bad configuration" 10 heard_times '^READY=1$' 3

# What Marathon says goes into the status line, and must stay one line of it.
sim 'fault?path=/v2/apps&kind=500'
ctl sync >/dev/null 2>&1
await "its trouble" 15 heard '^STATUS=degraded: '
stop_slotd
await "stopping" 10 heard '^STOPPING=1$'
equal "words that are none of ours" 0 "$(grep -cEv '^(READY=1|WATCHDOG=1|RELOADING=1|MONOTONIC_USEC=[0-9]+|STOPPING=1|STATUS=.*)$' "$work/heard")"

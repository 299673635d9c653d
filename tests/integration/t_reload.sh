#!/bin/sh
# SPDX-License-Identifier: MIT
# Somebody else reloads HAProxy, or it is killed: slots survive by the state file, changes meanwhile are not lost.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 20
backend-checked 5 check inter 200ms"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 50 --linger-ms 3000
start_haproxy
put_app /web 4
put_app /checked 2
start_slotd
await "slotd is in step" 10 status_is_good
await "four slots serve" 10 slots_are backend-web ready 4
start_load backend-web -r 300 -k 50

adoptions() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["adoptions"])'; }
adopted_more_than() { [ "$(adoptions)" -gt "$1" ]; }
for round in 1 2 3; do
    # Before the first one is written there would be no server at all.
    await "the state file is there for reload $round" 10 state_file_is_current
    before=$(adoptions)
    # Changes are on their way while the reload happens.
    put_app /web $((round % 2 * 4 + 3)) &
    kill -USR2 "$haproxy_pid"
    wait $!
    put_app /web $((round % 2 * 4 + 4))
    await "reload $round is noticed" 5 adopted_more_than "$before"
    await "the cluster settles" 10 sim_settled
    await "reload $round: the slots are right" 5 slots_are backend-web ready $((round % 2 * 4 + 4))
done
stop_load
# An old process that stops may close a connection that it has just accepted, whoever reloads it and whatever its servers: no answer
# of HAProxy's at all. Everything that a wrong server could cause is an answer (502, 503, 504), a refusal or a time-out.
equal "failed requests of $(load_value requests) over three reloads" "0 0 0" "$(load_value bad_status) $(load_value connect_failed) $(load_value timeout)"
check "connections closed by the reloads themselves: $(load_value reset)" [ "$(load_value reset)" -le $(($(load_value requests) / 50)) ]

# Every running task is a server that HAProxy itself shows as serving, and no other address is.
addresses_match() {
    cli "show servers state backend-web" | awk '$2 == "backend-web" && $7 % 4 < 1 || $2 == "backend-web" && $7 == 4 { print $19 }' | sort >"$work/served"
    curl -sf "$marathon/v2/apps/web" | python3 -c '
import json, sys
for task in json.load(sys.stdin)["app"]["tasks"]:
    if task["state"] == "TASK_RUNNING": print(task["ports"][0])' | sort >"$work/running"
    cmp -s "$work/served" "$work/running"
}
await "HAProxy serves just the running tasks" 5 addresses_match

# Killed without warning: what starts again has the addresses before slotd says a word (slotd is stopped meanwhile).
await "the state file shows what serves" 10 state_file_is_current
kill -STOP "$slotd_pid"
kill -9 $(cat "$work/haproxy.pid") 2>/dev/null
sleep 0.3
start_haproxy
await "it serves the same tasks by the file alone" 5 addresses_match
check "a request is answered" curl -sf -o "$work/answer" -H 'Host: backend-web' "http://127.0.0.1:$edge_port/"
kill -CONT "$slotd_pid"
await "slotd adopts it" 10 status_is_good
put_app /web 2
await "changes go on" 10 slots_are backend-web ready 2

# A task that dies while HAProxy is away is out as soon as it is back.
kill -9 $(cat "$work/haproxy.pid") 2>/dev/null
victim=$(tasks_of /web | head -n 1)
sim "fail?task=$victim"
sleep 0.3
start_haproxy
await "slotd adopts it again" 10 status_is_good
await "the dead task is out, its successor in" 10 addresses_match

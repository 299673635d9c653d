#!/bin/sh
# SPDX-License-Identifier: MIT
# The guard over slots that no task claims: what is held stays held when HAProxy comes back, what is replaced goes, and host names that
# are not known yet are no absence.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 20
backend-full 10
backend-named 4"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
value() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0][sys.argv[1]])' "$1"; }
adopted_more_than() { [ "$(value adoptions)" -gt "$1" ]; }
restart_with() { # COMMAND...: slotd is away while it happens
    stop_slotd
    "$@"
    await "the cluster settles" 10 sim_settled
    start_slotd
}
put_app /web 10
start_slotd
await "ten slots serve" 10 slots_are backend-web ready 10

# Held, and held still by the process that a reload starts.
restart_with put_app /web 2
await "the guard holds" 10 status_says "holds the removal of 8 endpoints"
ctl sync >"$work/sync"
ctl sync >"$work/sync"
kill -USR2 "$haproxy_pid"
await "the reload is noticed" 5 adopted_more_than 1
check "what it holds serves on after a reload" slots_are backend-web unclaimed 8
check "and is said to be held" status_says "holds the removal of 8 endpoints"
check "confirm" ctl confirm
equal "once" "nothing was held" "$(ctl confirm)"
check "the log says so" grep -q "an operator confirmed, and the guard held nothing" "$work/slotd.log"
await "it leaves" 10 slots_are backend-web free 18

# What slotd had taken out itself does not come back with an old state file, however much it is.
put_app /web 10
await "ten serve again" 10 slots_are backend-web ready 10
kept_is_written() { [ "$(awk '$2 == "backend-web" && $7 == 4' "$work/haproxy.state" | wc -l)" = 10 ]; }
await "the state file has them" 5 kept_is_written
cp "$work/haproxy.state" "$work/old.state"
put_app /web 1
await "one serves" 10 slots_are backend-web ready 1
kill -STOP "$slotd_pid"
kill -9 $(cat "$work/haproxy.pid") 2>/dev/null
cp "$work/old.state" "$work/haproxy.state"
start_haproxy
kill -CONT "$slotd_pid"
await "the others are out at once" 5 slots_are backend-web free 19
await "in step" 10 status_is_good

# Ten replaced by six: four of ten are less than half, with no human, also when the new ones are ready before it is judged.
put_app /web 10
await "ten serve once more" 10 slots_are backend-web ready 10
redeploy() { put_app /web 6 '{"version":"2"}'; }
restart_with redeploy
await "six new ones serve" 10 slots_are backend-web ready 6
await "the old ones left" 10 slots_are backend-web free 14
await "in step again" 10 status_is_good

# Without a free slot: three of ten are replaced, seven are held.
put_app /web 0
put_app /full 10
await "a full backend" 10 slots_are backend-full ready 10
redeploy_full() { put_app /full 3 '{"version":"2"}'; }
restart_with redeploy_full
await "three new ones serve" 10 slots_are backend-full ready 3
check "seven are held" slots_are backend-full unclaimed 7
check "confirm" ctl confirm
await "they leave" 10 slots_are backend-full free 7

# `--confirm` believes the first answer, but a host name without an address yet is no absence.
curl -sf "$marathon/v2/apps?embed=apps.tasks" | python3 -c '
import json, sys
document = json.load(sys.stdin)
task = next(app for app in document["apps"] if app["id"] == "/full")["tasks"][0]
task = dict(task, id="named.instance-1._app.1", appId="/named", host="localhost", ipAddresses=[])
document["apps"].append({"id": "/named", "version": "1", "instances": 1, "tasks": [task]})
json.dump(document, sys.stdout)' >"$work/apps.json"
curl -sf -X POST --data-binary @"$work/apps.json" "$marathon/sim/apps" >/dev/null
ctl sync >"$work/sync"
await "the named one serves" 10 slots_are backend-named ready 1
stop_slotd
start_slotd --confirm
await "in step with --confirm" 10 status_is_good
ctl sync >"$work/sync"
equal "commands after a restart with --confirm" 0 "$(value commands)"

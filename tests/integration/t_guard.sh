#!/bin/sh
# SPDX-License-Identifier: MIT
# What the guard holds: it counts what HAProxy serves, also when that comes later than Marathon's answers.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 12"
resync=1s
start_sim --starting-ms 10 --running-ms 10
start_haproxy
put_app /web 10
put_app /batch 30
start_slotd
await "all serve" 10 slots_are backend-web ready 10
await "the cluster settles" 10 sim_settled

# An answer without the one app that HAProxy has a backend for lacks a quarter of the tasks, and all that is served.
fetches_now() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["fetches"])'; }
enough_answers() { [ "$(fetches_now)" -ge "$1" ]; }
curl -sf "$marathon/v2/apps" | python3 -c '
import json, sys
json.dump({"apps": [app for app in json.load(sys.stdin)["apps"] if app["id"] != "/web"]}, sys.stdout)' >"$work/half.json"
curl -sf -X POST --data-binary @"$work/half.json" "$marathon/sim/apps" >/dev/null
await "the guard holds it" 10 status_says "holds the removal of 10"
await "however often it is repeated" 20 enough_answers $(($(fetches_now) + 3))
check "all serve while it is held" slots_are backend-web ready 10
curl -sf -X POST "$marathon/sim/apps" >/dev/null
await "good again" 15 status_is_good
serving() { cli "show servers state backend-web" | awk 'NF > 10 && $6 == 2' | wc -l; }
state_is_written() { [ "$(awk '$6 == 2' "$work/haproxy.state" | wc -l)" = 10 ]; }
await "the state file names them" 10 state_is_written

# slotd and HAProxy start anew, and Marathon lists nothing: enough answers have come by the time HAProxy is there.
stop_slotd
kill $(cat "$work/haproxy.pid") && wait "$haproxy_pid"
sim "fault?path=/v2/apps&kind=empty"
start_slotd
await "several answers" 15 enough_answers 4
start_haproxy
await "what HAProxy serves is held" 10 status_says "holds the removal of 10"
sleep 1.5
equal "slots that serve" 10 "$(serving)"
sim clear
await "the first good answer is believed" 15 status_is_good
equal "slots that serve in the end" 10 "$(serving)"

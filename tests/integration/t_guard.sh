#!/bin/sh
# SPDX-License-Identifier: MIT
# What the guard holds when HAProxy is not there while Marathon's answers come.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 12"
resync=1s
start_sim --starting-ms 10 --running-ms 10
start_haproxy
put_app /web 10
start_slotd
await "all serve" 10 slots_are backend-web ready 10
serving() { cli "show servers state backend-web" | awk 'NF > 10 && $6 == 2' | wc -l; }
state_is_written() { [ "$(awk '$6 == 2' "$work/haproxy.state" | wc -l)" = 10 ]; }
await "the state file names them" 10 state_is_written

# slotd and HAProxy start anew, and Marathon lists nothing: enough answers have come by the time HAProxy is there.
stop_slotd
kill $(cat "$work/haproxy.pid") && wait "$haproxy_pid"
sim "fault?path=/v2/apps&kind=empty"
start_slotd
enough_answers() { [ "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["fetches"])')" -ge 4 ]; }
await "several answers" 15 enough_answers
start_haproxy
await "what HAProxy serves is held" 10 status_says "holds the removal of 10"
sleep 1.5
equal "slots that serve" 10 "$(serving)"
sim clear
await "the first good answer is believed" 15 status_is_good
equal "slots that serve in the end" 10 "$(serving)"

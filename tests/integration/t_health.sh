#!/bin/sh
# SPDX-License-Identifier: MIT
# Marathon's health results: with mapping.drain_unhealthy alone they drain, within bounds; no request is lost, a re-election changes nothing.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 10
backend-one 4
backend-two 4"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20 --healthy-ms 10
start_haproxy
put_checked() { # ID INSTANCES CHECKS
    curl -sf -X PUT "$marathon/v2/apps$1" -d "{\"instances\":$2,\"healthChecks\":[$3]}" >/dev/null
}
http_check='{"protocol":"HTTP","path":"/h"}'
put_checked /web 5 "$http_check"
put_checked /one 1 "$http_check"
put_checked /two 2 "$http_check,{\"protocol\":\"HTTP\",\"path\":\"/other\"}"
# All by events: no complete answer corrects what an event has missed.
resync=1h
start_slotd
await "slotd is in step" 10 status_is_good
await "all of web serve" 10 slots_are backend-web ready 5
await "both of two serve" 10 slots_are backend-two ready 2
results() { curl -sf "$marathon/v2/apps$1?embed=app.tasks" | python3 -c "
import json, sys
print(sum(r['alive'] is $2 for t in json.load(sys.stdin)['app']['tasks'] for r in t['healthCheckResults']))"; }
results_are() { [ "$(results "$1" "$2")" = "$3" ]; }
await "every check has passed" 10 results_are /web True 5
await "of one too" 10 results_are /one True 1
await "of two too" 10 results_are /two True 4
health() { sim "health?task=$1&alive=$2${3:+&check=$3}"; }
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
fetches() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["fetches"])'; }
events_seen() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["events"])'; }
events_are_past() { [ "$(events_seen)" -gt "$1" ]; }
# An event behind the others: when it is counted, they are all applied.
pass_events() {
    pass_before=$(events_seen)
    curl -sf -X POST "$marathon/sim/event" --data-binary 'event: news_event
data: {"eventType":"news_event"}

' >/dev/null
    await "the events are through" 10 events_are_past "$pass_before"
}
set -- $(tasks_of /web | sort)
two=$(tasks_of /two | sort | head -n 1)

# Off, as it is by default: no result costs a command or a fetch, not in an answer either.
before="$(commands) $(fetches)"
health "$1" false
health "$2" false
pass_events
equal "no command and no fetch" "$before" "$(commands) $(fetches)"
check "a complete answer" ctl sync
equal "no command" "${before% *}" "$(commands)"
check "all serve" slots_are backend-web ready 5
equal "nothing is said of it" 0 "$(ctl services | grep -c healthy)"
sim "leader?url=http://127.0.0.1:1"
await "every check has told again" 10 results_are /web False 2
await "connected again" 10 status_is_good
check "and a complete answer" ctl sync
equal "a re-election is no command" "${before% *}" "$(commands)"
health "$1" true
health "$2" true

# On, from a reload on.
start_load backend-web -r 200 -k 50
mapping_extra='drain_unhealthy = true;'
health "$3" false
write_slotd_conf
kill -HUP "$slotd_pid"
await "what is alive=false already drains" 10 slots_are backend-web draining 1
health "$3" true
await "and comes back" 10 slots_are backend-web ready 5

phase() { ctl -o json services | python3 -c "
import json, sys
print(*[e['phase'] for s in json.load(sys.stdin)['services'] for e in s['endpoints'] if e['task'] == '$1'])"; }
slot() { ctl -o json services | python3 -c "
import json, sys
print(*[e['slot'] for s in json.load(sys.stdin)['services'] for e in s['endpoints'] if e['task'] == '$1'])"; }
problems() { ctl -o json services | python3 -c "
import json, sys
print(*sorted('%s:%s' % (p['code'], p['task'] or p['app']) for p in json.load(sys.stdin)['problems']))"; }
asked() { for i in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -sf -H "Host: $1" "http://127.0.0.1:$edge_port/"; echo; done; }
place=$(slot "$1")
fetched=$(fetches)
health "$1" false
await "it drains" 5 slots_are backend-web draining 1
equal "it is shown" "drain" "$(phase "$1")"
equal "and why" "unhealthy:$1" "$(problems)"
equal "no request goes there" 0 "$(asked backend-web | grep -cF "$1")"
health "$2" false
await "the second does too" 5 slots_are backend-web draining 2
equal "both are told" "unhealthy:$1 unhealthy:$2" "$(problems)"
check "what an answer says is the same" ctl sync
check "two drain" slots_are backend-web draining 2
# The third would be more than half.
health "$3" false
await "then none drains" 5 slots_are backend-web ready 5
equal "that is a problem" "unhealthy-held:/web" "$(problems)"
check "in words" sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q 'alive=false of 3 of the 5 endpoints that serve'"
check "which is logged" grep -q '3 of 5 endpoints are unhealthy' "$work/slotd.log"
equal "they are shown as what they are" "ready" "$(phase "$1")"
health "$3" true
await "two drain again" 5 slots_are backend-web draining 2
health "$1" true
await "the first serves again" 5 slots_are backend-web ready 4
equal "in its slot" "$place" "$(slot "$1")"
equal "no fetch was needed but the one asked for" "$((fetched + 1))" "$(fetches)"

# slotd starts anew: what drains is found so, and stays so.
stop_slotd
states() { servers | cut -d' ' -f2,4,5,6,7; }
states_before=$(states)
start_slotd
await "in step again" 10 status_is_good
await "it drains still" 5 slots_are backend-web draining 1
equal "nothing has changed" "$states_before" "$(states)"

# A re-election: results are not known for a while, and what is not known serves.
health "$2" true
await "all serve" 5 slots_are backend-web ready 5
sent=$(commands)
sim "leader?url=http://127.0.0.1:1"
await "the results are back" 10 results_are /web True 5
await "and slotd is connected" 10 status_is_good
check "a complete answer then" ctl sync
equal "a re-election changes nothing" "$sent" "$(commands)"
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# The only one, and the last one, serve whatever the limit.
one=$(tasks_of /one)
health "$one" false
pass_events
check "the only one serves" slots_are backend-one ready 1
equal "though it is not well" "unhealthy-held:/one" "$(problems)"
slots_extra='max_removal_percent = 100;'
write_slotd_conf
kill -HUP "$slotd_pid"
problem_is() { [ "$(problems)" = "$1" ]; }
await "nothing is held any more" 10 problem_is "unhealthy:$one"
check "it serves still" slots_are backend-one ready 1
equal "requests are answered" 12 "$(asked backend-one | grep -cF "$one")"
check "why is said" sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q 'it serves on as one of the last'"
health "$one" true
await "it is well" 10 problem_is ""

# Which of several checks has passed is not told: it drains until an answer says that all have.
health "$two" false 0
await "one check fails" 5 slots_are backend-two draining 1
health "$two" false 1
fetched=$(fetches)
health "$two" true 0
fetches_are_past() { [ "$(fetches)" -gt "$1" ]; }
await "the app is asked about" 5 fetches_are_past "$fetched"
check "the other fails still" slots_are backend-two draining 1
health "$two" true 1
await "both have passed" 5 slots_are backend-two ready 2

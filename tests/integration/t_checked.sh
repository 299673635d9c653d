#!/bin/sh
# SPDX-License-Identifier: MIT
# Backends with health checks: who starts waits for its first good check, the last one up stays, what is down is shown so.
BUILD=$1
. "$(dirname "$0")/lib.sh"

# `fall 1`: each bad check takes a server down at once, as it does one that has just been made ready.
checked="check inter 100ms rise 1 fall 1"
backends="backend-web 12 $checked
backend-one 4 $checked"
haproxy_global="spread-checks 0"
haproxy_defaults="option httpchk GET /"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 2000
start_haproxy
put_app /web 2
put_app /one 1
start_slotd
await "slotd is in step" 10 status_is_good
await "with nobody up they start at once" 10 slots_are backend-web ready 2
await "the one too" 10 slots_are backend-one ready 1

# --- checked start ---
# Tasks that answer 503 for their first 1.5 s, beside others that are well: no request meets one of them too early.
# Marathon's own health checks let the roll go on when they are well.
put_env() { # ID INSTANCES SICK-MS HEALTHY-MS
    curl -sf -X PUT "$marathon/v2/apps$1" -d "{\"instances\":$2,\"healthChecks\":[{\"protocol\":\"MESOS_HTTP\",\"path\":\"/\"}],
        \"env\":{\"SIM_SICK_MS\":\"$3\",\"SIM_HEALTHY_MS\":\"$4\"}}" >/dev/null
}
start_load backend-web -r 300 -k 30
first=$(tasks_of /web)
put_env /web 4 1500 2000
await "they start" 10 slots_are backend-web starting 4
check "a start is told" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services backend-web | grep -q check-awaited"
await "the roll is over" 20 sim_settled
await "all four serve" 10 slots_are backend-web ready 4
check "they are others" [ "$(tasks_of /web | grep -cF "$first")" = 0 ]

# --- what is down stays where it is, and is shown so ---
set -- $(tasks_of /web)
stop_load
equal "failed requests of $(load_value requests) during the roll" 0 "$(load_value failed)"
sim "sick?task=$1"
await "it is shown as down" 10 slots_are backend-web down 1
equal "in its slot" "$1 down False" "$(ctl -o json slots backend-web | python3 -c "
import json, sys
(s,) = [s for s in json.load(sys.stdin)['slots'] if s['task'] == '$1']
print(s['task'], s['state'], s['up'])")"
equal "by services too" "ready down" "$(ctl -o json services backend-web | python3 -c "
import json, sys
(s,) = json.load(sys.stdin)['services']
(e,) = [e for e in s['endpoints'] if e['task'] == '$1']
print(e['phase'], e['state'])")"
check "and why" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services | grep -q check-fails"
check "that is no fault of ours" status_is_good
sim "sick?task=$1&sick=false"
await "it comes back by itself" 10 slots_are backend-web ready 4

# --- the only one up stays while nobody else is ---
sim "sick?task=$2"
sim "sick?task=$3"
sim "sick?task=$4"
await "three are down" 10 slots_are backend-web down 3
start_load backend-web -r 300 -k 30
state_of() { # TASK: its phase and its slot's state
    ctl -o json services backend-web | python3 -c "
import json, sys
(s,) = json.load(sys.stdin)['services']
print(*[e['phase'] + ' ' + e['state'] for e in s['endpoints'] if e['task'] == '$1'])"
}
is_in_state() { [ "$(state_of "$1")" = "$2" ]; }
curl -sf -X DELETE "$marathon/v2/apps/web/tasks/$1" >/dev/null
await "the only one up is being killed, and serves" 1 is_in_state "$1" "drain ready"
sim "sick?task=$2&sick=false"
await "it drains when another one is up" 1 is_in_state "$1" "drain draining"
await "it is gone" 10 is_in_state "$1" ""
for task in "$3" "$4"; do sim "sick?task=$task&sick=false"; done
await "all are well again" 10 slots_are backend-web ready 4
stop_load
equal "failed requests of $(load_value requests) around the kill" 0 "$(load_value failed)"

# --- an operator's word counts more ---
set -- $(tasks_of /one)
check "drain of the only one" ctl drain task "$1" --wait
check "it is held" slots_are backend-one held 1
check "undrain" ctl undrain task "$1"
await "with nobody up it serves at once" 10 slots_are backend-one ready 1

# --- restarts and reloads keep health and send nothing ---
sim "sick?task=$1"
await "the one is down" 10 slots_are backend-one down 1
stop_slotd
# Without what the checks count.
placed() { cli "show servers state" | cut -d' ' -f1-9; }
before=$(placed)
start_slotd
await "in step again" 10 status_is_good
equal "a restart changes nothing" "$before" "$(placed)"
equal "and sends nothing" 0 "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])')"
check "down is down still" slots_are backend-one down 1
sim "sick?task=$1&sick=false"
await "and up again" 10 slots_are backend-one ready 1
start_load backend-web -r 300 -k 0
adoptions() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["adoptions"])'; }
before=$(adoptions)
sleep 0.3
kill -USR2 "$haproxy_pid"
adopted() { [ "$(adoptions)" -gt "$before" ]; }
await "a reload is adopted" 10 adopted
await "all serve as before" 10 slots_are backend-web ready 4
stop_load
# A reload may close a connection that the old process has just accepted, before any answer: HAProxy's own (t_reload.sh).
check "failed requests of $(load_value requests) around the reload: $(load_value failed)" [ "$(load_value failed)" -le 12 ]

# --- checks that are switched off by hand: whom HAProxy is told to be down, it would keep down for ever ---
every_one() { cli "$1 backend-one/s1;$1 backend-one/s2;$1 backend-one/s3;$1 backend-one/s4" >/dev/null; }
every_one "disable health"
put_app /one 2
await "a task serves that nobody checks" 10 slots_are backend-one ready 2
equal "in HAProxy too" 2 "$(cli "show servers state backend-one" | awk '$6 == 2' | wc -l)"
every_one "enable health"

# --- switched off, a task takes traffic at once ---
stop_slotd
slots_extra="checked_start = false;"
write_slotd_conf
start_slotd
await "in step with another configuration" 10 status_is_good
put_env /one 2 0 100
await "nobody waits for a check" 10 slots_are backend-one ready 2
check "none was sent a word of its health" sh -c "! grep -q 'health down' '$work/slotd.log'"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Slots that another hand changes are noticed, counted and put right, whatever it was; what it was not does not cost a command.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 5
backend-api 3 check inter 200ms"
start_sim --starting-ms 5 --running-ms 5
start_haproxy
put_app /web 3 '{"traefik.weight":"7"}'
put_app /api 2
start_slotd
await "slotd is in step" 10 status_is_good
await "all serve" 10 slots_are backend-web ready 3
await "those with checks too" 10 slots_are backend-api ready 2
edge_value() { ctl -o json status | python3 -c "import json,sys; print(json.load(sys.stdin)['haproxy'][0]['$1'])"; }
is_drifted() { [ "$(edge_value drifts)" = "$1" ]; }
# Names, addresses, states, weights.
placed() { cli "show servers state" | cut -d" " -f2,4-5,7-9,19,22; }
before=$(placed)
is_as_before() { [ "$(placed)" = "$before" ]; }

change() { # WHAT DRIFTS COMMAND
    check "$1: HAProxy takes it" sh -c '! echo "$1" | grep -q "[a-z]"' sh "$(cli "$3" | grep -v 'changed from')"
    await "$1 is noticed" 10 is_drifted "$2"
    await "$1 is put right" 10 is_as_before
}
equal "nothing has drifted" 0 "$(edge_value drifts)"
change "a weight" 1 "set server backend-web/s1 weight 3"
change "maint" 2 "set server backend-web/s2 state maint"
change "drain" 3 "set server backend-web/s3 state drain"
start_load backend-web -r 100
change "another address" 4 "set server backend-web/s1 addr 127.0.0.1 port 1"
stop_load
check "requests went on: $(load_value requests)" [ "$(load_value requests)" -gt 10 ]
# One behind the last change, so that it cannot be told from the change itself.
change "a free slot that serves" 5 "set server backend-web/s4 state ready"
change "a check port" 6 "set server backend-api/s1 check-port 1"
check "it is told" grep -q 'backend backend-api: 1 slot is not as it was left, s1 the first: another hand has changed it, and it is put right' "$work/slotd.log"

# A sync looks at all of them, and returns when they are right.
cli "set server backend-web/s2 state maint" >/dev/null
check "a sync" ctl sync
check "it has put it right" is_as_before
equal "and counted" 7 "$(edge_value drifts)"

# Servers that are down are no drift, and what is looked at all the time sends nothing.
commands=$(edge_value commands)
cli "set server backend-api/s2 health down" >/dev/null
sleep 3
equal "no drift" 7 "$(edge_value drifts)"
equal "no command" "$commands" "$(edge_value commands)"
check "in step" status_is_good

# Many backends are looked at one after another, and HAProxy has little to do with it.
stop_slotd
kill "$haproxy_pid"
wait "$haproxy_pid"
rm -f "$work/haproxy.state"
backends=$(for i in $(seq 300); do echo "backend-many$i 4"; done; echo "backend-web 5")
start_haproxy
start_slotd
await "in step with many" 10 status_is_good
await "all of web serve" 10 slots_are backend-web ready 3
before=$(placed)
change "one of them" 1 "set server backend-web/s1 weight 3"

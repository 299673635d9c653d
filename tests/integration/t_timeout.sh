#!/bin/sh
# SPDX-License-Identifier: MIT
# Tasks that take longer to die than slots.drain_timeout: their slots go to maint then, but for the last one that serves. A reload of the
# configuration counts for drains that are under way.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 6"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 600000
start_haproxy
put_app /web 3
start_slotd
await "three serve" 10 slots_are backend-web ready 3
set -- $(tasks_of /web)
fetches() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["fetches"])'; }
before=$(fetches)
sim "kill?task=$1"
await "one drains" 10 slots_are backend-web draining 1
equal "by the event alone" "$before" "$(fetches)"
slots_extra='drain_timeout = "100ms";'
write_slotd_conf
kill -HUP "$slotd_pid"
await "its time is over by the new configuration" 10 slots_are backend-web held 1
sim "kill?task=$2"
await "another one's by the clock" 10 slots_are backend-web held 2
sim "kill?task=$3"
dies() { ctl services | grep -F "$3" | grep -q ' drain '; }
await "the last one is told to go" 10 dies "$@"
check "and serves" slots_are backend-web ready 1
equal "which a client sees" "$3" "$(curl -sf -H 'Host: backend-web' "http://127.0.0.1:$edge_port/")"

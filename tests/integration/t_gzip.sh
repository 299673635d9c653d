#!/bin/sh
# SPDX-License-Identifier: MIT
# gzip, as a real Marathon has it: slotd asks for it and reads it; a stream that is cut, or none at all, changes nothing and is said.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 10"
resync=1s
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 5
start_slotd
await "slotd is in step" 10 status_is_good
await "slots serve" 10 slots_are backend-web ready 5
check "slotd asks for gzip" [ "$(sim_stat gzip_answers)" -gt 0 ]

# What the simulator answers, and the stream, which is never packed.
headers() { curl -s -o /dev/null -D - -H 'Accept-Encoding: gzip' --max-time 1 "$@" | tr -d '\r'; }
check "/v2/apps is packed" sh -c "curl -s -D - -o '$work/packed' -H 'Accept-Encoding: gzip' '$marathon/v2/apps' | grep -qi '^content-encoding: gzip'"
equal "it unpacks to the same" "$(curl -s "$marathon/v2/apps/web?embed=app.counts" | wc -c)" "$(curl -s --compressed "$marathon/v2/apps/web?embed=app.counts" | wc -c)"
check "without Accept-Encoding it is not" sh -c "! curl -s -D - -o /dev/null '$marathon/v2/apps' | grep -qi content-encoding"
equal "/v2/events is not" "" "$(headers -H 'Accept: text/event-stream' "$marathon/v2/events" | grep -i content-encoding)"

status_is_bad() { ! ctl status; }
for kind in gzip-cut gzip-torn gzip-garbage; do
    sim "fault?path=/v2/apps&kind=$kind"
    await "status is degraded with $kind" 10 status_is_bad
    ctl status >"$work/status"
    check "it says why with $kind: $(cat "$work/status")" grep -Eqi 'answer|gzip|encoding|transfer|parse|json' "$work/status"
    sleep 1.2
    check "what runs keeps running with $kind" slots_are backend-web ready 5
    sim clear
    await "the first good answer after $kind counts" 15 status_is_good
done
put_app /web 6
await "a change is made" 10 slots_are backend-web ready 6

#!/bin/sh
# SPDX-License-Identifier: MIT
# Services that HAProxy's ASCII names cannot tell apart, restarted again and again under load: no request is answered by another's task,
# and from the first restart on each keeps its name and its backend.
BUILD=$1
. "$(dirname "$0")/lib.sh"

use_maps
frontend_rules=$lease_rules
backends="$(for i in 1 2 3 4 5 6; do echo "pool-http-$i 4"; done)"
pools='{ class = "http"; prefix = "pool-http-"; }'
slots_extra='release_delay = "1s";'
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 20
write_maps_conf
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/leases.map" ]
start_haproxy
await "in step" 10 status_is_good

answers() { answered_by "$(curl -s -o "$work/answer" -w '%{http_code}' -H "Host: $1.test" "http://127.0.0.1:$edge_port/")" | grep -qx "$1"; }
# The one that comes first is the last one by name.
for app in first:-é second:-è third:-ê; do
    put_app "/${app%:*}" 2 "{\"traefik.backend\":\"${app#*:}\",\"traefik.frontend.rule\":\"Host:${app%:*}.test\"}"
    await "${app%:*} is served" 10 answers "${app%:*}"
done
# A line for each request that was not answered by a task of that host's app.
python3 -c "
import http.client, signal, sys
on = [1]
signal.signal(signal.SIGTERM, lambda *_: on.clear())
asked = 0
while on:
    for app in 'first', 'second', 'third':
        try:
            connection = http.client.HTTPConnection('127.0.0.1', $edge_port, timeout=5)
            connection.request('GET', '/', headers={'Host': app + '.test'})
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status != 200 or not body.startswith((app + '.', app + '_')):
                print(app, answer.status, body, flush=True)
        except OSError as error:
            print(app, error, flush=True)
        asked += 1
print('asked', asked, file=sys.stderr)
" >"$work/wrong" 2>"$work/asked" &
asker_pid=$!
pids="$pids $asker_pid"
leases() { in_map leases | tr ',' '\n' | grep -v '^$'; }
has_three_leases() { [ "$(leases | wc -l)" = 3 ]; }
all_have_marks() { [ "$(leases | grep -c '^backend-_-[0-9a-f]\{8\} ')" = 3 ] && has_three_leases; }
await "the first one has the plain name" 20 grep -q '^backend-_ ' "$maps/leases.map"
for round in 1 2 3 4; do
    if [ $round = 2 ]; then kill -KILL "$slotd_pid" && wait "$slotd_pid"; else stop_slotd; fi
    start_slotd
    await "round $round: in step" 20 status_is_good
    await "round $round: each has a name of its own, and the plain one is nobody's" 20 all_have_marks
    leases >"$work/leases.$round"
    equal "round $round: the leases are those of before" "$(cat "$work/leases.1")" "$(cat "$work/leases.$round")"
done
kill -TERM "$asker_pid"
wait "$asker_pid"
equal "answers by others' tasks, or none, of $(cat "$work/asked")" "" "$(head -5 "$work/wrong")"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Two HAProxies, one by TCP; a backend with too few slots; weights; host names; servers that are not ours.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 3
backendshared 10
backend-named 4"
api_port=$(free_port)
haproxy_global="stats socket ipv4@127.0.0.1:$api_port level admin"
haproxy_extra="backend backendstatic
    balance source
    default-server init-addr last,0.0.0.0
    server-template s 4 slot.invalid:1 disabled
backend backend-own
    server theirs 127.0.0.1:9
    server spare 127.0.0.1:9 disabled"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 5
put_app /own 1
put_app /blue 2 '{"traefik.backend":"shared","traefik.weight":"1000"}'
put_app /green 1 '{"traefik.backend":"shared","traefik.weight":"10"}'
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; };
haproxy = ( { name = "unix"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; },
            { name = "tcp"; socket = "127.0.0.1:$api_port"; state_file = ""; } );
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
# Both entries are the same HAProxy here: each slotd connection has its own observed state and comes to the same end.
start_slotd
await "three of five serve, on both connections" 10 slots_are backend-web ready 6
await "the two that wait are reported" 10 status_says "wait for a free slot"
check "by a problem too" sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q backend-full"
check "an app without a backend is a problem" sh -c "$BUILD/slotctl -s $work/slotd.sock services own backend-own | grep -q backend-missing"
stop_slotd
rm "$work/slotd.conf"

start_slotd
await "in place again" 10 slots_are backend-web ready 3
put_app /web 3
await "the cluster settles" 10 sim_settled
await "nobody waits when it fits" 10 status_is_good
await "three serve" 10 slots_are backend-web ready 3

weights() { cli "show servers state backendshared" | awk '$2 == "backendshared" && $7 == 4 { print $8 }' | sort -n | tr '\n' ' '; }
await "shared backend serves" 10 slots_are backendshared ready 3
equal "weights in proportion, at most 256" "2 256 256 " "$(weights)"
cli "show servers state backend-own" | awk '$2 == "backend-own" { print $4, $5, $7, $19 }' >"$work/own"
equal "servers that are not ours are left alone" "theirs 127.0.0.1 0 9
spare 127.0.0.1 5 9" "$(cat "$work/own")"

# A static algorithm takes no weights: its slots serve all the same, which is said.
put_app /static 2 '{"traefik.backend":"static","traefik.weight":"10"}'
put_app /more 1 '{"traefik.backend":"static","traefik.weight":"20"}'
await "a static backend serves" 10 slots_are backendstatic ready 3
await "in step with a static backend" 10 status_is_good
check "its weights are a problem" sh -c "$BUILD/slotctl -s $work/slotd.sock services backendstatic | grep -q weights-ignored"
put_app /static 0
put_app /more 0
await "its slots are free again" 10 slots_are backendstatic free 4

# A host name is resolved without blocking; a name that does not resolve waits and is reported.
port=$(curl -sf "$marathon/v2/apps/web" | python3 -c 'import json,sys; print(json.load(sys.stdin)["app"]["tasks"][0]["ports"][0])')
task() { printf '{"id":"named.instance-%s._app.1","appId":"/named","host":"%s","state":"TASK_RUNNING","ports":[%s],"ipAddresses":[],"startedAt":"2026-01-01T00:00:00.000Z","stagedAt":"2026-01-01T00:00:00.000Z","version":"1"}' "$1" "$2" "$3"; }
curl -sf "$marathon/v2/apps?embed=apps.tasks" | python3 -c '
import json, sys
document = json.load(sys.stdin)
document["apps"].append({"id": "/named", "version": "1", "instances": 2, "tasks": [json.loads(t) for t in sys.argv[1:]]})
json.dump(document, sys.stdout)' "$(task 1 localhost "$port")" "$(task 2 no-such-host.invalid "$port")" >"$work/apps.json"
curl -sf -X POST --data-binary @"$work/apps.json" "$marathon/sim/apps" >/dev/null
ctl sync >"$work/sync"
await "the name that resolves serves" 10 slots_are backend-named ready 1
check "the other one is reported" sh -c "$BUILD/slotctl -s $work/slotd.sock services backend-named | grep -q host-unresolved"

# A slot that nobody claims stays while a host name is open, since it may be that very task's; Marathon is not asked again and again for it.
stop_slotd
python3 - "$work/apps.json" <<'PY' >"$work/apps2.json"
import json, sys
document = json.load(open(sys.argv[1]))
for app in document["apps"]:
    if app["id"] == "/named":
        app["tasks"] = app["tasks"][1:]
json.dump(document, sys.stdout)
PY
curl -sf -X POST --data-binary @"$work/apps2.json" "$marathon/sim/apps" >/dev/null
start_slotd
await "it is unclaimed" 10 slots_are backend-named unclaimed 1
ctl sync >"$work/sync"
ctl sync >"$work/sync"
fetches=$(sim_stat fetches)
sleep 2
check "it serves on" slots_are backend-named unclaimed 1
check "$(($(sim_stat fetches) - fetches)) complete fetches while nothing happened" [ $(($(sim_stat fetches) - fetches)) -le 1 ]

#!/bin/sh
# SPDX-License-Identifier: MIT
# Doubt keeps traffic: a whole service that becomes unreachable, and a Marathon that was away while everything was redeployed.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 12
backend-api 12
backendshared 20"
resync=1s
# A task serves on for a while after its end, as where an old cluster is left running: who still gets requests there is served.
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20 --linger-ms 60000
start_haproxy
put() { curl -sf -X PUT "$marathon/v2/apps$1" -d "$2" >/dev/null; }
patient='"unreachableStrategy":{"inactiveAfterSeconds":300,"expungeAfterSeconds":600}'
put /web "{\"instances\":3,$patient}"
put_app /api 10
put_app /blue 8 '{"traefik.backend":"shared"}'
start_slotd
await "slotd is in step" 10 status_is_good
await "web serves" 10 slots_are backend-web ready 3
await "api serves" 10 slots_are backend-api ready 10
await "shared serves" 10 slots_are backendshared ready 8

# A network cut: one after another is unreachable. They drain, the last one does not, and all come back to their slots.
slots_before=$(ctl -o json slots backend-web | python3 -c 'import json,sys; print(sorted((s["slot"], s["task"]) for s in json.load(sys.stdin)["slots"] if s["task"]))')
start_load backend-web -r 200 -k 50
set -- $(tasks_of /web)
sim "unreachable?task=$1"
await "the first drains" 10 slots_are backend-web draining 1
sim "unreachable?task=$2"
await "the second drains" 10 slots_are backend-web draining 2
sim "unreachable?task=$3"
check "sync" ctl sync
equal "the last one serves on" 1 "$(slot_count backend-web ready)"
for task in "$@"; do sim "reachable?task=$task"; done
await "all serve again" 10 slots_are backend-web ready 3
equal "in the same slots" "$slots_before" "$(ctl -o json slots backend-web | python3 -c 'import json,sys; print(sorted((s["slot"], s["task"]) for s in json.load(sys.stdin)["slots"] if s["task"]))')"
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# Marathon is away while everything is redeployed, blue by green: the first good answer is believed, with no human.
for backend in backend-web backend-api backendshared; do start_load_as "$backend" "$backend" -r 100 -k 50; done
sim 'fault?path=/v2/apps&kind=500'
sim 'fault?path=/v2/events&kind=500'
sim drop-streams
await "it is said" 10 status_says "is not live"
put_app /web 3 '{"round":"2"}'
put_app /api 10 '{"round":"2"}'
put_app /green 8 '{"traefik.backend":"shared"}'
curl -sf -X DELETE "$marathon/v2/apps/blue" >/dev/null
await "the cluster settles" 20 sim_settled
equal "what ran is kept meanwhile" "3 10 8" "$(slot_count backend-web ready) $(slot_count backend-api ready) $(slot_count backendshared ready)"
sim clear
await "in step by itself" 30 status_is_good
serves_what_runs() {
    curl -sf "$marathon/v2/apps?embed=apps.tasks" >"$work/apps.json"
    ctl -o json slots >"$work/slots.json"
    python3 - "$work/apps.json" "$work/slots.json" <<'PY'
import json, sys
runs = sorted(t["ports"][0] for app in json.load(open(sys.argv[1]))["apps"] for t in app["tasks"])
serves = sorted(s["port"] for s in json.load(open(sys.argv[2]))["slots"] if s["state"] == "ready")
sys.exit(0 if runs == serves else 1)
PY
}
await "just what runs serves" 15 serves_what_runs
check "a request is answered" curl -sf -o "$work/answer" -H 'Host: backendshared' "http://127.0.0.1:$edge_port/"
for backend in backend-web backend-api backendshared; do
    stop_load "$backend"
    equal "$backend: failed requests of $(load_value requests "$backend") while all of it was replaced" 0 "$(load_value failed "$backend")"
done
# slotd is dead while everything is redeployed once more, and HAProxy serves what nobody claims when it is back.
for backend in backend-web backend-api backendshared; do start_load_as "$backend" "$backend" -r 100 -k 50; done
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
put_app /web 3 '{"round":"3"}'
put_app /api 10 '{"round":"3"}'
put_app /blue 8 '{"traefik.backend":"shared"}'
curl -sf -X DELETE "$marathon/v2/apps/green" >/dev/null
await "the cluster settles" 20 sim_settled
start_slotd
await "in step by itself, after its own death" 30 status_is_good
await "just what runs serves, after its own death" 15 serves_what_runs
for backend in backend-web backend-api backendshared; do
    stop_load "$backend"
    equal "$backend: failed requests of $(load_value requests "$backend") while slotd was dead" 0 "$(load_value failed "$backend")"
done
check "the guard had nothing to say" sh -c "! grep -q 'is held' $work/slotd.log"

# A half answer is not believed: most of what serves is missing in it, and nothing comes in its place.
curl -sf "$marathon/v2/apps?embed=apps.tasks" | python3 -c '
import json, sys
json.dump({"apps": [app for app in json.load(sys.stdin)["apps"] if app["id"] == "/web"]}, sys.stdout)' >"$work/half.json"
curl -sf -X POST --data-binary @"$work/half.json" "$marathon/sim/apps" >/dev/null
await "the guard holds it" 15 status_says "the guard holds the removal of 18 endpoints"
check "the log says what is held, and how to let it through" grep -Eq "the removal of 18 endpoints is held.*: tasks of (/api, /blue|/blue, /api)\..*slotctl confirm" "$work/slotd.log"
check "status is degraded, and its numbers say why" sh -c "! $BUILD/slotctl -s $work/slotd.sock -o json status >$work/held.json"
equal "what it holds" "True 18 50 True" "$(python3 -c "import json; s = json.load(open('$work/held.json')); print(s['guard']['holding'], s['guard']['held'], s['guard']['max_removal_percent'], s['degraded'])")"
check "a sync does not believe it either" ctl sync
equal "all serve on" "3 10 8" "$(slot_count backend-web ready) $(slot_count backend-api ready) $(slot_count backendshared ready)"
curl -sf -X POST "$marathon/sim/apps" >/dev/null
await "good again" 15 status_is_good
check "the log says that it is over" grep -q "nothing is held any more" "$work/slotd.log"
equal "what was held is told of once" 1 "$(grep -c "endpoints is held" "$work/slotd.log")"

# It was right after all: an operator lets it through.
curl -sf -X POST --data-binary @"$work/half.json" "$marathon/sim/apps" >/dev/null
await "the guard holds it again" 15 status_says "the guard holds the removal of 18 endpoints"
check "confirmed" ctl confirm
await "what was held is gone" 10 slots_are backend-api free 12
await "and only that" 10 slots_are backend-web ready 3
await "in step once it is confirmed" 10 status_is_good
curl -sf -X POST "$marathon/sim/apps" >/dev/null
await "all of it serves again" 15 slots_are backend-api ready 10

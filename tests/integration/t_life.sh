#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of apps and tasks under load: suspended and resumed, deleted, deleted and created again at once, tasks that fail without a
# warning. What has to be lost is lost only while nobody serves; nothing else is.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 12
backend-api 12
backend-gone 12
backend-again 12
backend-frail 40"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 150 --backoff-ms 0 --record "$work/record"
start_haproxy
for app in web api gone again; do put_app "/$app" 3; done
put_app /frail 12
start_slotd
await "slotd is in step" 10 status_is_good
for app in web api gone again; do await "$app serves" 10 slots_are "backend-$app" ready 3; done
await "frail serves" 10 slots_are backend-frail ready 12

now_us() { date +%s%6N; }
# When a task of the app has last been told to have come to that state.
last_status() { awk -v app="$1" -v state="$2" '$2 == "status" && index($3, app ".") == 1 && $4 == state { at = $1 } END { print at }' "$work/record"; }
# The requests of a load that failed and were begun between the two moments, and those that were not.
failed_between() { begun_of "$1" | awk -v from="$2" -v to="$3" '$1 >= from && $1 <= to' | wc -l; }
failed_outside() { begun_of "$1" | awk -v from="$2" -v to="$3" '$1 < from || $1 > to' | wc -l; }
begun_of() { sed -n 's/.*begun at \([0-9]*\):.*/\1/p' "$work/$1.log"; }
failed_some() { [ "$(begun_of "$1" | wc -l)" -ge 10 ]; }
# All tasks of a killed app go at the same moment: requests that were under way then cannot be saved. These are too short for that.
load() { start_load_as "$1" "backend-$1" -r 150 -k 50; }
answered_since() { awk -v app="$1" -v since="$2" '$2 == "request" && index($3, app ".") == 1 && $4 > since' "$work/record" | grep -q .; }

# Suspended: the last one serves as long as it lives, since nobody else can. Resumed: served from the first task on.
load web
await "web is asked" 10 answered_since web 0
put_app /web 0
await "all of web is gone" 10 slots_are backend-web free 12
died=$(last_status web TASK_KILLED)
await "nobody serves" 10 failed_some web
check "in step while suspended" ctl status
put_app /web 3
await "web is resumed" 10 slots_are backend-web ready 3
resumed=$(now_us)
await "it is asked again" 10 answered_since web "$resumed"
stop_load web
# A request that is on its way while the last one dies may be either; between the event and the death lies less than this.
equal "web: failed before its last task died, or after it was resumed" 0 "$(failed_outside web $((died - 50000)) "$resumed")"
check "web: there was nobody in between" [ "$(failed_between web "$died" "$resumed")" -ge 10 ]

# Deleted: the same, and its slots are free for others.
load gone
await "gone is asked" 10 answered_since gone 0
curl -sf -X DELETE "$marathon/v2/apps/gone" >/dev/null
await "all of it is gone" 10 slots_are backend-gone free 12
died=$(last_status gone TASK_KILLED)
await "nobody serves it" 10 failed_some gone
stop_load gone
equal "gone: failed before its last task died" 0 "$(failed_outside gone $((died - 50000)) "$(now_us)")"
no_service() { ! ctl services | grep -q gone; }
await "no service is left of it" 10 no_service

# Deleted and created again under its name at once: the old tasks are still dying when the new ones run.
load again
await "again is asked" 10 answered_since again 0
for round in 1 2 3 4 5; do
    olds=$(tasks_of /again)
    curl -sf -X DELETE "$marathon/v2/apps/again" >/dev/null
    put_app /again 3
    await "the cluster settles, round $round" 10 sim_settled
    await "the new ones serve, round $round" 10 slots_are backend-again ready 3
    serving=$(ctl -o json slots backend-again | python3 -c 'import json,sys; print(*(s["task"] for s in json.load(sys.stdin)["slots"] if s["task"]))')
    equal "just those, round $round" "$(tasks_of /again | sort)" "$(echo "$serving" | tr ' ' '\n' | sort)"
    for old in $olds; do case " $serving " in *" $old "*) fail "$old is still there" ;; *) pass ;; esac; done
done
stop_load again
equal "again: failed requests of $(load_value requests again)" 0 "$(load_value failed again)"

# Without a warning: what is at the task when it fails is lost, and what comes before the event is; nothing after HAProxy knows.
load frail
await "frail is asked" 10 answered_since frail 0
for round in $(seq 30); do
    task=$(tasks_of /frail | head -n 1)
    echo "$task" >>"$work/failed"
    sim "fail?task=$task"
    await "the next one serves, round $round" 10 slots_are backend-frail ready 12
done
stop_load frail
ctl -o json events >"$work/events.json"
begun_of frail >"$work/frail.begun"
python3 - "$work" >"$work/judged" <<'PY'
import datetime, json, statistics, sys
work = sys.argv[1]
failed = open(work + "/failed").read().split()
died = {}
for line in open(work + "/record"):
    at, what, task, *rest = line.split()
    if what == "status" and rest[0] == "TASK_FAILED":
        died[task] = int(at)
after, windows = [], []
for event in json.load(open(work + "/events.json"))["events"]:
    if event["action"] == "remove" and event["task"] in failed:
        known = datetime.datetime.fromisoformat(event["received"].replace("Z", "+00:00")).timestamp() * 1e6
        after.append(event["acknowledged_after_ms"])
        # The time is cut to milliseconds. What was begun just before the death was under way.
        windows.append((died[event["task"]] - 50000, known + event["acknowledged_after_ms"] * 1000 + 1000))
begun = [int(line) for line in open(work + "/frail.begun")]
print("left", len(windows))
print("outside", sum(not any(a <= at <= b for a, b in windows) for at in begun))
print("median", round(statistics.median(after), 1) if after else "none")
PY
value() { sed -n "s/^$1 //p" "$work/judged"; }
equal "tasks that left by their event" 30 "$(value left)"
equal "requests that failed although HAProxy knew" 0 "$(value outside)"
# A busy machine stops anybody for a while, so that the median is judged.
check "median from the event to HAProxy's acknowledgement: $(value median) ms" [ "$(value median | cut -d. -f1)" -lt 50 ]
check "in step at the end" ctl status

# A rolling upgrade by halves, and a scale-down to one, under a load without retries: nothing is lost.
load api
await "api is asked" 10 answered_since api 0
for version in 1 2 3; do
    curl -sf -X PUT "$marathon/v2/apps/api" -d "{\"instances\":6,\"env\":{\"V\":\"$version\"},\"upgradeStrategy\":{\"minimumHealthCapacity\":0.5,\"maximumOverCapacity\":0}}" >/dev/null
    await "version $version is deployed" 20 sim_settled
    await "version $version serves" 10 slots_are backend-api ready 6
done
put_app /api 1
await "scaled down" 10 sim_settled
await "one serves" 10 slots_are backend-api free 11
stop_load api
equal "api: failed requests of $(load_value requests api)" 0 "$(load_value failed api)"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Rolling deploys by readiness checks, against the clock: no task serves before Marathon has said that it is ready, and the median one
# serves within 100 ms of that; the same for a task that becomes ready by its age.
BUILD=$1
here=$(dirname "$0")
. "$here/lib.sh"

count=6
backends="backend-web 30
backend-api 30
backend-old1 4
backend-old2 4
backend-old3 4"
mapping_extra='respect_readiness_checks = true;'
# Results turn good after 500 ms, by the simulator's own timer: nobody tells slotd of that but Marathon's answers.
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 100 --check-ms 10 --ready-ms 500 --record "$work/record"
start_haproxy
resync=1h
start_slotd
await "slotd is in step" 10 status_is_good
put() { curl -sf -X PUT "$marathon/v2/apps$1" -d "$2" >/dev/null; }
# Two at a time, each of which has to be ready before the next.
definition() { echo "{\"upgradeStrategy\":{\"minimumHealthCapacity\":1,\"maximumOverCapacity\":0.34},\"instances\":$count,\"env\":{\"V\":\"$1\"},\"readinessChecks\":[{\"name\":\"main\",\"portName\":\"default\"}]}"; }
# Results are not asked for here: each `told` in the record is an answer to slotd.
deployed() { [ "$(curl -sf "$marathon/v2/apps$1" | python3 -c 'import json,sys; app=json.load(sys.stdin)["app"]; print(len(app["tasks"]), len(app["deployments"]))')" = "$count 0" ]; }

for version in 1 2 3 4; do
    for app in web api; do put "/$app" "$(definition "$version")"; done
    for app in web api; do
        await "$app $version is deployed" 30 deployed "/$app"
        await "all of $app $version serve" 10 slots_are "backend-$app" ready "$count"
    done
    if [ "$version" = 1 ]; then
        for app in web api; do start_load_as "$app" "backend-$app" -r 150 -k 50; done
    fi
done
for app in web api; do
    stop_load "$app"
    equal "failed requests of $(load_value requests "$app") to $app" 0 "$(load_value failed "$app")"
done
ctl -o json events >"$work/events.json"
python3 "$here/ready.py" results "$work/record" "$work/events.json" >"$work/judged"
value() { sed -n "s/^$1 //p" "$work/judged"; }
equal "tasks that were deployed" $((8 * count)) "$(value tasks)"
equal "tasks that served before an answer of Marathon had it" 0 "$(value untold)"
equal "tasks that served before they were ready" 0 "$(value early)"
equal "tasks that were asked before they were ready" 0 "$(value asked)"
equal "tasks that never served" 0 "$(value never)"
# How long a machine with other work takes says nothing about slotd, so that the median is judged.
check "median from the answer to the acknowledgement: $(value median_told) ms" [ "$(value median_told)" -le 100 ]
check "median from the result to the acknowledgement: $(value median_result) ms" [ "$(value median_result)" -le 100 ]

# By age: no check of these ever has a result, timeoutSeconds is 1, and slotd comes later than they do. Each of them serves 6 s behind
# its start, not at the next question: slotd has a timer for that moment.
aged() { echo '{"instances":1,"env":{"SIM_FIRST_CHECK_MS":"-1","SIM_READY_AFTER_MS":"-1"},"readinessChecks":[{"name":"main","portName":"default","timeoutSeconds":1}]}'; }
running() { [ "$(tasks_of "$1" | wc -l)" = 1 ]; }
for app in old1 old2 old3; do
    put "/$app" "$(aged)"
    await "$app runs" 10 running "/$app"
done
stop_slotd
start_slotd
await "connected again" 10 status_says "event stream live"
for app in old1 old2 old3; do await "$app serves" 20 slots_are "backend-$app" ready 1; done
ctl -o json events >"$work/events.json"
curl -sf "$marathon/v2/apps?embed=apps.tasks&id=/old" >"$work/aged.json"
python3 "$here/ready.py" ages "$work/events.json" "$work/aged.json" 6 >"$work/judged"
equal "tasks that are ready by their age" 3 "$(value tasks)"
equal "tasks that served before their time" 0 "$(value early)"
equal "tasks of them that never served" 0 "$(value never)"
check "median from that moment to the acknowledgement: $(value median) ms" [ "$(value median)" -le 100 ]

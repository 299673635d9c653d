#!/bin/sh
# SPDX-License-Identifier: MIT
# 500 tasks are killed, each dies hard 100 ms after TASK_KILLING, under a load of new connections without retries: no request is lost.
BUILD=$1
. "$(dirname "$0")/lib.sh"

kills=${KILLS:-500}
tasks=20
backends="backend-web 60"
# --killed-ms: with TASK_KILLED the task's listener closes and what is open is reset.
start_sim --starting-ms 5 --running-ms 5 --killing-ms 0 --killed-ms 100 --record "$work/record"
start_haproxy
put_app /web "$tasks"
start_slotd
await "slotd is in step" 10 status_is_good
await "all serve" 10 slots_are backend-web ready "$tasks"

# The control: the same kills while slotd stands still, so that nobody drains. This load has to see what dies.
start_load_as control backend-web -r 300 -k 0 -u '/?ms=20'
kill -STOP "$slotd_pid"
for task in $(tasks_of /web | head -n 3); do sim "kill?task=$task"; done
saw_failure() { grep -q "connection, begun at" "$work/control.log"; }
await "a load without draining fails" 10 saw_failure
kill -CONT "$slotd_pid"
await "the cluster settles" 20 sim_settled
await "all serve again" 10 slots_are backend-web ready "$tasks"
stop_load control
check "the control run lost requests" [ "$(load_value failed control)" -gt 0 ]

# The proof. Requests take 20 ms, so that some are open whenever a task is told to go.
lines=$(wc -l <"$work/record")
start_load backend-web -r 300 -k 0 -u '/?ms=20'
python3 - "$marathon" "$kills" "$tasks" <<'PY'
import http.client, json, random, sys, time
base, kills, tasks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(1)
connection = http.client.HTTPConnection(base.split("//")[1])

def call(method, path):
    connection.request(method, path, headers={"Content-Length": "0"})
    return json.loads(connection.getresponse().read())

done = 0
while done < kills:
    running = [t for t in call("GET", "/v2/apps/web")["app"]["tasks"] if t["state"] == "TASK_RUNNING"]
    running.sort(key=lambda task: task["startedAt"])
    # Several at a time, of those that have served for a while, never so many that too few are left to take the load.
    count = max(min(len(running) - tasks // 2, 3, kills - done), 0)
    for task in random.sample(running[:tasks // 2], count):
        call("POST", "/sim/kill?task=" + task["id"])
        done += 1
    time.sleep(0.08)
PY
await "the cluster settles in the end" 20 sim_settled
await "all serve in the end" 10 slots_are backend-web ready "$tasks"
stop_load
tail -n +"$((lines + 1))" "$work/record" >"$work/record.proof"
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

python3 - "$work/record.proof" >"$work/kills" <<'PY'
import sys
killing, killed, last, cut = {}, {}, {}, 0
for line in open(sys.argv[1]):
    at, what, task, *rest = line.split()
    at = int(at)
    if what == "status" and rest[0] == "TASK_KILLING":
        killing[task] = at
    elif what == "status" and rest[0] == "TASK_KILLED":
        killed[task] = at
    elif what == "cut":
        cut += 1
    elif what == "request":
        last[task] = at
print("killing", len(killing))
print("killed", len(killed))
# From the event to the death; the loop may count a little from before the event.
print("early", sum(killed[task] - killing[task] < 90000 for task in killed))
print("cut", cut)
# Tasks that the load did reach just before: had they not been drained, requests would have met a closed port.
print("busy", sum(task in last and last[task] > killing[task] - 500000 for task in killing))
PY
value() { sed -n "s/^$1 //p" "$work/kills"; }
equal "TASK_KILLING events" "$kills" "$(value killing)"
equal "TASK_KILLED events" "$kills" "$(value killed)"
equal "tasks that died early" 0 "$(value early)"
equal "requests that were cut off" 0 "$(value cut)"
check "$(value busy) of $kills were busy when they were told to go" [ "$(value busy)" -ge $((kills * 9 / 10)) ]
check "in step at the end" ctl status

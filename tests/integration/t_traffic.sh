#!/bin/sh
# SPDX-License-Identifier: MIT
# Under a steady load, kept connections and new ones, deploys, scales and kills at random lose no request, with `retries 0`.
BUILD=$1
. "$(dirname "$0")/lib.sh"

rounds=${ROUNDS:-200}
backends="backend-web ${SLOTS:-40}"
# A task serves on for 0.3 s after TASK_KILLING, as recorded; it dies with TASK_KILLED. A kill shows at once: `running` below must not count it.
start_sim --starting-ms 10 --running-ms 10 --killing-ms 0 --killed-ms 300
start_haproxy
put_app /web 4
start_slotd
await "slotd is in step" 10 status_is_good
await "four slots serve" 10 slots_are backend-web ready 4
start_load backend-web -r 400 -k 50

python3 - "$marathon" "$rounds" "${SEED:-1}" <<'PY'
import json, random, sys, time, urllib.request
base, rounds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)

def call(method, path, body=None):
    request = urllib.request.Request(base + path, method=method, data=json.dumps(body).encode() if body is not None else None)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

def running():
    return [t for t in call("GET", "/v2/apps/web")["app"]["tasks"] if t["state"] == "TASK_RUNNING"]

for i in range(rounds):
    kind = random.choice(["scale", "scale", "kill", "kill", "deploy"])
    # One at least has to live: wait for two before the next blow.
    while len(running()) < 2:
        time.sleep(0.01)
    if kind == "scale":
        call("PUT", "/v2/apps/web", {"instances": random.randint(2, 8)})
    elif kind == "kill":
        call("DELETE", "/v2/apps/web/tasks/" + random.choice(running())["id"])
    else:
        call("PUT", "/v2/apps/web", {"labels": {"round": str(i)}})
    time.sleep(random.uniform(0, 0.12))
PY
await "the cluster settles" 30 sim_settled
wanted=$(tasks_of /web | wc -l)
await "every task has its slot" 10 slots_are backend-web ready "$wanted"
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"
check "there was load" [ "$(load_value requests)" -gt 1000 ]
check "in step at the end" ctl status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Weights that an operator asks for: shares that hold whatever the task counts, over restarts and kills, until what they are about ends.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backendshop 20"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /blue 3 '{"traefik.backend":"shop"}'
put_app /green 1 '{"traefik.backend":"shop"}'
start_slotd
await "slotd is in step" 10 status_is_good
await "all serve" 10 slots_are backendshop ready 4
# The part of an app in the weights of its service, in 256ths, as HAProxy itself has them.
share() {
    ctl -o json slots backendshop >"$work/slots.json"
    cli "show servers state backendshop" >"$work/state"
    python3 - "$work/slots.json" "$work/state" "$1" <<'PY'
import json, sys
owner = {s["slot"]: s["task"] for s in json.load(open(sys.argv[1]))["slots"] if s["state"] == "ready"}
weights = {}
for line in open(sys.argv[2]):
    words = line.split()
    if len(words) > 10 and words[3] in owner:
        app = owner[words[3]].split(".")[0]
        weights[app] = weights.get(app, 0) + int(words[7])
print(round(256 * weights.get(sys.argv[3], 0) / sum(weights.values())))
PY
}
share_is() { got=$(share "$1"); [ "$got" -ge $(($2 - 1)) ] && [ "$got" -le $(($2 + 1)) ]; }

equal "no weight yet" "no weight but the labels'" "$(ctl weight)"
check "a share is taken" ctl weight app /green 10%
await "a tenth for green" 10 share_is green 26
equal "it is listed" '/green 10% uid' "$(ctl -o json weight | python3 -c 'import json,sys; w=json.load(sys.stdin)["weights"]; print(*(x["name"]+" "+x["weight"]+" "+x["by"].split()[0] for x in w))')"
put_app /blue 9
await "blue is scaled" 10 slots_are backendshop ready 10
await "still a tenth" 10 share_is green 26
put_app /green 5
await "green is scaled" 10 slots_are backendshop ready 14
await "still a tenth with five" 10 share_is green 26

# Requests follow: of 400 about a tenth, and none fails while the share changes.
start_load backendshop -r 200 -k 50
check "a half" ctl weight app green 50%
await "half for green" 10 share_is green 128
check "all of it" ctl weight app /green 100%
await "everything for green" 10 share_is green 256
check "none of it" ctl weight app /green 0%
await "nothing for green" 10 share_is green 0
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# kill -9 of slotd: it comes back with the order, and sends nothing.
check "a fifth" ctl weight app /green 20%
await "a fifth for green" 10 share_is green 51
kill -9 "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd
await "in step again" 10 status_is_good
check "sync" ctl sync
check "still a fifth" share_is green 51
equal "commands after the restart" 0 "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])')"

check "an absolute one" ctl weight app /green 3
await "three times a blue one: 15 of 24" 10 share_is green 160
equal "services show it" "1 3" "$(ctl -o json services | python3 -c 'import json,sys; print(*sorted({e["weight"] for e in json.load(sys.stdin)["services"][0]["endpoints"]}))')"
task=$(tasks_of /blue | head -n 1)
check "a task's own" ctl weight task "$task" 9
await "15 of 32" 10 share_is green 120
check "and away again" ctl weight task "$task" reset
check "the app's too" ctl weight app /green reset
await "each the same" 10 share_is green 91
equal "none is left" "no weight but the labels'" "$(ctl weight)"
check "nothing to reset is no fault of an app that is there" ctl weight app /green reset

refused() { # TEXT EXIT WANTED ARGUMENT...
    refused_text=$1
    refused_exit=$2
    refused_wanted=$3
    shift 3
    ctl weight "$@" >"$work/out" 2>"$work/err"
    equal "$refused_text: exit code" "$refused_exit" $?
    check "$refused_text: $(cat "$work/err")" grep -q -- "$refused_wanted" "$work/err"
}
refused "an app that is not there" 1 "there is no app /red" app /red 10%
refused "a task that is not there" 1 "there is no task red.1" task red.1 5
refused "nothing to reset" 1 "there is no app /red, and no weight of it to reset" app /red reset
refused "nor of a task" 1 "there is no task red.1, and no weight of it to reset" task red.1 reset
refused "a share of a task" 1 "" task "$task" 5%
refused "above 100%" 1 "100" app /green 101%
refused "no number" 1 "" app /green many
refused "a host" 2 "needs app ID or task ID" host node1 3
refused "too few words" 2 "needs app ID or task ID" app /green

# The recipe of doc/operating.md: a new app beside the old one takes nothing by itself, then what it is given.
put_app /next 2 '{"traefik.backend":"shop","traefik.weight":"0"}'
all_ready=$(($(tasks_of /blue | wc -l) + $(tasks_of /green | wc -l) + 2))
await "the next one has its slots" 10 slots_are backendshop ready "$all_ready"
check "and takes nothing" share_is next 0
check "a quarter" ctl weight app /next 25%
await "a quarter for it" 10 share_is next 64
curl -sf -X DELETE "$marathon/v2/apps/next" >/dev/null
await "it is gone" 10 slots_are backendshop ready $((all_ready - 2))

# An order ends with what it is about.
check "taken" ctl weight app /green 10%
check "a task's taken" ctl weight task "$task" 4
sim "fail?task=$task"
listed() { [ "$(ctl -o json weight | grep -c '"name"')" = "$1" ]; }
await "the task's ends with it" 10 listed 1
curl -sf -X DELETE "$marathon/v2/apps/green" >/dev/null
await "the app's too" 10 listed 0

# A folder that takes nothing: the order is in force, and it is said that it would not survive.
rm -f "$work/orders.json"
mkdir "$work/orders.json"
ctl weight app /blue 7 >"$work/out" 2>"$work/err"
equal "exit code when it is not kept" 1 $?
check "it is said" grep -q "in force, but would not survive" "$work/err"
check "status says it" status_says "what operators asked for is not kept"
rmdir "$work/orders.json"
check "the next one is kept" ctl weight app /blue 6
await "in step at the end" 10 status_is_good

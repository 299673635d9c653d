#!/bin/sh
# SPDX-License-Identifier: MIT
# How long orders live: doubt about Marathon's answers keeps them, the end of what they are about ends them, also while slotd is away; a
# damaged file of theirs is told.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 12
backend-api 12
backend-gone 4"
resync=1s
start_sim --host 127.0.0.1,127.0.0.2 --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 12
put_app /api 4
put_app /gone 1
put_app /idle 0
start_slotd
await "slotd is in step" 10 status_is_good
await "all of web serve" 10 slots_are backend-web ready 12
await "all of api serve" 10 slots_are backend-api ready 4
orders() { { ctl -o json drains; ctl -o json weight; } | python3 -c '
import json, sys
text, found = sys.stdin.read(), []
while text.strip():
    document, end = json.JSONDecoder().raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    for kind in ("drains", "weights"):
        found += ["%s %s %s" % (kind[:-1], o["target"], o["name"]) for o in document.get(kind, [])]
print(*sorted(found), sep=", ")'; }
orders_are() { [ "$(orders)" = "$1" ]; }
answers() { curl -s "$marathon/v2/apps?embed=apps.tasks" | python3 -c "
import json, sys
apps = json.load(sys.stdin)['apps']
json.dump({'apps': [app for app in apps if app['id'] in sys.argv[1:]]}, sys.stdout)" "$@" >"$work/answer.json"; }
answer_with() { # APP...: what /v2/apps lists from now on
    answers "$@"
    curl -sf -X POST --data-binary @"$work/answer.json" "$marathon/sim/apps" >/dev/null
}
answer_all() { curl -sf -X POST "$marathon/sim/apps" >/dev/null; }
fetches() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["fetches"])'; }
fetches_are_past() { [ "$(fetches)" -gt "$1" ]; }
more_answers() { # TEXT COUNT
    more_before=$(fetches)
    await "$1" 30 fetches_are_past $((more_before + $2))
}

set -- $(tasks_of /web | sort)
kept=$1
ended=$2
check "a drain of a task" ctl drain task "$kept" --wait
check "of another one" ctl drain task "$ended" --wait
check "of an app" ctl drain app /api --wait
check "a weight of an app" ctl weight app /web 3
check "and of one without a task" ctl weight app /idle 7
all="drain app /api, drain task $kept, drain task $ended, weight app /idle, weight app /web"
equal "they are in force" "$all" "$(orders)"

# Doubt: the guard holds what half of an answer lacks, an empty one is never believed, and orders hold as what they are about does.
answer_with /gone
await "the guard holds it" 15 status_says "the guard holds the removal of 16 endpoints"
more_answers "the same is answered again" 3
equal "half of an answer ends no order" "$all" "$(orders)"
answer_with
more_answers "nothing at all is listed" 3
equal "an empty answer ends none" "$all" "$(orders)"
answer_all
await "in step again" 15 status_is_good
equal "all are in force still" "$all" "$(orders)"

# The same at a start of slotd, which knows nothing of what is not listed, but that HAProxy serves some of it.
stop_slotd
answer_with /gone
start_slotd
await "the guard holds it at the start" 15 status_says "the guard holds the removal of"
more_answers "it is answered again" 3
equal "half of the first answer ends no order" "$all" "$(orders)"
answer_all
await "in step once more" 15 status_is_good
equal "all are in force as before" "$all" "$(orders)"

# What ends while slotd is away ends its orders, when as many answers as it takes lack it.
stop_slotd
sim "fail?task=$ended"
curl -sf -X DELETE "$marathon/v2/apps/idle" >/dev/null
await "the cluster settles" 20 sim_settled
start_slotd
await "what is gone has no order any more" 15 orders_are "drain app /api, drain task $kept, weight app /web"
check "which is logged" grep -q "the drain of task $ended ends" "$work/slotd.log"
check "the file has it" sh -c "! grep -q '$ended' '$work/orders.json'"

# A task that answers lack without an event that told its end.
check "a drain of one that vanishes" ctl drain app /gone --wait
check "and a weight" ctl weight task "$(tasks_of /gone)" 5
answer_with /web /api
await "it ends when that is confirmed" 15 orders_are "drain app /api, drain task $kept, weight app /web"
answer_all
await "it is back without them" 15 slots_are backend-gone ready 1

# What slotd does not know yet may serve: at a start nothing is called drained until Marathon has answered and HAProxy was read.
serving() { cli "show servers state" | awk '$6 == 2 && $7 == 4 && $5 == "127.0.0.1"' | wc -l; }
stop_slotd
check "tasks on the host serve" [ "$(serving)" -gt 0 ]
kill -STOP "$sim_pid"
start_slotd
await "HAProxy is connected" 10 status_says "connected, version"
ctl drain host 127.0.0.1 --wait --timeout 200ms >"$work/out" 2>"$work/err"
equal "a wait for a drain without Marathon" 1 $?
check "it says where to look, and not that nothing runs there: $(cat "$work/err")" sh -c "
    grep -q 'slotctl status says what keeps slotd from it' '$work/err' && ! grep -q 'no task' '$work/err'"
kill -CONT "$sim_pid"
check "it is drained once Marathon has answered" ctl drain host 127.0.0.1 --timeout 30s --wait
equal "nobody serves there" 0 "$(serving)"
check "undrain of the host" ctl undrain host 127.0.0.1
await "all of web serve but the one" 10 slots_are backend-web ready 11
stop_slotd
worker=$(cli "show info" | sed -n 's/^Pid: //p')
kill -STOP "$worker"
start_slotd
await "Marathon is connected" 10 status_says "event stream live"
known() { ctl services | grep -q '^backend-web'; }
await "and has answered" 10 known
ctl drain host 127.0.0.1 --wait --timeout 200ms >"$work/out" 2>"$work/err"
equal "a wait for a drain without HAProxy" 1 $?
kill -CONT "$worker"
check "it is drained once HAProxy was read" ctl drain host 127.0.0.1 --timeout 30s --wait
equal "nobody serves there any more" 0 "$(serving)"
check "undrain of the host again" ctl undrain host 127.0.0.1
await "all of web serve but the one again" 10 slots_are backend-web ready 11

# A damaged file is set aside, and status tells it, which is no reason to be degraded.
stop_slotd
echo '{"slotd_orders":1,' >"$work/orders.json"
start_slotd
await "in step without its orders" 15 status_is_good
await "all of web serves, since nobody's word is known" 10 slots_are backend-web ready 12
check "status tells it" status_says "$work/orders.json is damaged .*drains and weights from before are not in force"
equal "among the warnings" "1 False" "$(ctl -o json status | python3 -c 'import json,sys; s=json.load(sys.stdin); print(len(s["warnings"]), s["degraded"])')"
equal "it is kept for whoever wants it" '{"slotd_orders":1,' "$(cat "$work"/orders.json.damaged-*)"
check "a weight is taken" ctl weight app /web 4
stop_slotd
start_slotd
await "in step with the new file" 15 status_is_good
equal "what was asked for since is in force" "weight app /web" "$(orders)"
equal "no warning is left" "[]" "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["warnings"])')"

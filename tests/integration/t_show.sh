#!/bin/sh
# SPDX-License-Identifier: MIT
# What slotctl shows of services that apps share, of backends that are full or missing, and of changes.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backendshared 2
backend-web 3"
start_sim --starting-ms 10 --running-ms 10
start_haproxy
put_app /blue 2 '{"traefik.backend":"shared"}'
put_app /green 2 '{"traefik.backend":"shared","traefik.weight":"x"}'
put_app /nowhere1 1 '{"traefik.backend":"nowhere"}'
put_app /nowhere2 1 '{"traefik.backend":"nowhere"}'
put_app /web 2 '{"traefik.api.portIndex":"0","traefik.api.backend":"-web"}'
start_slotd
await "two slots serve" 10 slots_are backendshared ready 2
await "and two more" 10 slots_are backend-web ready 2
check "sync" ctl sync

# problems NAME...: lines "APP CODE TASK-OF-THAT-APP" of what `services NAME...` reports
problems() {
    ctl -o json services "$@" | python3 -c '
import json, sys
for problem in json.load(sys.stdin)["problems"]:
    task = problem["task"]
    print(problem["app"], problem["code"], task is None or task.startswith(problem["app"][1:] + "."))'
}
equal "a problem is that of its own app" "/green weight-invalid True
/nowhere1 backend-missing True
/nowhere2 backend-missing True
/green backend-full True
/green backend-full True" "$(problems)"
equal "with names, the problems of their apps" "/green weight-invalid True
/green backend-full True
/green backend-full True" "$(problems /blue)"
equal "a backend is a name too" "/nowhere1 backend-missing True
/nowhere2 backend-missing True" "$(problems backendnowhere)"
equal "nobody's problems for a name that nobody has" "" "$(problems nobody 2>/dev/null)"

# A name that nobody has is told, beside what the others give.
unknown() { # TEXT STDOUT-PATTERN STDERR ARGUMENT...
    unknown_text=$1
    unknown_out=$2
    unknown_err=$3
    shift 3
    ctl "$@" >"$work/out" 2>"$work/err"
    equal "$unknown_text: exit code" 1 $?
    equal "$unknown_text: stderr" "$unknown_err" "$(cat "$work/err")"
    if [ -n "$unknown_out" ]; then
        check "$unknown_text: stdout" grep -q -- "$unknown_out" "$work/out"
    else
        equal "$unknown_text: stdout" "" "$(cat "$work/out")"
    fi
}
unknown "no service" "" "slotctl: no service nobody" services nobody
unknown "one of two services" '^backend-web ' "slotctl: no service nobody" services nobody /web
unknown "two" "" "slotctl: no service nobody
slotctl: no service /none" services nobody /none
unknown "no service for programs" '"services"' "slotctl: no service nobody" -o json services nobody
equal "which get a whole document" "[] False" "$(python3 -c 'import json,sys; d = json.load(sys.stdin); print(d["services"], "unknown" in d)' <"$work/out")"
unknown "no backend" "" "slotctl: no backend nobody" slots nobody
unknown "one of two backends" '^edge  *backend-web ' "slotctl: no backend backend-we" slots backend-web backend-we
unknown "no backend for programs" '"slots"' "slotctl: no backend nobody" -o json slots nobody
equal "which get a whole document" "[] False" "$(python3 -c 'import json,sys; d = json.load(sys.stdin); print(d["slots"], "unknown" in d)' <"$work/out")"
check "a service" ctl services backend-web
check "a backend" ctl slots backend-web
check "a service whose backend is missing" ctl services backendnowhere
put_app /broken 1 '{"traefik.port":"x"}'
broken_is_told() { [ -n "$(problems /broken)" ]; }
await "an app that has problems" 10 broken_is_told
check "is known by its id" ctl services /broken
put_app /hidden 1 '{"traefik.enable":"false"}'
check "a complete answer" ctl sync
unknown "an app that is not exposed" "" "slotctl: no service /hidden" services /hidden

# Changes name the task and its segment, as slots do.
check "events name tasks and segments" sh -c "$BUILD/slotctl -s $work/slotd.sock -o json events | python3 -c '
import json, sys
events = json.load(sys.stdin)[\"events\"]
assert len(events) >= 4 and all(event[\"task\"].strip() == event[\"task\"] for event in events), events
assert {(event[\"task\"].split(\".\")[0], event[\"segment\"]) for event in events} == {(\"blue\", \"\"), (\"web\", \"api\")}, events'"
check "in text too" sh -c "$BUILD/slotctl -s $work/slotd.sock events | grep -q 'ms  web[.][^ ]* segment api$'"

check "status names the capabilities" sh -c "$BUILD/slotctl -s $work/slotd.sock status | grep -q '^ *capabilities: '"
check "status counts" sh -c "$BUILD/slotctl -s $work/slotd.sock status | grep -q '^counts    7 apps, [0-9]* tasks running, [0-9]* services, [0-9]* problems of labels'"
check "status shows the guard" sh -c "$BUILD/slotctl -s $work/slotd.sock status | grep -q '^guard     holds 0 endpoints, at most 50 %'"

# What slotctl says when it is called wrongly: the program's name first, and what would be right.
usage_says() { # WANTED ARGUMENT...
    usage_wanted=$1
    shift
    ctl "$@" >"$work/out" 2>"$work/err"
    equal "slotctl $*: exit code" 2 $?
    equal "slotctl $*" "$usage_wanted" "$(cat "$work/err")"
}
usage_says "slotctl: \`s\` may be status or services or slots or sync" s
usage_says "slotctl: there is no command \`rouse\`; \`slotctl help\` lists them" rouse
usage_says "slotctl: status: takes no argument, not x
usage: slotctl status" status x
usage_says "slotctl: invalid option -- 'x'
\`slotctl help\` lists options and commands" -x
equal "--help behind a command" "usage: slotctl events [-f]" "$(ctl events --help | head -n 1)"
ctl status >&- 2>"$work/err"
equal "without standard output: exit code" 1 $?
equal "without standard output" "slotctl: standard output: Bad file descriptor" "$(cat "$work/err")"

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
equal "nobody's problems for a name that nobody has" "" "$(problems nobody)"

# Changes name the task and its segment, as slots do.
check "events name tasks and segments" sh -c "$BUILD/slotctl -s $work/slotd.sock -o json events | python3 -c '
import json, sys
events = json.load(sys.stdin)[\"events\"]
assert len(events) >= 4 and all(event[\"task\"].strip() == event[\"task\"] for event in events), events
assert {(event[\"task\"].split(\".\")[0], event[\"segment\"]) for event in events} == {(\"blue\", \"\"), (\"web\", \"api\")}, events'"
check "in text too" sh -c "$BUILD/slotctl -s $work/slotd.sock events | grep -q 'ms  web[.][^ ]* segment api$'"

check "status names the capabilities" sh -c "$BUILD/slotctl -s $work/slotd.sock status | grep -q '^ *capabilities: '"
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
usage_says "slotctl: there is no command \`rout\`; \`slotctl help\` lists them" rout
usage_says "slotctl: status: takes no argument, not x
usage: slotctl status" status x
usage_says "slotctl: invalid option -- 'x'
\`slotctl help\` lists options and commands" -x
equal "--help behind a command" "usage: slotctl events [-f]" "$(ctl events --help | head -n 1)"
ctl status >&- 2>"$work/err"
equal "without standard output: exit code" 1 $?
equal "without standard output" "slotctl: standard output: Bad file descriptor" "$(cat "$work/err")"

#!/bin/sh
# SPDX-License-Identifier: MIT
# From an app to a served request, a restart that sends nothing, and what slotctl answers.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 10
backend-api 5"
start_sim --starting-ms 20 --running-ms 30
start_haproxy
put_app /web 3
put_app /api 2
start_slotd
await "slotd is in step" 10 status_is_good
await "three slots serve web" 10 slots_are backend-web ready 3
await "two slots serve api" 10 slots_are backend-api ready 2
check "a request is answered" sh -c "curl -sf -H 'Host: backend-web' http://127.0.0.1:$edge_port/ | grep -q web"

put_app /web 6
await "scaled up" 10 slots_are backend-web ready 6
put_app /web 2
await "scaled down" 10 slots_are backend-web ready 2
await "the others are free" 10 slots_are backend-web free 8

# Sessions are HAProxy's own count at the moment of the question.
sessions_are() {
    [ "$(ctl -o json slots "$1" | python3 -c 'import json,sys; print(sum(slot["sessions"] for slot in json.load(sys.stdin)["slots"]))')" = "$2" ]
}
await "no session is open" 10 sessions_are backend-web 0
curl -s -o /dev/null -H 'Host: backend-web' "http://127.0.0.1:$edge_port/?ms=1000" &
curl_pid=$!
await "one session is shown" 10 sessions_are backend-web 1
equal "not with another backend" "" "$(sessions_are backend-api 0 || echo sessions)"
wait "$curl_pid"
await "and gone when it ended" 10 sessions_are backend-web 0
equal "slots of all backends" 15 "$(ctl -o json slots | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["slots"]))')"
equal "slots of a backend that is not there" '{"slots":[]}' "$(ctl -o json slots nowhere 2>"$work/err" | tr -d ' \n')"

equal "nothing is planned in step" "edge: nothing to do" "$(ctl plan)"
check "sync" ctl sync
ctl -o json services backend-web >"$work/services.json"
check "services as JSON" python3 - "$work/services.json" <<'PY'
import json, sys
document = json.load(open(sys.argv[1]))
(service,) = document["services"]
assert service["backend"] == "backend-web" and service["apps"] == ["/web"] and service["rule"] == "Host:web.test", service
assert len(service["endpoints"]) == 2
for endpoint in service["endpoints"]:
    assert endpoint["slot"] and endpoint["address"] == "127.0.0.1" and endpoint["phase"] == "ready", endpoint
PY

# A restart with nothing changed sends not one changing command: slotd's own count and HAProxy's row stay the same.
servers >"$work/before"
stop_slotd
start_slotd
await "in step again" 10 status_is_good
check "sync after the restart" ctl sync
commands=$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])')
equal "commands after a restart" 0 "$commands"
servers >"$work/after"
equal "HAProxy's servers after a restart" "" "$(diff "$work/before" "$work/after")"

for form in "-o json" -ojson "--output json" --output=json; do
    # shellcheck disable=SC2086
    for call in "status $form" "$form status"; do
        "$BUILD/slotctl" -s "$work/slotd.sock" $call >"$work/status.json"
        check "slotctl $call" python3 -m json.tool "$work/status.json" "$work/pretty"
    done
done
check "-s may stand behind the command" "$BUILD/slotctl" plan "-s$work/slotd.sock"
check "--socket too" "$BUILD/slotctl" plan "--socket=$work/slotd.sock"
ctl status -o 2>"$work/err"
equal "exit code of a value that is missing" 2 $?
ctl status --outputs=json 2>"$work/err"
equal "exit code of an unknown option" 2 $?
ctl status -o yaml 2>"$work/err"
equal "exit code of an unknown form" 2 $?
ctl plan extra 2>"$work/err"
equal "exit code of an argument too many" 2 $?
ctl nonsense 2>"$work/err"
equal "exit code of an unknown command" 2 $?
"$BUILD/slotctl" -s "$work/nowhere.sock" status 2>"$work/err"
equal "exit code without slotd" 3 $?
curl -sf "$marathon/v2/apps?embed=apps.tasks" >"$work/apps.json"
for form in text json; do
    "$BUILD/slotctl" -o "$form" map "$work/apps.json" >/dev/full 2>"$work/err"
    equal "exit code when the answer as $form cannot be written" 1 $?
    equal "and why" "slotctl: standard output: No space left on device" "$(cat "$work/err")"
done
ctl status >/dev/full 2>"$work/err"
equal "exit code when slotd's answer cannot be written" 1 $?

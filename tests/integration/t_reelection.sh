#!/bin/sh
# SPDX-License-Identifier: MIT
# Re-elections change nothing in HAProxy: the stream ends, the leader's port is closed, the standby knows no leader, and the new one has
# forgotten all results of health and readiness checks, in the middle of a deployment and of an operator's drain.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 8
backend-api 8
backend-roll 8"
resync=1s
mapping_extra='respect_readiness_checks = true;'
# Results of checks come by this test's word alone, so that answers without them last as long as it wants.
start_sim --second 127.0.0.1:0 --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20 --healthy-ms -1 --check-ms -1
first=$marathon
second=$(sed -n 's/^second on //p' "$work/sim.out")
endpoints="\"$first\", \"$second\""
start_haproxy
start_slotd
put() { curl -sf -X PUT "$marathon/v2/apps$1" -d "$2" >/dev/null; }
app() { curl -sf "$marathon/v2/apps$1?embed=app.readiness" | python3 -c "import json,sys; app=json.load(sys.stdin)['app']; tasks=app['tasks']; print($2)"; }
app_is() { [ "$(app "$1" "$2")" = "$3" ]; }
results="sorted(r['ready'] for r in app['readinessCheckResults'])"
heal() { for task in $(tasks_of "$1"); do sim "health?task=$task&alive=true"; done; }
check_ready() { # TASK true|false
    sim "ready?task=$1&ready=$2"
}
put /web '{"instances":4,"healthChecks":[{"path":"/","protocol":"HTTP"}]}'
put /api '{"instances":3,"healthChecks":[{"path":"/","protocol":"MESOS_HTTP"}]}'
roll() { echo "{\"instances\":2,\"env\":{\"V\":\"$1\"},\"readinessChecks\":[{\"name\":\"main\",\"portName\":\"default\"}]}"; }
put /roll "$(roll 1)"
for app in web api roll; do await "$app runs" 10 app_is "/$app" "len([t for t in tasks if t['state'] == 'TASK_RUNNING']) == app['instances']" True; done
heal /web
heal /api
equal "web is healthy" 4 "$(app /web "app['tasksHealthy']")"
equal "api is healthy" 3 "$(app /api "app['tasksHealthy']")"
for task in $(tasks_of /roll); do check_ready "$task" true; done
await "roll is deployed" 10 app_is /roll "app['deployments']" "[]"

# A deployment that has come half way: an old task, a new one that is ready, and a new one that is not.
put /roll "$(roll 2)"
await "the new ones run" 10 app_is /roll "len([t for t in tasks if t['state'] == 'TASK_RUNNING'])" 4
set -- $(app /roll "*[t['id'] for t in tasks if t['version'] == app['version']]")
ready=$1
unready=$2
check_ready "$unready" false
check_ready "$ready" true
await "one old task is gone" 10 app_is /roll "len(tasks), len(app['deployments'])" "3 1"
await "web serves" 10 slots_are backend-web ready 4
await "api serves" 10 slots_are backend-api ready 3
await "two of roll serve" 10 slots_are backend-roll ready 2
check "a drain of an operator" ctl drain task "$(tasks_of /web | head -n 1)" --wait
check "in step" ctl sync
await "in step and quiet" 10 status_is_good

for app in web api roll; do start_load_as "$app" "backend-$app" -r 60 -k 50; done
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
changes() { ctl -o json events | python3 -c 'import json,sys; print(json.load(sys.stdin)["next"])'; }
servers_before=$(servers)
commands_before=$(commands)
changes_before=$(changes)
unchanged() { # WHEN
    equal "commands $1" "$commands_before" "$(commands)"
    equal "changes $1" "$changes_before" "$(changes)"
    equal "servers $1" "$servers_before" "$(servers)"
}
led_by() { ctl -o json status | python3 -c "
import json, sys
marathon = json.load(sys.stdin)['marathon']
sys.exit(not (marathon['live'] and marathon['leader'] == '$1'))"; }

for round in 1 2 3 4; do
    old=$marathon
    if [ "$old" = "$first" ]; then new=$second; else new=$first; fi
    marathon=$new
    sim 'elect?gap_ms=600'
    await "the stream is lost, round $round" 10 status_says "is not live"
    unchanged "without a leader, round $round"
    await "the new leader is followed, round $round" 30 led_by "$new"
    check "synchronous, round $round" ctl sync
    equal "no health is known, round $round" "0 0" "$(app /web "app['tasksHealthy'], app['tasksUnhealthy']")"
    equal "what Mesos checks is, round $round" 3 "$(app /api "app['tasksHealthy']")"
    equal "no readiness is known, round $round" "1 []" "$(app /roll "len(app['deployments']), app['readinessCheckResults']")"
    unchanged "with all results unknown, round $round"
    heal /web
    check_ready "$unready" false
    check_ready "$ready" true
    equal "health is known again, round $round" 4 "$(app /web "app['tasksHealthy']")"
    equal "readiness too, round $round" "[False, True]" "$(app /roll "$results")"
    check "synchronous again, round $round" ctl sync
    unchanged "in the end, round $round"
    await "in step, round $round" 10 status_is_good
done
for app in web api roll; do
    stop_load "$app"
    equal "failed requests of $(load_value requests "$app") to $app" 0 "$(load_value failed "$app")"
done

# The deployment goes on under the last leader, and slotd with it.
check_ready "$unready" true
await "deployed" 10 app_is /roll "app['deployments'], len(tasks)" "[] 2"
served() { ctl -o json slots backend-roll | python3 -c 'import json,sys; print(*sorted(s["task"] for s in json.load(sys.stdin)["slots"] if s["state"] == "ready"))'; }
served_are() { [ "$(served)" = "$1" ]; }
await "the new ones serve" 10 served_are "$(printf '%s\n%s\n' "$ready" "$unready" | sort | paste -s -d ' ')"

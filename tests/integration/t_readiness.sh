#!/bin/sh
# SPDX-License-Identifier: MIT
# Readiness checks: no task serves before it is ready, none waits longer than slotd could know, and age counts at its moment.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 12"
mapping_extra='respect_readiness_checks = true;'
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 100 --check-ms 10
start_haproxy
# A complete answer comes only at the start: all that follows is by events and by answers for the app alone.
resync=1h
start_slotd
await "slotd is in step" 10 status_is_good
app() { curl -sf "$marathon/v2/apps/web?embed=app.readiness" | python3 -c "import json,sys; app=json.load(sys.stdin)['app']; print($1)"; }
app_is() { [ "$(app "$1")" = "$2" ]; }
put() { curl -sf -X PUT "$marathon/v2/apps/web" -d "$1" >/dev/null; }
definition() { echo "{\"instances\":$1,\"env\":{\"V\":\"$2\"},\"readinessChecks\":[{\"name\":\"main\",\"portName\":\"default\",\"timeoutSeconds\":$3}]}"; }
ready() { sim "ready?task=$1&ready=true"; }
served() { ctl -o json slots backend-web | python3 -c 'import json,sys; print(*sorted(s["task"] for s in json.load(sys.stdin)["slots"] if s["state"] == "ready"))'; }
served_are() { [ "$(served)" = "$1" ]; }

# The first deployment: each task serves when its result says so, the others do not.
put "$(definition 3 1 10)"
await "three run and are checked" 10 app_is "sum(not r['ready'] for r in app['readinessCheckResults'])" 3
set -- $(app "*sorted(t['id'] for t in app['tasks'])")
check "slotd knows them" ctl sync
equal "none serves" "" "$(served)"
ready "$1"
await "the ready one serves" 5 served_are "$1"
ready "$2"
ready "$3"
await "all serve" 5 served_are "$1 $2 $3"
await "deployed" 5 app_is "app['deployments']" "[]"
olds="$1 $2 $3"

# A rolling deploy under load: old tasks serve until new ones are ready.
start_load backend-web -r 200 -k 50
put "$(definition 3 2 10)"
await "the new ones are checked" 10 app_is "len(app['readinessCheckResults']) > 0" True
for round in 1 2 3 4 5 6; do
    pending=$(app "*[r['taskId'] for r in app['readinessCheckResults'] if not r['ready']]")
    for task in $pending; do
        served | grep -q "$task" && fail "$task serves and is not ready"
        ready "$task"
        await "$task serves" 5 sh -c "$BUILD/slotctl -s $work/slotd.sock -o json slots backend-web | grep -A2 -B12 '$task' | grep -q '\"ready\"'"
    done
    app_is "app['deployments']" "[]" && break
    sleep 0.2
done
await "deployed again" 10 app_is "app['deployments']" "[]"
await "the old ones are gone" 5 app_is "len(app['tasks'])" 3
set -- $(app "*sorted(t['id'] for t in app['tasks'])")
await "just the new ones serve" 5 served_are "$1 $2 $3"
for old in $olds; do
    case " $* " in *" $old "*) fail "$old is still there" ;; esac
done
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# Scaling up is a deployment too: tasks of before it never get a result, and serve on.
put '{"instances":4}'
await "the fourth is checked" 10 app_is "sum(not r['ready'] for r in app['readinessCheckResults'])" 1
check "the first three serve on" served_are "$1 $2 $3"
# slotd starts anew meanwhile: the fourth has a result, which is bad; the others have none and are old enough by their age alone.
stop_slotd
ctl_plan_is_empty() { [ "$(ctl plan)" = "edge: nothing to do" ]; }
sed -i 's/resync_interval = "1h"/resync_interval = "30m"/' "$work/slotd.conf"
start_slotd
await "connected again" 10 status_says "event stream live"
check "synchronous" ctl sync
fourth=$(app "*[r['taskId'] for r in app['readinessCheckResults']]")
equal "the fourth does not serve" "" "$(served | tr ' ' '\n' | grep -F "$fourth")"
ready "$fourth"
await "all four serve" 20 served_are "$(echo "$* $fourth" | tr ' ' '\n' | sort | paste -s -d ' ')"

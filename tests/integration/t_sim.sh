#!/bin/sh
# SPDX-License-Identifier: MIT
# The simulator itself: readiness and health by hand, each network mode through slotd and HAProxy, kills, agents cut off, locks, its speed.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-host 5
backend-bridge 5
backend-own 5"
start_sim --host 127.0.0.1,127.0.0.2 --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20 --check-ms 10
start_haproxy
start_slotd
app() { curl -sf "$marathon/v2/apps$1?embed=app.readiness" | python3 -c "import json,sys; app=json.load(sys.stdin)['app']; tasks=app['tasks']; print($2)"; }
app_is() { [ "$(app "$1" "$2")" = "$3" ]; }
post() { curl -sf -X POST "$marathon/v2/apps" -d "$1" >/dev/null; }
put() { curl -sf -X PUT "$marathon/v2/apps$1" -d "$2" >/dev/null; }

# Every network mode: a task's own server answers where slotd finds it.
post '{"id":"/host","cmd":"x","instances":2,"portDefinitions":[{"port":0,"name":"a"},{"port":0,"name":"b"}],"labels":{"traefik.portIndex":"1"}}'
post '{"id":"/bridge","instances":2,"networks":[{"mode":"container/bridge"}],"container":{"docker":{"image":"x"},"portMappings":[{"containerPort":80},{"containerPort":81}]}}'
post '{"id":"/own","instances":2,"networks":[{"mode":"container","name":"dcos"}],"container":{"type":"MESOS","docker":{"image":"x"},"portMappings":[{"containerPort":8080},{"containerPort":9000,"hostPort":0}]}}'
await "all run" 10 sim_settled
for name in host bridge own; do
    await "$name is ready" 10 slots_are "backend-$name" ready 2
    for try in 1 2 3; do
        check "$name answers" sh -c "curl -sf -H 'Host: backend-$name' http://127.0.0.1:$edge_port/ | grep -q '^$name\\.instance'"
    done
done
equal "host: a port for each definition" 2 "$(app /host "len(tasks[0]['ports'])")"
equal "own: ports only of mappings with a hostPort" 1 "$(app /own "len(tasks[0]['ports'])")"
equal "two agents" 2 "$(app /host "len({t['slaveId'] for t in tasks})")"

# A kill is a relaunch of the same instance, a wipe another instance.
victim=$(app /bridge "tasks[0]['id']")
check "kill" curl -sf -o "$work/killed" -X DELETE "$marathon/v2/apps/bridge/tasks/$victim"
await "the same instance again" 10 app_is /bridge "any(t['id'] == '${victim%.1}.2' and t['state'] == 'TASK_RUNNING' for t in tasks)" True
check "wipe" curl -sf -o "$work/wiped" -X DELETE "$marathon/v2/apps/bridge/tasks/${victim%.1}.2?wipe=true"
equal "wiped is gone at once" False "$(app /bridge "any(t['id'].startswith('${victim%._app.1}') for t in tasks)")"
await "another instance" 10 app_is /bridge "len([t for t in tasks if t['state'] == 'TASK_RUNNING'])" 2

# Readiness: no result before the first check, old tasks stay until the new ones are ready, results end with the deployment.
ready_app() { echo "{\"id\":\"/ready\",\"cmd\":\"x\",\"instances\":2,\"env\":{\"V\":\"$1\"},\"readinessChecks\":[{\"name\":\"main\",\"portName\":\"default\"}]}"; }
post "$(ready_app 1)"
await "both are checked, neither is ready" 10 app_is /ready "[r['ready'] for r in app['readinessCheckResults']]" "[False, False]"
equal "the deployment waits" 1 "$(app /ready "len(app['deployments'])")"
for task in $(app /ready "*[t['id'] for t in tasks]"); do sim "ready?task=$task&ready=true"; done
await "deployed" 10 app_is /ready "app['deployments'], app['readinessCheckResults']" "[] []"
olds=$(app /ready "*sorted(t['id'] for t in tasks)")
put /ready "$(ready_app 2)"
await "the new ones run" 10 app_is /ready "len([t for t in tasks if t['state'] == 'TASK_RUNNING'])" 4
await "and are checked" 10 app_is /ready "len(app['readinessCheckResults'])" 2
news=$(app /ready "*[r['taskId'] for r in app['readinessCheckResults']]")
for old in $olds; do
    case " $news " in *" $old "*) fail "an old task is checked" ;; *) pass ;; esac
done
set -- $news
sim "ready?task=$1&ready=true"
await "one ready, one old gone" 10 app_is /ready "len(tasks)" 3
equal "the ready one stays listed" "[False, True]" "$(app /ready "sorted(r['ready'] for r in app['readinessCheckResults'])")"
sim "ready?task=$2&ready=true"
await "deployed again" 10 app_is /ready "app['deployments'], len(tasks)" "[] 2"

# Health, by hand.
put /host '{"healthChecks":[{"path":"/","protocol":"HTTP"}]}'
await "healthy" 10 app_is /host "app['tasksHealthy'], app['deployments']" "2 []"
ill=$(app /host "tasks[0]['id']")
first=$(app /host "tasks[0]['healthCheckResults'][0]['lastSuccess']")
check "its last success moves" [ "$first" != "$(app /host "tasks[0]['healthCheckResults'][0]['lastSuccess']")" ]
sim "health?task=$ill&alive=false"
equal "one is ill" "1 1" "$(app /host "app['tasksHealthy'], app['tasksUnhealthy']")"
sim "health?task=$ill&alive=false&kill=true"
await "it is killed for that, and relaunched" 10 app_is /host "app['tasksHealthy']" 2

# Agents that are cut off: by the default strategy a task is replaced at once; with patience it comes back as it was.
lost=$(app /own "tasks[0]['id']")
sim "unreachable?task=$lost"
equal "gone at once" False "$(app /own "any(t['id'] == '$lost' for t in tasks)")"
await "replaced" 10 app_is /own "len([t for t in tasks if t['state'] == 'TASK_RUNNING'])" 2
sim "reachable?task=$lost"
put /own '{"unreachableStrategy":{"inactiveAfterSeconds":300,"expungeAfterSeconds":600}}'
await "rolled" 10 sim_settled
lost=$(app /own "tasks[0]['id']")
sim "unreachable?task=$lost"
equal "listed as unreachable" True "$(app /own "any(t['id'] == '$lost' and t['state'] == 'TASK_UNREACHABLE' for t in tasks)")"
sim "reachable?task=$lost"
equal "back" True "$(app /own "any(t['id'] == '$lost' and t['state'] == 'TASK_RUNNING' for t in tasks)")"
await "slotd is in step" 10 status_is_good
kill "$sim_pid" && wait "$sim_pid"
stop_slotd

# Locks, as a real Marathon has them; and its speed: 1000 apps with 10 tasks each.
rm -f "$work/sim.out"
sim_port=0
start_sim --locks --starting-ms 300 --running-ms 10
post '{"id":"/locked","cmd":"x"}'
equal "a change meanwhile" 409 "$(curl -s -o "$work/locked" -w '%{http_code}' -X PUT "$marathon/v2/apps/locked" -d '{"instances":2}')"
equal "by force" 200 "$(curl -s -o "$work/forced" -w '%{http_code}' -X PUT "$marathon/v2/apps/locked?force=true" -d '{"instances":2}')"
kill "$sim_pid" && wait "$sim_pid"
check "fast enough" python3 - "$BUILD/tests/sim/marathon-sim" <<'PY'
import http.client, json, subprocess, sys, time
sim = subprocess.Popen([sys.argv[1], "--starting-ms", "5", "--running-ms", "5"], stdout=subprocess.PIPE, text=True)
connection = http.client.HTTPConnection("127.0.0.1", int(sim.stdout.readline().rsplit(":", 1)[1]))
def call(method, path, body=None):
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Length": "0"} if not body else {})
    return connection.getresponse().read()
began = time.monotonic()
for i in range(1000):
    call("PUT", "/v2/apps/group/app-%d" % i, {"instances": 10})
while not json.loads(call("POST", "/sim/stats"))["settled"]:
    time.sleep(0.02)
apps = json.loads(call("GET", "/v2/apps?embed=apps.tasks"))["apps"]
took = time.monotonic() - began
sim.kill()
sim.wait()
assert sum(len(app["tasks"]) for app in apps) == 10000
assert took < 15, took
PY

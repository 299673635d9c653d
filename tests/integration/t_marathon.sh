#!/bin/sh
# SPDX-License-Identifier: MIT
# Marathon in trouble: whatever it answers, what runs keeps running, status says what is wrong, the first good answer counts at once.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 10
backend-api 10"
resync=1s
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 5
put_app /api 5
start_slotd
await "slotd is in step" 10 status_is_good
await "slots serve" 10 slots_are backend-web ready 5
start_load backend-web -r 200 -k 50

still_serves() { slots_are backend-web ready 5 && slots_are backend-api ready 5; }
status_is_bad() { ! ctl status; }
for kind in 500 html 502 garbage half-json empty cut; do
    sim "fault?path=/v2/apps&kind=$kind"
    await "status is degraded with $kind" 10 status_is_bad
    sleep 1.2
    check "what runs keeps running with $kind" still_serves
    sim clear
    await "the first good answer after $kind counts" 15 status_is_good
done
sim "fault?path=/v2/apps&kind=empty"
await "the guard names its way out" 10 status_says "slotctl confirm"
sim clear
await "good again" 15 status_is_good

stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# The stream is cut: what happened meanwhile is there after the next complete answer.
victim=$(tasks_of /web | head -n 1)
sim "lose?task=$victim"
await "a lost event is made good by the answer" 10 sh -c "! $BUILD/slotctl -s $work/slotd.sock -o json services backend-web | grep -q '$victim'"
await "its successor serves" 10 slots_are backend-web ready 5

# Marathon is gone, and comes back at the same place with the same tasks (here: stopped and continued).
kill -STOP "$sim_pid"
sleep 0.5
check "slotctl answers while Marathon is frozen" ctl plan
kill -CONT "$sim_pid"
await "good again" 15 status_is_good

# Hostile events: nothing reaches HAProxy, nothing crashes.
servers >"$work/before"
event() { printf "$1" | curl -sf -X POST --data-binary @- "$marathon/sim/event" >/dev/null; }
event 'event: status_update_event\ndata: {"taskId":"x;y","taskStatus":"TASK_RUNNING","appId":"/web","host":"127.0.0.1; disable server","ports":[80],"version":"1"}\n\n'
event 'event: status_update_event\ndata: {"taskId":"t1","taskStatus":"TASK_RUNNING","appId":"/web","host":"a b\\n","ports":["80"],"version":1}\n\n'
event 'event: status_update_event\ndata: {not json\n\nevent: x\r\rdata\n\n: comment\n\n'
event 'event: status_update_event\ndata: {"taskId":"t\\u0000","taskStatus":"TASK_RUNNING","appId":"/web","host":"127.0.0.1","ports":[99999]}\n\n'
head -c 1048576 /dev/zero | tr '\0' 'a' >"$work/big"
{ printf 'event: status_update_event\ndata: {"taskId":"'; cat "$work/big"; printf '","taskStatus":"TASK_RUNNING","appId":"/web"}\n\n'; } |
    curl -sf -X POST --data-binary @- "$marathon/sim/event" >/dev/null
check "slotd lives" ctl sync
await "in step" 15 status_is_good
for label in 'a;b' 'x\ny' '$(id)' 'a b'; do
    put_app /hostile 1 "{\"traefik.backend\":\"$label\",\"traefik.port\":\"$label\",\"traefik.frontend.rule\":\"$label\"}"
done
await "the cluster settles" 10 sim_settled
check "sync" ctl sync
check "a problem is reported for that app" sh -c "$BUILD/slotctl -s $work/slotd.sock -o json services | grep -q /hostile"

# Apps that cannot be read, seen for the first time: each is named, the others are in step.
curl -sf "$marathon/v2/apps?embed=apps.tasks&embed=apps.deployments" >"$work/apps"
for part in '"a\u0000b":"x"' '"a":"b\u0000"' '"a":5'; do
    sed 's|\]}$|,{"id":"/unread","labels":{'"$(echo "$part" | sed 's/\\/&&/g')"'},"tasks":[]}]}|' "$work/apps" |
        curl -sf -X POST --data-binary @- "$marathon/sim/apps" >/dev/null
    check "an answer with labels {$part} is usable" ctl sync
    check "labels {$part} are that app's problem" sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q '/unread: .*app-malformed'"
    check "and nobody else's" status_is_good
    curl -sf -X POST -d '' "$marathon/sim/apps" >/dev/null
    await "it is gone" 15 sh -c "$BUILD/slotctl -s $work/slotd.sock sync && ! $BUILD/slotctl -s $work/slotd.sock services | grep -q /unread"
done
check "HAProxy is alive" cli "show info"
await "no refused command" 5 sh -c "$BUILD/slotctl -s $work/slotd.sock -o json status | grep -q '\"commands_refused\": 0'"

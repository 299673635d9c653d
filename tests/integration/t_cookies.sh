#!/bin/sh
# SPDX-License-Identifier: MIT
# Persistence cookies: clients with one follow their server while it drains and move when its time is over, new ones stop at once,
# and nobody loses a request. Cookies by address (dynamic) and by slot, requests of 300 ms, kept connections and new ones.
BUILD=$1
here=$(dirname "$0")
. "$here/lib.sh"

backends=""
slots_with_cookies() { for i in $(seq 8); do echo "    server s$i slot.invalid:1 disabled cookie c$i"; done; }
haproxy_extra="backend backend-web
    balance roundrobin
    dynamic-cookie-key slotd
    cookie SRV insert indirect nocache dynamic
    default-server init-addr last,0.0.0.0
    server-template s 8 slot.invalid:1 disabled
backend backend-api
    balance roundrobin
    cookie SRV insert indirect nocache
    default-server init-addr last,0.0.0.0
$(slots_with_cookies)"
clients=12
start_sim --host 127.0.0.1,127.0.0.2 --starting-ms 10 --running-ms 10 --record "$work/record"
start_haproxy
put_app /web 4
put_app /api 4
start_slotd
await "slotd is in step" 10 status_is_good
await "web serves" 10 slots_are backend-web ready 4
await "api serves" 10 slots_are backend-api ready 4

now_us() { date +%s%6N; }
settled() { python3 "$here/follow.py" settled "$work/record" "$1" "$clients"; }
# Each client has two requests under way at any time: its server is never without a session.
start_cookies() {
    for app in web api; do
        start_load_as "$app-cookies" "backend-$app" -r 80 -k 50 -c "$clients" -u '/?ms=300'
    done
}
start_plain() {
    for app in web api; do
        start_load_as "$app-plain" "backend-$app" -r 40 -k 50 -u '/?ms=300'
    done
}
# judge SINCE TASK...: what came of those drains; value KEY afterwards.
judge() {
    ctl -o json events >"$work/events.json"
    python3 "$here/follow.py" drain "$work/record" "$work/events.json" "$@" >"$work/judged"
}
value() { sed -n "s/^$1 //p" "$work/judged"; }
all_follow_then_move() { # TEXT
    check "$1: somebody followed" [ "$(value followed)" -ge 5 ]
    equal "$1: new requests after the command" 0 "$(value strays)"
    equal "$1: clients that left before its time was over" 0 "$(value left)"
    equal "$1: requests after maint" 0 "$(value late)"
    equal "$1: clients that moved" "$(value followers)" "$(value moved)"
}
start_cookies
start_plain
await "the clients of web have their cookies" 10 settled web
await "the clients of api have theirs" 10 settled api

# A task: its clients stay with it until the time is over.
since=$(now_us)
# The task that most requests with a cookie have gone to lately.
busiest() { grep "request $1" "$work/record" | awk '$5 != "-" { print $3 }' | tail -n 100 | sort | uniq -c | sort -n | awk 'END { print $2 }'; }
web=$(busiest web)
api=$(busiest api)
ctl drain task "$web" --timeout 1500ms --wait 2>"$work/err" &
web_pid=$!
ctl drain task "$api" --timeout 1500ms --wait 2>"$work/err-api"
equal "the time of api's is over: exit code" 1 $?
wait "$web_pid"
equal "web's too" 1 $?
check "it says what is left" grep -q 'sessions left: ' "$work/err"
check "both are held" slots_are backend-web held 1
moved() { # SINCE TASK...
    judge "$@"
    [ "$(value moved)" = "$(value followers)" ]
}
await "web's clients move" 10 moved "$since" "$web"
all_follow_then_move "a task of web"
await "api's clients move" 10 moved "$since" "$api"
all_follow_then_move "a task of api"
check "undrain of web's" ctl undrain task "$web"
check "undrain of api's" ctl undrain task "$api"
await "web serves again" 10 slots_are backend-web ready 4
await "api serves again" 10 slots_are backend-api ready 4
# The clients stay where they are; let new ones find the servers that came back.
for app in web api; do stop_load "$app-cookies"; done
for app in web api; do equal "failed requests of $app's clients" 0 "$(load_value failed "$app-cookies")"; done
start_cookies
await "new clients of web have their cookies" 10 settled web
await "new clients of api have theirs" 10 settled api

# A host: the same for each task there.
on_host() { curl -sf "$marathon/v2/apps$1" | python3 -c "import json,sys; print(*(t['id'] for t in json.load(sys.stdin)['app']['tasks'] if t['host'] == '127.0.0.2'))"; }
since=$(now_us)
ctl drain host 127.0.0.2 --timeout 1500ms --wait 2>"$work/err"
equal "the time of the host's is over: exit code" 1 $?
await "its clients move" 10 moved "$since" $(on_host /web) $(on_host /api)
equal "tasks on the host" 4 "$(echo $(on_host /web) $(on_host /api) | wc -w)"
all_follow_then_move "a host"
check "undrain of the host" ctl undrain host 127.0.0.2
await "web serves once more" 10 slots_are backend-web ready 4
await "api serves once more" 10 slots_are backend-api ready 4
for app in web api; do stop_load "$app-cookies"; done
for app in web api; do
    stop_load "$app-plain"
    equal "failed requests of $app's clients" 0 "$(load_value failed "$app-cookies")"
    equal "failed requests of $app's new ones" 0 "$(load_value failed "$app-plain")"
done

# An app, all of it: that is the operator's word. Clients with a cookie are served, the others get a 503, which is theirs alone.
start_cookies
await "web's clients have their cookies" 10 settled web
await "api's clients have theirs" 10 settled api
start_plain
since=$(now_us)
check "drain of web" ctl drain app /web --timeout 1m
check "drain of api" ctl drain app /api --timeout 1m
refused() { [ "$(grep -c 503 "$work/$1-plain.log")" -ge 10 ]; }
for app in web api; do
    await "$app drains" 10 slots_are "backend-$app" draining 4
    await "$app's new requests are refused" 10 refused "$app"
    judge "$since" $(tasks_of "/$app")
    check "$app: its clients follow" [ "$(value followed)" -ge 5 ]
    equal "$app: new requests after the command" 0 "$(value strays)"
    stop_load "$app-cookies"
    equal "failed requests of $app's clients" 0 "$(load_value failed "$app-cookies")"
    check "undrain of $app" ctl undrain app "/$app"
    await "all of $app serve" 10 slots_are "backend-$app" ready 4
    ended=$(now_us)
    answered() { grep "request $app" "$work/record" | awk -v ended="$ended" '$4 > ended' | grep -q .; }
    await "$app's new requests are answered again" 10 answered
    stop_load "$app-plain"
    equal "all that failed of $app's were refused" "$(load_value failed "$app-plain")" "$(load_value bad_status "$app-plain")"
    equal "none failed before the command or after its end" 0 "$(sed -n 's/.*begun at \([0-9]*\):.*/\1/p' "$work/$app-plain.log" |
        awk -v since="$since" -v ended="$ended" '$1 < since || $1 > ended' | wc -l)"
done

# Without clients that follow, --wait returns with the last session: what had reached the task has been answered by then.
start_load backend-web -r 60 -k 50 -u '/?ms=300'
asked() { [ "$(grep -c "request $1" "$work/record")" -ge "$2" ]; }
count=$(grep -c "request $web" "$work/record")
await "the task is asked" 10 asked "$web" $((count + 3))
check "drained with the last session" ctl drain task "$web" --timeout 30s --wait
returned=$(now_us)
last=$(grep "request $web" "$work/record" | tail -n 1 | cut -d' ' -f1)
# The simulator's clock may fire a few milliseconds early.
check "it did not return before that" [ $((last + 295000)) -le "$returned" ]
check "undrain" ctl undrain task "$web"
await "it serves again" 10 slots_are backend-web ready 4
stop_load

# How fast: new requests stop within 10 ms of the command. That none was sent to the task after HAProxy's acknowledgement is certain
# on any machine; how long that takes is measured over 15 drains, and their median judged, since a busy machine stops anybody for a while.
start_load backend-web -r 300 -k 50
for round in $(seq 15); do
    task=$(tasks_of /web | sed -n "$((round % 4 + 1))p")
    since=$(now_us)
    check "drain $round" ctl drain task "$task" --timeout 1m
    echo "$task $since $(now_us)" >>"$work/fast"
    count=$(wc -l <"$work/record")
    go_on() { [ "$(wc -l <"$work/record")" -ge $((count + 30)) ]; }
    await "the load goes on" 10 go_on
    ctl undrain task "$task" >/dev/null
    await "all serve" 10 slots_are backend-web ready 4
done
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"
ctl -o json events >"$work/events.json"
python3 "$here/follow.py" fast "$work/record" "$work/events.json" "$work/fast" >"$work/judged"
equal "requests that were begun after the acknowledgement" 0 "$(value strays)"
check "median from the command's return to the acknowledgement: $(value median) ms" [ "$(value median | cut -d. -f1)" -lt 10 ]

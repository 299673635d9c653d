#!/bin/sh
# SPDX-License-Identifier: MIT
# Backends made at run time: with HAProxy 3.4 and later a new app gets one of its own name, so that statistics carry it, and the backend goes
# with the app; older ones, and those that refuse, serve it by a pool. Both sides may die at any moment; what somebody else made stays.
BUILD=$1
here=$(dirname "$0")
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps"
frontend_rules="    http-request set-var(txn.key) path
    http-request set-var(txn.key) req.hdr(host),field(1,:),lower,concat(,txn.key)
    http-request set-var(txn.be) var(txn.key),map_str($maps/paths.map)
    http-request set-var(txn.be) var(txn.key),map_beg($maps/routes.map) unless { var(txn.be) -m found }
    http-request set-var(txn.lease) str(x),map($maps/leases.map)
    use_backend %[var(txn.be)] if { var(txn.be) -m found }"
backends="pool-http-1 4
pool-http-2 4
pool-http-3 4"
# A task may die while nobody watches.
haproxy_retries=2
haproxy_defaults="option redispatch 1"
# What services of a class are made from; a frontend and a backend that have the names of services.
clash_port=$(free_port)
haproxy_extra="backend backend-static
    balance roundrobin
frontend backend-clash
    bind 127.0.0.1:$clash_port
defaults pool-http
    mode http
    timeout connect 2s
    timeout server 30s
    retries 2
    option redispatch 1
    balance roundrobin
    # HAProxy 3.0.0 does not survive this in such a section.
    .if version_atleast(3.4)
    option httpchk
    http-check send meth GET uri-lf %[be_name,map($maps/check-path.map,/)] ver HTTP/1.1 hdr Host localhost
    .endif"
echo "/alive localhost" >"$work/checked.expects"
python3 "$here/checked_servers.py" "$work" checked &
pids="$pids $!"
options="check inter 200ms fastinter 50ms"
write_conf() { # DEFAULTS OPTIONS [RESYNC]
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "${3:-1s}"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { release_delay = "1s"; add_backends = true; pools = ( { class = "http"; prefix = "pool-http-"; defaults = "$1"; server_options = "$2"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
}
start_sim --starting-ms 5 --running-ms 5 --killing-ms 20 --killed-ms 1000
write_conf pool-http "$options"
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/leases.map" ]
start_haproxy
await "in step" 10 status_is_good

# The app whose task answers for its host, or the status.
ask() { # NAME [PATH]
    code=$(curl -s -o "$work/answer" -w '%{http_code}' -H "Host: $1.test" "http://127.0.0.1:$edge_port${2:-/}")
    if [ "$code" = 200 ]; then sed 's/[._].*//' "$work/answer"; else echo "$code"; fi
}
answers() { [ "$(ask "$1" "${3:-/}")" = "${2:-$1}" ]; }
delete() { curl -sf -X DELETE "$marathon/v2/apps/$1" >/dev/null; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
map_is() { [ "$(in_map "$1")" = "$2" ]; }
dynamic() { ctl -o json status | python3 -c "import json,sys; print(json.load(sys.stdin)['haproxy'][0]['dynamic_backends']['$1'])"; }
dynamic_is() { [ "$(dynamic "$1")" = "$2" ]; }
has_backend() { cli "show backend" | grep -qx "$1"; }
has_no_backend() { ! has_backend "$1"; }
problems() { ctl -o json services "$@" | python3 -c "import json,sys; print(' '.join(sorted(f\"{p['app']}:{p['code']}\" for p in json.load(sys.stdin)['problems'])))"; }
served_by() { ctl -o json services "$1" | python3 -c "import json,sys; print(json.load(sys.stdin)['services'][0]['backend'])"; }
is_served_by() { [ "$(served_by "$1")" = "$2" ]; }
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
roll() { # NAME VERSION INSTANCES
    curl -sf -X PUT "$marathon/v2/apps/$1" -d "{\"instances\":$3,\"env\":{\"V\":\"$2\"},\"upgradeStrategy\":{\"minimumHealthCapacity\":1,\"maximumOverCapacity\":0.5}}" >/dev/null
}
rolled() { curl -sf "$marathon/v2/apps/$1" | python3 -c 'import json,sys; app=json.load(sys.stdin)["app"]; sys.exit(len(app["deployments"]) > 0)'; }
kill_haproxy() {
    kill -KILL $(cat "$work/haproxy.pid") "$(cli "show info" | sed -n 's/^Pid: //p')"
    wait "$haproxy_pid" 2>/dev/null
}
start_gap() { # NAME HOST PATH APP
    python3 "$here/gap.py" "$edge_port" "$2" "$3" "$4" >"$work/gap-$1.json" 2>"$work/gap-$1.log" &
    echo $! >"$work/gap-$1.pid"
    pids="$pids $!"
    await "gap.py $1 asks" 10 grep -q begun "$work/gap-$1.json"
}
stop_gap() { # NAME
    gap_pid=$(cat "$work/gap-$1.pid")
    kill -TERM "$gap_pid"
    wait "$gap_pid"
    pids=$(for pid in $pids; do [ "$pid" = "$gap_pid" ] || printf '%s ' "$pid"; done)
}
gap_value() { python3 -c "import json; print(json.loads(open('$work/gap-$1.json').readlines()[-1])['$2'])"; }
# What every HAProxy does: the app serves, rolls under load and goes.
comes_and_goes() { # NAME BACKEND
    put_app "/$1" 2
    await "$1 is served" 10 answers "$1"
    equal "$1 is served by" "$2" "$(served_by "backend-$1")"
    await "by both tasks" 10 slots_are "$2" ready 2
    start_load "$1.test" -r 200 -k 50
    for version in 1 2; do
        roll "$1" $version 2
        await "$1 rolls" 20 rolled "$1"
        await "$1 is served by two tasks" 20 slots_are "$2" ready 2
    done
    stop_load
    equal "failed requests of $(load_value requests) to $1 while it rolls" 0 "$(load_value failed)"
    delete "$1"
    await "its route goes" 10 eval '! in_map routes | grep -q "$1.test/"'
}

can_make=$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["capabilities"]["add_backend"])')
if [ "$can_make" = False ]; then
    # The way back: pools serve, and nothing is amiss.
    equal "status says that this HAProxy makes none" False "$(dynamic enabled)"
    comes_and_goes red pool-http-1
    await "its lease ends" 10 map_is leases ""
    put_app /blue 1
    await "the next one" 10 answers blue
    equal "without a problem" "" "$(problems /blue)"
    kill -KILL "$slotd_pid"
    wait "$slotd_pid" 2>/dev/null
    start_slotd
    await "in step again" 10 status_is_good
    equal "commands after a restart" 0 "$(commands)"
    equal "blue" blue "$(ask blue)"
    equal "none was made" 0 "$(dynamic made)"
    skip "backends made at run time need HAProxy 3.4 or later, not $("$HAPROXY" -v | head -n 1)"
    exit 0
fi

# ---- a backend of its own name ----
equal "status says that this HAProxy makes them" True "$(dynamic enabled)"
check "in words too" status_says "backends made at run time: 0"
comes_and_goes red backend-red
await "its backend goes" 10 has_no_backend backend-red
await "and is noted no more" 10 map_is leases ""
equal "no pool was asked" 3 "$(ctl -o json status | python3 -c "import json,sys; print(json.load(sys.stdin)['haproxy'][0]['pools'][0]['free'])")"
put_app /red 2
await "it comes again" 10 answers red
put_app /blue 2
await "and another" 10 answers blue
for i in 1 2 3 4 5 6; do ask red >/dev/null; done
requests_of() { cli "show stat" | awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i } $1 == name && $2 == "BACKEND" { print $column["stot"] }'; }
check "statistics carry its name: $(requests_of backend-red) requests" [ "$(requests_of backend-red)" -ge 6 ]
equal "HAProxy knows whose they are" "backend-blue backend-blue,backend-red backend-red," "$(in_map leases)"
await "the routes are on disk" 10 grep -q "red.test/ backend-red" "$maps/routes.map"
equal "which a HAProxy that starts anew does not" "" "$(cat "$maps/leases.map")"
equal "no problems" "" "$(problems)"
equal "made" 2 "$(dynamic made)"
check "slotctl services names it" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services backend-red | grep -q 'backend-red'"
check "slotctl doctor finds nothing amiss" "$BUILD/slotctl" -s "$work/slotd.sock" doctor -c "$work/slotd.conf"
equal "not even a warning" "" "$("$BUILD/slotctl" -s "$work/slotd.sock" doctor -c "$work/slotd.conf" | grep '^warning')"
# More tasks, fewer, none: the backend stays as long as the app does.
put_app /blue 6
await "six serve" 10 slots_are backend-blue ready 6
put_app /blue 0
await "nobody serves" 10 slots_are backend-blue ready 0
equal "a service without tasks keeps backend and route" 503 "$(ask blue)"
check "the backend" has_backend backend-blue
put_app /blue 2
await "it serves again" 10 answers blue

# Its check asks for what a label says; one of another class is told, and has what it has.
await "a server listens" 10 [ -s "$work/checked.port" ]
put_app /checked 2 "{\"traefik.port\":\"$(cat "$work/checked.port")\",\"traefik.backend.healthcheck.path\":\"/alive\"}"
await "its check passes" 10 slots_are backend-checked ready 2
await "it is asked for that" 10 grep -q "^/alive " "$work/checked.seen"
put_app /checked 2 "{\"traefik.port\":\"$(cat "$work/checked.port")\",\"traefik.protocol\":\"h2c\"}"
await "another class is told" 10 eval 'problems /checked | grep -q /checked:backend-class'
equal "and changes nothing" backend-checked "$(served_by backend-checked)"
delete checked
await "it goes" 10 has_no_backend backend-checked

# ---- slotd dies ----
start_load red.test -r 200 -k 50
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd
await "in step again" 10 status_is_good
equal "commands after a restart" 0 "$(commands)"
equal "made, and recognised" 2 "$(dynamic made)"
roll red 7 2
sleep 0.05
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd
await "it rolls on" 20 rolled red
await "two serve" 20 slots_are backend-red ready 2
stop_load
equal "failed requests of $(load_value requests) while slotd was killed" 0 "$(load_value failed)"
delete blue
await "what was made before its restart goes too" 20 has_no_backend backend-blue
put_app /blue 2
await "and comes again" 10 answers blue
equal "by its name" backend-blue "$(served_by backend-blue)"
# Gone while slotd was away: what it made before goes too.
put_app /short 1
await "a short one" 10 answers short
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
delete short
start_slotd
await "its backend goes" 20 has_no_backend backend-short
await "in step" 10 status_is_good
# What goes soon after a start waits for a second complete answer, and not until the regular one.
put_app /idle 1
await "one that will have no task" 10 answers idle
put_app /idle 0
await "its server goes" 20 eval '! cli "show servers state backend-idle" | grep -q slotd-'
write_conf pool-http "$options" 1h
restart_slotd() {
    kill -KILL "$slotd_pid"
    wait "$slotd_pid" 2>/dev/null
    $1
    start_slotd
}
restart_slotd
await "in step, with an answer each hour" 10 status_is_good
put_app /short 1
await "a new one" 10 answers short
delete short
await "its backend does not stay for an hour" 30 has_no_backend backend-short
restart_slotd "delete idle"
await "nor does one that went while slotd was away" 30 has_no_backend backend-idle
write_conf pool-http "$options"
restart_slotd
await "in step, with an answer each second" 10 status_is_good

# ---- what others made ----
cli "add backend backend-foreign from pool-http mode http" >/dev/null
put_app /static 1
await "a backend of that name without slots" 10 is_served_by backend-static pool-http-1
await "does not serve" 10 answers static
put_app /foreign 1
await "nor does one that another hand made" 10 is_served_by backend-foreign pool-http-2
await "it is served" 10 answers foreign
equal "and is told" "/foreign:backend-refused" "$(problems /foreign)"
put_app /clash 1
await "nor a frontend's name" 10 is_served_by backend-clash pool-http-3
await "it is served by a pool" 10 answers clash
check "status tells of those that are refused" status_says "could not be made at run time"
for name in static foreign clash; do delete $name; done
await "their leases end" 10 map_is leases "backend-blue backend-blue,backend-red backend-red,"
for name in backend-static backend-foreign; do check "$name is left alone" has_backend $name; done
cli "del backend backend-foreign" >/dev/null

# ---- HAProxy begins anew ----
# Of one host, by path: what is wider never answers for it, and what a pool serves is served all the time.
put_app /narrow 1 '{"traefik.frontend.rule":"Host:both.test;PathPrefix:/narrow"}'
put_app /static 2
await "narrow is served" 10 answers both narrow /narrow
put_app /wide 1 '{"traefik.frontend.rule":"Host:both.test"}'
await "wide is served" 10 answers both wide
static_pool=$(served_by backend-static)
await "static is served" 10 slots_are "$static_pool" ready 2
await "on disk" 10 grep -q "both.test/narrow backend-narrow" "$maps/routes.map"
await "all of it" 10 grep -q "static.test/ $static_pool" "$maps/routes.map"
start_gap reload both.test /narrow narrow
start_load static.test -r 200 -k 0
kill -USR2 $(cat "$work/haproxy.pid")
await "a new process has it" 10 eval 'cli "show info" | grep -q "^Uptime_sec: [01]$" && has_backend backend-narrow'
await "in step" 10 status_is_good
for name in red blue; do await "$name is served after a reload" 10 answers $name; done
await "narrow too" 10 answers both narrow /narrow
stop_load
stop_gap reload
equal "failed requests of $(load_value requests) to who is served by a pool, over a reload" 0 "$(load_value failed)"
equal "answers by another app ($(gap_value reload first_wrong))" 0 "$(gap_value reload wrong)"
check "answers: $(gap_value reload good)" [ "$(gap_value reload good)" -gt 0 ]
echo "a reload: $(gap_value reload gap_ms) ms without an answer"
# It dies, and slotd is not there at first: 503, and nobody else's answer.
start_gap crash both.test /narrow narrow
kill -STOP "$slotd_pid"
kill_haproxy
start_haproxy
for name in red blue; do equal "HAProxy alone: $name" 503 "$(ask $name)"; done
equal "narrow, and not wide" 503 "$(ask both /narrow)"
equal "who is served by a pool" static "$(ask static)"
kill -CONT "$slotd_pid"
for name in red blue static; do await "$name is served by the new HAProxy" 10 answers $name; done
await "narrow" 10 answers both narrow /narrow
await "in step with the new HAProxy" 10 status_is_good
stop_gap crash
equal "answers by another app ($(gap_value crash first_wrong))" 0 "$(gap_value crash wrong)"
# Both at once.
start_gap both both.test /narrow narrow
kill -KILL "$slotd_pid"
kill_haproxy
wait "$slotd_pid" 2>/dev/null
start_slotd
start_haproxy
for name in red blue static; do await "$name is served by two new ones" 10 answers $name; done
await "narrow is" 10 answers both narrow /narrow
await "in step, both new" 10 status_is_good
stop_gap both
equal "answers by another app then ($(gap_value both first_wrong))" 0 "$(gap_value both wrong)"
# While slotd watches: how long it takes.
start_gap watched both.test /narrow narrow
kill_haproxy
start_haproxy
await "narrow is served at once" 10 answers both narrow /narrow
await "in step, once more" 10 status_is_good
stop_gap watched
equal "answers by another app, watched" 0 "$(gap_value watched wrong)"
echo "HAProxy killed and started: $(gap_value watched gap_ms) ms without an answer"

# ---- HAProxy refuses ----
# A section that it does not have; then servers that it does not take. Who has a backend keeps it.
write_conf pool-nowhere "$options"
kill -HUP "$slotd_pid"
put_app /lost 1
await "without its section a new app is served by a pool" 10 answers lost
lost_pool=$(served_by backend-lost)
check "of another one: $lost_pool" eval 'case $lost_pool in "$static_pool") false ;; pool-http-*) true ;; *) false ;; esac'
equal "which is no problem of its own" "" "$(problems /lost)"
check "but told in status" status_says "has no section .defaults pool-nowhere"
write_conf pool-http "check inter nonsense"
kill -HUP "$slotd_pid"
put_app /odd 1
await "with options that no server has a new app is served by a pool" 10 answers odd
equal "of the same" "$(printf '%s\n' pool-http-1 pool-http-2 pool-http-3 | grep -vx -e "$static_pool" -e "$lost_pool")" "$(served_by backend-odd)"
equal "and is told why" "/odd:backend-refused" "$(problems /odd)"
check "with HAProxy's words" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services backend-odd | grep -q 'unexpected character'"
await "the backend that was of no use is gone" 10 has_no_backend backend-odd
for name in red blue static lost; do equal "$name, after all of it" $name "$(ask $name)"; done
write_conf pool-http "$options"
kill -HUP "$slotd_pid"
put_app /fine 1
await "all is well again" 10 answers fine
equal "with a backend of its name" backend-fine "$(served_by backend-fine)"
for name in lost odd; do equal "$name keeps its pool's" pool-http "$(served_by backend-$name | cut -c1-9)"; done

# ---- all of it goes ----
for name in red blue narrow wide static lost odd fine; do delete $name; done
await "all backends that were made are gone" 20 dynamic_is made 0
for name in red blue narrow wide fine; do check "backend-$name" has_no_backend backend-$name; done
await "nothing is leased" 10 map_is leases ""
await "in step at the end" 10 status_is_good

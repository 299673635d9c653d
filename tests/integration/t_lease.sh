#!/bin/sh
# SPDX-License-Identifier: MIT
# Leases: apps that HAProxy has no backend for are served by those of a pool, with no edit and no reload; a backend is given to another only
# when nothing leads to the former one any more, also in a HAProxy that starts by the files; both sides may die at any moment.
BUILD=$1
. "$(dirname "$0")/lib.sh"

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
pool-http-3 4
pool-sticky-1 4
backend-own 4"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 20
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { release_delay = "1s"; pools = ( { class = "http"; prefix = "pool-http-"; }, { class = "sticky"; prefix = "pool-sticky-"; },
    { class = "tcp"; prefix = "pool-tcp-"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/leases.map" ]
start_haproxy
await "in step" 10 status_is_good

# The app whose task answers for its host, or the status.
ask() { # NAME
    code=$(curl -s -o "$work/answer" -w '%{http_code}' -H "Host: $1.test" "http://127.0.0.1:$edge_port/")
    if [ "$code" = 200 ]; then sed 's/[._].*//' "$work/answer"; else echo "$code"; fi
}
answers() { [ "$(ask "$1")" = "${2:-$1}" ]; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
map_is() { [ "$(in_map "$1")" = "$2" ]; }
backend_of() { cli "show map $maps/leases.map" | sed -n "s/^[^ ]* backend-$1 //p"; }
has_no_lease() { [ -z "$(backend_of "$1")" ]; }
pool() { # PREFIX KEY
    ctl -o json status | python3 -c "import json,sys; print(next(p['$2'] for p in json.load(sys.stdin)['haproxy'][0]['pools'] if p['prefix'] == '$1'))"
}
pool_has() { [ "$(pool "$1" "$2")" = "$3" ]; }
problems() { ctl -o json services "$@" | python3 -c "import json,sys; print(' '.join(sorted(f\"{p['app']}:{p['code']}\" for p in json.load(sys.stdin)['problems'])))"; }
delete() { curl -sf -X DELETE "$marathon/v2/apps/$1" >/dev/null; }
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
file_has() { grep -q "$2" "$maps/$1.map"; }

# Apps that HAProxy has never heard of.
put_app /red 2
put_app /own 1
await "a new app is served by its rule" 10 answers red
await "one with a backend of its own name by that" 10 answers own
equal "which needs no lease" "backend-red pool-http-1," "$(in_map leases)"
put_app /blue 2
await "the next one" 10 answers blue
equal "has a backend of its own" "backend-blue pool-http-2,backend-red pool-http-1," "$(in_map leases)"
await "the file of leases is in step" 10 file_has leases "backend-blue pool-http-2"
check "slotctl services names it" ctl services backend-red
check "by its place too" ctl services pool-http-1
check "and says where it is" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services backend-red | grep -q 'backend pool-http-1'"

# Classes.
put_app /cart 1 '{"traefik.backend.loadbalancer.stickiness":"true"}'
await "a sticky app" 10 answers cart
equal "is in the pool of its class" pool-sticky-1 "$(backend_of cart)"
put_app /least 1 '{"traefik.backend.loadbalancer.method":"drr"}'
await "a class without a pool gets one of http" 10 answers least
equal "and is told" "/least:pool-missing" "$(problems /least)"
put_app /secure 1 '{"traefik.protocol":"https"}'
await "https has no other" 10 eval '[ "$(problems /secure)" = /secure:pool-missing ]'
equal "and is not served" 503 "$(ask secure)"
check "status says so too" status_says "1 service has no backend, since no pool is for what its labels ask for (the first: class https)"
delete secure

# The pool is empty: who comes waits for the first that goes.
check "the pool is out" pool_has pool-http- free 0
put_app /late 1
await "who comes waits" 10 pool_has pool-http- waiting 1
equal "and is told" "/late:pool-empty" "$(problems /late)"
check "status is degraded" status_says "1 service waits for a backend of the pool pool-http-"
put_app /later 1
await "the next one too" 10 pool_has pool-http- waiting 2
delete blue
await "the first is served when one is free" 10 answers late
equal "by what is free" pool-http-2 "$(backend_of late)"
check "the other waits on" has_no_lease later
delete red
await "it is its turn" 10 answers later
equal "nobody else's has moved" "backend-cart pool-sticky-1,backend-late pool-http-2,backend-later pool-http-1,backend-least pool-http-3," "$(in_map leases)"
check "status says what is low" status_says "0 of the 3 backends of the pool pool-http-"

# The same app again takes its own at once.
delete late
await "its lease ends" 10 has_no_lease late
put_app /late 1
await "the same app is served again" 10 answers late
equal "in the same place" pool-http-2 "$(backend_of late)"

# A label of another class: the new backend first, then the old one is left.
put_app /cart 1 '{}'
delete least
await "cart waits, or has moved" 10 eval '[ "$(backend_of cart)" = pool-http-3 ]'
await "it serves there" 10 slots_are pool-http-3 ready 1
await "and the sticky one is empty" 10 slots_are pool-sticky-1 free 4
equal "cart" cart "$(ask cart)"

# slotd dies: what it finds again is right.
before=$(in_map leases)$(in_map routes)
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd
await "in step again" 10 status_is_good
equal "maps" "$before" "$(in_map leases)$(in_map routes)"
equal "commands after a restart" 0 "$(commands)"
for name in late later cart own; do equal "$name" $name "$(ask $name)"; done

# A service that Marathon does not speak of keeps its backend until that is confirmed.
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
echo '{"apps":[]}' | curl -sf -X POST "$marathon/sim/apps" -d @- >/dev/null
start_slotd
await "slotd has Marathon's answer" 10 status_says "the guard holds"
for name in late later cart own; do equal "in doubt: $name" $name "$(ask $name)"; done
equal "and their leases stay" "$before" "$(in_map leases)$(in_map routes)"
curl -sf -X POST "$marathon/sim/apps" -d '' >/dev/null
await "in step once Marathon is itself again" 20 status_is_good
equal "with the leases of before" "$before" "$(in_map leases)$(in_map routes)"

# HAProxy dies: it is right before slotd has said a word.
await "the file of leases follows" 10 file_has leases "backend-cart pool-http-3"
kill -STOP "$slotd_pid"
kill -KILL $(cat "$work/haproxy.pid")
wait "$haproxy_pid" 2>/dev/null
start_haproxy
for name in late later cart own; do equal "HAProxy alone: $name" $name "$(ask $name)"; done
kill -CONT "$slotd_pid"
await "in step with the new HAProxy" 10 status_is_good
equal "its maps" "$before" "$(in_map leases)$(in_map routes)"

# A backend of its own name appears: the service moves there without a failed request.
backends="$backends
backend-late 4"
# A kept connection that HAProxy 2.4 ends at a reload may have a request on its way.
start_load late.test -r 200 -k 0
write_haproxy_cfg
await "the load has begun" 10 answers late
kill -USR2 $(cat "$work/haproxy.pid")
await "it has moved" 10 slots_are backend-late ready 1
await "its lease has ended" 10 has_no_lease late
await "the former one is empty" 10 slots_are pool-http-2 free 4
equal "its route" "late.test/ backend-late" "$(in_map routes | tr ',' '\n' | grep late.test/)"
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# HAProxy starts between a release and the next lease, again and again: the one backend that is free goes from app to app, the next of
# which waits for it already. No answer is another app's, neither by HAProxy alone nor with a slotd that begins anew.
python3 "$(dirname "$0")/lease_hosts.py" "$edge_port" a b c own later cart >"$work/hosts.json" 2>"$work/hosts.log" &
hosts_pid=$!
pids="$pids $hosts_pid"
put_app /a 2
await "the first of them is served" 20 answers a
current=a
for next in b c a b c a b c a; do
    put_app /$next 2
    await "$next waits" 10 pool_has pool-http- waiting 1
    delete $current
    # Any moment will do.
    sleep "$(awk -v seed="$$$next$(date +%N)" 'BEGIN { srand(seed); print rand() * 0.3 }')"
    case $next in
    b) kill -KILL "$slotd_pid" && wait "$slotd_pid" 2>/dev/null ;;
    *) kill -STOP "$slotd_pid" ;;
    esac
    kill -KILL $(cat "$work/haproxy.pid")
    wait "$haproxy_pid" 2>/dev/null
    start_haproxy
    for name in a b c; do
        got=$(ask $name)
        check "HAProxy alone, for $name: $got" [ "$got" = $name -o "$got" = 503 ]
    done
    case $next in
    b) start_slotd ;;
    *) kill -CONT "$slotd_pid" ;;
    esac
    await "$next is served" 20 answers $next
    current=$next
done
# As long as a file cannot be written the backend stays where it is: a HAProxy that starts by the old one leads to the former app.
set -- b c a
for file in "$maps/routes.map" "$maps/leases.map" "$work/haproxy.state"; do
    next=$1
    shift
    put_app /$next 2
    await "$next waits" 10 pool_has pool-http- waiting 1
    mkdir "$file.tmp"
    delete $current
    await "the lease of $current ends" 10 has_no_lease $current
    await "and $(basename "$file") does not show it" 10 status_says "$file cannot be written"
    await "the backend is not free" 10 pool_has pool-http- released 1
    check "$next waits on" pool_has pool-http- waiting 1
    kill -STOP "$slotd_pid"
    kill -KILL $(cat "$work/haproxy.pid")
    wait "$haproxy_pid" 2>/dev/null
    start_haproxy
    for name in a b c; do
        got=$(ask $name)
        check "HAProxy by the old $(basename "$file"), for $name: $got" [ "$got" = $name -o "$got" = 503 ]
    done
    kill -CONT "$slotd_pid"
    rmdir "$file.tmp"
    await "$next is served once it is written" 20 answers $next
    current=$next
done
kill -TERM "$hosts_pid"
wait "$hosts_pid"
hosts() { python3 -c "import json; print(json.load(open('$work/hosts.json'))['$1'])"; }
check "answers: $(hosts by_host)" [ "$(hosts answered)" -gt 100 ]
equal "answers by another app ($(hosts first_wrong))" 0 "$(hosts wrong)"

# Without the map nothing is leased, and it is said what is missing.
await "in step" 20 status_is_good
frontend_rules=$(echo "$frontend_rules" | grep -v leases.map)
write_haproxy_cfg
kill -USR2 $(cat "$work/haproxy.pid")
put_app /blind 1
await "who comes is told" 10 eval '[ "$(problems /blind)" = /blind:leases-map-missing ]'
check "status says which line" status_says "str(x),map($maps/leases.map)"
equal "who has one keeps it" cart "$(ask cart)"

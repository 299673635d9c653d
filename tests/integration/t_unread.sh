#!/bin/sh
# SPDX-License-Identifier: MIT
# Apps whose definitions cannot be read, and a slotd that has just begun and so does not know what they were: their slots, routes and
# leases stay while answers in a row list them so, but not for ever.
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
backend-own 4
backend-gone 4
backend-api 4"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 20
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { release_delay = "1s"; pools = ( { class = "http"; prefix = "pool-http-"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/leases.map" ]
start_haproxy
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
map_is() { [ "$(in_map "$1")" = "$2" ]; }
answers() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["fetches"])'; }
answers_are() { [ "$(answers)" -ge "$1" ]; }
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
# Marathon lists /web and /own with a label that is no text.
break_apps() {
    curl -sf "$marathon/v2/apps?embed=apps.tasks" | python3 -c '
import json, sys
document = json.load(sys.stdin)
for app in document["apps"]:
    if app["id"] in ("/web", "/own"): app["labels"] = {"a": 5}
json.dump(document, sys.stdout)' >"$work/broken.json"
    curl -sf -X POST --data-binary @"$work/broken.json" "$marathon/sim/apps" >/dev/null
}
mend_apps() { curl -sf -X POST "$marathon/sim/apps" >/dev/null; }
kill_slotd() {
    kill -KILL "$slotd_pid"
    wait "$slotd_pid" 2>/dev/null
}
serves_all() { slots_are pool-http-1 ready 2 && slots_are backend-own ready 2 && slots_are backend-api ready 1; }

put_app /web 2
put_app /own 2
put_app /api 1
put_app /gone 1
await "all serve" 10 serves_all
await "also what will be gone" 10 slots_are backend-gone ready 1
await "their routes are open" 10 map_is routes "api.test/ backend-api,gone.test/ backend-gone,own.test/ backend-own,web.test/ pool-http-1,"
await "in step" 10 status_is_good
start_load_as web web.test -r 100 -k 50
start_load_as own own.test -r 100 -k 50

# A restart, and their definitions cannot be read: nobody claims their slots, in one answer after another.
kill_slotd
curl -sf -X DELETE "$marathon/v2/apps/gone" >/dev/null
await "the cluster settles" 10 sim_settled
break_apps
start_slotd
await "it is told" 10 status_says "definitions of apps cannot be read"
await "four answers list them so" 10 answers_are 4
equal "their slots stay" "2 2" "$(slot_count pool-http-1 unclaimed) $(slot_count backend-own unclaimed)"
equal "so do the routes" "api.test/ backend-api,gone.test/ backend-gone,own.test/ backend-own,web.test/ pool-http-1," "$(in_map routes)"
equal "and the lease" "backend-web pool-http-1," "$(in_map leases)"
equal "as does what is gone" 1 "$(slot_count backend-gone unclaimed)"
equal "nothing at all was sent" 0 "$(commands)"
mend_apps
await "they are read again, and serve" 10 serves_all
await "what is gone goes" 10 slots_are backend-gone free 4
await "its route went" 10 map_is routes "api.test/ backend-api,own.test/ backend-own,web.test/ pool-http-1,"
equal "the lease is what it was" "backend-web pool-http-1," "$(in_map leases)"
await "in step again" 10 status_is_good
for name in web own; do
    stop_load "$name"
    equal "$name: failed requests of $(load_value requests "$name")" 0 "$(load_value failed "$name")"
done

# An operator knows better.
kill_slotd
break_apps
start_slotd
await "it is told again" 10 status_says "definitions of apps cannot be read"
await "two answers" 10 answers_are 2
equal "their slots stay for now" "2 2" "$(slot_count pool-http-1 unclaimed) $(slot_count backend-own unclaimed)"
check "confirm" ctl confirm
await "they leave" 10 slots_are backend-own free 4
await "all of them" 10 slots_are pool-http-1 free 4
mend_apps
await "they come back" 10 serves_all

# Nobody does: one broken app does not keep for ever what others have left.
kill_slotd
break_apps
start_slotd
await "it is told once more" 10 status_says "definitions of apps cannot be read"
await "nobody claims them for long" 60 slots_are backend-own free 4
await "nor the others" 10 slots_are pool-http-1 free 4
check "that took more than ten answers" answers_are 11
await "the routes went" 10 map_is routes "api.test/ backend-api,"
await "and the lease" 10 map_is leases ""
check "nobody is told any more" sh -c "! $BUILD/slotctl -s $work/slotd.sock status | grep -q 'cannot be read'"

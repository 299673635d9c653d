#!/bin/sh
# SPDX-License-Identifier: MIT
# Entries of maps that another hand changes are noticed, counted and put right, whatever it was, while apps come and go; what it was not
# costs no command.
BUILD=$1
. "$(dirname "$0")/lib.sh"

maps=$work/maps
mkdir "$maps"
example=$(dirname "$0")/../../haproxy-cfg/routes.cfg
frontend_rules=$(sed -n '/^frontend http/,/use_backend/p' "$example" | grep -v '^frontend\|^    bind' | sed "s|/var/lib/slotd/maps|$maps|")
backends="backend-web 4
backend-api 4
backend-new 4"
web_port=$(free_port)
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; http = "127.0.0.1:$web_port"; };
CONF
put_app /web 2
put_app /api 1 '{"traefik.frontend.rule":"Host:web.test;Path:/api"}'
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/paths.map" ]
start_haproxy
edge_value() { ctl -o json status | python3 -c "import json,sys; print(json.load(sys.stdin)['haproxy'][0]['$1'])"; }
is_drifted() { [ "$(edge_value drifts)" = "$1" ]; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
all_maps() { echo "$(in_map routes) $(in_map paths) $(in_map redirect) $(in_map whitelist)"; }
answers() { curl -s -H "Host: $1" "http://127.0.0.1:$edge_port$2" | grep -q "^$3[._]"; }
await "both serve" 10 answers web.test /api api
await "the other one too" 10 answers web.test / web
await "slotd is in step" 10 status_is_good
before=$(all_maps)
adoptions=$(edge_value adoptions)
is_as_before() { [ "$(all_maps)" = "$before" ]; }

change() { # WHAT DRIFTS COMMAND
    equal "$1: HAProxy takes it" "" "$(cli "$3" | tr -d '\n')"
    await "$1 is noticed" 20 is_drifted "$2"
    await "$1 is put right" 20 is_as_before
}
equal "nothing has drifted" 0 "$(edge_value drifts)"
change "another value" 1 "set map $maps/routes.map web.test/ backend-api"
await "it serves again" 10 answers web.test / web
change "an entry that is gone" 2 "del map $maps/routes.map web.test/"
await "it has its route again" 10 answers web.test / web
change "an entry of nobody's" 3 "add map $maps/routes.map evil.test/ backend-web"
change "a second entry" 4 "add map $maps/paths.map web.test/api backend-web"
change "one of another map" 5 "add map $maps/redirect.map /x /y"
change "a whole map" 6 "clear map $maps/paths.map"
await "its path serves again" 10 answers web.test /api api
check "it is told" grep -q 'routes.map: 1 entry is not as it was left: another hand has changed it, and it is put right' "$work/slotd.log"
await "the metric counts them" 10 eval 'curl -s "http://127.0.0.1:$web_port/metrics" | grep -q "^slotd_haproxy_drifts_total{.*} 6$"'

# Apps come and go all the time, and so do entries: none of it is drift.
start_load web.test -r 50
for turn in 1 2 3 4 5 6; do
    put_app /new 1
    await "a new app serves, turn $turn" 10 answers new.test / new
    curl -sf -X DELETE "$marathon/v2/apps/new" >/dev/null
    await "and is gone, turn $turn" 10 is_as_before
done
stop_load
equal "failed of $(load_value requests)" 0 "$(load_value failed)"
equal "no drift" 6 "$(edge_value drifts)"

# What is looked at all the time sends nothing. The next change shows that another round has passed.
await "in step" 10 status_is_good
commands=$(edge_value commands)
change "one more" 7 "del map $maps/paths.map web.test/api"
equal "one command put it right" $((commands + 1)) "$(edge_value commands)"
equal "HAProxy was adopted once" "$adoptions" "$(edge_value adoptions)"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Routes at run time: hosts, paths and prefixes lead to their backends by maps, with no reload; they open with the first server, stand
# without one, go with app, rule or exposure, and outlive slotd and HAProxy.
BUILD=$1
. "$(dirname "$0")/lib.sh"

maps=$work/maps
mkdir "$maps"
# The lines are those of the example.
example=$(dirname "$0")/../../haproxy-cfg/routes.cfg
frontend_rules=$(sed -n '/^frontend http/,/use_backend/p' "$example" | grep -v '^frontend\|^    bind' | sed "s|/var/lib/slotd/maps|$maps|")
backends="backend-web 6
backend-api 6
backend-admin 6
backend-blog 6"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
start_slotd -d
await "slotd makes the map files" 10 [ -f "$maps/paths.map" ]
start_haproxy

rule() { put_app "/$1" "$2" "{\"traefik.frontend.rule\":\"$3\"${4:+,$4}}"; }
# The app whose task answers, or the status.
ask() { # HOST PATH
    code=$(curl -s -o "$work/answer" -w '%{http_code}' -H "Host: $1" "http://127.0.0.1:$edge_port$2")
    if [ "$code" = 200 ]; then sed 's/[._].*//' "$work/answer"; else echo "$code"; fi
}
answers() { [ "$(ask "$1" "$2")" = "$3" ]; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
file_is() { [ "$(sort "$maps/$1.map" | tr '\n' ',')" = "$2" ]; }

rule web 2 "Host:Web.Test"
rule api 1 "Host:web.test,api.test;PathPrefix:/api"
await "a host leads to its app" 10 answers web.test / web
await "a longer prefix comes first" 10 answers web.test /api/v1 api
equal "without case and port" web "$(ask WEB.test:8080 /x)"
equal "on both hosts" api "$(ask api.test /api)"
equal "but not beside the prefix" 404 "$(ask api.test /)"
equal "an unknown host" 404 "$(ask evil.web.test /)"
equal "a host that begins alike" 404 "$(ask web.test.evil /)"
rule admin 1 "Host:web.test;Path:/api/admin" '"traefik.frontend.priority":"50"'
await "an exact path comes first" 10 answers web.test /api/admin admin
equal "and is exact" api "$(ask web.test /api/admin/)"
equal "routes.map" "api.test/api backend-api,web.test/ backend-web,web.test/api backend-api," "$(in_map routes)"
equal "paths.map" "web.test/api/admin backend-admin," "$(in_map paths)"
await "the file of routes is in step" 10 file_is routes "api.test/api backend-api,web.test/ backend-web,web.test/api backend-api,"
await "the file of paths too" 10 file_is paths "web.test/api/admin backend-admin,"

# A rule of a higher priority around them all: what is within it is in no map.
rule web 2 "Host:web.test" '"traefik.frontend.priority":"1000"'
await "the higher priority wins" 10 answers web.test /api/admin web
equal "its keys alone" "api.test/api backend-api,web.test/ backend-web," "$(in_map routes)"
rule web 2 "Host:web.test"
await "and gives way again" 10 answers web.test /api/admin admin

# Two that want the same: who has it keeps it, whatever its name.
rule blog 1 "Host:blog.test,shared.test"
await "the first has it" 10 answers shared.test / blog
rule api 1 "Host:web.test,api.test;PathPrefix:/api,/v2"
await "a rule changes while it serves" 10 answers api.test /v2 api
rule admin 1 "Host:shared.test,admin.test_" '"traefik.frontend.priority":"26"'
await "the other key is its own" 10 answers admin.test_ / admin
equal "who had it keeps it" blog "$(ask shared.test /)"
problems() { ctl -o json services | python3 -c "import json,sys; print(' '.join(sorted(p['app'] + ':' + p['code'] for p in json.load(sys.stdin)['problems'])))"; }
equal "and the other is told" "/admin:route-taken" "$(problems)"

# Without a server the route stands.
rule api 0 "Host:web.test,api.test;PathPrefix:/api,/v2"
await "no server: 503, and no neighbour's answer" 10 answers web.test /api/v1 503
equal "the neighbour answers for the rest" web "$(ask web.test /ap)"
rule api 1 "Host:web.test,api.test;PathPrefix:/api,/v2"
await "it serves again" 10 answers web.test /api/v1 api

# slotd dies, and what it finds again is right: no command. HAProxy dies, and is right before slotd has said a word.
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
before="$(in_map routes)$(in_map paths)"
start_slotd -d
await "in step" 10 status_is_good
equal "maps" "$before" "$(in_map routes)$(in_map paths)"
equal "commands after a restart" 0 "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])')"
equal "who had the key has it after a restart of slotd" blog "$(ask shared.test /)"
await "the servers are on disk" 10 state_file_is_current
for map in routes paths; do await "and $map.map" 10 file_is $map "$(in_map $map)"; done
kill -STOP "$slotd_pid"
kill -KILL $(cat "$work/haproxy.pid")
wait "$haproxy_pid" 2>/dev/null
start_haproxy
for path in / /api /v2/x; do equal "HAProxy alone: $path" "$([ $path = / ] && echo web || echo api)" "$(ask web.test $path)"; done
kill -CONT "$slotd_pid"
await "in step with the new HAProxy" 10 status_is_good
equal "its maps" "$before" "$(in_map routes)$(in_map paths)"

# App, rule and exposure go: the route goes first, under load to another path of the same host.
start_load web.test -r 200 -u /x
curl -sf -X DELETE "$marathon/v2/apps/api" >/dev/null
await "the app is gone: its neighbour answers" 10 answers web.test /api/v1 web
rule admin 1 "Host:other.test"
await "the rule is another" 10 answers other.test / admin
equal "the former one leads nowhere" 404 "$(ask admin.test_ /)"
rule admin 1 "Host:other.test" '"traefik.enable":"false"'
await "no longer exposed" 10 answers other.test / 404
await "its slot is free" 10 slots_are backend-admin free 6
# The last command about each, by their places in the log.
place() { grep -n "$1" "$work/slotd.log" | tail -n 1 | cut -d: -f1; }
check "the route went before its server" [ "$(place 'del map .*/routes.map other.test/')" -lt "$(place 'set server backend-admin/s[0-9]* state')" ]
stop_load
equal "failed requests of $(load_value requests) to what stayed" 0 "$(load_value failed)"
rule web 2 "Host:web.test;PathPrefixStrip:/x"
await "a rule that no look-up decides leads nowhere" 10 answers web.test /x 404
equal "and is told" "/web:rule-not-routed" "$(problems)"
# A long rule is shortened in a message.
rule web 2 "Host:web.test;PathPrefixStrip:/$(printf '%03000d' 0)"
await "its message is short" 10 sh -c "$BUILD/slotctl -s $work/slotd.sock -o json services | grep -Eq 'its rule .{180,220}[.]{3}. leads nowhere'"
rule web 2 "Host:web.test;PathPrefixStrip:/x"
await "the rule is back" 10 sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q 'its rule .Host:web.test;PathPrefixStrip:/x. leads nowhere'"
ctl routes >"$work/routes"
check "slotctl routes says why" grep -q 'backend-web .*spoe.*the matcher `PathPrefixStrip`' "$work/routes"
check "and where the others lead" grep -Eq 'backend-blog .*map +shared.test/ +yes' "$work/routes"
equal "HAProxy was never reloaded" "" "$(grep -i "reload" "$work/haproxy.log")"
sed "s|/var/lib/slotd/maps|$maps|g; s|/run/slotd|$work|; s|user root group haproxy ||" "$example" >"$work/routes.cfg"
check "haproxy-cfg/routes.cfg is valid" sh -c "'$HAPROXY' -c -f '$work/routes.cfg' >'$work/routes.log' 2>&1"

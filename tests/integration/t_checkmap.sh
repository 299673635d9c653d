#!/bin/sh
# SPDX-License-Identifier: MIT
# Health checks by label: path, host name and port reach HAProxy's checks while it runs, through maps that survive its reload.
BUILD=$1
here=$(dirname "$0")
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps" "$work/other-maps"
checked() { # BACKEND
    cat <<CFG
backend $1
    balance roundrobin
    option httpchk
    http-check send meth GET uri-lf %[be_name,map($maps/check-path.map,/)] ver HTTP/1.1 hdr Host %[be_name,map($maps/check-host.map,localhost)]
    default-server init-addr last,0.0.0.0 check inter 50ms rise 1 fall 1
    server-template s 4 slot.invalid:1 disabled
CFG
}
haproxy_extra="$(checked backend-web)
$(checked backend-api)
backend backend-unchecked
    default-server init-addr last,0.0.0.0
    server-template s 2 slot.invalid:1 disabled"
backends=
for name in web api admin; do echo nothing >"$work/$name.expects"; done
python3 "$here/checked_servers.py" "$work" web api admin &
pids="$pids $!"
for name in web api admin; do await "server $name listens" 10 [ -s "$work/$name.port" ]; done
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 10

put() { # NAME [LABEL VALUE]...: one task at the server of that name
    app=$1
    labels="\"traefik.port\":\"$(cat "$work/$app.port")\""
    shift
    while [ $# -gt 0 ]; do
        labels="$labels,\"traefik.backend.healthcheck.$1\":\"$2\""
        shift 2
    done
    put_app "/$app" 1 "{$labels}"
}
# Everything that slotd sends passes a relay.
record() { # FILE
    [ -z "${relay_pid:-}" ] || kill "$relay_pid"
    rm -f "$work/relay.sock"
    socat -r "$work/$1" "UNIX-LISTEN:$work/relay.sock,fork" "UNIX-CONNECT:$work/haproxy.sock" 2>"$work/socat.log" &
    relay_pid=$!
    pids="$pids $relay_pid"
    await "the relay listens" 5 [ -S "$work/relay.sock" ]
}
write_conf() { # MAPS-DIR
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; };
haproxy = ( { name = "edge"; socket = "$work/relay.sock"; state_file = "$work/haproxy.state"; maps_dir = "$1"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
}
in_map() { cli "show map $maps/check-$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort; }
map_is() { [ "$(in_map "$1")" = "$2" ]; }
file_is() { [ "$(sort "$maps/check-$1.map")" = "$2" ]; }
# What the servers in use of the backend are, by their last check.
checks_of() { cli "show stat" | awk -F, -v backend="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
    $1 == "# pxname" || $1 != backend || $2 == "BACKEND" { next }
    $column["status"] !~ /MAINT/ { print $column["status"], $column["check_status"] }' | sort -u; }
checks_are() { [ "$(checks_of "$1")" = "$2" ]; }
has_problem() { ctl -o json services "$1" | python3 -c "import json,sys; sys.exit(not any(p['code'] == '$2' for p in json.load(sys.stdin)['problems']))"; }
problem_text() { ctl -o json services "$1" | python3 -c "import json,sys; print(*[p['message'] for p in json.load(sys.stdin)['problems'] if p['code'] == '$2'])"; }
no_problem() { ! has_problem "$1" "$2"; }
pid_of_haproxy() { cli "show info" | sed -n 's/^Pid: //p'; }

# HAProxy does not start without its map files: slotd makes them.
put web path /healthz hostname web.example
put api
echo "/healthz web.example" >"$work/web.expects"
echo "/ localhost" >"$work/api.expects"
write_conf "$maps"
record first
start_slotd
await "slotd makes the files" 10 [ -f "$maps/check-path.map" ]
await "both" 10 [ -f "$maps/check-host.map" ]
start_haproxy
pid=$(pid_of_haproxy)
await "a check takes path and host from the labels" 10 checks_are backend-web "UP L7OK"
await "without labels it asks for /" 10 checks_are backend-api "UP L7OK"
await "in step" 10 status_is_good
equal "the path" "backend-web /healthz" "$(in_map path)"
equal "the host" "backend-web web.example" "$(in_map host)"
check "the map is told before its servers are ready" awk '
    /^add map .*\/check-path.map backend-web / { told = 1 }
    /^set server backend-web\/.* state ready/ { exit !told }' "$work/first"
await "the files follow" 10 file_is path "backend-web /healthz"
await "that of hosts too" 10 file_is host "backend-web web.example"

# Labels change while it runs.
put web path "/deep?x=%20y" hostname other.example
await "another path is asked for" 10 grep -q '^/deep?x=%20y other.example$' "$work/web.seen"
await "where the server is not healthy" 10 checks_are backend-web "DOWN L7STS"
echo "/deep?x=%20y other.example" >"$work/web.expects"
await "until it answers there" 10 checks_are backend-web "UP L7OK"
put api path status
echo "/status localhost" >"$work/api.expects"
await "a label comes" 10 checks_are backend-api "UP L7OK"
await "another key beside the first" 10 map_is path "backend-api /status
backend-web /deep?x=%20y"
put api
echo "/ localhost" >"$work/api.expects"
await "a label goes" 10 map_is path "backend-web /deep?x=%20y"
await "and the check asks for / again" 10 grep -q '^/ localhost$' "$work/api.seen"
await "the cluster settles" 10 sim_settled
await "in step with the changes" 10 status_is_good
equal "HAProxy is the same process" "$pid" "$(pid_of_haproxy)"
equal "changes are single commands" 4 "$(grep -c '^\(add\|set\|del\) map .*/check-path.map ' "$work/first")"
stop_slotd

# Nothing has changed.
record second
start_slotd
await "in step again" 10 status_is_good
check "sync" ctl sync
stop_slotd
check "the maps were read" grep -q "^show map $maps/check-path.map" "$work/second"
equal "changing commands after a restart" "" "$(grep -v '^prompt\|^show ' "$work/second")"

# A reload without slotd: the files have it all.
kill -USR2 "$haproxy_pid"
is_reloaded() { [ "$(pid_of_haproxy)" != "$pid" ]; }
await "HAProxy is reloaded" 10 is_reloaded
equal "the path is the file's" "backend-web /deep?x=%20y" "$(in_map path)"
equal "the host too" "backend-web other.example" "$(in_map host)"
await "the check asks as before" 10 checks_are backend-web "UP L7OK"

# A foreign hand: what is there twice, what is not ours, what is missing.
cli "add map $maps/check-path.map backend-web /twice;add map $maps/check-path.map theirs /x;add map $maps/check-path.map a\\ b /x;clear map $maps/check-host.map" >"$work/out"
equal "it was there" 4 "$(in_map path | wc -l)"
record third
start_slotd
await "each key is there once" 10 map_is path "backend-web /deep?x=%20y"
await "what was missing too" 10 map_is host "backend-web other.example"
await "in step with itself" 10 status_is_good
cli "clear map $maps/check-path.map" >"$work/out"
put web path /healthz hostname other.example
echo "/healthz other.example" >"$work/web.expects"
await "what HAProxy refuses is read again and done" 10 map_is path "backend-web /healthz"
await "the server is up by it" 10 checks_are backend-web "UP L7OK"
check "the refusal is told" grep -q "warning haproxy: edge: $maps/check-path.map: HAProxy refused a change: entry not found" "$work/slotd.log"
await "in step after a refusal" 10 status_is_good

# A reload with slotd.
pid=$(pid_of_haproxy)
kill -USR2 "$haproxy_pid"
await "HAProxy is reloaded again" 10 is_reloaded
await "the path is as before, whatever the file had" 10 map_is path "backend-web /healthz"
is_adopted() { ctl -o json status | python3 -c 'import json,sys; sys.exit(json.load(sys.stdin)["haproxy"][0]["pid"] != int(sys.argv[1]))' "$(pid_of_haproxy)"; }
await "slotd has the new process" 10 is_adopted
await "in step after the reload" 10 status_is_good
equal "the path stays" "backend-web /healthz" "$(in_map path)"

# Labels that a command line or a map file would take for something else.
hostile() { # TEXT LABEL VALUE CODE
    put api "$2" "$3"
    await "$1 is a problem" 10 has_problem backend-api "$4"
}
hostile "a second command" path "/hostile;set server backend-web/s1 state maint" healthcheck-path-invalid
hostile "a second line" path '/hostile\nset server backend-web/s1 state maint' healthcheck-path-invalid
hostile "a payload" path "/hostile <<" healthcheck-path-invalid
hostile "a log format" path "/hostile%[env(PATH)]" healthcheck-path-invalid
hostile "another server" path "http://hostile/" healthcheck-path-invalid
hostile "a header" hostname 'hostile\r\nX: y' healthcheck-hostname-invalid
hostile "no port" port "80;hostile" healthcheck-port-invalid
hostile "an interval" interval 1s healthcheck-interval-fixed
hostile "headers" headers "hostile:1" healthcheck-headers-fixed
hostile "a scheme" scheme https healthcheck-scheme-fixed
put api path /last
await "what comes after them is done" 10 map_is path "backend-api /last
backend-web /healthz"
check "no byte of them was sent" sh -c "! grep -q hostile '$work/third'"
await "nor written" 10 file_is path "backend-api /last
backend-web /healthz"
put api
await "the last one goes" 10 map_is path "backend-web /healthz"

# A file that cannot be written.
mkdir "$maps/check-host.map.tmp"
put web path /healthz hostname third.example
echo "/healthz third.example" >"$work/web.expects"
await "a file that cannot be written is told" 10 status_says "$maps/check-host.map cannot be written"
await "the map goes on" 10 map_is host "backend-web third.example"
rmdir "$maps/check-host.map.tmp"
await "it is written once it can be" 20 file_is host "backend-web third.example"
await "and told no more" 10 status_is_good

# What keeps labels from having an effect.
put_app /unchecked 1 '{"traefik.backend.healthcheck.path":"/x"}'
await "a backend without checks is a problem" 10 has_problem backend-unchecked healthcheck-unchecked
check "no other one" no_problem backend-web healthcheck-map-missing
stop_slotd
write_conf "$work/other-maps"
start_slotd
await "a map that HAProxy does not have is a problem" 10 has_problem backend-web healthcheck-map-missing
check "which says what HAProxy's configuration needs" sh -c "
    echo '$(problem_text backend-web healthcheck-map-missing)' | grep -qF 'http-check send meth GET uri-lf %[be_name,map($work/other-maps/check-path.map,/)] ver HTTP/1.1'"
await "its file has it for the next start" 10 grep -q "^backend-web /healthz$" "$work/other-maps/check-path.map"
await "it is in step all the same" 10 status_is_good
stop_slotd
write_conf ""
start_slotd
await "so is no maps_dir" 10 has_problem backend-web healthcheck-map-missing
stop_slotd

# The example is the same line.
sed "s|/var/lib/slotd/maps|$maps|g; s|/run/slotd|$work|; s|user root group haproxy ||" "$here/../../haproxy-cfg/checked.cfg" >"$work/checked.cfg"
check "haproxy-cfg/checked.cfg is valid" sh -c "'$HAPROXY' -c -f '$work/checked.cfg' >'$work/checked.log' 2>&1"
check "it has the line that is asked for" grep -qF "http-check send meth GET uri-lf %[be_name,map($maps/check-path.map,/)] ver HTTP/1.1 hdr Host %[be_name,map($maps/check-host.map,localhost)]" "$work/checked.cfg"

# A service that Marathon's first answer lacks keeps its check as long as it may serve.
write_conf "$maps"
curl -sf "$marathon/v2/apps?embed=apps.tasks" | python3 -c '
import json, sys
document = json.load(sys.stdin)
document["apps"] = [app for app in document["apps"] if app["id"] != "/web"]
json.dump(document, sys.stdout)' >"$work/apps.json"
curl -sf -X POST --data-binary @"$work/apps.json" "$marathon/sim/apps" >/dev/null
record fourth
start_slotd
web_is_out() { [ -z "$(in_map path | grep backend-web)" ] && slots_are backend-web free 4; }
await "it leaves in the end" 20 web_is_out
check "not before its last server" awk '
    /^set server backend-web\/.* state maint/ { out = 1 }
    /^del map .*\/check-path.map backend-web/ { exit !out }' "$work/fourth"
await "the file lets it go too" 10 file_is path "backend-unchecked /x"
curl -sf -X POST "$marathon/sim/apps" >/dev/null
check "sync with all" ctl sync
await "it is back" 10 checks_are backend-web "UP L7OK"

# The check's port.
put api port "$(cat "$work/admin.port")"
echo nothing >"$work/api.expects"
echo "/ localhost" >"$work/admin.expects"
await "another port is asked" 10 grep -q '^/ localhost$' "$work/admin.seen"
await "the server is up by it" 10 checks_are backend-api "UP L7OK"
echo nothing >"$work/admin.expects"
echo "/ localhost" >"$work/api.expects"
await "and down by it" 10 checks_are backend-api "DOWN L7STS"
put api
await "without the label it is the server's own again" 10 checks_are backend-api "UP L7OK"

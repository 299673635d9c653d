#!/bin/sh
# SPDX-License-Identifier: MIT
# Whole tables: thousands of routes that come at once, or differ after a restart of HAProxy with old files, take the former ones' place
# at once, under load; what is interrupted or refused leaves the old table; where HAProxy knows no such thing it goes entry by entry.
BUILD=$1
. "$(dirname "$0")/lib.sh"

apps=10
hosts=500
total=$((apps * hosts + 1))
maps=$work/maps
table=$maps/routes.map
mkdir "$maps"
example=$(dirname "$0")/../../haproxy-cfg/routes.cfg
frontend_rules=$(sed -n '/^frontend http/,/use_backend/p' "$example" | grep -v '^frontend\|^    bind' | sed "s|/var/lib/slotd/maps|$maps|")
backends="backend-web 4
$(for i in $(seq 0 $((apps - 1))); do echo "backend-app$i 4"; done)"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
write_conf() { # SOCKET
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "60s"; };
haproxy = ( { name = "edge"; socket = "$1"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
}
: >"$table"
for name in paths whitelist redirect; do : >"$maps/$name.map"; done
start_haproxy
start_proxy edge "$work/haproxy.sock"
write_conf "$edge_at"

# App I has the hosts of number J: hJ-NNN.test.
put_hosts() { # I J
    python3 - "$marathon" "$1" "$2" "$hosts" <<'PY'
import json, sys, urllib.request
marathon, app, number, hosts = sys.argv[1:]
rule = "Host:" + ",".join(f"h{number}-{i:03d}.test" for i in range(int(hosts)))
body = json.dumps({"instances": 1, "labels": {"traefik.frontend.rule": rule}}).encode()
urllib.request.urlopen(urllib.request.Request(f"{marathon}/v2/apps/app{app}", body, method="PUT")).read()
PY
}
code_of() { curl -s -o /dev/null -w '%{http_code}' -H "Host: $1" "http://127.0.0.1:$edge_port/"; }
# The app whose task answers, or the status.
ask() {
    code=$(curl -s -o "$work/answer" -w '%{http_code}' -H "Host: $1" "http://127.0.0.1:$edge_port/")
    if [ "$code" = 200 ]; then sed 's/[._].*//' "$work/answer"; else echo "$code"; fi
}
answers() { [ "$(ask "$1")" = "$2" ]; }
entries() { cli "show map $table" | grep -c '^0x'; }
has_entries() { [ "$(entries)" = "$1" ]; }
file_has() { [ "$(wc -l <"$table")" = "$1" ]; }
swaps() { grep -c 'entries have taken the place of all' "$work/slotd.log"; }
singles() { grep -c "edge: \(add\|set\|del\) map $table " "$work/slotd.log"; }
leads_right() { # HOST-NUMBER APP: all of its hosts
    [ "$(cli "show map $table" | awk -v be="backend-app$2" -v h="^h$1-" '$2 ~ h && $3 == be' | wc -l)" = "$hosts" ]
}
only_web() { # by another hand, at once
    version=$(cli "prepare map $table" | sed -n 's/^New version created: //p')
    cli "add map @$version $table web.test/ backend-web" >/dev/null
    cli "commit map @$version $table" >/dev/null
}

put_app /web 2 '{"traefik.frontend.rule":"Host:web.test"}'
start_slotd -d
await "slotd is in step" 10 status_is_good
await "the app is served" 10 answers web.test web
start_load web.test -r 100

# --- they come at once ---
for i in $(seq 0 $((apps - 1))); do put_hosts "$i" "$i"; done
await "all routes are there" 30 has_entries "$total"
for i in 0 4 9; do
    equal "host of app$i" "app$i" "$(ask "h$i-499.test")"
done
await "the file is in step" 10 file_has "$total"

# --- and change hands at once ---
before=$(swaps)
for i in 0 1 2 3; do put_hosts "$i" "$((i + 20))"; done
for i in 0 1 2 3; do await "app$i has other hosts" 10 leads_right $((i + 20)) "$i"; done
await "and no others" 10 has_entries "$total"
equal "the former ones lead nowhere" 404 "$(ask h0-000.test)"
check "as whole tables, where a scan for each would cost more" [ "$("$HAPROXY" -v | grep -c 'version 2\.')" = 0 -o "$(swaps)" -gt "$before" ]
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# --- HAProxy restarts, with old files ---
kill -STOP "$slotd_pid"
kill -KILL $(cat "$work/haproxy.pid")
wait "$haproxy_pid" 2>/dev/null
{ sed -n '/^web/p; /^h4-00/p' "$table"; echo "stale.test/ backend-app9"; echo "h5-001.test/ backend-app6"; } >"$work/old.map"
cp "$work/old.map" "$table"
rm -f "$work/haproxy.sock"
"$HAPROXY" -W -db -f "$work/haproxy.cfg" -p "$work/haproxy.pid" >>"$work/haproxy.log" 2>&1 &
haproxy_pid=$!
pids="$pids $haproxy_pid"
await "HAProxy is back" 10 cli "show info"
equal "by the old file" app9 "$(ask stale.test)"
start_load web.test -r 100
before=$(swaps)
single=$(singles)
kill -CONT "$slotd_pid"
await "all routes are there again" 20 has_entries "$total"
await "slotd is in step again" 10 status_is_good
equal "as one table" $((before + 1)) "$(swaps)"
equal "not one by one" "$single" "$(singles)"
equal "a route of nobody is gone" 404 "$(ask stale.test)"
equal "a wrong one is right" app5 "$(ask h5-001.test)"
await "and the file" 10 file_has "$total"

# --- a small change is a small change ---
put_app /web 2 '{"traefik.frontend.rule":"Host:web.test,more.test"}'
await "one more host" 10 answers more.test web
equal "as one command" $((single + 1)) "$(singles)"
put_app /web 2 '{"traefik.frontend.rule":"Host:web.test"}'
await "which goes" 10 answers more.test 404

# --- interrupted: the old table stands, and the next connection completes it ---
for cut in 20 4000 60000 120000; do
    only_web
    equal "another hand has emptied it" 1 "$(entries)"
    lost=$(grep -c 'not connected' "$work/slotd.log")
    proxy edge "faults?cut_up=$cut&count=1"
    proxy edge cut
    half=
    seen=0
    until [ "$seen" = "$total" ]; do
        seen=$(entries)
        case $seen in 1 | "$total") ;; *) half="$half $seen" && [ "${#half}" -lt 40 ] || break ;; esac
    done
    equal "cut behind $cut bytes: never half a table" "" "$half"
    await "cut behind $cut bytes: in step" 10 status_is_good
    proxy edge clear
done
check "connections were lost" [ "$(grep -c 'not connected' "$work/slotd.log")" -gt "$lost" ]
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"
stop_slotd

# --- HAProxy says no, or does not know it ---
through_relay() { # OLD NEW
    rm -f "$work/relay.sock"
    python3 "$(dirname "$0")/relay.py" "$work/relay.sock" "$work/haproxy.sock" "$1" "$2" 2>>"$work/relay.log" &
    relay_pid=$!
    pids="$pids $relay_pid"
    await "the relay listens" 10 test -S "$work/relay.sock"
    write_conf "$work/relay.sock"
    only_web
    single=$(singles)
    start_slotd -d
    await "all routes are there" 20 has_entries "$total"
    await "in step" 10 status_is_good
    check "one by one" [ "$(($(singles) - single))" -ge "$((total - 1))" ]
    stop_slotd
    kill "$relay_pid"
}
through_relay "prepare map" "prepaar map"
check "that is told" grep -q 'HAProxy knows no `prepare map`' "$work/slotd.log"
through_relay "commit map @" "commit mop @"
check "a refusal is told" grep -q "routes.map: HAProxy refused a change: Unknown command" "$work/slotd.log"
through_relay "add map @" "add mop @"
check "what was prepared is cleared" grep -q "edge: clear map @[0-9]* $table" "$work/slotd.log"

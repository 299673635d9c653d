#!/bin/sh
# SPDX-License-Identifier: MIT
# Servers beyond the provisioned slots: an app scales beyond them and back under load, slotd and HAProxy are killed meanwhile; what HAProxy
# cannot do, or refuses, is told and not tried all the time. By traffic.
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
backends="pool-http-1 4 check inter 100ms"
haproxy_extra="backend pool-bad-1
    balance roundrobin
    default-server init-addr last,0.0.0.0
    server-template s 1 slot.invalid:1 disabled
backend pool-least-1
    balance source
    hash-type map-based
    default-server init-addr last,0.0.0.0
    server-template s 1 slot.invalid:1 disabled
backend backend-own
    balance roundrobin
    default-server init-addr last,0.0.0.0
    server-template s 1 slot.invalid:1 disabled
    # Not slotd's, whatever its name is.
    server slotd-1 127.0.0.1:9"
# What a client has open when HAProxy is killed is lost with it; what is sent to the next one is tried again.
haproxy_retries=3
haproxy_defaults="option redispatch"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 300
write_conf() { # RELEASE-DELAY
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { release_delay = "$1"; drain_timeout = "5s"; pools = ( { class = "http"; prefix = "pool-http-"; server_options = "check inter 100ms"; },
    { class = "h2c"; prefix = "pool-bad-"; server_options = "bogus 1"; },
    { class = "leastconn"; prefix = "pool-least-"; server_options = "inter 2s"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
}
write_conf 2s
start_slotd
await "slotd makes the map files" 10 [ -f "$maps/leases.map" ]
start_haproxy
await "in step" 10 status_is_good

ask() { curl -s -o /dev/null -w '%{http_code}' -H "Host: $1.test" "http://127.0.0.1:$edge_port/"; } # NAME
answers() { [ "$(ask "$1")" = 200 ]; }
# added BACKEND: how many servers of that backend HAProxy has that slotd has added
added() { cli "show servers state $1" | awk '$4 ~ /^slotd-/ && $3 > 100000' | grep -c .; }
added_is() { [ "$(added "$1")" = "$2" ]; }
status_value() { ctl -o json status | python3 -c "import json,sys; h=json.load(sys.stdin)['haproxy'][0]; print($1)"; }
messages() { ctl -o json services "$1" | python3 -c "import json,sys; [print(p['code'], p['message']) for p in json.load(sys.stdin)['problems']]"; }
has_message() { messages "$1" | grep -q -- "$2"; }
all_ready() { slots_are pool-http-1 ready "$1"; }
is_240() { "$HAPROXY" -v | grep -q 'version 2\.4'; }

put_app /web 3
await "the app is served" 10 answers web
start_load web.test -r 300 -k 50

if is_240; then
    put_app /web 7
    await "the slots are full" 10 all_ready 4
    await "whom they do not hold is told why" 10 has_message backend-web "cannot add servers at run time, 2.6 and later can"
    equal "and none is added" 0 "$(added pool-http-1)"
    equal "nor was it tried" 0 "$(status_value "h['commands_refused']")"
    put_app /web 3
    await "it shrinks" 10 all_ready 3
    stop_load
    equal "no request has failed" 0 "$(load_value failed)"
    exit 0
fi

# Beyond the slots.
put_app /web 12
await "twelve serve where four slots are" 20 all_ready 12
equal "by eight servers that were added" 8 "$(added pool-http-1)"
equal "which status counts" 8 "$(status_value "h['slots']['added']")"
equal "and nothing was refused" 0 "$(status_value "h['commands_refused']")"
check "status says so too" status_says "12 added\|(8 added)"
equal "slots marks them" 8 "$(ctl -o json slots pool-http-1 | python3 -c "import json,sys; print(sum(s['added'] for s in json.load(sys.stdin)['slots']))")"
check "each has its checks on" [ "$(cli "show servers state pool-http-1" | awk '$4 ~ /^slotd-/ && $14 % 8 < 6' | grep -c .)" = 0 ]
equal "the state file has none of them" 0 "$(grep -c 'slotd-' "$work/haproxy.state")"
before=$(cli "show stat" | grep -c 'pool-http-1,slotd-')
equal "statistics have them" 8 "$before"
took() { cli "show stat" | awk -F, '$1 == "pool-http-1" && $2 ~ /^slotd-/ && $8 == 0' | grep -c . | grep -qx 0; }
await "each takes requests" 10 took

# slotd ends and comes back: they are its own still.
kill -9 "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd
await "slotd is back" 20 status_is_good
await "with all of them" 10 all_ready 12
equal "and sends no command for it" 0 "$(status_value "h['commands']")"
equal "none was added twice" 8 "$(added pool-http-1)"

# A roll within what is there adds at most its own size, and leaves nothing behind.
put_app /web 12 '{"traefik.frontend.priority":"7"}'
await "it rolls" 60 sim_settled
await "all serve" 20 all_ready 12
await "and what the roll needed is deleted" 20 added_is pool-http-1 8

# Killed between the addition and the use: again and again, at other moments.
for pause in 0.01 0.02 0.03 0.05 0.08 0.13 0.2; do
    put_app /web 20
    sleep "$pause" # where in the middle it dies: no condition to wait for
    kill -9 "$slotd_pid"
    wait "$slotd_pid" 2>/dev/null
    start_slotd
    await "twenty serve" 20 all_ready 20
    equal "by as many as are needed" 16 "$(added pool-http-1)"
    put_app /web 6
    await "six serve" 30 all_ready 6
    await "by two servers that were added" 30 added_is pool-http-1 2
done

# Back: they are deleted, those of the configuration never.
put_app /web 12
await "twelve again" 20 all_ready 12
put_app /web 2
await "two serve" 20 all_ready 2
await "the others are deleted" 30 added_is pool-http-1 0
equal "the slots of the configuration are there" 4 "$(cli "show servers state pool-http-1" | grep -c ' s[0-9]* ')"
await "all good" 10 status_is_good

stop_load
equal "no request has failed" 0 "$(load_value failed)"

# A reload takes them: they are added again, and the others serve meanwhile. A kept connection that the old process ends may have a request
# on its way.
start_load_as reload web.test -r 300 -k 0
put_app /web 9
await "nine serve" 20 all_ready 9
reload=$(cat "$work/haproxy.pid")
kill -USR2 "$haproxy_pid"
new_worker() { [ "$(cli "show info" | sed -n 's/^Uptime_sec: //p')" -lt 3 ] && ! cli "show servers state pool-http-1" | grep -q nothing; }
await "HAProxy is reloaded" 10 new_worker
await "nine serve again" 20 all_ready 9
await "by five that were added again" 20 added_is pool-http-1 5
stop_load reload
equal "nor has one over the reload" 0 "$(load_value failed reload)"

# A HAProxy that is killed is another matter for whoever is connected; the next one has the slots at once, the others soon.
kill -9 $(cat "$work/haproxy.pid") "$haproxy_pid" 2>/dev/null
wait "$haproxy_pid" 2>/dev/null
start_haproxy
check "it answers before slotd has said a word" answers web
await "nine serve again" 20 all_ready 9
equal "by five that were added again" 5 "$(added pool-http-1)"

# What HAProxy refuses.
put_app /bad 3 '{"traefik.protocol":"h2c"}'
await "an unknown option is told" 20 has_message backend-bad "backend-full .*HAProxy does not add one (tried again within 5 minutes): unknown keyword 'bogus'"
put_app /static 3 '{"traefik.backend.loadbalancer.method":"drr"}'
await "a static algorithm too" 20 has_message backend-static "backend-full .*HAProxy does not add one.*dynamic"
put_app /own 3
await "a backend of the service's own name gets none" 20 has_message backend-own "backend-full .*servers are added to backends of pools alone"
check "not for ever" [ "$(status_value "h['commands_refused']")" -lt 20 ]
equal "what is not slotd's stays as it is" 1 "$(cli "show servers state backend-own" | grep -c ' slotd-1 127.0.0.1 ')"

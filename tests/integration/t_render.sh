#!/bin/sh
# SPDX-License-Identifier: MIT
# slotctl render: HAProxy takes what it prints without a warning, whatever slotd.conf has; what would not keep its place is refused;
# --init; and from nothing: slotd.conf, render --init, HAProxy, slotd.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

top=$here/../..
has_tls() { "$HAPROXY" -vv | grep -q '+OPENSSL'; }
render() { "$BUILD/slotctl" render "$@" >"$work/out" 2>"$work/err"; }
# A rendered file is for root, and for a machine with Debian's or Fedora's package of HAProxy.
localize_here() {
    if [ "$(id -u)" = 0 ] && getent group haproxy >/dev/null && getent passwd haproxy >/dev/null && [ -d /var/lib/haproxy ]; then
        cat
    else
        localize
    fi
}
valid() { # CFG: without a word of warning
    localize_here <"$1" >"$work/checked.cfg"
    if "$HAPROXY" -c -f "$work/checked.cfg" >"$work/valid.log" 2>&1 && ! grep -Eq 'WARNING|ALERT' "$work/valid.log"; then
        rm "$work/valid.log"
    else
        return 1
    fi
}
says() { grep -qF -- "$1" "$work/out"; }

# ---- words ----

bad_call() { # TEXT COMPLAINT WORD...
    text=$1
    complaint=$2
    shift 2
    render "$@"
    equal "$text: exit code" 2 $?
    equal "$text" "slotctl: render: $complaint
usage: slotctl render [-c FILE] [--name NAME] [--backends N] [--slots N] [--init]" "$(cat "$work/err")"
    equal "$text: nothing on standard output" "" "$(cat "$work/out")"
}
bad_call "a word" "takes options only, not x" x
bad_call "an unknown option" "knows no option --pools" --pools 3
bad_call "no value" "--slots needs a value" --slots
bad_call "no value of -c" "-c needs a value" --init -c
bad_call "no backend" "--backends needs a whole number from 1 to 9999, not \`0\`" --backends 0
bad_call "too many slots" "--slots needs a whole number from 1 to 9999, not \`10000\`" --slots=10000
bad_call "no number" "--slots needs a whole number from 1 to 9999, not \`20k\`" --slots 20k
bad_call "--init is alone" "--init takes no value" --init=yes
check "help names it" sh -c "'$BUILD/slotctl' help | grep -q '^  render '"
check "help of it" sh -c "'$BUILD/slotctl' help render | grep -q '^usage: slotctl render \[-c FILE\]'"

# ---- slotd.conf ----

if [ ! -e /etc/slotd/slotd.conf ]; then
    render
    equal "without a file" 0 $?
    check "that is told" grep -qF "there is no /etc/slotd/slotd.conf, and -c names no other file: these are the defaults" "$work/err"
    check "HAProxy takes the defaults" valid "$work/out"
    check "what is missing is named" says "haproxy.maps_dir is not set in slotd.conf"
fi
render -c "$work/none.conf"
equal "a file that is not there: exit code" 1 $?
check "and its name" grep -q "$work/none.conf" "$work/err"
printf 'edge = { };\n' >"$work/empty.conf"
render -c "$work/empty.conf"
equal "a file without haproxy: exit code" 1 $?
check "it says what is missing" grep -q "^$work/empty.conf:1: haproxy has no entry" "$work/err"

# Each line is text that slotd.conf takes, and what would come of it in a haproxy.cfg.
refused() { # SECTIONS FINDING
    printf '\n%s\n' "$1" >"$work/bad.conf"
    render -c "$work/bad.conf"
    equal "$1: exit code" 1 $?
    equal "$1: standard output" "" "$(cat "$work/out")"
    check "$1: $(cat "$work/err")" grep -qF "$work/bad.conf:2: $2" "$work/err"
}
good='haproxy = ( { } );'
pool() { printf '%s slots = { pools = ( { class = "http"; prefix = "p-"; %s } ); };' "$good" "$1"; }
refused 'haproxy = ( { socket = "/run/a b"; } );' 'haproxy.socket is "/run/a b"; it must be a path that haproxy.cfg takes as it is'
refused 'haproxy = ( { socket = "/run/$HOME"; } );' 'haproxy.socket is '
refused 'haproxy = ( { socket = "/run/a,/run/b"; } );' 'haproxy.socket is '
refused 'haproxy = ( { state_file = "/run/a#b"; } );' 'haproxy.state_file is '
refused "haproxy = ( { state_file = \"/run/'\"; } );" 'haproxy.state_file is '
refused 'haproxy = ( { state_file = "/run/\"x"; } );' 'haproxy.state_file is '
refused 'haproxy = ( { state_file = "/run/x\n    server evil"; } );' 'haproxy.state_file contains the control character 0x0a'
refused 'haproxy = ( { maps_dir = "/maps),lower"; } );' 'haproxy.maps_dir is '
refused 'haproxy = ( { maps_dir = "/maps,x"; } );' 'haproxy.maps_dir is '
refused "$good edge = { http_bind = \"*:80 ssl\"; };" 'edge.http_bind is "*:80 ssl"; it must be ADDRESS:PORT such as "*:80", or several joined by commas'
refused "$good edge = { http_bind = \"*:80\\n\"; };" 'edge.http_bind contains the control character 0x0a'
refused "$good edge = { http_bind = \"*:80,\"; };" 'edge.http_bind is '
refused "$good edge = { stats_bind = \"*:80 # x\"; };" 'edge.stats_bind is '
refused "$good edge = { tcp_bind = \"*:20-10\"; };" 'edge.tcp_bind is "*:20-10"; it must be ADDRESS:PORT-PORT or ADDRESS:PORT'
refused "$good edge = { sni_passthrough = true; };" 'edge.sni_passthrough is set without edge.https_bind, to which clients of TLS connect'
refused "$good edge = { https_bind = \"*:443\"; certificates = \"/a b\"; };" 'edge.certificates is '
refused "$good edge = { https_bind = \"*:443\"; };" 'edge.https_bind is set without edge.certificates; set both or none'
refused "$(pool 'server_options = "check \"x";')" 'slots.pools.server_options is '
refused "$(pool "server_options = \"check 'x\";")" 'slots.pools.server_options is '
refused "$(pool 'server_options = "check \\\\";')" 'slots.pools.server_options is '
refused "$(pool 'server_options = "check # x";')" 'slots.pools.server_options is '
refused "$(pool 'server_options = "check\n    http-request deny";')" 'slots.pools.server_options contains the control character 0x0a'
refused "$(pool 'defaults = "a b";')" 'slots.pools.defaults is '
refused "$(pool 'defaults = "slotd.http";')" 'slots.pools.defaults is "slotd.http"; it must be a name that does not begin with slotd'
refused "$good slots = { pools = ( { class = \"udp\"; prefix = \"p-\"; } ); };" 'slots.pools.class is "udp"; it must be http, leastconn, sticky, https, h2c or tcp'
refused "$good slots = { pools = ( { class = \"http\"; prefix = \"p0\"; } ); };" 'slots.pools.prefix is "p0"; it must be at most 240 bytes that do not end in a digit'
refused "$good slots = { pools = ( { class = \"http\"; prefix = \"a-\"; defaults = \"d\"; }, { class = \"tcp\"; prefix = \"b-\"; defaults = \"d\"; } ); };" \
    'slots.pools.defaults "d" is that of an entry with another class or other server_options'

# ---- what HAProxy says of it ----

if has_tls; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web.test -addext subjectAltName=DNS:web.test \
        -keyout "$work/key.pem" -out "$work/ca.pem" >/dev/null 2>&1
    cat "$work/ca.pem" "$work/key.pem" >"$work/certificate.pem"
    tls_pool="{ class = \"https\"; prefix = \"pool-https-\"; server_options = \"check inter 100ms verify required ca-file $work/ca.pem\"; },"
fi
maps=$work/maps
state=$work/haproxy.state
http_port=$(free_port)
https_port=$(free_port)
tcp_port=$(free_port)
stats_port=$(free_port)
conf() { # MARATHON [HAPROXY]
    cat <<CONF
marathon = { endpoints = [ "$1" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$state"; maps_dir = "$maps/"; }${2:+, $2} );
mapping = { domain = "test"; };
slots = { pools = (
    { class = "http"; prefix = "pool-http-"; server_options = "check inter 100ms"; defaults = "pool-http"; },
    { class = "http"; prefix = "pool-more-"; server_options = "check inter 100ms"; defaults = "pool-http"; },
    { class = "leastconn"; prefix = "pool-leastconn-"; server_options = "check inter 100ms"; },
    { class = "sticky"; prefix = "pool-sticky-"; server_options = "check inter 100ms"; },
    ${tls_pool:-}
    { class = "h2c"; prefix = "pool-h2c-"; server_options = "check inter 100ms"; },
    { class = "tcp"; prefix = "pool-tcp-"; server_options = "check inter 100ms"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
edge = { http_bind = "127.0.0.1:$http_port"; $(has_tls && echo "https_bind = \"127.0.0.1:$https_port\"; certificates = \"$work/certificate.pem\";")
         tcp_bind = "127.0.0.1:$tcp_port-$tcp_port"; stats_bind = "127.0.0.1:$stats_port"; };
CONF
}
conf http://127.0.0.1:1 '{ name = "second"; socket = "[::1]:9999"; }' >"$work/all.conf"

render -c "$work/all.conf" --init
equal "--init without the folder: exit code" 1 $?
equal "what it says" "slotctl: $maps/: there is no such folder; create it, with write access for slotd
slotctl: $state: created" "$(cat "$work/err")"
equal "and prints nothing" "" "$(cat "$work/out")"
rm "$state"
: >"$maps"
render -c "$work/all.conf" --init
check "a file in the folder's place" grep -qE "^slotctl: $maps/: (is no folder|Not a directory)" "$work/err"
rm "$maps"
mkdir "$maps"
echo "web.test/ backend-web" >"$maps/routes.map"
ln -s "$work/nowhere" "$maps/paths.map"
render -c "$work/all.conf" --init
equal "a link to nothing: exit code" 1 $?
check "which is told" grep -qF "slotctl: $maps/paths.map: is a link to a file that is not there" "$work/err"
rm "$maps/paths.map"
mkdir "$maps/paths.map"
render -c "$work/all.conf" --init
check "a folder in a file's place" grep -qF "slotctl: $maps/paths.map: is there and is no file" "$work/err"
rmdir "$maps/paths.map"
render -c "$work/all.conf" --init --backends 2 --slots 3
equal "--init" 0 $?
check "it says what it created" grep -qF "slotctl: $maps/leases.map: created" "$work/err"
equal "what was there stays" "web.test/ backend-web" "$(cat "$maps/routes.map")"
cp "$work/out" "$work/all.cfg"
render -c "$work/all.conf" --init --backends 2 --slots 3
equal "a second --init creates nothing" "" "$(cat "$work/err")"
check "and prints the same" cmp "$work/out" "$work/all.cfg"
check "HAProxy takes all pools" valid "$work/all.cfg"
equal "backends" $((2 * $(grep -c '^# ---- pool' "$work/all.cfg") + 1)) "$(grep -c '^backend ' "$work/all.cfg")"
equal "slots" $((2 * $(grep -c '^# ---- pool' "$work/all.cfg"))) "$(grep -c '^    server-template s 3 slot.invalid:1 disabled$' "$work/all.cfg")"
equal "every map is mentioned" "$(cd "$maps" && ls | tr '\n' ' ')" "$(grep -o "$maps/[a-z-]*.map" "$work/all.cfg" | sed 's|.*/||' | sort -u | tr '\n' ' ')"
equal "as JSON" "edge True" "$("$BUILD/slotctl" -o json render -c "$work/all.conf" --backends 2 --slots 3 | python3 -c "
import json, sys; d = json.load(sys.stdin); print(d['haproxy'], d['configuration'] == open('$work/all.cfg').read())")"

if has_tls; then
    sed 's/^edge = { /&sni_passthrough = true; /' "$work/all.conf" >"$work/sni.conf"
    render -c "$work/sni.conf" --backends 2 --slots 3
    check "HAProxy takes passthrough by server name" valid "$work/out"
    equal "TLS clients connect to frontend sni" "    bind 127.0.0.1:$https_port" "$(grep -A1 '^frontend sni ' "$work/out" | tail -n 1)"
    check "which hands on to frontend https" says "    bind unix@/var/lib/haproxy/slotd-edge-https.sock user haproxy group haproxy mode 600 accept-proxy ssl crt $work/certificate.pem"
    render -c "$work/sni.conf" --name second
    check "HAProxy takes the second one's: without maps nothing passes through" valid "$work/out"
fi
render -c "$work/all.conf" --name second --init
check "HAProxy takes the second one's, without maps" valid "$work/out"
check "nothing is to be created for it" grep -q "^slotctl: nothing to create: " "$work/err"
check "its socket" says "    stats socket [::1]:9999 level admin"
render -c "$work/all.conf" --name third
equal "no such HAProxy: exit code" 1 $?
equal "what it says" "slotctl: no HAProxy third in slotd.conf, which has edge, second" "$(cat "$work/err")"
printf 'haproxy = ( { } );\nslots = { pools = ( ); };\nedge = { http_bind = ""; };\n' >"$work/none.conf"
render -c "$work/none.conf"
check "HAProxy takes what has neither frontend nor pool" valid "$work/out"
for key in haproxy.state_file edge.http_bind edge.https_bind edge.tcp_bind edge.stats_bind slots.pools spoe.listen; do check "it names $key" says "$key"; done
printf 'haproxy = ( { socket = "%s"; state_file = "%s"; maps_dir = "%s"; } );\n' "$work/haproxy.sock" "$state" "$maps" >"$work/short.conf"
render -c "$work/short.conf" --backends 1000
check "HAProxy takes the default pools, large" valid "$work/out"
check "their number has four digits at the end" says "backend pool-tcp-1000 from"

# The example is what the program makes of its slotd.conf.
render -c "$top/haproxy-cfg/full.conf" --backends 2
check "haproxy-cfg/full.cfg is what render makes of full.conf" cmp "$work/out" "$top/haproxy-cfg/full.cfg"
sed -e "s|/var/lib/slotd/maps|$maps|; s|/run/slotd/haproxy.state|$state|; s|/run/haproxy/|$work/|; s|/etc/haproxy/certs|$work/certificate.pem|" "$top/haproxy-cfg/full.conf" >"$work/full.conf"
if has_tls; then
    render -c "$work/full.conf" --backends 2
    check "HAProxy takes it" valid "$work/out"
fi

# ---- HAProxy with all pools, servers set by hand ----

: >"$maps/routes.map"
plain_port=$(free_port)
h2c_port=$(free_port)
tls_port=$(free_port)
cat >"$work/stub.cfg" <<CFG
global
    stats socket $work/stub.sock level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend stub
    bind 127.0.0.1:$plain_port
    bind 127.0.0.1:$h2c_port proto h2
    $(has_tls && echo "bind 127.0.0.1:$tls_port ssl crt $work/certificate.pem")
    http-request return status 503 if { path /bad }
    http-request return status 404 if { path / }
    http-request return status 200 content-type text/plain lf-string "%[dst_port] %[req.hdr(x-forwarded-proto)] %[req.hdr(x-forwarded-host)] %[req.hdr(x-forwarded-port)] %[req.hdr(x-forwarded-for)]"
CFG
"$HAPROXY" -db -f "$work/stub.cfg" >"$work/stub.log" 2>&1 &
pids="$pids $!"
# FILE...
run_haproxy() {
    for cfg in "$@"; do localize_here <"$cfg" >"$cfg.local"; done
    "$HAPROXY" -W -db $(printf -- '-f %s.local ' "$@") -p "$work/haproxy.pid" >>"$work/haproxy.log" 2>&1 &
    haproxy_pid=$!
    pids="$pids $haproxy_pid"
    await "HAProxy answers" 10 cli "show info"
}
end_haproxy() {
    kill -KILL $(cat "$work/haproxy.pid")
    wait "$haproxy_pid" 2>/dev/null
    pids=$(for pid in $pids; do [ "$pid" = "$haproxy_pid" ] || printf '%s ' "$pid"; done)
}
ask() { # URL [OPTION...]: the answer, or the status
    url=$1
    shift
    code=$(curl -sk -o "$work/answer" -w '%{http_code}' "$@" "$url")
    if [ "$code" = 200 ]; then cat "$work/answer"; else echo "$code"; fi
}
web() { ask "http://127.0.0.1:$http_port$2" -H "Host: $1"; } # HOST PATH
has_address() { servers | grep "^[0-9]* $1 " | grep -q " s1 127.0.0.1 .* $2 "; }
serve() { # BACKEND PORT: its first slot is at that port
    cli "set server $1/s1 addr 127.0.0.1 port $2" >/dev/null
    await "$1 has its address" 10 has_address "$1" "$2"
    cli "set server $1/s1 state ready" >/dev/null
}
state_of() { cli "show servers state $1" | awk '$4 == "s1" { print $6 }'; }
is_in_state() { [ "$(state_of "$1")" = "$2" ]; }
checked_as() { cli "show stat" | grep "^$1,s1," | grep -q ",$2,"; } # BACKEND RESULT
run_haproxy "$work/all.cfg"
await "the stub listens" 10 curl -s -o /dev/null "http://127.0.0.1:$plain_port/"

equal "no route" 404 "$(web web.test /x)"
equal "no route, no host" 404 "$(ask "http://127.0.0.1:$http_port/" -0 -H 'Host:')"
for class in http leastconn sticky h2c $(has_tls && echo https); do
    port=$plain_port
    [ $class = h2c ] && port=$h2c_port
    [ $class = https ] && port=$tls_port
    cli "add map $maps/routes.map $class.test/ pool-$class-001" >/dev/null
    equal "$class: a route without a server" 503 "$(web $class.test /x)"
    serve pool-$class-001 $port
    equal "$class: it is served, and told who asks" "$port http $class.test $http_port 127.0.0.1" "$(web $class.test /x)"
    await "$class: a 404 is a sign of life" 10 checked_as pool-$class-001 L7OK
done
equal "host with port, capitals and a last dot" "$plain_port http HTTP.Test.:8080 $http_port 127.0.0.1" "$(web HTTP.Test.:8080 /x)"
equal "a host that begins alike" 404 "$(web http.test.evil /x)"
cli "add map $maps/routes.map http.test/api pool-http-002" >/dev/null
cli "add map $maps/paths.map http.test/api/exact pool-http-001" >/dev/null
equal "the longer prefix" 503 "$(web http.test /api/x)"
equal "the exact path before it" "$plain_port http http.test $http_port 127.0.0.1" "$(web http.test /api/exact)"
check "the sticky pool sets its cookie" sh -c "curl -si -H 'Host: sticky.test' http://127.0.0.1:$http_port/x | grep -qi '^set-cookie: SRV='"
cli "add map $maps/check-path.map pool-leastconn-001 /bad" >/dev/null
await "a check asks for what the map says" 10 is_in_state pool-leastconn-001 0
equal "and decides" 503 "$(web leastconn.test /x)"
equal "a port that the map lacks" 000 "$(ask "http://127.0.0.1:$tcp_port/x")"
cli "add map $maps/tcp-ports.map $tcp_port pool-tcp-002" >/dev/null
serve pool-tcp-002 "$plain_port"
equal "a port leads to its pool" "$plain_port    " "$(ask "http://127.0.0.1:$tcp_port/x")"
cli "del map $maps/tcp-ports.map $tcp_port" >/dev/null
if has_tls; then
    cli "add map $maps/sni.map *.tls.test pool-tcp-001" >/dev/null
    serve pool-tcp-001 "$tls_port"
    equal "else a server name does" "$tls_port    " "$(ask "https://a.tls.test:$tcp_port/x" --resolve "a.tls.test:$tcp_port:127.0.0.1")"
fi
equal "neither" 000 "$(ask "https://b.test:$tcp_port/x" --resolve "b.test:$tcp_port:127.0.0.1")"
if has_tls; then
    equal "https" "$plain_port https http.test $https_port 127.0.0.1" "$(ask "https://127.0.0.1:$https_port/x" -H "Host: http.test")"
    equal "https, no route" 404 "$(ask "https://127.0.0.1:$https_port/x" -H "Host: none.test")"
fi
check "statistics" sh -c "curl -s 'http://127.0.0.1:$stats_port/;csv' | grep -q '^pool-tcp-002,s1,'"
check "leases.map can be changed at run time" sh -c "! printf '%s' '$(cli "add map $maps/leases.map backend-web pool-http-001")' | grep -q ."
end_haproxy

# ---- from nothing: render --init, HAProxy, slotd ----

rm -f "$maps"/*.map "$state"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
# With HAProxy 3.4 it would be a backend made at run time, which a restart of HAProxy loses (t_backends).
conf "$marathon" | sed 's/^slots = {/& add_backends = false;/' >"$work/slotd.conf"
render -c "$work/slotd.conf" --init --backends 2 --slots 4
equal "render --init" 0 $?
[ -s "$work/out" ] || exit 1
cp "$work/out" "$work/haproxy.cfg"
run_haproxy "$work/haproxy.cfg"
put_app /web 2 '{"traefik.frontend.rule":"Host:web.test"}'
start_slotd
await "slotd is in step" 10 status_is_good
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Host: $1" "http://127.0.0.1:$http_port/")" = "$2" ]; }
await "the app is served" 10 answers web.test 200
equal "the others are not" 404 "$(web other.test /)"
edge_port=$http_port
start_load web.test -r 100
put_app /web 4 '{"traefik.frontend.rule":"Host:web.test"}'
leased=$(cli "show map $maps/leases.map" | sed -n 's/^[^ ]* backend-web //p')
check "by a backend of a pool: $leased" expr "$leased" : 'pool-http-00[12]$'
await "it grows" 10 slots_are "$leased" ready 4
put_app /web 1 '{"traefik.frontend.rule":"Host:web.test"}'
await "and shrinks" 10 slots_are "$leased" ready 1
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"
stop_slotd
end_haproxy
run_haproxy "$work/haproxy.cfg"
check "HAProxy alone serves it after a restart" answers web.test 200

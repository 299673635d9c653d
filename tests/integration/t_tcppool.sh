#!/bin/sh
# SPDX-License-Identifier: MIT
# TCP services that no map can lead to: they take no backend of a pool that another could use, and wait for none; one that
# they have they keep. What keeps a key from leading somewhere is told without a backend too.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps"
p1=$(free_port)
p2=$(free_port)
p3=$(free_port)
beside=$(free_port)
http_port=$(free_port)
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
write_conf() { # TCP_BIND
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { release_delay = "1s"; add_backends = false; pools = ( { class = "http"; prefix = "pool-http-"; }, { class = "tcp"; prefix = "pool-tcp-"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
edge = { http_bind = "127.0.0.1:$http_port"; https_bind = "127.0.0.1:$(free_port)"; certificates = "$work/cert.pem"; tcp_bind = "$1"; };
CONF
}
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tls -keyout "$work/key.pem" -out "$work/public.pem" >/dev/null 2>&1
cat "$work/public.pem" "$work/key.pem" >"$work/cert.pem"
write_conf "127.0.0.1:$p1,127.0.0.1:$p2,127.0.0.1:$p3"
"$BUILD/slotctl" render -c "$work/slotd.conf" --init --backends 2 --slots 4 >"$work/rendered.cfg" 2>"$work/render.log"
equal "render --init" 0 $?
write_haproxy_cfg() {
    sed -e '/^    chroot /d' -e '/^    user haproxy$/d' -e '/^    group haproxy$/d' -e 's/ user root group haproxy / /' -e "${cfg_edit:-}" "$work/rendered.cfg" >"$work/haproxy.cfg"
}
start_haproxy
start_slotd -d
await "in step" 10 status_is_good || exit 1

app() { put_app "/$1" 1 "{\"traefik.protocol\":\"tcp\"${2:+,$2}}"; } # NAME [LABELS]
port() { printf '"traefik.tcp.port":"%s"' "$1"; }
sni() { printf '"traefik.tcp.sni":"%s"' "$1"; }
delete() { curl -sf -X DELETE "$marathon/v2/apps/$1" >/dev/null; }
answers() { [ "$(curl -s -m 2 "http://127.0.0.1:$1/" | sed 's/[._].*//')" = "$2" ]; }
has_backend() { cli "show map $maps/leases.map" | grep -q " backend-$1 "; }
problems_are() { [ "$(ctl -o json services | python3 -c "import json,sys; print(' '.join(sorted(p['app'] + ':' + p['code'] for p in json.load(sys.stdin)['problems'] if p['app'])))")" = "$1" ]; }
pool() { # KEY: of the pool of class tcp
    ctl -o json status | python3 -c "import json,sys; print(next(p['$1'] for p in json.load(sys.stdin)['haproxy'][0]['pools'] if p['class'] == 'tcp'))"
}

# ---- what no map can lead to ----

app none
await "neither port nor name" 10 problems_are /none:tcp-not-routed
app outside "$(port "$beside")"
await "a port beside edge.tcp_bind" 10 problems_are "/none:tcp-not-routed /outside:tcp-port-not-bound"
equal "both are served by nobody" "2 0 0" "$(pool free) $(pool leased) $(pool waiting)"
app first "$(port "$p1")"
await "one that is led to" 10 answers "$p1" first
app second "$(port "$p2")"
await "and the last backend" 10 answers "$p2" second
equal "the pool is full, and nobody waits" "0 2 0" "$(pool free) $(pool leased) $(pool waiting)"
check "what does not wait is not short of a backend" problems_are "/none:tcp-not-routed /outside:tcp-port-not-bound"
check "and that is said" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services | tr -s ' \n' ' ' | grep -q 'until then it waits for no backend of a pool'"
app third "$(port "$p3")"
await "one that could be led to waits" 10 eval '[ "$(pool waiting)" = 1 ]'
check "as the only one" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' status | grep -q '1 service waits for a backend of the pool pool-tcp-'"
delete first
await "and gets what is free again, though others were there before it" 20 answers "$p3" third

# ---- what can be led to in time ----

app outside "$(port "$p1")"
await "a port that is right waits" 10 eval '[ "$(pool waiting)" = 1 ]'
delete third
await "and gets a backend" 20 answers "$p1" outside
app outside "$(port "$beside")"
await "another that is not" 10 eval "[ -z \"\$(cli 'show map $maps/tcp-ports.map' | grep ' $p1 ')\" ]"
check "it keeps what it has" has_backend outside
equal "and nobody waits" 0 "$(pool waiting)"
stop_slotd
start_slotd -d
await "after a restart" 10 status_is_good
check "it has it too" has_backend outside
delete outside
await "until it goes" 20 eval '[ "$(pool free)" = 1 ]'
app outside "$(port "$beside")"
await "then it is as before" 10 problems_are "/none:tcp-not-routed /outside:tcp-port-not-bound"
equal "without one" 1 "$(pool free)"
write_conf "127.0.0.1:$p1,127.0.0.1:$p2,127.0.0.1:$p3,127.0.0.1:$beside"
kill -HUP "$slotd_pid"
await "another edge.tcp_bind lets it have one" 10 has_backend outside
await "and nothing is wrong with it" 10 problems_are /none:tcp-not-routed

# ---- what others have, told without a backend ----

put_app /web 1 '{"traefik.frontend.rule":"Host:web.test","traefik.frontend.entryPoints":"https"}'
app named "$(sni web.test)"
app taken "$(port "$p2")"
await "a name of a rule, and a port that is taken" 10 problems_are "/named:pool-empty /named:tcp-name-of-rule /none:tcp-not-routed /taken:pool-empty /taken:tcp-taken"
delete named
delete taken

# ---- a HAProxy without the maps ----

kill -KILL $(cat "$work/haproxy.pid")
wait "$haproxy_pid" 2>/dev/null
cfg_edit='/tcp-ports\.map/d'
start_haproxy
await "in step" 10 status_is_good
delete second
await "a backend is free" 20 eval '[ "$(pool free)" = 1 ]'
app mapless "$(port "$p3")"
await "no map leads there" 10 problems_are "/mapless:tcp-map-missing /none:tcp-not-routed /outside:tcp-map-missing"
equal "and no backend is taken" "1 0" "$(pool free) $(pool waiting)"
check "what has one keeps it" has_backend outside
app named "$(sni other.test)"
await "by another map it is taken" 10 has_backend named

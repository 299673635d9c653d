#!/bin/sh
# SPDX-License-Identifier: MIT
# TCP services at run time: a port, or a server name of TLS, leads to its service by a map, in the configuration that `slotctl render`
# writes; connections stay open while tasks are drained and roll; ports are claimed, changed and given back; both sides may die.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps"
p1=$(free_port)
p2=$(free_port)
p3=$(free_port)
http_port=$(free_port)
web_port=$(free_port)
# A task has its time to end: no request is sent again in mode tcp.
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 600
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { release_delay = "1s"; pools = ( { class = "http"; prefix = "pool-http-"; }, { class = "tcp"; prefix = "pool-tcp-"; server_options = "check inter 100ms"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; http = "127.0.0.1:$web_port"; };
edge = { http_bind = "127.0.0.1:$http_port"; tcp_bind = "127.0.0.1:$p1,127.0.0.1:$p2,127.0.0.1:$p3"; };
CONF
"$BUILD/slotctl" render -c "$work/slotd.conf" --init --backends 6 --slots 4 >"$work/rendered.cfg" 2>"$work/render.log"
equal "render --init" 0 $?
# What is rendered, for a user without rights, and with a backend of a service's own name.
write_haproxy_cfg() {
    sed -e '/^    chroot /d' -e '/^    user haproxy$/d' -e '/^    group haproxy$/d' -e 's/ user root group haproxy / /' "$work/rendered.cfg" >"$work/haproxy.cfg"
    cat >>"$work/haproxy.cfg" <<CFG
backend backend-own from slotd.tcp
    balance roundrobin
    default-server init-addr last,0.0.0.0 check inter 100ms
    server-template s 4 slot.invalid:1 disabled
CFG
}
start_haproxy
start_slotd -d
await "in step" 10 status_is_good

app() { put_app "/$1" "$2" "{\"traefik.protocol\":\"tcp\"${3:+,$3}}"; } # NAME INSTANCES [LABELS]
port_label() { printf '"traefik.tcp.port":"%s"' "$1"; }
# The app whose task answers on a new connection to the port, or nothing.
ask() { curl -s -m 10 "http://127.0.0.1:$1/" | sed 's/[._].*//'; }
answers() { [ "$(ask "$1")" = "$2" ]; }
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
map_is() { [ "$(in_map "$1")" = "$2" ]; }
file_is() { [ "$(sort "$maps/$1.map" | tr '\n' ',')" = "$2" ]; }
lines() { for line in "$@"; do echo "$line"; done | sort | tr '\n' ','; }
backend_of() { cli "show map $maps/leases.map" | sed -n "s/^[^ ]* backend-$1 //p"; }
problems() { ctl -o json services "$@" | python3 -c "import json,sys; print(' '.join(sorted(p['app'] + ':' + p['code'] for p in json.load(sys.stdin)['problems'])))"; }
problems_are() { [ "$(problems)" = "$1" ]; }
routes_say() { ctl routes | grep -Eq -- "$1"; }
delete() { curl -sf -X DELETE "$marathon/v2/apps/$1" >/dev/null; }
place() { grep -n "$1" "$work/slotd.log" | tail -n 1 | cut -d: -f1; }
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }
metric() { curl -s "http://127.0.0.1:$web_port/metrics" | sed -n "s/^slotd_tcp_routes{haproxy=\"edge\",state=\"$1\"} //p"; }

# ---- what is wrong ----

equal "a port that nobody wants, without a word of TLS" closed "$(python3 "$here/hello.py" "$p1" plain)"
app bad 1 "$(port_label 99999)"
await "a number that is no port is told" 10 problems_are "/bad:tcp-not-routed /bad:tcp-port-invalid"
await "a service without port and name is shown" 10 routes_say '^backend-bad .* nothing +neither traefik.tcp.port nor traefik.tcp.sni +-'
check "and that no map leads to it" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services | tr -s ' \n' ' ' | grep -q 'no map of HAProxy edge leads to it'"
app bad 1 "$(port_label 1)"
await "a port beside edge.tcp_bind is told" 10 problems_are /bad:tcp-port-not-bound
put_app /bad 1 "{$(port_label 80)}"
await "a segment called tcp, as in Traefik, is told" 10 problems_are /bad:tcp-port-ambiguous
delete bad

# ---- a port ----

app db 2 "$(port_label "$p1")"
await "a port leads to its app" 10 answers "$p1" db
db=$(backend_of db)
equal "in a backend of the pool" "pool-tcp-" "${db%???}"
equal "tcp-ports.map" "$p1 $db," "$(in_map tcp-ports)"
await "its file is in step" 10 file_is tcp-ports "$p1 $db,"
equal "the other ports are closed" closed "$(python3 "$here/hello.py" "$p2" plain)"
app own 1 "$(port_label "$p2")"
await "a backend of the service's own name" 10 answers "$p2" own
equal "needs no lease" "" "$(backend_of own)"
check "slotctl routes shows it" routes_say "^backend-db +- +- +map +port $p1 +yes"
check "slotctl services too" sh -c "'$BUILD/slotctl' -s '$work/slotd.sock' services backend-db | grep -q '(tcp, port $p1, backend $db)'"
equal "as JSON" "$p1 []" "$(ctl -o json services backend-db | python3 -c 'import json,sys; s=json.load(sys.stdin)["services"][0]; print(s["tcp_port"], s["sni"])')"
await "both are counted" 10 eval '[ "$(metric routed)" = 2 ]'

# Two that want one port: who has it keeps it, whatever its name.
app aaa 1 "$(port_label "$p1")"
await "the second is told" 10 problems_are /aaa:tcp-taken
await "and counted" 10 eval '[ "$(metric taken)" = 1 ]'
check "and shown" routes_say "^backend-aaa +- +- +map +port $p1 +backend-db"
equal "the first has it" "$p1 $db," "$(in_map tcp-ports | tr ',' '\n' | grep "^$p1 " | tr '\n' ',')"

# ---- connections that stay open ----

mkfifo "$work/fifo"
python3 "$here/held.py" "$p1" 4 "$work/held" <"$work/fifo" &
pids="$pids $!"
exec 3>"$work/fifo"
asked=0
ask_held() {
    echo >&3
    asked=$((asked + 1))
    await "held connections are asked" 10 eval '[ "$(wc -l <"$work/held")" = "$asked" ]'
}
held() { tail -n 1 "$work/held"; }
ask_held
first=$(held)
equal "held connections are on both tasks" 2 "$(echo "$first" | tr ' ' '\n' | sort -u | grep -c '^db')"
edge_port=$p1
start_load_as roll x -r 100 -k 0
# A drain by hand: those that are there stay, who comes goes elsewhere.
gone=$(echo "$first" | cut -d' ' -f1)
ctl drain task "$gone" >/dev/null
await "the slot drains" 10 slots_are "$db" draining 1
ask_held
equal "the drained task's connections go on" "$first" "$(held)"
equal "new ones are on the other" 1 "$(for _ in 1 2 3 4 5 6; do curl -s "http://127.0.0.1:$p1/" | cut -d' ' -f1; done | sort -u | wc -l)"
ctl undrain task "$gone" >/dev/null
await "it serves again" 10 slots_are "$db" ready 2
# A roll: Marathon says when a task ends, and its connections with it.
put_app /db 2 "{\"traefik.protocol\":\"tcp\",$(port_label "$p1"),\"v\":\"2\"}"
rolled() { [ "$(curl -sf "$marathon/v2/apps/db" | python3 -c 'import json,sys; app=json.load(sys.stdin)["app"]; print(len(app["deployments"]), sum(t["id"] in sys.argv[1].split() for t in app["tasks"]))' "$first")" = "0 0" ]; }
await "it rolls" 20 rolled
await "the new tasks serve" 10 slots_are "$db" ready 2
ask_held
equal "the old connections have ended with their tasks" "- - - -" "$(held)"
exec 3>&-

stop_load roll
equal "failed connections of $(load_value requests roll) in drain and roll" 0 "$(load_value failed roll)"

# The port changes at run time, and who waited for the former one gets it; under load to another one.
edge_port=$p2
start_load_as stays x -r 100 -k 0
app db 2 "$(port_label "$p3")"
await "another port" 10 answers "$p3" db
await "the one that waited for the former has it" 10 answers "$p1" aaa
await "nothing is wrong any more" 10 problems_are ""
aaa=$(backend_of aaa)
app aaa 1 "$(port_label "$p1"),\"traefik.enable\":\"false\""
await "no longer exposed" 10 map_is tcp-ports "$(lines "$p2 backend-own" "$p3 $db")"
await "its lease goes too" 10 eval '[ -z "$(backend_of aaa)" ]'
check "the port went before its server" [ "$(place "del map .*/tcp-ports.map $p1")" -lt "$(place "set server $aaa/s[0-9]* state")" ]
# Without a server it stands.
app db 0 "$(port_label "$p3")"
await "no server left" 10 slots_are "$db" ready 0
equal "the port stands" "$(lines "$p2 backend-own" "$p3 $db")" "$(in_map tcp-ports)"
app db 2 "$(port_label "$p3")"
await "it serves again" 10 answers "$p3" db

# From http to tcp and back: what it leaves speaks what nobody wants any more, and gets no key.
swap_is() { [ "$(curl -s -m 10 -H "Host: swap.test" "http://127.0.0.1:$http_port/" | sed 's/[._].*//')" = "$1" ]; }
put_app /swap 1
await "an app of mode http" 10 swap_is swap
app swap 1 "$(port_label "$p1")"
await "is one of mode tcp" 10 answers "$p1" swap
equal "and no host's any more" "" "$(cli "show map $maps/routes.map" | grep swap)"
await "the former backend is empty" 10 slots_are pool-http-002 free 4
check "its port never led to a backend of mode http" sh -c "! grep -q 'map .*tcp-ports.map $p1 pool-http' '$work/slotd.log'"
put_app /swap 1 '{"x":"y"}'
await "it is back" 10 swap_is swap
equal "and no port's any more" "" "$(cli "show map $maps/tcp-ports.map" | grep " $p1 ")"
check "its host never led to a backend of mode tcp" sh -c "! grep -q 'map .*routes.map .* pool-tcp' '$work/slotd.log'"
delete swap
await "it leaves" 10 eval '[ -z "$(backend_of swap)" ]'

# ---- server names ----

for name in db.tls.test '*.tls.test'; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tls -addext "subjectAltName=DNS:$name" -keyout "$work/key.pem" -out "$work/cert.pem" >/dev/null 2>&1
    file=$(echo "$name" | tr -d '*')
    cat "$work/cert.pem" "$work/key.pem" >"$work/$file.pem"
    cat "$work/cert.pem" >>"$work/ca.pem"
done
for name in db.tls.test .tls.test; do
    python3 "$here/tls_stub.py" "$work/$name.pem" "by ${name#.}" >"$work/stub$name.port" 2>>"$work/stub.log" &
    pids="$pids $!"
    await "the server of $name listens" 10 [ -s "$work/stub$name.port" ]
done
stub() { cat "$work/stub$1.port"; }
secure() { curl -s -m 10 --cacert "$work/ca.pem" --resolve "$1:$p1:127.0.0.1" "https://$1:$p1/" || echo "refused"; }
secure_is() { [ "$(secure "$1")" = "$2" ]; }
app exact 1 "\"traefik.tcp.sni\":\"DB.tls.test\",\"traefik.port\":\"$(stub db.tls.test)\""
await "a server name leads to its app" 10 secure_is db.tls.test "by db.tls.test"
app any 1 "\"traefik.tcp.sni\":\"*.tls.test, other.test\",\"traefik.port\":\"$(stub .tls.test)\""
await "any name one level below" 10 secure_is x.tls.test "by tls.test"
equal "without case" "by tls.test" "$(secure Y.TLS.test)"
equal "the whole name first" "by db.tls.test" "$(secure db.tls.test)"
equal "two levels below" refused "$(secure a.b.tls.test)"
equal "the name itself" refused "$(secure tls.test)"
equal "another name" refused "$(secure evil-tls.test)"
equal "sni.map" "$(lines "*.tls.test $(backend_of any)" "db.tls.test $(backend_of exact)" "other.test $(backend_of any)")" "$(in_map sni)"
await "its file is in step" 10 file_is sni "$(in_map sni)"
equal "a hello in pieces" answered "$(python3 "$here/hello.py" "$p1" pieces db.tls.test)"
equal "no TLS" closed "$(python3 "$here/hello.py" "$p1" plain)"
equal "a client that says nothing is closed in the end" closed "$(python3 "$here/hello.py" "$p1" silent)"
equal "the port comes before the name" own "$(ask "$p2")"
check "shown" routes_say '^backend-any +- +- +map +sni \*\.tls\.test +yes'
app any 1 "\"traefik.tcp.sni\":\"other.test,db.tls.test,a b\",\"traefik.port\":\"$(stub .tls.test)\""
await "names change: one is another's, one is none" 10 problems_are "/any:tcp-sni-invalid /any:tcp-taken"
equal "the former leads nowhere" refused "$(secure x.tls.test)"
delete any
await "its names go with it" 10 map_is sni "db.tls.test $(backend_of exact),"

# ---- both sides die ----

await "its backends are free again" 10 eval '[ -z "$(backend_of any)" ]'
await "in step" 10 status_is_good
kill -KILL "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
before="$(in_map tcp-ports)$(in_map sni)$(in_map leases)"
start_slotd -d
await "slotd is in step again" 10 status_is_good
equal "maps" "$before" "$(in_map tcp-ports)$(in_map sni)$(in_map leases)"
equal "commands after a restart" 0 "$(commands)"
stop_load stays
equal "failed connections of $(load_value requests stays) to what stayed" 0 "$(load_value failed stays)"
kill -STOP "$slotd_pid"
kill -KILL $(cat "$work/haproxy.pid")
wait "$haproxy_pid" 2>/dev/null
start_haproxy
equal "HAProxy alone: a port" db "$(ask "$p3")"
equal "HAProxy alone: its own backend" own "$(ask "$p2")"
equal "HAProxy alone: a name" "by db.tls.test" "$(secure db.tls.test)"
# Another hand: a second entry, one of nobody, one that leads elsewhere, one that is gone.
cli "add map $maps/tcp-ports.map $p3 backend-own" >/dev/null
cli "add map $maps/tcp-ports.map $p1 backend-own" >/dev/null
cli "set map $maps/tcp-ports.map $p2 $db" >/dev/null
cli "del map $maps/sni.map db.tls.test" >/dev/null
kill -CONT "$slotd_pid"
await "the ports are put right" 10 map_is tcp-ports "$(lines "$p2 backend-own" "$p3 $db")"
await "the names too" 10 map_is sni "db.tls.test $(backend_of exact),"
await "in step with the new HAProxy" 10 status_is_good
equal "all serve" "db own by db.tls.test" "$(ask "$p3") $(ask "$p2") $(secure db.tls.test)"
# A protocol that is another: no port leads there.
put_app /own 1 '{"x":"y"}'
await "mode http has no port" 10 map_is tcp-ports "$p3 $db,"
equal "HAProxy was never reloaded" "" "$(grep -i reload "$work/haproxy.log")"

#!/bin/sh
# SPDX-License-Identifier: MIT
# slotctl doctor: what is wrong between slotd.conf and a HAProxy is found, one mistake at a time, with what would help; where
# nothing is, nothing is said.
BUILD=$1
. "$(dirname "$0")/lib.sh"
ctl=$BUILD/slotctl
conf=$work/slotd.conf
maps=$work/maps
state=$work/haproxy.state
socket=$work/haproxy.sock
mkdir "$maps"

doctor() { # [OPTION...]: the document in $work/out; returns doctor's exit code
    "$ctl" -o json doctor -c "$conf" "$@" >"$work/out" 2>"$work/err"
}
# What was found, a line each: SEVERITY CODE SUBJECT.
found() { python3 -c "
import json
for f in json.load(open('$work/out'))['findings']:
    print(f['severity'], f['code'], f['subject'].replace('$work/', ''))"; }
bad() { found | grep -v '^ok '; }
finds() { found | grep -xF -- "$1" >/dev/null; } # "SEVERITY CODE SUBJECT"
lacks() { ! found | grep -- "$1" >/dev/null; }
remedy() { # CODE: of its first finding
    python3 -c "
import json
print(next(f['remedy'] for f in json.load(open('$work/out'))['findings'] if f['code'] == '$1'))"
}
message() { # CODE
    python3 -c "
import json
print(next(f['message'] for f in json.load(open('$work/out'))['findings'] if f['code'] == '$1'))"
}

write_conf() { # [SOCKET [REST-OF-HAPROXY [REST]]]
    cat >"$conf" <<CONF
marathon = { endpoints = [ "${marathon:-http://127.0.0.1:1}" ]; ${marathon_extra:-} };
haproxy = ( { name = "edge"; socket = "${1:-$socket}"; state_file = "$state"; ${2:-} } );
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
${3:-}
CONF
}
run_haproxy() { # what comes behind `defaults`, on standard input
    {
        cat <<CFG
global
    stats socket $socket mode 660 level admin
    stats socket $work/operator.sock mode 600 level operator
    stats socket $work/user.sock mode 600 level user
    ${haproxy_global-server-state-file $state}
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    balance roundrobin
    default-server init-addr last,0.0.0.0
    ${haproxy_defaults-load-server-state-from-file global}
CFG
        cat
    } >"$work/haproxy.cfg"
    begin_haproxy
}
begin_haproxy() {
    sh -c '[ -z "$0" ] || ulimit -n "$0"; exec "$@"' "${haproxy_files:-}" \
        "$HAPROXY" -W -S "$work/master.sock" -db -f "$work/haproxy.cfg" -p "$work/haproxy.pid" >>"$work/haproxy.log" 2>&1 &
    haproxy_pid=$!
    pids="$pids $haproxy_pid"
    await "HAProxy answers" 10 cli "show info"
}
end_haproxy() {
    kill -KILL $(cat "$work/haproxy.pid")
    wait "$haproxy_pid" 2>/dev/null
    pids=$(for pid in $pids; do [ "$pid" = "$haproxy_pid" ] || printf '%s ' "$pid"; done)
    rm -f "$socket"
}
good='backend web
    server-template s 4 slot.invalid:1 disabled'

# ---- words and slotd.conf ----

for words in "extra" "-c" "-x" "-c $conf extra"; do
    "$ctl" doctor $words >/dev/null 2>"$work/err"
    equal "doctor $words: exit code" 2 $?
    check "doctor $words: the usage" grep -qx 'usage: slotctl doctor \[-c FILE\]' "$work/err"
done
check "help knows it" sh -c "'$ctl' help doctor | grep -q '^usage: slotctl doctor'"
doctor
equal "no file: exit code" 1 $?
check "it is named" finds "error configuration slotd.conf"
write_conf "" "nonsense = 1;"
doctor
equal "an unknown key: exit code" 1 $?
check "its line is named" finds "error configuration slotd.conf:2"
equal "and nothing else is said" 1 "$(found | wc -l)"
check "on standard error neither" [ ! -s "$work/err" ]

# ---- the socket ----

write_conf
doctor
equal "no socket: exit code" 1 $?
check "no socket" finds "error socket-missing haproxy.sock"
equal "the line that is missing" "haproxy.cfg, global: stats socket $socket user root group haproxy mode 660 level admin expose-fd listeners" "$(remedy socket-missing)"
check "slotd does not run: that is no error" finds "hint slotd-down slotd.sock"
: >"$socket"
doctor
check "a file" finds "error socket-no-socket haproxy.sock"
rm "$socket"
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$socket')"
doctor
check "nobody listens" finds "error socket-refused haproxy.sock"
rm "$socket"
write_conf "127.0.0.1:$(free_port)"
doctor
check "nobody at an address" finds "error socket-refused $(sed -n 's/.*socket = "\(127[^"]*\)".*/\1/p' "$conf")"
cat >"$work/peer.py" <<'PY'
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(8)
held = []
while True:
    peer, _ = listener.accept()
    held.append(peer)
    if len(sys.argv) > 2:
        peer.recv(100)
        peer.sendall(sys.argv[2].encode() + b"\n")
        peer.close()
PY
for says in "220 mail.example.com ready" ""; do
    python3 "$work/peer.py" "$work/peer.sock" ${says:+"$says"} 2>>"$work/peer.log" &
    peer=$!
    pids="$pids $peer"
    await "a stranger listens" 10 test -S "$work/peer.sock"
    write_conf "$work/peer.sock"
    doctor
    check "a stranger (${says:-silent})" finds "error socket-$([ -n "$says" ] && echo stranger || echo silent) peer.sock"
    kill $peer
    wait $peer 2>/dev/null
    rm "$work/peer.sock"
done
echo "$good" | run_haproxy
for other in operator user master; do
    write_conf "$work/$other.sock"
    doctor
    equal "$other: exit code" 1 $?
    check "$other" finds "error socket-$([ $other = master ] && echo master || echo level) $other.sock"
done
write_conf
doctor
equal "the right one: exit code" 0 $?
check "the right one" finds "ok socket haproxy.sock"
check "the process" finds "ok process edge"
check "its slots" finds "ok slots edge"
equal "they are counted" "4 slots in 1 backend, 0 in use" "$(message slots)"
check "no state file yet" finds "warning state-file-missing haproxy.state"
check "as text" sh -c "'$ctl' doctor -c '$conf' | grep -qx 'ok       edge: 4 slots in 1 backend, 0 in use'"
check "as text, what helps" sh -c "'$ctl' doctor -c '$conf' | grep -qx '         -> systemctl start slotd'"
chmod 666 "$socket"
doctor
check "a socket for everybody" finds "warning socket-open haproxy.sock"
chmod 660 "$socket"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work"
    cp "$BUILD/slotctl" "$work/slotctl"
    chmod 644 "$conf"
    setpriv --reuid nobody --regid nogroup --clear-groups "$work/slotctl" -o json doctor -c "$conf" >"$work/out"
    equal "as a stranger: exit code" 1 $?
    check "as a stranger" finds "error socket-permission haproxy.sock"
fi
end_haproxy

# ---- servers and backends ----

run_haproxy <<'CFG'
backend right
    server-template s 2 slot.invalid:1 disabled
backend literal
    server-template s 2 0.0.0.0:0 disabled
backend nowhere
    server-template s 2 slot.invalid:1 init-addr none disabled
backend enabled
    server-template s 2 slot.invalid:1
backend static
    balance static-rr
    server-template s 2 slot.invalid:1 disabled
backend hash
    balance source
    server-template s 2 slot.invalid:1 disabled
backend single
    server-template s 1 slot.invalid:1 disabled
backend full
    server-template s 2 slot.invalid:1 disabled
backend foreign
    server one 127.0.0.1:9
    server two 127.0.0.1:10 disabled
CFG
cli "set server full/s1 addr 127.0.0.1 port 9; set server full/s2 addr 127.0.0.1 port 9" >/dev/null
cli "set server full/s1 state ready; set server full/s2 state ready" >/dev/null
doctor
equal "broken servers: exit code" 1 $?
equal "each is found once, and nothing else of servers" "error slot-literal literal
error slot-not-disabled enabled
error slot-without-address nowhere
hint balance-hash hash
hint slots-few single
warning balance-static static
warning slots-taken full" "$(bad | grep -v -e ' slotd' -e ' state-file' | sort)"
equal "what the form should be" "haproxy.cfg, backend enabled: server-template s 20 slot.invalid:1 disabled" "$(remedy slot-not-disabled)"
end_haproxy
run_haproxy <<'CFG'
backend foreign
    server one 127.0.0.1:9
CFG
doctor
check "no slot at all" finds "error slots-none edge"
end_haproxy
printf 'backend web\n    server-template s 400 slot.invalid:1 check disabled\n' | haproxy_files=700 run_haproxy
doctor
check "descriptors" finds "warning descriptors edge"
end_haproxy

# ---- the state file ----

echo "$good" | run_haproxy
rows() { cli "show servers state"; }
rows >"$state"
doctor
equal "in step, slotd down: all that is said" "hint slotd-down slotd.sock" "$(bad)"
cli "set server web/s1 addr 127.0.0.1 port 9" >/dev/null
cli "set server web/s1 state ready" >/dev/null
doctor
check "out of step" finds "warning state-file-out-of-step haproxy.state"
check "by how much" sh -c "echo '$(message state-file-out-of-step)' | grep -q ', and 1 slot is otherwise by now'"
echo 1 >"$state"
doctor
check "an empty one is out of step too" finds "warning state-file-out-of-step haproxy.state"
rows | sed 's/ web / other /' >"$state"
doctor
check "another HAProxy's" finds "warning state-file-foreign haproxy.state"
echo "no state" >"$state"
doctor
check "no such file" finds "error state-file-broken haproxy.state"
rm "$state"
mkdir "$state"
doctor
check "a folder" finds "error file-no-file haproxy.state"
rmdir "$state"
rows >"$state"
sed -i "s|$state|$work/none/haproxy.state|" "$conf"
doctor
check "without its folder" finds "error folder-missing none/haproxy.state"
check "HAProxy reads another one" finds "warning state-file-not-read none/haproxy.state"
equal "the line that is right" "haproxy.cfg, global: server-state-file $work/none/haproxy.state" "$(remedy state-file-not-read)"
sed -i 's|state_file = "[^"]*"|state_file = ""|' "$conf"
doctor
check "none is set" finds "hint state-file-unset edge"
end_haproxy
write_conf
rm "$state"
echo "$good" | haproxy_global= haproxy_defaults= run_haproxy
rows >"$state"
doctor
check "HAProxy reads none" finds "warning state-file-not-read haproxy.state"
end_haproxy
echo "$good" | haproxy_defaults= run_haproxy
doctor
check "HAProxy loads none" finds "warning state-file-not-loaded haproxy.state"
end_haproxy

# ---- maps and pools ----

write_conf "" "maps_dir = \"$maps\";" 'slots = { pools = ( { class = "http"; prefix = "pool-http-"; server_options = "check inter 1s"; },
    { class = "tcp"; prefix = "pool-tcp-"; }, { class = "sticky"; prefix = "pool-sticky-"; } ); };'
mkdir "$work/elsewhere"
: >"$maps/routes.map"
: >"$work/elsewhere/paths.map"
run_haproxy <<CFG
frontend edge
    bind 127.0.0.1:$(free_port)
    http-request set-var(txn.backend) path,map_beg($maps/routes.map)
    http-request set-var(txn.backend) path,map_str($work/elsewhere/paths.map)
    use_backend %[var(txn.backend)]
backend pool-http-001
    server-template s 2 slot.invalid:1 check disabled
backend pool-http-002
    server-template s 3 slot.invalid:1 check disabled
backend pool-http-003
backend pool-tcp-001
    server-template s 2 slot.invalid:1 disabled
CFG
rows >"$state"
doctor
equal "maps and pools: all that is said" "error leases-map-unknown maps/leases.map
error map-elsewhere maps/paths.map
error pool-backend-without-slots pool-http-003
error pool-mode pool-tcp-001
warning pool-empty pool-sticky-
warning pool-unequal pool-http-001" "$(bad | grep -v -e ' slotd' -e pool-not-growing | sort)"
equal "no servers are added without their options, where HAProxy could" "$("$HAPROXY" -v | grep -q 'version 2\.4' && echo 0 || echo 1)" "$(found | grep -c '^hint pool-not-growing pool-tcp-$')"
equal "which maps_dir would be right" "slotd.conf, haproxy: maps_dir = \"$work/elsewhere\"; or, in haproxy.cfg, the path $maps/paths.map" "$(remedy map-elsewhere)"
cli "add map $maps/routes.map web.test/ pool-http-001; add map $maps/routes.map web.test/ pool-http-002; add map $maps/routes.map old.test/ pool-http-009" >/dev/null
doctor
check "a key twice" finds "warning map-doubles maps/routes.map"
check "a route to nowhere" finds "warning route-to-nowhere maps/routes.map"
check "the file is not in step" finds "warning map-out-of-step maps/routes.map"
equal "one key twice" "1 entry has a key that stands there before, such as web.test/: HAProxy goes by the first" "$(message map-doubles)"
equal "one route to nowhere" "1 route leads to a backend that HAProxy does not have, such as old.test/ to pool-http-009" "$(message route-to-nowhere)"
equal "two keys" "file and HAProxy differ in 2 keys: a restart of HAProxy would change them" "$(message map-out-of-step)"
if command -v socat >/dev/null; then
    remedy map-doubles >"$work/remedy.sh"
    sh "$work/remedy.sh" >/dev/null
    doctor
    check "the remedy, pasted, helps" lacks map-doubles
fi
printf '# by hand\nweb.test/  pool-http-001\nold.test/ pool-http-009\n' >"$maps/routes.map"
doctor
check "in step again" lacks map-out-of-step
rm "$maps/routes.map"
doctor
check "HAProxy would not start again" finds "error map-missing maps/routes.map"
sed -i 's|maps_dir = "[^"]*";||' "$conf"
doctor
check "pools without maps" finds "error leases-without-maps edge"
end_haproxy
rm "$state"

# ---- secrets ----

echo secret >"$work/password"
chmod 644 "$work/password"
marathon_extra="user = \"u\"; password_file = \"$work/password\";" write_conf
doctor
check "a secret for everybody" finds "warning secret-open password"
equal "what helps" "chmod o-rwx $work/password" "$(remedy secret-open)"
rm "$work/password"
doctor
check "a secret that is not there" finds "error secret-missing password"

# ---- all is well ----

start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
edge_port=$(free_port)
write_conf "" "maps_dir = \"$maps\";" "edge = { http_bind = \"127.0.0.1:$edge_port\"; };"
"$ctl" render -c "$conf" --init --backends 2 --slots 4 >"$work/rendered.cfg" 2>"$work/err"
localize() { sed -e "/^    \(chroot\|user\|group\|log \/dev\)/d" -e "s/user root group haproxy //"; }
localize <"$work/rendered.cfg" >"$work/haproxy.cfg"
begin_haproxy
doctor
equal "rendered: exit code" 0 $?
equal "rendered: no error, no warning" "" "$(bad | grep -v '^hint ')"
made=$("$HAPROXY" -v | python3 -c 'import re,sys; print(int(tuple(map(int, re.search(r"version (\d+)\.(\d+)", sys.stdin.read()).groups())) >= (3, 4)))')
equal "what backends made at run time cost is said where HAProxy can have them" "$made" "$(found | grep -c '^hint backends-made edge$')"
put_app /web 2 '{"traefik.frontend.rule":"Host:web.test"}'
start_slotd
await "slotd is in step" 10 status_is_good
answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Host: web.test" "http://127.0.0.1:$edge_port/")" = 200 ]; }
await "the app is served" 10 answers
write_conf "" "maps_dir = \"$maps\";" "slots = { add_servers = false; };"
is_on_disk() { doctor && finds "ok map maps/routes.map"; }
await "the app's route is on disk" 10 is_on_disk
doctor
equal "rendered, with slotd: exit code" 0 $?
equal "nothing is said but that it is good" "" "$(bad)"
for ok in "configuration slotd.conf" "slotd slotd" "socket haproxy.sock" "process edge" "slots edge" "state-file haproxy.state" "map maps/routes.map" "map maps/leases.map" "pool pool-http-" "pool pool-tcp-"; do
    check "it is said of $ok" finds "ok $ok"
done
check "and of no other map that it is wrong" lacks elsewhere
"$ctl" doctor -c "$conf" -s "$work/nobody.sock" >"$work/text"
equal "-s counts: exit code" 0 $?
check "-s counts" grep -q "nobody.sock: slotd does not run" "$work/text"

# ---- slotd runs, and something is wrong ----

cat >"$work/second.conf" <<CONF
marathon = { endpoints = [ "http://127.0.0.1:1" ]; };
haproxy = ( { name = "edge"; socket = "$socket"; } );
control = { socket = "$work/second.sock"; state_dir = "$work/second"; };
CONF
mkdir "$work/second"
"$BUILD/slotd" -c "$work/second.conf" >>"$work/second.log" 2>&1 &
second_pid=$!
pids="$pids $second_pid"
await "a second slotd is connected" 10 grep -q adopted "$work/second.log"
doctor
check "a second slotd" finds "hint socket-shared haproxy.sock"
kill "$second_pid"
wait "$second_pid"

# A disk that takes its time, after which slotd pauses: what it has not written yet is no finding.
stop_slotd
LD_PRELOAD=$BUILD/tests/integration/disk_shim.so DISK_SHIM_HOLD=$work/hold ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS:-}" "$BUILD/slotd" -c "$conf" >>"$work/slotd.log" 2>&1 &
slotd_pid=$!
pids="$pids $slotd_pid"
await "slotd is in step" 10 status_is_good
saved() { # NAME: whether slotd says that it has written the file
    "$ctl" -o json -s "$work/slotd.sock" status | python3 -c "
import json, sys
edge = json.load(sys.stdin)['haproxy'][0]
print(edge['state_file_saved'] if '$1' == 'state' else next(m['file_saved'] for m in edge['maps'] if m['file'].endswith('/$1')))"; }
for path in one two; do
    : >"$work/hold"
    put_app /web 2 "{\"traefik.frontend.rule\":\"Host:web.test,$path.test\"}"
    await "HAProxy has the host $path" 10 sh -c "curl -s -H 'Host: $path.test' http://127.0.0.1:$edge_port/ | grep -q ^web"
    equal "$path: which is not on disk yet" False "$(saved routes.map)"
    equal "nor the servers" False "$(saved state)"
    if [ $path = one ]; then
        doctor
        equal "a disk that hangs: exit code" 0 $?
        equal "is a hint" "hint map-being-written maps/routes.map
hint state-file-being-written haproxy.state" "$(bad | sort)"
        equal "which says how much is to come" "slotd is about to write it: file and HAProxy differ in 1 key so far" "$(message map-being-written)"
    fi
    doctor &
    doctor_pid=$!
    rm "$work/hold"
    wait "$doctor_pid"
    equal "$path: exit code" 0 $?
    equal "$path: what slotd has yet to write is no finding" "" "$(bad)"
    check "$path: it was waited for" grep -q "^$path.test/" "$maps/routes.map"
    check "$path: and is good" finds "ok map maps/routes.map"
    check "$path: as the servers are" finds "ok state-file haproxy.state"
done
echo "new.test/ pool-http-001" >>"$maps/routes.map"
doctor
check "another hand is told from it" finds "warning map-out-of-step maps/routes.map"
equal "one key" "file and HAProxy differ in 1 key: a restart of HAProxy would change it" "$(message map-out-of-step)"
sed -i '/^new\.test/d' "$maps/routes.map"
stop_slotd
start_slotd
await "a quick disk again" 10 status_is_good

sed -i "s/name = \"edge\"/name = \"other\"/" "$conf"
doctor
check "another slotd.conf" finds "warning slotd-other-configuration slotd"
sed -i "s/name = \"other\"/name = \"edge\"/" "$conf"
echo "new.test/ pool-http-001" >>"$maps/routes.map"
doctor
equal "what another hand added to a map's file: exit code" 0 $?
check "is found" finds "warning map-out-of-step maps/routes.map"
sed -i '/^new\.test/d' "$maps/routes.map"
touch -d "2 hours ago" "$state"
doctor
check "a state file that is not written" finds "warning state-file-old haproxy.state"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    stop_slotd
    cp "$BUILD/slotd" "$work/slotd"
    touch "$work/slotd.log"
    mkdir "$work/own"
    chown nobody "$work/own"
    sed -i "s|$work/slotd.sock\"; state_dir = \"$work\"|$work/own/slotd.sock\"; state_dir = \"$work/own\"|" "$conf"
    setpriv --reuid nobody --regid nogroup --clear-groups "$work/slotd" -c "$conf" >>"$work/slotd.log" 2>&1 &
    slotd_pid=$!
    pids="$pids $slotd_pid"
    await "slotd listens" 10 test -S "$work/own/slotd.sock"
    doctor
    equal "slotd's rights: exit code" 1 $?
    check "slotd may not connect" finds "error socket-permission-slotd haproxy.sock"
    check "and says so itself" finds "error slotd-degraded slotd"
    check "slotd may not write the state file" finds "error folder-permission haproxy.state"
    check "nor a map" finds "error folder-permission maps/routes.map"
    check "its user is named" sh -c "echo \"$(message folder-permission)\" | grep -q \"^slotd's user nobody may not write \""
fi

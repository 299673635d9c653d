#!/bin/sh
# SPDX-License-Identifier: MIT
# What programs rely on: each key of slotctl's documents, of the type that it has, and each metric with its HELP and TYPE. See
# contract.py.
BUILD=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

maps=$work/maps
mkdir "$maps"
start_sim --starting-ms 5 --running-ms 5 --killing-ms 5 --killed-ms 50
cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "1s"; };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; };
slots = { add_backends = false; pools = ( { class = "http"; prefix = "pool-http-"; server_options = "check inter 1s"; }, { class = "tcp"; prefix = "pool-tcp-"; } ); };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; http = "127.0.0.1:0"; };
edge = { http_bind = "127.0.0.1:$(free_port)"; tcp_bind = "127.0.0.1:$(free_port)"; };
CONF
"$BUILD/slotctl" render -c "$work/slotd.conf" --init --backends 4 --slots 4 >"$work/rendered.cfg" 2>"$work/render.log"
equal "render --init" 0 $?
write_haproxy_cfg() {
    sed -e '/^    chroot /d' -e '/^    user haproxy$/d' -e '/^    group haproxy$/d' -e 's/ user root group haproxy / /' "$work/rendered.cfg" >"$work/haproxy.cfg"
}
start_haproxy
put_app /web 2 '{"traefik.frontend.rule":"Host:web.test;PathPrefix:/a","traefik.frontend.whiteList.sourceRange":"10.0.0.0/8"}'
put_app /db 1 '{"traefik.protocol":"tcp","traefik.tcp.sni":"db.test"}'
put_app /wrong 1 '{"traefik.weight":"x"}'
start_slotd
await "in step" 20 status_is_good
await "the web serves" 20 eval '[ "$(ctl -o json services /web | grep -o "\"phase\": *\"ready\"" | wc -l)" = 2 ]'
check "a drain" ctl drain app /web
check "a weight" ctl weight app /web 3
curl -sf "$marathon/v2/apps?embed=apps.tasks&embed=apps.deployments&embed=apps.readiness" >"$work/apps.json"
for command in status services routes slots drains events weight plan sync; do
    ctl -o json "$command" >"$work/$command.json"
    equal "slotctl $command" 0 $?
done
"$BUILD/slotctl" -o json map "$work/apps.json" -c "$work/slotd.conf" >"$work/map.json"
equal "slotctl map" 0 $?
"$BUILD/slotctl" -o json doctor -c "$work/slotd.conf" >"$work/doctor.json"
equal "slotctl doctor" 0 $?
ctl undrain app /web >/dev/null
http=$(sed -n 's|.*http: listens at \([^ ]*\).*|\1|p' "$work/slotd.log" | tail -n 1)
curl -sf "${http%/}/metrics" >"$work/metrics.txt"
equal "/metrics" 0 $?
python3 "$here/contract.py" "$work" >"$work/contract.out"
cat "$work/contract.out"
passed=$((passed + $(grep -c '^good' "$work/contract.out")))
failed=$((failed + $(grep -c '^FAILED' "$work/contract.out")))
check "all of it was looked at" grep -q '^good metrics$' "$work/contract.out"

# SPDX-License-Identifier: MIT
# What every integration test uses: a scratch folder, daemons that end with the test, waiting for conditions, counting.
# Use: BUILD=... ; . lib.sh ; then start_* and the checks. Ports come from the kernel.
# shellcheck shell=sh disable=SC2034,SC2154

HAPROXY=${HAPROXY:-$(command -v haproxy || echo /usr/sbin/haproxy)}
work=$(mktemp -d "${TMPDIR:-/tmp}/slotd-test.XXXXXX")
pids=
passed=0
failed=0
skipped=0

cleanup() {
    code=$?
    for pid in $pids; do kill "$pid" 2>/dev/null; done
    [ -f "$work/haproxy.pid" ] && kill $(cat "$work/haproxy.pid") 2>/dev/null
    for pid in $pids; do wait "$pid" 2>/dev/null; done
    if [ "$failed" -gt 0 ] || [ "$code" -ne 0 ]; then
        for log in "$work"/*.log; do
            [ -s "$log" ] && { echo "--- $(basename "$log"), its end:"; tail -n "${LOG_LINES:-40}" "$log"; }
        done
    fi
    [ -n "${KEEP:-}" ] || rm -rf "$work"
    [ "$code" -eq 0 ] || failed=$((failed + 1))
    [ "$skipped" -eq 0 ] || skips=", $skipped skipped"
    echo "$passed passed, $failed failed${skips:-}"
    [ "$failed" -eq 0 ] || exit 1
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

pass() { passed=$((passed + 1)); }
skip() { skipped=$((skipped + 1)); echo "skipped: $*"; }
fail() { failed=$((failed + 1)); echo "FAILED: $*"; }
check() { # TEXT COMMAND...: the command succeeds
    check_text=$1
    shift
    if "$@"; then pass; else fail "$check_text"; fi
}
equal() { # TEXT WANTED GOT
    if [ "$2" = "$3" ]; then pass; else fail "$1: wanted '$2', got '$3'"; fi
}
await() { # TEXT SECONDS COMMAND...: the command succeeds in time
    await_text=$1
    await_left=$(($2 * 50))
    shift 2
    until "$@" >/dev/null 2>&1; do
        await_left=$((await_left - 1))
        if [ "$await_left" -le 0 ]; then
            fail "$await_text: not in time"
            return 1
        fi
        sleep 0.02
    done
    pass
}

free_port() { python3 "$(dirname "$0")/free_port.py"; }

start_sim() { # OPTION...
    "$BUILD/tests/sim/marathon-sim" --listen "127.0.0.1:${sim_port:-0}" --backends "$@" >"$work/sim.out" 2>"$work/sim.log" &
    sim_pid=$!
    pids="$pids $sim_pid"
    await "the simulator listens" 10 grep -q listening "$work/sim.out"
    marathon=$(sed -n 's/^listening on //p' "$work/sim.out")
    sim_port=${marathon##*:}
}
sim() { # PATH[?QUERY]: the control API
    curl -sf -X POST "$marathon/sim/$1" >/dev/null
}
sim_stat() { curl -sf "$marathon/sim/stats" | python3 -c "import json,sys; print(json.load(sys.stdin)['$1'])"; }
sim_settled() { [ "$(sim_stat settled)" = True ]; }
put_app() { # ID INSTANCES [LABELS-JSON]
    curl -sf -X PUT "$marathon/v2/apps$1" -d "{\"instances\":$2${3:+,\"labels\":$3}}" >/dev/null
}
# A fault proxy in front of TO, which listens at an address of the same kind: $NAME_at; and the URL of its control: $NAME_control.
start_proxy() { # NAME TO [OPTION...]
    proxy_name=$1
    proxy_to=$2
    shift 2
    case $proxy_to in */*) proxy_listen="$work/$proxy_name.sock" ;; *) proxy_listen=127.0.0.1:0 ;; esac
    "$BUILD/tests/sim/fault-proxy" --listen "$proxy_listen" --to "$proxy_to" "$@" >"$work/$proxy_name.out" 2>"$work/$proxy_name.log" &
    pids="$pids $!"
    eval "${proxy_name}_pid=$!"
    await "the fault proxy $proxy_name listens" 10 grep -q control "$work/$proxy_name.out"
    eval "${proxy_name}_at=$(sed -n 's/^listening on //p' "$work/$proxy_name.out")"
    eval "${proxy_name}_control=$(sed -n 's/^control on //p' "$work/$proxy_name.out")"
}
proxy() { # NAME PATH[?QUERY]: orders its faults
    eval "proxy_url=\$${1}_control"
    curl -sf -X POST "$proxy_url/$2" >/dev/null
}
proxy_stat() { # NAME KEY
    eval "proxy_url=\$${1}_control"
    curl -sf "$proxy_url/stats" | python3 -c "import json,sys; print(json.load(sys.stdin)['$2'])"
}
tasks_of() { # ID: the ids of its running tasks
    curl -sf "$marathon/v2/apps$1" | python3 -c '
import json, sys
for task in json.load(sys.stdin)["app"]["tasks"]:
    if task["state"] == "TASK_RUNNING": print(task["id"])'
}

# Whether a program was built with ASan, which has ways of its own with memory, signals and cores.
is_asan() { grep -q __asan_init "$1"; }

# backends: lines "NAME SLOTS [OPTIONS]" in $backends; each is routed by its name as the host, or as $frontend_rules say.
write_haproxy_cfg() {
    edge_port=${edge_port:-$(free_port)}
    {
        cat <<CFG
global
    stats socket $work/haproxy.sock mode 660 level admin expose-fd listeners
    server-state-file $work/haproxy.state
    ${haproxy_global:-}
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    retries ${haproxy_retries:-0}
    $("$HAPROXY" -v | grep -q 'version 2\.4' || echo option idle-close-on-response)
    load-server-state-from-file global
    ${haproxy_defaults:-}
frontend edge
    bind 127.0.0.1:$edge_port
${frontend_rules:-    use_backend %[req.hdr(host),field(1,:),lower]}
CFG
        echo "$backends" | while read -r name slots options; do
            [ -n "$name" ] || continue
            cat <<CFG
backend $name
    balance roundrobin
    default-server init-addr last,0.0.0.0 $options
    server-template s $slots slot.invalid:1 disabled
CFG
        done
        echo "${haproxy_extra:-}"
    } >"$work/haproxy.cfg"
}
start_haproxy() {
    write_haproxy_cfg
    "$HAPROXY" -W -db -f "$work/haproxy.cfg" -p "$work/haproxy.pid" >>"$work/haproxy.log" 2>&1 &
    haproxy_pid=$!
    pids="$pids $haproxy_pid"
    await "HAProxy answers" 10 cli "show info"
}
# One line on the Runtime API, on a connection of its own.
cli() {
    python3 - "$work/haproxy.sock" "$1" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
while True:
    data = s.recv(65536)
    if not data:
        break
    sys.stdout.write(data.decode())
PY
}

# Every server as HAProxy shows it, without the seconds since its last change.
servers() { cli "show servers state" | cut -d' ' -f1-9,11-; }

# Whether the state file has the servers that HAProxy has, but for those in maint: a disk that takes long keeps it behind.
serving_rows() { awk 'NF > 18 && $1 != "#" && $7 % 2 == 0 { print $2, $4, $5, $19 }' | sort; }
state_file_is_current() {
    cli "show servers state" | serving_rows >"$work/state.shown"
    [ -s "$work/state.shown" ] && serving_rows <"$work/haproxy.state" | cmp -s - "$work/state.shown"
}

write_slotd_conf() {
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ ${endpoints:-\"$marathon\"} ]; resync_interval = "${resync:-60s}"; ${marathon_extra:-} };
haproxy = ( { name = "edge"; socket = "$work/haproxy.sock"; state_file = "$work/haproxy.state"; } );
mapping = { domain = "test"; ${mapping_extra:-} };
slots = { ${slots_extra:-} };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; };
CONF
}
start_slotd() { # OPTION...
    [ -f "$work/slotd.conf" ] || write_slotd_conf
    "$BUILD/slotd" -c "$work/slotd.conf" "$@" >>"$work/slotd.log" 2>&1 &
    slotd_pid=$!
    pids="$pids $slotd_pid"
}
stop_slotd() { kill "$slotd_pid" && wait "$slotd_pid"; }
ctl() { "$BUILD/slotctl" -s "$work/slotd.sock" "$@"; }
status_is_good() { ctl status; }
status_says() { ctl status | grep -q -- "$1"; }
# slot_count BACKEND STATE
slot_count() { ctl -o json slots "$1" | python3 -c "import json,sys; print(sum(s['state']=='$2' for s in json.load(sys.stdin)['slots']))"; }
slots_are() { [ "$(slot_count "$1" "$2")" = "$3" ]; }

# One load has no name; a test with several gives each one its own.
start_load() { start_load_as load "$@"; } # HOST [OPTION...]
start_load_as() { # NAME HOST [OPTION...]
    load_name=$1
    load_host=$2
    shift 2
    "$BUILD/tests/sim/loadgen" -p "$edge_port" -h "$load_host" -v "$@" >"$work/$load_name.json" 2>"$work/$load_name.log" &
    load_pid=$!
    echo "$load_pid" >"$work/$load_name.pid"
    pids="$pids $load_pid"
}
stop_load() { # [NAME]
    load_pid=$(cat "$work/${1:-load}.pid")
    kill -TERM "$load_pid"
    wait "$load_pid"
    # Its number may soon be another process's.
    pids=$(for pid in $pids; do [ "$pid" = "$load_pid" ] || printf '%s ' "$pid"; done)
}
load_value() { python3 -c "import json; print(json.load(open('$work/${2:-load}.json'))['$1'])"; } # KEY [NAME]

# ---- maps ----

# A folder for map files, $maps, and the lines of a frontend that routes by them and keeps leases.
use_maps() {
    maps=$work/maps
    mkdir "$maps"
    lease_rules="    http-request set-var(txn.key) path
    http-request set-var(txn.key) req.hdr(host),field(1,:),lower,concat(,txn.key)
    http-request set-var(txn.be) var(txn.key),map_str($maps/paths.map)
    http-request set-var(txn.be) var(txn.key),map_beg($maps/routes.map) unless { var(txn.be) -m found }
    http-request set-var(txn.lease) str(x),map($maps/leases.map)
    use_backend %[var(txn.be)] if { var(txn.be) -m found }"
}
in_map() { cli "show map $maps/$1.map" | cut -d' ' -f2- | sed '/^$/d' | sort | tr '\n' ','; }
map_is() { [ "$(in_map "$1")" = "$2" ]; }
file_is() { [ "$(sort "$maps/$1.map" | tr '\n' ',')" = "${2-$(in_map "$1")}" ]; } # MAP [LINES]: without LINES, those of HAProxy's
backend_of() { cli "show map $maps/leases.map" | sed -n "s/^[^ ]* backend-$1 //p"; }

# What `slotctl render` writes, for a user without rights: no chroot, no other user.
localize() {
    sed -e '/^    chroot /d; /^    user haproxy$/d; /^    group haproxy$/d; /log \/dev\/log/d' -e 's/ user root group haproxy / /; s/ user haproxy group haproxy mode / mode /' \
        -e "s|unix@/var/lib/haproxy/slotd|unix@$work/slotd|; s|unix@/slotd|unix@$work/slotd|"
}

# slotd.conf for a HAProxy with maps; $pools, $slots_extra, $control_extra and $edge_extra go into their groups.
write_maps_conf() { # [SOCKET]
    cat >"$work/slotd.conf" <<CONF
marathon = { endpoints = [ "$marathon" ]; resync_interval = "${resync:-1s}"; };
haproxy = ( { name = "edge"; socket = "${1:-$work/haproxy.sock}"; state_file = "$work/haproxy.state"; maps_dir = "$maps"; } );
mapping = { domain = "test"; ${mapping_extra:-} };
slots = { ${pools:+pools = ( $pools );} ${slots_extra:-} };
control = { socket = "$work/slotd.sock"; state_dir = "$work"; ${control_extra:-} };
edge = { ${edge_extra:-} };
CONF
}
# The app that answered with $work/answer; code: of the answer, which stands alone unless it is 200.
answered_by() { if [ "$1" = 200 ]; then sed 's/[._].*//' "$work/answer"; else echo "$1"; fi; }
delete_app() { curl -sf -X DELETE "$marathon/v2/apps$1" >/dev/null; }
problems() { ctl -o json services "$@" | python3 -c "import json,sys; print(' '.join(sorted({p['app'] + ':' + p['code'] for p in json.load(sys.stdin)['problems']})))"; }
commands() { ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["commands"])'; }

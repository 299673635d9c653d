# SPDX-License-Identifier: MIT
# What the demos have in common: HAProxy as haproxy-cfg/minimal.cfg has it, steps that are shown, and an end that leaves nothing behind.
# Use: BUILD=... here=... keep=... ; . demo_lib.sh ; then backend=NAME and start_demo_haproxy.
# shellcheck shell=sh disable=SC2034,SC2154
. "$here/lib.sh"
trap - EXIT

finish() {
    code=$?
    if [ "$code" -eq 0 ] && [ "$keep" = --keep ]; then
        cat <<TEXT

Left running (stop it with: kill ${pids% } && rm -r $work):
  HAProxy    http://127.0.0.1:$edge_port/  with  Host: web.example.com
  Marathon   $marathon
  slotctl    $BUILD/slotctl -s $work/slotd.sock status
  files      $work
TEXT
        exit 0
    fi
    [ "$code" -eq 0 ] || { echo "demo: failed"; tail -n 20 "$work"/*.log; }
    [ -z "${MARATHON_URL:-}" ] || [ -z "${app:-}" ] || curl -sf -X DELETE "$marathon/v2/apps$app?force=true" >/dev/null
    for pid in $pids; do kill "$pid" 2>/dev/null; done
    for pid in $pids; do wait "$pid" 2>/dev/null; done
    rm -rf "$work"
    exit $code
}
trap finish EXIT

say() { printf '%s\n' "$*"; }
must() { # TEXT SECONDS COMMAND...
    before=$failed
    await "$@"
    [ "$failed" -eq "$before" ] || exit 1
}
call() { # METHOD APP [BODY]
    curl -sf -X "$1" "$marathon/v2/apps$2" ${3:+-d "$3"} >/dev/null || { echo "demo: Marathon refused $1 $2"; exit 1; }
}

start_demo_haproxy() {
    edge_port=$(free_port)
    sed -e "s|/run/haproxy/admin.sock user root group haproxy|$work/haproxy.sock|" -e "s|/run/slotd|$work|" -e "s|bind \*:80|bind 127.0.0.1:$edge_port|" \
        -e "s|backend-web|$backend|" "$here/../../haproxy-cfg/minimal.cfg" >"$work/haproxy.cfg"
    "$HAPROXY" -W -db -f "$work/haproxy.cfg" -p "$work/haproxy.pid" >"$work/haproxy.log" 2>&1 &
    pids="$pids $!"
    must "HAProxy answers" 10 cli "show info"
    say "HAProxy $(cli 'show info' | sed -n 's/^Version: //p') with haproxy-cfg/minimal.cfg at 127.0.0.1:$edge_port"
}
start_demo_slotd() {
    start_slotd
    must "slotd is in step" 30 status_is_good
    say "slotd and slotctl from $BUILD"
    say ""
}
reloads() { echo $(($(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["adoptions"])') - 1)); }

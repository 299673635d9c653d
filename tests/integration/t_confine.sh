#!/bin/sh
# SPDX-License-Identifier: MIT
# slotd as packaging/systemd/slotd.service restricts it: the unit itself is looked at where systemd's tools are, and its restrictions
# are applied by hand (confine.c reads them from it), shown to be in force, and slotd does all of its work under them.
BUILD=$1
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
unit="$BUILD/packaging/systemd/slotd.service"
confine="$BUILD/tests/integration/confine"

if command -v systemd-analyze >/dev/null; then
    # The programs are not where they will be installed.
    sed "s,^\(Exec[A-Za-z]*=\)/[^ ]*/slotd,\1$BUILD/slotd," "$unit" >"$work/slotd.service"
    systemd-analyze verify "$work/slotd.service" >"$work/verify" 2>&1
    equal "systemd takes the unit" 0 $?
    equal "and has nothing to say of it" "" "$(grep slotd "$work/verify")"
    if systemd-analyze --help | grep -q -- --offline; then
        check "how exposed it is: at most 1.7 of 10" \
            systemd-analyze security --offline=true --threshold=17 --no-pager "$work/slotd.service" >"$work/security" 2>&1
    else
        skip "this systemd-analyze does not rate a unit that is not installed"
    fi
    systemd-analyze syscall-filter >"$work/sets" 2>/dev/null
    sets="-s $work/sets"
else
    skip "systemd-analyze is not here: the unit is not looked at, and SystemCallFilter is not applied"
    sets=
fi
if [ "$(id -u)" -ne 0 ] || [ ! -x "$confine" ]; then
    skip "slotd is not started as its unit restricts it: that needs root, and libseccomp when it is built"
    exit 0
fi
# LeakSanitizer traces its own process, which is refused here; every other test looks for leaks.
for program in slotd slotctl; do is_asan "$BUILD/$program" && export ASAN_OPTIONS=detect_leaks=0; done

# Numbers that nobody has, of the range that systemd itself uses for users without a name.
uid=$((61184 + $$ % 4000))
haproxy_gid=$((uid + 1))
chmod 755 "$work"
mkdir "$work/admin" "$work/etc" "$work/manager" "$work/shown" "$work/root"
chmod 1777 "$work/shown"
confined() { # GROUPS UNIT PROGRAM ARGUMENT...
    confined_groups=
    for group in $1; do confined_groups="$confined_groups -G $group"; done
    confined_unit=$2
    shift 2
    # exec: the program has this process's number. Options are meant to be split.
    # shellcheck disable=SC2086
    exec "$confine" -u "$uid" -g "$uid" $confined_groups -r "$work/root" $sets -v "$work/admin=/run/haproxy" -v "$work/etc=/run/etc" \
        -v "$work/manager=/run/manager" -v "$work/shown=/run/shown" "$confined_unit" "$@"
}
probe() { (confined "$haproxy_gid" "$1" "$BUILD/tests/integration/confine_probe") >"$work/probe" 2>"$work/probe.err"; }
probe_says() { sed -n "s,^$1 ,,p" "$work/probe"; }

probe "$unit"
code=$?
if [ "$code" -eq 77 ]; then
    skip "slotd is not started as its unit restricts it: $(cat "$work/probe.err")"
    exit 0
fi
equal "the probe ends well: $(cat "$work/probe.err")" 0 "$code"
for allowed in write-/run/slotd write-/var/lib/slotd write-/var/lib/slotd/maps write-/tmp write-/dev/null chown socket-unix socket-inet \
    socket-netlink pipe; do
    equal "$allowed" allowed "$(probe_says "$allowed")"
done
for refused in write-/run/shown write-/dev/shm list-/home list-/root see-process-1 see-/proc/sys write-/proc see-/dev/tty suid \
    socket-packet socket-vsock map-write-execute make-code mount setuid unshare-user clone3 realtime personality host-name core \
    ${sets:+ptrace add-key affinity}; do
    equal "$refused" refused "$(probe_says "$refused")"
done

# Without its line in the unit each restriction is gone: that is what the probe has seen.
without() { # DIRECTIVES PROBE [VERDICT]
    sed -E "/^($1)=/d" "$unit" >"$work/less.service"
    probe "$work/less.service"
    equal "$2 without $1 ($(cat "$work/probe.err"))" "${3:-allowed}" "$(probe_says "$2")"
}
without ProtectSystem write-/run/shown
without PrivateTmp write-/tmp refused
without PrivateDevices see-/dev/tty
without ProtectHome list-/home
without 'ProtectProc|ProcSubset' see-process-1
without ProcSubset see-/proc/sys
without ProtectKernelTunables write-/proc
without RestrictAddressFamilies socket-packet
without RestrictNamespaces clone3
without RestrictSUIDSGID suid
without LockPersonality personality
without MemoryDenyWriteExecute map-write-execute
without MemoryDenyWriteExecute make-code
without LimitCORE core
if [ -n "$sets" ]; then
    without SystemCallFilter ptrace
    without SystemCallFilter affinity
fi
sed '/^\[Service\]/a NoSuchRestriction=yes' "$unit" >"$work/less.service"
probe "$work/less.service"
equal "a directive that is not known by hand" 2 $?
check "is named" grep -q 'NoSuchRestriction is not known here' "$work/probe.err"

# slotd itself, at the places that the unit gives it.
ln -s root/run/slotd/slotd.sock "$work/slotd.sock"
ln -s root/run/slotd/haproxy.state "$work/haproxy.state"
backends="backend-web 10
backend-named 3"
haproxy_global="stats socket $work/admin/admin.sock user root gid $haproxy_gid mode 660 level admin expose-fd listeners"
start_sim --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 50 --linger-ms 3000
start_haproxy
put_app /web 3
python3 - "$work/manager/notify.sock" >"$work/heard" <<'PY' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
while True:
    print(s.recv(65536).decode(), flush=True)
PY
pids="$pids $!"
await "the manager listens" 10 [ -S "$work/manager/notify.sock" ]
export NOTIFY_SOCKET=/run/manager/notify.sock WATCHDOG_USEC=200000
heard() { grep -q -- "$1" "$work/heard"; }
heard_times() { [ "$(grep -c -- "$1" "$work/heard")" -ge "$2" ]; }

# By name: look-ups are made in threads, by files, sockets and netlink.
cat >"$work/etc/slotd.conf" <<CONF
marathon = { endpoints = [ "http://localhost:$sim_port" ]; };
haproxy = ( { name = "edge"; socket = "/run/haproxy/admin.sock"; state_file = "/run/slotd/haproxy.state"; maps_dir = "/var/lib/slotd/maps"; } );
mapping = { domain = "test"; };
control = { socket = "/run/slotd/slotd.sock"; state_dir = "/var/lib/slotd"; };
CONF
start_confined() { # GROUPS [OPTION...]
    confined_start_groups=$1
    shift
    confined "$confined_start_groups" "$unit" "$BUILD/slotd" -c /run/etc/slotd.conf "$@" >>"$work/slotd.log" 2>&1 &
    slotd_pid=$!
    pids="$pids $slotd_pid"
}
(confined "$haproxy_gid" "$unit" "$BUILD/slotd" -t -c /run/etc/slotd.conf) >"$work/tested" 2>&1
equal "slotd -t, as before each start: $(cat "$work/tested")" 0 $?
start_confined "$haproxy_gid"
await "slotd is in step" 10 status_is_good || exit 1
await "its tasks serve" 10 slots_are backend-web ready 3
await "the manager hears that it is ready" 10 heard '^READY=1$'
await "and signs of life" 10 heard_times '^WATCHDOG=1$' 3

process() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$slotd_pid/status"; }
ids=$(printf '%s\t%s\t%s\t%s' "$uid" "$uid" "$uid" "$uid")
equal "its user" "$ids" "$(process Uid)"
equal "its group" "$ids" "$(process Gid)"
equal "its groups" "$haproxy_gid" "$(process Groups | tr -d ' ')"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do equal "$set" 0000000000000000 "$(process $set)"; done
equal "NoNewPrivs" 1 "$(process NoNewPrivs)"
equal "Seccomp" 2 "$(process Seccomp)"
equal "filters of system calls" "$([ -n "$sets" ] && echo 2 || echo 1)" "$(process Seccomp_filters)"
for space in mnt ipc uts; do
    check "$space is its own" [ "$(readlink /proc/$slotd_pid/ns/$space)" != "$(readlink /proc/self/ns/$space)" ]
done

start_load backend-web -r 200 -k 50
put_app /web 6
await "it grows" 10 slots_are backend-web ready 6
put_app /web 4
await "it shrinks" 15 slots_are backend-web ready 4
task=$(tasks_of /web | sed -n 1p)
check "a drain, to its end" timeout 20 "$BUILD/slotctl" -s "$work/slotd.sock" drain task "$task" --wait >"$work/drain"
check "a weight" ctl weight app /web 50 >"$work/weight"
curl -sf "$marathon/v2/apps?embed=apps.tasks" | python3 -c '
import json, sys
document = json.load(sys.stdin)
task = dict(document["apps"][0]["tasks"][0], id="named.instance-1._app.1", appId="/named", host="localhost", ipAddresses=[])
document["apps"].append({"id": "/named", "version": "1", "instances": 1, "tasks": [task]})
json.dump(document, sys.stdout)' >"$work/apps.json"
curl -sf -X POST --data-binary @"$work/apps.json" "$marathon/sim/apps" >/dev/null
check "a sync" ctl sync >"$work/sync"
await "a host name is looked up" 10 slots_are backend-named ready 1

# HAProxy reads what slotd writes, with rights that are neither slotd's nor its groups'.
as_stranger() { setpriv --reuid $((uid + 2)) --regid $((uid + 2)) --clear-groups "$@"; }
equal "mode of the state file" 644 "$(stat -c %a "$work/root/run/slotd/haproxy.state")"
check "anybody reads the state file" as_stranger grep -q backend-web "$work/root/run/slotd/haproxy.state"
check "and the maps" as_stranger test -r "$work/root/state/slotd/maps/check-path.map"
equal "mode of the orders" 600 "$(stat -c %a "$work/root/state/slotd/orders.json")"
equal "owner of the socket, its group and mode" "$uid $uid 660" "$(stat -c '%u %g %a' "$work/root/run/slotd/slotd.sock")"
await "the state file shows what serves" 5 sh -c "[ \"\$(grep -c '127\.0\.0\.1' '$work/haproxy.state')\" -ge 4 ]"
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"
before=$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["adoptions"])')
kill -USR2 "$haproxy_pid"
adopted_again() { [ "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["haproxy"][0]["adoptions"])')" -gt "$before" ]; }
await "a reload of HAProxy is noticed" 10 adopted_again
await "and adopted" 10 status_is_good
check "a request is answered" curl -sf -o "$work/answer" -H 'Host: backend-web' "http://127.0.0.1:$edge_port/"

# Its own reload, good and bad.
sed -i 's/domain = "test"/domain = "example.org"/' "$work/etc/slotd.conf"
kill -HUP "$slotd_pid"
await "the new domain is in use" 10 sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q web.example.org"
cp "$work/etc/slotd.conf" "$work/good.conf"
echo 'nonsense = 1;' >"$work/etc/slotd.conf"
kill -HUP "$slotd_pid"
await "a bad configuration is refused" 5 grep -q "the old one stays" "$work/slotd.log"
cp "$work/good.conf" "$work/etc/slotd.conf"

# Its restart: the folders stay, the drain and the weight hold, nothing changes in HAProxy.
servers >"$work/before"
kill "$slotd_pid"
wait "$slotd_pid"
equal "it ends well" 0 $?
check "its socket is gone" [ ! -e "$work/root/run/slotd/slotd.sock" ]
start_confined "$haproxy_gid"
await "in step after a restart" 10 status_is_good || exit 1
check "the drain holds" sh -c "$BUILD/slotctl -s $work/slotd.sock drains | grep -qF '$task'"
servers >"$work/after"
check "HAProxy is as it was" cmp "$work/before" "$work/after"

# Killed, it leaves its socket behind, and starts all the same.
kill -9 "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
check "a socket is left" [ -S "$work/root/run/slotd/slotd.sock" ]
start_confined "$haproxy_gid"
await "in step after it was killed" 10 status_is_good
kill "$slotd_pid"
wait "$slotd_pid"

# control.group: without capabilities the socket can only be given to a group that slotd is in.
sed -i 's/^control = {/control = { group = "daemon";/' "$work/etc/slotd.conf"
(confined "$haproxy_gid" "$unit" "$BUILD/slotd" -c /run/etc/slotd.conf) >"$work/refusal" 2>&1
check "a group that slotd is not in" [ $? -eq 1 ]
check "is named, with the way out" grep -q "group daemon cannot be set: .*SupplementaryGroups" "$work/refusal"
start_confined "$haproxy_gid $(getent group daemon | cut -d: -f3)"
await "in step as a member" 10 status_is_good
equal "group of the socket" daemon "$(stat -c %G "$work/root/run/slotd/slotd.sock")"
check "the group may change things" setpriv --reuid $((uid + 2)) --regid daemon --clear-groups "$BUILD/slotctl" -s "$work/slotd.sock" sync >"$work/sync"
kill "$slotd_pid"
wait "$slotd_pid"

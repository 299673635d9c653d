#!/bin/sh
# SPDX-License-Identifier: MIT
# Several endpoints, redirects to the leader, credentials that change, silence, and a HAProxy that is frozen.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 5"
secret=$(printf 'ops:one' | base64)
start_sim --starting-ms 10 --running-ms 10 --basic "$secret"
leader=$marathon
leader_pid=$sim_pid
curl() { command curl -u ops:one "$@"; }
put_app /web 2
start_haproxy

# A standby answers /v2/events with a redirect to the leader; credentials go along, over the same scheme.
(cd "$work" && "$BUILD/tests/sim/marathon-sim" --listen 127.0.0.1:0 --basic "$secret" --leader "$leader" >standby.out 2>standby.log) &
pids="$pids $!"
await "the standby listens" 10 grep -q listening "$work/standby.out"
standby=$(sed -n 's/^listening on //p' "$work/standby.out")
dead="http://127.0.0.1:$(free_port)"
printf 'one\n' >"$work/password"
endpoints="\"$dead\", \"$standby\", \"$leader\""
marathon_extra="user = \"ops\"; password_file = \"$work/password\"; connect_timeout = \"1s\";"
start_slotd
await "it passes over the dead endpoint, and follows the standby" 10 status_says "event stream live"
check "the leader is shown" sh -c "$BUILD/slotctl -s $work/slotd.sock -o json status | grep -q '\"leader\": \"$leader\"'"
check "the password is nowhere in status" sh -c "! $BUILD/slotctl -s $work/slotd.sock -o json status | grep -q ops:one"

# The leader's stream ends: slotd comes back by itself.
sim drop-streams
await "live again" 10 status_says "event stream live"
stop_slotd

# A wrong password, then the right one in the file: it is read again after the 401.
rm -f "$work/slotd.conf"
endpoints="\"$leader\""
printf 'two\n' >"$work/password"
start_slotd
await "401 is said in plain words" 10 status_says "not accepted"
printf 'one\n' >"$work/password"
await "the new password is read" 15 status_is_good
await "and the tasks serve" 10 slots_are backend-web ready 2

# A bad configuration is refused at SIGHUP, the old one stays; a good one is taken.
cp "$work/slotd.conf" "$work/good.conf"
echo 'marathon = { endpoint = [ ]; };' >"$work/slotd.conf"
kill -HUP "$slotd_pid"
await "the refusal is said" 5 grep -q "the old one stays" "$work/slotd.log"
check "slotd lives" ctl status
sed 's/domain = "test"/domain = "example.org"/' "$work/good.conf" >"$work/slotd.conf"
kill -HUP "$slotd_pid"
await "the new domain is in use" 10 sh -c "$BUILD/slotctl -s $work/slotd.sock services | grep -q web.example.org"
await "in step after the reload" 10 status_is_good

# A frozen HAProxy blocks nothing: slotctl answers at once, and what was missed is made good.
kill -STOP $(cat "$work/haproxy.pid") $(pgrep -P "$haproxy_pid")
put_app /web 4
check "slotctl answers while HAProxy is frozen" timeout 2 "$BUILD/slotctl" -s "$work/slotd.sock" services
await "the silence is noticed" 10 status_says "not in use"
kill -CONT $(cat "$work/haproxy.pid") $(pgrep -P "$haproxy_pid")
await "made good" 15 slots_are backend-web ready 4

# Mad clients on the control socket.
python3 - "$work/slotd.sock" <<'PY'
import socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); return s
keep = [connect() for _ in range(50)]
for text in (b"\x00\xff\n", b"{}\n", b"[1]\n", b'{"slotd":2,"command":"status"}\n', b'{"slotd":1,"command":"x"}\n', b'{"slotd":1,"command":"slots","arguments":{"names":[1]}}\n'):
    s = connect(); s.sendall(text)
    line = s.makefile().readline()
    assert '"ok":false' in line, (text, line)
s = connect()
try:
    s.sendall(b"a" * 200000)
    assert '"ok":false' in s.makefile().readline()
    assert s.recv(10) == b""
except (BrokenPipeError, ConnectionResetError):
    pass
slow = connect()
slow.setblocking(False)
slow.send(b'{"slotd":1,"command":"slots"}\n' * 20000)
PY
equal "mad clients get errors" 0 $?
check "slotd lives" ctl status
equal "mode of the socket" 660 "$(stat -c %a "$work/slotd.sock")"

# With every Marathon away each is told of once, not at each try.
stop_slotd
endpoints="\"http://127.0.0.1:$(free_port)\", \"http://127.0.0.1:$(free_port)\""
rm "$work/slotd.conf"
: >"$work/slotd.log"
start_slotd
tried() { [ "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["marathon"]["reconnects"])')" -ge 6 ]; }
await "six tries" 20 tried
equal "what the log has of them" 2 "$(grep -c 'no event stream' "$work/slotd.log")"

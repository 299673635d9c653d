#!/bin/sh
# SPDX-License-Identifier: MIT
# Drains by an operator under load: no request is lost, new ones stop, sessions are waited for, and a drain holds whatever dies.
BUILD=$1
. "$(dirname "$0")/lib.sh"

backends="backend-web 10
backend-api 10"
start_sim --host 127.0.0.1,127.0.0.2 --starting-ms 10 --running-ms 10 --killing-ms 5 --killed-ms 20
start_haproxy
put_app /web 4
put_app /api 2
start_slotd
await "slotd is in step" 10 status_is_good
await "all of web serve" 10 slots_are backend-web ready 4
await "all of api serve" 10 slots_are backend-api ready 2
equal "no drain yet" "no drain" "$(ctl drains)"

# Requests of 300 ms, kept connections and new ones, while tasks, an app and a host are drained and come back.
start_load backend-web -r 60 -k 50 -u '/?ms=300'
set -- $(tasks_of /web | sort)
ctl drain task "$1" --wait >"$work/out" 2>"$work/err"
equal "drain of a task: exit code" 0 $?
equal "it is silent when it is no terminal" "" "$(cat "$work/out" "$work/err")"
check "its slot is held" slots_are backend-web held 1
check "the others serve" slots_are backend-web ready 3
# What is drained gets no request any more: the simulator's tasks answer their id.
asked() { for i in 1 2 3 4 5 6 7 8 9; do curl -sf -H 'Host: backend-web' "http://127.0.0.1:$edge_port/"; echo; done; }
equal "no request goes there" 0 "$(asked | grep -cF "$1")"
equal "it is listed" "task $1 drained 0" "$(ctl -o json drains | python3 -c 'import json,sys; (d,) = json.load(sys.stdin)["drains"]; print(d["target"], d["name"], d["state"], d["sessions"])')"
uid=$(id -u)
check "with who asked: $(ctl drains)" sh -c "$BUILD/slotctl -s $work/slotd.sock drains | grep -q ' $(id -un) (uid $uid) '"
equal "who is a number for programs" "uid $uid" "$(ctl -o json drains | python3 -c 'import json,sys; print(*[d["by"] for d in json.load(sys.stdin)["drains"]])')"
phase_of() { ctl -o json services backend-web | python3 -c "
import json, sys
print(*[e['phase'] for s in json.load(sys.stdin)['services'] for e in s['endpoints'] if e['task'] == '$1'])"; }
equal "services show it" drain "$(phase_of "$1")"
check "undrain" ctl undrain task "$1"
await "it serves again" 10 slots_are backend-web ready 4
equal "services show that too" ready "$(phase_of "$1")"
equal "none is left" "no drain" "$(ctl drains)"

check "drain of a host" ctl drain host 127.0.0.2 --wait
await "two of web are held" 10 slots_are backend-web held 2
await "one of api too" 10 slots_are backend-api held 1
put_app /web 6
await "what starts there later is covered" 10 slots_are backend-web ready 3
check "undrain of the host" ctl undrain host 127.0.0.2
await "all serve again" 10 slots_are backend-web ready 6
await "of api too" 10 slots_are backend-api ready 2
check "drain of a slot" ctl drain slot backend-web/s1 --wait
await "that one is held" 10 slots_are backend-web held 1
equal "services show the slot's drain" drain "$(phase_of "$(ctl -o json slots backend-web | python3 -c 'import json,sys; print(*[s["task"] for s in json.load(sys.stdin)["slots"] if s["slot"] == "s1"])')")"
equal "programs are told what it has come to" "slot backend-web/s1 drained 0" "$(ctl -o json drain slot backend-web/s1 --wait |
    python3 -c 'import json,sys; (d,) = json.load(sys.stdin)["drains"]; print(d["target"], d["name"], d["state"], d["sessions"])')"
check "undrain of the slot" ctl undrain slot backend-web/s1
await "it serves too" 10 slots_are backend-web ready 6
stop_load
equal "failed requests of $(load_value requests)" 0 "$(load_value failed)"

# --wait returns with the last session, and at the time-out with what is left of them.
sessions_of() { ctl -o json drains | python3 -c 'import json,sys; print(sum(d["sessions"] for d in json.load(sys.stdin)["drains"]))'; }
curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=1500" &
long_pid=$!
open_sessions() { [ "$(ctl -o json slots backend-api | python3 -c 'import json,sys; print(sum(s["sessions"] for s in json.load(sys.stdin)["slots"]))')" = 1 ]; }
await "a long request is open" 10 open_sessions
ctl drain app api --wait --timeout 30s
equal "drained with the last session" 0 $?
check "the request was answered" wait "$long_pid"
await "both are held" 10 slots_are backend-api held 2
check "undrain" ctl undrain app /api
await "both serve" 10 slots_are backend-api ready 2
curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=4000" &
long_pid=$!
await "a longer one is open" 10 open_sessions
ctl drain app api --wait --timeout 300ms 2>"$work/err"
equal "the time is over" 1 $?
check "it says what is left, and where: $(cat "$work/err")" grep -q '^slotctl: the time is over; sessions left: 1 (edge backend-api/s[0-9]* 1)$' "$work/err"
equal "it is not called drained" "timed-out 1" "$(ctl -o json drains | python3 -c 'import json,sys; (d,) = json.load(sys.stdin)["drains"]; print(d["state"], d["sessions"])')"
check "maint all the same" slots_are backend-api held 2
check "the request goes on" wait "$long_pid"
no_session_left() { [ "$(sessions_of)" = 0 ]; }
await "and its end is seen" 10 no_session_left
equal "now it is, and no time is left that would matter" "drained 0 -" "$(ctl drains | awk '$2 == "/api" { print $3, $4, $5 }')"
check "undrain again" ctl undrain app /api
await "both serve again" 10 slots_are backend-api ready 2

# The end of a task is the end of its drain.
curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=30000" &
long_pid=$!
await "the last one is open" 10 open_sessions
busy=$(ctl -o json slots backend-api | python3 -c 'import json,sys; print(*[s["task"] for s in json.load(sys.stdin)["slots"] if s["sessions"]])')
ctl drain task "$busy" --wait 2>"$work/err" &
ctl_pid=$!
await "its task drains" 10 slots_are backend-api draining 1
sim "end?task=$busy&status=TASK_FINISHED"
wait "$ctl_pid"
equal "it is drained with its task" 0 $?
wait "$long_pid"
await "api runs again" 10 slots_are backend-api ready 2
# On a terminal what is left is shown, and in the end that nothing is.
on_terminal() { python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' "$BUILD/slotctl" -s "$work/slotd.sock" "$@" </dev/null; }
on_terminal drain app api --wait >"$work/out"
equal "drain on a terminal" 0 $?
check "it ends with that: $(tr '\r' '\n' <"$work/out")" sh -c "tr '\r' '\n' <'$work/out' | grep -q '^drained'"
check "undrain what was shown" ctl undrain app api
await "both serve as shown" 10 slots_are backend-api ready 2
# A terminal that is narrow gets lines that fit, each in the place of the one before.
for i in 1 2 3 4; do curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=4000" & done
sessions_open() { ctl -o json slots backend-api | python3 -c 'import json,sys; print(sum(s["sessions"] for s in json.load(sys.stdin)["slots"]))'; }
four_are_open() { [ "$(sessions_open)" = 4 ]; }
await "four are open" 10 four_are_open
python3 - "$BUILD/slotctl" -s "$work/slotd.sock" drain app api --wait >"$work/out" <<'PY'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
text = b""
try:
    while data := os.read(fd, 4096):
        text += data
except OSError:
    pass
print("exit", os.waitpid(pid, 0)[1] >> 8)
lines = [line for line in text.decode().replace("\x1b[K", "").replace("\n", "\r").split("\r") if line]
print("widest", max(map(len, lines)))
print("slots", sum("(edge b" in line for line in lines))
PY
equal "drain on a narrow one" 0 "$(sed -n 's/^exit //p' "$work/out")"
equal "no line is wider" 49 "$(sed -n 's/^widest //p' "$work/out")"
check "they name slots" [ "$(sed -n 's/^slots //p' "$work/out")" -gt 0 ]
check "undrain there" ctl undrain app api
await "both serve after that too" 10 slots_are backend-api ready 2

# Ctrl-C leaves the drain going and says so.
curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=5000" &
long_pid=$!
await "another one is open" 10 open_sessions
"$BUILD/slotctl" -s "$work/slotd.sock" drain app api --wait 2>"$work/err" &
ctl_pid=$!
await "it drains" 10 slots_are backend-api draining 1
# Until its answer, which comes when the order is on disk, it is blocked in one read; then it asks again and again.
asks_again() { [ "$(awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$ctl_pid/status")" -gt 30 ]; }
await "slotctl has its answer" 10 asks_again
kill -INT "$ctl_pid"
wait "$ctl_pid"
equal "interrupted" 1 $?
check "it says that the drain goes on" grep -q 'the drain goes on; slotctl undrain app api ends it' "$work/err"
check "it does" slots_are backend-api draining 1
check "the request is answered" wait "$long_pid"
check "and undrain once more" ctl undrain app api
await "both serve once more" 10 slots_are backend-api ready 2

# The same while slotd does not answer.
kill -STOP "$slotd_pid"
"$BUILD/slotctl" -s "$work/slotd.sock" drain app api --wait 2>"$work/err" &
ctl_pid=$!
waits_for_slotd() { [ "$(sed 's/.*) //' "/proc/$ctl_pid/stat" | cut -d' ' -f1)" = S ] && [ -e "/proc/$ctl_pid/fd/3" ]; }
await "it waits for slotd" 10 waits_for_slotd
kill -INT "$ctl_pid"
is_over() { ! kill -0 "$ctl_pid" 2>/dev/null; }
await "Ctrl-C ends it all the same" 10 is_over || kill -KILL "$ctl_pid"
kill -CONT "$slotd_pid"
wait "$ctl_pid"
equal "interrupted without an answer" 1 $?
check "it says what is not known" grep -q '^slotctl: slotd has not answered; slotctl drains says whether it drains$' "$work/err"
await "slotd has taken it" 10 slots_are backend-api held 2
check "undrain of that" ctl undrain app api
await "both serve yet again" 10 slots_are backend-api ready 2

# Somebody else ends the drain that is waited for.
curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=5000" &
long_pid=$!
await "one more is open" 10 open_sessions
"$BUILD/slotctl" -s "$work/slotd.sock" drain app api --wait 2>"$work/err" &
ctl_pid=$!
await "it drains as well" 10 slots_are backend-api draining 1
check "undrain by somebody else" ctl undrain app api
wait "$ctl_pid"
equal "it was not drained" 1 $?
check "which is said" grep -q '^slotctl: the drain has ended before it was done' "$work/err"
check "that request is answered" wait "$long_pid"
await "both serve all the same" 10 slots_are backend-api ready 2

# So does its own --for.
curl -s -o "$work/long" -H 'Host: backend-api' "http://127.0.0.1:$edge_port/?ms=3000" &
long_pid=$!
await "and one more" 10 open_sessions
ctl drain app api --wait --for 300ms 2>"$work/err"
equal "--for was over first" 1 $?
check "that is said as well" grep -q '^slotctl: the drain has ended before it was done' "$work/err"
check "this request is answered" wait "$long_pid"
await "both serve by themselves" 10 slots_are backend-api ready 2

# Asked for again, it keeps the timeout that was said, as long as no other one is said.
timeout_of() { ctl -o json drains | python3 -c 'import json,sys; print(*[d["timeout_ms"] for d in json.load(sys.stdin)["drains"]])'; }
check "a long timeout" ctl drain app api --timeout 10m
check "to wait for it" ctl drain app /api --wait
equal "it is kept" 600000 "$(timeout_of)"
check "another one" ctl drain app /api --timeout 5m
equal "it is taken" 300000 "$(timeout_of)"
check "undrain after that" ctl undrain app api
await "both serve after that" 10 slots_are backend-api ready 2

# A drain that ends by itself.
check "for a moment" ctl drain app /api --for 1s
await "drained" 10 slots_are backend-api held 2
await "back by itself" 10 slots_are backend-api ready 2

# kill -9 of slotd in the middle of a drain, and of HAProxy: it holds.
set -- $(tasks_of /web | sort)
curl -s -o "$work/long" -H 'Host: backend-web' "http://127.0.0.1:$edge_port/?ms=2000" &
check "drain" ctl drain task "$1"
kill -9 "$slotd_pid"
wait "$slotd_pid" 2>/dev/null
start_slotd
await "in step again" 10 status_is_good
await "five serve" 10 slots_are backend-web ready 5
equal "no request goes to the sixth" 0 "$(asked | grep -cF "$1")"
kill -9 $(cat "$work/haproxy.pid") 2>/dev/null
sleep 0.3
status_is_bad() { ! ctl status; }
await "HAProxy is away" 10 status_is_bad
ctl drain app api --wait --timeout 100ms 2>"$work/err"
equal "without HAProxy the wait has an end too" 1 $?
check "which says where to look" grep -q 'not all of it is in maint; slotctl status says' "$work/err"
check "undrain without HAProxy" ctl undrain app api
start_haproxy
await "HAProxy is adopted" 10 status_is_good
await "five serve still" 10 slots_are backend-web ready 5
equal "no request goes to the sixth still" 0 "$(asked | grep -cF "$1")"
check "it ends" ctl undrain task "$1"
await "six serve" 10 slots_are backend-web ready 6

# HAProxy is reloaded while a task is held: the state file has its slot as HAProxy would write it, and it stays there.
check "drain to the end" ctl drain task "$1" --wait
place() { cli "show servers state backend-web" | awk '$4 == "'"$slot"'" { print $5, $7, $19 }'; }
slot=$(ctl -o json drains | python3 -c 'import json,sys; print(json.load(sys.stdin)["drains"][0]["endpoints"][0]["slot"])')
before=$(place)
file_agrees() { awk '$4 == "'"$slot"'" && $2 == "backend-web" { print $5, $7, $19 }' "$work/haproxy.state" | grep -qx "$before"; }
await "the state file says the same" 10 file_agrees
pid_of_haproxy() { cli "show info" | sed -n 's/^Pid: //p'; }
pid=$(pid_of_haproxy)
kill -USR2 "$haproxy_pid"
is_reloaded() { new_pid=$(pid_of_haproxy) && [ -n "$new_pid" ] && [ "$new_pid" != "$pid" ]; }
await "HAProxy is reloaded" 10 is_reloaded
equal "it comes back where it was" "$before" "$(place)"
await "in step with the new one" 10 status_is_good
await "it is held there" 10 slots_are backend-web held 1
check "it ends too" ctl undrain task "$1"
await "six serve after the reload" 10 slots_are backend-web ready 6

# A slot that is drained while nobody sits there goes to a task when no other is left, and is drained for who comes.
free=$(ctl -o json slots backend-api | python3 -c 'import json,sys; print(*[s["slot"] for s in json.load(sys.stdin)["slots"] if not s["task"]][:2])')
check "drain of free slots" ctl drain slot "backend-api/${free% *}"
check "and of another one" ctl drain slot "backend-api/${free#* }"
put_app /api 8
await "others are taken first" 10 slots_are backend-api ready 8
put_app /api 10
await "both who come there are held" 10 slots_are backend-api held 2
check "undrain of the one" ctl undrain slot "backend-api/${free% *}"
check "and of the other" ctl undrain slot "backend-api/${free#* }"
await "all ten serve" 10 slots_are backend-api ready 10
put_app /api 2
await "two are left" 10 slots_are backend-api ready 2

# A task's drain ends with the task.
check "drain once more" ctl drain task "$1"
sim "fail?task=$1"
drains_are() { [ "$(ctl drains)" = "$1" ]; }
await "it ends with it" 10 drains_are "no drain"
await "its successor serves" 10 slots_are backend-web ready 6

# More backends than are asked about at a time: those with sessions that stay keep nobody else's waiting.
stop_slotd
kill "$haproxy_pid"
wait "$haproxy_pid"
rm -f "$work/orders.json" "$work/haproxy.state"
backends=$(for i in $(seq 24); do echo "backend-many$i 2"; done; echo "backend-web 10")
start_haproxy
for i in $(seq 24); do put_app "/many$i" 1; done
start_slotd
await "all of them serve" 10 slots_are backend-many24 ready 1
for i in $(seq 20); do curl -s -m 30 -o "$work/long" -H "Host: backend-many$i" "http://127.0.0.1:$edge_port/?ms=8000" & done
many_open() { [ "$(cli "show info" | sed -n 's/^CurrConns: //p')" -ge 20 ]; }
await "long requests at 20 of them" 10 many_open
for host in 127.0.0.1 127.0.0.2; do check "drain of all on $host" ctl drain host $host --timeout 1m; done
idle_held() { ctl -o json drains | python3 -c "
import json, sys
endpoints = [e for d in json.load(sys.stdin)['drains'] for e in d['endpoints']]
sys.exit(sum(e['state'] == 'held' and e['app'] in ('/many21', '/many22', '/many23', '/many24') for e in endpoints) != 4)"; }
await "the four without sessions are held while the others wait" 5 idle_held
for host in 127.0.0.1 127.0.0.2; do check "undrain of all on $host" ctl undrain host $host; done

# Refusals.
refused() { # TEXT EXIT WANTED ARGUMENT...
    refused_text=$1
    refused_exit=$2
    refused_wanted=$3
    shift 3
    ctl "$@" >"$work/out" 2>"$work/err"
    equal "$refused_text: exit code" "$refused_exit" $?
    check "$refused_text: $(cat "$work/err")" grep -q -- "$refused_wanted" "$work/err"
}
ctl drain host typo >"$work/out" 2>"$work/err"
equal "a host that nobody runs on may be drained" 0 $?
equal "which is told" "slotctl: no task that has a slot runs on host typo now; what starts there later will be drained" "$(cat "$work/err")"
check "it is listed" grep -q '^host  *typo ' "$work/out"
ctl drain host typo --wait >"$work/out" 2>"$work/err"
equal "there is nothing to wait for" 0 $?
check "which is told too" grep -q 'no task that has a slot runs on host typo' "$work/err"
equal "not to programs" "" "$(ctl -o json drain host typo 2>&1 >/dev/null)"
check "undrain of it" ctl undrain host typo
equal "nor of a host with tasks" "" "$(ctl drain host 127.0.0.1 2>&1 >/dev/null)"
check "undrain of that" ctl undrain host 127.0.0.1
refused "an app that is not there" 1 "there is no app /red" drain app /red
refused "a slot that is not there" 1 "there is no slot" drain slot backend-web/s99
refused "no drain to end" 1 "is not drained" undrain app /web
refused "no such kind" 2 "needs app ID" drain rack 7
refused "too few words to end a drain" 2 "needs app ID" undrain app
refused "no duration" 1 "is no duration" drain app /web --timeout soon
refused "a time that is over at once" 1 "would end before it begins" drain app /web --for 0s
equal "which drains nothing" "no drain" "$(ctl drains)"
refused "too few words" 2 "needs app ID" drain app
refused "an unknown option" 2 "--wait" drain app /web --now

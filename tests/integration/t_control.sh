#!/bin/sh
# SPDX-License-Identifier: MIT
# The control socket under slow, mad and many clients: the others are answered, memory stays, no answer is lost.
BUILD=$1
. "$(dirname "$0")/lib.sh"
# What ASan keeps of freed memory must not look like growth.
export ASAN_OPTIONS="quarantine_size_mb=4${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

backends="backend-web 100"
start_sim --starting-ms 20 --running-ms 30
start_haproxy
put_app /web 2
start_slotd
await "two slots serve" 10 slots_are backend-web ready 2
equal "mode of the socket" 660 "$(stat -c %a "$work/slotd.sock")"

cat >"$work/client.py" <<'PY'
import socket, subprocess, sys, threading, time
path, pid, slotctl = sys.argv[1:4]

def client():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.settimeout(10)
    return sock

def request(command, arguments=""):
    return b'{"slotd":1,"command":"%s"%s}\n' % (command.encode(), arguments.encode())

def read_all(sock):
    data = b""
    while True:
        try:
            part = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part

def memory():
    for line in open("/proc/%s/status" % pid):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024

def ask(line):
    sock = client()
    sock.sendall(line)
    sock.shutdown(socket.SHUT_WR)
    return read_all(sock)

def idle():
    crowd = [client() for _ in range(300)]
    sys.exit(subprocess.call([slotctl, "-s", path, "status"], stdout=subprocess.DEVNULL))

def half_closed():
    assert ask(request("slots") * 50).count(b"\n") == 50
    assert ask(request("sync") + request("plan")).count(b'"ok":true') == 2

def too_long():
    sock = client()
    sock.sendall(b"x" * 70000)
    assert read_all(sock) == b'{"slotd":1,"ok":false,"error":"a request is at most 64 KiB long"}\n'

def garbage():
    for line in b"\n", b"x\n", b"[]\n", b"\0\xff\n", b"[" * 1000 + b"\n", b'{"slotd":1,"command":5}\n', b'{"slotd":1}\n':
        answer = ask(line)
        assert answer.startswith(b'{"slotd":1,"ok":false,"error":"') and answer.count(b"\n") == 1, (line, answer)

def mad():
    before = memory()
    crowd = [client() for _ in range(20)]
    for sock in crowd:
        sock.settimeout(0.2)
        threading.Thread(target=flood, args=(sock,), daemon=True).start()
    slowest = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        start = time.monotonic()
        assert b'"ok":true' in ask(request("status"))
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 1, slowest
    assert memory() - before < 128, (before, memory())

def ahead():
    sock = client()
    try:
        while True:
            sock.sendall(request("slots") * 1000)
    except (BrokenPipeError, ConnectionResetError):
        pass

def flood(sock):
    try:
        sock.sendall(request("slots") * 3000)
    except OSError:
        pass

def deaf():
    crowd = [client() for _ in range(50)]
    for sock in crowd:
        sock.sendall(request("events", ',"arguments":{"follow":true}'))
    print("follows", flush=True)
    sys.stdin.readline()

globals()[sys.argv[4]]()
PY
client() { python3 "$work/client.py" "$work/slotd.sock" "$slotd_pid" "$BUILD/slotctl" "$1"; }
check "300 idle clients keep nobody out" client idle
check "a client that has shut its side gets all answers" client half_closed
check "a line without an end is refused" client too_long
check "garbage is refused" client garbage
check "clients that never read cost the others nothing" client mad
check "one that asks on and on is dropped" client ahead

# Followers that never read, while slots change; one that reads gets every change.
mkfifo "$work/hold"
client deaf <"$work/hold" >"$work/deaf.out" &
pids="$pids $!"
exec 9>"$work/hold"
await "they follow" 10 grep -q follows "$work/deaf.out"
"$BUILD/slotctl" -s "$work/slotd.sock" -o json events -f >"$work/follow.json" &
follow_pid=$!
pids="$pids $follow_pid"
for count in 90 5 80 2; do
    put_app /web "$count"
    await "$count slots serve" 20 slots_are backend-web ready "$count"
    await "the others are free" 20 slots_are backend-web free $((100 - count))
done
all_followed() {
    python3 - "$work/follow.json" "$(ctl -o json status | python3 -c 'import json,sys; print(json.load(sys.stdin)["counts"]["changes"])')" <<'PY'
import json, sys
seen = [event["sequence"] for line in open(sys.argv[1]) for event in json.loads(line)["events"]]
sys.exit(0 if seen == list(range(int(sys.argv[2]))) else 1)
PY
}
await "the one that reads has seen every change" 10 all_followed
exec 9>&-
kill "$follow_pid"

# Whoever reads what it prints goes away: it ends with him, without a change to come.
mkfifo "$work/read"
"$BUILD/slotctl" -s "$work/slotd.sock" events -f >"$work/read" 2>"$work/err" &
follow_pid=$!
pids="$pids $follow_pid"
cat "$work/read" >"$work/followed" &
reader_pid=$!
has_read_all() { [ "$(wc -l <"$work/followed")" -ge "$(ctl events | wc -l)" ]; }
await "a reader has all that there is" 10 has_read_all
kill "$reader_pid"
follower_is_gone() { ! kill -0 "$follow_pid" 2>/dev/null; }
await "the follower goes with its reader" 10 follower_is_gone || kill "$follow_pid"
wait "$follow_pid"
equal "as any program does that writes to nobody (SIGPIPE)" 141 $?
equal "without a word" "" "$(cat "$work/err")"
await "still in step" 10 status_is_good

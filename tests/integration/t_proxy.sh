#!/bin/sh
# SPDX-License-Identifier: MIT
# The fault proxy does what it is told to, to the byte: what the other tests prove with it depends on that.
BUILD=$1
. "$(dirname "$0")/lib.sh"

cat >"$work/echo.py" <<'PY'
import os, socket, sys, threading
where = sys.argv[1]
server = socket.socket(socket.AF_UNIX if "/" in where else socket.AF_INET)
server.bind(where if "/" in where else ("127.0.0.1", 0))
server.listen(64)
print(server.getsockname()[1] if "/" not in where else where, flush=True)
def serve(client):
    while True:
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            return
        if not data:
            client.shutdown(socket.SHUT_WR)
            return
        client.sendall(data)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
PY
python3 "$work/echo.py" tcp >"$work/echo.out" 2>"$work/echo.log" &
pids="$pids $!"
python3 "$work/echo.py" "$work/echo.sock" >"$work/unix.out" 2>"$work/unix.log" &
pids="$pids $!"
await "the echoes listen" 10 sh -c "[ -s $work/echo.out ] && [ -s $work/unix.out ]"
start_proxy tcp "127.0.0.1:$(cat "$work/echo.out")" --seed 7 --record "$work/record"
start_proxy local "$work/echo.sock"
python3 - "$tcp_at" "$tcp_control" "$local_at" "$local_control" "$work/record" <<'PY'
import json, random, socket, sys, time, urllib.request
tcp_at, tcp_control, local_at, local_control, record = sys.argv[1:]
passed = failed = 0
def check(text, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print("FAILED:", text)
def order(control, what, status=200):
    try:
        with urllib.request.urlopen(urllib.request.Request(control + what, method="POST")) as answer:
            got, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        got, body = error.code, b"{}"
    check(f"{what} is answered with {got}", got == status)
    return json.loads(body)
def dial(at):
    if "/" in at:
        s = socket.socket(socket.AF_UNIX)
        s.connect(at)
    else:
        s = socket.create_connection(("127.0.0.1", int(at.split(":")[1])))
    s.settimeout(10)
    return s
def until_end(s):
    data = b""
    while True:
        try:
            part = s.recv(65536)
        except ConnectionResetError:
            return data, "reset"
        if not part:
            return data, "end"
        data += part
def exactly(s, count):
    data = b""
    while len(data) < count:
        part = s.recv(count - len(data))
        if not part:
            break
        data += part
    return data
for at, control in ((tcp_at, tcp_control), (local_at, local_control)):
    # All of it passes when nothing is ordered, and so does an end: 4 MB are more than it holds at once.
    s, data = dial(at), random.Random(1).randbytes(4 << 20)
    import threading
    threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
    check("all of it comes back", until_end(s) == (data, "end"))
    for cut in (0, 1, 2, 7, 63, 64):
        order(control, f"/faults?cut_down={cut}&count=1")
        s = dial(at)
        s.sendall(b"x" * 64)
        check(f"{cut} bytes come back", len(until_end(s)[0]) == cut)
        s = dial(at)
        s.sendall(b"after")
        check("the next one is whole", exactly(s, 5) == b"after")
    # Of one that is open the bytes from now on count.
    s.sendall(b"before")
    check("before", exactly(s, 6) == b"before")
    order(control, "/faults?cut_up=3&count=1")
    s.sendall(b"abcdef")
    check("three more go up", until_end(s)[0] in (b"abc", b""))
    # Stopped one way, and it goes on where it was.
    order(control, "/faults?stall_down=2")
    s = dial(at)
    s.sendall(b"abcdef")
    check("two come", exactly(s, 2) == b"ab")
    s.settimeout(0.2)
    try:
        check("no more", s.recv(1) == None)
    except TimeoutError:
        check("no more", True)
    s.settimeout(10)
    order(control, "/clear")
    check("the rest", exactly(s, 4) == b"cdef")
    # Drops, and time.
    order(control, "/faults?drip_bytes=1&drip_ms=10")
    began = time.monotonic()
    s.sendall(b"0123456789")
    check("by drops", exactly(s, 10) == b"0123456789")
    check("which takes its time", time.monotonic() - began >= 0.085)
    order(control, "/faults?latency_ms=50&jitter_ms=20")
    began = time.monotonic()
    s.sendall(b"late")
    check("late", exactly(s, 4) == b"late")
    check("both ways", time.monotonic() - began >= 0.095)
    # Those alone that are meant.
    order(control, "/faults?cut_down=0&match=wanted")
    other, meant = dial(at), dial(at)
    other.sendall(b"no")
    meant.sendall(b"is wanted")
    check("the one that is not meant lives", exactly(other, 2) == b"no")
    check("the other one ends", until_end(meant)[0] == b"")
    # Nobody there.
    order(control, "/faults?refuse=1")
    try:
        dial(at)
        check("refused", False)
    except (ConnectionRefusedError, FileNotFoundError):
        check("refused", True)
    other.sendall(b"on")
    check("what is open stays", exactly(other, 2) == b"on")
    order(control, "/clear")
    s = dial(at)
    s.sendall(b"back")
    check("back at the same address", exactly(s, 4) == b"back")
    order(control, "/cut")
    check("cut by hand", until_end(s)[0] == b"")
    order(control, "/faults?cut_sideways=1", 400)
    order(control, "/faults?cut_up=x", 400)
    order(control, "/nothing", 400)
order(tcp_control, "/faults?cut_down=0&reset=1&count=1")
s = dial(tcp_at)
s.sendall(b"x")
check("a reset is one", until_end(s) == (b"", "reset"))
# The same seed, the same cuts: the record of what came up is kept, too.
order(tcp_control, "/faults?cut_random=40")
lengths = []
for i in range(8):
    s = dial(tcp_at)
    s.sendall(b"y" * 50)
    lengths.append(len(until_end(s)[0]))
check(f"cut somewhere: {lengths}", max(lengths) < 50 and len(set(lengths)) > 2)
check("the record has what went up", b"is wanted" in open(record, "rb").read())
print(f"{passed} {failed}")
sys.exit(failed > 0)
PY
equal "the fault proxy does what it is told" 0 $?

# SPDX-License-Identifier: MIT
"""Asks HOST's PATH on a new connection every 2 ms until SIGTERM: an answer has to come from a task of the app APP, or be a failure.
Prints "begun" with the first good answer, and one JSON line at the end: how many were good, failed and wrong, and gap_ms, the longest time from
an answer that was HAProxy's own to the next good one, in milliseconds.
Usage: gap.py PORT HOST PATH APP"""
import json, signal, socket, sys, threading, time

port, host, path, app = int(sys.argv[1]), *sys.argv[2:]
stop = threading.Event()
result = {"good": 0, "failed": 0, "wrong": 0, "first_wrong": None, "gap_ms": 0.0}


def ask():
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


signal.signal(signal.SIGTERM, lambda *_: stop.set())
since = None
while not stop.wait(0.002):
    try:
        status, body = ask()
    except (OSError, IndexError, ValueError):
        status, body = 0, ""
    now = time.monotonic()
    if status != 200:
        result["failed"] += 1
        since = since or (now if status else None)
        continue
    if body.split(".")[0].split("_")[0] != app:
        result["wrong"] += 1
        result["first_wrong"] = result["first_wrong"] or body.strip()
        continue
    result["good"] += 1
    if result["good"] == 1:
        print("begun", flush=True)
    if since:
        result["gap_ms"] = round(max(result["gap_ms"], 1000 * (now - since)), 1)
    since = None
print(json.dumps(result))

# SPDX-License-Identifier: MIT
"""Asks for hosts at random, NAME.test for the app /NAME, until SIGTERM: an answer must come from a task of that very app, or
be a 5xx. Prints one JSON line: how many were answered, how many by another app, and the first of those.
Usage: lease_hosts.py PORT NAME..."""
import json, random, signal, socket, sys, threading, time

port, names = int(sys.argv[1]), sys.argv[2:]
stop = threading.Event()
lock = threading.Lock()
result = {"answered": 0, "refused": 0, "unreachable": 0, "wrong": 0, "first_wrong": None, "by_host": {}}


def ask(name):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {name}.test\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def work():
    while not stop.is_set():
        name = random.choice(names)
        try:
            status, body = ask(name)
        except (OSError, IndexError, ValueError):
            with lock:
                result["unreachable"] += 1
            time.sleep(0.01)
            continue
        with lock:
            if status != 200:
                result["refused"] += 1
            else:
                result["answered"] += 1
                result["by_host"][name] = result["by_host"].get(name, 0) + 1
                if body.split(".")[0].split("_")[0] != name:
                    result["wrong"] += 1
                    result["first_wrong"] = result["first_wrong"] or f"{name}.test answered by {body.strip()}"
        time.sleep(0.002)


signal.signal(signal.SIGTERM, lambda *_: stop.set())
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
while not stop.wait(0.1):
    pass
for thread in threads:
    thread.join()
print(json.dumps(result))

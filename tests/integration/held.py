# SPDX-License-Identifier: MIT
"""Connections that stay open. Use: held.py PORT COUNT OUT: opens COUNT connections, and for each line of standard input asks on each of
them; what answered goes into OUT as one line of the answers' first words, `-` for a connection that has ended. Ends with its input."""
import socket
import sys

port, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def ask(connection):
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head and (part := connection.recv(4096)):
            head += part
        head, _, body = head.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            part = connection.recv(4096)
            if not part:
                return "-"
            body += part
        return body.decode().split()[0]
    except (OSError, StopIteration):
        return "-"


connections = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
with open(out, "a", encoding="utf-8") as report:
    for _ in sys.stdin:
        print(*[ask(connection) for connection in connections], file=report, flush=True)

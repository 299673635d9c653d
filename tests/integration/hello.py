# SPDX-License-Identifier: MIT
"""What a client of TCP sends first. Use: hello.py PORT pieces NAME: a TLS hello for NAME, each byte in a segment of its own; says
`answered` when a server's hello comes back. hello.py PORT plain: words that are no TLS; hello.py PORT silent: none. These say `closed`
when the connection ends without a byte."""
import socket
import ssl
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
if sys.argv[2] == "pieces":
    context = ssl.create_default_context()
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=sys.argv[3])
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    for byte in outgoing.read():
        connection.sendall(bytes([byte]))
elif sys.argv[2] == "plain":
    connection.sendall(b"EHLO client\r\n")
try:
    answer = connection.recv(1)
except ConnectionResetError:
    answer = b""
print("answered" if answer == b"\x16" else "closed" if not answer else f"something else: {answer!r}")

# SPDX-License-Identifier: MIT
"""Passes connections of a unix socket on to another one, and puts one text in another's place on the way up.
Use: relay.py LISTEN TO OLD NEW; the two texts are of the same length. What is cut in two by a read passes as it is: texts at the
beginning of a command do not get cut."""
import os, socket, sys, threading

listen, to, old, new = sys.argv[1], sys.argv[2], sys.argv[3].encode(), sys.argv[4].encode()
assert len(old) == len(new)


def pump(source, target, up):
    try:
        while data := source.recv(65536):
            target.sendall(data.replace(old, new) if up else data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


listener = socket.socket(socket.AF_UNIX)
listener.bind(listen)
listener.listen(8)
while True:
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(to)
    except OSError:
        client.close()
        continue
    threading.Thread(target=pump, args=(client, server, True), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, False), daemon=True).start()

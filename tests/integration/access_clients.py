# SPDX-License-Identifier: MIT
# Clients of one host from several addresses: each asks again and again until SIGTERM, on kept and on new connections, and counts the
# statuses that it gets. Usage: access_clients.py PORT HOST ADDRESS...; prints one JSON line: {"ADDRESS": {"200": 17}}; and on standard
# error "begun", and at the end which tasks have answered with 200.
import http.client
import json
import signal
import sys
import threading
import time

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
port, host, addresses = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
counts = {address: {} for address in addresses}
tasks = set()


def ask(connection, keep):
    connection.request("GET", "/x", headers={"Host": host} if keep else {"Host": host, "Connection": "close"})
    answer = connection.getresponse()
    body = answer.read().decode().strip()
    if answer.status == 200:
        tasks.add(body)
    return str(answer.status)


def client(address):
    while not stop.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(address, 0))
        for left in (3, 2, 1):
            try:
                status = ask(connection, left > 1)
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            counts[address][status] = counts[address].get(status, 0) + 1
            if connection.sock is None:
                break
            time.sleep(0.004)
        connection.close()


threads = [threading.Thread(target=client, args=(address,)) for address in addresses for _ in range(2)]
for thread in threads:
    thread.start()
print("begun", file=sys.stderr, flush=True)
while not stop.wait(0.2):
    pass
for thread in threads:
    thread.join()
print(json.dumps(counts))
print("served by", *sorted(tasks), file=sys.stderr)

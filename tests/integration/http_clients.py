# SPDX-License-Identifier: MIT
"""control.http from outside: where it listens, over starts and reloads; requests as they should be and as they should not; clients
that are slow, many, greedy or silent, while events go on and are applied. Use: http_clients.py BUILD"""
import resource
from world import *

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
world = World(sys.argv[1])
BACKEND, MAX_PER_ADDRESS, MAX_CONNECTIONS, PATIENCE = "backend-web", 32, 128, 10
sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "20", "--backoff-ms", "0")
haproxy = Haproxy(world, [(BACKEND, 30, "")])
sim.put("/web", 2)


def dial(port, host="127.0.0.1", source="127.0.0.1", timeout=30):
    return socket.create_connection((host, port), timeout, (source, 0) if ":" not in host else None)


def talk(port, data, **dialled):
    """All that comes back until the connection ends."""
    parts = []
    with dial(port, **dialled) as s:
        s.sendall(data)
        try:
            while part := s.recv(1 << 16):
                parts.append(part)
        except ConnectionResetError:
            pass
    return b"".join(parts).decode()


def status(answer):
    """The numbers of the answers' first lines, in order; an empty text has none."""
    return [int(line.split()[1]) for line in answer.splitlines() if line.startswith("HTTP/1.")]


def ask(port, path="/healthz", **dialled):
    return status(talk(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), **dialled))


def is_well(port, **dialled):
    return ask(port, **dialled) == [200]


def listener(host="127.0.0.1", port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen()
    return s


def refuses(port):
    try:
        dial(port).close()
        return False
    except ConnectionRefusedError:
        return True


# ---- where it listens ----

taken = listener()
busy = f"127.0.0.1:{taken.getsockname()[1]}"
slotd = Slotd(world, sim.url, haproxy.socket, haproxy.state_file, http=busy)
world.equal("slotd ends when the address is taken", 1, slotd.process.wait(20))
world.check("and names the key", slotd.logged(f"error http: control.http: cannot listen on {busy}: Address already in use"))
slotd.write_conf("")
slotd.start()
world.check("in step", within(20, slotd.in_step))
world.check("it listens nowhere", slotd.http_port() is None)
slotd.reload("127.0.0.1:0")
world.check("a reload opens it", within(20, lambda: is_well(slotd.http_port())))
port = slotd.http_port()
slotd.reload(busy)
world.check("one that is taken is told", within(20, lambda: slotd.logged(
    f"error http: control.http: cannot listen on {busy}: Address already in use; it stays at 127.0.0.1:0")))
world.check("the former one stays", is_well(port))
taken.close()
slotd.reload(busy)
world.check("the next reload tries again", within(20, lambda: is_well(int(busy.split(":")[1]))))
world.check("the former one is left", within(20, lambda: refuses(port)))
port = int(busy.split(":")[1])
kept = dial(port)
slotd.reload(f"*:{port}")
world.check("the same port of every address", within(20, lambda: is_well(port, source="127.0.0.2", host="127.0.0.2")))
world.equal("who was connected is let go", b"", kept.recv(1))
kept.close()
slotd.reload(busy)
world.check("and back", within(20, lambda: is_well(port)))
taken = listener("127.0.0.2", port)
slotd.reload(f"127.0.0.2:{port}")
world.check("one that is taken, with the same port", within(20, lambda: slotd.logged(f"in use; it stays at {busy}")))
world.check("stays where it was", is_well(port))
taken.close()
slotd.reload("localhost:1")
world.check("a name is refused with its line", within(20, lambda: slotd.logged('control.http is "localhost:1"; it must be ADDRESS:PORT')))
world.check("it stays there too", is_well(port))
try:
    socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    slotd.reload("[::1]:0")
    world.check("an address of IPv6", within(20, lambda: slotd.http_port() != port and is_well(slotd.http_port(), host="::1")))
except OSError:
    print("no IPv6 here")
slotd.reload("")
world.check("a reload closes it", within(20, lambda: slotd.logged("control.http is empty") and refuses(port)))
slotd.reload("*:0")
world.check("and opens it for every address", within(20, lambda: is_well(slotd.http_port())))
port = slotd.http_port()

# ---- requests ----

HEAD = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "TRACE"):
    answer = talk(port, f"{method} /metrics {HEAD}Content-Length: 5\r\n\r\nhello".encode())
    world.equal(f"{method} with a body", [405], status(answer))
    world.check(f"{method}: what is allowed", "\r\nAllow: GET, HEAD\r\n" in answer)
world.equal("a long body is not waited for", [405], status(talk(port, f"POST / {HEAD}Content-Length: 1000000000\r\n\r\n".encode())))
world.equal("GET with a body", [413], status(talk(port, f"GET /healthz {HEAD}Content-Length: 5\r\n\r\nhello".encode())))
world.equal("GET with a body in chunks", [413], status(talk(port, f"GET /healthz {HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode())))
for path in ("/", "/metric", "/metrics/", "//metrics", "/api/slots", "/healthz%00", "/healt%68z", "/../metrics", "*"):
    world.equal(path, [404], ask(port, path))
world.check("what there is", "/healthz, /metrics, /readyz" in talk(port, f"GET / {HEAD}\r\n".encode()))
world.equal("a query", [200], ask(port, "/metrics?a=b"))
answer = talk(port, f"HEAD /metrics {HEAD}\r\n".encode())
world.check("HEAD has no body", status(answer) == [200] and answer.endswith("\r\n\r\n") and "Content-Length: " in answer)
answer = talk(port, b"GET /healthz HTTP/1.0\r\n\r\n")
world.check("HTTP/1.0 ends with its answer", status(answer) == [200] and answer.endswith("\r\n\r\nok\n"))
ten = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
world.equal("requests that do not wait for answers", [200] * 10 + [404], status(talk(port, ten)))
world.equal("a head of 10,000 bytes", [431], status(talk(port, f"GET /healthz {HEAD}X: {'a' * 10000}\r\n\r\n".encode())))
world.equal("the same in many lines", [431], status(talk(port, (f"GET /healthz {HEAD}" + "X: a\r\n" * 2000 + "\r\n").encode())))
# Here libmicrohttpd's versions differ in whether they say a word.
world.check("a path of 10,000 bytes", ask(port, "/" + "a" * 10000) in ([414], []))
world.check("nonsense", status(talk(port, b"\x16\x03\x01 nonsense\r\n\r\n")) in ([400], []))
talk(port, os.urandom(5000) + b"\r\n\r\n")
world.check("well after all of them", is_well(port))

# ---- clients of the bad kind, all at once ----


def metric(name, **dialled):
    """Its value; from an address of its own, where there is room."""
    text = talk(port, f"GET /metrics {HEAD}\r\n".encode(), **dialled)
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def is_open(s):
    s.setblocking(False)
    try:
        return s.recv(1 << 16) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def answered(connections):
    """How many of them get an answer."""
    for s in connections:
        s.sendall(f"GET /healthz {HEAD}\r\n".encode())
    count = sum(s.recv(1 << 16).startswith(b"HTTP/1.1 200") for s in connections)
    for s in connections:
        s.close()
    return count


wants = 3


def changes_go_on(text):
    global wants
    for _ in range(3):
        wants = 5 if wants == 3 else 3
        sim.put("/web", wants)
        world.check(f"{text}: a change is applied", within(20, lambda: len(haproxy.serving(BACKEND)) == wants))


world.check("nobody is connected", within(20, lambda: metric("slotd_http_connections") == 1))
expired = metric("slotd_http_connections_expired_total")
dripping = dial(port, source="127.0.0.9")
greedy = dial(port, source="127.0.0.10")
greedy.setblocking(False)
try:
    while True:  # answers of which none is read: it ends when neither side takes more
        greedy.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        time.sleep(0)
except BlockingIOError:
    pass
idle = [dial(port) for _ in range(1000)]
world.check("of one address so many are let in", within(20, lambda: sum(map(is_open, idle)) == MAX_PER_ADDRESS))
world.check("others still are", is_well(port, source="127.0.0.3"))
world.check("they are counted", within(20, lambda: metric("slotd_http_connections", source="127.0.0.3") == MAX_PER_ADDRESS + 3))
changes_go_on("1000 silent connections")


def drip():
    """One byte after the other, without an end; True when slotd has had enough."""
    for byte in b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 1000:
        try:
            dripping.sendall(bytes([byte]))
        except ConnectionError:
            return True
        if not is_open(dripping):
            return True
        time.sleep(0.1)
    return False


world.check("who drips is let go", drip())
world.check("so are the silent ones", within(PATIENCE + 20, lambda: not any(map(is_open, idle))))
world.check("and who does not read", within(PATIENCE + 20, lambda: metric("slotd_http_connections", source="127.0.0.3") == 1))
world.check("they are counted", within(20, lambda: metric("slotd_http_connections_expired_total") >= expired + MAX_PER_ADDRESS + 2))
for s in idle + [dripping, greedy]:
    s.close()
world.check("there is room again", within(20, lambda: is_well(port)))

# ---- as many as there may be, from many addresses ----

crowd = [dial(port, source=f"127.0.1.{1 + i // MAX_PER_ADDRESS}") for i in range(MAX_CONNECTIONS + 20)]
changes_go_on("as many connections as there may be")
world.equal("each gets its answer in the end", len(crowd), answered(crowd))

# ---- a storm of requests ----

stop = threading.Event()
asked, empty = [0] * 8, []


def storm(number):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.is_set():
        client.request("GET", ("/metrics", "/readyz")[asked[number] % 2])
        if not client.getresponse().read():
            empty.append(number)
        asked[number] += 1
    client.close()


threads = [threading.Thread(target=storm, args=(number,)) for number in range(len(asked))]
for thread in threads:
    thread.start()
world.check("the storm rises", within(20, lambda: min(asked) > 20))
changes_go_on("a storm")
stop.set()
for thread in threads:
    thread.join()
world.equal("answers without a word", [], empty)
world.check("its requests are counted", within(20, lambda: metric("slotd_http_requests_total") > sum(asked)))

# ---- no file left ----

pid = slotd.process.pid
soft, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
used = next(number for number in range(most) if not os.path.exists(f"/proc/{pid}/fd/{number}"))
resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, most))
waiting = [dial(port) for _ in range(8)]
changes_go_on("no file left")


def processor_time():
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


spent = processor_time()
time.sleep(1)
world.check("who cannot be let in costs nothing", processor_time() - spent < 0.1)
resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, most))
# One that found a file may have waited for too long with it.
world.check("and is let in when there are files again", answered(waiting) >= len(waiting) - 1)
pinned = dial(port)
slotd.stop()
world.equal("who is connected when slotd stops is let go", b"", pinned.recv(1))
world.end()

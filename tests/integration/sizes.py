# SPDX-License-Identifier: MIT
"""What is larger than anybody needs: a burst of events, an answer of 300 MB, an event of 64 MB, a HAProxy with 100,000 slots.
All of it is taken, or refused, with bounded memory. Use: sizes.py BUILD. SIZES_MB=N and SIZES_SLOTS=N say how large."""
import http.server, socketserver, sys
from world import *

world = World(sys.argv[1])
ANSWER_MB = int(os.environ.get("SIZES_MB") or 300)
SLOTS = int(os.environ.get("SIZES_SLOTS") or 100000)
# What ASan keeps of freed memory must not look like growth.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=4:" + os.environ.get("ASAN_OPTIONS", "")


def task_of(app, number):
    return {"id": f"{app[1:]}.{number}", "appId": app, "host": "127.0.0.1", "ports": [10000 + number], "version": "1", "state": "TASK_RUNNING",
            "startedAt": "2026-01-01T00:00:00.000Z", "stagedAt": "2026-01-01T00:00:00.000Z", "ipAddresses": []}


class Marathon:
    """Answers /v2/apps with what answer() yields, and keeps each stream open once stream() is over."""

    def __init__(self):
        marathon = self
        self.streams = self.answers = 0

        class Request(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ")
                if self.path.startswith("/v2/events"):
                    marathon.streams += 1
                    self.wfile.write(b"text/event-stream\r\n\r\n")
                    self.tell("event_stream_attached", {"remoteAddress": "127.0.0.1"})
                    marathon.stream(self)
                    marathon.over.wait()
                else:
                    marathon.answers += 1
                    self.wfile.write(b"application/json\r\n\r\n")
                    for part in marathon.answer():
                        self.wfile.write(part)

            def tell(self, name, event):
                self.wfile.write(f"event: {name}\r\ndata: {json.dumps(dict(event, eventType=name))}\r\n\r\n".encode())

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # slotd hung up

        self.over = threading.Event()
        self.server = Server(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stream(self, request):
        pass

    def answer(self):
        yield json.dumps({"apps": [{"id": "/a", "version": "1", "tasks": [task_of("/a", 1)]}]}).encode()

    def end(self):
        self.over.set()
        self.server.shutdown()


def tasks(slotd):
    return sorted(endpoint["task"] for service in slotd.ask("services")["services"] for endpoint in service["endpoints"])


def a_burst():
    """Ten thousand status updates at once, and changes in the midst of them."""
    # A task that is told to go lives on for longer than a slow build on a busy machine takes to read all of it.
    sim = Sim(world, "--starting-ms", "1", "--running-ms", "1", "--killing-ms", "0", "--killed-ms", "5000", "--backoff-ms", "0", name="burst-sim")
    haproxy = Haproxy(world, [("backend-web", 300, "")], "burst-haproxy")
    sim.put("/web", 20)
    slotd = Slotd(world, sim.url, haproxy.socket, haproxy.state_file, "burst")
    true = lambda count: len(sim.running("/web")) == count and haproxy.serving("backend-web") == sorted(task["ports"][0] for task in sim.running("/web"))
    world.check("in step", within(20, lambda: slotd.in_step() and true(20)))
    load = Load(world, haproxy, "backend-web")
    sim.order("burst?n=1000")
    world.check("a small burst first", within(20, lambda: slotd.status()["marathon"]["events"] > 1000))
    memory, events, began = slotd.memory_kb("VmHWM"), slotd.status()["marathon"]["events"], time.monotonic()
    sim.put("/web", 200)
    sim.order("burst?n=10000")
    sim.put("/web", 10)
    world.check("the truth in the end", within(60, lambda: true(10)))
    told = sim.call("GET", "/sim/stats")["events"]
    world.check("each event was taken", within(30, lambda: slotd.status()["marathon"]["events"] - events >= 10000))
    status, took, grown = slotd.status(), time.monotonic() - began, slotd.memory_kb("VmHWM") - memory
    world.equal("events that were refused", 0, status["marathon"]["events_refused"])
    world.equal("streams that were lost", 0, status["marathon"]["reconnects"])
    world.check(f"memory grew by {grown} kB", grown < 40000)
    world.check("in step", within(20, slotd.in_step))
    load.stop()
    world.equal(f"failed requests of {load.result['requests']}", 0, load.result["failed"])
    print(f"burst: {status['marathon']['events'] - events} events, {took:.1f} s until it was the truth, {grown} kB more, {told} told in all")
    slotd.stop()
    sim.process.terminate()
    haproxy.process.terminate()


def an_answer():
    """Apps whose definitions are a hundred times larger than any should be, with tasks in the first and the last one."""
    class Large(Marathon):
        def answer(self):
            app = lambda name, **more: json.dumps(dict(id=name, version="1", **more)).encode()
            yield b'{"apps":[' + app("/first", tasks=[task_of("/first", 1)])
            ballast = {f"V{i}": "x" * 10000 for i in range(10)}
            for number in range(ANSWER_MB * 10):
                yield b"," + app(f"/large{number}", env=ballast, labels=ballast if number % 100 == 0 else {}, tasks=[])
            yield b"," + app("/last", tasks=[task_of("/last", 2)]) + b"]}"

    marathon = Large()
    slotd = Slotd(world, marathon.url, world.path("none.sock"), name="answer", marathon_extra='response_timeout = "60s";')
    began = time.monotonic()
    world.check("it is read to its end", within(90, lambda: tasks(slotd) == ["first.1", "last.2"] and slotd.status()["marathon"]["last_sync_age_ms"] is not None, 0.2))
    peak = slotd.memory_kb("VmHWM")
    world.check(f"memory is bounded, it had {peak} kB", peak < 150000)
    print(f"answer: {ANSWER_MB} MB in {time.monotonic() - began:.1f} s, at most {peak} kB")
    slotd.stop()
    marathon.end()


def an_event():
    """An event of 64 MB is not taken; the stream is, again, and a complete answer tells what it missed."""
    class Loud(Marathon):
        def stream(self, request):
            if self.streams == 1:
                within(10, lambda: self.answers > 0)
                request.wfile.write(b"event: status_update_event\r\ndata: ")
                for _ in range(64):
                    request.wfile.write(b"a" * (1 << 20))

        def answer(self):
            count = 1 if self.streams < 2 else 2
            yield json.dumps({"apps": [{"id": "/a", "version": "1", "tasks": [task_of("/a", number) for number in range(count)]}]}).encode()

    marathon = Loud()
    slotd = Slotd(world, marathon.url, world.path("none.sock"), name="event")
    world.check("the stream is taken up again", within(20, lambda: marathon.streams == 2 and slotd.status()["marathon"]["live"]))
    world.check("a complete answer tells the rest", within(20, lambda: tasks(slotd) == ["a.0", "a.1"]))
    peak = slotd.memory_kb("VmHWM")
    world.check(f"memory is bounded, it had {peak} kB", peak < 60000)
    world.check("it is said", "larger than 8 MiB" in world.read("event.log"))
    print(f"event: at most {peak} kB")
    slotd.stop()
    marathon.end()


def many_slots():
    """Adopted, one change applied, and an event is not held up by the size of the rest."""
    backends = max(SLOTS // 1000, 2)
    haproxy = Haproxy(world, [("backend-web", 20, "")] + [(f"backend-b{number}", SLOTS // backends, "") for number in range(backends)], "slots-haproxy")
    sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "300", name="slots-sim")
    sim.put("/web", 4)
    sim.put("/b0", 20)
    began = time.monotonic()
    slotd = Slotd(world, sim.url, haproxy.socket, haproxy.state_file, "slots")
    world.check("adopted, and in step", within(60, slotd.in_step, 0.1))
    adopted = time.monotonic() - began
    world.check("all slots are known", slotd.edge()["slots"]["total"] == 20 + SLOTS // backends * backends)
    serves = lambda count: len(sim.running("/web")) == count and haproxy_serves(haproxy) == sorted(task["ports"][0] for task in sim.running("/web"))
    haproxy_serves = lambda haproxy: haproxy.serving("backend-web")
    for count in (8, 3, 6):
        sim.put("/web", count)
        world.check(f"{count} serve", within(20, lambda: serves(count)))
    times = sorted(change["acknowledged_after_ms"] for change in slotd.ask("events")["events"] if change["backend"] == "backend-web")
    world.check("each change was acknowledged", len(times) >= 5)

    def file_is_whole():
        with open(haproxy.state_file) as file:
            rows = [Server(fields) for fields in map(str.split, file) if len(fields) > 18 and fields[0] != "#"]
        return len(rows) == 20 + SLOTS // backends * backends and \
            sorted(row.port for row in rows if row.backend == "backend-web" and row.serves()) == haproxy.serving("backend-web")

    world.check("the state file has them all", within(60, file_is_whole, 0.5))
    peak = slotd.memory_kb("VmHWM")
    world.check(f"memory: at most {peak} kB", peak < 100000 + 6 * SLOTS)
    # A restart with nothing changed.
    slotd.stop()
    slotd.start()
    world.check("in step again", within(60, slotd.in_step, 0.1))
    world.equal("commands after a restart", 0, slotd.edge()["commands"])
    print(f"slots: {SLOTS}, in step after {adopted:.1f} s, event to acknowledgement {times[len(times) // 2]} ms, at most {times[-1]} ms; at most {peak} kB")
    slotd.stop()


for test in [globals()[name] for name in sys.argv[2:]] or [a_burst, an_answer, an_event, many_slots]:
    began = time.monotonic()
    test()
    print(f"{test.__name__}: {time.monotonic() - began:.1f} s")
world.end()

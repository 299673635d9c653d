# SPDX-License-Identifier: MIT
"""slotd against Marathons that answer oddly, each a few lines of Python. No HAProxy is needed: what counts is what slotd
asks for and what it believes. Use: odd_marathon.py BUILD"""
import base64, collections, gzip, http.server, json, os, queue, socketserver, subprocess, sys, tempfile, threading, time

build = sys.argv[1]
results = {"passed": 0, "failed": 0}
# What ASan keeps of freed memory must not look like growth.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=4:" + os.environ.get("ASAN_OPTIONS", "")


def check(text, good):
    results["passed" if good else "failed"] += 1
    if not good:
        print("FAILED:", text)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # slotd hung up


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        marathon, path = self.server.marathon, self.path.split("?")[0]
        marathon.asked[path].append(time.monotonic())
        if path == "/v2/events":
            marathon.events(self)
        elif path == "/v2/apps":
            marathon.all(self)
        else:
            marathon.one(self, path[len("/v2/apps"):])

    def answer(self, status, body="", headers=(), content_type="application/json"):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in (("Content-Type", content_type), ("Content-Length", len(body)), *headers):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def attach(self, gate=None):
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        if gate:
            gate.wait()
        self.tell("event_stream_attached", {"remoteAddress": "127.0.0.1"})

    def tell(self, name, event):
        text = json.dumps(dict(event, eventType=name))
        self.wfile.write(f"event: {name}\r\ndata: {text}\r\n\r\n".encode())


class Marathon:
    """Listens, counts, and answers as a healthy one that has no apps."""

    def __init__(self):
        self.asked = collections.defaultdict(list)
        self.queue = queue.Queue()
        self.apps = {}
        server = Server(("127.0.0.1", 0), Request)
        server.marathon = self
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def events(self, request):
        request.attach()
        while True:
            request.tell(*self.queue.get())

    def all(self, request):
        request.answer(200, json.dumps({"apps": list(self.apps.values())}))

    def one(self, request, app):
        known = self.apps.get(app)
        request.answer(*((200, json.dumps({"app": known})) if known else (404, "{}")))

    def put(self, app, tasks, version="1"):
        self.apps[app] = {"id": app, "version": version, "tasks": [
            {"id": task, "host": "127.0.0.1", "ports": [1000], "version": version, "state": "TASK_RUNNING"} for task in tasks]}

    def tell_running(self, app, task, version="1"):
        self.queue.put(("status_update_event", {"appId": app, "taskId": task, "taskStatus": "TASK_RUNNING", "version": version,
                                                "host": "127.0.0.1", "ports": [1000]}))

    def count(self, path, since=0.0):
        return sum(moment >= since for moment in self.asked[path])


class Slotd:
    def __init__(self, *marathons, extra="", resync="60s"):
        self.folder = tempfile.mkdtemp(prefix="slotd-odd.")
        endpoints = ", ".join(f'"{marathon.url}"' for marathon in marathons)
        with open(self.path("slotd.conf"), "w") as conf:
            conf.write(f"""marathon = {{ endpoints = [ {endpoints} ]; resync_interval = "{resync}"; {extra.replace("@", self.folder)} }};
haproxy = ( {{ name = "edge"; socket = "{self.path("none.sock")}"; }} );
control = {{ socket = "{self.path("slotd.sock")}"; state_dir = "{self.folder}"; }};
""")

    def path(self, name):
        return os.path.join(self.folder, name)

    def __enter__(self):
        self.process = subprocess.Popen([f"{build}/slotd", "-c", self.path("slotd.conf")], stderr=open(self.path("log"), "w"))
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        check("slotd ends well", self.process.wait(10) == 0)
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def ctl(self, *arguments):
        done = subprocess.run([f"{build}/slotctl", "-s", self.path("slotd.sock"), "-o", "json", *arguments], capture_output=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {}

    def tasks(self):
        return sorted(e["task"] for s in self.ctl("services").get("services", []) for e in s["endpoints"])

    def marathon(self):
        return self.ctl("status").get("marathon", {})

    def is_live(self):
        return self.marathon().get("live", False)

    def peak_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# ---- secrets ----

def events_alone_want_a_password():
    """The answers are for everybody, so that only the stream ever sees a 401."""
    class Guarded(Marathon):
        def events(self, request):
            if request.headers.get("Authorization") == "Basic " + base64.b64encode(b"ops:two").decode():
                super().events(request)
            else:
                request.answer(401)

    marathon = Guarded()
    slotd = Slotd(marathon, extra='user = "ops"; password_file = "@/password";')
    with open(slotd.path("password"), "w") as password:
        password.write("one\n")
    with slotd:
        check("it tries more than once", within(10, lambda: marathon.count("/v2/events") >= 3))
        with open(slotd.path("password"), "w") as password:
            password.write("two\n")
        check("the new password is read by the stream itself", within(10, slotd.is_live))


# ---- the stream ----

def the_first_event_comes_late():
    """After 2 s without one the stream counts as live, but what happened until the subscription was is in no event."""
    class Slow(Marathon):
        gate = threading.Event()

        def events(self, request):
            request.attach(self.gate)
            self.queue.get()

    marathon = Slow()
    marathon.put("/a", ["a1"])
    with Slotd(marathon) as slotd:
        check("an answer is asked for without an event", within(10, lambda: slotd.tasks() == ["a1"] and slotd.is_live()))
        marathon.put("/a", ["a1", "a2"])
        marathon.gate.set()
        check("and once more behind the first event", within(5, lambda: slotd.tasks() == ["a1", "a2"]))


def a_stream_is_slow():
    class Dripping(Marathon):
        def events(self, request):
            request.attach()
            name, event = self.queue.get()
            for byte in f"event: {name}\r\ndata: {json.dumps(dict(event, eventType=name))}\r\n\r\n".encode():
                request.wfile.write(bytes([byte]))
                time.sleep(0.005)
            self.queue.get()

    marathon = Dripping()
    with Slotd(marathon) as slotd:
        check("answered", within(10, lambda: slotd.marathon().get("last_sync_age_ms") is not None))
        marathon.put("/a", ["a1"])
        marathon.tell_running("/a", "a1")
        check("its event counts", within(10, lambda: slotd.tasks() == ["a1"]))
        check("it is still the first stream", marathon.count("/v2/events") == 1)


def a_stream_falls_silent():
    class Silent(Marathon):
        def events(self, request):
            request.attach()
            self.queue.get()

    marathon = Silent()
    with Slotd(marathon) as slotd:
        check("live", within(10, slotd.is_live))
        check("25 s of silence end it", within(35, lambda: marathon.count("/v2/events") == 2))
        silence = marathon.asked["/v2/events"][1] - marathon.asked["/v2/events"][0]
        check(f"neither sooner nor much later, it was {silence:.1f} s", 25 <= silence < 29)
        check("and another complete answer follows", within(5, lambda: marathon.count("/v2/apps") == 2))


# ---- one app alone ----

def an_app_comes_to_be_shortly_after_its_404():
    """Its task runs while the 404 is still remembered: it is asked for once more, without another event."""
    marathon = Marathon()
    with Slotd(marathon) as slotd:
        check("live", within(10, slotd.is_live))
        marathon.tell_running("/n", "n0", "0")
        check("it is asked for", within(5, lambda: marathon.count("/v2/apps/n") == 1))
        marathon.put("/n", ["n1"])
        for task in range(20):
            marathon.tell_running("/n", "n1")
        check("its task serves", within(5, lambda: slotd.tasks() == ["n1"]))
        check("and it was asked for twice in all", marathon.count("/v2/apps/n") == 2)


def an_app_that_is_not_there_is_asked_for_rarely():
    marathon = Marathon()
    with Slotd(marathon) as slotd:
        check("live", within(10, slotd.is_live))
        for task in range(30):
            marathon.tell_running("/pod", f"p{task}")
            time.sleep(0.1)
        asked = marathon.count("/v2/apps/pod")
        check(f"30 events in 3 s, and it was asked for {asked} times", 1 <= asked <= 3)


def a_group_is_deployed():
    """No api_post_event tells of its apps, and their tasks come while the first of them is being looked after."""
    class Slow(Marathon):
        def one(self, request, app):
            time.sleep(0.05)
            super().one(request, app)

    marathon = Slow()
    with Slotd(marathon) as slotd:
        check("answered", within(10, lambda: slotd.marathon().get("last_sync_age_ms") is not None))
        apps = [f"/g/{app}" for app in range(100)]
        for app in apps:
            marathon.put(app, [f"{app[3:]}-{task}" for task in range(3)])
        for task in range(3):
            for app in apps:
                marathon.tell_running(app, f"{app[3:]}-{task}")
        check("all tasks serve", within(15, lambda: len(slotd.tasks()) == 300))
        time.sleep(1)
        asked = sum(marathon.count(f"/v2/apps{app}") for app in apps)
        check(f"each app is asked for once, and it were {asked} times for 100", asked == 100)


def single_answers_fail(all_answers_fail_too):
    class Broken(Marathon):
        broken = False

        def all(self, request):
            if self.broken and all_answers_fail_too:
                request.answer(500)
            else:
                super().all(request)

        def one(self, request, app):
            request.answer(500)

    marathon = Broken()
    with Slotd(marathon, resync="2s") as slotd:
        check("live", within(10, slotd.is_live))
        check("answered", within(10, lambda: marathon.count("/v2/apps") >= 1))
        marathon.broken = True
        since = time.monotonic()
        for task in range(40):
            marathon.tell_running("/u", f"u{task}", f"v{task}")
            time.sleep(0.2)
        return marathon.count("/v2/apps", since)


def failing_apps_do_not_put_off_complete_answers():
    count = single_answers_fail(False)
    check(f"a complete answer every 2 s at least, in 8 s: {count}", count >= 4)


def failing_apps_do_not_undo_the_back_off():
    count = single_answers_fail(True)
    check(f"the pauses between complete answers grow, in 8 s: {count}", 2 <= count <= 8)


# ---- several endpoints ----

def answers_of_the_stream_s_endpoint_are_not_usable(answer):
    class Broken(Marathon):
        def all(self, request):
            answer(request)

    broken, good = Broken(), Marathon()
    good.put("/a", ["a1"])
    with Slotd(broken, good, extra='response_timeout = "1s";') as slotd:
        check("the other endpoint's answer is taken", within(15, lambda: slotd.tasks() == ["a1"]))
        check("the stream stays", broken.count("/v2/events") == 1)


def stall(request):
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"apps":[')
    time.sleep(60)


def html_instead_of_json():
    answers_of_the_stream_s_endpoint_are_not_usable(
        lambda request: request.answer(200, "<html>please log in</html>", content_type="text/html"))


def half_a_json():
    answers_of_the_stream_s_endpoint_are_not_usable(lambda request: request.answer(200, '{"apps":['))


def a_stalled_answer():
    answers_of_the_stream_s_endpoint_are_not_usable(stall)


# ---- sizes ----

def an_answer_unpacks_to_a_thousand_times_its_size():
    class Bomb(Marathon):
        packed = gzip.compress(b'{"x":"' + b"a" * (300 << 20) + b'","apps":[]}', 1)

        def all(self, request):
            request.answer(200, self.packed, [("Content-Encoding", "gzip")])

    marathon = Bomb()
    with Slotd(marathon) as slotd:
        check("it is read to its end", within(20, lambda: slotd.marathon().get("last_sync_age_ms") is not None))
        peak = slotd.peak_kb()
        check(f"memory does not grow with the answer, it had {peak} kB", peak < 100000)


def an_event_of_64_mb():
    class Loud(Marathon):
        def events(self, request):
            request.attach()
            if self.count("/v2/events") == 1:
                request.wfile.write(b"event: x\r\ndata: ")
                for part in range(64):
                    request.wfile.write(b"a" * (1 << 20))
            self.queue.get()

    marathon = Loud()
    with Slotd(marathon) as slotd:
        check("the stream is dropped and opened again", within(10, lambda: marathon.count("/v2/events") == 2))
        check("and is live", within(10, slotd.is_live))
        peak = slotd.peak_kb()
        check(f"memory is bounded, it had {peak} kB", peak < 60000)


tests = [events_alone_want_a_password, the_first_event_comes_late, a_stream_is_slow, an_app_comes_to_be_shortly_after_its_404, an_app_that_is_not_there_is_asked_for_rarely,
         a_group_is_deployed, failing_apps_do_not_put_off_complete_answers, failing_apps_do_not_undo_the_back_off,
         html_instead_of_json, half_a_json, a_stalled_answer, an_answer_unpacks_to_a_thousand_times_its_size, an_event_of_64_mb]
patient = threading.Thread(target=a_stream_falls_silent)
patient.start()
for test in tests:
    test()
patient.join()
print("{passed} passed, {failed} failed".format(**results))
sys.exit(results["failed"] > 0)

# SPDX-License-Identifier: MIT
"""/metrics and /readyz beside what is true: tasks come, drain and go, another hand changes a slot, the guard holds, either side is
away. Each answer is read by the strict reader, and no counter ever goes back. Use: metrics.py BUILD"""
import exposition
from world import *

world = World(sys.argv[1])
BACKEND, EDGE = "backend-web", ("haproxy", "edge")
world.equal("mistakes that the reader takes", [], exposition.can_fail())


class Watcher:
    """Reads /metrics, and keeps what it read last."""

    def __init__(self, port):
        self.port, self.values = port, {}

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def look(self):
        answer, text = self.get("/metrics")
        self.content_type = answer.getheader("Content-Type")
        values = exposition.read(text)
        for (name, labels), value in self.values.items():
            counts = name.endswith("_total") or name.endswith("_bucket") or name.endswith("_count")
            if counts and values.get((name, labels), -1) < value:
                world.check(f"{name}{labels} went back from {value} to {values.get((name, labels))}", False)
        self.values = values
        return self

    def __getitem__(self, key):
        """Of "name", or of ("name", (label, value), ...); None: it is not there."""
        name, *labels = (key,) if isinstance(key, str) else key
        return self.values.get((name, tuple(sorted(labels))))

    def shows(self, text, *wanted):
        """Waits until ((name, labels...), value) is so for each."""
        good = within(20, lambda: self.look() and all(self[key] == value for key, value in wanted))
        return world.check(f"{text}: {[(key, self[key]) for key, _ in wanted]}", good)

    def slots(self, state):
        return ("slotd_slots", EDGE, ("state", state))

    def of_backend(self, backend, state):
        return ("slotd_backend_slots", EDGE, ("backend", backend), ("state", state))

    def is_ready(self):
        answer, text = self.get("/readyz")
        return answer.status == 200 and text == "ok\n"

    def explains(self, reason):
        """503, with that reason, and exactly those of slotctl status."""
        answer, text = self.get("/readyz")
        lines = text.splitlines()
        return answer.status == 503 and any(reason in line for line in lines) and len(lines) == len(slotd.status()["reasons"])


sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "50", "--backoff-ms", "0")
haproxy = Haproxy(world, [(BACKEND, 14, ""), ("backend-small", 1, "")])
sim.put("/web", 10)
sim.put("/small", 1)
slotd = Slotd(world, sim.url, haproxy.socket, haproxy.state_file, resync="1s", http="127.0.0.1:0")
world.check("it says where it listens", within(20, slotd.http_port))
watcher = Watcher(slotd.http_port())


# ---- what is there ----

world.check("ready", within(20, watcher.is_ready))
watcher.shows("slots and endpoints", (watcher.slots("ready"), 11), (watcher.slots("free"), 4), (watcher.of_backend(BACKEND, "ready"), 10),
              (watcher.of_backend(BACKEND, "free"), 4), (watcher.of_backend("backend-small", "free"), 0), (("slotd_endpoints", ("phase", "ready")), 11),
              ("slotd_services", 2), ("slotd_apps", 2), ("slotd_tasks_running", 11), ("slotd_in_sync", 1), ("slotd_marathon_live", 1),
              (("slotd_haproxy_connected", EDGE), 1), (("slotd_haproxy_adopted", EDGE), 1), (("slotd_problems", ("code", "port-invalid")), None))
version = slotd.edge()["version"]
world.equal("HAProxy's version", 1, watcher["slotd_haproxy_info", EDGE, ("version", version)])
world.equal("slotd's", 1, watcher["slotd_build_info", ("version", slotd.status()["version"])])
world.equal("what Prometheus takes it for", "text/plain; version=0.0.4; charset=utf-8", watcher.content_type)
world.check("memory", watcher["slotd_process_resident_memory_bytes"] > 1e6)
world.check("when it started", abs(watcher["slotd_start_time_seconds"] - time.time()) < 3600)


def agrees():
    """With slotctl status, which reads the same counters in another way; both stand still."""
    status = slotd.status()
    edge, marathon = status["haproxy"][0], status["marathon"]
    watcher.look()
    pairs = [(("slotd_haproxy_commands_total", EDGE), edge["commands"]), (("slotd_haproxy_adoptions_total", EDGE), edge["adoptions"]),
             (("slotd_haproxy_commands_refused_total", EDGE), edge["commands_refused"]), (("slotd_haproxy_drifts_total", EDGE), edge["drifts"]),
             ("slotd_marathon_events_refused_total", marathon["events_refused"]), ("slotd_marathon_reconnects_total", marathon["reconnects"]),
             (("slotd_change_latency_seconds_count", EDGE), status["counts"]["changes"]), ("slotd_tasks", status["counts"]["tasks"]),
             (("slotd_haproxy_commands_in_flight", EDGE), 0)]
    events = sum(value for (name, _), value in watcher.values.items() if name == "slotd_marathon_events_total")
    return all(watcher[key] == value for key, value in pairs) and events + watcher["slotd_marathon_events_refused_total"] == marathon["events"]


def answers():
    return sum(watcher["slotd_marathon_answers_total", ("result", result)] for result in ("good", "unconfirmed", "held"))


world.check("it agrees with slotctl status", within(20, agrees))
world.check("each answer took its time", within(20, lambda: watcher.look() and answers() > 1 and answers() ==
                                               watcher["slotd_marathon_fetch_duration_seconds_count", ("of", "all")]))

# ---- tasks come and go ----

before = watcher.look()["slotd_marathon_events_total", ("type", "status_update")]
changes = watcher["slotd_change_latency_seconds_count", EDGE]
sim.put("/web", 13)
watcher.shows("three more", (watcher.slots("ready"), 14), (watcher.of_backend(BACKEND, "free"), 1))
world.check("by events", watcher["slotd_marathon_events_total", ("type", "status_update")] >= before + 3)
world.equal("each of which is a change", changes + 3, watcher["slotd_change_latency_seconds_count", EDGE])
sim.order("kill?task=" + sim.running("/web")[0]["id"])
world.check("a kill and its replacement", within(20, lambda: watcher.look()["slotd_change_latency_seconds_count", EDGE] >= changes + 5
                                                and watcher[watcher.slots("ready")] == 14))
sim.put("/web", 10)
watcher.shows("and as it was", (watcher.slots("ready"), 11), (watcher.slots("free"), 4), (("slotd_endpoints", ("phase", "ready")), 11))
sim.call("POST", "/sim/event", b"event: status_update_event\ndata: {\"taskId\":1}\n\n")
sim.call("POST", "/sim/event", b"event: news_event\ndata: {}\n\n")
watcher.shows("an event that cannot be read", ("slotd_marathon_events_refused_total", 1))
world.check("one that nobody knows", within(20, lambda: watcher.look()["slotd_marathon_events_total", ("type", "other")] >= 1))
world.check("it agrees again", within(20, agrees))

# ---- operators ----

task = sim.running("/web")[0]["id"]
world.equal("a drain is taken", 0, slotd.ctl("drain", "task", task).returncode)
slotd.ctl("weight", "app", "/web", "3")
watcher.shows("a drain and a weight", ("slotd_drain_orders", 1), ("slotd_weight_orders", 1), (watcher.slots("ready"), 10), (watcher.slots("held"), 1),
              (watcher.of_backend(BACKEND, "other"), 1))
slotd.ctl("undrain", "task", task)
slotd.ctl("weight", "app", "/web", "reset")
watcher.shows("and their ends", ("slotd_drain_orders", 0), ("slotd_weight_orders", 0), (watcher.slots("ready"), 11), (watcher.slots("held"), 0))

# ---- what takes no traffic ----

sim.put("/small", 3)
sim.put("/nowhere", 1)
sim.put("/odd", 1, labels={"traefik.portIndex": "99"})
watcher.shows("what waits, has no backend, or a bad label", (("slotd_endpoints_waiting", EDGE), 2), (("slotd_services_without_backend", EDGE), 2),
              (("slotd_backend_endpoints_waiting", EDGE, ("backend", "backend-small")), 2), ("slotd_in_sync", 0),
              (("slotd_problems", ("code", "port-index-out-of-range")), 1))
world.check("who waits is a reason", within(20, lambda: watcher.explains("2 endpoints wait for a free slot")))
for app in ("/nowhere", "/odd"):
    sim.call("DELETE", f"/v2/apps{app}")
sim.put("/small", 1)
watcher.shows("nothing of it is left", (("slotd_endpoints_waiting", EDGE), 0), (("slotd_services_without_backend", EDGE), 0),
              (("slotd_problems", ("code", "port-index-out-of-range")), None), ("slotd_in_sync", 1))

# ---- another hand ----

haproxy.cli(f"set server {BACKEND}/{next(server.name for server in haproxy.servers(BACKEND) if server.serves())} state maint")
watcher.shows("a drift", (("slotd_haproxy_drifts_total", EDGE), 1), (watcher.slots("ready"), 11))
world.equal("that is put right", 10, len(haproxy.serving(BACKEND)))

# ---- answers that are none, and too little ----

bad = watcher.look()["slotd_marathon_answers_total", ("result", "bad")]
sim.order("fault?path=/v2/apps&kind=garbage")
world.check("an answer that cannot be read", within(20, lambda: watcher.explains("Marathon's last answer was not usable")))
world.check("it is counted", within(20, lambda: watcher.look()["slotd_marathon_answers_total", ("result", "bad")] > bad and watcher["slotd_in_sync"] == 0))
sim.order("clear")
world.check("ready again", within(60, watcher.is_ready))

listed = sim.call("GET", "/v2/apps?embed=apps.tasks")
world.equal("the guard is at rest", (0, 0, 0), tuple(watcher["slotd_guard_" + name] for name in ("held", "held_endpoints", "holds_total")))
sim.call("POST", "/sim/apps", {"apps": [app for app in listed["apps"] if app["id"] != "/web"]})
watcher.shows("the guard holds", ("slotd_guard_held", 1), ("slotd_guard_held_endpoints", 10), ("slotd_guard_holds_total", 1), (watcher.slots("ready"), 11))
world.check("it is a reason", within(20, lambda: watcher.explains("the guard holds the removal of 10")))
world.check("answers are held", within(20, lambda: watcher.look()["slotd_marathon_answers_total", ("result", "held")] >= 2))
world.equal("it has begun once", 1, watcher["slotd_guard_holds_total"])
world.equal("the operator confirms", 0, slotd.ctl("confirm").returncode)
watcher.shows("the guard lets go", ("slotd_guard_held", 0), ("slotd_guard_held_endpoints", 0), ("slotd_guard_holds_total", 1), (watcher.slots("ready"), 1))
sim.call("POST", "/sim/apps", b"")
watcher.shows("and all is back", (watcher.slots("ready"), 11), ("slotd_in_sync", 1))

# ---- either side is away ----

haproxy.process.terminate()
haproxy.process.wait(20)
watcher.shows("HAProxy is away", (("slotd_haproxy_connected", EDGE), 0), (("slotd_haproxy_adopted", EDGE), 0), ("slotd_in_sync", 0))
world.check("it is the reason", within(20, lambda: watcher.explains("HAProxy edge is not in use")))
haproxy.start()
watcher.shows("HAProxy is back", (("slotd_haproxy_connected", EDGE), 1), (("slotd_haproxy_adoptions_total", EDGE), 2), (watcher.slots("ready"), 11))
world.check("ready once more", within(20, watcher.is_ready))
sim.process.kill()
sim.process.wait()
watcher.shows("Marathon is away", ("slotd_marathon_live", 0), ("slotd_in_sync", 0), (watcher.slots("ready"), 11))
world.check("it is the reason", within(20, lambda: watcher.explains("Marathon's event stream at ")))
world.check("it is tried again", within(20, lambda: watcher.look()["slotd_marathon_reconnects_total"] >= 2))
world.equal("slotd is well", (200, "ok\n"), (watcher.get("/healthz")[0].status, watcher.get("/healthz")[1]))
slotd.stop()
world.end()

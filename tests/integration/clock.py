# SPDX-License-Identifier: MIT
"""Somebody sets the clock: by a day back and forth. What lasts keeps its length, nothing is taken out for it, nothing turns
in circles. Use: clock.py BUILD"""
import mmap, struct, sys
from world import *

world = World(sys.argv[1])
APP, BACKEND, DAY = "/web", "backend-web", 86400 * 1000
with open(world.path("shift"), "wb") as file:
    file.write(bytes(8))
shift_file = open(world.path("shift"), "r+b")
shift = mmap.mmap(shift_file.fileno(), 8)


def set_clock(ms):
    shift[:] = struct.pack("=q", ms)


sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "300", "--backoff-ms", "0",
          "--check-ms", "10")
haproxy = Haproxy(world, [(BACKEND, 30, "")])
sim.put(APP, 6)
shim = {**os.environ, "LD_PRELOAD": world.build + "/tests/integration/clock_shim.so", "CLOCK_SHIM_FILE": world.path("shift"),
        "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}


class Shimmed(Slotd):
    def start(self, *options):
        super().start(*options, env=shim)


slotd = Shimmed(world, sim.url, haproxy.socket, haproxy.state_file, mapping_extra="respect_readiness_checks = true;")
world.check("in step", within(20, lambda: slotd.in_step() and slotd.status()["counts"]["tasks_running"] == 6))


def slot_of(task):
    return next((slot["state"] for slot in slotd.ask("slots")["slots"] if slot["task"] == task), "none")


def drains():
    return {drain["name"]: drain for drain in slotd.ask("drains")["drains"]}


def cpu_seconds():
    with open(f"/proc/{slotd.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quiet(text):
    """Whether it is still at work at a pace; a second is long enough to see a loop that never rests."""
    began, used = time.monotonic(), cpu_seconds()
    time.sleep(1)
    share = (cpu_seconds() - used) / (time.monotonic() - began)
    world.check(f"{text}: {share:.0%} of a processor", share < 0.5)


def ages_are_sane(text):
    """Nothing here is older than this test."""
    def sane():
        status = slotd.status()
        return all(0 <= age < 600000 for age in (status["uptime_ms"], status["marathon"]["last_event_age_ms"], status["marathon"]["last_sync_age_ms"]))
    world.check(f"{text}: ages", within(10, sane))


load = Load(world, haproxy, BACKEND)
(first, first_port), (second, _), (third, third_port) = ((task["id"], task["ports"][0]) for task in sim.running(APP)[:3])

for name, jump in (("a day forward", DAY), ("a day back", -DAY), ("to now", 0), ("to 1971", 365 * DAY - int(time.time() * 1000))):
    # The long one holds, the short one ends, whatever the clock says meanwhile.
    slotd.ask("drain", names=["task", first], **{"for": "1h"})
    slotd.ask("drain", names=["task", second], **{"for": "3s"})
    world.check(f"{name}: both drain", within(10, lambda: slot_of(first) == slot_of(second) == "held"))
    set_clock(jump)
    world.check(f"{name}: the short drain ends", within(15, lambda: slot_of(second) == "ready"))
    # An order more makes it look at all of them.
    slotd.ask("drain", names=["task", third], **{"for": "1h"})
    world.check(f"{name}: another one", within(10, lambda: slot_of(third) == "held"))
    world.equal(f"{name}: the long drain holds", "held", slot_of(first))
    ages_are_sane(name)
    quiet(name)
    # It is kept so that the next start finds it right.
    world.check(f"{name}: kept", within(10, lambda: {first, third} == {drain["name"] for drain in json.load(open(slotd.state_dir + "/orders.json"))["drains"]}))
    slotd.stop()
    slotd.start()
    world.check(f"{name}: in step after a restart", within(20, slotd.in_step))
    world.check(f"{name}: the long drains are still known", set(drains()) == {first, third})
    world.check(f"{name}: and hold", not {first_port, third_port} & set(haproxy.serving(BACKEND)))
    for task in (first, third):
        slotd.ask("undrain", names=["task", task])
    world.check(f"{name}: all serve", within(10, lambda: slot_of(first) == slot_of(third) == "ready"))
    changes = slotd.ask("events")["events"]
    world.check(f"{name}: events stay in order, and none took a day",
                [c["sequence"] for c in changes] == sorted(c["sequence"] for c in changes) and all(0 <= c["acknowledged_after_ms"] < 60000 for c in changes))

set_clock(0)
ages_are_sane("at the end")

load.stop()
world.equal(f"failed requests of {load.result['requests']}", 0, load.result["failed"])

# A kept connection's request keeps a slot busy: --timeout is over when its time is, not when the clock says so.
slow = subprocess.Popen(["curl", "-s", "-o", os.devnull, "-H", f"Host: {BACKEND}", f"http://127.0.0.1:{haproxy.port}/?ms=8000"])
tasks = {task["id"] for task in sim.running(APP)}
for task in tasks:
    slotd.ask("drain", names=["task", task], timeout="2s")
set_clock(-DAY)
world.check("the timeout comes all the same", within(15, lambda: all(slot_of(task) == "held" for task in tasks)))
set_clock(0)
for task in tasks:
    slotd.ask("undrain", names=["task", task])
world.check("all serve again", within(10, lambda: all(slot_of(task) == "ready" for task in tasks)))
slow.wait()

# Readiness by age: a deployment is on its way, and no old task has a result.
sim.put(APP, 6, readinessChecks=[{"name": "main", "portName": "default", "timeoutSeconds": 30}], env={"V": "2"})
world.check("new ones wait", within(10, lambda: len(sim.running(APP)) > 6))
serving = {slot["task"] for slot in slotd.ask("slots")["slots"] if slot["state"] == "ready"}
news = {task["id"] for task in sim.running(APP)} - tasks
for name, jump in (("forward", DAY), ("back", -DAY), ("to now", 0)):
    set_clock(jump)
    world.check("sync", slotd.ask("sync"))
    now = {slot["task"] for slot in slotd.ask("slots")["slots"] if slot["state"] == "ready"}
    world.check(f"the clock goes {name}: old tasks serve on", serving <= now)
    world.check(f"the clock goes {name}: no new one that is not ready serves", not now & news)

world.end()

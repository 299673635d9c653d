# SPDX-License-Identifier: MIT
"""HAProxy's connection is cut while tasks are assigned, drained and freed, and requests come all the time: behind every
eighth byte of the exchange, and random ones; and it comes by drops, late, half-open, or without an answer any more.
Several HAProxies, each with its slotd, share the work.
Use: cuts.py BUILD. CUTS_STEP=4 cuts at each byte (the four of them share a step), CUTS_SEED=N repeats the random
ones."""
import sys
from world import *

world = World(sys.argv[1])
seed = int(os.environ.get("CUTS_SEED") or time.time_ns() % 1000000)
step = int(os.environ.get("CUTS_STEP") or 32)
print(f"CUTS_SEED={seed} CUTS_STEP={step}")
LANES, TASKS, KILLS = 4, 4, 2
# A round's commands up, and their replies down, are about that long: behind it nothing is left to cut.
LENGTH_UP, LENGTH_DOWN = 800, 900
# Changing commands for a task that goes and the one that comes for it: drain and maint; address, weight, ready.
COMMANDS = 7

sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "300", "--backoff-ms", "0")


class Lane(threading.Thread):
    def __init__(self, number):
        super().__init__()
        self.number, self.app, self.backend = number, f"/lane{number}", f"backend-lane{number}"
        self.random = random.Random(seed + number)
        self.known, self.samples, self.wrong = set(), 0, []
        self.over = threading.Event()
        self.haproxy = Haproxy(world, [(self.backend, 12, "")], f"haproxy{number}")
        # One of them by TCP.
        self.proxy = Proxy(world, f"proxy{number}", self.haproxy.socket, *(("--seed", str(seed)) if number else ()),
                           listen="127.0.0.1:0" if number == 0 else None)
        sim.put(self.app, TASKS)
        self.slotd = Slotd(world, sim.url, self.proxy.at, self.haproxy.state_file, f"slotd{number}")
        world.check("in step", within(20, lambda: self.slotd.in_step() and self.is_true()))

    def is_true(self):
        """Whether HAProxy serves just what runs, and all else is free."""
        running = sim.running(self.app)
        ports = sorted(task["ports"][0] for task in running)
        self.known.update(ports)
        servers = self.haproxy.servers(self.backend)
        return len(running) == TASKS and ports == sorted(server.port for server in servers if not server.is_out()) == \
            sorted(server.port for server in servers if server.serves())

    def watch(self):
        """Whatever is cut, no slot outside maint ever points at what was no task of this app, and no two at the same one."""
        while not self.over.wait(0.03):
            open_ports = [server.port for server in self.haproxy.servers(self.backend) if not server.is_out()]
            self.samples += 1
            if not self.known.issuperset(open_ports):
                self.known.update(port for task in sim.tasks(self.app) for port in task["ports"])
            if not self.known.issuperset(open_ports) or len(set(open_ports)) < len(open_ports):
                self.wrong.append(open_ports)

    def plan(self):
        """(way, bytes, cuts) of each round: those that are this lane's, in an order of its own."""
        rounds = [(way, cut, 1) for way, length in (("up", LENGTH_UP), ("down", LENGTH_DOWN))
                  for cut in range(self.number * step // LANES, length, step)]
        # Several in a row meet the adoption that follows, and what it finds half done.
        rounds += [(self.random.choice(("up", "down")), self.random.randrange(2000), self.random.choice((1, 2, 3))) for _ in range(12)]
        self.random.shuffle(rounds)
        return rounds

    def round(self, way, cut, count):
        self.proxy.faults(**{f"cut_{way}": cut, "count": count, "reset": self.random.randrange(2)})
        for task in self.random.sample(sim.running(self.app), KILLS):
            sim.order("kill?task=" + task["id"])
        gone = within(15, lambda: len(sim.running(self.app)) < TASKS)
        return gone and within(15, self.is_true)

    def trouble(self):
        """What else a connection can do: each lane has one of them, while tasks go and come. A drain may wait for an answer
        before it is on its way: three times the way has to be less than a task outlives its TASK_KILLING."""
        text, faults = [("by drops", {"drip_bytes": 30, "drip_ms": 2}), ("late", {"latency_ms": 40, "jitter_ms": 40}),
                        ("half-open", {"stall_up": 0, "stall_down": 0}), ("no answer any more", {"stall_down": 700})][self.number]
        stalls = "stall_down" in faults
        self.proxy.faults(**faults)
        for task in self.random.sample(sim.running(self.app), 1):
            # Where nothing passes it must not die unheard: one more comes instead.
            sim.put(self.app, TASKS + 1) if stalls else sim.order("kill?task=" + task["id"])
        if stalls:
            world.check(f"{text}: the silence is noticed", within(20, lambda: self.slotd.says("is not in use")))
            # What has passed upwards was done, though no answer tells of it.
            world.check(f"{text}: what served serves", TASKS <= len(self.haproxy.serving(self.backend)) <= TASKS + ("stall_up" not in faults))
            self.proxy.order("clear")
            sim.put(self.app, TASKS)
        world.check(f"{text}: it comes to the truth", within(20, self.is_true))

    def run(self):
        watcher = threading.Thread(target=self.watch)
        watcher.start()
        load = Load(world, self.haproxy, self.backend, rate=100)
        before = self.slotd.edge()["commands"]
        rounds = self.plan()
        for way, cut, count in rounds:
            if not world.check(f"it comes to the truth, cut {way} behind {cut} bytes, {count} times", self.round(way, cut, count)):
                break
        self.proxy.order("clear")
        commands, cuts = self.slotd.edge()["commands"] - before, self.proxy.order("stats")["cuts"]
        self.trouble()
        self.proxy.order("clear")
        world.check("in step at the end", within(10, self.slotd.in_step))
        load.stop()
        self.over.set()
        watcher.join()
        edge = self.slotd.edge()
        world.equal(f"failed requests of {load.result['requests']}", 0, load.result["failed"])
        world.check(f"no slot was ever at a wrong address: {self.wrong[:3]}", self.samples > 100 and not self.wrong)
        world.check(f"{cuts} cuts in {len(rounds)} rounds, and {edge['adoptions']} adoptions", len(rounds) / 3 < cuts <= edge["adoptions"] + 2 * len(rounds))
        # What was on its way at a cut may be sent once more, nothing more often.
        most = COMMANDS * KILLS * (len(rounds) + cuts)
        world.check(f"{commands} commands in {len(rounds)} rounds with {cuts} cuts, at most {most}", commands <= most)
        world.equal("refused commands", 0, edge["commands_refused"])
        print(f"lane {self.number}: {len(rounds)} rounds, {cuts} cuts, {edge['adoptions']} adoptions, {commands} commands, {load.result['requests']} requests, {self.samples} samples")


lanes = [Lane(number) for number in range(LANES)]
for lane in lanes:
    lane.start()
for lane in lanes:
    lane.join()
world.end()

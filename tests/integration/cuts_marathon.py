# SPDX-License-Identifier: MIT
"""Marathon's side breaks: an answer is cut behind every byte (four slotds share them), the event stream in the midst of
events; nothing comes any more, it comes by drops, nobody listens. Nothing is removed for any of it, and slotd is in step
again when it ends. Use: cuts_marathon.py BUILD. CUTS_STEP=1: each cuts at each byte. CUTS_SEED=N repeats the random choices."""
import sys
from world import *

world = World(sys.argv[1])
seed = int(os.environ.get("CUTS_SEED") or time.time_ns() % 1000000)
step = int(os.environ.get("CUTS_STEP") or 4)
print(f"CUTS_SEED={seed} CUTS_STEP={step}")
LANES, TASKS, STREAM_CUTS = 4, 4, 5
ANSWER, STREAM = "/v2/apps", "/v2/events"

# A task lives long enough behind TASK_KILLING for slotd to find Marathon again.
sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "1500", "--backoff-ms", "0",
          "--keepalive-ms", "1000")


class Lane(threading.Thread):
    def __init__(self, number):
        super().__init__()
        self.number, self.app, self.backend = number, f"/lane{number}", f"backend-lane{number}"
        self.random = random.Random(seed + number)
        self.haproxy = Haproxy(world, [(self.backend, 20, "")], f"haproxy{number}")
        self.proxy = Proxy(world, f"proxy{number}", sim.address, "--seed", str(seed + number))
        sim.put(self.app, TASKS)
        self.slotd = Slotd(world, f"http://{self.proxy.at}", self.haproxy.socket, self.haproxy.state_file, f"slotd{number}",
                           marathon_extra='connect_timeout = "1s"; response_timeout = "2s";')
        self.instances = TASKS
        world.check("in step", within(20, lambda: self.slotd.in_step() and self.is_true()))

    def is_true(self):
        ports = sorted(task["ports"][0] for task in sim.running(self.app))
        return len(ports) == self.instances and ports == self.haproxy.serving(self.backend)

    def commands(self):
        return self.slotd.edge()["commands"]

    def cut_answers(self):
        """A cut answer says nothing: not one command follows from it, and the next whole one is believed."""
        self.proxy.faults(cut_down=1 << 30, match=ANSWER)
        before = self.proxy.order("stats")["bytes_down"]
        self.slotd.ask("sync")
        length = self.proxy.order("stats")["bytes_down"] - before
        commands, cuts, refused = self.commands(), self.proxy.order("stats")["cuts"], 0
        offsets = list(range(self.number * step // LANES, length + step, step))
        self.random.shuffle(offsets)
        for offset in offsets:
            self.proxy.faults(cut_down=offset, count=2, match=ANSWER, reset=self.random.randrange(2))
            try:
                self.slotd.ask("sync")
            except OSError:
                refused += 1
        self.proxy.order("clear")
        cuts = self.proxy.order("stats")["cuts"] - cuts
        print(f"lane {self.number}: an answer of {length} bytes, cut {len(offsets)} times")
        world.check(f"lane {self.number}: {cuts} cuts in an answer of {length} bytes, {refused} of {len(offsets)} were not usable",
                    refused >= len(offsets) * 2 / 3 and cuts >= refused)
        world.equal("commands for cut answers", commands, self.commands())
        world.check("a whole answer is believed", within(10, lambda: self.slotd.ask("sync") and self.slotd.in_step()))

    def kill_some(self):
        for task in self.random.sample(sim.running(self.app), 2):
            sim.order("kill?task=" + task["id"])

    def cut_streams(self):
        """The stream is cut in the midst of events: what they would have said comes by the answer that follows."""
        for number in range(STREAM_CUTS):
            offset = self.random.randrange(3000)
            cuts = self.proxy.order("stats")["cuts"]
            self.proxy.faults(cut_down=offset, count=1, match=STREAM, reset=self.random.randrange(2))
            self.kill_some()
            world.check(f"lane {self.number}: it comes to the truth, the stream cut behind {offset} bytes", within(20, self.is_true))
            world.check("it was cut", within(10, lambda: self.proxy.order("stats")["cuts"] > cuts))
            if number % 2:
                # Each cut in a row is answered by a longer pause, as it should: another process begins anew.
                self.slotd.stop()
                self.slotd.start()
                world.check("in step again", within(20, self.slotd.in_step))

    def drip(self):
        self.proxy.faults(drip_bytes=100, drip_ms=3)
        self.kill_some()
        world.check(f"lane {self.number}: by drops it comes to the truth too", within(20, self.is_true))

    def late(self):
        self.proxy.faults(latency_ms=100, jitter_ms=100)
        self.kill_some()
        world.check(f"lane {self.number}: late it comes to the truth too", within(20, self.is_true))

    def away(self, text, **faults):
        """Nobody answers while the app is scaled up: what served serves on, and no command is sent."""
        serving, commands = self.haproxy.serving(self.backend), self.commands()
        if "refuse" not in faults:
            self.proxy.faults(**faults)
        self.proxy.order("cut")
        self.proxy.faults(**faults)
        self.instances += 2
        sim.put(self.app, self.instances)
        world.check("the cluster settles", within(20, lambda: len(sim.running(self.app)) == self.instances))
        world.check(f"lane {self.number}, {text}: status says so", within(20, lambda: self.slotd.says("is not live")))
        try:
            self.slotd.ask("sync", patience=60)
            world.check(f"{text}: a sync cannot succeed", False)
        except OSError as error:
            world.check(f"{text}: a sync says why: {error}", "no answer" not in str(error))
        world.equal(f"lane {self.number}, {text}: what serves", serving, self.haproxy.serving(self.backend))
        world.equal(f"{text}: commands", commands, self.commands())
        self.proxy.order("clear")
        world.check(f"lane {self.number}, {text}: in step when it ends", within(40, lambda: self.is_true() and self.slotd.in_step()))

    def run(self):
        load = Load(world, self.haproxy, self.backend)
        self.cut_answers()
        self.cut_streams()
        (self.drip, self.late)[self.number % 2]()
        self.proxy.order("clear")
        world.check("settled", within(10, self.is_true))
        self.away(*(("nobody listens",), ("half-open",))[self.number % 2], **({"refuse": 1}, {"stall_up": 0, "stall_down": 0})[self.number % 2])
        load.stop()
        world.equal(f"lane {self.number}: failed requests of {load.result['requests']}", 0, load.result["failed"])


lanes = [Lane(number) for number in range(LANES)]
for lane in lanes:
    lane.start()
for lane in lanes:
    lane.join()
world.end()

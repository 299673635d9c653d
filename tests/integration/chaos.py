# SPDX-License-Identifier: MIT
"""slotd, HAProxy and Marathon are stopped and killed at random, while deploys, scales and kills go on under load. What may
fail is what was under way in a HAProxy that was killed, what was begun while there was none, and, when the simulator itself
dies with every task in it, what was begun until its successor's tasks serve. Everything else that fails is counted, and is 0.
Use: chaos.py BUILD. CHAOS_SEED=N repeats the choices, CHAOS_SECONDS=N goes on for longer."""
import sys
from world import *

world = World(sys.argv[1])
seed = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 1000000)
seconds = float(os.environ.get("CHAOS_SECONDS") or 25)
print(f"CHAOS_SEED={seed}")
randomly = random.Random(seed)
APPS = {"/web": "backend-web", "/api": "backend-api"}
# A task that is told to go lives on for longer than slotd or Marathon are ever away here.
SIM = ("--starting-ms", "10", "--running-ms", "10", "--killing-ms", "0", "--killed-ms", "4000", "--backoff-ms", "0", "--keepalive-ms", "1000")

sim = Sim(world, *SIM)
# Marathon's process as slotd sees it. It can be killed without the tasks, which are the simulator's.
marathon = Proxy(world, "marathon", sim.address)
haproxy = Haproxy(world, [(backend, 60, "") for backend in APPS.values()])
for app in APPS:
    sim.put(app, 4)
slotd = Slotd(world, f"http://{marathon.at}", haproxy.socket, haproxy.state_file, resync="5s")


differs = ""  # why it was not, the last time


def is_true():
    global differs
    for app, backend in APPS.items():
        tasks, serving = sim.tasks(app), haproxy.serving(backend)
        ports = sorted(task["ports"][0] for task in tasks if task["state"] == "TASK_RUNNING")
        if len(ports) != len(tasks) or not ports or serving != ports:
            differs = f"{app}: {len(tasks)} tasks, of which {ports} run, and {serving} serve"
            return False
    differs = "a deployment is on its way"
    return sim.settled()


world.check("in step", within(20, lambda: slotd.in_step() and is_true()))
loads = [Load(world, haproxy, backend, rate=150, path="/?ms=5") for backend in APPS.values()]
excused, history, began = [], [], time.time()


def note(what):
    history.append(f"{time.time() - began:.2f} {what}")


def freeze(pids, longest, what):
    pause = randomly.uniform(0.05, longest)
    note(f"{what} stands still for {pause:.2f} s")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(pause)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def stop_slotd():
    freeze([slotd.process.pid], 1.0, "slotd")


def stop_haproxy():
    freeze(haproxy.workers(), 0.8, "HAProxy's worker")


def stop_marathon():
    freeze([marathon.process.pid], 1.0, "Marathon")


def stop_sim():
    freeze([sim.process.pid], 0.5, "the simulator, and its tasks")


def kill_slotd():
    note("slotd is killed")
    slotd.kill()
    time.sleep(randomly.uniform(0, 0.5))
    slotd.start()


def kill_marathon():
    global marathon
    note("Marathon is killed")
    marathon.process.kill()
    marathon.process.wait()
    time.sleep(randomly.uniform(0, 0.5))
    marathon = Proxy(world, "marathon", sim.address, listen=marathon.at)


def kill_haproxy():
    """The worker; its master goes with it, and what looks after HAProxy starts it again."""
    note("HAProxy's worker is killed")
    since = time.time()
    for pid in haproxy.workers():
        os.kill(pid, signal.SIGKILL)
    haproxy.process.wait(20)
    time.sleep(randomly.uniform(0, 0.3))
    haproxy.start()
    # What changed last may not be in its server-state file: until it is adopted it serves what it came back with.
    world.check("slotd adopts it", within(10, lambda: slotd.status()["haproxy"][0]["connected"]))
    excused.append((since, time.time()))


def kill_sim():
    """Marathon, its memory and every task at once. The next one has the same apps and as many tasks, all of them others: with
    less than half of them the guard would wait for a human, as it should."""
    global sim
    counts = {app: max(1, len(sim.running(app))) for app in APPS}
    note(f"the simulator is killed, and every task with it: {counts}")
    since = time.time()
    sim.process.kill()
    sim.process.wait()
    if world.check("slotd says that Marathon is away", within(20, lambda: slotd.says("is not live"))):
        world.check("it keeps the slots", all(haproxy.serving(backend) for backend in APPS.values()))
    # Ids of tasks are never used again.
    sim = Sim(world, *SIM, "--cluster", "2", listen=sim.address)
    for app, count in counts.items():
        sim.put(app, count)
    good = within(40, is_true)
    world.check(f"the new tasks serve, with no human: {differs}", good)
    excused.append((since, time.time()))


def change():
    app = randomly.choice(list(APPS))
    kind = randomly.choice(("scale", "scale", "kill", "kill", "deploy"))
    note(f"{kind} {app}")
    if kind == "scale":
        sim.put(app, randomly.randint(2, 8))
    elif kind == "deploy":
        sim.put(app, len(sim.running(app)) or 2, env={"ROUND": str(randomly.random())})
    else:
        running = sim.running(app)
        if len(running) > 2:
            sim.order("kill?task=" + randomly.choice(running)["id"])


blows = [stop_slotd, stop_haproxy, stop_marathon, stop_sim, kill_slotd, kill_slotd, kill_marathon, kill_haproxy]
end, sim_dies = time.monotonic() + seconds, time.monotonic() + randomly.uniform(0.3, 0.7) * seconds
n_blows = 0
while time.monotonic() < end and not world.failed:
    for _ in range(randomly.randint(1, 3)):
        change()
    time.sleep(randomly.uniform(0, 0.1))
    if sim_dies and time.monotonic() > sim_dies:
        sim_dies = None
        kill_sim()
    else:
        randomly.choice(blows)()
    n_blows += 1
    # Now and then the next blow falls before all is well after the last one; never for so long that a task dies meanwhile unheard.
    if randomly.random() < 0.7:
        world.check("in step between", within(20, slotd.in_step))
    else:
        time.sleep(0.2)

good = within(40, is_true)
world.check(f"it comes to the truth at the end: {differs}", good)
world.check("in step at the end", within(20, slotd.in_step))
requests, unexcused, n_excused = 0, [], 0
for load in loads:
    requests += load.stop()["requests"]
    for begun, ended, line in load.failures():
        # It was under way when that began, or was begun before it was over.
        if any(begun <= until and since <= ended for since, until in excused):
            n_excused += 1
        else:
            unexcused.append(f"{begun - began:.2f}: {line}")
world.check(f"{len(unexcused)} of {requests} requests failed without an excuse: " + "\n".join(unexcused[:5] + history), not unexcused)
print(f"{n_blows} blows, {len(history)} things done, {requests} requests, {n_excused} failed with an excuse")
world.end()

# SPDX-License-Identifier: MIT
"""Events without end: slotd's memory is flat once it is warm. Tasks and apps come and go, most of them never seen before;
streams break; events are unknown, doubled and malformed; operators drain and weigh. A load counts what fails.
Use: soak.py BUILD. SOAK_EVENTS=N events (100000), SOAK_SEED=N repeats the choices."""
import statistics, sys
from world import *

world = World(sys.argv[1])
wanted = int(os.environ.get("SOAK_EVENTS") or 100000)
seed = int(os.environ.get("SOAK_SEED") or time.time_ns() % 1000000)
print(f"SOAK_EVENTS={wanted} SOAK_SEED={seed}", flush=True)
randomly = random.Random(seed)
APPS = [f"/soak{number}" for number in range(6)]

sim = Sim(world, "--starting-ms", "1", "--running-ms", "1", "--killing-ms", "0", "--killed-ms", "1000", "--backoff-ms", "0")
haproxy = Haproxy(world, [(f"backend-soak{number}", 200, "") for number in range(6)])
for app in APPS:
    sim.put(app, 5)
slotd = Slotd(world, sim.url, haproxy.socket, haproxy.state_file, resync="2s")
world.check("in step", within(20, slotd.in_step))
# Of the one app that is never taken down to nothing.
load = Load(world, haproxy, "backend-soak0", rate=50)
samples, n_actions, passing = [], 0, []


def taken():
    return slotd.status()["marathon"]["events"]


def scale():
    for app in APPS:
        sim.put(app, randomly.randint(2, 25) if app == APPS[0] else randomly.choice((0, 3, 8, 20, 40)))


def deploy():
    app = randomly.choice(APPS)
    sim.put(app, 8, env={"V": str(n_actions)}, labels={"traefik.weight": str(randomly.randint(1, 9)), f"own{n_actions % 50}": "x" * 200})


def pass_by():
    """An app that was never there before, and will not be again."""
    app = f"/passing{n_actions}"
    sim.put(app, randomly.randint(1, 4), labels={"traefik.backend": f"passing{n_actions}", "traefik.frontend.rule": f"Host:h{n_actions}.test"})
    passing.append(app)
    if len(passing) > 10:
        sim.call("DELETE", "/v2/apps" + passing.pop(0))


def fail():
    running = sim.running(APPS[1])
    if running:
        sim.order("fail?task=" + randomly.choice(running)["id"])


def unknown():
    """Of tasks of apps that Marathon does not have, and what is no event at all."""
    text = ""
    for number in range(200):
        event = {"eventType": "status_update_event", "appId": f"/pod{n_actions}-{number}", "taskId": f"pod{n_actions}-{number}.1", "taskStatus": "TASK_RUNNING",
                 "host": f"host{number}.invalid", "ports": [1000 + number], "version": "1"}
        text += f"event: status_update_event\r\ndata: {json.dumps(event)}\r\n\r\n"
    sim.call("POST", "/sim/event", (text + "event: status_update_event\r\ndata: {[}\r\n\r\n").encode())


def burst():
    sim.order("burst?n=3000")


def operate():
    tasks = sim.running(APPS[2])
    if tasks:
        slotd.ask("drain", names=["task", randomly.choice(tasks)["id"]], **{"for": "1s"})
    slotd.ask("drain", names=["host", f"node{n_actions}"], **{"for": "1s"})
    slotd.ask("weight", names=["app", APPS[3], randomly.choice(("10%", "7", "reset"))])
    for command in ("services", "slots", "status", "events", "drains", "plan"):
        slotd.ask(command)


def break_stream():
    if n_actions % 40 == 0:
        sim.order("drop-streams")


def sample(events):
    samples.append((events, slotd.memory_kb("VmRSS")))


actions = (scale, scale, deploy, deploy, pass_by, pass_by, fail, unknown, burst, operate, break_stream)
began = time.monotonic()
events = 0
while events < wanted and not world.failed:
    for _ in range(5):
        n_actions += 1
        try:
            randomly.choice(actions)()
        except OSError as error:
            # An app that is gone meanwhile, a weight that was not there.
            if "404" not in str(error) and "no weight" not in str(error) and "there is no" not in str(error):
                raise
    events = taken()
    # It keeps up: the simulator drops a stream that does not.
    sample(events)
    if len(samples) % 200 == 0:
        print(f"{events} events, {samples[-1][1]} kB, {time.monotonic() - began:.0f} s", flush=True)
for app in APPS:
    sim.put(app, 5)
for app in passing:
    sim.call("DELETE", "/v2/apps" + app)
world.check("the cluster settles", within(60, sim.settled))
world.check("the truth in the end", within(60, lambda: all(
    haproxy.serving(f"backend-soak{number}") == sorted(task["ports"][0] for task in sim.running(app)) for number, app in enumerate(APPS))))
load.stop()
world.equal(f"failed requests of {load.result['requests']}", 0, load.result["failed"])
# Warm after a third. The same share at its begin and at the end are compared, by what they have in the middle.
warm = [kb for at, kb in samples if at >= events / 3]
part = max(len(warm) // 5, 1)
early, late, peak = statistics.median(warm[:part]), statistics.median(warm[-part:]), slotd.memory_kb("VmHWM")
seconds = time.monotonic() - began
status = slotd.status()
print(f"{events} events in {seconds:.0f} s ({events / seconds:.0f} a second), {status['haproxy'][0]['commands']} commands, "
      f"{status['marathon']['reconnects']} streams lost; RSS {samples[0][1]} kB at first, {early:.0f} kB warm, {late:.0f} kB in the end, {peak} kB at most")
world.check(f"memory is flat: {early:.0f} kB, then {late:.0f} kB", late <= early * 1.05 + 1024)
slotd.stop()
world.end()

# SPDX-License-Identifier: MIT
"""Apps never seen before, without a backend of their own: they come, take traffic at their hosts and paths, scale, roll, lose tasks
and go, at random, while a load asks each of them; HAProxy, with the configuration that `slotctl render` wrote, is killed and
started once in the middle. No request to what serves may fail, none may be answered by another app's task. The pool has fewer
backends than there were apps, and for a while fewer than there are. What may fail is what was under way in the HAProxy that was
killed, or was begun while there was none; and, in that moment, what the files could not know yet. Both are counted apart.
Use: newapps.py BUILD [--demo]. NEWAPPS_SEED=N repeats the choices, NEWAPPS_COUNT=N is for another number of apps,
NEWAPPS_BACKENDS=dynamic lets slotd add backends, which are named as the services are, where HAProxy can (3.4); elsewhere
that makes no difference. newapps.sh runs both."""
import sys
from newapps_world import *

arguments = [argument for argument in sys.argv[1:] if argument != "--demo"]
demo = "--demo" in sys.argv
seed = int(os.environ.get("NEWAPPS_SEED") or time.time_ns() % 1000000)
count = int(os.environ.get("NEWAPPS_COUNT") or 50)
print(f"NEWAPPS_SEED={seed}", flush=True)
randomly = random.Random(seed)
BACKENDS = 6  # of each class
BUSY = 13     # apps at a time; in the crowd more than there are backends for

world = World(arguments[0])
stage = Stage(world, BACKENDS, add_backends=os.environ.get("NEWAPPS_BACKENDS") == "dynamic")
sim, slotd, load = stage.sim, stage.slotd, stage.load
apps = make_apps(randomly, count)
coming = list(apps)
here = []  # asked for, served, or going
began = time.time()
history = []


def note(what):
    history.append(f"{time.time() - began:.2f} {what}")


def tell(what):
    if demo:
        print(f"  {what}", flush=True)


def deploy(app):
    note(f"deploy {app.name}, class {app.backend_class}: {app.rule}")
    app.instances = randomly.randint(1, 3)
    app.put(sim)
    for key in app.keys:
        load.wait_for(key, app.others)
    app.state = AWAITED
    here.append(app)


def change(app):
    kind = randomly.choice(("scale", "scale", "roll", "kill"))
    note(f"{kind} {app.name}")
    if kind == "kill" and app.instances > 1:
        app.killed = randomly.choice(sim.running("/" + app.name))["id"]
        sim.order("kill?task=" + app.killed)
    elif kind == "roll":
        app.version += 1
        app.put(sim)
    else:
        app.instances = randomly.choice([n for n in (1, 2, 3, 4, 5) if n != app.instances])
        app.put(sim)
    app.state = BUSY_NOW
    app.changes += 1


def remove(app):
    """Before it goes it is told that it may be refused; from then on until it is forgotten nobody else's may answer but who has a
    wider rule."""
    note(f"remove {app.name}")
    load.doubt(app.keys, app.others)
    sim.call("DELETE", f"/v2/apps/{app.name}")
    app.state, app.left_at = GOING, time.time()


def look():
    """What has become of what was asked for."""
    cluster = stage.cluster()
    serving = stage.serving()
    told = stage.told()
    for app in list(here):
        app.waited = app.waited or app.name in told
        if app.state == AWAITED and all(key.served for key in app.keys):
            app.state = LIVE
        elif app.state == BUSY_NOW and is_settled(cluster.get(app.name), app) and serving.get(app.name) == ports_of(cluster[app.name]):
            app.state = LIVE
        elif app.state == GOING and app.name not in cluster and time.time() > app.left_at + 2.5:
            for key in app.keys:
                load.drop(key)
            here.remove(app)
            app.state = GONE
    return cluster


def wait_for(text, seconds, condition):
    def holds():
        look()
        return condition()

    if not world.check(text, within(seconds, holds, pause=0.05)):
        print("\n".join(f"{app.name} {app.state} {[str(key) for key in app.keys]}" for app in here), *history[-40:], sep="\n")
        world.end()


def act(most):
    """One thing at random, with that many apps about."""
    live = [app for app in here if app.state == LIVE]
    present = [app for app in here if app.state != GOING]
    choice = randomly.random()
    if len(present) < most and coming and choice < 0.5:
        deploy(coming.pop(0))
    elif live and choice < 0.8:
        change(randomly.choice(live))
    elif live and (len(present) >= most or choice > 0.93):
        old = [app for app in live if app.changes > 0]
        if old:
            remove(randomly.choice(old))


def go_on(until, most):
    while not world.failed and not until():
        act(most)
        look()
        time.sleep(randomly.uniform(0, 0.08))


def crowd():
    """More apps of one class than it has backends: who comes last waits, is told, and is served as others go."""
    make_room()
    have = [app for app in here if app.backend_class == "http" and app.state != GOING]
    surplus = 3
    while len(have) < BACKENDS + surplus:
        app = coming.pop(0)
        app.backend_class = "http"
        deploy(app)
        have.append(app)
    wait_for("who finds no backend waits, and is told", 30, lambda: len(waiting()) == surplus and all(app.waited for app in waiting()))
    world.check("status says which pool is used up", slotd.says("wait for a backend of the pool pool-http-"))
    tell(f"{len(have)} apps for {BACKENDS} backends: {surplus} wait, and are told that the pool is used up")
    make_room()
    world.check("status is good again", within(20, slotd.in_step))
    tell("each of them was served as soon as another one had gone")


def make_room():
    """As long as some wait for a backend, others of that class go."""
    while waiting() and not world.failed:
        first = waiting()[0]
        wait_for("somebody has a backend of that class", 30, lambda: first.state != AWAITED or holders(first.backend_class))
        if first.state == AWAITED:
            remove(randomly.choice(holders(first.backend_class)))
            many = len(waiting())
            wait_for("one that waits is served when one has gone", 30, lambda: len(waiting()) < many)


def holders(backend_class):
    return [app for app in here if app.state == LIVE and app.backend_class == backend_class]


def waiting():
    return [app for app in here if app.state == AWAITED]


def restart_haproxy():
    """Killed at any moment, and started with what is on disk by then. What is in the files, and not being changed, serves at once."""
    lull = time.time() + randomly.uniform(0, 1.5)
    wait_for("some are not being changed at the moment", 30, lambda: time.time() > lull and any(app.state == LIVE for app in here))
    note("HAProxy is killed")
    since = time.time()
    stage.haproxy.process.kill()
    for pid in stage.haproxy.workers():
        os.kill(pid, signal.SIGKILL)
    stage.haproxy.process.wait(20)
    time.sleep(randomly.uniform(0, 0.3))
    cluster = stage.cluster()
    saved = [app for app in here if app.state == LIVE and stage.is_on_disk(app, cluster.get(app.name))]
    adoptions = slotd.edge()["adoptions"]
    stage.haproxy.start()
    up = time.time()
    wait_for("slotd adopts it", 20, lambda: slotd.edge()["adoptions"] > adoptions and slotd.edge()["connected"])
    serving = [key for app in here if app.state in (LIVE, BUSY_NOW) for key in app.keys]
    wait_for("every app is served again", 20, lambda: all(stage.answers(key) for key in serving))
    note("HAProxy is in step again")
    tell(f"HAProxy killed, and back after {(up - since) * 1000:.0f} ms with the files that slotd keeps: {len(saved)} apps in them")
    return Restart(since, up, time.time(), {key.id for app in saved for key in app.keys})


where = "each gets a backend of its name, made at run time" if stage.dynamic else f"{stage.n_backends} backends without an app"
tell(f"HAProxy {slotd.edge()['version']} with what `slotctl render` wrote: {where}, {count} apps to come")
go_on(lambda: len(coming) < count * 0.65, BUSY)
restart = restart_haproxy()
if not stage.dynamic:
    crowd()
go_on(lambda: not coming and all(app.changes > 0 for app in here), BUSY)
wait_for("all is as it should be", 30, lambda: all(app.state in (LIVE, GOING) for app in here))
for app in [app for app in here if app.state == LIVE]:
    remove(app)
wait_for("the last app is gone", 30, lambda: not here)
result = load.stop()
world.check("nothing is left of them in HAProxy", within(30, stage.is_empty))
world.check("and on disk", within(30, stage.is_empty_on_disk))

unexcused, refused, unsaved = judge(load.failures(), restart)
reloads = slotd.edge()["adoptions"] - 2
times = measure(world, apps, restart)
changes = sum(app.changes for app in apps)
world.check(f"{len(unexcused)} of {result['requests']} requests failed without an excuse: " + "\n".join(unexcused[:5] + history), not unexcused)
world.equal("answers by another app's task", 0, result["wrong"])
world.equal("reloads", 0, reloads)
world.check("every app was served", all(key.served for app in apps for key in app.keys))
world.check("the load was one", result["requests"] > 20 * count)
leases = stage.count_leases()
if stage.dynamic:
    world.equal("leases in place of backends of their own", 0, leases)
    world.check(f"a backend was made for each of {count} apps: {stage.count_made()}", stage.count_made() >= count)
else:
    world.check(f"backends were leased again: {leases} leases of {stage.n_backends}", leases > stage.n_backends)
made = stage.count_made()
served = f"{made} backends made at run time" if stage.dynamic else f"{leases} leases of {stage.n_backends} backends"
print(f"{'  ' if demo else ''}{count} apps never seen before, {changes} times scaled, rolled or killed, {served}; "
      f"{len(refused)} requests refused while HAProxy was not there, {len(unsaved)} to what was not on disk yet")
print(f"{'  ' if demo else ''}from an app's first running task (the event) to the first answer of its host: median {times.median:.1f} ms, "
      f"99 % {times.p99:.1f} ms, worst {times.worst:.1f} ms ({times.count} hosts and paths; asked again every {ASK_EVERY_MS} ms)")
print(f"{result['requests']} requests, {len(unexcused) + result['wrong']} failed requests, {reloads} reloads "
      f"(median {result['median_ms']:.3f} ms, 99 % {result['p99_ms']:.3f} ms)")
world.end(quiet=demo)

# SPDX-License-Identifier: MIT
"""What may become of leases: other pools by SIGHUP, a service's own backend that comes and goes with a reload of HAProxy, two HAProxies
that lease each in its own way, a request that waits in a backend that changes hands, and a leases.map that was lost, damaged or
edited while slotd was down. Use: pools.py BUILD"""
import sys
from pools_world import *

SIM = ("--starting-ms", "5", "--running-ms", "5", "--killing-ms", "5", "--killed-ms", "100")


def begin(backends, pools, **more):
    """A world of its own: Marathon, HAProxy, slotd."""
    sim = Sim(world, *SIM, name=f"sim{len(world.processes)}")
    haproxy = Pooled(world, backends, name=f"haproxy{len(world.processes)}", retries=more.pop("retries", 0))
    slotd = Keeper(world, sim, [haproxy], pools, **more)
    haproxy.start()
    world.check("in step", within(20, slotd.in_step))
    return sim, haproxy, slotd


def end(haproxy, slotd):
    slotd.kill()
    haproxy.kill()


def deploy(sim, haproxy, *apps, instances=2):
    for app in apps:
        sim.put("/" + app, instances)
    for app in apps:
        world.check(f"{app} is served", within(20, lambda: haproxy.ask(app + ".test") == app))


def leased(haproxy):
    return {service[len("backend-"):]: backend for service, backend in haproxy.map("leases").items()}


def is_where(haproxy, **wanted):
    """Each of the apps has a backend that begins so, and its route leads there."""
    leases, routes = leased(haproxy), haproxy.map("routes")
    return (set(leases) == set(wanted) and all(leases[app].startswith(prefix) for app, prefix in wanted.items()) and
            all(routes.get(app + ".test/") == leases[app] for app in wanted))


def free(slotd, edge=0):
    return {pool["prefix"]: pool["free"] for pool in slotd.status()["haproxy"][edge]["pools"]}


def files_follow(haproxy):
    return haproxy.saved_servers() == haproxy.live_servers() and all(haproxy.file(name) == haproxy.map(name) for name in ("routes", "paths", "leases"))


# ---- other pools, by SIGHUP ----

def other_pools():
    names = [f"pool-a-{n}" for n in (1, 2, 3)] + [f"pool-b-{n}" for n in (1, 2)] + ["backend-own"]
    sim, haproxy, slotd = begin(names, [("http", "pool-a-")])
    deploy(sim, haproxy, "x", "y", "own")
    world.equal("leases", {"x": "pool-a-1", "y": "pool-a-2"}, leased(haproxy))
    loads = [Load(world, haproxy, app + ".test", rate=80, name="pools-" + app) for app in ("x", "y", "own")]

    slotd.set_pools([("http", "pool-b-")])
    world.check("another prefix: they move", within(20, lambda: is_where(haproxy, x="pool-b-", y="pool-b-")))
    world.check("what they had is forgotten, and empty", within(20, lambda: not haproxy.serving("pool-a-1") and not haproxy.serving("pool-a-2")))

    slotd.set_pools([("sticky", "pool-b-")])
    sim.put("/x", 4)
    world.check("another class, and none for them: they stay, and grow", within(20, lambda: len(haproxy.serving(leased(haproxy)["x"])) == 4))
    world.equal("each where it was", True, is_where(haproxy, x="pool-b-", y="pool-b-"))

    slotd.set_pools([("https", "pool-none-")])
    sim.put("/z", 1)
    world.check("no pool at all: who comes is told", within(20, lambda: slotd.problems() == ["z:backend-missing"] or "z:pool-missing" in slotd.problems()))
    sim.put("/y", 3)
    world.check("who is there goes on", within(20, lambda: len(haproxy.serving(leased(haproxy)["y"])) == 3))
    world.check("a route to nothing there is none", haproxy.ask("z.test") in (404, 503))

    # One backend is theirs and of a pool again, one is not; two wait for the pool, of which one has two.
    slotd.set_pools([("http", "pool-a-"), ("sticky", "pool-b-")])
    world.check("the pool of their class is back", within(20, lambda: is_where(haproxy, x="pool-a-", y="pool-a-", z="pool-a-")))
    world.equal("z is served", "z", haproxy.ask("z.test"))
    world.check("the others are free", within(20, lambda: free(slotd) == {"pool-a-": 0, "pool-b-": 2}))

    slotd.set_pools([("http", "pool-a-"), ("http", "backend-")])
    world.check("a pool's prefix takes in a service's own backend: it stays with it",
                within(20, lambda: free(slotd).get("backend-") == 0) and "own" not in leased(haproxy) and haproxy.ask("own.test") == "own")
    sim.put("/late", 1)
    world.check("and is nobody else's", within(20, lambda: "late:pool-empty" in slotd.problems()))
    slotd.kill()
    slotd.start()
    world.check("after a restart as well", within(20, slotd.status) and within(20, lambda: "late:pool-empty" in slotd.problems()))
    world.check("it is not given away", "own" not in leased(haproxy) and haproxy.ask("own.test") == "own")
    slotd.set_pools([("http", "pool-a-")])
    sim.call("DELETE", "/v2/apps/z")
    world.check("who waited is served", within(20, lambda: haproxy.ask("late.test") == "late"))
    for load in loads:
        result = load.stop()
        world.equal(f"{load.name}: failed requests of {result['requests']}", 0, result["failed"])
    end(haproxy, slotd)


# ---- a backend of its own name comes and goes with HAProxy's configuration ----

def own_backend():
    names = [f"pool-a-{n}" for n in (1, 2, 3)]
    sim, haproxy, slotd = begin(names + ["backend-own"], [("http", "pool-a-")])
    deploy(sim, haproxy, "x", "own")
    load = Load(world, haproxy, "x.test", rate=80, kept=0, name="own-x")
    world.check("files follow", within(20, lambda: files_follow(haproxy)))
    haproxy.reload(names)
    world.check("it vanishes: the service is served from the pool", within(20, lambda: leased(haproxy).get("own") and haproxy.ask("own.test") == "own"))
    world.check("in step", within(20, slotd.in_step))
    load_own = Load(world, haproxy, "own.test", rate=80, kept=0, name="own-own")
    world.check("files follow", within(20, lambda: files_follow(haproxy)))
    haproxy.reload(names + ["backend-own"])
    world.check("it is back: the service moves there", within(20, lambda: haproxy.map("routes").get("own.test/") == "backend-own" and "own" not in leased(haproxy)))
    world.check("and the lease is given back", within(20, lambda: free(slotd) == {"pool-a-": 2}))
    for each in (load, load_own):
        result = each.stop()
        world.equal(f"{each.name}: failed requests of {result['requests']}", 0, result["failed"])
    end(haproxy, slotd)


# ---- two HAProxies ----

def two_haproxies():
    sim = Sim(world, *SIM, name="sim-two")
    one = Pooled(world, ["pool-a-1", "pool-a-2", "pool-a-3"], name="one")
    two = Pooled(world, ["pool-a-2", "pool-a-3", "pool-a-9"], name="two")
    slotd = Keeper(world, sim, [one, two], [("http", "pool-a-")])
    one.start()
    two.start()
    world.check("in step with both", within(20, slotd.in_step))
    for haproxy in (one, two):
        deploy(sim, haproxy, "x", "y")
    world.equal("one's leases", {"x": "pool-a-1", "y": "pool-a-2"}, leased(one))
    world.equal("two's leases", {"x": "pool-a-2", "y": "pool-a-3"}, leased(two))
    loads = [Load(world, haproxy, app + ".test", rate=50, name=f"two-{haproxy.name}-{app}") for haproxy in (one, two) for app in ("x", "y")]
    sim.put("/x", 4)
    sim.put("/y", 1)
    places = [(one, "pool-a-1", 4), (two, "pool-a-2", 4), (one, "pool-a-2", 1), (two, "pool-a-3", 1)]
    world.check("both have what there is", within(20, lambda: all(len(haproxy.serving(backend)) == count for haproxy, backend, count in places)))
    task = sim.running("/x")[0]
    world.equal("a drain", 0, slotd.ctl("drain", "task", task["id"], "--wait").returncode)
    port = task["ports"][0]
    world.check("of a task is one on both", within(20, lambda: port not in one.serving("pool-a-1") and port not in two.serving("pool-a-2")))
    world.equal("and leaves the other service's backend of that name alone", 1, len(one.serving("pool-a-2")))
    world.check("slotctl services names the app by the backend that it has somewhere", slotd.ctl("services", "pool-a-1").returncode == 0)
    world.check("Marathon is at rest", within(20, sim.settled))
    world.check("and slotd", within(20, lambda: "nothing to do" in slotd.ctl("plan").stdout))
    slotd.kill()
    slotd.start()
    world.check("in step again", within(20, slotd.in_step))
    world.equal("no command", [0, 0], [edge["commands"] for edge in slotd.status()["haproxy"]])
    for load in loads:
        result = load.stop()
        world.equal(f"{load.name}: failed requests of {result['requests']}", 0, result["failed"])
    sim.call("DELETE", "/v2/apps/x")
    world.check("x has gone from both", within(20, lambda: leased(one) == {"y": "pool-a-2"} and leased(two) == {"y": "pool-a-3"}))
    world.equal("y is served by both", ["y", "y"], [one.ask("y.test"), two.ask("y.test")])
    two.kill()
    slotd.kill()
    one.kill()


# ---- a request that is in a backend, and in no slot ----

def waiting_request():
    """Its task has died: HAProxy tries it again after a second, when the backend is another's already, if slotd lets it."""
    sim, haproxy, slotd = begin(["pool-a-1"], [("http", "pool-a-")], retries=3)
    deploy(sim, haproxy, "x", instances=1)
    sim.put("/y", 1)
    world.check("y waits", within(20, lambda: slotd.problems() == ["y:pool-empty"]))
    slotd.process.send_signal(signal.SIGSTOP)
    sim.call("DELETE", "/v2/apps/x")
    world.check("x is dead", within(20, sim.settled))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(haproxy.ask("x.test", timeout=20)))
    thread.start()

    def is_inside():
        row = next(line for line in haproxy.cli("show stat pool-a-1 2 -1").splitlines() if line.startswith("pool-a-1,BACKEND,"))
        return row.split(",")[4] == "1"

    world.check("a request for it waits in its backend", within(20, is_inside, pause=0.002))
    slotd.process.send_signal(signal.SIGCONT)
    thread.join()
    world.equal("and is not answered by the next one", [503], answers)
    world.check("y is served then", within(20, lambda: haproxy.ask("y.test") == "y"))
    end(haproxy, slotd)


# ---- leases.map in foreign hands, while slotd is down ----

def foreign_hands(text, edit, names, full=False):
    """edit(haproxy) changes what HAProxy starts with; no answer may be another app's, and all are served in the end."""
    apps = ("x", "y") if not full else ("x", "y", "z")
    sim, haproxy, slotd = begin(names, [("http", "pool-a-")], delay="300ms")
    deploy(sim, haproxy, *apps)
    before = leased(haproxy)
    world.check("files follow", within(20, lambda: files_follow(haproxy)))
    slotd.stop()
    haproxy.kill()
    edit(haproxy)
    haproxy.start()
    load = Orders(world, haproxy.port, rate=200, name="hands-" + str(len(world.processes)))
    keys = [Key(app, 0, app + ".test", "/", "routes") for app in apps]
    for key in keys:
        load.wait_for(key, [])
    world.check(f"{text}: HAProxy alone serves by its routes", within(20, lambda: all(key.served for key in keys)))
    slotd.start()
    world.check(f"{text}: in step", within(30, slotd.in_step))
    world.check(f"{text}: each app has one lease, and its route leads there",
                within(30, lambda: is_where(haproxy, **{app: "pool-a-" for app in apps}) and files_follow(haproxy)))
    result = load.stop()
    world.equal(f"{text}: answers by another app", 0, result["wrong"])
    world.equal(f"{text}: failed requests of {result['requests']}", 0, result["failed"])
    world.check(f"{text}: the rest is free", within(30, lambda: free(slotd) == {"pool-a-": len(names) - len(apps)}))
    world.equal(f"{text}: nobody has moved", before, leased(haproxy))
    end(haproxy, slotd)


world = World(sys.argv[1])
other_pools()
own_backend()
two_haproxies()
waiting_request()
five = [f"pool-a-{n}" for n in range(1, 6)]
foreign_hands("as it was", lambda haproxy: None, five)
foreign_hands("emptied", lambda haproxy: haproxy.write_file("leases", ""), five)
foreign_hands("emptied, with a pool that is used up", lambda haproxy: haproxy.write_file("leases", ""), five[:3], full=True)
foreign_hands("damaged", lambda haproxy: haproxy.write_file("leases", "backend-x\n%% pool-a-1\nbackend-nobody pool-a-1\n\nbackend-x pool-z\n"), five)
foreign_hands("exchanged", lambda haproxy: haproxy.write_file("leases", "backend-x pool-a-2\nbackend-y pool-a-1\n"), five)
foreign_hands("the same for both", lambda haproxy: haproxy.write_file("leases", "backend-x pool-a-1\nbackend-y pool-a-1\n"), five)
foreign_hands("another one", lambda haproxy: haproxy.write_file("leases", "backend-x pool-a-4\nbackend-y pool-a-2\n"), five)
world.end()

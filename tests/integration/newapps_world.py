# SPDX-License-Identifier: MIT
"""What newapps.py acts in: the apps, the load that asks for each of their hosts and paths, and a HAProxy by `slotctl render`."""
from world import *

AWAITED, LIVE, BUSY_NOW, GOING, GONE = "awaited", "live", "busy", "going", "gone"
ASK_EVERY_MS = 2      # a host that is awaited, as soon as it has answered
CLASSES = {"http": {}, "sticky": {"traefik.backend.loadbalancer.stickiness": "true"}, "leastconn": {"traefik.backend.loadbalancer.method": "drr"}}
SHARED_HOSTS = 4
SLOTS = 12
CONF = """marathon = {{ endpoints = [ "{marathon}" ]; resync_interval = "60s"; }};
haproxy = ( {{ name = "edge"; socket = "{socket}"; state_file = "{state}"; maps_dir = "{maps}"; }} );
mapping = {{ domain = "test"; }};
slots = {{ release_delay = "500ms"; add_servers = {dynamic}; add_backends = {dynamic}; pools = (
    {{ class = "http"; prefix = "pool-http-"; server_options = "check inter 300ms fastinter 50ms"; defaults = "pool-http"; }},
    {{ class = "sticky"; prefix = "pool-sticky-"; server_options = "check inter 300ms fastinter 50ms"; defaults = "pool-sticky"; }},
    {{ class = "leastconn"; prefix = "pool-leastconn-"; server_options = "check inter 300ms fastinter 50ms"; defaults = "pool-leastconn"; }} ); }};
control = {{ socket = "{control}"; state_dir = "{folder}"; }};
edge = {{ http_bind = "127.0.0.1:{port}"; }};
"""


class Key:
    """A host and a path of an app's rule; asked for as one target of the load."""

    def __init__(self, app, number, host, path, map_name):
        self.app, self.id, self.host, self.path, self.map = app, f"{app}.{number}", host, path, map_name
        self.served = None  # microseconds since 1970: the first answer by its app

    def __str__(self):
        return f"{self.host}{self.path}"


class App:
    def __init__(self, name, backend_class, rule, keys, others):
        self.name, self.backend_class, self.rule, self.others = name, backend_class, rule, others
        self.keys = [Key(name, number, *key) for number, key in enumerate(keys)]
        self.state, self.instances, self.version, self.changes, self.left_at, self.waited = "to come", 0, 1, 0, 0, False
        self.killed = None  # the task that was killed last

    def put(self, sim):
        labels = {**CLASSES[self.backend_class], "version": str(self.version)}
        if self.rule:
            labels["traefik.frontend.rule"] = self.rule
        checks = [{"protocol": "HTTP", "path": "/", "intervalSeconds": 2}]
        sim.put("/" + self.name, self.instances, labels=labels, healthChecks=checks)


def make_apps(randomly, count):
    """Apps with a host of their own, or two, or a part of one that several share: one of them has all of it that no other has."""
    apps = []
    shared = [f"shared-{number}.test" for number in range(SHARED_HOSTS)]
    owners = {}
    for number in range(count):
        name = f"app-{number:03d}"
        host = shared[number % SHARED_HOSTS]
        kind = randomly.choice(("default", "own", "two", "shared", "shared", "shared"))
        if kind == "default":
            rule, keys = "", [(f"{name}.test", "/", "routes")]
        elif kind == "own":
            rule, keys = f"Host:{name}.example.org", [(f"{name}.example.org", "/some/where", "routes")]
        elif kind == "two":
            rule, keys = f"Host:www.{name}.test,{name}.net", [(f"www.{name}.test", "/", "routes"), (f"{name}.net", "/x", "routes")]
        elif host not in owners:
            owners[host] = name
            rule, keys = f"Host:{host}", [(host, "/", "routes")]
        elif randomly.random() < 0.5:
            rule, keys = f"Host:{host};PathPrefix:/{name}", [(host, f"/{name}/a/b", "routes")]
        else:
            rule, keys = f"Host:{host};Path:/{name}/exact", [(host, f"/{name}/exact", "paths")]
        others = [owners[host]] if host in owners and kind == "shared" and owners[host] != name else []
        apps.append(App(name, randomly.choice(list(CLASSES)), rule, keys, others))
    return apps


class Orders:
    """The load that asks for all keys, by orders."""

    def __init__(self, world, port, rate, name="load"):
        self.world, self.name = world, name
        self.log = open(world.path(name + ".log"), "a")
        self.process = subprocess.Popen([f"{world.build}/tests/sim/loadgen", "-p", str(port), "-r", str(rate), "-k", "50", "-t", "-v"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1)
        world.processes.append(self.process)
        self.keys, self.done, self.last = {}, set(), ""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            words = line.split()
            if words[0] == "served":
                self.keys[words[1]].served = int(words[2])
            elif words[0] == "done":
                self.done.add(words[1])
            self.last = line

    def order(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")

    def wait_for(self, key, others):
        self.keys[key.id] = key
        self.order("await", key.id, key.host, key.path, key.app, str(ASK_EVERY_MS), *others)

    def doubt(self, keys, others):
        for key in keys:
            self.done.discard(key.id)
            self.order("doubt", key.id, *others)
        self.world.check("the load knows what may be refused", within(20, lambda: all(key.id in self.done for key in keys), pause=0.001))

    def drop(self, key):
        self.order("drop", key.id)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.reader.join(10)
        return json.loads(self.last)

    def failures(self):
        """When each was begun and ended, in seconds since 1970, whose it was, how it ended, and the line."""
        for line in self.world.read(self.name + ".log").splitlines():
            if "begun at " in line:
                begun, key = line.split("begun at ")[1].split(": ")[:2]
                yield int(begun) / 1e6, int(line.split(":")[0]) / 1e6, key, line.split()[1], line


class Rendered(Haproxy):
    """A HAProxy by the configuration that `slotctl render` prints, with its own user."""

    def __init__(self, world, port, conf, backends):
        self.world, self.name, self.port = world, "haproxy", port
        self.socket, self.state_file = world.path("haproxy.sock"), world.path("haproxy.state")
        run = subprocess.run([f"{world.build}/slotctl", "render", "-c", conf, "--init", "--backends", str(backends), "--slots", str(SLOTS)],
                             capture_output=True, text=True)
        world.equal("slotctl render --init: " + run.stderr, 0, run.returncode)
        lines = [line.replace(" user root group haproxy ", " ") for line in run.stdout.splitlines()
                 if not line.strip().startswith(("chroot ", "user haproxy", "group haproxy"))]
        with open(world.path("haproxy.cfg"), "w") as cfg:
            cfg.write("\n".join(lines) + "\n")
        self.start()


class Restart:
    def __init__(self, since, up, until, saved):
        self.since, self.up, self.until, self.saved = since, up, until, saved


def judge(failures, restart):
    """What has no excuse, what met no HAProxy, and what the files did not know when it was killed; wrong answers never have one."""
    unexcused, refused, unsaved = [], [], []
    for begun, ended, key, how, line in failures:
        if how in ("connect_failed", "reset") and begun <= restart.up and ended >= restart.since:
            refused.append(line)
        elif how != "wrong" and key not in restart.saved and begun <= restart.until and ended >= restart.since:
            unsaved.append(line)
        else:
            unexcused.append(line)
    return unexcused, refused, unsaved


def ports_of(state):
    return sorted(task["ports"][0] for task in state["tasks"])


def is_settled(state, app):
    """Marathon has done what was asked of it."""
    return (state and not state["deployments"] and len(state["tasks"]) == app.instances and
            all(task["state"] == "TASK_RUNNING" and task["id"] != app.killed for task in state["tasks"]))


class Times:
    def __init__(self, times):
        self.count = len(times)
        times = sorted(times) or [0]
        self.median, self.p99, self.worst = times[len(times) // 2], times[len(times) * 99 // 100], times[-1]


def measure(world, apps, restart):
    """Of the apps that did not have to wait for a backend, or for HAProxy: milliseconds from the status update in Marathon's stream."""
    running = {}
    for line in world.read("record").splitlines():
        words = line.split()
        if words[1] == "status" and words[3] == "TASK_RUNNING":
            running.setdefault(words[2].split(".")[0].split("_")[0], int(words[0]))
    times = []
    for app in apps:
        for key in app.keys:
            begun = running.get(app.name, 0) / 1e6
            met_restart = begun <= restart.until and (key.served or 0) / 1e6 >= restart.since
            if key.served and not app.waited and not met_restart:
                times.append((key.served - running[app.name]) / 1e3)
    return Times(times)


class Stage:
    def __init__(self, world, backends, add_backends):
        version = subprocess.run([world.haproxy, "-v"], capture_output=True, text=True).stdout.split("version ")[1]
        self.world, self.dynamic = world, add_backends and tuple(map(int, version.split("-")[0].split(".")[:2])) >= (3, 4)
        self.maps = world.path("maps")
        os.mkdir(self.maps)
        self.sim = Sim(world, "--starting-ms", "5", "--running-ms", "30", "--killing-ms", "5", "--killed-ms", "400", "--healthy-ms", "1000",
                       "--record", world.path("record"))
        port = free_port()
        conf = world.path("slotd.conf")
        with open(conf, "w") as file:
            file.write(CONF.format(marathon=self.sim.url, socket=world.path("haproxy.sock"), state=world.path("haproxy.state"), maps=self.maps,
                                   dynamic="true" if self.dynamic else "false", control=world.path("slotd.sock"), folder=world.folder, port=port))
        self.haproxy = Rendered(world, port, conf, backends)
        self.slotd = Configured(world, conf)
        world.check("in step", within(20, self.slotd.in_step))
        self.n_backends = sum(pool["total"] for pool in self.slotd.edge()["pools"])
        self.load = Orders(world, port, rate=300)

    def cluster(self):
        apps = self.sim.call("GET", "/v2/apps?embed=apps.tasks&embed=apps.deployments")["apps"]
        return {app["id"].strip("/"): app for app in apps}

    def serving(self):
        """By app, the ports that take traffic in HAProxy."""
        ports = {}
        for server in self.haproxy.servers():
            if server.serves():
                ports.setdefault(server.backend, []).append(server.port)
        leases = (line.split() for line in self.haproxy.cli(f"show map {self.maps}/leases.map").splitlines() if line)
        return {service[len("backend-"):]: sorted(ports.get(backend, [])) for _, service, backend in leases}

    def told(self):
        """The apps whose problem is that they wait for a backend."""
        problems = self.slotd.ask_whole("services")["problems"]
        return {problem["app"].strip("/") for problem in problems if problem["code"] in ("pool-empty", "lease-waits")}

    def answers(self, key):
        connection = http.client.HTTPConnection("127.0.0.1", self.haproxy.port, timeout=5)
        connection.request("GET", key.path, headers={"Host": key.host})
        answer = connection.getresponse()
        task = answer.getheader("x-task") or ""
        connection.close()
        return answer.status == 200 and task.split(".")[0].split("_")[0] == key.app

    def map_lines(self, name):
        with open(os.path.join(self.maps, name + ".map")) as file:
            return dict(line.split() for line in file.read().splitlines())

    def find_route(self, key):
        """Where the files lead it: the longest that fits."""
        routes = self.map_lines(key.map)
        return routes.get(max((start for start in routes if str(key).startswith(start)), key=len, default=None))

    def is_on_disk(self, app, state):
        """Its routes lead to a backend that has its running tasks and no other. One that was made at run time is in no file."""
        if self.dynamic:
            return False
        places = {self.find_route(key) for key in app.keys}
        if len(places) != 1 or places == {None} or not is_settled(state, app):
            return False
        place = places.pop()
        with open(self.haproxy.state_file) as file:
            rows = [Server(fields) for fields in map(str.split, file) if len(fields) > 18 and fields[1] == place]
        ports = sorted(row.port for row in rows if not row.is_out())
        return self.map_lines("leases").get("backend-" + app.name) in (place, None) and ports == ports_of(state)

    def is_empty(self):
        maps = ("routes", "paths", "leases")
        return (not any(self.haproxy.cli(f"show map {self.maps}/{name}.map").strip() for name in maps) and
                all(server.is_out() for server in self.haproxy.servers() if server.name.startswith("s")))

    def is_empty_on_disk(self):
        return not any(self.map_lines(name) for name in ("routes", "paths", "leases"))

    def count_made(self):
        return self.world.read("slotd.log").count(" has a backend of its name now")

    def count_leases(self):
        return self.world.read("slotd.log").count(" has the backend ")


class Configured(Slotd):
    """A slotd whose slotd.conf is there."""

    def __init__(self, world, conf):
        self.world, self.name, self.control = world, "slotd", world.path("slotd.sock")
        assert conf == world.path("slotd.conf")
        self.start()

    def ask_whole(self, command):
        run = self.ctl("-o", "json", command)
        return json.loads(run.stdout) if run.stdout else {"problems": []}

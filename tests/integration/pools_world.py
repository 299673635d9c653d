# SPDX-License-Identifier: MIT
"""A HAProxy with pools and maps, and the slotd beside it, or beside several."""
from newapps_world import *

FRONTEND = """    http-request set-var(txn.key) path
    http-request set-var(txn.key) req.hdr(host),field(1,:),lower,concat(,txn.key)
    http-request set-var(txn.be) var(txn.key),map_str({maps}/paths.map)
    http-request set-var(txn.be) var(txn.key),map_beg({maps}/routes.map) unless {{ var(txn.be) -m found }}
    http-request set-var(txn.lease) str(x),map({maps}/leases.map)
    use_backend %[var(txn.be)] if {{ var(txn.be) -m found }}
"""


class Pooled(Haproxy):
    """Routed by its maps; start() and reload() when its files are there."""

    def __init__(self, world, backends, name="haproxy", slots=6, retries=0):
        self.world, self.name, self.slots, self.retries = world, name, slots, retries
        self.socket, self.state_file, self.maps = world.path(name + ".sock"), world.path(name + ".state"), world.path(name + ".maps")
        os.mkdir(self.maps)
        self.port = free_port()
        self.write(backends)

    def write(self, backends):
        version = subprocess.run([self.world.haproxy, "-v"], capture_output=True, text=True).stdout
        idle = "" if "version 2.4" in version else "option idle-close-on-response"
        parts = [f"""global
    stats socket {self.socket} mode 660 level admin expose-fd listeners
    server-state-file {self.state_file}
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    retries {self.retries}
    option redispatch 1
    {idle}
    load-server-state-from-file global
frontend edge
    bind 127.0.0.1:{self.port}
""", FRONTEND.format(maps=self.maps)]
        for backend in backends:
            parts.append(f"""backend {backend}
    balance roundrobin
    default-server init-addr last,0.0.0.0
    server-template s {self.slots} slot.invalid:1 disabled
""")
        with open(self.world.path(self.name + ".cfg"), "w") as cfg:
            cfg.write("".join(parts))

    def reload(self, backends):
        """As an administrator does it, once the files are in step."""
        self.write(backends)
        self.process.send_signal(signal.SIGUSR2)

    def kill(self):
        pids = self.workers()
        self.process.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(20)

    def map(self, name):
        """As HAProxy has it."""
        lines = [line.split()[1:] for line in self.cli(f"show map {self.maps}/{name}.map").splitlines()]
        return dict(words for words in lines if len(words) == 2)

    def live_servers(self):
        return sorted((server.backend, server.port) for server in self.servers() if not server.is_out())

    def saved_servers(self):
        """Those that take traffic by the server-state file."""
        with open(self.state_file) as file:
            rows = [Server(fields) for fields in map(str.split, file) if len(fields) > 18 and fields[0] != "#"]
        return sorted((server.backend, server.port) for server in rows if not server.is_out())

    def file(self, name):
        with open(f"{self.maps}/{name}.map") as file:
            lines = [line.split() for line in file.read().splitlines()]
        return dict(words for words in lines if len(words) == 2)

    def write_file(self, name, text):
        with open(f"{self.maps}/{name}.map", "w") as file:
            file.write(text)

    def ask(self, host, path="/", timeout=10):
        """The app whose task answers, or the status; 0: nobody."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            task = answer.getheader("x-task") or ""
            return task.split(".")[0].split("_")[0] if answer.status == 200 else answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


class Keeper(Slotd):
    """slotd for these HAProxies, with pools that may become others."""

    def __init__(self, world, sim, haproxies, pools, delay="1ms", resync="1s"):
        self.world, self.name, self.control = world, "slotd", world.path("slotd.sock")
        self.sim, self.haproxies, self.delay, self.resync = sim, haproxies, delay, resync
        self.write(pools)
        self.start()
        for haproxy in haproxies:
            world.check("slotd makes the map files", within(20, lambda: os.path.exists(haproxy.maps + "/leases.map")))

    def write(self, pools):
        edges = ", ".join(f'{{ name = "{haproxy.name}"; socket = "{haproxy.socket}"; state_file = "{haproxy.state_file}"; maps_dir = "{haproxy.maps}"; }}'
                          for haproxy in self.haproxies)
        entries = ", ".join(f'{{ class = "{name}"; prefix = "{prefix}"; }}' for name, prefix in pools)
        with open(self.world.path("slotd.conf"), "w") as conf:
            conf.write(f"""marathon = {{ endpoints = [ "{self.sim.url}" ]; resync_interval = "{self.resync}"; }};
haproxy = ( {edges} );
mapping = {{ domain = "test"; }};
slots = {{ release_delay = "{self.delay}"; pools = ( {entries} ); }};
control = {{ socket = "{self.control}"; state_dir = "{self.world.folder}"; }};
""")

    def set_pools(self, pools):
        self.write(pools)
        times = self.world.read("slotd.log").count("in use now")
        self.process.send_signal(signal.SIGHUP)
        self.world.check("the pools are in use", within(20, lambda: self.world.read("slotd.log").count("in use now") > times))

    def problems(self):
        run = self.ctl("-o", "json", "services")
        return sorted(f"{problem['app'].strip('/')}:{problem['code']}" for problem in json.loads(run.stdout)["problems"] if problem["app"])

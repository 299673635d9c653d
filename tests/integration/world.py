# SPDX-License-Identifier: MIT
"""The processes of a test that needs several of each: Marathon simulators, HAProxies, slotds, fault proxies, loads. They
live in one scratch folder and end with the test. Use: from world import *; world = World(BUILD); ...; world.end()"""
import atexit, http.client, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time

from free_port import free_port

SLOT_MAINT, SLOT_DRAIN = 0x23, 0x18


def within(seconds, condition, pause=0.02):
    """Whether the condition comes to hold in time; it may raise OSError meanwhile."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return True
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() > end:
            return False
        time.sleep(pause)


class World:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.folder = tempfile.mkdtemp(prefix="slotd-test.", dir=os.environ.get("TMPDIR"))
        self.haproxy = os.environ.get("HAPROXY") or shutil.which("haproxy") or "/usr/sbin/haproxy"
        self.processes = []
        self.passed = self.failed = 0
        self.lock = threading.Lock()
        atexit.register(self.clean_up)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def path(self, name):
        return os.path.join(self.folder, name)

    def check(self, text, good):
        with self.lock:
            self.passed += bool(good)
            self.failed += not good
        if not good:
            print("FAILED:", text, flush=True)
        return good

    def equal(self, text, wanted, got):
        return self.check(f"{text}: wanted {wanted!r}, got {got!r}", wanted == got)

    def spawn(self, name, *arguments, env=None):
        """stdout goes to NAME.out, stderr is added to NAME.log."""
        with open(self.path(name + ".out"), "w") as out, open(self.path(name + ".log"), "a") as log:
            process = subprocess.Popen(arguments, stdout=out, stderr=log, env=env)
        self.processes.append(process)
        return process

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def await_line(self, name, start):
        """The rest of the line of NAME.out that starts so."""
        def found():
            return next((line[len(start):].strip() for line in self.read(name + ".out").splitlines() if line.startswith(start)), None)
        self.check(f"{name}: `{start}`", within(20, found))
        return found()

    def clean_up(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def end(self, quiet=False):
        """quiet: without numbers when all is well."""
        if self.failed:
            for name in sorted(os.listdir(self.folder)):
                if name.endswith(".log") and os.path.getsize(self.path(name)):
                    with open(self.path(name), errors="replace") as log:
                        print(f"--- {name}, its end:", *log.read().splitlines()[-int(os.environ.get("LOG_LINES", 40)):], sep="\n")
        self.clean_up()
        if self.failed or not quiet:
            print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0)


class Http:
    """One request after the other; each thread has its own connection."""

    def __init__(self, url):
        self.url = url
        self.local = threading.local()

    def call(self, method, path, body=None, timeout=20):
        connection = getattr(self.local, "connection", None)
        if not connection:
            connection = self.local.connection = http.client.HTTPConnection(self.url.split("//")[1], timeout=timeout)
        try:
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Length": str(len(data or b""))})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.local.connection = None
            raise
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {text[:200]!r}")
        try:
            return json.loads(text)
        except ValueError:
            return text


class Sim(Http):
    def __init__(self, world, *options, name="sim", listen="127.0.0.1:0"):
        self.world, self.name = world, name
        self.process = world.spawn(name, f"{world.build}/tests/sim/marathon-sim", "--listen", listen, "--backends", *options)
        super().__init__(world.await_line(name, "listening on "))
        self.address = self.url.split("//")[1]

    def put(self, app, instances, **more):
        return self.call("PUT", f"/v2/apps{app}", dict(instances=instances, **more))

    def tasks(self, app):
        return self.call("GET", f"/v2/apps{app}")["app"]["tasks"]

    def running(self, app):
        return [task for task in self.tasks(app) if task["state"] == "TASK_RUNNING"]

    def order(self, what):
        return self.call("POST", "/sim/" + what)

    def settled(self):
        return self.call("GET", "/sim/stats")["settled"]


class Proxy(Http):
    def __init__(self, world, name, to, *options, listen=None):
        listen = listen or (world.path(name + ".sock") if "/" in to else "127.0.0.1:0")
        self.process = world.spawn(name, f"{world.build}/tests/sim/fault-proxy", "--listen", listen, "--to", to, *options)
        self.at = world.await_line(name, "listening on ")
        super().__init__(world.await_line(name, "control on "))

    def order(self, what):
        # It answers one request a connection.
        self.local.connection = None
        return self.call("POST", "/" + what)

    def faults(self, **faults):
        return self.order("faults?" + "&".join(f"{name}={value}" for name, value in faults.items()))


class Server:
    """A row of `show servers state`."""

    def __init__(self, fields):
        self.backend, self.name, self.address = fields[1], fields[3], fields[4]
        self.op, self.admin, self.weight, self.port = int(fields[5]), int(fields[6]), int(fields[7]), int(fields[18])

    def serves(self):
        return not self.admin & (SLOT_MAINT | SLOT_DRAIN) and self.weight > 0 and self.op > 0

    def is_out(self):
        return bool(self.admin & SLOT_MAINT)


class Haproxy:
    def __init__(self, world, backends, name="haproxy", more="", state_file=None):
        """backends: (name, slots, options) each; routed by its name as the host, with no retries."""
        self.world, self.name = world, name
        self.socket, self.state_file = world.path(name + ".sock"), state_file or world.path(name + ".state")
        self.port = free_port()
        version = subprocess.run([world.haproxy, "-v"], capture_output=True, text=True).stdout
        idle = "" if "version 2.4" in version else "option idle-close-on-response"
        with open(world.path(name + ".cfg"), "w") as cfg:
            cfg.write(f"""global
    stats socket {self.socket} mode 660 level admin expose-fd listeners
    server-state-file {self.state_file}
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    retries 0
    {idle}
    load-server-state-from-file global
    {more}
frontend edge
    bind 127.0.0.1:{self.port}
    use_backend %[req.hdr(host),field(1,:),lower]
""")
            for backend, slots, options in backends:
                cfg.write(f"""backend {backend}
    balance roundrobin
    default-server init-addr last,0.0.0.0 {options}
    server-template s {slots} slot.invalid:1 disabled
""")
        self.start()

    def start(self, seconds=20):
        self.process = self.world.spawn(self.name, self.world.haproxy, "-W", "-db", "-f", self.world.path(self.name + ".cfg"))
        self.world.check(f"{self.name} answers", within(seconds, lambda: self.cli("show info")))

    def workers(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()]

    def cli(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.socket)
            s.sendall(line.encode() + b"\n")
            parts = []
            while part := s.recv(1 << 16):
                parts.append(part)
        return b"".join(parts).decode()

    def servers(self, backend=""):
        rows = (line.split() for line in self.cli(f"show servers state {backend}".strip()).splitlines())
        return [Server(fields) for fields in rows if len(fields) > 18 and fields[0] != "#"]

    def serving(self, backend):
        """The ports that take traffic, in order, doubles included."""
        return sorted(server.port for server in self.servers(backend) if server.serves())


class Slotd:
    def __init__(self, world, marathon, socket_path, state_file="", name="slotd", resync="60s", marathon_extra="", slots_extra="",
                 mapping_extra="", state_dir=None, control=None, http=""):
        self.world, self.name = world, name
        self.control = control or world.path(name + ".sock")
        self.state_dir = state_dir or world.path(name + ".d")
        os.makedirs(self.state_dir, exist_ok=True)
        self.sections = f"""marathon = {{ endpoints = [ "{marathon}" ]; resync_interval = "{resync}"; {marathon_extra} }};
haproxy = ( {{ name = "edge"; socket = "{socket_path}"; state_file = "{state_file}"; }} );
mapping = {{ domain = "test"; {mapping_extra} }};
slots = {{ {slots_extra} }};
"""
        self.write_conf(http)
        self.start()

    def write_conf(self, http):
        with open(self.world.path(self.name + ".conf"), "w") as conf:
            conf.write(self.sections)
            conf.write(f'control = {{ socket = "{self.control}"; state_dir = "{self.state_dir}"; http = "{http}"; }};\n')

    def reload(self, http):
        """With another control.http."""
        self.write_conf(http)
        self.process.send_signal(signal.SIGHUP)

    def logged(self, text):
        return text in self.world.read(self.name + ".log")

    def http_port(self):
        """Where it listens since its last word about that."""
        told = [line for line in self.world.read(self.name + ".log").splitlines() if "http: listens at" in line]
        return int(told[-1].rsplit(":", 1)[1].strip("/")) if told else None

    def start(self, *options, env=None):
        self.process = self.world.spawn(self.name, f"{self.world.build}/slotd", "-c", self.world.path(self.name + ".conf"), *options, env=env)

    def stop(self):
        self.process.terminate()
        self.world.equal(f"{self.name} ends well", 0, self.process.wait(20))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, command, patience=20, **arguments):
        """The answer, or an OSError with what slotd says."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(patience)
            s.connect(self.control)
            s.sendall(json.dumps({"slotd": 1, "command": command, "arguments": arguments}).encode() + b"\n")
            line = s.makefile().readline()
        if not line:
            raise OSError("no answer")
        answer = json.loads(line)
        if not answer["ok"]:
            raise OSError(answer["error"])
        return next(value for key, value in answer.items() if key not in ("slotd", "ok"))

    def ctl(self, *arguments):
        return subprocess.run([f"{self.world.build}/slotctl", "-s", self.control, *arguments], capture_output=True, text=True, timeout=60)

    def status(self):
        return self.ask("status")

    def edge(self):
        return self.status()["haproxy"][0]

    def in_step(self):
        return not self.status()["degraded"]

    def says(self, text):
        return any(text in reason for reason in self.status()["reasons"])

    def memory_kb(self, key):
        """VmRSS now, or VmHWM, its peak."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key))


class Load:
    def __init__(self, world, haproxy, host, rate=100, kept=50, path="/", name=None):
        self.world, self.name = world, name or "load-" + host
        self.process = world.spawn(self.name, f"{world.build}/tests/sim/loadgen", "-p", str(haproxy.port), "-h", host, "-r", str(rate), "-k", str(kept),
                                   "-u", path, "-v")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.result = json.loads(self.world.read(self.name + ".out"))
        return self.result

    def failures(self):
        """When those that failed were begun and ended, in seconds since 1970, and what became of them."""
        for line in self.world.read(self.name + ".log").splitlines():
            if "begun at " in line:
                yield int(line.split("begun at ")[1].split(":")[0]) / 1e6, int(line.split(":")[0]) / 1e6, line

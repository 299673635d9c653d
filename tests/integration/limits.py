# SPDX-License-Identifier: MIT
"""The machine's limits: a disk that is full or may only be read, no file left to open. slotd goes on, says what is wrong, and
makes good when it can. Use: limits.py BUILD disk|files; `disk` in a mount namespace of its own."""
import resource, sys
from world import *

world = World(sys.argv[1])
APP, BACKEND = "/web", "backend-web"
sim = Sim(world, "--starting-ms", "5", "--running-ms", "5", "--killing-ms", "0", "--killed-ms", "300", "--backoff-ms", "0")


def ports():
    return sorted(task["ports"][0] for task in sim.running(APP))


class Setting:
    """HAProxy and slotd, whose files are in a folder, and a load."""

    def __init__(self, folder):
        self.state_file, self.orders = f"{folder}/haproxy.state", f"{folder}/orders.json"
        self.haproxy = Haproxy(world, [(BACKEND, 40, "")], state_file=self.state_file)
        sim.put(APP, 4)
        self.slotd = Slotd(world, sim.url, self.haproxy.socket, self.state_file, state_dir=folder)
        world.check("in step", within(20, lambda: self.slotd.in_step() and self.serves(4)))
        world.check("the files are there", within(20, self.file_is_true))
        self.load = Load(world, self.haproxy, BACKEND)

    def serves(self, count):
        return len(ports()) == count and self.haproxy.serving(BACKEND) == ports()

    def scale(self, text, count):
        sim.put(APP, count)
        world.check(f"{text}: changes go on", within(20, lambda: self.serves(count)))

    def file_is_true(self):
        with open(self.state_file) as file:
            rows = [Server(fields) for fields in map(str.split, file) if len(fields) > 18 and fields[0] != "#"]
        return sorted(server.port for server in rows if server.serves()) == ports()

    def drained(self):
        with open(self.orders) as file:
            return [drain["name"] for drain in json.load(file)["drains"]]

    def end(self):
        self.load.stop()
        world.equal(f"failed requests of {self.load.result['requests']}", 0, self.load.result["failed"])
        self.slotd.stop()


# ---- the disk ----

def fill(folder):
    filler = open(f"{folder}/filler", "wb", buffering=0)
    for size in (65536, 4096, 1):
        try:
            while True:
                filler.write(b"x" * size)
        except OSError:
            pass
    filler.close()


def cannot_write(setting, text, folder, allow, words):
    """What holds while nothing can be written, and when it can again; allow makes that so."""
    slotd = setting.slotd
    setting.scale(text, 8)
    world.check(f"{text}: status says so of the state file", within(20, lambda: slotd.says(setting.state_file) and slotd.says(words)))
    world.check(f"{text}: slotctl status exits 1", slotd.ctl("status").returncode == 1)
    answer = slotd.ctl("drain", "host", "node-of-" + text)
    world.check(f"{text}: a drain that is not kept says so: {answer.stderr!r}", answer.returncode == 1 and words in answer.stderr)
    world.check(f"{text}: the log says so once", within(10, lambda: 1 <= world.read("slotd.log").count(f"{setting.state_file} cannot be written") <= 2))
    setting.scale(text, 6)
    world.check(f"{text}: nothing half written is left", not [name for name in os.listdir(folder) if name.endswith(".tmp")])
    allow()
    world.check(f"{text}: the state file is written when it can be, without another change", within(30, setting.file_is_true))
    world.check(f"{text}: the drain is written too", within(90, lambda: "node-of-" + text in setting.drained()))
    world.check(f"{text}: in step", within(20, slotd.in_step))


def disk():
    folder = world.path("small")
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "slotd-test", folder], check=True)
    setting = Setting(folder)
    fill(folder)
    cannot_write(setting, "full", folder, lambda: os.unlink(f"{folder}/filler"), "No space left on device")
    remount = lambda how: subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)
    remount("ro")
    cannot_write(setting, "read-only", folder, lambda: remount("rw"), "Read-only file system")
    # A start on such a disk: it serves, and says what it cannot keep.
    setting.slotd.stop()
    remount("ro")
    setting.slotd.start()
    world.check("it starts where nothing can be written", within(20, lambda: setting.slotd.edge()["connected"]))
    setting.scale("started read-only", 4)
    world.check("and says so", within(20, lambda: setting.slotd.says("Read-only file system")))
    remount("rw")
    world.check("written in the end", within(30, setting.file_is_true))
    world.check("in step in the end", within(30, setting.slotd.in_step))
    setting.end()
    subprocess.run(["umount", folder], check=True)


# ---- files ----

def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(slotd):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(slotd.control)
    return client


def starve(setting, spare, raise_limit):
    """Clients take all files but those that slotd has; both its connections break, and it has none for new ones."""
    slotd, text = setting.slotd, f"{spare} files to spare"
    pid = slotd.process.pid
    # Without a file that is just being written.
    before = min(descriptors(pid) for _ in range(50) if not time.sleep(0.02))
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (before + spare, limits[1]))
    clients = [connect(slotd) for _ in range(60)]
    world.check(f"{text}: none is left", within(10, lambda: descriptors(pid) >= before + spare))
    setting.scale(text, 8)
    world.check(f"{text}: the state file cannot be written", within(20, lambda: "Too many open files" in world.read("slotd.log")))
    # What the connections leave is taken by clients that wait.
    sim.order("drop-streams")
    clients += [connect(slotd) for _ in range(60)]
    setting.haproxy.process.send_signal(signal.SIGUSR2)
    began, used = time.monotonic(), cpu_seconds(pid)
    world.check(f"{text}: it lives", not within(2, lambda: slotd.process.poll() is not None, 0.1))
    share = (cpu_seconds(pid) - used) / (time.monotonic() - began)
    world.check(f"{text}: and does not turn in circles: {share:.0%} of a processor", share < 0.5)
    if raise_limit:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    for client in clients:
        client.close()
    world.check(f"{text}: it recovers when there are files again", within(60, lambda: slotd.in_step() and setting.serves(8)))
    setting.scale(f"{text}, again", 6)
    world.check(f"{text}: the control socket answers", slotd.ctl("status").returncode == 0)
    world.check(f"{text}: the state file is written", within(30, setting.file_is_true))
    world.check(f"{text}: nothing is kept open", within(20, lambda: descriptors(pid) <= before + 2))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def files():
    folder = world.path("files")
    os.mkdir(folder)
    setting = Setting(folder)
    starve(setting, 6, False)
    starve(setting, 0, True)
    setting.load.stop()
    # A reload's own closed connections: see t_reload.
    world.equal("answers that were wrong", (0, 0, 0), tuple(setting.load.result[key] for key in ("bad_status", "connect_failed", "timeout")))
    setting.slotd.stop()


{"disk": disk, "files": files}[sys.argv[2]]()
world.end()

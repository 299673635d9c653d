# SPDX-License-Identifier: MIT
"""Steps a replaying simulator through its recorded answers, and compares slotd's services with what `slotctl map` makes of each answer.

Usage: replay_check.py SLOTCTL SOCKET MARATHON FOLDER BACKENDS LABEL... (a label, `all`, `end`, or `over`: wait for the end).
Prints each failure and, last, how many comparisons were good."""
import json
import subprocess
import sys
import time
import urllib.request

slotctl, socket, marathon, folder = sys.argv[1:5]
backends = set(open(sys.argv[5]).read().split())
passed = 0


def answer(label):
    body = open("%s/apps-%s.http" % (folder, label), "rb").read().split(b"\r\n\r\n", 1)[1]
    out = subprocess.run([slotctl, "-o", "json", "map", "-"], input=body, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)["services"]


def replay(query=""):
    with urllib.request.urlopen(urllib.request.Request(marathon + "/sim/replay" + query, method="POST")) as reply:
        return json.load(reply)


def lines(services):
    return sorted((s["name"], e["task"], e["host"], e["port"]) for s in services for e in s["endpoints"] if e["phase"] == "ready")


def difference(wanted):
    """What slotd has otherwise; "" for nothing."""
    run = subprocess.run([slotctl, "-s", socket, "-o", "json", "services"], stdout=subprocess.PIPE)
    if run.returncode:
        return "slotctl services failed"
    services = json.loads(run.stdout)["services"]
    if lines(services) != lines(wanted):
        return "wanted %s\ngot    %s" % (lines(wanted), lines(services))
    waiting = [e["task"] for s in services if s["name"] in backends for e in s["endpoints"] if e["phase"] == "ready" and not e["slot"]]
    return "no slot for %s" % waiting if waiting else ""


def compare(what, wanted, seconds=5):
    global passed
    until = time.monotonic() + seconds
    found = difference(wanted)
    while found and time.monotonic() < until:
        time.sleep(0.02)
        found = difference(wanted)
    passed += not found
    if found:
        print("FAILED: %s, %s: %s" % (folder.rsplit("/", 1)[-1], what, found))


labels = replay()["answers"]
for label in labels if sys.argv[6:7] == ["all"] else sys.argv[6:]:
    if label in ("over", "end"):
        state = replay("?until=end" if label == "end" else "")
        while not state["over"]:
            time.sleep(0.05)
            state = replay()
        # On its way a recording in motion may answer with what its events have left behind; one that is stepped through never does.
        if label == "end" and not state["goes_on"]:
            compare("by the events, " + label, answer(labels[-1]), 10)
        # The complete answer has the last word, whatever the events said after it was recorded.
        subprocess.run([slotctl, "-s", socket, "sync"], stdout=subprocess.DEVNULL)
        compare("by the answer, " + label, answer(labels[-1]), 10)
    else:
        replay("?until=" + label)
        compare(label, answer(label))
print(passed)

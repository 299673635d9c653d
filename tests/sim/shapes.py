# SPDX-License-Identifier: MIT
"""Drives the simulator through the steps of recorded scenarios, and compares what it says with what a real Marathon said: keys and JSON types of
every answer and event, status lines, headers, framing, and the order of each instance's events. Values are not compared: ids and times differ.

Usage: shapes.py MARATHON-SIM RECORDINGS [SCENARIO...]; prints failures and `N passed, N failed`.

Left out, and why:
- Answers are compared by what is the same moment in both: an app's and a task's keys for each state, not answer by answer, since a
  real Marathon waits up to 5 s for offers and the simulator does not. A state that only one side was caught in is not compared.
- queue, groups, versions, pods: not simulated beyond what tests use.
- The switch to UnreachableInactive, which a real Marathon makes at its own ticks, minutes later: --inactive-delay-ms keeps it away.
- Kinds of events that depend on other clients (event_stream_attached, _detached) count by shape only.
- failed_health_check_event comes once for each failed probe of a real task; the simulator says it once for each change."""
import concurrent.futures
import json
import os
import re
import sys
import time
import urllib.parse

import shapes_http
from shapes_common import (RECORDINGS, REQUEST, TASK, Result, Simulator, Tap, compare_heads, difference, parse_file, parse_stream, read_steps,
                           shape, type_of)

SCENARIOS = ["02-bridge-docker", "03-host-network", "04-container-network", "05-scale", "07-kill-task", "08-failures", "09-readiness",
             "10-suspend-delete", "12-health"]
TIMES = ["--offer-ms", "400", "--backoff-ms", "1500", "--check-ms", "150", "--healthy-ms", "200", "--inactive-delay-ms", "60000"]
# Times that the recorded apps gave their tasks, by five.
TASK_TIME = re.compile(r'("SIM_[A-Z_]+_MS": ")(\d+)')


class Shapes:
    """Shapes by kind: what any of that kind has, and what all of them have."""

    def __init__(self):
        self.any, self.all = {}, {}

    def add(self, kind, value):
        found = shape(value)
        self.any[kind] = self.any.get(kind, set()) | found
        self.all[kind] = self.all[kind] & found if kind in self.all else found

    def compare(self, result, other):
        for kind in sorted(set(self.any) & set(other.any), key=str):
            result.equal("%s, what some have" % (kind,), difference(self.any[kind], other.any[kind]), [])
            result.equal("%s, what some have too much" % (kind,), [], difference(other.any[kind], self.any[kind]))
            # What all of them have here has to be in all of them there, as far as both were caught in it.
            result.equal("%s, what all have" % (kind,), difference(self.all[kind], other.all[kind]), [])


def take_task(shapes, task, where):
    checked = [("alive" if r["alive"] else "dead", "lastSuccess" in r, "lastFailure" in r) for r in task["healthCheckResults"]]
    shapes.add(("task", where, task["state"], "v6" if len(task["ipAddresses"]) > 2 else "", bool(task["ports"]), str(checked)), task)


def take_app(shapes, app, where):
    for task in app.pop("tasks", []):
        take_task(shapes, task, "app")
    for result in app.get("readinessCheckResults", []):
        shapes.add(("readiness result",), result)
    app.pop("readinessCheckResults", None)
    stats = app.pop("tasksStats", None)
    if stats:
        for name, group in stats.items():
            shapes.add(("stats", name), group)
    failure = app.pop("lastTaskFailure", None)
    if failure:
        shapes.add(("failure",), failure)
    shapes.add(("app", where, app["id"], bool(app.get("deployments"))), app)


def take_answer(shapes, name, head, body):
    """name: the recorded file's."""
    if not body or not body.strip().startswith((b"{", b"[")):
        return
    document = json.loads(body)
    kind = name.split("-")[0]
    if kind == "deployments":
        for deployment in document:
            for action in deployment["currentActions"]:
                for found in action.pop("readinessCheckResults"):
                    shapes.add(("readiness result",), found)
            shapes.add(("deployment",), deployment)
    elif isinstance(document, dict) and "apps" in document:
        for app in document["apps"]:
            take_app(shapes, app, name if "label" in name or "embed" in name else "apps")
    elif isinstance(document, dict) and "app" in document:
        take_app(shapes, document["app"], "app")
    elif isinstance(document, dict) and ("tasks" in document or "task" in document):
        for task in document.get("tasks", [document.get("task")]):
            take_task(shapes, task, "tasks" if kind == "tasks" else "killed")
    else:
        shapes.add(("answer", name), document)


def take_event(shapes, name, event):
    more = event.get("condition") or event.get("taskStatus") or type_of(event.get("healthy"))
    app = event.get("appId") or event.get("runSpecId") or event.get("appDefinition", {}).get("id", "")
    uri = event.get("uri", "")
    shapes.add(("event", name, more, app if name in ("api_post_event", "add_health_check_event", "failed_health_check_event") else "", uri), event)


def life_of_instances(events):
    """For each instance what was said of it, in order; instances in no order."""
    lives = {}
    for name, event in events:
        if name == "status_update_event":
            lives.setdefault(event["taskId"].split("._")[0], []).append(event["taskStatus"])
        elif name in ("instance_changed_event", "unknown_instance_terminated_event"):
            lives.setdefault(event["instanceId"], []).append(event["condition"])
    # A health result of Mesos comes as one more TASK_RUNNING, with no change of the instance.
    return sorted(" ".join(life) for life in lives.values())


def life_of_deployments(events):
    lives = {}
    for name, event in events:
        if name.startswith("deployment_"):
            step = [a["action"] for a in event.get("currentStep", {}).get("actions", [])]
            lives.setdefault(event["plan"]["id"], []).append(" ".join([name] + step))
    return sorted(", ".join(life) for life in lives.values())


# ---- a scenario's steps, taken again ----

class Scenario:
    def __init__(self, name, sim, result):
        self.folder = os.path.join(RECORDINGS, name)
        self.client, self.result = sim.client, result
        self.recorded, self.simulated = Shapes(), Shapes()
        self.instances = {}
        self.app = None
        self.unwell = {}

    def map_task(self, recorded):
        """The simulator's id for a recorded task: of the same app, oldest first, always the same."""
        instance, _, attempt = recorded.partition("._")
        if instance not in self.instances:
            prefix = instance.split(".instance-")[0] + ".instance-"
            tasks = sorted(t["id"] for a in self.client.json("/v2/apps?embed=apps.tasks")["apps"] for t in a["tasks"]
                           if t["id"].startswith(prefix) and t["state"] in ("TASK_RUNNING", "TASK_STARTING", "TASK_STAGING"))
            free = [t for t in tasks if t.split("._")[0] not in self.instances.values()]
            self.instances[instance] = free[0].split("._")[0] if free else instance
        return self.instances[instance] + ("._" + attempt if attempt else "")

    def wait(self, what):
        app = re.match(r"(/\S+) running=(\d+)", what)
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            path = app[1] if app else self.app
            found = self.client.request("GET", "/v2/apps/%s" % path)[1]
            state = json.loads(found).get("app", {"tasks": []})
            running = [t for t in state["tasks"] if t["state"] == "TASK_RUNNING"]
            if app and len(running) == int(app[2]) or what in ("first task", "tasks") and state["tasks"]:
                return
            if re.match(r"\d+ running", what) and len(running) >= int(what.split()[0]):
                return
            if "healthy" in what and state.get("tasksHealthy") == state.get("instances") or what == "restarted" and any(
                    t["id"].endswith(".2") for t in running):
                return
            time.sleep(0.01)
        self.result.failures.append("%s: never reached: %s" % (self.result.name, what))

    def wait_for_deployments(self):
        deadline = time.monotonic() + 12
        while self.client.json("/v2/deployments") and time.monotonic() < deadline:
            time.sleep(0.01)

    def control(self, step):
        query = urllib.parse.parse_qs(step.split("?", 1)[1].split(" -> ")[0])
        target = self.map_task(step.split(" -> ")[1].split()[0])
        if step.startswith("sim /http"):
            # The second time it stays ill until it is killed for it.
            alive = query["code"] == ["200"]
            self.unwell[target] = self.unwell.get(target, 0) + (not alive)
            kill = "&kill=true" if not alive and self.unwell[target] > 1 else ""
            action = "health?task=%s&alive=%s%s" % (target, str(alive).lower(), kill)
        elif "healthy" in query:
            action = "health?task=%s&alive=%s" % (target, query["healthy"][0])
        elif query["state"] == ["TASK_UNREACHABLE"]:
            action = "unreachable?task=" + target
        elif query["state"] == ["TASK_RUNNING"]:
            action = "reachable?task=" + target
        else:
            action = "end?task=%s&status=%s" % (target, query["state"][0])
        head, _ = self.client.request("POST", "/sim/" + action, "")
        self.result.equal(action, "HTTP/1.1 200 OK", head.split("\r\n")[0])

    def request(self, step):
        match = REQUEST.match(step)
        if not match:
            return
        method, path, body, user, header, _, name = match.groups()
        known = name and os.path.exists(os.path.join(self.folder, name))
        if method == "GET" and not known:
            return
        path = TASK.sub(lambda found: self.map_task(found[0]), path)
        body = TASK.sub(lambda found: self.map_task(found[0]), body) if body else body
        body = TASK_TIME.sub(lambda found: "%s%d" % (found[1], int(found[2]) // 5), body) if body else body
        headers = dict([header[3:].split(": ")]) if header else {}
        head, data = self.client.request(method, path, body, headers)
        if method == "POST" and body and '"id"' in body and data.startswith(b"{"):
            self.app = json.loads(body)["id"]
        if known:
            wanted, wanted_body = parse_file(os.path.join(self.folder, name))
            compare_heads(self.result, name, wanted, head)
            take_answer(self.recorded, name, wanted, wanted_body)
            take_answer(self.simulated, name, head, data)

    def run(self):
        for gap, step in read_steps(self.folder):
            if step.startswith("reached: "):
                self.wait(step[9:])
            elif step == "deployments empty":
                self.wait_for_deployments()
            else:
                time.sleep(gap)
                if step.startswith("sim "):
                    self.control(step)
                else:
                    self.request(step)


# A state that the simulator passes through more quickly, or the recording; or a race in the recorded stream itself.
def normal_life(life):
    return re.sub(r"(Running TASK_RUNNING)( TASK_RUNNING)*", r"Running", life.replace("TASK_RUNNING Running", "TASK_RUNNING+Running")
                  .replace("+Running TASK_RUNNING ", "+Running ")).replace("+", " ")


def run_scenario(name):
    result = Result(name)
    with Simulator(*TIMES) as sim:
        tap = Tap(sim.port)
        scenario = Scenario(name, sim, result)
        time.sleep(0.1)
        scenario.run()
        time.sleep(0.2)
        head, raw = tap.close()
    recorded_raw = open(os.path.join(scenario.folder, "events.sse"), "rb").read()
    recorded, broken = parse_stream(recorded_raw)
    result.equal("framing of the recording", b"", broken)
    simulated, broken = parse_stream(raw)
    result.equal("framing", b"", broken)
    compare_heads(result, "event stream", open(os.path.join(scenario.folder, "events.headers"), newline="").read(), head)
    for shapes, events in ((scenario.recorded, recorded), (scenario.simulated, simulated)):
        for kind, event in events:
            take_event(shapes, kind, event)
    result.equal("kinds of events", sorted({n for n, _ in recorded} - {"event_stream_detached"}),
                 sorted({n for n, _ in simulated} - {"event_stream_detached"}))
    result.equal("lives of instances", [normal_life(l) for l in life_of_instances(recorded)],
                 [normal_life(l) for l in life_of_instances(simulated)])
    result.equal("lives of deployments", life_of_deployments(recorded), life_of_deployments(simulated))
    scenario.recorded.compare(result, scenario.simulated)
    return result


def main():
    names = sys.argv[3:] or SCENARIOS + list(shapes_http.RUNS)
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(names)) as pool:
        results = list(pool.map(lambda name: shapes_http.RUNS.get(name, run_scenario)(name), names))
    for result in results:
        for failure in result.failures:
            print("FAILED: " + failure)
    passed, failed = sum(r.passed for r in results), sum(len(r.failures) for r in results)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0)


main()

# SPDX-License-Identifier: MIT
"""When tasks began to serve, against the moment when they were ready by what Marathon says.

ready.py results RECORD EVENTS            tasks whose readiness check turned good, by the simulator's record
ready.py ages EVENTS APPS-JSON SECONDS    tasks that are ready by their age, so many seconds behind their startedAt
"""
import datetime
import json
import statistics
import sys


def microseconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6


def served(path):
    """When HAProxy had acknowledged that the task serves; slotd's time is cut to milliseconds, so that it may be one more."""
    times = {}
    for event in json.load(open(path))["events"]:
        if event["action"] == "ready":
            times.setdefault(event["task"], microseconds(event["received"]) + event["acknowledged_after_ms"] * 1000)
    return times


def count_early(ready, acknowledged):
    return sum(acknowledged[task] + 1000 < at for task, at in ready.items() if task in acknowledged)


def report(ready, acknowledged):
    print("tasks", len(ready))
    print("never", len(ready.keys() - acknowledged.keys()))
    print("early", count_early(ready, acknowledged))


def median(ready, acknowledged):
    return round(statistics.median((acknowledged[t] - at) / 1000 for t, at in ready.items() if t in acknowledged))


def results(record, events):
    turned, told, asked = {}, {}, {}
    for line in open(record):
        at, what, task, *rest = line.split()
        if what == "check" and rest[0] == "ready":
            turned.setdefault(task, int(at))
        elif what == "told" and rest[0] == "ready":
            told.setdefault(task, int(at))
        elif what == "request":
            asked.setdefault(task, int(at))
    acknowledged = served(events)
    # The last ones of a deployment are told by its end: no answer has a result then.
    report(turned, acknowledged)
    print("untold", count_early(told, acknowledged))
    print("asked", sum(asked[task] < turned.get(task, float("inf")) for task in asked))
    print("median_told", median(told, acknowledged))
    print("median_result", median(turned, acknowledged))


def ages(events, apps, seconds):
    ready = {}
    for app in json.load(open(apps))["apps"]:
        for task in app["tasks"]:
            ready[task["id"]] = microseconds(task["startedAt"]) + float(seconds) * 1e6
    acknowledged = served(events)
    report(ready, acknowledged)
    print("median", median(ready, acknowledged))


{"results": results, "ages": ages}[sys.argv[1]](*sys.argv[2:])

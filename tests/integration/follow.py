# SPDX-License-Identifier: MIT
"""Who followed whom: reads the simulator's record and slotd's events, and says what requests did around a drain.

follow.py settled RECORD APP CLIENTS       whether each client with a cookie has had its last three requests at one task
follow.py drain RECORD EVENTS FROM TASK... what came of drains that were asked for after FROM (microseconds since 1970)
follow.py fast RECORD EVENTS COMMANDS      of drains in lines "TASK ASKED RETURNED": requests that came to the task all the same,
                                           and the median from the command's return to HAProxy's acknowledgement, in ms

Nothing here depends on how fast the machine is: a request that was begun after HAProxy had acknowledged a command cannot
have been decided before it, and one that reached a task before slotd had a reason for a command was not decided by it.
"""
import datetime
import json
import statistics
import sys


def app_of(task):
    return task.split(".")[0]


def requests_of(path):
    """(arrival, task, begun, client) of each request of the load generator; client None: one without a cookie."""
    for line in open(path):
        words = line.split()
        if words[1] == "request" and words[3] != "-":
            yield int(words[0]), words[2], int(words[3]), None if words[4] == "-" else (app_of(words[2]), words[4])


def is_settled(record, app, clients):
    last = {}
    for _, task, _, client in requests_of(record):
        if client and client[0] == app:
            last.setdefault(client, []).append(task)
    return len(last) == int(clients) and all(len(t) >= 3 and len(set(t[-3:])) == 1 for t in last.values())


def changes_of(path, task, since):
    """When slotd knew and when HAProxy had acknowledged, of each change of the task: (action, known, acknowledged)."""
    changes = []
    for event in json.load(open(path))["events"]:
        known = datetime.datetime.fromisoformat(event["received"].replace("Z", "+00:00")).timestamp() * 1e6
        # The time is cut to milliseconds, so that either moment may be up to one later.
        if event["task"] == task and known >= since - 1000:
            changes.append((event["action"], known, known + event["acknowledged_after_ms"] * 1000 + 1000))
    return changes


def judge(record, events, since, task):
    changes = changes_of(events, task, since)
    drained = next(acknowledged for action, _, acknowledged in changes if action == "drain")
    known, held = next(((k, a) for action, k, a in changes if action == "remove"), (float("inf"), float("inf")))
    back = next((k for action, k, _ in changes if action == "ready"), float("inf"))
    counts = dict.fromkeys(("strays", "followers", "followed", "left", "late", "moved"), 0)
    at, moved = {}, set()
    for arrival, where, begun, client in requests_of(record):
        if app_of(where) != app_of(task) or arrival >= back:
            continue
        if begun < drained:
            if client:
                at[client] = where
        elif client is None:
            counts["strays"] += where == task
        elif at.get(client) == task:
            counts["followed"] += where == task
            counts["left"] += where != task and arrival < known
            moved |= {client} if begun > held and where != task else set()
        counts["late"] += begun > held and where == task
    counts["followers"] = sum(where == task for where in at.values())
    counts["moved"] = len(moved)
    return counts


def print_drain(record, events, since, *tasks):
    total = {}
    for task in tasks:
        for key, count in judge(record, events, int(since), task).items():
            total[key] = total.get(key, 0) + count
    for key, count in total.items():
        print(key, count)


def print_fast(record, events, commands):
    after, strays = [], 0
    for line in open(commands):
        task, asked, returned = line.split()
        drained = next(a for action, _, a in changes_of(events, task, int(asked)) if action == "drain")
        after.append((drained - int(returned)) / 1000)
        strays += judge(record, events, int(asked), task)["strays"]
    print("strays", strays)
    print("median", round(statistics.median(after), 1))


commands = {"settled": lambda *words: sys.exit(0 if is_settled(*words) else 1), "drain": print_drain, "fast": print_fast}
commands[sys.argv[1]](*sys.argv[2:])

# SPDX-License-Identifier: MIT
"""Documents of slotctl, and /metrics, beside the keys and names that others rely on: what is here may be added to, and nothing of it
may go or change its type. Use: contract.py FOLDER, with status.json and so on in it. Says a line each: good, or FAILED."""
import json, os, sys

import exposition

TEXT, NUMBER, FLAG, LIST, NONE = str, (int, float), bool, list, type(None)


def maybe(kind):
    return (*kind, NONE) if isinstance(kind, tuple) else (kind, NONE)


ENDPOINT = {"app": TEXT, "task": TEXT, "segment": TEXT, "server": TEXT, "host": TEXT, "address": maybe(TEXT), "port": NUMBER, "protocol": TEXT,
            "weight": NUMBER, "phase": TEXT, "slot": maybe(TEXT)}
ACCESS = {"summary": TEXT, "entry_points": LIST, "closed": FLAG, "whitelist": maybe(LIST), "redirect": maybe(dict)}
SERVICE = {"name": TEXT, "apps": [TEXT], "segment": TEXT, "mode": TEXT, "rule": TEXT, "backend": maybe(TEXT), "frontend": TEXT, "access": ACCESS,
           "endpoints": [ENDPOINT]}
PROBLEM = {"app": maybe(TEXT), "task": maybe(TEXT), "segment": TEXT, "code": TEXT, "message": TEXT}
SERVICES = {"services": [SERVICE], "problems": [PROBLEM]}
SLOT_COUNTS = {key: NUMBER for key in ("total", "free", "starting", "ready", "down", "draining", "held", "unclaimed", "unknown", "added",
                                       "endpoints_waiting", "endpoints_unresolved")}
MAP = {"file": TEXT, "in_haproxy": FLAG, "entries": NUMBER, "error": maybe(TEXT), "file_error": maybe(TEXT), "file_changes": NUMBER,
       "file_saved": FLAG}
POOL = {"class": TEXT, "prefix": TEXT, "total": NUMBER, "leased": NUMBER, "free": NUMBER, "released": NUMBER, "waiting": NUMBER}
HAPROXY = {"name": TEXT, "socket": TEXT, "connected": FLAG, "error": maybe(TEXT), "version": maybe(TEXT), "pid": NUMBER, "adoptions": NUMBER,
           "commands": NUMBER, "commands_refused": NUMBER, "drifts": NUMBER, "commands_without_reply": NUMBER, "backends": NUMBER,
           "slots": SLOT_COUNTS, "state_file": maybe(TEXT), "state_file_error": maybe(TEXT), "state_file_changes": maybe(NUMBER),
           "state_file_saved": maybe(FLAG), "maps": [MAP], "pools": [POOL], "dynamic_backends": dict,
           "capabilities": {key: FLAG for key in ("late_address", "add_server", "add_backend", "wait_command", "init_state")}}
STATUS = {
    "version": TEXT, "uptime_ms": NUMBER, "degraded": FLAG, "reasons": LIST, "warnings": LIST, "haproxy": [HAPROXY],
    "marathon": {"endpoint": TEXT, "live": FLAG, "leader": maybe(TEXT), "error": maybe(TEXT), "last_event_age_ms": maybe(NUMBER),
                 "last_sync_age_ms": maybe(NUMBER), "events": NUMBER, "events_refused": NUMBER, "reconnects": NUMBER, "fetches": NUMBER,
                 "fetch_failures": NUMBER},
    "counts": {key: NUMBER for key in ("apps", "tasks", "tasks_running", "services", "problems", "changes")},
    "guard": {"holding": FLAG, "held": NUMBER, "max_removal_percent": NUMBER}}
KEY = {"key": TEXT, "exact": FLAG, "leads_to": TEXT, "in_map": FLAG}
ROUTE = {"service": TEXT, "frontend": TEXT, "rule": maybe(TEXT), "priority": maybe(NUMBER), "by": TEXT, "why": maybe(TEXT), "keys": [KEY]}
DRAIN = {"target": TEXT, "name": TEXT, "state": TEXT, "sessions": NUMBER, "left_ms": NUMBER, "timeout_ms": NUMBER, "asked": TEXT, "by": TEXT,
         "until": maybe(TEXT), "endpoints": [{"app": TEXT, "task": TEXT, "haproxy": TEXT, "backend": TEXT, "slot": TEXT, "state": TEXT,
                                              "sessions": maybe(NUMBER)}]}
EVENT = {"sequence": NUMBER, "received": TEXT, "acknowledged_after_ms": NUMBER, "haproxy": TEXT, "backend": TEXT, "slot": TEXT, "task": TEXT,
         "segment": TEXT, "action": TEXT, "address": TEXT, "port": NUMBER, "weight": NUMBER}
SLOT = {"haproxy": TEXT, "backend": TEXT, "slot": TEXT, "added": FLAG, "state": TEXT, "address": TEXT, "port": NUMBER, "weight": NUMBER,
        "sessions": maybe(NUMBER), "maint": FLAG, "up": FLAG}
DOCUMENTS = {
    "status": STATUS, "services": SERVICES, "map": SERVICES, "routes": {"haproxy": maybe(TEXT), "routes": [ROUTE]}, "drains": {"drains": [DRAIN]},
    "events": {"events": [EVENT], "next": NUMBER}, "slots": {"slots": [SLOT]},
    "weight": {"weights": [{"target": TEXT, "name": TEXT, "weight": TEXT, "by": TEXT, "asked": TEXT}]},
    "plan": {"haproxy": [{"name": TEXT, "connected": FLAG, "commands": LIST}]},
    "sync": {"apps": NUMBER, "missing": NUMBER, "removed": NUMBER, "answer": TEXT},
    "doctor": {"findings": [{"severity": TEXT, "code": TEXT, "subject": TEXT, "message": TEXT, "remedy": maybe(TEXT)}], "errors": NUMBER,
               "warnings": NUMBER, "hints": NUMBER}}

METRICS = {
    "gauge": """start_time_seconds in_sync marathon_live marathon_last_event_age_seconds marathon_last_answer_age_seconds apps tasks tasks_running
        tombstones services drain_orders weight_orders guard_held guard_held_endpoints haproxy_connected haproxy_adopted haproxy_info
        haproxy_commands_in_flight haproxy_servers_added haproxy_backends endpoints endpoints_waiting endpoints_unresolved
        access_entries_leaving services_without_backend problems slots backend_slots backend_endpoints_waiting tcp_routes pool_backends
        pool_services_waiting dynamic_backends build_info process_resident_memory_bytes process_virtual_memory_bytes process_open_fds
        process_max_fds http_connections http_max_connections""",
    "counter": """marathon_reconnects_total marathon_fetches_total marathon_fetch_failures_total marathon_events_refused_total
        marathon_events_total marathon_answers_total left_aside_total guard_holds_total haproxy_connects_total haproxy_adoptions_total
        haproxy_commands_total haproxy_commands_refused_total haproxy_commands_lost_total haproxy_drifts_total
        haproxy_server_additions_total haproxy_server_deletions_total process_cpu_seconds_total http_requests_total
        http_requests_refused_total http_connections_expired_total""",
    "histogram": "marathon_fetch_duration_seconds change_latency_seconds"}


def differences(value, wanted, where):
    """What is missing, or of another type; a list that is to be looked into must not be empty."""
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        return [found for key, kind in wanted.items()
                for found in (differences(value[key], kind, f"{where}.{key}") if key in value else [f"{where}.{key} is missing"])]
    if isinstance(wanted, list):
        if not isinstance(value, list) or not value:
            return [f"{where} is no list with something in it"]
        return [found for i, item in enumerate(value) for found in differences(item, wanted[0], f"{where}[{i}]")]
    kinds = wanted if isinstance(wanted, tuple) else (wanted,)
    good = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
    return [] if good else [f"{where} is {value!r}"]


def say(what, found):
    print(f"FAILED: {what}: {', '.join(found[:5])}" if found else f"good {what}")


def read(name):
    with open(os.path.join(sys.argv[1], name)) as file:
        return file.read()


def metrics_that_differ(text):
    exposition.read(text)
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    helped = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP ") and len(line.split()) > 3}
    wanted = {f"slotd_{name}": kind for kind, names in METRICS.items() for name in names.split()}
    return [f"{name} is {types.get(name)}" for name, kind in wanted.items() if types.get(name) != kind or name not in helped]


say("a document that lacks a key", [] if differences({"a": [{}]}, {"a": [{"b": TEXT}]}, "x") == ["x.a[0].b is missing"] else ["is taken"])
say("one that has another type", [] if differences({"a": True}, {"a": NUMBER}, "x") == ["x.a is True"] else ["is taken"])
for name, wanted in DOCUMENTS.items():
    say(name, differences(json.loads(read(name + ".json")), wanted, name))
mapped = json.loads(read("map.json"))
say("a map has neither backend nor slot", [s["name"] for s in mapped["services"] if s["backend"] is not None or any(
    e["slot"] is not None for e in s["endpoints"])])
served = {s["name"]: s for s in json.loads(read("services.json"))["services"]}
say("services have both", [] if served["backend-web"]["backend"] and all(e["slot"] for e in served["backend-web"]["endpoints"]) else ["backend-web"])
say("a TCP service has its keys", differences(served["backend-db"], {"tcp_port": maybe(NUMBER), "sni": [TEXT]}, "backend-db"))
say("metrics", metrics_that_differ(read("metrics.txt")))

# SPDX-License-Identifier: MIT
"""Errors, a standby and subscribers, compared with the recordings; see shapes.py."""
import base64
import json
import os
import time

from shapes_common import (RECORDINGS, REQUEST, Result, Simulator, Tap, compare_heads, parse_file, parse_stream, read_steps, shape)

# A field that is unknown is refused with a message about another one; the simulator takes it.
NOT_SIMULATED = {"400-unknown-field.http"}
# Texts that hold what this run cannot have: paths and ids are the same, only a parser's words are not.
OTHER_TEXT = {"400-bad-json.http"}


def compare_answer(result, name, wanted, wanted_body, head, data):
    compare_heads(result, name, wanted, head)
    if wanted_body.startswith((b"{", b"[", b'"')):
        result.equal(name + ", body's form", sorted(shape(json.loads(wanted_body))), sorted(shape(json.loads(data))))
        if name not in OTHER_TEXT and b"message" in wanted_body:
            result.equal(name + ", body", json.loads(wanted_body), json.loads(data))
    else:
        result.equal(name + ", body", wanted_body, data)


def run_errors(name):
    result = Result(name)
    folder = os.path.join(RECORDINGS, name)
    encoded = base64.b64encode(b"admin:s3cret").decode()
    with Simulator("--basic", encoded) as sim:
        for _, step in read_steps(folder):
            match = REQUEST.match(step)
            method, path, body, user, header, _, file = match.groups()
            if not os.path.exists(os.path.join(folder, file)) or file in NOT_SIMULATED:
                continue
            headers = dict([header[3:].split(": ")]) if header else {}
            if user:
                headers["Authorization"] = "Basic " + base64.b64encode(user[3:].encode()).decode()
            compare_answer(result, file, *parse_file(os.path.join(folder, file)), *sim.client.request(method, path, body, headers))
    with Simulator() as sim:
        for file, method, path, accept in (("head-apps.http", "HEAD", "/v2/apps", "*/*"), ("head-ping.http", "HEAD", "/ping", "*/*"),
                                           ("ping-json.http", "GET", "/ping", "application/json"), ("root.http", "GET", "/", "*/*"),
                                           ("v2.http", "GET", "/v2", "*/*")):
            compare_answer(result, file, *parse_file(os.path.join(folder, file)), *sim.client.request(method, path, None, {"Accept": accept}))
        sim.client.request("PUT", "/v2/apps//x", '{"instances": 1}')
        head, _ = sim.client.request("GET", "/v2/apps", None, {"Accept-Encoding": "gzip"})
        compare_heads(result, "gzip", open(os.path.join(folder, "apps-gzip.headers"), newline="").read(), head)
    return result


def run_standby(name):
    result = Result("standby")
    folder = os.path.join(RECORDINGS, name)
    sse = {"Accept": "text/event-stream"}
    requests = [("apps", "GET", "/v2/apps", None, {}), ("deployments", "GET", "/v2/deployments", None, {}), ("info", "GET", "/v2/info", None, {}),
                ("leader", "GET", "/v2/leader", None, {}), ("ping", "GET", "/ping", None, {}), ("root", "GET", "/", None, {}),
                ("404", "GET", "/v2/apps//nope", None, {}), ("post", "POST", "/v2/apps", "{}", {}),
                ("events-302", "GET", "/v2/events?event_type=status_update_event", None, sse), ("events-302-noaccept", "GET", "/v2/events", None, {}),
                ("loop", "GET", "/v2/apps", None, {"X-Marathon-Via": "1.1 127.0.0.1:1"})]
    with Simulator() as leader, Simulator("--leader", "http://127.0.0.1:%d" % leader.port) as standby:
        for name, method, path, body, headers in requests:
            wanted, wanted_body = parse_file(os.path.join(folder, "standby-%s.http" % name))
            head, data = standby.client.request(method, path, body, headers)
            wanted_body = b'{"apps":[]}' if name == "apps" else wanted_body
            compare_answer(result, "standby-" + name, wanted, wanted_body, head, data)
        leader.process.kill()
        leader.process.wait()
        statuses = [standby.client.request("GET", "/v2/apps")[0].split("\r\n")[0] for _ in range(4)]
        result.equal("a leader that is gone", ["HTTP/1.1 502 Connection to leader refused.", "HTTP/1.1 500 Server Error"] * 2, statuses)
    return result


def run_subscribers(name):
    result = Result(name)
    folder = os.path.join(RECORDINGS, name)
    accepts = {"any": "*/*", "json": "application/json", "list": "text/event-stream, */*;q=0.1", "none": None, "upper": "TEXT/EVENT-STREAM"}
    with Simulator() as sim:
        for variant, accept in accepts.items():
            recorded = open(os.path.join(folder, "variant-accept-%s.raw" % variant), "rb").read()
            wanted, _, wanted_body = recorded.partition(b"\r\n\r\n")
            head, data = sim.client.request("GET", "/v2/events", None, {"Accept": accept})
            compare_answer(result, "accept-" + variant, wanted.decode(), wanted_body, head, data)
        for path, wanted in (("/v2/events", 2), ("/v2/events?event_type=event_stream_attached", 1), ("/v2/events?event_type=a,b", 0),
                             ("/v2/events?event_type=event_stream_attached&event_type=app_terminated_event", 2)):
            tap = Tap(sim.port, path, "Accept-Encoding: gzip\r\n")
            time.sleep(0.1)
            sim.client.request("PUT", "/v2/apps//x", '{"instances": 0}')
            sim.client.request("DELETE", "/v2/apps//x")
            time.sleep(0.1)
            head, raw = tap.close()
            names = {n for n, _ in parse_stream(raw)[0]}
            result.equal(path, wanted, len(names & {"event_stream_attached", "app_terminated_event"}))
            result.equal(path + ", never packed", False, "encoding" in head.lower())
    return result


RUNS = {"15-auth-and-errors": run_errors, "14-restart-failover": run_standby, "16-sse-behaviour": run_subscribers}

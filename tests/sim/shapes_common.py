# SPDX-License-Identifier: MIT
"""What the comparisons of the simulator with the recordings have in common: shapes, streams, requests, steps."""
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading

SIM = sys.argv[1]
RECORDINGS = sys.argv[2]
# Data, not form: their keys are the user's.
MAPS = {"labels", "env"}
MAX_GAP = 0.8


class Result:
    def __init__(self, name):
        self.name, self.passed, self.failures = name, 0, []

    def equal(self, what, wanted, got):
        if wanted == got:
            self.passed += 1
        else:
            self.failures.append("%s: %s: recorded %s, simulator %s" % (self.name, what, wanted, got))


# ---- shapes: a set of (path, type) ----

def type_of(value):
    return {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null", list: "array", dict: "object"}[type(value)]


def shape(value, path="", into=None):
    into = set() if into is None else into
    into.add((path, type_of(value)))
    if isinstance(value, list):
        for item in value:
            shape(item, path + "[]", into)
    elif isinstance(value, dict) and path.rsplit(".", 1)[-1] not in MAPS:
        for key, item in value.items():
            shape(item, path + "." + key, into)
    return into


def difference(a, b):
    return sorted("%s %s" % item for item in a - b)


# ---- streams ----

FRAME = re.compile(rb"event: ([a-z_]+)\r\ndata: (\{[^\r\n]*\})\r\n\r\n|\r\n")


def parse_stream(raw):
    """The events; None when the framing is not Marathon's."""
    events, position = [], 0
    while position < len(raw):
        match = FRAME.match(raw, position)
        if not match:
            rest = raw[position:]
            return events, rest if b"\r\n\r\n" in rest else b""
        if match.group(1):
            events.append((match.group(1).decode(), json.loads(match.group(2))))
        position = match.end()
    return events, b""


# ---- requests ----

def parse_file(path):
    head, _, body = open(path, "rb").read().partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


def head_names(head):
    return [line.split(":")[0] for line in head.split("\r\n")[1:] if line]


class Client:
    def __init__(self, port):
        self.port = port

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {"Accept": "*/*", **(headers or {})}.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body.encode())))
        connection.endheaders(body.encode() if body is not None else None)
        answer = connection.getresponse()
        data = answer.read()
        head = "HTTP/1.1 %d %s\r\n" % (answer.status, answer.reason) + "".join("%s: %s\r\n" % item for item in answer.getheaders())
        connection.close()
        return head, data

    def json(self, path):
        return json.loads(self.request("GET", path)[1])


def compare_heads(result, name, wanted, got):
    # A real Marathon ends the line of a 422 without a reason.
    result.equal(name + ", status", wanted.split("\r\n")[0].strip(), got.split("\r\n")[0].strip())
    result.equal(name + ", headers", head_names(wanted), head_names(got))


class Simulator:
    def __init__(self, *options):
        self.process = subprocess.Popen([SIM, "--host", "127.0.0.1,127.0.0.2,127.0.0.3", *options], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        self.client = Client(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Tap:
    """Reads an event stream with a bare socket: its head and its bytes as they are."""

    def __init__(self, port, path="/v2/events", headers=""):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n%s\r\n" % (path, headers)).encode())
        self.raw = b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        head, _, body = self.raw.partition(b"\r\n\r\n")
        return head.decode(), body


# ---- a scenario's steps, taken again ----

STEP = re.compile(r"(\d+):(\d+):(\d+\.\d+) (.*)")
REQUEST = re.compile(r"(GET|HEAD|POST|PUT|DELETE) (\S+) (?:body=(.*?))? ?(-u \S+)? ?(-H .*?)? ?-> HTTP/1.1 (.*?)(?: \(([^ ]*)\))?$")
TASK = re.compile(r"[a-z_]+\.instance-[0-9a-f-]+(?:\._app\.\d+)?")


def read_steps(folder):
    steps, last = [], None
    for line in open(os.path.join(folder, "steps.log")):
        match = STEP.match(line.rstrip("\n"))
        if match:
            now = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
            steps.append((min(max(now - last, 0), MAX_GAP) if last else 0, match[4]))
            last = now
        if line[13:].startswith("cleanup"):
            break
    return steps

# SPDX-License-Identifier: MIT
"""Says to an SPOE agent what no HAProxy says, and looks at the DISCONNECT that it answers. Use: spop_hostile.py PORT."""
import random
import socket
import sys

PORT = int(sys.argv[1])


def varint(value):
    if value < 240:
        return bytes([value])
    out = [(value & 255) | 0xF0]
    value = (value - 240) >> 4
    while value >= 128:
        out.append((value & 255) | 0x80)
        value = (value - 128) >> 7
    return bytes(out + [value])


def text(value):
    return varint(len(value)) + value.encode()


def frame(kind, stream, number, payload, flags=1):
    body = bytes([kind]) + flags.to_bytes(4, "big") + varint(stream) + varint(number) + payload
    return len(body).to_bytes(4, "big") + body


def hello(size=16380, version="2.0", extra=b""):
    return frame(1, 0, 0, text("supported-versions") + b"\x08" + text(version) + text("max-frame-size") + b"\x03" + varint(size)
                 + text("capabilities") + b"\x08" + text("pipelining") + extra)


def notify(stream, flags=1):
    return frame(3, stream, 1, text("slotd-route") + b"\x02" + text("host") + b"\x08" + text("h") + text("path") + b"\x08" + text("/"), flags)


def talk(data, half_close=False):
    """All that the agent says until it closes, as (type, stream, payload)."""
    with socket.create_connection(("127.0.0.1", PORT), 20) as peer:
        peer.sendall(data)
        if half_close:
            peer.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            try:
                part = peer.recv(65536)
            except ConnectionResetError:
                break
            if not part:
                break
            got += part
    frames = []
    while got:
        size = int.from_bytes(got[:4], "big")
        assert 7 <= size <= len(got) - 4, "a frame that is cut"
        frames.append((got[4], got[9], got[4:4 + size]))
        got = got[4 + size:]
    return frames


def code(frames):
    """The status-code of a DISCONNECT that comes last, or None."""
    if not frames or frames[-1][0] != 102:
        return None
    payload = frames[-1][2]
    return payload[payload.index(b"status-code") + 12]


CASES = [
    ("no length", b"\0\0\0\0", 4),
    ("a length of 4 GB", b"\xff\xff\xff\xff", 3),
    ("a length above the agreed one", hello(256) + (257).to_bytes(4, "big"), 3),
    ("another version", hello(version="1.0"), 8),
    ("a frame of 255", hello(255), 9),
    ("NOTIFY before HELLO", notify(1), 4),
    ("HELLO twice", hello() + hello(), 4),
    ("a fragment", hello() + notify(1, 0), 10),
    ("the rest of a fragment", hello() + frame(0, 1, 1, b"x"), 10),
    ("an ACK", hello() + frame(103, 1, 1, b""), 4),
    ("a message that is cut", hello() + frame(3, 1, 1, text("m") + b"\x02" + text("a")), 4),
    ("a reserved type", hello() + frame(3, 1, 1, text("m") + b"\x01" + text("a") + b"\x0b"), 4),
    ("goodbye", hello() + frame(2, 0, 0, text("status-code") + b"\x03\x00" + text("message") + b"\x08" + text("")), 0),
]


def main():
    wrong = 0
    for name, data, wanted in CASES:
        got = code(talk(data))
        if got != wanted:
            print(f"{name}: {got} instead of {wanted}")
            wrong += 1
    # Unknown frames and aborted ones are passed over; answers keep their order, and stand before the DISCONNECT.
    frames = talk(hello() + frame(77, 0, 0, b"") + notify(9, 3) + b"".join(notify(n) for n in range(1, 201)) + b"\0\0\0\0")
    acks = [stream for kind, stream, _ in frames if kind == 103]
    if acks != list(range(1, 201)) or code(frames) != 4:
        print("pipelined answers:", acks, code(frames))
        wrong += 1
    for name, data in (("nothing", b""), ("half a frame", hello()[:9]), ("half a message", hello() + notify(1)[:20])):
        frames = talk(data, half_close=True)
        if code(frames) is not None:
            print(f"{name} and an end: {frames}")
            wrong += 1
    # Who never reads is closed, however much he asks.
    with socket.create_connection(("127.0.0.1", PORT), 20) as greedy:
        greedy.sendall(hello())
        many = notify(1) * 1000
        try:
            while True:
                greedy.sendall(many)
        except (ConnectionResetError, BrokenPipeError):
            pass
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for _ in range(300):
        data = bytearray(hello() + notify(1) + notify(2))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        talk(bytes(data[:rng.randrange(len(data) + 1)]), half_close=True)
    print("seed", seed)
    sys.exit(wrong != 0)


main()

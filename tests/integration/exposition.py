# SPDX-License-Identifier: MIT
"""A strict reader of Prometheus' text format 0.0.4, with the rules of `promtool check metrics` and those of slotd's own: names
start with slotd_, seconds and bytes, whole numbers or decimal fractions that are not negative."""
import re

NAME = re.compile(r"slotd_[a-z][a-z0-9_]*")
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
OTHER_UNITS = re.compile(r"_(ms|us|ns|milliseconds|microseconds|minutes|hours|kb|mb|kilobytes|percent)(_|$)")


def need(good, text):
    if not good:
        raise ValueError(text)


def read_labels(text):
    labels, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        need(match, f"labels {text!r}")
        need(match[1] not in labels, f"label {match[1]} twice")
        labels[match[1]] = re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), match[2])
        at = match.end()
    return labels


class Family:
    def __init__(self, name):
        self.name, self.help, self.type, self.samples = name, None, None, {}

    def takes(self, name):
        suffixes = ("_bucket", "_sum", "_count") if self.type == "histogram" else ("",)
        return any(name == self.name + suffix for suffix in suffixes)

    def add(self, name, labels, value):
        key = name, tuple(sorted(labels.items()))
        need(key not in self.samples, f"{key} twice")
        self.samples[key] = value

    def check(self):
        need(self.help and self.type, f"{self.name}: HELP or TYPE is missing")
        need(NAME.fullmatch(self.name), f"{self.name}: the name")
        need(self.name.endswith("_total") == (self.type == "counter"), f"{self.name}: counters end in _total, others do not")
        need(not OTHER_UNITS.search(self.name), f"{self.name}: seconds and bytes are the units")
        if self.type == "histogram":
            self.check_histogram()
        else:
            need(not re.search("_(bucket|sum|count)$", self.name), f"{self.name}: the suffix is a histogram's")
            need(all("le" not in dict(labels) for _, labels in self.samples), f"{self.name}: le is a histogram's")

    def check_histogram(self):
        rows = {}
        for (name, labels), value in self.samples.items():
            rest = tuple(label for label in labels if label[0] != "le")
            row = rows.setdefault(rest, {"le": []})
            if name.endswith("_bucket"):
                row["le"].append((dict(labels)["le"], value))
            else:
                row[name.rsplit("_", 1)[1]] = value
        for rest, row in rows.items():
            need(set(row) == {"le", "sum", "count"}, f"{self.name}{rest}: buckets, sum and count")
            bounds, counts = [float(le) for le, _ in row["le"]], [count for _, count in row["le"]]
            need(bounds == sorted(set(bounds)) and row["le"][-1][0] == "+Inf", f"{self.name}{rest}: bounds {bounds}")
            need(counts == sorted(counts) and counts[-1] == row["count"], f"{self.name}{rest}: counts {counts}")
            need(row["count"] > 0 or row["sum"] == 0, f"{self.name}{rest}: a sum of nothing")


def read(text):
    """{(name, ((label, value), ...)): number}. A ValueError says which rule is broken."""
    need(text.endswith("\n") and "\r" not in text, "every line ends with a line feed")
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            what, name, rest = (line[2:].split(" ", 2) + ["", ""])[:3]
            need(what in ("HELP", "TYPE") and rest, f"comment {line!r}")
            if what == "HELP":
                need(name not in families, f"{name}: two families, or one in two places")
                current = families[name] = Family(name)
                current.help = rest
            else:
                need(current and current.name == name and not current.type and not current.samples, f"TYPE of {name}: its place")
                need(rest in ("gauge", "counter", "histogram"), f"type {rest}")
                current.type = rest
            continue
        match = SAMPLE.fullmatch(line)
        need(match, f"line {line!r}")
        need(current and current.takes(match["name"]), f"{match['name']}: not below its own HELP and TYPE")
        need(NUMBER.fullmatch(match["value"]), f"value {match['value']}")
        current.add(match["name"], read_labels(match["labels"]), float(match["value"]))
    for family in families.values():
        family.check()
    return {key: value for family in families.values() for key, value in family.samples.items()}


GOOD = """# HELP slotd_a A.
# TYPE slotd_a gauge
slotd_a{x="1",y="\\"\\\\\\n"} 1
slotd_a{x="2",y=""} 2.5
# HELP slotd_b_total B.
# TYPE slotd_b_total counter
slotd_b_total 3
# HELP slotd_c C.
# TYPE slotd_c histogram
slotd_c_bucket{le="0.1"} 1
slotd_c_bucket{le="+Inf"} 2
slotd_c_sum 5.1
slotd_c_count 2
"""
MISTAKES = [
    ("slotd_b_total 3\n", "slotd_b_total 3"), ("slotd_b_total 3", "slotd_b_total NaN"), ("slotd_b_total 3", "slotd_b_total -1"),
    ("slotd_b_total 3", "slotd_b_total 3\nslotd_b_total 3"), ("_b_total", "_b"), ("slotd_a", "a"), ("slotd_a", "slotd_a_ms"),
    ("# TYPE slotd_a gauge\n", ""), ("# HELP slotd_a A.\n", ""), ("# TYPE slotd_a gauge", "# TYPE slotd_a counter"), ('x="2"', 'x="1\\d"'),
    ('x="2",y=""', 'x="1",y="\\"\\\\\\n"'), ('x="2"', 'y="2"'), ('le="+Inf"} 2', 'le="+Inf"} 3'), ('le="0.1"} 1', 'le="0.1"} 3'),
    ('le="+Inf"', 'le="0.2"'), ("slotd_c_sum 5.1\n", ""), ("slotd_b_total 3", "slotd_d 3"), ("slotd_b_total 3", "slotd_b_total 3\n"),
    ("# HELP slotd_c C.", "# HELP slotd_a C."), ("slotd_a{x", "slotd_a {x"), ("slotd_b_total 3", "slotd_b_total 3 1700000000"),
]


def can_fail():
    """What the reader takes that it should not: nothing."""
    read(GOOD)
    passed = []
    for right, wrong in MISTAKES:
        text = GOOD.replace(right, wrong)
        if right == MISTAKES[0][0]:
            text = GOOD[:-1]
        try:
            read(text)
            passed.append(wrong)
        except ValueError:
            pass
    return passed

#!/usr/bin/env python3
"""Whether something grew while nodes lived a long life. For soak.sh, which states the law.

    soak_judge.py report SAMPLES FACTS >REPORT        what soak_sample.py saw, in medians of thirds
    soak_judge.py judge REPORT NODE KIND              KIND: memory, descriptors, tables or files
    soak_judge.py events REPORT EVENTS.DEF [NAME]...  bugs and troubles of the host other than NAMEs

FACTS is a JSON object: `cycles`, `warm_up` (how many of those are left out) and whatever else the
report shall say; of that, `disturbances` is used: how many of each kind there were. The cycles after
the warm-up are cut into three windows of as many cycles each, so that each saw the same
disturbances. Of every series of a node the report has the median of what was seen at rest in each
window, and the highest value ever. `judge` compares the medians. It prints what it found, and its
exit status is 0 when nothing grew by more than is allowed.
"""

import json
import re
import statistics
import sys

WINDOWS = ("first", "middle", "last")
LEAST_SAMPLES = 3  # of a node in a window: fewer have no median worth the name

# How much more the last window may have than the first. Whatever is not named here: nothing at all.
# What is allocated and not freed: growth that goes on shows between the first window and the middle
# one as well as between that and the last. Only one of both may have more than STEADY_KB, and both
# together have at most ONCE_KB: two connections, more or less, that end with the next time-out.
STEADY_KB, ONCE_KB = 32, 160
# What the system sees of it: the heap keeps the room for what it once held, such as a queue to a
# member that was full for a moment, which is 1 MiB.
STEP_KB = 1024
# In the resident set, beside that: pages of the program and its libraries, when first needed.
PROGRAM_KB = 1024
# A life of fewer cycles is still getting warm: caches and buffers find their size.
LONG_CYCLES, WARMING_KB = 60, 300
# A connection whose other end is gone waits for its idle time-out, which is three cycles.
CONNECTIONS = 2
# SQLite begins its log again at 256 pages (store/statements.def), within a commit.
DATABASE_LOG_BYTES = 300 * (4096 + 24)
# An invitation is kept for a month after its end, with its place in an index.
INVITATION_BYTES = 512
PAGE_BYTES = 4096


def kind_of(series):
    if series.endswith("_kb"):
        return "memory"
    if series in ("descriptors", "threads"):
        return "descriptors"
    if series.endswith("_bytes") or series == "files":
        return "files"
    return "tables"


def window_cycles(facts):
    return (facts["cycles"] - facts["warm_up"]) // len(WINDOWS)


def allowed(series, row, facts):
    """How much a series may have grown from the first window to the last."""
    if series == "heap_kb" and facts["cycles"] >= LONG_CYCLES:
        goes_on = min(row["middle"] - row["first"], row["last"] - row["middle"]) > STEADY_KB
        return 2 * STEADY_KB if goes_on else ONCE_KB
    if series == "heap_kb":
        return WARMING_KB
    if kind_of(series) == "memory":
        return STEP_KB + (PROGRAM_KB if series == "rss_kb" else 0)
    if series == "kith_quic_connections":
        return CONNECTIONS
    if series == "database_log_bytes":
        return max(0, DATABASE_LOG_BYTES - row["first"])
    if series == "database_bytes":
        invitations = facts.get("disturbances", {}).get("invitation", 0)
        between = window_cycles(facts) * (len(WINDOWS) - 1) / facts["cycles"]
        # What is in its log is added when that is full, so it may lag behind.
        return 4 * PAGE_BYTES + INVITATION_BYTES * invitations * between
    return 0


def window_of(cycle, facts):
    """Which window a cycle belongs to; None: to the warm-up, or to no cycle at all."""
    length = window_cycles(facts)
    start = facts["cycles"] - length * len(WINDOWS)
    if length < 1 or not start <= cycle < facts["cycles"]:
        return None
    return WINDOWS[(cycle - start) // length]


def summarise(samples, facts):
    """{series: {"first": median, "middle": median, "last": median, "highest": value}} of one node."""
    values, highest = {}, {}
    for sample in samples:
        window = window_of(sample["cycle"], facts)
        for name, value in sample["series"].items():
            if window is None or value is None:
                continue
            highest[name] = max(value, highest.get(name, value))
            if sample["rest"]:
                values.setdefault(name, {}).setdefault(window, []).append(value)
    return {
        name: {window: statistics.median(row[window]) for window in WINDOWS} | {"highest": highest[name]}
        for name, row in sorted(values.items())
        if all(len(row.get(window, [])) >= LEAST_SAMPLES for window in WINDOWS)
    }


def total(samples):
    """Counters of one node over all its lives: of each life the last that was seen."""
    lives, result = {}, {}
    for sample in samples:
        lives[sample["pid"]] = sample["counters"]
    for counters in lives.values():
        for name, value in counters.items():
            result[name] = result.get(name, 0) + value
    return result


def report(samples, facts):
    nodes = {}
    for name in sorted({sample["node"] for sample in samples}):
        own = [sample for sample in samples if sample["node"] == name]
        counters = total(own)
        nodes[name] = {
            "samples": len(own),
            "lives": len({sample["pid"] for sample in own}),
            "sent_bytes": counters.pop("kith_vpn_sent_bytes_total", 0),
            "received_bytes": counters.pop("kith_vpn_received_bytes_total", 0),
            "events": {key.partition(".")[2]: value for key, value in sorted(counters.items())},
            "series": summarise(own, facts),
        }
    return {
        **facts,
        "samples": len(samples),
        "bytes": sum(node["received_bytes"] for node in nodes.values()),
        "nodes": nodes,
    }


def judge(result, node, kind):
    """Gives whether all is well, and a line for each series of that kind."""
    series = result["nodes"].get(node, {}).get("series", {})
    mine = {name: row for name, row in series.items() if kind_of(name) == kind}
    well, lines = bool(mine), []
    if not mine:
        lines.append(f"too few samples of {node}: nothing is known of its {kind}")
    for name, row in mine.items():
        most = allowed(name, row, result)
        grown = row["last"] - row["first"]
        fine = grown <= most
        well = well and fine
        middle = f"{row['first']:g}, {row['middle']:g}, {row['last']:g}"
        lines.append(f"{name}: {middle}; {grown:+g}, allowed +{most:g}{'' if fine else ': IT GREW'}")
    return well, lines


def troubles(result, table, expected):
    """Events of level BUG or HOST that are not expected, as "node: event (how often)"."""
    level = dict(re.findall(r"^EVENT\d\((\w+),\s*(\w+),", table, re.M))
    return [
        f"{name}: {event} ({count})"
        for name, node in result["nodes"].items()
        for event, count in node["events"].items()
        if level.get(event, "BUG") in ("BUG", "HOST") and event not in expected
    ]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(arguments):
    verb, rest = (arguments + [""])[0], arguments[1:]
    if verb == "report" and len(rest) == 2:
        lines = [line for line in read(rest[0]).split("\n")[:-1] if line]
        print(json.dumps(report([json.loads(line) for line in lines], json.loads(read(rest[1]))), indent=1))
        return 0
    if verb == "judge" and len(rest) == 3:
        well, lines = judge(json.loads(read(rest[0])), *rest[1:])
        print("\n".join(lines))
        return 0 if well else 1
    if verb == "events" and len(rest) >= 2:
        found = troubles(json.loads(read(rest[0])), read(rest[1]), rest[2:])
        print("\n".join(found))
        return 1 if found else 0
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

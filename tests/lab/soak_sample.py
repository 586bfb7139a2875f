#!/usr/bin/env python3
"""Looks at running nodes again and again, for soak.sh. One line of JSON for each look at each node.

    soak_sample.py PERIOD MOMENT NAME=STATE...

MOMENT is a file that says which cycle of disturbances it is, and "busy" or "rest"; NAME a node with
its state directory. A node that doesn't answer (it is being started) is left out of that look. The process is
found by its control socket, so nothing has to know when it was started anew. Ends by a signal.

`series` is what must not grow: everything that has a size. `counters` begins at 0 with each life of
a node: bytes through the tunnel, and events by kind.
"""

import json
import os
import re
import socket
import struct
import sys
import time

PATIENCE = 2  # seconds for a node to answer
# Gauges that are no size of anything of the node, or are measured here more closely.
NO_TABLES = re.compile(
    r"kith_(build_info|health_problem|process_\w+|certificate_end_timestamp_seconds)$"
)
COUNTERS = re.compile(r"kith_(events|vpn_(sent|received)_bytes)_total$")


def connect(state):
    """A connection to the node's control socket, and the process at its other end."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(PATIENCE)
    try:
        s.connect(os.path.join(state, "control.sock"))
    except OSError:
        s.close()
        raise
    credentials = s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return s, struct.unpack("3i", credentials)[0]


def metrics_of(s):
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"metrics"}\n')
    answer = b""
    while not answer.endswith(b"\n"):
        piece = s.recv(65536)
        if not piece:
            raise OSError("hung up")
        answer += piece
    return json.loads(answer)["result"]["metrics"]


def kilobytes(path, names):
    """The lines "Name:   123 kB" of a file in /proc, as {"name_kb": 123}."""
    with open(path, encoding="ascii", errors="replace") as file:
        found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", file.read(), re.M))
    return {f"{name.lower()}_kb": int(found[name]) for name in names}


def process(pid):
    proc = f"/proc/{pid}"
    return {
        **kilobytes(f"{proc}/smaps_rollup", ["Rss", "Private_Dirty", "Anonymous"]),
        "descriptors": len(os.listdir(f"{proc}/fd")),
        "threads": len(os.listdir(f"{proc}/task")),
    }


def directory(state):
    """Files of the state directory: how many, and the sizes of the database, its log, and the rest
    but the lock, which holds the number of a process."""
    sizes = {}
    for entry in os.scandir(state):
        try:
            sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            pass  # between the listing and now
    database, log = sizes.pop("kith.db", 0), sizes.pop("kith.db-wal", 0)
    return {
        "files": len(sizes),
        "database_bytes": database,
        "database_log_bytes": log,
        "other_files_bytes": sum(sizes.values()) - sizes.get("kith.lock", 0),
    }


def look(name, state):
    connection, pid = connect(state)
    with connection:  # to the end: it is one of the descriptors counted
        metrics = metrics_of(connection)
        series, counters = {**process(pid), **directory(state)}, {}
    for metric in metrics:
        key = ".".join([metric["name"], *metric["labels"].values()])
        if metric["type"] == "gauge" and not NO_TABLES.match(metric["name"]):
            series[key] = metric["value"]
        elif metric["name"] == "kith_process_heap_bytes" and metric["value"] is not None:
            series["heap_kb"] = metric["value"] / 1024
        elif COUNTERS.match(metric["name"]) and metric["value"]:
            counters[key] = metric["value"]
    return {"node": name, "pid": pid, "series": series, "counters": counters}


def moment(path):
    """Which cycle it is and whether it rests; cycle -1 is none."""
    with open(path, encoding="ascii") as file:
        cycle, phase = (file.read().split() + ["-1", "busy"])[:2]
    return {"cycle": int(cycle), "rest": phase == "rest"}


def main(period, moment_file, *nodes):
    due = time.monotonic()
    while True:
        for name, _, state in (node.partition("=") for node in nodes):
            before = moment(moment_file)
            try:
                sample = look(name, state)
            except (OSError, ValueError, KeyError):
                continue
            if moment(moment_file) == before:
                print(json.dumps({"at": round(time.time(), 3), **before, **sample}), flush=True)
        due = max(due + float(period), time.monotonic())
        time.sleep(max(0, due - time.monotonic()))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""What the scripts that compare tunnels share when they say how it went: their results are lines of
system, metric, value; a metric has a line for each round. Used by vpn.sh and relay.sh."""

import os
import statistics
import subprocess


def read(path):
    """{system: {metric: [value of each round]}}"""
    values = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            system, metric, value = line.split()
            values.setdefault(system, {}).setdefault(metric, []).append(float(value))
    return values


def summary(runs):
    return {"median": round(statistics.median(runs), 3), "min": min(runs), "max": max(runs), "runs": len(runs)}


def summaries(values):
    return {system: {metric: summary(runs) for metric, runs in of.items()} for system, of in values.items()}


def go_version(peers, name):
    """Of a program that was built from the Go module proxy; None when there is none."""
    told = subprocess.run(["go", "version", "-m", os.path.join(peers, "bin", name)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return next((w[2] for w in map(str.split, told.splitlines()) if w[:1] == ["mod"]), None)

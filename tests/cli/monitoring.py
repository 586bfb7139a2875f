#!/usr/bin/env python3
"""Whether the alert rules and the dashboard speak of metrics that exist. Prints TAP.

    monitoring.py KITH CONTRIB

The names come from the program's own table (kith reference metrics). tests/lab/monitoring.sh has
promtool judge the expressions.
"""

import json
import os
import re
import subprocess
import sys

# What whoever watches a node must see in one place or the other.
WANTED = """
build_info certificate_end_timestamp_seconds events_total guests health_problem members
members_connected process_cpu_seconds_total process_max_fds process_open_fds
process_resident_memory_bytes process_start_time_seconds quic_connections
quic_handshakes_accepted_total quic_handshakes_done_total quic_handshakes_over_limit_total
quic_handshakes_refused_total quic_retries_sent_total session_dropped_packets_total sessions
store_failures_total store_writes_total udp_received_datagrams_total udp_send_errors_total
udp_sent_datagrams_total vpn_dropped_packets_total vpn_received_bytes_total
vpn_received_packets_total vpn_sent_bytes_total vpn_sent_packets_total
""".split()
NAME = re.compile(r"\bkith_[a-z0-9_]+")
MATCH = re.compile(r'(kith_[a-z0-9_]+)\{([^}]*)\}')
LABEL = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')

count = 0


def case(name, wrong):
    """One case: it is good when nothing is wrong."""
    global count
    count += 1
    print(f"{'not ok' if wrong else 'ok'} {count} - {name}")
    for line in wrong:
        print(f"#   {line}")


def table_of(kith):
    """Names of metrics, each with its label and the values that may have; None: it has no label."""
    text = subprocess.run([kith, "reference", "metrics"], capture_output=True, text=True, check=True).stdout
    table = {}
    for name, about in re.findall(r"^\| `(\S+)` \| \w+ \| (.*) \|$", text, re.M):
        label = re.search(r" `(\w+)`: (.*)$", about)
        table[name] = (label.group(1), words_of(label.group(2))) if label else None
    return table


def words_of(text):
    """The values of a label: those listed, the rows of another table, or None where any text may stand."""
    if text == "a text":
        return None
    rows = re.match(r"a row of (\S+)$", text)
    if not rows:
        return set(text.split(", "))
    with open(os.path.join(os.path.dirname(__file__), "..", "..", rows.group(1)), encoding="utf-8") as file:
        return set(re.findall(r"^EVENT\d\((\w+),", file.read(), re.M))


def expressions_of(panels):
    for panel in panels:
        yield from ((panel, target["expr"]) for target in panel.get("targets", []))
        yield from expressions_of(panel.get("panels", []))


def unknown(table, where, text):
    """Names that are no metrics, and values of labels that there are not."""
    for name in sorted(set(NAME.findall(text)) - set(table)):
        yield f"{where}: there is no metric {name}"
    for name, labels in MATCH.findall(text):
        label = table.get(name)
        for key, sign, value in LABEL.findall(labels):
            if label and key == label[0] and label[1] is not None:
                words = value.split("|") if "~" in sign else [value]
                yield from (f"{where}: {name} has no {key} {word}" for word in words if word not in label[1])


def rules_of(folder):
    with open(os.path.join(folder, "prometheus", "kith.rules.yml"), encoding="utf-8") as file:
        return re.sub(r"^\s*#.*$", "", file.read(), flags=re.M)


def main(kith, contrib):
    table = table_of(kith)
    rules = rules_of(contrib)
    with open(os.path.join(contrib, "grafana", "kith.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    found = list(expressions_of(dashboard["panels"]))
    case("the_table_has_metrics", [] if len(table) > 50 else [f"only {len(table)}"])
    case("every_metric_of_the_rules_is_one_of_the_table", list(unknown(table, "rules", rules)))
    case(
        "every_metric_of_the_dashboard_is_one_of_the_table",
        [line for panel, expr in found for line in unknown(table, panel["title"], expr)]
        + list(unknown(table, "variables", json.dumps(dashboard["templating"]))),
    )
    shown = set(NAME.findall(rules)) | {name for _, expr in found for name in NAME.findall(expr)}
    case(
        "what_matters_is_in_the_rules_or_the_dashboard",
        [f"{name} is in neither" for name in sorted({"kith_" + w for w in WANTED} - shown)],
    )
    case(
        "every_panel_takes_the_data_source_that_was_chosen",
        [
            panel["title"]
            for panel, _ in found
            for source in [panel["datasource"]] + [t["datasource"] for t in panel["targets"]]
            if source != {"type": "prometheus", "uid": "${datasource}"}
        ],
    )
    ids = [panel["id"] for panel in dashboard["panels"]]
    case("no_two_panels_have_one_number", [] if len(ids) == len(set(ids)) else [str(ids)])
    print(f"1..{count}")


if __name__ == "__main__":
    main(*sys.argv[1:])

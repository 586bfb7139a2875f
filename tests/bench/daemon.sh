#!/usr/bin/env bash
# How much memory does an idle daemon take: one network, one connected member, a tunnel, nothing to
# do? The resident set and the proportional one (pages shared with other processes counted in
# part) of `kith up`, some seconds after the last packet; five times, each with new daemons.
#
#     founder            member
#    192.0.2.1          192.0.2.2
#         |                  |
#     ====+====== lan =======+====
#
#   KITH_BENCH_ROUNDS=5 KITH_BENCH_REST=5

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.bash"
lab_enter "$@"
exec 3>&1 >&2 # standard output is for the object alone

rounds=${KITH_BENCH_ROUNDS:-5}
rest=${KITH_BENCH_REST:-5}

switch lan
host founder member
plug founder lan 192.0.2.1/24
plug member lan 192.0.2.2/24

# proportional HOST: the proportional set of its node in kB.
proportional() { sed -n 's/^Pss:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(node_pid "$1")/smaps_rollup"; }
# processor HOST: user and system time of its node, in clock ticks.
processor() { awk '{print $14 + $15}' "/proc/$(node_pid "$1")/stat"; }

for ((round = 0; round < rounds; round++)); do
    network founder member
    eventually 10 connected founder member || lab_give_up "the member is not connected"
    sleep "$rest"
    before=$(processor founder)
    sleep "$rest"
    rss="${rss:-} $(memory founder)"
    pss="${pss:-} $(proportional founder)"
    ticks="${ticks:-} $(($(processor founder) - before))"
    for name in founder member; do
        on "$name" kith down
        rm -rf "${lab:?}/$name/state"
    done
done

python3 - "$rest" "$(getconf CLK_TCK)" "$rss" "$pss" "$ticks" >&3 <<'PYTHON'
import json, statistics, sys

rest, per_second = int(sys.argv[1]), int(sys.argv[2])
rss, pss, ticks = ([int(word) for word in text.split()] for text in sys.argv[3:])
runs = {
    "daemon_rss_bytes": ("B", "resident set of an idle daemon", [1024 * n for n in rss]),
    "daemon_pss_bytes": ("B", "the same, shared pages in part", [1024 * n for n in pss]),
    "daemon_cpu_share": ("1", "processor time by the clock", [n / per_second / rest for n in ticks]),
}
report = {name: statistics.median(values) for name, (_, _, values) in runs.items()}
report["figures"] = {
    name: {"median": statistics.median(v), "min": min(v), "max": max(v), "runs": len(v), "unit": unit, "about": about}
    for name, (unit, about, v) in runs.items()
}
print(json.dumps(report))
PYTHON

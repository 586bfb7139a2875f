#!/usr/bin/env bash
# What does it cost that two machines reach each other through a third only?
#
#        laptop                 relay                 desktop
#      192.0.2.1      192.0.2.3 | 198.51.100.3     198.51.100.1
#          |                |       |                   |
#      ====+==== left ======+       +====== right ======+====
#
#    203.0.113.1 ============== across ============ 203.0.113.2
#
# Direct: everything is plugged in. Relayed: the cables of `across` are pulled before anything
# starts, and nobody forwards IP packets or has a route, so that what comes through came through the
# relay's program. Whether it did is counted at the relay's cable; a stream that went another way is
# no result. Systems take turns, round by round, each direct and then relayed; ratios are medians of
# the ratios of a round.
#
#   veth    no tunnel; relayed, the relay's kernel forwards: what the machine itself makes of two hops
#   kith    the relay sees ciphertext and labels; a connection inside connections
#   nebula  am_relay and use_relays: the relay sees ciphertext, and seals it once more
#   tinc    IndirectData: the relay opens and seals every packet, and could read it
#
# (wireguard-go has no relay.) Throughput is this machine's cores divided by the work per byte, so
# that a relay that works as much as one end makes 2/3 of the direct rate, not half.
#
# Where the others come from and what is the same for all: tunnels.bash.
#
#   KITH_BENCH_ROUNDS=5 KITH_BENCH_SECONDS=3 KITH_BENCH_MTU=1400 KITH_BENCH_SYSTEMS="veth kith ..."
#   KITH_BENCH_PERF=FOLDER   perf record of the relay's processes, for each system, during a stream

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.bash"

rounds=${KITH_BENCH_ROUNDS:-5}
seconds=${KITH_BENCH_SECONDS:-3}
systems=${KITH_BENCH_SYSTEMS:-veth kith nebula tinc}
perf=${KITH_BENCH_PERF:-}
machines=(laptop relay desktop) from=laptop to=desktop
# shellcheck source=tests/bench/tunnels.bash
. "$(dirname "${BASH_SOURCE[0]}")/tunnels.bash"

[ -n "${KITH_LAB_OUTSIDE:-}" ] || { need_debian tincd tinc && need_go nebula; } >&2
lab_enter "$@"
exec 3>&1 >&2 # standard output is for the object alone

# ---- three machines ----

switch left
switch right
switch across
host laptop relay desktop
plug laptop left 192.0.2.1/24
plug relay left 192.0.2.3/24
plug relay:eth1 right 198.51.100.3/24
plug desktop right 198.51.100.1/24
plug laptop:eth1 across 203.0.113.1/24
plug desktop:eth1 across 203.0.113.2/24

# forwards 0|1: whether the relay's kernel does.
forwards() { on relay sh -c "echo $1 >/proc/sys/net/ipv4/ip_forward"; }
forwards 0

# Pulls or plugs the cables between the two ends.
set_across() {
    local k
    for k in laptop desktop; do
        if [ "$1" = direct ]; then mend "$k.eth1"; else cut "$k.eth1"; fi
    done
}

# ---- the systems: start_X direct|relayed leaves the desktop's address in $target ----

start_veth() {
    target=203.0.113.2
    [ "$1" = relayed ] || return 0
    target=198.51.100.1
    forwards 1
    ip -n laptop route add 198.51.100.0/24 via 192.0.2.3 &&
        ip -n desktop route add 192.0.2.0/24 via 198.51.100.3
}
stop_veth() {
    forwards 0
    ip -n laptop route del 198.51.100.0/24 2>/dev/null
    ip -n desktop route del 192.0.2.0/24 2>/dev/null
}

start_kith() {
    local route=direct
    [ "$1" = direct ] || route="relay via relay"
    kith_config
    network relay laptop desktop
    target=${ip4[desktop]}
    eventually 20 goes laptop desktop "$route" && eventually 20 goes desktop laptop "$route"
}
stop_kith() {
    local k
    for k in "${machines[@]}"; do
        on "$k" kith down
        rm -rf "$lab/$k/state"
    done
}

# The relay is the one that knows where all are; direct, nobody may be led through it.
start_nebula() {
    local use=false hop=192.0.2.3 k
    [ "$1" = direct ] || use=true
    nebula_names laptop desktop relay || return
    nebula_start relay <<YML
lighthouse: {am_lighthouse: true}
relay: {am_relay: true, use_relays: false}
YML
    for k in laptop desktop; do
        [ "$k" = laptop ] || hop=198.51.100.3
        nebula_start "$k" <<YML
static_host_map: {"10.9.0.3": ["$hop:4242"]}
lighthouse: {am_lighthouse: false, interval: 1, hosts: ["10.9.0.3"]}
relay: {am_relay: false, use_relays: $use, relays: ["10.9.0.3"]}
YML
    done
    target=10.9.0.2
}
stop_nebula() { stop_all; }

start_tinc() {
    local indirect='' k
    [ "$1" = direct ] || indirect="IndirectData = yes"
    tinc_configure laptop 1 203.0.113.1 <<<"$indirect" &&
        tinc_configure desktop 2 203.0.113.2 <<<"$indirect" &&
        tinc_configure relay 3 192.0.2.3 198.51.100.3 </dev/null || return
    for k in laptop desktop; do
        echo "ConnectTo = relay" >>"$lab/$k/tinc/tinc.conf"
    done
    [ "$1" = relayed ] || echo "ConnectTo = desktop" >>"$lab/laptop/tinc/tinc.conf"
    tinc_start relay desktop laptop
    target=10.9.0.2
}
stop_tinc() { stop_all; }

# ---- measuring ----

# The interface of the desktop that has the address.
device_of() { ip -n desktop -j addr show to "$1" | json 'j[0]["ifname"]'; }
# link_bytes HOST DEVICE rx|tx
link_bytes() { ip -n "$1" -s -j link show dev "$2" | json "j[0]['stats64']['$3']['bytes']"; }

# Processor time of everything that runs at the relay, user and system, in ticks.
relay_ticks() {
    local pid sum=0 user system
    for pid in $(ip netns pids relay); do
        read -r user system < <(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12, $13 }') &&
            sum=$((sum + user + system))
    done
    echo "$sum"
}

# what the relay sent to the desktop, what came out of the tunnel there (bytes), the relay's ticks
counters() { echo "$(link_bytes relay eth1 tx) $(link_bytes desktop "$device" rx) $(relay_ticks)"; }

# went direct|relayed CARRIED CAME: whether the bytes went that way.
went() {
    if [ "$1" = direct ]; then [ $(($2 * 100)) -lt "$3" ]; else [ $(($2 * 100)) -gt $(($3 * 95)) ]; fi
}

# stream SYSTEM direct|relayed
stream() {
    local device carried came ticks carried2 came2 ticks2 rate
    device=$(device_of "$target")
    read -r carried came ticks < <(counters)
    rate=$(tcp 1)
    read -r carried2 came2 ticks2 < <(counters)
    carried=$((carried2 - carried)) came=$((came2 - came)) ticks=$((ticks2 - ticks))
    if ! went "$2" "$carried" "$came"; then
        echo "$1, $2: $came bytes came, $carried of them through the relay: no result" >&2
        return
    fi
    echo "$1 tcp_$2 $rate"
    [ "$2" = direct ] || [ "$1" = veth ] ||
        echo "$1 relay_cpu_s_per_gb $(awk -v t="$ticks" -v hz="$(getconf CLK_TCK)" -v n="$came" \
            'BEGIN { if (n > 0) printf "%.3f", t / hz / (n / 1e9) }')"
}

# What Kith's relay has sent on, has let wait because a hop's congestion control said so, and what
# all three have lost between socket and session, because there was no room.
hop_counters() {
    echo "$(metric relay kith_mesh_forwarded_datagrams_total)" \
        "$(metric relay kith_session_queued_packets_total)" \
        $(($(metric laptop "$lost_here") + $(metric relay "$lost_here") + $(metric desktop "$lost_here")))
}
lost_here=kith_mesh_dropped_datagrams_total
metric() { on "$1" kith --json metrics | json "sum(m['value'] for m in j['metrics'] if m['name'] == '$2')"; }

# stream_kith_relayed: as `stream`, and what the hops made of it, for a thousand datagrams sent on.
stream_kith_relayed() {
    local forwarded queued lost forwarded2 queued2 lost2
    read -r forwarded queued lost < <(hop_counters)
    stream kith relayed
    read -r forwarded2 queued2 lost2 < <(hop_counters)
    awk -v n="$((forwarded2 - forwarded))" -v queued="$((queued2 - queued))" -v lost="$((lost2 - lost))" 'BEGIN {
        if (n == 0) exit
        printf "kith hop_queued_per_1000 %.3f\nkith hop_lost_per_1000 %.3f\n", 1000 * queued / n, 1000 * lost / n
    }'
}

# ping_lines SYSTEM WHEN: of what `pings` says.
ping_lines() {
    local median p99 lost
    read -r median p99 lost
    echo "$1 ping_$2_ms $median"
    echo "$1 ping_$2_p99_ms $p99"
    echo "$1 ping_$2_lost $lost"
}

# profile SYSTEM: FOLDER/SYSTEM.data, of what runs at the relay.
profile() {
    local pids
    pids=$(ip netns pids relay | paste -sd ,)
    [ -n "$pids" ] && mkdir -p "$perf" || return
    under_tcp 6 perf record -q -g -F 1999 -o "$perf/$1.data" -p "$pids" -- sleep 4 >&2
}

# measure SYSTEM direct|relayed: lines of results: system, metric, value.
measure() {
    set_across "$2"
    if ! { "start_$1" "$2" && eventually 20 on laptop ping -n -q -c 1 -W 0.3 "$target"; }; then
        {
            echo "$1 does not start, $2:"
            tail -q -n 4 "$lab"/{laptop,relay,desktop}/background.log
        } >&2
        "stop_$1"
        return
    fi
    if [ "$1 $2" = "kith relayed" ]; then stream_kith_relayed; else stream "$1" "$2"; fi
    pings $((seconds * 100)) 0.01 | ping_lines "$1" "$2_idle"
    under_tcp $((seconds + 1)) pings $((seconds * 100)) 0.01 | ping_lines "$1" "$2_load"
    [ -z "$perf" ] || [ "$2" = direct ] || profile "$1"
    "stop_$1"
}

for ((round = 1; round <= rounds; round++)); do
    for system in $systems; do
        for way in direct relayed; do
            measure "$system" "$way" 2>>"$lab/trouble" |
                grep -E '^[a-z]+ [a-z0-9_]+ [0-9.]+$' >"$lab/measured"
            cat "$lab/measured" >>"$lab/results"
            say "round $round, $system, $way: $(sed 's/^[a-z]* //' "$lab/measured" | tr '\n' ' ')"
        done
    done
done
[ ! -s "$lab/trouble" ] || sed 's/^/# /' "$lab/trouble" | tail -n 20

PYTHONPATH=$top/tests/bench PYTHONDONTWRITEBYTECODE=1 \
    python3 - "$lab/results" "$peers" "$rounds" "$seconds" "$mtu" <<'PY' >&3
import json, os, statistics, sys
import tunnels

path, peers, rounds, seconds, mtu = sys.argv[1:]
values = tunnels.read(path)
result = {
    "unit": "Gbit/s for tcp, milliseconds for pings, seconds of the relay's processor for 10^9 bytes of IP packets",
    "rounds": int(rounds), "seconds": int(seconds), "mtu": int(mtu), "cores": os.cpu_count(),
    "versions": {"nebula": tunnels.go_version(peers, "nebula")},
    "systems": tunnels.summaries(values),
}

def of_rounds(system, one, other, combine):
    """The median over rounds of two figures of the same round; None when either has missing ones."""
    a, b = values[system].get(one, []), values[system].get(other, [])
    if len(a) != int(rounds) or len(b) != int(rounds):
        return None
    return round(statistics.median(map(combine, a, b)), 3)

for s in values:
    less = lambda a, b: a - b
    result[f"{s}_relayed_vs_direct"] = of_rounds(s, "tcp_relayed", "tcp_direct", lambda a, b: a / b)
    for p in ("", "_p99"):
        idle, load, direct = (f"ping_{k}{p}_ms" for k in ("relayed_idle", "relayed_load", "direct_idle"))
        result[f"{s}_ping_added_by_relay{p}_ms"] = of_rounds(s, idle, direct, less)
        result[f"{s}_ping_added_by_load{p}_ms"] = of_rounds(s, load, idle, less)
    if "relay_cpu_s_per_gb" in values[s]:
        result[f"{s}_relay_cpu_s_per_gb"] = round(statistics.median(values[s]["relay_cpu_s_per_gb"]), 3)
print(json.dumps(result))
PY

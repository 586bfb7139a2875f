#!/usr/bin/env bash
# How fast is a tunnel between two machines, beside what a user would pick instead?
#
#         a                  b
#    192.0.2.1          192.0.2.2
#         |                  |
#     ====+====== lan =======+====
#
# Everything runs on this one machine, so that throughput is two cores divided by the work per byte:
# use the ratios. The systems take turns, round by round, each alone; what is printed is one JSON
# object with the medians of all rounds and, for each, the lowest and the highest.
#
# Where the others come from and what is the same for all: tunnels.bash.
#
#   KITH_BENCH_ROUNDS=5 KITH_BENCH_SECONDS=3 KITH_BENCH_SYSTEMS="veth kith wireguard ..."

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.bash"

rounds=${KITH_BENCH_ROUNDS:-5}
seconds=${KITH_BENCH_SECONDS:-3}
systems=${KITH_BENCH_SYSTEMS:-veth kith wireguard nebula openvpn tinc}
flow=$top/build/bench/udp_flow
machines=(a b) from=a to=b
# shellcheck source=tests/bench/tunnels.bash
. "$(dirname "${BASH_SOURCE[0]}")/tunnels.bash"

prepare() {
    need_debian wg wireguard-tools tincd tinc openvpn openvpn
    mkdir -p "$top/build/bench"
    "${CC:-cc}" -O2 -D_GNU_SOURCE -o "$flow" "$top/tests/bench/load/udp_flow.c" || return
    need_go wireguard nebula
}

[ -n "${KITH_LAB_OUTSIDE:-}" ] || prepare >&2
lab_enter "$@"
exec 3>&1 >&2 # standard output is for the object alone

# ---- two machines ----

switch lan
host a b
plug a lan 192.0.2.1/24
plug b lan 192.0.2.2/24

# ---- the systems: start_X leaves the address of b in $target ----

start_veth() { target=192.0.2.2; }
stop_veth() { :; }

start_kith() {
    kith_config
    network a b
    target=${ip4[b]}
}
stop_kith() {
    on a kith down
    on b kith down
    rm -rf "$lab/a/state" "$lab/b/state"
}

start_wireguard() {
    local k
    [ -x "$peers/bin/wireguard" ] && command -v wg >/dev/null || return
    for k in a b; do
        wg genkey >"$lab/$k/key" 2>/dev/null
        wg pubkey <"$lab/$k/key" >"$lab/$k/pub"
        rm -f "/run/wireguard/wg$k.sock" # of the last round
        background "$k" "$peers/bin/wireguard" -f "wg$k"
        eventually 5 test -S "/run/wireguard/wg$k.sock" || return
    done
    wireguard_side a b 1 2 && wireguard_side b a 2 1 && target=10.9.0.2
}
wireguard_side() {
    on "$1" wg set "wg$1" listen-port 51820 private-key "$lab/$1/key" \
        peer "$(cat "$lab/$2/pub")" allowed-ips "10.9.0.$4/32" endpoint "192.0.2.$4:51820" &&
        tunnel_address "$1" "wg$1" "$3"
}
stop_wireguard() { stop_all; }

start_nebula() {
    local k
    nebula_names a b || return
    for k in a b; do
        nebula_start "$k" <<YML
static_host_map: {"10.9.0.1": ["192.0.2.1:4242"], "10.9.0.2": ["192.0.2.2:4242"]}
lighthouse: {am_lighthouse: false}
YML
    done
    target=10.9.0.2
}
stop_nebula() { stop_all; }

start_openvpn() {
    local k other n=1
    command -v openvpn >/dev/null || return
    for k in a b; do
        [ -e "$lab/$k/ovpn.crt" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -days 2 -subj "/CN=$k" -keyout "$lab/$k/ovpn.key" -out "$lab/$k/ovpn.crt" 2>/dev/null || return
    done
    for k in a b; do
        other=$([ "$k" = a ] && echo b || echo a)
        background "$k" openvpn --dev "ovpn$k" --dev-type tun --proto udp --port 1194 --disable-dco \
            --remote "192.0.2.$((3 - n))" --ifconfig "10.9.0.$n" "10.9.0.$((3 - n))" \
            --tun-mtu "$mtu" --mssfix 0 --sndbuf "$buffer" --rcvbuf "$buffer" --auth-nocache \
            --cert "$lab/$k/ovpn.crt" --key "$lab/$k/ovpn.key" --data-ciphers AES-256-GCM --fast-io \
            --peer-fingerprint "$(openssl x509 -fingerprint -sha256 -noout -in "$lab/$other/ovpn.crt" | sed 's/.*=//')" \
            "$([ "$k" = a ] && echo --tls-client || echo --tls-server)" --dh none
        n=$((n + 1))
    done
    target=10.9.0.2
}
stop_openvpn() { stop_all; }

start_tinc() {
    tinc_configure a 1 192.0.2.1 </dev/null && tinc_configure b 2 192.0.2.2 </dev/null || return
    echo "ConnectTo = b" >>"$lab/a/tinc/tinc.conf"
    tinc_start b a
    target=10.9.0.2
}
stop_tinc() { stop_all; }

# ---- measuring ----

receives() { [ -n "$(on "$1" ss -Hlun "sport = :$2")" ]; }

# udp: most packets a second of 1200 bytes of which fewer than one in a thousand is lost: doubling
# the rate, then halving the interval until it is within 5 percent.
udp() {
    local server low=0 high=0 rate=25000 best=0 sent got took
    background b "$flow" receive "$target" 5301
    server=$!
    eventually 5 receives b 5301 || return
    while [ "$high" = 0 ] || [ $((high - low)) -gt $((high / 20)) ]; do
        read -r sent got took < <(on a "$flow" send "$target" 5301 "$rate" 1200 1)
        got=$(awk -v s="${sent:-0}" -v g="${got:-0}" -v t="${took:-1}" -v r="$rate" \
            'BEGIN { if (s > 0 && g >= 0.999 * s && s / t > 0.95 * r) printf "%d", g / t }')
        if [ -n "$got" ]; then
            low=$rate best=$got
            rate=$((high == 0 ? rate * 2 : (low + high) / 2))
        else
            high=$rate
            rate=$(((low + high) / 2))
        fi
        [ "$rate" -gt 1000 ] && [ "$rate" -lt 4000000 ] || break
    done
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    echo "$best"
}

# measure SYSTEM: one line of results: system, metric, value.
measure() {
    local median p99
    if ! { "start_$1" && eventually 20 on a ping -n -q -c 1 -W 0.3 "$target"; }; then
        { echo "$1 does not start:"; tail -n 4 "$lab/a/background.log" "$lab/b/background.log"; } >&2
        "stop_$1"
        return
    fi
    echo "$1 tcp1 $(tcp 1)"
    echo "$1 tcp4 $(tcp 4)"
    echo "$1 udp_pps $(udp)"
    read -r median p99 _ < <(pings 100 0.01)
    echo "$1 ping_idle_ms $median"
    read -r median p99 _ < <(under_tcp "$seconds" pings 100 0.02)
    echo "$1 ping_load_ms $median"
    echo "$1 ping_load_p99_ms $p99"
    "stop_$1"
}

for ((round = 1; round <= rounds; round++)); do
    for system in $systems; do
        measure "$system" 2>>"$lab/trouble" | grep -E '^[a-z]+ [a-z0-9_]+ [0-9.]+$' >>"$lab/results"
        say "round $round, $system: $(tail -n 6 "$lab/results" | grep -E "^$system (tcp|udp)" | tr '\n' ' ')"
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
    "unit": "Gbit/s for tcp1 and tcp4, packets of 1200 bytes a second for udp_pps, milliseconds for pings",
    "rounds": int(rounds), "seconds": int(seconds), "mtu": int(mtu), "cores": os.cpu_count(),
    "versions": {"wireguard-go": tunnels.go_version(peers, "wireguard"), "nebula": tunnels.go_version(peers, "nebula")},
    "systems": tunnels.summaries(values),
}
kith = values.get("kith", {})
for other, name in (("wireguard", "wireguard_go"), ("nebula", "nebula"), ("openvpn", "openvpn"), ("tinc", "tinc")):
    for metric in ("tcp1", "tcp4", "udp_pps"):
        if metric in kith and metric in values.get(other, {}):
            ratio = statistics.median(kith[metric]) / statistics.median(values[other][metric])
            result[f"{metric}_vs_{name}"] = round(ratio, 2)
for s, d in values.items():
    if s != "veth" and "ping_idle_ms" in d and "ping_idle_ms" in values.get("veth", {}):
        added = statistics.median(d["ping_idle_ms"]) - statistics.median(values["veth"]["ping_idle_ms"])
        result["systems"][s]["ping_added_ms"] = round(added, 3)
print(json.dumps(result))
PY

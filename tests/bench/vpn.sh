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
# wireguard-go and nebula are built by name from the Go module proxy into build/bench/peers, in the
# newest version that the Go here can build; tinc and OpenVPN are Debian's. MTU is 1400 in every
# tunnel, socket buffers are 4 MiB for every process (net.core.*mem_default of the namespaces, and
# what a program asks for itself up to the same).
#
#   KITH_BENCH_ROUNDS=5 KITH_BENCH_SECONDS=3 KITH_BENCH_SYSTEMS="veth kith wireguard ..."

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lab/lab.bash"

rounds=${KITH_BENCH_ROUNDS:-5}
seconds=${KITH_BENCH_SECONDS:-3}
systems=${KITH_BENCH_SYSTEMS:-veth kith wireguard nebula openvpn tinc}
peers=$top/build/bench/peers
mtu=1400 buffer=7340032
flow=$top/build/bench/udp_flow
go=$(command -v go || true)

# ---- before the namespaces: there is a network here ----

# build_go MODULE PACKAGE...: the newest version that builds.
build_go() {
    local version
    for version in $(cd "$peers" && "$go" list -m -versions "$1" | tr ' ' '\n' | tail -n +2 | tac | head -n 8) latest; do
        # shellcheck disable=SC2030
        (cd "$peers" && shift && GOBIN=$peers/bin "$go" install "${@/%/@$version}") >>"$peers/log" 2>&1 && return
    done
    return 1
}

prepare() {
    local want=()
    command -v wg >/dev/null || want+=(wireguard-tools)
    command -v tincd >/dev/null || want+=(tinc)
    command -v openvpn >/dev/null || want+=(openvpn)
    [ ${#want[@]} = 0 ] || { [ "$(id -u)" = 0 ] &&
        apt-get install -y -q --no-install-recommends "${want[@]}" >&2; }
    mkdir -p "$top/build/bench"
    "${CC:-cc}" -O2 -D_GNU_SOURCE -o "$flow" "$top/tests/bench/load/udp_flow.c" || return
    [ -n "$go" ] || return 0
    mkdir -p "$peers"
    [ -e "$peers/go.mod" ] || (cd "$peers" && "$go" mod init bench >/dev/null 2>&1)
    [ -x "$peers/bin/wireguard" ] || build_go golang.zx2c4.com/wireguard golang.zx2c4.com/wireguard
    [ -x "$peers/bin/nebula" ] || build_go github.com/slackhq/nebula \
        github.com/slackhq/nebula/cmd/nebula github.com/slackhq/nebula/cmd/nebula-cert
}

[ -n "${KITH_LAB_OUTSIDE:-}" ] || prepare >&2
lab_enter "$@"
exec 3>&1 >&2 # standard output is for the object alone

# ---- two machines ----

switch lan
host a b
plug a lan 192.0.2.1/24
plug b lan 192.0.2.2/24

# Everything that runs on the two machines ends, and takes its interface with it.
stop_all() {
    local k
    for k in a b; do
        ip netns pids "$k" | xargs -r kill 2>/dev/null
    done
    eventually 5 none_left || { for k in a b; do ip netns pids "$k" | xargs -r kill -KILL; done; }
    wait
}
none_left() { [ -z "$(ip netns pids a)$(ip netns pids b)" ]; }

# ---- the systems: start_X leaves the address of b in $target ----

start_veth() { target=192.0.2.2; }
stop_veth() { :; }

start_kith() {
    printf '[net]\nsocket_buffer = "7MiB"\n[vpn]\nmtu = %s\n' "$mtu" >"$lab/kith.toml"
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

# tunnel_address HOST DEVICE N: 10.9.0.N, the tunnel's MTU, up.
tunnel_address() {
    ip -n "$1" addr add "10.9.0.$3/24" dev "$2" && ip -n "$1" link set "$2" mtu "$mtu" up
}

start_nebula() {
    local k n
    [ -x "$peers/bin/nebula" ] || return
    rm -rf "$lab/nebula" && mkdir "$lab/nebula"
    (cd "$lab/nebula" && "$peers/bin/nebula-cert" ca -name bench &&
        "$peers/bin/nebula-cert" sign -name a -ip 10.9.0.1/24 -out-crt a.crt -out-key a.key &&
        "$peers/bin/nebula-cert" sign -name b -ip 10.9.0.2/24 -out-crt b.crt -out-key b.key) || return
    n=1
    for k in a b; do
        cat >"$lab/nebula/$k.yml" <<YML
pki: {ca: $lab/nebula/ca.crt, cert: $lab/nebula/$k.crt, key: $lab/nebula/$k.key}
static_host_map: {"10.9.0.1": ["192.0.2.1:4242"], "10.9.0.2": ["192.0.2.2:4242"]}
lighthouse: {am_lighthouse: false}
listen: {host: 0.0.0.0, port: 4242, read_buffer: $buffer, write_buffer: $buffer}
cipher: aes
tun: {dev: neb$k, mtu: $mtu, tx_queue: 500}
firewall:
  outbound: [{port: any, proto: any, host: any}]
  inbound: [{port: any, proto: any, host: any}]
YML
        background "$k" "$peers/bin/nebula" -config "$lab/nebula/$k.yml"
        n=$((n + 1))
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
    local k n=1
    command -v tincd >/dev/null || return
    for k in a b; do
        mkdir -p "$lab/$k/tinc/hosts"
        printf 'Name = %s\nDeviceType = tun\nMode = router\nInterface = tinc%s\nUDPRcvBuf = %s\nUDPSndBuf = %s\n' \
            "$k" "$k" "$buffer" "$buffer" >"$lab/$k/tinc/tinc.conf"
        [ "$k" = b ] || echo "ConnectTo = b" >>"$lab/$k/tinc/tinc.conf"
        printf '#!/bin/sh\nip addr add 10.9.0.%s/24 dev tinc%s\nip link set tinc%s mtu %s up\n' \
            "$n" "$k" "$k" "$mtu" >"$lab/$k/tinc/tinc-up"
        chmod +x "$lab/$k/tinc/tinc-up"
        if [ ! -e "$lab/$k/tinc/rsa_key.priv" ]; then
            printf 'Address = 192.0.2.%s\nSubnet = 10.9.0.%s/32\nCipher = aes-256-cbc\n' "$n" "$n" >"$lab/$k/tinc/hosts/$k"
            tincd -c "$lab/$k/tinc" -K 2048 </dev/null >/dev/null 2>&1 || return
        fi
        n=$((n + 1))
    done
    cp "$lab/a/tinc/hosts/a" "$lab/b/tinc/hosts/a"
    cp "$lab/b/tinc/hosts/b" "$lab/a/tinc/hosts/b"
    for k in b a; do
        background "$k" tincd -c "$lab/$k/tinc" -D --pidfile "$lab/$k/tinc.pid"
    done
    target=10.9.0.2
}
stop_tinc() { stop_all; }

# ---- measuring ----

# tcp STREAMS: Gbit/s.
tcp() {
    local server
    background b iperf3 -s -1 -B "$target"
    server=$!
    eventually 5 listens b 5201 &&
        on a iperf3 -J -t "$seconds" -O 1 -P "$1" -c "$target" | json 'round(j["end"]["sum_received"]["bits_per_second"] / 1e9, 3)'
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
}

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

# pings COUNT INTERVAL: median and 99th percentile in ms.
pings() {
    on a ping -n -c "$1" -i "$2" "$target" | sed -n 's/.*time=\([0-9.]*\).*/\1/p' | sort -n |
        awk '{ t[NR] = $1 } END { if (NR) print t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.999)] }'
}

# measure SYSTEM: one line of results: system, metric, value.
measure() {
    local idle loaded load
    if ! { "start_$1" && eventually 20 on a ping -n -q -c 1 -W 0.3 "$target"; }; then
        { echo "$1 does not start:"; tail -n 4 "$lab/a/background.log" "$lab/b/background.log"; } >&2
        "stop_$1"
        return
    fi
    echo "$1 tcp1 $(tcp 1)"
    echo "$1 tcp4 $(tcp 4)"
    echo "$1 udp_pps $(udp)"
    idle=$(pings 100 0.01)
    background b iperf3 -s -1 -B "$target"
    eventually 5 listens b 5201
    background a iperf3 -t "$seconds" -c "$target"
    load=$!
    sleep 0.5
    loaded=$(pings 100 0.02)
    wait "$load"
    echo "$1 ping_idle_ms ${idle% *}"
    echo "$1 ping_load_ms ${loaded% *}"
    echo "$1 ping_load_p99_ms ${loaded#* }"
    "stop_$1"
}

for ((round = 1; round <= rounds; round++)); do
    for system in $systems; do
        measure "$system" 2>>"$lab/trouble" | grep -E '^[a-z]+ [a-z0-9_]+ [0-9.]+$' >>"$lab/results"
        say "round $round, $system: $(tail -n 6 "$lab/results" | grep -E "^$system (tcp|udp)" | tr '\n' ' ')"
    done
done
[ ! -s "$lab/trouble" ] || sed 's/^/# /' "$lab/trouble" | tail -n 20

python3 - "$lab/results" "$peers" "$rounds" "$seconds" <<'PY' >&3
import json, os, statistics, subprocess, sys

path, peers, rounds, seconds = sys.argv[1:]
values = {}
for line in open(path, encoding="ascii"):
    system, metric, value = line.split()
    values.setdefault(system, {}).setdefault(metric, []).append(float(value))

def summary(v):
    return {"median": round(statistics.median(v), 3), "min": min(v), "max": max(v), "runs": len(v)}

def version(name):
    told = subprocess.run(["go", "version", "-m", os.path.join(peers, "bin", name)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return next((w[2] for w in map(str.split, told.splitlines()) if w[:1] == ["mod"]), None)

result = {
    "unit": "Gbit/s for tcp1 and tcp4, packets of 1200 bytes a second for udp_pps, milliseconds for pings",
    "rounds": int(rounds), "seconds": int(seconds), "mtu": 1400, "cores": os.cpu_count(),
    "versions": {"wireguard-go": version("wireguard"), "nebula": version("nebula")},
    "systems": {s: {m: summary(v) for m, v in d.items()} for s, d in values.items()},
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

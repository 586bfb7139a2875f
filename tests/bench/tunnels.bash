# tunnels.bash: what the scripts that compare tunnels share: where the other systems come from, how
# they start and end, streams and pings. Sourced between lab.bash and lab_enter.
#
# wireguard-go and nebula are built by name from the Go module proxy into build/bench/peers, in the
# newest version that the Go here can build; tinc and OpenVPN are Debian's. MTU is the same in every
# tunnel ($mtu), socket buffers are 4 MiB for every process (net.core.*mem_default of the namespaces,
# and what a program asks for itself up to the same).
#
# The script says who is measured: machines=(…), and $from and $to, between which streams and pings
# go; $target is the address of $to in the tunnel that is up.
# shellcheck shell=bash disable=SC2154 # what is not set here is set by lab.bash or the script

peers=$top/build/bench/peers
mtu=${KITH_BENCH_MTU:-1400} buffer=7340032
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

# need_debian COMMAND PACKAGE...: pairs; installs what is missing, where that is allowed.
need_debian() {
    local want=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || want+=("$2")
        shift 2
    done
    [ ${#want[@]} = 0 ] || { [ "$(id -u)" = 0 ] &&
        apt-get install -y -q --no-install-recommends "${want[@]}"; }
}

# need_go NAME...: wireguard, nebula. Without Go they are left out.
need_go() {
    local name
    [ -n "$go" ] || return 0
    mkdir -p "$peers"
    [ -e "$peers/go.mod" ] || (cd "$peers" && "$go" mod init bench >/dev/null 2>&1)
    for name in "$@"; do
        [ -x "$peers/bin/$name" ] || "build_$name"
    done
}
build_wireguard() { build_go golang.zx2c4.com/wireguard golang.zx2c4.com/wireguard; }
build_nebula() {
    build_go github.com/slackhq/nebula github.com/slackhq/nebula/cmd/nebula github.com/slackhq/nebula/cmd/nebula-cert
}

# ---- starting, ending ----

kith_config() { printf '[net]\nsocket_buffer = "7MiB"\n[vpn]\nmtu = %s\n' "$mtu" >"$lab/kith.toml"; }

# Everything that runs on the machines ends, and takes its interface with it.
stop_all() {
    local k
    for k in "${machines[@]}"; do
        ip netns pids "$k" | xargs -r kill 2>/dev/null
    done
    eventually 5 none_left || for k in "${machines[@]}"; do
        ip netns pids "$k" | xargs -r kill -KILL
    done
    wait
}
none_left() {
    local k
    for k in "${machines[@]}"; do
        [ -z "$(ip netns pids "$k")" ] || return
    done
}

# tunnel_address HOST DEVICE N: 10.9.0.N, the tunnel's MTU, up.
tunnel_address() {
    ip -n "$1" addr add "10.9.0.$3/24" dev "$2" && ip -n "$1" link set "$2" mtu "$mtu" up
}

# nebula_names HOST...: a certificate each, 10.9.0.1 and on, in $lab/nebula.
nebula_names() {
    local k n=1
    [ -x "$peers/bin/nebula" ] || return
    rm -rf "$lab/nebula" && mkdir "$lab/nebula"
    (cd "$lab/nebula" && "$peers/bin/nebula-cert" ca -name bench) || return
    for k in "$@"; do
        (cd "$lab/nebula" &&
            "$peers/bin/nebula-cert" sign -name "$k" -ip "10.9.0.$n/24" -out-crt "$k.crt" -out-key "$k.key") || return
        n=$((n + 1))
    done
}

# nebula_start HOST: with what standard input has beside what all have.
nebula_start() {
    cat - <(cat <<YML
pki: {ca: $lab/nebula/ca.crt, cert: $lab/nebula/$1.crt, key: $lab/nebula/$1.key}
listen: {host: 0.0.0.0, port: 4242, read_buffer: $buffer, write_buffer: $buffer}
cipher: aes
tun: {dev: nebula0, mtu: $mtu, tx_queue: 500}
firewall:
  outbound: [{port: any, proto: any, host: any}]
  inbound: [{port: any, proto: any, host: any}]
YML
    ) >"$lab/nebula/$1.yml"
    background "$1" "$peers/bin/nebula" -config "$lab/nebula/$1.yml"
}

# tinc_configure HOST N ADDRESS...: its configuration, and keys when it has none; standard input goes
# into what others are told of it. ConnectTo is the caller's.
tinc_configure() {
    local dir=$lab/$1/tinc address
    command -v tincd >/dev/null || return
    mkdir -p "$dir/hosts"
    printf 'Name = %s\nDeviceType = tun\nMode = router\nInterface = tinc0\nUDPRcvBuf = %s\nUDPSndBuf = %s\n' \
        "$1" "$buffer" "$buffer" >"$dir/tinc.conf"
    printf '#!/bin/sh\nip addr add 10.9.0.%s/24 dev tinc0\nip link set tinc0 mtu %s up\n' "$2" "$mtu" >"$dir/tinc-up"
    chmod +x "$dir/tinc-up"
    {
        for address in "${@:3}"; do echo "Address = $address"; done
        printf 'Subnet = 10.9.0.%s/32\nCipher = aes-256-cbc\n' "$2"
        cat
        [ ! -e "$dir/rsa_key.pub" ] || cat "$dir/rsa_key.pub"
    } >"$dir/hosts/$1"
    [ -e "$dir/rsa_key.priv" ] && return
    tincd -c "$dir" -K 2048 </dev/null >/dev/null 2>&1 &&
        sed -n '/BEGIN RSA PUBLIC/,/END RSA PUBLIC/p' "$dir/hosts/$1" >"$dir/rsa_key.pub"
}

# tinc_start HOST...: each knows what the others told of themselves.
tinc_start() {
    local k other
    for k in "$@"; do
        for other in "$@"; do
            [ "$k" = "$other" ] || cp "$lab/$other/tinc/hosts/$other" "$lab/$k/tinc/hosts/$other"
        done
    done
    for k in "$@"; do
        background "$k" tincd -c "$lab/$k/tinc" -D --pidfile "$lab/$k/tinc.pid"
    done
}

# ---- measuring ----

# tcp STREAMS: Gbit/s of $seconds, after one more.
tcp() {
    local server
    background "$to" iperf3 -s -1 -B "$target"
    server=$!
    eventually 5 listens "$to" 5201 &&
        on "$from" iperf3 -J -t "$seconds" -O 1 -P "$1" -c "$target" |
        json 'round(j["end"]["sum_received"]["bits_per_second"] / 1e9, 3)'
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
}

# under_tcp SECONDS COMMAND...: while a stream goes that takes so long, from half a second after its
# beginning on.
under_tcp() {
    local load
    background "$to" iperf3 -s -1 -B "$target"
    eventually 5 listens "$to" 5201
    background "$from" iperf3 -t "$1" -c "$target"
    load=$!
    sleep 0.5
    "${@:2}"
    wait "$load"
}

# pings COUNT INTERVAL: median and 99th percentile of those that came back, in ms, and how many did
# not.
pings() {
    on "$from" ping -n -c "$1" -i "$2" "$target" | sed -n 's/.*time=\([0-9.]*\).*/\1/p' | sort -n |
        awk -v sent="$1" '{ t[NR] = $1 }
            END { if (NR) print t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.999)], sent - NR }'
}

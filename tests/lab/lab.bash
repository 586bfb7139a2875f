# lab.bash: machines, switches and cables out of namespaces, for the scripts beside it. Sourced.
#
# A script that calls lab_enter starts itself again in namespaces of its own (network, mounts,
# processes; without root also users). There it is process 1: whatever ends it, the kernel ends
# every process and takes every interface with it. Its folder, the only thing it has outside, is
# removed by a guardian that waits for the last of them, so that even SIGKILL leaves nothing.
#
#   lab_enter "$@"                         first; returns inside
#   switch lan; host laptop; plug laptop lan 192.0.2.1/24 2001:db8::1/64
#   on laptop kith up                      a command on a machine, with its own state directory
#   check "sentence" command...            one case of TAP
#   soon 1 "sentence" command...           one case: the command succeeds, at the latest in 1 s
#   lab_leave                              last; gives the exit status
#
# Nothing here waits for a fixed time: every wait asks again until a deadline. What Kith promises
# is widened by KITH_LAB_SLACK (3) before it fails, because the machine does other things, too;
# the measured time is printed beside the promise.
# With KITH_LAB_CONFINE=1 every node runs confined (node.confine).
# Page: docs/modules/lab.md
# shellcheck shell=bash disable=SC2034 # what is set here is read by the scripts

set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
kith=${KITH:-$top/build/kith}
slack=${KITH_LAB_SLACK:-3}
confine=false # every node
[ "${KITH_LAB_CONFINE:-0}" = 0 ] || confine=true
lab=${KITH_LAB:-} # the folder; empty outside
cases=0 failures=0 took=0 # took: milliseconds of the last wait
declare -A ip4 ip6        # overlay addresses by machine, see learn

# ---- getting in and out ----

isolate=(unshare --net --mount --pid --fork --kill-child --mount-proc)
[ "$(id -u)" = 0 ] || isolate+=(--user --map-root-user)

# What keeps the lab from running here; nothing when it can.
lab_missing() {
    local tool as_root='' # what would help whoever is not root
    for tool in unshare setpriv ip ping iperf3 curl python3; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed (tools/setup demo)" && return; }
    done
    [ -x "$kith" ] || { echo "$kith is not built (make)" && return; }
    [ "$(id -u)" = 0 ] || as_root="; as root it works"
    "${isolate[@]}" true 2>/dev/null || { echo "no namespaces are to be had here$as_root" && return; }
    [ -e /dev/net/tun ] || { echo "there is no /dev/net/tun (modprobe tun)" && return; }
    (exec 3<>/dev/net/tun) 2>/dev/null || echo "/dev/net/tun can't be opened$as_root"
}

# Returns inside. Outside it waits, passes a signal on as the end of everything, and exits. With
# keep=FILE the inside may call lab_keep: then FILE tells how to find it, and it outlives the script.
lab_enter() {
    local why inner status life
    if [ -n "${KITH_LAB_OUTSIDE:-}" ]; then
        lab_inside
        return
    fi
    export KITH_LAB_OUTSIDE
    KITH_LAB_OUTSIDE=$(lab_namespaces)
    why=$(lab_missing)
    [ -z "$why" ] || { echo "ok 1 - $(basename "$0") # SKIP $why" && exit 77; }
    lab=$(mktemp -d "${TMPDIR:-/tmp}/kith-lab.XXXXXX") || exit 1
    # Every process inside holds `life`; its end says that all are gone.
    # shellcheck disable=SC2016 # expanded by sh
    exec {life}> >(exec setsid sh -c 'trap "" INT TERM HUP; cat >/dev/null; rm -rf "$1"' \
        sh "$lab" >/dev/null 2>&1)
    # If this process dies, unshare dies; if unshare dies, so does process 1 inside.
    if [ -n "${keep:-}" ]; then
        lab_outlive "$@"
        inner=$!
    else
        KITH_LAB=$lab setpriv --pdeathsig KILL "${isolate[@]}" bash "$0" "$@" &
        inner=$!
    fi
    trap 'kill -KILL "$inner" 2>/dev/null' INT TERM HUP
    [ -z "${keep:-}" ] || lab_watch "$inner"
    wait "$inner"
    status=$?
    exec {life}>&-
    eventually 5 test ! -e "$lab"
    exit "$status"
}

# Starts an inside that outlives this process. It speaks through a relay, which ends with the mark,
# so that whoever reads our output need not wait for the inside.
lab_outlive() {
    exec {relayed}> >(exec sed -u '/^\x04$/Q')
    relay=$!
    KITH_LAB=$lab setsid "${isolate[@]}" bash "$0" "$@" >&"$relayed" 2>&1 &
    exec {relayed}>&-
}

# Exits when the inside is to be kept; returns when it ended.
lab_watch() {
    wait "$relay"
    [ ! -e "$lab/kept" ] || { echo "$1 $lab" >"$keep" && exit 0; }
}

# Inside: stays for good, with nobody watching.
lab_keep() {
    : >"$lab/kept"
    printf '\x04\n'
    exec </dev/null >/dev/null 2>&1
    while :; do wait; sleep 3600 & done
}

# lab_visit FILE ARGUMENT...: runs this script with these arguments inside the lab that was kept.
lab_visit() {
    local outer inner folder enter=(nsenter)
    [ -e "$1" ] && read -r outer folder <"$1" || return
    grep -qzxF "KITH_LAB=$folder" "/proc/$outer/environ" 2>/dev/null || return
    inner=$(cat "/proc/$outer/task/$outer/children") || return # its only child: process 1 inside
    [ "$(id -u)" = 0 ] || enter+=(--user --preserve-credentials)
    KITH_LAB=$folder exec "${enter[@]}" --target "${inner// /}" --mount --net --pid \
        bash "$(realpath "$0")" "${@:2}"
}

# lab_end FILE: ends the lab that was kept.
lab_end() {
    local outer folder
    [ -e "$1" ] && read -r outer folder <"$1" || return
    rm -f "$1"
    # Numbers are used again: is it still ours?
    grep -qzxF "KITH_LAB=$folder" "/proc/$outer/environ" 2>/dev/null || return
    kill -KILL "$outer" && eventually 5 test ! -e "$folder"
}

# The namespaces this process is in: network, mounts, processes.
lab_namespaces() { readlink /proc/self/ns/{net,mnt,pid}; }

lab_inside() {
    # From here on interfaces and mounts are changed: not if a single namespace is still the old one.
    if [ -z "$lab" ] || [ $$ != 1 ] || lab_namespaces | grep -qxF "$KITH_LAB_OUTSIDE"; then
        echo "not in namespaces of its own" && exit 1
    fi
    trap 'exit 143' TERM INT HUP # process 1 has no default actions
    mount -t tmpfs tmpfs /run    # a /run/netns of our own
    # Nobody answers names in here: without this, whoever asks for one waits until it gives up.
    [ ! -f /etc/resolv.conf ] || mount --bind /dev/null /etc/resolv.conf
    ip link set lo up
    mkdir -p "$lab/bin"
    ln -sf "$kith" "$lab/bin/kith"
    : >"$lab/kith.toml"
}

lab_leave() {
    echo "1..$cases"
    [ "$failures" = 0 ]
}

# lab_give_up WHY: one failed case, and the end.
lab_give_up() {
    verdict 1 "the lab is set up: $1"
    lab_leave
    exit 1
}

# ---- machines, switches, cables ----

# switch NAME: an Ethernet switch that floods and learns, without spanning tree.
switch() {
    ip link add "$1" type bridge forward_delay 0 mcast_snooping 0
    ip link set "$1" up
}

# host NAME...: machines without cables. Addresses count at once (no duplicate detection).
host() {
    local name
    for name in "$@"; do
        ip netns add "$name"
        mkdir -p "$lab/$name"
        on "$name" sh -c 'cd /proc/sys/net/ipv6/conf/default && echo 0 >accept_dad && echo 0 >router_solicitations'
        ip -n "$name" link set lo up
    done
}

# plug HOST[:DEVICE] SWITCH [ADDRESS...]: a cable from eth0 to the switch. The cable's name, for
# cut, mend and unplug, is HOST.DEVICE.
plug() {
    local name=${1%:*} dev=eth0 port
    [[ $1 != *:* ]] || dev=${1#*:}
    port=$name.$dev
    ip link add "$port" type veth peer name "$dev" netns "$name"
    ip link set "$port" master "$2" up
    ip -n "$name" link set "$dev" up
    address "$1" "${@:3}"
}

# cable A B: a cable between two switches, named A-B.
cable() {
    ip link add "$1-$2" type veth peer name "$2-$1"
    ip link set "$1-$2" master "$1" up
    ip link set "$2-$1" master "$2" up
}

cut() { ip link set "$1" down; }
mend() { ip link set "$1" up; }
unplug() { ip link del "$1"; }

# address HOST[:DEVICE] ADDRESS...: exactly these addresses, whatever it had.
address() {
    local name=${1%:*} dev=eth0 addr
    [[ $1 != *:* ]] || dev=${1#*:}
    ip -n "$name" -4 addr flush dev "$dev"
    ip -n "$name" -6 addr flush dev "$dev" scope global
    for addr in "${@:2}"; do
        ip -n "$name" addr add "$addr" dev "$dev"
    done
}

# gateway HOST ADDRESS...: default routes by these routers.
gateway() {
    local via
    for via in "${@:2}"; do
        ip -n "$1" route replace default via "$via"
    done
}

# router NAME: forwards.
router() {
    host "$1"
    on "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# ---- doing things on machines ----

# on HOST COMMAND...: with the machine's own state, home and name, and no one's configuration.
on() {
    ip netns exec "$1" env HOME="$lab/$1" KITH_STATE="$lab/$1/state" KITH_NODE_NAME="$1" \
        KITH_CONFIG="$lab/kith.toml" KITH_NODE_CONFINE="$confine" PATH="$lab/bin:$PATH" "${@:2}"
}

# background HOST COMMAND...: starts it; its pid is in $!, its output in the machine's folder.
background() {
    on "$@" >>"$lab/$1/background.log" 2>&1 &
}

# node_pid HOST: the process of its node (there is one, as a test starts one).
node_pid() {
    local pid
    for pid in $(ip netns pids "$1"); do
        [[ $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) != kith*\ up\ * ]] || echo "$pid"
    done
}

# crash HOST: kill -9 of its node; returns when the process is gone.
crash() {
    local pid
    pid=$(node_pid "$1")
    [ -n "$pid" ] && kill -KILL "$pid" && eventually 5 test ! -e "/proc/$pid"
}

# enrol ISSUER HOST...: each joins the issuer's only network under its own name.
enrol() {
    local issuer=$1 name ticket
    for name in "${@:2}"; do
        ticket=$(on "$issuer" kith invite --name "$name") &&
            on "$name" kith join - <<<"$ticket" || return
    done
}

# network FOUNDER HOST...: starts a node on each, the founder makes the network "home", the others
# join it. What most scripts begin with; one that can't goes no further.
network() {
    local name
    for name in "$@"; do
        on "$name" kith up || lab_give_up "kith up on $name"
    done
    on "$1" kith network create home >/dev/null || lab_give_up "kith network create"
    enrol "$@" >/dev/null || lab_give_up "joining"
    learn "$@" || lab_give_up "asking for addresses"
    for name in "${@:2}"; do
        eventually 10 reaches_both_ways "$1" "$name" || lab_give_up "$name and $1 don't reach each other"
    done
}

# A node tells its addresses when they have been still for half a second, and no command shows
# whether another has heard them yet. Tests that need it give them this long.
told=2

# learn HOST...: asks each for its overlay addresses.
learn() {
    local name
    for name in "$@"; do
        ip4[$name]=$(on "$name" kith ip "$name") && ip6[$name]=$(on "$name" kith ip -6 "$name") || return
    done
}

# reaches FROM TO [4|6]: one ping through the tunnel, answered within 0.2 s.
reaches() {
    local to=${ip4[$2]:-}
    [ "${3:-4}" = 4 ] || to=${ip6[$2]:-}
    [ -n "$to" ] && on "$1" ping -n -q -c 1 -W 0.2 "$to"
}

reaches_both_ways() { reaches "$1" "$2" && reaches "$2" "$1"; }
reaches_not() { ! reaches "$@"; }

# connected HOST PEER: HOST has a session with PEER.
connected() { on "$1" kith --json peers | json_has '["peers"]' "name" "$2"; }
connected_not() { ! connected "$@"; }

# goes FROM TO PATTERN: what a ping says of its way begins like that. One that is lost takes 5 s.
goes() { on "$1" kith ping "$2" -c 1 --json | json 'j["replies"][0].get("route")' | grep -q "^$3"; }

# json EXPRESSION: prints what it says of the JSON on standard input, called j.
json() { python3 -c 'import json, sys; j = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
json_has() {
    [ "$(json "any(str(e['$2']).split('.')[0] == '$3' for e in j$1)")" = True ]
}

# throughput FROM TO [iperf3 options]: prints Mbit/s of 3 seconds of TCP through the tunnel.
throughput() {
    local from=$1 to=$2 server
    background "$to" iperf3 -s -1 -B "${ip4[$to]}"
    server=$!
    eventually 5 listens "$to" 5201 &&
        on "$from" iperf3 -J -t 3 -c "${ip4[$to]}" "${@:3}" |
        json 'round(j["end"]["sum_received"]["bits_per_second"] / 1e6)'
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
}

# listens HOST PORT: something on it listens for TCP.
listens() { [ -n "$(on "$1" ss -Hltn "sport = :$2")" ]; }

# memory HOST: the resident set of its node in kB.
memory() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(node_pid "$1")/status"; }

# ---- time ----

# now_ms: the time in milliseconds, in REPLY (no subshell: this is measured with).
now_ms() { REPLY=$((${EPOCHREALTIME/[.,]/} / 1000)); }

# eventually SECONDS COMMAND...: tries until it succeeds; $took says how long that was.
eventually() {
    local start status=1
    now_ms && start=$REPLY
    until "${@:2}" >/dev/null 2>&1 && status=0; do
        now_ms
        [ $((REPLY - start)) -lt $(($1 * 1000)) ] || break
        sleep 0.02
    done
    now_ms && took=$((REPLY - start))
    return $status
}

# ---- saying how it went ----

say() { printf '# %s\n' "$*"; }

# check SENTENCE COMMAND...: one case. What it printed is shown when it fails.
check() {
    local output status
    output=$("${@:2}" 2>&1) && status=0 || status=$?
    verdict "$status" "$1" "$output"
}

# verdict STATUS SENTENCE [OUTPUT]
verdict() {
    cases=$((cases + 1))
    if [ "$1" = 0 ]; then
        echo "ok $cases - $2"
        return
    fi
    failures=$((failures + 1))
    echo "not ok $cases - $2"
    [ -z "${3:-}" ] || printf '%s\n' "$3" | sed 's/^/#   /'
    evidence
}

# The latest events of every node that still answers.
evidence() {
    local name
    for name in $(ip netns list | cut_words); do
        [ -n "$(node_pid "$name")" ] || continue
        say "$name:"
        timeout 2 ip netns exec "$name" "$kith" --state "$lab/$name/state" logs --level debug -n 15 2>&1 |
            sed 's/^/#   /'
    done
}
cut_words() { sed 's/ .*//'; }

# refused STATUSES PATTERN COMMAND...: it fails with one of these and says something like the pattern.
refused() {
    local output status
    output=$("${@:3}" 2>&1) && status=0 || status=$?
    echo "status $status: $output"
    [[ " $1 " == *" $status "* ]] && grep -Eqi -- "$2" <<<"$output"
}

# soon SECONDS SENTENCE COMMAND...: one case: it succeeds within what Kith promises (with slack).
soon() {
    local status=0
    eventually $(($1 * slack)) "${@:3}" || status=1
    verdict "$status" "$2: $(seconds "$took") (promised: $1 s)"
}

# measured MS PROMISED_MS SENTENCE: one case for what was measured otherwise.
measured() {
    local status=0
    [ "$1" -le $(($2 * slack)) ] || status=1
    verdict "$status" "$3: $(seconds "$1") (promised: $(seconds "$2"))"
}

# seconds MS: as in 0.08 s.
seconds() { printf '%d.%02d s' $(($1 / 1000)) $(($1 % 1000 / 10)); }

#!/usr/bin/env bash
# Two machines over a cable that gets worse: slow, long, lossy, and lossy in bursts.
#
#       laptop                             desktop
#     192.0.2.1                           192.0.2.2
#         |                                   |
#     == left ========== wire ============ right ==
#
# The wire is a program (tests/lab/wire.c) with the simulator's link model in it: tests/sim/degraded_test.c
# has these links and more in virtual time. Each time both nodes are started anew over the link as it
# is, and then 256 kB go through the tunnel, by TCP.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

wire=$(dirname "$kith")/tests/lab/wire
[ -x "$wire" ] || lab_give_up "$wire is not built"
deadline=180 # seconds for a session and the transfer, together

# string SETTING...: a wire between the two switches, in place of the one that is there.
stringing=
string() {
    unstring
    "$wire" left-right right-left "$@" >"$lab/wire" &
    stringing=$!
    eventually 5 grep -q ready "$lab/wire" || lab_give_up "the wire: $(cat "$lab/wire")"
    ip link set left-right master left up
    ip link set right-left master right up
}
unstring() {
    [ -n "$stringing" ] || return 0
    kill "$stringing"
    wait "$stringing"
}

switch left
switch right
host laptop desktop
plug laptop left 192.0.2.1/24
plug desktop right 192.0.2.2/24

# ---- the wire itself ----

pings() { on laptop ping -n -q -i "$1" -c "$2" -W 2 192.0.2.2; }
round_trip() { sed -n 's#^rtt [^=]*= [0-9.]*/\([0-9]*\).*#\1#p'; }
replies() { sed -n 's/.* \([0-9]*\) received.*/\1/p'; }
between() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }

string delay=40
took=$(pings 0.1 10 | round_trip)
check "a delay of 40 ms each way makes a round trip of 80 ms: $took ms" between "$took" 80 $((80 + 20 * slack))
string delay=1 loss=250000 seed=7
got=$(pings 0.01 400 | replies)
# 0.75² of 400 are 225; five standard deviations are 50
check "a quarter lost each way leaves nine of sixteen replies: $got of 400" between "$got" 175 275
string loss=1000000
check "and where all is lost, none" test "$(pings 0.1 3 | replies)" = 0

# ---- Kith over it ----

string
network desktop laptop
head -c 262144 /dev/urandom >"$lab/desktop/file"
sum=$(sha256sum <"$lab/desktop/file")
background desktop python3 -m http.server --directory "$lab/desktop" 8000
eventually 5 listens desktop 8000

# fetch SECONDS: the file through the tunnel, as it is there.
fetch() {
    [ "$(on laptop curl -sS --max-time "$1" "http://${ip4[desktop]}:8000/file" | sha256sum)" = "$sum" ]
}

# holds NAME SETTING...: one case.
holds() {
    local start up=0 status=1
    for name in laptop desktop; do on "$name" kith down >/dev/null; done
    string "${@:2}"
    now_ms && start=$REPLY
    for name in laptop desktop; do on "$name" kith up >/dev/null; done
    if eventually "$deadline" connected laptop desktop; then
        now_ms && up=$((REPLY - start))
        fetch $((deadline - up / 1000)) && status=0
    fi
    now_ms
    verdict "$status" "$1: a session after $(seconds "$up"), 256 kB intact after $(seconds $((REPLY - start)))"
    unstring
    stringing=
    while read -r line; do say "$line"; done <"$lab/wire"
}

holds "8 Mbit/s, 90 ms, 2 %" rate=8000000 delay=45 loss=20000
holds "0.8 Mbit/s, 450 ms, 8 %" rate=800000 delay=225 loss=80000
# the worst takes a minute or two, and now and then more than it may: for who wants to look at it
if [ -n "${KITH_LAB_WORST:-}" ]; then
    holds "0.256 Mbit/s, 800 ms, 25 % in bursts of eight" rate=256000 delay=400 loss=250000 burst=8
fi

lab_leave

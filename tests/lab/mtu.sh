#!/usr/bin/env bash
# The cable between two switches takes less than it did, and nobody says a word.
#
#      laptop                       desktop
#    192.0.2.1                     192.0.2.2
#        |                             |
#    == lower ====== 1500 → 1340 ==== upper ==
#
# A switch drops a frame that the next cable is too short for, as a tunnel in the middle of the
# Internet does whose ICMP nobody lets through. The machines' own interfaces keep their MTU of 1500.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lower
switch upper
cable lower upper
host laptop desktop
plug laptop lower 192.0.2.1/24 2001:db8::1/64
plug desktop upper 192.0.2.2/24 2001:db8::2/64

# narrow MTU: of the cable. Trains of segments are cut before it (a switch lets those through whole).
narrow() {
    local end
    for end in lower-upper upper-lower; do
        ip link set "$end" mtu "$1" gso_max_segs 1
    done
}

# large FROM TO: a packet that fills the tunnel's MTU, answered by one that does.
large() { on "$1" ping -n -q -c 1 -W 0.2 -M "do" -s 1372 "${ip4[$2]}"; }
large_both_ways() { large "$1" "$2" && large "$2" "$1"; }
large_not() { ! large "$@"; }

# says HOST EVENT: its log has this event.
says() { on "$1" kith logs -n 200 | grep "$2" >/dev/null; }
narrowed() { says laptop 'does not take' && says desktop 'does not take'; }
holes() { on "$1" kith metrics | awk '$1 == "path_holes" { print $2 }'; }

# longest_gap FILE: milliseconds of the longest run of tenths of a second in which nothing moved, of
# either direction of an iperf3 report.
longest_gap() {
    python3 - "$1" <<'PY'
import json, sys

longest = 0
intervals = json.load(open(sys.argv[1]))["intervals"]
for way in ("sum", "sum_bidir_reverse"):
    gap = 0
    for i in intervals:
        gap = 0 if i[way]["bytes"] > 0 else gap + i[way]["seconds"]
        longest = max(longest, gap)
print(round(longest * 1000))
PY
}

narrow 1500
network desktop laptop
soon 3 "a packet that fills the tunnel goes both ways" large_both_ways laptop desktop
sleep 1 # QUIC finds what the path takes

background desktop iperf3 -s -1 -B "${ip4[desktop]}"
eventually 5 listens desktop 5201
on laptop iperf3 -J --bidir -i 0.1 -t 12 -c "${ip4[desktop]}" >"$lab/iperf3.json" &
transfer=$!
sleep 4
narrow 1340
check "beyond 1340 bytes nothing arrives" large_not laptop desktop
wait "$transfer"
check "TCP both ways survives the shrinking" test "$?" = 0
measured "$(longest_gap "$lab/iperf3.json")" 3000 "and stands no longer than that"
check "packets that fill the tunnel go, in pieces" large_both_ways laptop desktop
check "both have noticed, and say so" narrowed
check "and count it" test "$(holes laptop)" -ge 1
say "holes: $(holes laptop) on the laptop, $(holes desktop) on the desktop"

narrow 1500
widened() { large_both_ways laptop desktop && says laptop 'takes 1[34][0-9][0-9] bytes'; }
soon 65 "when it is as wide as before that is found" widened

# With no more traffic than a large ping now and then.
narrow 1270
check "it is narrow again" large_not laptop desktop
soon 4 "a few packets suffice to find that out" large_both_ways laptop desktop
check "the session never ended" test "$(on laptop kith logs -n 200 | grep -c 'session with')" = 1

lab_leave

#!/usr/bin/env bash
# Three nodes live a long life, with traffic all the time and disturbances again and again, and
# nothing of them grows: no memory, no descriptors, no tables, no files.
#
#       laptop        desktop         phone
#    192.0.2.1/.11  192.0.2.2/.12   192.0.2.3
#         |              |               |
#     ====+===== lan ====+===============+====
#
# The desktop made the network. Laptop and desktop live from the beginning to the end; the phone is
# stopped and killed in every cycle.
#
#   KITH_SOAK_SECONDS=80       how long; 3600 for the hour that `make soak` takes
#   KITH_SOAK_JSON=X.json      what was measured, as one JSON object; each look at a node in X.samples
#
# A cycle takes 20 s: it disturbs in each way (`cycle` below), and then rests. An eighth of the cycles, at
# least one, is for warming up; the others make three windows of as many cycles each, so that each
# window saw the same. soak_sample.py looks at the nodes all the time; soak_judge.py takes the medians
# of what it saw at rest, when what the disturbances left open for some seconds has ended.
#
# The law: from the first window's median to the last's
#   * descriptors, threads and every gauge of `kith metrics` do not grow at all, but for two connections
#     that may wait for their idle time-out, because the other end was killed;
#   * what is allocated and not freed does not go on growing: by more than 32 kB from the first third to
#     the middle and again from there to the last. In the hour the medians of neighbours are 52 cycles
#     apart, or 1040 s: that is a leak of 32 bytes a second, of 630 in a cycle, 70 a command, 315 each time
#     the phone starts, or a small part of a byte per packet. What the system sees of it, in whose free
#     room such a leak hides for long, grows by 1 MB at most, and 1 MB more for pages of the program.
#     A life of less than 20 minutes is still getting warm, and may take 300 kB: there only gross
#     leaks show, but descriptors and tables are as strict;
#   * the database grows by what invitations take, which are kept for a month, and its log stays as
#     short as it is set. No other file grows, none is added.
# What is bounded but slow to fill is filled beforehand: the thousand events that a node remembers, and
# the database, which is in its log at first.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

seconds=${KITH_SOAK_SECONDS:-80}
beside=$top/tests/lab
all=(laptop desktop phone)
cycle_ms=20000
rest_ms=3500  # at the end of each
dial_ms=11000 # until a node that starts has given up addresses that the others had before
cycles=$((seconds * 1000 / cycle_ms))
[ "$cycles" -ge 4 ] || cycles=4
warm_up=$((cycles / 8))
[ "$warm_up" -ge 1 ] || warm_up=1
warm_up=$((cycles - (cycles - warm_up) / 3 * 3))
period=0.7 # seconds between two looks
[ "$cycles" -le 20 ] || period=2.9

switch lan
host "${all[@]}"
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
plug phone lan 192.0.2.3/24 2001:db8::3/64
plain='[monitoring]
metrics_addr = "127.0.0.1:9090"
health_addr = "127.0.0.1:9091"'
echo "$plain" >"$lab/kith.toml"
network desktop laptop phone
eventually 10 reaches_both_ways laptop phone || lab_give_up "laptop and phone don't reach each other"

# The database takes over what is in its log.
for name in laptop desktop; do
    on "$name" kith down || lab_give_up "kith down on $name"
    on "$name" kith up >/dev/null || lab_give_up "kith up on $name, again"
done
eventually 10 reaches_both_ways laptop desktop || lab_give_up "laptop and desktop don't meet again"

# ---- traffic ----

# traffic HOST [KIND=ADDRESS=RATE]...
traffic() { background "$1" python3 "$beside/soak_traffic.py" "${@:2}"; }
traffic laptop "stream=${ip4[desktop]}=20" "short=${ip4[phone]}=5" "short=${ip6[desktop]}=5"
traffic desktop "datagrams=${ip6[laptop]}=5" "short=${ip4[laptop]}=5"
traffic phone "datagrams=${ip4[desktop]}=3" "stream=${ip6[laptop]}=3"
for from in "${all[@]}"; do
    for to in "${all[@]}"; do
        [ "$from" = "$to" ] || background "$from" ping -n -q -i 0.2 "${ip4[$to]}"
    done
done

# ---- disturbances ----

declare -A done_so_far
mishaps=0

# disturb KIND COMMAND...: counts it; it has to succeed.
disturb() {
    local output
    done_so_far[$1]=$((${done_so_far[$1]:-0} + 1))
    output=$("${@:2}" 2>&1) && return
    mishaps=$((mishaps + 1))
    say "cycle $cycle, $1: $output"
}

# reload HOST [LINE]...: it reads its configuration again, with these lines in addition.
reload() {
    printf '%s\n' "$plain" "${@:2}" >"$lab/kith.toml"
    kill -HUP "$(node_pid "$1")"
}

pull_cable() {
    cut laptop.eth0
    sleep 1
    mend laptop.eth0
}
renumber() { # LAST: of the laptop; the desktop's is one more
    address laptop "192.0.2.$1/24" "2001:db8::$1/64"
    sleep 0.5
    address desktop "192.0.2.$(($1 + 1))/24" "2001:db8::$(($1 + 1))/64"
}
stop_and_start() { on phone kith down && on phone kith up; }
crash_and_start() { crash phone && on phone kith up; }
invite() { on desktop kith invite --expires 60s --name tablet; }
ask_all() {
    local name what
    for name in "${all[@]}"; do
        for what in status peers members metrics "network list" "config show" "logs -n 50"; do
            # shellcheck disable=SC2086 # words
            on "$name" kith --json $what >/dev/null || return
        done
    done
}
# Somebody who follows the log and is gone without a word.
follow_and_vanish() {
    timeout -s KILL 0.3 ip netns exec laptop "$kith" --state "$lab/laptop/state" logs -f >/dev/null
    [ $? = 137 ]
}
ping_members() {
    on laptop kith ping -c 3 -i 0.1 desktop && on desktop kith ping -c 3 -i 0.1 laptop
}
scrape() {
    local name
    for name in "${all[@]}"; do
        on "$name" curl -sf --max-time 5 --noproxy '*' -o /dev/null http://127.0.0.1:9090/metrics \
            http://127.0.0.1:9091/health || return
    done
}

# at MS: waits for that moment of the cycle; no longer when it is past.
at() {
    local left
    now_ms
    left=$((cycle_start + $1 - REPLY))
    [ "$left" -le 0 ] || sleep "$((left / 1000)).$(printf %03d $((left % 1000)))"
}

# cycle: one of each, and a rest. A cycle that is late is not shortened.
cycle() {
    now_ms && cycle_start=$REPLY
    echo "$cycle busy" >"$lab/moment"
    disturb "cable cut and mended" pull_cable
    at 2000
    disturb "addresses changed" renumber $((cycle % 2 * 10 + 1))
    at 3500
    disturb "member killed and started" crash_and_start
    at 5000
    disturb "member stopped and started" stop_and_start
    now_ms && settled=$((REPLY - cycle_start + dial_ms))
    disturb "configuration read again" reload laptop '[vpn]' 'inbound = "deny"'
    disturb "HTTP" scrape
    at 9000
    disturb "configuration read again" reload laptop
    disturb "invitation" invite
    disturb "commands" ask_all
    disturb "ping" ping_members
    disturb "log followed" follow_and_vanish
    at $((cycle_ms - rest_ms))
    at "$settled"
    echo "$cycle rest" >"$lab/moment"
    now_ms && at $((REPLY - cycle_start + rest_ms))
}

# ---- what is bounded, but slow to fill ----

# remembers HOST: how many events.
remembers() { on "$1" kith --json logs -n 10000 | wc -l; }
full() { [ "$(remembers "$1")" -ge 1000 ]; }
# Lines as long as most that will come.
fill_log() {
    local tries
    for ((tries = 0; tries < 3000; tries++)); do
        ((tries % 100)) || ! full "$1" || break
        kill -HUP "$2"
        sleep 0.005
    done
    full "$1"
}
for name in laptop desktop; do
    printf '%s\n' "$plain" '[net]' 'gso = false' 'gro = false' 'recvmmsg = false' 'ecn = false' \
        'congestion = "cubic"' 'cipher = "aes"' 'keepalive = "21s"' >"$lab/kith.toml"
    check "the events that the $name remembers are as many as ever" fill_log "$name" "$(node_pid "$name")"
    reload "$name"
done

# ---- the long life ----

old=" $(node_pid laptop) $(node_pid desktop)"
echo -1 busy >"$lab/moment"
states=()
for name in "${all[@]}"; do states+=("$name=$lab/$name/state"); done
python3 "$beside/soak_sample.py" $period "$lab/moment" "${states[@]}" >"$lab/samples" 2>"$lab/sampler.log" &
sampler=$!
now_ms && started=$REPLY
for ((cycle = 0; cycle < cycles; cycle++)); do cycle; done
now_ms && lasted=$(((REPLY - started) / 1000))
echo -1 busy >"$lab/moment"
eventually 10 connected phone laptop
sleep $((2 * ${period%.*} + 2)) # a last look
kill "$sampler"
wait "$sampler" 2>/dev/null

{
    for kind in "${!done_so_far[@]}"; do echo "$kind=${done_so_far[$kind]}"; done
} | python3 -c '
import json, sys
seconds, cycles, warm_up = map(int, sys.argv[1:])
counts = {kind: int(n) for kind, _, n in (line.strip().partition("=") for line in sys.stdin)}
print(json.dumps({"seconds": seconds, "cycles": cycles, "warm_up": warm_up, "disturbances": counts}))
' "$lasted" "$cycles" "$warm_up" >"$lab/facts"
python3 "$beside/soak_judge.py" report "$lab/samples" "$lab/facts" >"$lab/report" ||
    lab_give_up "the samples can't be read: $(cat "$lab/sampler.log")"
if [ -n "${KITH_SOAK_JSON:-}" ]; then
    cp "$lab/report" "$KITH_SOAK_JSON"
    cp "$lab/samples" "${KITH_SOAK_JSON%.json}.samples"
fi

# judge HOST KIND
judge() { python3 "$beside/soak_judge.py" judge "$lab/report" "$@"; }
from_report() { json "$1" <"$lab/report"; }

say "$lasted s, $cycles cycles, $(($(from_report 'j["bytes"]') / 1000000)) MB received, $(from_report 'j["samples"]') samples"
for name in "${all[@]}"; do
    judge "$name" memory | sed "s/^/# $name: /"
    check "$name: memory does not grow" judge "$name" memory
    check "$name: nor do descriptors and threads" judge "$name" descriptors
    check "$name: nor do tables" judge "$name" tables
    check "$name: nor do files beyond what invitations take" judge "$name" files
done
check "every disturbance and every command did what it should" test "$mishaps" = 0
check "laptop and desktop are the same processes as in the beginning" \
    test "$old" = " $(node_pid laptop) $(node_pid desktop)"
check "there was traffic all the time" \
    test "$(from_report 'j["bytes"]')" -gt $((lasted * 1000000))
for pair in "laptop desktop" "laptop phone" "desktop phone"; do
    read -r from to <<<"$pair"
    soon 3 "$from and $to reach each other" reaches_both_ways "$from" "$to"
    soon 3 "also over IPv6" reaches "$from" "$to" 6
    check "with sessions" connected "$from" "$to"
done
check "no node met a bug, or a trouble of its host but that a cable was cut" \
    python3 "$beside/soak_judge.py" events "$lab/report" "$top/src/base/events.def" send_failed

lab_leave

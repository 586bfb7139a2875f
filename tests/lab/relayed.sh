#!/usr/bin/env bash
# Two machines hear each other only through a third; then directly.
#
#        laptop              desktop               phone
#      192.0.2.2      192.0.2.1 | 198.51.100.1   198.51.100.2
#          |                |       |                |
#      ====+==== left ======+       +==== right =====+====
#
# The desktop forwards no IP packets: what goes between laptop and phone goes through its node, which
# sees ciphertext only. Its memory is looked through while they talk. Later the laptop is plugged
# into the right switch, too.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch left
switch right
host laptop desktop phone
plug desktop left 192.0.2.1/24
plug desktop:eth1 right 198.51.100.1/24
plug laptop left 192.0.2.2/24
plug phone right 198.51.100.2/24
network desktop laptop phone

soon 3 "the laptop reaches the phone, which it cannot hear" reaches laptop phone
check "and over IPv6" reaches laptop phone 6
check "and the other way" reaches phone laptop
check "ping says who is in between" goes laptop phone "relay via desktop"
check "and the other way" goes phone laptop "relay via desktop"

# probes TEXT EXPRESSION: each answer of a probe from the laptop holds it, as r; all came.
probes() {
    on laptop kith probe "$1" -c 2 -i 0.1 --json |
        json "j['summary']['received'] == 2 and all($2 for r in j['replies'])" | grep -qx True
}
destination=$(on laptop kith paths phone --json | json "j['paths'][0]['destination']")
check "a probe says so, too, and that it is 2 hops" \
    probes phone "r['route'] == 'relay via desktop' and r['hops'] == 2"
check "the destination does as well as the name" \
    probes "$destination" "r['name'] == 'phone' and r['hops'] == 2 and r['destination'] == '$destination'"
check "the desktop is 1 hop away" probes desktop "r['route'].startswith('direct udp') and r['hops'] == 1"
on phone kith service add files >"$lab/files" # its destination
soon 3 "a service is probed by its destination" probes "$(cat "$lab/files")" \
    "r['service'] == 'files' and r['name'] == 'phone'"
refused() { ! on laptop kith probe aaaaaaaaaaaaaaaaaaaaaaaaaa 2>"$lab/refusal" && grep -q 'has the destination' "$lab/refusal"; }
check "a destination of nobody is refused" refused

check "the desktop's session is its own" goes laptop desktop "direct udp"

# ---- what the one in between sees ----

# holds HOST HEX: the memory of its node has these bytes somewhere.
holds() {
    python3 - "$(node_pid "$1")" "$2" <<'PY'
import sys

pid, needle = sys.argv[1], bytes.fromhex(sys.argv[2])
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
    for line in maps:
        place, mode = line.split()[:2]
        if "rw" not in mode:
            continue
        start, end = (int(x, 16) for x in place.split("-"))
        try:
            mem.seek(start)
            if needle in mem.read(end - start):
                sys.exit(0)
        except OSError:
            pass  # [vvar] and the like cannot be read
sys.exit(1)
PY
}

words=6e6f626f647920726561647320746869 # "nobody reads thi", which ping repeats
background laptop ping -n -i 0.002 -s 1000 -p "$words" "${ip4[phone]}"
pinging=$!
soon 3 "the sender's memory has what is sent" holds laptop "$words$words"
found=0
for _ in $(seq 10); do
    ! holds desktop "$words$words" || found=$((found + 1))
done
check "the relay's memory never has it, in ten looks" test "$found" = 0
kill "$pinging"
wait "$pinging" 2>/dev/null

# ---- a transfer, and what happens to the ways under it ----

head -c 60000000 /dev/urandom >"$lab/phone/file"
sum=$(sha256sum <"$lab/phone/file")
background phone python3 -m http.server --bind "${ip4[phone]}" --directory "$lab/phone" 8000
eventually 5 listens phone 8000

fetch() { on laptop curl -sS --max-time 60 --limit-rate "$1" "http://${ip4[phone]}:8000/file" | sha256sum; }
same() { [ "$(cat "$lab/sum")" = "$sum" ]; }

fetch 100M >"$lab/sum"
check "60 MB come through the relay as they were" same

fetch 8M >"$lab/sum" &
pid=$!
sleep 1 # it is under way
plug laptop:eth1 right 198.51.100.3/24
soon 2 "once they hear each other they talk directly" goes laptop phone "direct udp 198.51.100.2"
wait "$pid"
check "the download in between lost no byte" same

fetch 8M >"$lab/sum" &
pid=$!
sleep 1 # it is under way
unplug laptop.eth1
soon 5 "when the cable is pulled they talk on" reaches laptop phone
check "through the desktop again" goes laptop phone "relay via desktop"
wait "$pid"
check "and the download lost no byte" same

# ---- the relay itself ----

check "the relay is killed" crash desktop
soon 1 "nobody else leads there" reaches_not laptop phone
on desktop kith up
soon 3 "it is started again, and leads on" reaches_both_ways laptop phone

lab_leave

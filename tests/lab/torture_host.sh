#!/usr/bin/env bash
# What a host can do to its node: a disk that is full, an interface that somebody deletes, a default
# route that flips between two uplinks while a download runs.
#
#            laptop                         desktop, phone, tablet
#       eth0 |    | eth1      router                |
#     == home ==  |  ====+======+======+=== office =+====
#            == cafe ====+
#
# home 192.0.2.0/24, cafe 203.0.113.0/24, office 198.51.100.0/24; the router is .254 in each. The
# desktop made the network. Its state directory and the tablet's are on disks of 2 MB of their own.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

small_disk() { mkdir -p "$lab/$1/state" && mount -t tmpfs -o size=2m,mode=700 tmpfs "$lab/$1/state"; }
fill() { dd if=/dev/zero of="$lab/$1/state/filler" bs=4k status=none 2>/dev/null || true; }
empty() { rm "$lab/$1/state/filler"; }

router router
host laptop desktop phone tablet
for name in home cafe office; do switch "$name"; done
plug router:eth0 home 192.0.2.254/24
plug router:eth1 cafe 203.0.113.254/24
plug router:eth2 office 198.51.100.254/24
plug laptop:eth0 home 192.0.2.1/24
plug laptop:eth1 cafe 203.0.113.1/24
plug desktop office 198.51.100.1/24
plug phone office 198.51.100.2/24
plug tablet office 198.51.100.3/24
gateway laptop 192.0.2.254
for name in desktop phone tablet; do gateway "$name" 198.51.100.254; done
small_disk desktop
small_disk tablet
network desktop laptop
on phone kith up || lab_give_up "kith up on phone"

# ---- a full disk ----

told_of_the_disk() { grep -q 'store failed.*no space' <<<"$(on desktop kith logs --level host)"; }

fill desktop
check "with a full disk an invitation is refused, and says why" \
    refused 1 'no space|full' on desktop kith invite
check "the node says so itself" told_of_the_disk
check "it answers all the same" on desktop kith status
check "and packets pass" reaches_both_ways desktop laptop
at_cafe() { gateway laptop 203.0.113.254; ip -n laptop addr del 192.0.2.1/24 dev eth0; }
at_cafe
soon 2 "also when the other moves" reaches_both_ways desktop laptop
ip -n laptop addr add 192.0.2.1/24 dev eth0
empty desktop
check "with space again another one joins" enrol desktop phone
learn phone
soon 3 "and is reached" reaches_both_ways desktop phone
crash desktop
check "after a crash it is all still there" on desktop kith up
soon 3 "for the laptop" reaches_both_ways desktop laptop
soon 3 "and for the phone" reaches_both_ways desktop phone

fill tablet
check "a node does not start where there is no space for its identity" \
    refused 1 'no space' on tablet kith up
check "and leaves no half of one" test ! -s "$lab/tablet/state/identity.pem"
empty tablet
check "with space it starts" on tablet kith up
check "and joins" enrol desktop tablet

# ---- an interface that is gone ----

said() { grep -q -- "$1" <<<"$(on laptop kith logs -n 200)"; }
status_says() { grep -q -- "$1" <<<"$(on laptop kith status)"; }
times_lost() { on laptop kith logs -n 1000 | grep -c 'kith0 was deleted'; }
descriptors() { find "/proc/$(node_pid laptop)/fd" -type l | wc -l; }
sessions_ended() { on laptop kith logs -n 1000 | grep -c 'session with .* ended'; }
# What it has of link, addresses and routes, but for the number of the interface.
interface() { on laptop sh -c 'ip -d link show kith0; ip addr show kith0; ip route show dev kith0; ip -6 route show dev kith0' | sed 's/^[0-9]*: //'; }
# processor_ms: what its node has used so far.
processor_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$(node_pid laptop)/stat"; }

before=$(interface)
held=$(descriptors)
ended=$(sessions_ended)
ip -n laptop link del kith0
soon 1 "an interface that was deleted is made again by itself" reaches_both_ways laptop desktop
check "with the MTU, addresses and routes of before" test "$(interface)" = "$before"
check "it tells that it was gone, and that it is back" said 'kith0 was deleted'
check "sessions went on all the while" test "$(sessions_ended)" = "$ended"
nothing_to_mend() { ! status_says 'Remedy'; }
check "and nothing is left to mend" nothing_to_mend

lose_and_find() {
    local round
    for round in {1..20}; do
        sleep 1 # what was back for less is waited for
        ip -n laptop link del kith0
        eventually 3 reaches laptop desktop || return
    done
}
check "deleted 20 times it comes back 20 times" lose_and_find
check "without a descriptor more" test "$(descriptors)" = "$held"
check "each was told of" test "$(times_lost)" = 21

# The node stands still while another interface takes the name, or it would be first.
take_its_name() {
    local pid
    pid=$(node_pid laptop)
    kill -STOP "$pid"
    ip -n laptop link del kith0
    ip -n laptop link add kith0 type bridge
    kill -CONT "$pid"
}
take_its_name
soon 2 "while it may not be made, the remedy is told" status_says 'Remedy: remove what is called kith0'
check "the node still answers" on laptop kith members
check "the others go on" reaches_both_ways desktop phone
used=$(processor_ms)
sleep 2
check "and it waits, rather than asking all the time" test "$(($(processor_ms) - used))" -le 200
ip -n laptop link del kith0
soon 8 "the remedy works" reaches_both_ways laptop desktop

# What an administrator does to it by hand. The kernel takes IPv6 addresses and all routes along.
before=$(interface)
as_before() { [ "$(interface)" = "$before" ]; }
ip -n laptop link set kith0 down
sleep 1
is_down() { ! ip -n laptop link show kith0 | grep -q '[<,]UP[,>]'; }
check "an interface that was set down stays down" is_down
ip -n laptop link set kith0 up
soon 3 "set up again it gets its addresses and routes back" as_before
soon 1 "and members are reached" reaches_both_ways laptop desktop
sleep 1 # what was back for less is waited for
ip -n laptop addr flush dev kith0
soon 3 "addresses that were flushed are given back" as_before
soon 1 "with the routes" reaches_both_ways laptop desktop

# ---- two uplinks ----

download() {
    mkdir "$lab/pages"
    head -c 24000000 /dev/urandom >"$lab/pages/page"
    background desktop python3 -m http.server --bind :: --directory "$lab/pages" 8000
    eventually 5 listens desktop 8000
    background laptop curl -s -m 60 --limit-rate 3M -o "$lab/page" "http://${ip4[desktop]}:8000/page"
    download=$!
}

download
for round in 1 2 3; do
    gateway laptop 192.0.2.254
    soon 2 "the default route goes by home, $round" reaches_both_ways laptop desktop
    gateway laptop 203.0.113.254
    soon 2 "the default route goes by the cafe, $round" reaches_both_ways laptop desktop
done
cut laptop.eth1
gateway laptop 192.0.2.254
soon 3 "the cafe's cable is pulled" reaches_both_ways laptop desktop
mend laptop.eth1
unplug laptop.eth1
soon 2 "and its card taken out" reaches_both_ways laptop desktop
wait "$download"
check "the download that ran meanwhile is unharmed" cmp "$lab/page" "$lab/pages/page"

lab_leave

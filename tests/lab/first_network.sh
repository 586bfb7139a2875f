#!/usr/bin/env bash
# Two machines become a network: starting, inviting, joining, and traffic of every kind.
#
#       laptop            desktop
#    192.0.2.1          192.0.2.2
#    2001:db8::1        2001:db8::2
#         |                  |
#     ====+====== lan =======+====
#
# The desktop makes the network; the laptop joins with a ticket.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64

# ---- a node starts ----

now_ms && start=$REPLY
on desktop kith up || lab_give_up "kith up"
now_ms && measured $((REPLY - start)) 200 "a node is ready the first time it starts"
on desktop kith down
now_ms && start=$REPLY
on desktop kith up
now_ms && measured $((REPLY - start)) 200 "a node is ready when it starts again"

check "kith up on a running node succeeds" on desktop kith up
on laptop kith up || lab_give_up "kith up"

# ---- a network begins ----

check "a node makes a network" on desktop kith network create home
check "an admin writes a ticket" on desktop sh -c 'kith invite --name laptop >"$HOME/ticket-for-laptop"'
ticket=$(on desktop kith invite --name laptop)
say "a ticket has ${#ticket} characters"
check "a ticket is one line of printable characters" grep -Eqx '[[:graph:]]+' <<<"$ticket"

now_ms && start=$REPLY
check "a machine joins with a ticket" on laptop kith join - <<<"$ticket"
learn laptop || lab_give_up "the laptop has no addresses"
ip4[desktop]=$(on laptop kith ip desktop) ip6[desktop]=$(on laptop kith ip -6 desktop)
eventually 6 reaches laptop desktop
now_ms && measured $((REPLY - start)) 2000 "from the start of joining to the first ping"

# ---- traffic ----

for family in 4 6; do
    check "the laptop pings the desktop over IPv$family" reaches laptop desktop "$family"
    check "the desktop pings the laptop over IPv$family" reaches desktop laptop "$family"
done
check "a packet as big as the interface takes arrives whole" \
    on laptop ping -n -q -c 1 -W 1 -M "do" -s 1372 "${ip4[desktop]}"
check "a bigger one is refused with a word, not lost" \
    refused 1 "too long|frag needed" on laptop ping -n -c 1 -W 1 -M "do" -s 1373 "${ip4[desktop]}"
check "a datagram of 8 kB arrives in fragments" on laptop ping -n -q -c 1 -W 1 -s 8000 "${ip6[desktop]}"
check "kith ping names a direct route" \
    grep -q 'direct udp' <<<"$(on laptop kith ping desktop -c 1)"

mkdir "$lab/pages"
head -c 5000000 /dev/urandom >"$lab/pages/page"
background desktop python3 -m http.server --bind :: --directory "$lab/pages" 8000
eventually 5 listens desktop 8000
fetched() { on laptop curl -sg -m 20 "http://$1:8000/page" | cmp - "$lab/pages/page"; }
check "5 MB come over HTTP and IPv4 unchanged" fetched "${ip4[desktop]}"
check "5 MB come over HTTP and IPv6 unchanged" fetched "[${ip6[desktop]}]"

idle=$(memory desktop)
forth=$(throughput laptop desktop) back=$(throughput laptop desktop -R)
say "TCP through the tunnel: ${forth:-0} Mbit/s there, ${back:-0} Mbit/s back (hoped for: 1000)"
check "TCP runs at 50 Mbit/s at the very least, both ways" \
    test "${forth:-0}" -ge 50 -a "${back:-0}" -ge 50
say "memory: ${idle:-0} kB before iperf3, $(memory desktop) kB after (promised: 25000 kB idle)"
check "a node has at most 25 MB in memory" test "${idle:-99999}" -le 25000

# ---- who is there ----

both_members() { [ "$(on "$1" kith --json members | json 'sorted(m["name"] for m in j["members"])')" = "['desktop', 'laptop']" ]; }
check "the desktop knows both members" both_members desktop
check "the laptop knows both members" both_members laptop
check "the desktop lists its session with the laptop" connected desktop laptop

# service_of HOST: what it knows of a service, or nothing.
service_of() { on "$1" kith --json services | json '[(s["member"], s["name"], s["about"], s["destination"]) for s in j["services"]]'; }
at=$(on desktop kith service add files 'photographs and films')
found() { [ "$(service_of laptop)" = "[('desktop', 'files', 'photographs and films', '$at')]" ]; }
soon 2 "a service that the desktop announces is found by the laptop" found
check "the desktop takes it back" on desktop kith service remove files
gone() { [ "$(service_of laptop)" = '[]' ]; }
soon 2 "and the laptop knows it no more" gone

# ---- kept away ----

told() { grep -q 'has blocked this node' <<<"$(on laptop kith logs -n 200)"; }
blocks() { [ "$(on desktop kith --json block | json '[b["name"] for b in j["blocked"]]')" = "$1" ]; }
shown() { [ "$(on desktop kith --json members | json '[m["name"] for m in j["members"] if m["blocked"]]')" = "$1" ]; }
check "the desktop blocks the laptop" on desktop kith block laptop
soon 1 "and has no session with it any more" connected_not desktop laptop
soon 1 "nor has the laptop" connected_not laptop desktop
check "which was told" told
check "packets do not pass" reaches_not laptop desktop
check "the laptop is shown as a member that is blocked" shown "['laptop']"
killed=$(node_pid desktop)
kill -9 "$killed"
eventually 5 test ! -e "/proc/$killed"
on desktop kith up || lab_give_up "kith up after kill -9"
check "after kill -9 it is blocked still" blocks "['laptop']"
check "blocking it again is no mistake" test "$(on desktop kith block laptop)" = 'laptop is blocked already'
check "the desktop unblocks it" on desktop kith unblock laptop
soon 2 "and packets pass again" reaches_both_ways laptop desktop
check "nobody is blocked any more" blocks '[]'

# ---- an orderly end ----

check "the node ends when asked" on laptop kith down
check "its interface went with it" refused 1 "does not exist" ip -n laptop link show kith0
check "without a node the program says so with status 3" refused 3 "no node" on laptop kith status
soon 2 "the desktop's session with it ends, too" connected_not desktop laptop

lab_leave

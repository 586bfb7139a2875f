#!/usr/bin/env bash
# What a node does when the machine is not as it should be: the port is taken, the state directory
# is another node's, the tunnel is not allowed.
#
#       laptop            desktop
#    192.0.2.1          192.0.2.2
#         |                  |
#     ====+====== lan =======+====

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
on desktop kith up || lab_give_up "kith up"

# ---- the port ----

other() { on desktop "$kith" --state "$lab/desktop/other" "$@"; } # a second node on the desktop
check "a second node on the machine hears that the port is in use, and which" \
    refused 1 "9000" other up --no-tun
check "the first node does not mind" on desktop kith status
check "on another port it runs" other up --no-tun --listen 0.0.0.0:9001
check "and ends" other down

# ---- the state directory ----

mv "$lab/desktop/state/control.sock" "$lab/desktop/hidden.sock" # so that it can't be asked
check "a state directory that another node uses is refused, though that node can't be asked" \
    refused 1 "in use|another|already" on desktop kith up --listen 0.0.0.0:9001 --no-tun
mv "$lab/desktop/hidden.sock" "$lab/desktop/state/control.sock"
check "the node that has it goes on" on desktop kith status

check "a state directory that can't be made is refused" \
    refused "1 4" "" on laptop kith --state /proc/kith up

# ---- the tunnel ----

untrusted=(setpriv --bounding-set -net_admin)
check "without permission for a tunnel the node runs" on laptop "${untrusted[@]}" kith up
check "and says that it has no tunnel" test "$(on laptop kith --json status | json 'j["tun"]')" = None
on desktop kith network create home >/dev/null
check "it joins a network" enrol desktop laptop
check "it reaches members by kith ping" on laptop kith ping desktop -c 1
check "and is reached" on desktop kith ping laptop -c 1
pid=$(node_pid laptop)
kill -TERM "$pid"
soon 5 "SIGTERM ends it" test ! -e "/proc/$pid"

check "with permission it has a tunnel" on laptop kith up
learn laptop desktop
soon 3 "and reaches the desktop through it" reaches_both_ways laptop desktop

pid=$(node_pid laptop)
kill -TERM "$pid"
soon 5 "SIGTERM ends a node with a tunnel" test ! -e "/proc/$pid"
check "its interface went with it" refused 1 "does not exist" ip -n laptop link show kith0

lab_leave

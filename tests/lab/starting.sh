#!/usr/bin/env bash
# What a node does when the machine is not as it should be: the port is taken, the state directory
# is another node's, the tunnel is not allowed. And how it starts as a service.
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

# ---- the service ----

# As systemd would with kith.service: state and runtime directory by name, in the foreground, told
# about on a socket. Both directories are the lab's own.
mount -t tmpfs tmpfs /var/lib
mkdir -p /run/kith "$lab/manager"
by_hand() { on laptop env KITH_STATE=/var/lib/kith kith "$@"; }
hears() { # prints a line for each thing a service says
    python3 -u -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True: print(s.recv(4096).decode())' "$lab/manager/notify" >"$lab/manager/said" &
    eventually 5 test -S "$lab/manager/notify"
}
said() { grep -qxF "$1" "$lab/manager/said"; }

hears
background laptop env RUNTIME_DIRECTORY=/run/kith KITH_STATE=/var/lib/kith \
    NOTIFY_SOCKET="$lab/manager/notify" kith up --foreground
soon 1 "a service says when it is ready" said READY=1
check "its control socket is in its runtime directory" test -S /run/kith/control.sock
check "commands find it" by_hand id
check "kith up finds it running" refused 0 "running already for /var/lib/kith" by_hand up
pid=$(node_pid laptop)
check "there is still one of it" test "$(wc -w <<<"$pid")" = 1
check "kith down ends it" by_hand down
check "it says that it is stopping" said STOPPING=1
check "its socket went with it" test ! -e /run/kith/control.sock

lab_leave

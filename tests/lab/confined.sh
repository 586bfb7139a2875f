#!/usr/bin/env bash
# Confined nodes (node.confine) do everything that nodes do; what they gave up is gone.
#
#       laptop        desktop         phone
#    192.0.2.1      192.0.2.2       192.0.2.3
#         |              |               |
#     ====+===== lan ====+===============+====
#
# The desktop makes the network, the laptop joins and moves, the phone joins and is revoked.

KITH_LAB_CONFINE=1
export KITH_LAB_CONFINE
# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop phone
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
plug phone lan 192.0.2.3/24 2001:db8::3/64

says() { grep -q -- "$2" <<<"$(on "$1" kith logs -n 200 --level debug)"; }
filtered() { grep -qx 'Seccomp:[[:space:]]*2' "/proc/$(node_pid "$1")/status"; }
no_privileges() { grep -qx 'NoNewPrivs:[[:space:]]*1' "/proc/$(node_pid "$1")/status"; }

if ! on desktop kith up >/dev/null 2>&1; then # a sanitizer needs what is forbidden
    check "a build that cannot be confined says why" refused 1 "sanitizer" on desktop kith up
    lab_leave
    exit
fi
on desktop kith down
network desktop laptop phone
check "a node says that it is confined" says desktop confined
check "the kernel filters its calls" filtered desktop
check "nothing it starts could have more rights" no_privileges desktop

# ---- what a node does ----

check "members reach each other" reaches_both_ways laptop desktop
check "and over IPv6" reaches_both_ways laptop phone
secret="correct horse battery staple"
check "a backup is written (the slow way from a passphrase to a key)" \
    on desktop sh -c "echo '$secret' >\"\$HOME/pass\" && kith network backup \"\$HOME/home.backup\" --passphrase-file \"\$HOME/pass\""
check "a second network is made" on desktop kith network create second
check "how much memory it takes can be asked" on desktop kith status

cat >"$lab/kith.toml" <<TOML
[vpn]
inbound = "deny"
TOML
kill -HUP "$(node_pid desktop)"
denies() { [ "$(on desktop kith --json config show | json '[o["value"] for o in j["options"] if o["name"] == "vpn.inbound"][0]')" = deny ]; }
soon 1 "a changed configuration is read again" denies
check "and counts" reaches_not laptop desktop
: >"$lab/kith.toml"
kill -HUP "$(node_pid desktop)"
soon 1 "and taken back" reaches laptop desktop

address laptop 192.0.2.77/24
soon 3 "a machine moves to another address" reaches_both_ways laptop desktop
address desktop 192.0.2.78/24
soon 3 "the other one, too" reaches_both_ways laptop desktop
check "it still knows where it can be reached" on desktop kith invite --network home
cut laptop.eth0
mend laptop.eth0
soon 5 "a cable is pulled and put back" reaches_both_ways laptop desktop

check "a member is revoked" on desktop kith revoke phone --network home
soon 2 "and its session ends" connected_not desktop phone

# ---- after the end ----

crash laptop
on laptop kith up || lab_give_up "kith up after a crash"
soon 5 "after a crash it starts again, confined" reaches_both_ways laptop desktop
check "a member leaves" on laptop kith network leave home
check "a node ends when asked" on desktop kith down
check "and leaves no socket behind" test ! -e "$lab/desktop/state/control.sock"
check "nor an open log of the database" test ! -e "$lab/desktop/state/kith.db-wal"
check "the next start finds all of it" on desktop kith up
check "both networks are there" \
    test "$(on desktop kith --json network list | json 'len(j["networks"])')" = 2

lab_leave

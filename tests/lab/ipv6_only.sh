#!/usr/bin/env bash
# Networks without IPv4: everything is done over IPv6, and members have both families all the same.
#
#       laptop                        desktop           phone
#    2001:db8:1::1                 2001:db8:2::1    2001:db8:2::3
#         |          router              |                |
#     ====+=== home ==+====+== office ===+================+====
#                   ::fe  ::fe
#
# Not even 127.0.0.1 is there. The phone listens on IPv6 alone, the others on what is the default.
# At the end machines change their addresses, and one its network, while a download runs.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
# shellcheck source=tests/lab/two_networks.bash
. "$(dirname "${BASH_SOURCE[0]}")/two_networks.bash"
lab_enter "$@"

families=6
two_networks
host phone
plug phone office && at_office phone 3

machines=(laptop desktop phone)
for name in "${machines[@]}" router; do
    ip -n "$name" addr flush dev lo scope host
    ip -n "$name" addr add ::1/128 dev lo
done
no_ip4() { for name in "${machines[@]}" router; do [ -z "$(ip -n "$name" -4 addr)" ] || return; done; }
check "no machine has an IPv4 address" no_ip4

# ---- starting, inviting, joining ----

on desktop kith up || lab_give_up "kith up on the desktop"
on laptop kith up || lab_give_up "kith up on the laptop"
check "a node may listen on IPv6 alone" on phone kith up --listen '[::]:9000'
check "a node makes a network" on desktop kith network create home

now_ms && start=$REPLY
check "a machine joins from another network" enrol desktop laptop
learn laptop desktop || lab_give_up "asking for addresses"
eventually 6 reaches laptop desktop
now_ms && measured $((REPLY - start)) 2000 "from the start of joining to the first ping"
check "a machine joins on the same network" enrol desktop phone
learn phone || lab_give_up "asking for addresses"

# ---- traffic ----

for family in 4 6; do
    soon 2 "the laptop pings the desktop over IPv$family" reaches laptop desktop "$family"
    soon 2 "the desktop pings the laptop over IPv$family" reaches desktop laptop "$family"
    soon 4 "members that did not admit each other meet over IPv$family" reaches phone laptop "$family"
done
check "the route is one over IPv6" \
    grep -qF 'direct udp [2001:db8:2::1]:9000' <<<"$(on laptop kith ping desktop -c 1)"
check "a packet as big as the interface takes arrives whole" \
    on laptop ping -n -q -c 1 -W 1 -M "do" -s 1372 "${ip4[desktop]}"

rate=$(throughput laptop desktop)
say "TCP through the tunnel: ${rate:-0} Mbit/s"
check "TCP runs at 50 Mbit/s at the very least" test "${rate:-0}" -ge 50

# ---- other addresses ----

calm() { sleep "$told"; }

download laptop desktop 30000000
calm
at_home laptop 7
soon 1 "the dialler gets another address" reaches_both_ways laptop desktop
calm
at_office desktop 7
soon 1 "the acceptor gets another address" reaches_both_ways laptop desktop
calm
carry laptop office 9
soon 1 "the dialler is carried into another network" reaches_both_ways laptop desktop
check "and reaches the third machine, too" eventually 3 reaches laptop phone
check "there is still no IPv4 address but those of the network" \
    test "$(ip -n laptop -4 -o addr | wc -l)" = 1

download_ends
lab_leave

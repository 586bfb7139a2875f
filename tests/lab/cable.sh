#!/usr/bin/env bash
# A cable is out for 30 seconds, where a machine sees it and where nobody does.
#
#       laptop        desktop                phone
#    192.0.2.1      192.0.2.2              192.0.2.3
#         x              |                     |
#     ====+==== lower ===+==== x ==== upper ===+====
#
# The laptop's cable is pulled (it loses the carrier); the cable between the switches is cut (both
# ends keep theirs). The desktop made the network.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

outage=30

switch lower
switch upper
cable lower upper
host laptop desktop phone
plug laptop lower 192.0.2.1/24 2001:db8::1/64
plug desktop lower 192.0.2.2/24 2001:db8::2/64
plug phone upper 192.0.2.3/24 2001:db8::3/64
network desktop laptop phone

# cpu HOST: hundredths of a second its node has computed so far.
cpu() { awk '{ print $14 + $15 }' "/proc/$(node_pid "$1")/stat"; }

cut laptop.eth0
cut lower-upper
before=$(cpu desktop)
check "without a cable nothing arrives" reaches_not desktop laptop
check "beyond the cut nothing arrives" reaches_not desktop phone
check "a node without a way to anyone still answers" on laptop kith status
sleep "$outage" # the outage itself
say "the desktop's node computed for $(($(cpu desktop) - before)) hundredths of a second in $outage s"

mend lower-upper
soon 3 "the cable between the switches is back" reaches_both_ways desktop phone
mend laptop.eth0
soon 3 "the laptop's cable is back" reaches_both_ways desktop laptop
soon 3 "laptop and phone, both cut off, find each other" reaches_both_ways laptop phone

say "memory: laptop $(memory laptop) kB, desktop $(memory desktop) kB, phone $(memory phone) kB"
check "an idle node has at most 25 MB in memory" test "$(memory desktop)" -le 25000

lab_leave

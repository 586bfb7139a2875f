#!/usr/bin/env bash
# Machines change their addresses and networks; traffic goes on.
#
#       laptop                               desktop
#         |             router                 |
#     ====+=== home ===+======+=== office =====+====      (addresses: two_networks.bash)
#
# The laptop joined the desktop's network, so the laptop dialled. Each of them gets another address;
# the laptop is carried to the office and back; a download runs through it all. Between two changes
# there is time for both to hear where the other is now; restless.sh gives them none.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
# shellcheck source=tests/lab/two_networks.bash
. "$(dirname "${BASH_SOURCE[0]}")/two_networks.bash"
lab_enter "$@"

two_networks
network desktop laptop
download laptop desktop 60000000

calm() { sleep "$told"; }

calm
at_home laptop 7
soon 1 "the dialler gets another address" reaches laptop desktop
calm
at_office desktop 7
soon 1 "the acceptor gets another address" reaches laptop desktop
check "the way back works as well" reaches desktop laptop

calm
carry laptop office 9
soon 1 "the dialler is carried into another network" reaches laptop desktop
calm
carry laptop home 3
soon 1 "and home again" reaches laptop desktop

calm
families=6 at_home laptop 5
soon 1 "IPv4 goes away, IPv6 stays" reaches laptop desktop
calm
families=4 at_home laptop 6
soon 1 "IPv6 goes away, IPv4 comes back" reaches laptop desktop

download_ends
lab_leave

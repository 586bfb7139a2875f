#!/usr/bin/env bash
# As roaming.sh, but one change follows the other as soon as a single ping got through.
#
#       laptop                               desktop
#         |             router                 |
#     ====+=== home ===+======+=== office =====+====      (addresses: two_networks.bash)
#
# No time passes in which addresses could be told and heard: what each was last heard at must do.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
# shellcheck source=tests/lab/two_networks.bash
. "$(dirname "${BASH_SOURCE[0]}")/two_networks.bash"
lab_enter "$@"

two_networks
network desktop laptop
download laptop desktop 30000000

at_home laptop 7
soon 1 "the dialler gets another address" reaches laptop desktop
at_office desktop 7
soon 1 "the acceptor gets another address" reaches laptop desktop
check "the way back works as well" reaches desktop laptop

carry laptop office 9
soon 1 "the dialler is carried into another network" reaches laptop desktop
carry laptop home 3
soon 1 "and home again" reaches laptop desktop

at_office desktop 8
soon 1 "the acceptor gets a third address" reaches laptop desktop
at_home laptop 4
soon 1 "so does the dialler" reaches laptop desktop

download_ends
lab_leave

#!/usr/bin/env bash
# As roaming.sh, but one change follows the other as soon as a single ping got through.
#
#       laptop                               desktop
#    192.0.2.1                            198.51.100.1
#    2001:db8:1::1                        2001:db8:2::1
#         |             router                 |
#     ====+=== home ===+======+=== office =====+====
#                    .254    .254
#
# No time passes in which addresses could be told and heard: what each was last heard at must do.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

home4=192.0.2 home6=2001:db8:1: office4=198.51.100 office6=2001:db8:2:

at_home() { # HOST NUMBER
    address "$1" $home4."$2"/24 $home6:"$2"/64
    gateway "$1" $home4.254 $home6:fe
}
at_office() {
    address "$1" $office4."$2"/24 $office6:"$2"/64
    gateway "$1" $office4.254 $office6:fe
}

switch home
switch office
router router
plug router:home home $home4.254/24 $home6:fe/64
plug router:office office $office4.254/24 $office6:fe/64
host laptop desktop
plug laptop home && at_home laptop 1
plug desktop office && at_office desktop 1

network desktop laptop

mkdir "$lab/pages"
head -c 30000000 /dev/urandom >"$lab/pages/page"
background desktop python3 -m http.server --bind :: --directory "$lab/pages" 8000
eventually 5 listens desktop 8000
background laptop curl -s -m 40 --limit-rate 3M -o "$lab/page" "http://${ip4[desktop]}:8000/page"
download=$!

at_home laptop 7
soon 1 "the dialler gets another address" reaches laptop desktop
at_office desktop 7
soon 1 "the acceptor gets another address" reaches laptop desktop
check "the way back works as well" reaches desktop laptop

unplug laptop.eth0
plug laptop office && at_office laptop 9
soon 1 "the dialler is carried into another network" reaches laptop desktop
unplug laptop.eth0
plug laptop home && at_home laptop 3
soon 1 "and home again" reaches laptop desktop

at_office desktop 8
soon 1 "the acceptor gets a third address" reaches laptop desktop
at_home laptop 4
soon 1 "so does the dialler" reaches laptop desktop

wait "$download"
check "the download that ran meanwhile is unharmed" cmp "$lab/page" "$lab/pages/page"

lab_leave

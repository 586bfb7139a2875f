#!/usr/bin/env bash
# Machines change their addresses and networks; traffic goes on.
#
#       laptop                               desktop
#    192.0.2.1                            198.51.100.1
#    2001:db8:1::1                        2001:db8:2::1
#         |             router                 |
#     ====+=== home ===+======+=== office =====+====
#                    .254    .254
#
# The laptop joined the desktop's network, so the laptop dialled. Each of them gets another address;
# the laptop is carried to the office and back; a download runs through it all. Between two changes
# there is time for both to hear where the other is now; restless.sh gives them none.

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

calm() { sleep "$told"; }

mkdir "$lab/pages"
head -c 60000000 /dev/urandom >"$lab/pages/page"
background desktop python3 -m http.server --bind :: --directory "$lab/pages" 8000
eventually 5 listens desktop 8000
background laptop curl -s -m 60 --limit-rate 3M -o "$lab/page" "http://${ip4[desktop]}:8000/page"
download=$!

calm
at_home laptop 7
soon 1 "the dialler gets another address" reaches laptop desktop
calm
at_office desktop 7
soon 1 "the acceptor gets another address" reaches laptop desktop
check "the way back works as well" reaches desktop laptop

calm
unplug laptop.eth0
plug laptop office && at_office laptop 9
soon 1 "the dialler is carried into another network" reaches laptop desktop
calm
unplug laptop.eth0
plug laptop home && at_home laptop 3
soon 1 "and home again" reaches laptop desktop

calm
address laptop $home6:5/64
gateway laptop $home6:fe
soon 1 "IPv4 goes away, IPv6 stays" reaches laptop desktop
calm
address laptop $home4.6/24
gateway laptop $home4.254
soon 1 "IPv6 goes away, IPv4 comes back" reaches laptop desktop

wait "$download"
check "the download that ran meanwhile is unharmed" cmp "$lab/page" "$lab/pages/page"

lab_leave

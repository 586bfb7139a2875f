# two_networks.bash: two networks with a router between them, machines that are carried from one to
# the other, and a download that runs meanwhile. Sourced after lab.bash.
#
#       laptop                               desktop
#    192.0.2.1                            198.51.100.1
#    2001:db8:1::1                        2001:db8:2::1
#         |             router                 |
#     ====+=== home ===+======+=== office =====+====
#                    .254    .254
#                    ::fe    ::fe
#
#   two_networks; network desktop laptop
#   download laptop desktop 60000000       begins
#   at_home laptop 7                       its addresses there are number 7 from now on
#   carry laptop office 9                  its cable is pulled, and plugged in there
#   download_ends                          one case
#
# `families` says which addresses there are: 46, 4 or 6. families=6 at_home laptop 5: only IPv6.
# shellcheck shell=bash disable=SC2154 # what lab.bash sets

families=46
declare -A net4=([home]=192.0.2 [office]=198.51.100) net6=([home]=2001:db8:1: [office]=2001:db8:2:)

# numbers NETWORK NUMBER4 NUMBER6 [/]: in REPLY the addresses that the families give; with the lengths
# of their prefixes.
numbers() {
    REPLY=()
    [[ $families != *4* ]] || REPLY+=("${net4[$1]}.$2${4:+/24}")
    [[ $families != *6* ]] || REPLY+=("${net6[$1]}:$3${4:+/64}")
}

# at NETWORK HOST NUMBER: these addresses and no others, and the router of that network.
at() {
    local -a REPLY
    numbers "$1" "$3" "$3" / && address "$2" "${REPLY[@]}"
    numbers "$1" 254 fe && gateway "$2" "${REPLY[@]}"
}
at_home() { at home "$@"; }
at_office() { at office "$@"; }

# carry HOST NETWORK NUMBER
carry() {
    unplug "$1.eth0"
    plug "$1" "$2" && at "$2" "$1" "$3"
}

two_networks() {
    local name
    local -a REPLY
    router router
    for name in home office; do
        switch "$name"
        numbers "$name" 254 fe /
        plug "router:$name" "$name" "${REPLY[@]}"
    done
    host laptop desktop
    plug laptop home && at_home laptop 1
    plug desktop office && at_office desktop 1
}

# download HOST SERVER BYTES: random ones, at 3 MB/s; it gives up after four times the time that takes.
download() {
    mkdir "$lab/pages"
    head -c "$3" /dev/urandom >"$lab/pages/page"
    background "$2" python3 -m http.server --bind :: --directory "$lab/pages" 8000
    eventually 5 listens "$2" 8000
    background "$1" curl -s -m $(($3 / 750000)) --limit-rate 3M -o "$lab/page" \
        "http://${ip4[$2]}:8000/page"
    download=$!
}

download_ends() {
    wait "$download"
    check "the download that ran meanwhile is unharmed" cmp "$lab/page" "$lab/pages/page"
}

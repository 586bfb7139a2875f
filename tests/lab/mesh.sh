#!/usr/bin/env bash
# Six machines in a row, each hearing its neighbours only; then a diamond, one arm of which is cut.
#
#     one ==== two ==== three ==== four ==== five ==== six
#
#                 ,======= upper =======.
#     west ======+                       +====== east
#                 `== left === right ===´
#
# No machine forwards IP packets. Each == is a switch of its own.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

# between A B N: a switch between two machines, 10.0.N.0/24.
declare -A devices
between() {
    local name
    switch "s$3"
    for name in "$1" "$2"; do
        devices[$name]=$((${devices[$name]:--1} + 1))
    done
    plug "$1:eth${devices[$1]}" "s$3" "10.0.$3.1/24"
    plug "$2:eth${devices[$2]}" "s$3" "10.0.$3.2/24"
}

# grow FOUNDER A:B...: a network in which A, once it may, lets B in, which it hears; pair by pair.
grow() {
    local pair
    on "$1" kith up >/dev/null && on "$1" kith network create home >/dev/null ||
        lab_give_up "the network of $1"
    for pair in "${@:2}"; do
        [ "${pair%:*}" = "$1" ] || on "$1" kith network admin add "${pair%:*}" >/dev/null ||
            lab_give_up "${pair%:*} becomes an admin"
        on "${pair#*:}" kith up >/dev/null
        eventually 10 enrol "${pair%:*}" "${pair#*:}" || lab_give_up "${pair#*:} joins"
    done
}

# ---- the row ----

host one two three four five six
between one two 1
between two three 2
between three four 3
between four five 4
between five six 10
grow one one:two two:three three:four four:five five:six
learn one two three four five six || lab_give_up "asking for addresses"

soon 5 "the first reaches the last" reaches one six
check "and over IPv6" reaches one six 6
check "and the last the first" reaches six one
soon 2 "which is five hops away" goes one six "mesh 5 hops"
check "the third is one behind the neighbour" goes one three "relay via two"
say "TCP over five hops: $(throughput one six) Mbit/s"
crash three
on three kith up >/dev/null
soon 5 "the one in the middle starts anew, and leads on" reaches_both_ways one six
for name in one two three four five six; do on "$name" kith down; done

# ---- the diamond ----

host west upper left right east
between west upper 5
between upper east 6
between west left 7
between left right 8
between right east 9
grow west west:upper upper:east west:left left:right
learn west upper left right east || lab_give_up "asking for addresses"

soon 5 "one side reaches the other" reaches_both_ways west east
soon 5 "by the shorter arm" goes west east "relay via upper"

# gap: the longest time without a reply, milliseconds, of the pings in the file.
gap() {
    awk '/ bytes from /{ t = substr($1, 2, length($1) - 2); if (last && t - last > most) most = t - last; last = t }
        END { printf "%d\n", most * 1000 }' "$lab/west/pings"
}
pings() {
    on west ping -n -D -i 0.02 -w "$1" "${ip4[east]}" >"$lab/west/pings" &
    pinging=$!
}

pings 10
sleep 1 # they go
cut s6
soon 3 "when it is cut they talk on" reaches west east
check "by the longer arm" goes west east "mesh 3 hops"
wait "$pinging"
measured "$(gap)" 3000 "the longest silence meanwhile"
pings 15
sleep 1
mend s6
soon 10 "when it is mended they go by the shorter again" goes west east "relay via upper"
wait "$pinging"
measured "$(gap)" 200 "and nothing is missed meanwhile"

lab_leave

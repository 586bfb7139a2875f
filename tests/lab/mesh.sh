#!/usr/bin/env bash
# Five machines in a row, each hearing its neighbours only; then a diamond, one arm of which is cut.
#
#     one ===== two ===== three ===== four ===== five
#
#                 ,===== upper =====.
#     west ======+                   +====== east
#                 `===== lower =====´
#
# No machine forwards IP packets. Each == is a switch of its own.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

# between A B N: a switch between two machines, 10.0.N.0/24.
declare -A devices
between() {
    local name
    switch "$1-$2"
    for name in "$1" "$2"; do
        devices[$name]=$((${devices[$name]:- -1} + 1))
    done
    plug "$1:eth${devices[$1]}" "$1-$2" "10.0.$3.1/24"
    plug "$2:eth${devices[$2]}" "$1-$2" "10.0.$3.2/24"
}

goes() { on "$1" kith ping "$2" -c 1 --json | json 'j["replies"][0].get("route")' | grep -q "^$3"; }

# join_next ISSUER HOST: through a machine that it hears; the network's other members it meets later.
join_next() {
    on "$2" kith up && enrol "$1" "$2"
}

# ---- the row ----

host one two three four five
between one two 1
between two three 2
between three four 3
between four five 4

on one kith up && on one kith network create home >/dev/null || lab_give_up "the network"
# who is let in later is let in by its neighbour, which the founder made an admin
join_next one two || lab_give_up "two joins"
for pair in two:three three:four four:five; do
    on one kith admin add "${pair%:*}" >/dev/null || lab_give_up "${pair%:*} becomes an admin"
    eventually 10 join_next "${pair%:*}" "${pair#*:}" || lab_give_up "${pair#*:} joins"
done
learn one two three four five || lab_give_up "asking for addresses"

soon 5 "the first reaches the last" reaches one five
check "and over IPv6" reaches one five 6
check "and the last the first" reaches five one
soon 2 "which is four hops away" goes one five "mesh 4 hops"
check "the third is one behind the neighbour" goes one three "relay via two"
say "TCP over four hops: $(throughput one five) Mbit/s"

now_ms && start=$REPLY
crash three
on three kith up >/dev/null
soon 5 "the one in the middle starts anew, and leads on" reaches_both_ways one five

# ---- the diamond ----

host west upper lower east
between west upper 5
between upper east 6
between west lower 7
between lower east 8
network upper west east
join_next upper lower >/dev/null 2>&1 # upper does not hear lower
eventually 5 connected_not upper lower
lab_leave

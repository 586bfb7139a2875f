#!/usr/bin/env bash
# Nodes die without a word (kill -9), one by one and all at once, and come back.
#
#       laptop        desktop         phone
#    192.0.2.1      192.0.2.2       192.0.2.3
#         |              |               |
#     ====+===== lan ====+===============+====
#
# The desktop made the network; laptop and phone joined it.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop phone
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
plug phone lan 192.0.2.3/24 2001:db8::3/64
network desktop laptop phone

# From the start of `kith up`: traffic both ways within 3 s.
back() { # HOST PEER SENTENCE
    local start
    now_ms && start=$REPLY
    on "$1" kith up || verdict 1 "kith up after a crash of $1"
    eventually $((3 * slack)) reaches_both_ways "$1" "$2"
    now_ms && measured $((REPLY - start)) 3000 "$3"
}

crash laptop
check "a crash takes the interface away" refused 1 "does not exist" ip -n laptop link show kith0
check "the others go on without it" reaches desktop phone
back laptop desktop "the machine that joined is back after kill -9"
crash desktop
back desktop laptop "the machine that made the network is back after kill -9"
soon 3 "so is its session with the third" reaches_both_ways desktop phone

# Several times, at any moment: starting again must not depend on how it ended.
for _ in 1 2 3; do
    crash phone
    on phone kith up >/dev/null
done
soon 3 "a node that crashed three times in a row is back" reaches_both_ways phone desktop

for name in laptop desktop phone; do crash "$name"; done
for name in laptop desktop phone; do on "$name" kith up; done
soon 3 "all crashed, all start: the desktop and the laptop" reaches_both_ways desktop laptop
soon 3 "all crashed, all start: the laptop and the phone" reaches_both_ways laptop phone

for name in laptop desktop phone; do on "$name" kith down; done
for name in phone laptop desktop; do on "$name" kith up; done
soon 3 "all ended in order, all start: the desktop and the phone" reaches_both_ways desktop phone
soon 3 "all ended in order, all start: the laptop and the phone" reaches_both_ways laptop phone
check "they are the same network as before" reaches laptop desktop 6

lab_leave

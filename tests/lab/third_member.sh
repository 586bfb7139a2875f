#!/usr/bin/env bash
# Two members reach each other while the machine through which both joined is gone.
#
#       laptop        desktop         phone
#    192.0.2.1      192.0.2.2       192.0.2.3
#         |              |               |
#     ====+===== lan ====+===============+====
#
# The desktop made the network and admitted laptop and phone, one after the other: the laptop
# learns of the phone by word of the desktop only.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop phone
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
plug phone lan 192.0.2.3/24 2001:db8::3/64
network desktop laptop phone

sleep "$told" # until laptop and phone know where the other is
knows() { on "$1" kith ip "$2"; }
soon 3 "the laptop hears of the phone, which joined after it" knows laptop phone

crash desktop
soon 3 "the laptop reaches the phone while the desktop is down" reaches laptop phone
check "and over IPv6" reaches laptop phone 6
check "and the other way" reaches phone laptop

# What they know of each other outlives them.
on laptop kith down && on phone kith down
on laptop kith up && on phone kith up
soon 3 "both started anew, the desktop still down: the phone reaches the laptop" reaches phone laptop
check "and the other way" reaches laptop phone

on desktop kith up
soon 3 "the desktop comes back to both: the laptop" reaches_both_ways desktop laptop
soon 3 "the desktop comes back to both: the phone" reaches_both_ways desktop phone

lab_leave

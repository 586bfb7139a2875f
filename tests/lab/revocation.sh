#!/usr/bin/env bash
# A member is shown the door: everyone's sessions with it end, and it does not come back.
#
#       laptop        desktop         phone
#    192.0.2.1      192.0.2.2       192.0.2.3
#         |              |               |
#     ====+===== lan ====+===============+====
#
# The desktop made the network; the phone is lost and revoked.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop phone
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
plug phone lan 192.0.2.3/24 2001:db8::3/64
network desktop laptop phone
eventually 5 reaches_both_ways laptop phone || lab_give_up "laptop and phone don't reach each other"
check "the laptop has a session with the phone" connected laptop phone

check "a member that is no admin can't revoke" refused 1 "admin" on laptop kith revoke phone

now_ms && start=$REPLY
check "an admin revokes the phone" on desktop kith revoke phone
eventually 6 connected_not desktop phone
now_ms && measured $((REPLY - start)) 2000 "the desktop's session with the phone ends"
eventually 6 connected_not laptop phone
now_ms && measured $((REPLY - start)) 2000 "the laptop's session with the phone ends"
check "the phone gets nothing from the desktop" reaches_not phone desktop
check "the phone gets nothing from the laptop" reaches_not phone laptop
check "the phone's name is gone" refused 1 "no|not" on laptop kith ip phone
check "desktop and laptop go on" reaches_both_ways desktop laptop

on phone kith down
on phone kith up
check "a restart brings the phone nothing" reaches_not phone desktop
on laptop kith down
on laptop kith up
soon 3 "the laptop restarts and is still in" reaches_both_ways laptop desktop
check "and still refuses the phone" reaches_not phone laptop

on phone kith network leave home
check "a new ticket does not help the key that was revoked" refused 1 "revoked" enrol desktop phone

lab_leave

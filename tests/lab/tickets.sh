#!/usr/bin/env bash
# Tickets that must not work, and what the one who tries is told.
#
#       laptop        desktop         phone        stranger
#    192.0.2.1      192.0.2.2       192.0.2.3     192.0.2.4
#         |              |               |             |
#     ====+===== lan ====+===============+=============+====
#
# The desktop's network is home; the stranger has one of its own, also called home.

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop phone stranger
plug laptop lan 192.0.2.1/24
plug desktop lan 192.0.2.2/24
plug phone lan 192.0.2.3/24
plug stranger lan 192.0.2.4/24
for name in laptop desktop phone stranger; do
    on "$name" kith up || lab_give_up "kith up on $name"
done
on desktop kith network create home >/dev/null || lab_give_up "kith network create"
on stranger kith network create home >/dev/null || lab_give_up "kith network create"

invite() { on desktop kith invite "$@"; }
join() { on "$1" kith join "${@:3}" - <<<"$2"; } # HOST TICKET [option...]

# The shortest life a ticket can have is a minute; it passes while the others are tried.
short=$(invite --name phone --expires 60s)
now_ms && short_made=$REPLY

# ---- damaged ----

ticket=$(invite --name laptop)
damaged() { # POSITION: another character there
    local c=${ticket:$1:1}
    [ "$c" = a ] && c=b || c=a
    echo "${ticket:0:$1}$c${ticket:$(($1 + 1))}"
}
for at in 0 20 $((${#ticket} / 2)) $((${#ticket} - 1)); do
    check "a ticket with a wrong character at $at is refused" \
        refused 1 "ticket" join laptop "$(damaged "$at")"
done
check "half a ticket is refused" refused 1 "ticket" join laptop "${ticket:0:$((${#ticket} / 2))}"
check "a text that is no ticket is refused" refused 1 "ticket" join laptop "good evening, please let me in"
check "nothing is refused" refused 1 "ticket" join laptop ""

# forged TICKET: the same with another secret, and a checksum that fits.
forged() {
    python3 - "$1" <<'PY'
import base64, hashlib, sys
text = sys.argv[1][5:].upper()
data = bytearray(base64.b32decode(text + "=" * (-len(text) % 8)))[:-4]
data[65] ^= 1  # version, network and issuer stand before the secret (docs/spec/ticket.md 1)
data += hashlib.sha256(data).digest()[:4]
print("kith1" + base64.b32encode(data).decode().rstrip("=").lower())
PY
}
check "a ticket with a made-up secret is refused" refused 1 "refused|ticket" join laptop "$(forged "$ticket")"

# ---- used ----

check "unharmed by all that, the ticket works" join laptop "$ticket"
check "a second machine with it hears that it is used up" refused 1 "used" join phone "$ticket"
check "the first machine with it hears that it is in already" refused 1 "already" join laptop "$ticket"

# ---- others ----

check "a member that is no admin can't invite" refused 1 "admin" on laptop kith invite

# ---- foreign: another machine answers where the issuer was ----

ticket=$(invite)
cut desktop.eth0
check "a ticket whose issuer is away says that it can't be reached" refused 1 "reach|answer" join phone "$ticket"
address stranger 192.0.2.2/24
check "a ticket is refused when someone else answers in its issuer's place" \
    refused 1 "issuer|not the|answer" join phone "$ticket"
address stranger 192.0.2.4/24
mend desktop.eth0
for name in laptop phone; do ip -n "$name" neigh flush all; done # they knew the stranger's there
eventually 5 on phone ping -n -q -c 1 -W 0.2 192.0.2.2
check "the phone is a member of nothing" test "$(on phone kith --json network list | json 'j["networks"]')" = "[]"
joined=$(join phone "$ticket" --name laptop)
say "$joined"
check "with the issuer back, the same ticket works; a name that is taken gets a number" \
    grep -q 'as laptop-2:' <<<"$joined"
check "the stranger's network saw nobody" \
    test "$(on stranger kith --json members | json 'len(j["members"])')" = 1

# ---- expired ----

on phone kith network leave home
now_ms && left=$((short_made + 61000 - REPLY))
[ "$left" -le 0 ] || sleep "$(seconds "$left" | sed 's/ s//')" # until the ticket's minute is over
check "an expired ticket is refused and called expired" refused 1 "expired" join phone "$short"

learn desktop laptop
soon 3 "after all this, those who are members reach each other" reaches_both_ways desktop laptop

lab_leave

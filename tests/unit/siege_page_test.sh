#!/bin/sh
# Whether docs/siege.md tells the truth about names: its tests, counters and events are there, and
# every test that puts a node under siege by members is on the page.
#
#   siege_page_test.sh SOURCE_ROOT
set -u

cd "$1" || exit 1
page=docs/siege.md
n=0
failed=0

# says NAME STATUS: one case.
says() {
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        failed=1
    fi
}

# column N: what stands in that column of the page's tables, without code marks, a word a line.
column() {
    awk -F '|' -v at="$1" '/^\|/ && !/^\|---/ && $6 !~ /^ test / { print $at }' "$page" |
        tr -d '\140' | tr -s ' ' '\n' | grep -v '^–*$'
}

is_test() {
    grep -rqE "(cmocka_unit_test|PLAIN|OFFLOAD|DENY)\($1\)" tests --include='*_test.c'
}

is_counter() {
    case $1 in
    offences.*) grep -q "^OFFENCE(${1#*.}," src/session/conduct.def ;;
    drop.*) grep -q "^DROP(${1#*.}," src/vpn/counters.def ;;
    mesh.*) sed -n '/^struct kith_relay_counters/,/^}/p' src/mesh/relay.h | grep -qw "${1#*.}" ;;
    quic.*) sed -n '/^struct kith_quic_counters/,/^}/p' src/conn/quic/quic.h | grep -qw "${1#*.}" ;;
    node.*) sed -n '/^struct kith_node_totals/,/^}/p' src/node/node.h | grep -qw "${1#node.}" ;;
    *) sed -n '/^struct kith_session_counters/,/^}/p' src/session/session.h | grep -qw "$1" ;;
    esac
}

is_event() {
    grep -qE "^EVENT[0-4]\($1," src/base/events.def
}

besieging() {
    sed -n 's/.*\(cmocka_unit_test\|DENY\)(\([a-z0-9_]*\)).*/\2/p' \
        tests/sim/siege_members_*_test.c tests/unit/vpn_siege_test.c
}

rows=$(column 6 | wc -l)
[ "$rows" -ge 40 ]
says "the page has its tables ($rows rows)" $?
for name in $(column 6); do
    is_test "$name"
    says "the test $name is run" $?
done
for name in $(column 4 | sort -u); do
    is_counter "$name"
    says "the counter $name is there" $?
done
for name in $(column 5 | sort -u); do
    is_event "$name"
    says "the event $name is there" $?
done
for name in $(besieging); do
    grep -q "$name" "$page"
    says "the page names $name" $?
done
echo "1..$n"
exit $failed

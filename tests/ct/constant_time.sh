#!/bin/bash
# Whether time or addresses depend on secrets, by valgrind's memcheck. Prints TAP.
#
#   constant_time.sh [PROGRAM]       without one, or without valgrind, everything is skipped
set -u
program=${1:-}
n=0

# run CASE: its exit status, 9 when memcheck complained; what it said is in $said.
run() {
    said=$(valgrind -q --error-exitcode=9 "$program" "$1" 2>&1)
}

verdict() { # STATUS SENTENCE
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        printf '%s\n' "$said" | head -n 30 | sed 's/^/# /'
    fi
}

skip() { # WHY
    echo "ok 1 - constant_time # SKIP $1"
    echo "1..1"
    exit
}

complains() { # SENTENCE CASE
    run "$2"
    [ $? = 9 ]
    verdict $? "$1"
}

constant() { # SENTENCE CASE
    run "$2"
    verdict $? "$1"
}

if [ -z "$program" ]; then
    skip "valgrind/memcheck.h was not there when this was built"
fi
command -v valgrind >/dev/null || skip "valgrind is not installed"

complains "memcmp_of_a_secret_is_noticed" compares_with_memcmp
complains "a_table_looked_up_by_a_secret_is_noticed" looks_up_by_secret
constant "comparing_takes_the_same_time" equal
constant "comparing_tickets_takes_the_same_time" tickets
constant "checking_the_proof_of_a_ticket_takes_the_same_time" proof
constant "the_id_of_a_ticket_is_made_in_the_same_time" ticket_id
if ldd "$program" | grep -q libcrypto; then # shared: its verdict on the tag cannot be declared public
    n=$((n + 1))
    echo "ok $n - opening_a_backup_with_its_key_takes_the_same_time # SKIP libcrypto is shared here"
else
    constant "opening_a_backup_with_its_key_takes_the_same_time" seal
fi
echo "1..$n"

#!/bin/bash
# What the public headers declare and what the shared library exports are the same. Prints TAP.
#
#   api_exports_test.sh NM LIBRARY HEADER...
set -u
nm=$1 library=$2
shift 2
n=0

# same NAME WANTED GOT: two sorted lists.
same() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        diff <(echo "$2") <(echo "$3") | sed 's/^/# /'
    fi
}

# The headers in one line, without comments.
code() { cat "$@" | tr '\n' ' ' | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g'; }
# Their functions: whatever stands before a parenthesis, KITH_API or not.
declared() { code "$@" | grep -oE '[ *]kith_[a-z_]+\(' | tr -d ' *(' | sort -u; }
marked() {
    code "$@" | grep -oE 'KITH_API [^;(]*\(' | grep -oE 'kith_[a-z_]+\(' | tr -d '(' | sort -u
}
exported() {
    "$nm" -D --defined-only --format=posix "$library" | awk '$2 != "A" { print $1 }' |
        sed 's/@.*//' | sort -u
}

headers=$(declared "$@" | grep -vx kith_item) # a type
same "every function of the headers is marked KITH_API" "$headers" "$(marked "$@")"
same "the library exports what the headers mark, and nothing else" "$(marked "$@")" "$(exported)"
echo "1..$n"

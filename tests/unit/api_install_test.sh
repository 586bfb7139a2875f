#!/bin/bash
# The library as it is installed: a program is compiled against it by pkg-config alone, with the
# shared and with the static library, and runs. Prints TAP.
#
#   api_install_test.sh MESON BUILD CC EXAMPLE LIBRARY_PATH
#
# LIBRARY_PATH: where the static libraries are that this checkout was built with and the system
# lacks; may be empty.
set -u
meson=$1 build=$2 cc=$3 example=$4 library_path=$5
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# check NAME COMMAND...: what it says is shown when it fails.
check() {
    local name=$1
    shift
    n=$((n + 1))
    if "$@" >"$dir/said" 2>&1; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        sed 's/^/# /' "$dir/said"
    fi
}

installed() { DESTDIR=$dir/root "$meson" install -C "$build" --no-rebuild --quiet; }
check "make install puts it under DESTDIR" installed
pc=$(find "$dir/root" -name libkith.pc)
lib=$(dirname "$(dirname "$pc")")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR=$dir/root

# compiled PROGRAM [PKG_CONFIG_OPTION]
compiled() {
    local flags
    flags=$(pkg-config "${@:2}" --cflags --libs libkith) || return
    # a static program takes libkith.a, while all else may come as it is
    [ $# -lt 2 ] || flags=${flags/-lkith/-l:libkith.a}
    # shellcheck disable=SC2086 # these are words
    "$cc" -Wall -Wextra -Werror "$example" $flags ${2:+${library_path:+-L$library_path}} -o "$dir/$1"
}
# ran PROGRAM: three replies and a result.
ran() {
    local out
    mkdir "$dir/$1.state" && out=$(LD_LIBRARY_PATH=$lib timeout 60 "$dir/$1" "$dir/$1.state") || return
    echo "$out"
    [ "$(grep -c '"lost":false' <<<"$out")" = 3 ] && grep -q '"name":"laptop"' <<<"$out"
}
needs() { readelf -d "$dir/$1" | grep -q 'NEEDED.*libkith\.so'; }
lacks() { ! needs "$1"; }

check "pkg-config finds it" pkg-config --exists libkith
check "the example compiles with the shared library" compiled shared
check "it is linked with the shared library" needs shared
check "it runs" ran shared
check "the example compiles with the static library" compiled static --static
check "it is linked without the shared library" lacks static
check "it runs with the static library" ran static
echo "1..$n"

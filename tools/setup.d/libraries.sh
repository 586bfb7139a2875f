# shellcheck shell=bash disable=SC2154 # its variables come from tools/setup
# Ways 2 and 3 of tools/setup, which sources this file: OpenSSL and ngtcp2 into .deps/root.
#
# Everything apt does here happens with its own lists, caches and source list under .deps/apt, so
# the machine's package state is read (architecture, proxy, keys) and never written. apt checks the
# archive's signatures as it always does.

apt_private() {
    local tool=$1 sources=$2
    shift 2
    "$tool" -q -o Dir::Etc::sourcelist="$sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::Lists="$deps/apt/lists" -o Dir::Cache="$deps/apt/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
        -o APT::Update::Error-Mode=any "$@"
}

# Reads the lists of suite $2 (of type $1: deb or deb-src). Prints the source list's path.
read_suite() {
    local sources=$deps/apt/$1-$2.sources
    mkdir -p "$deps/apt/lists/partial" "$deps/apt/cache/archives/partial"
    tools/setup.d/private-sources "$1" "$2" >"$sources" || {
        say "this machine's package sources name no Debian archive to derive a private list from" >&2
        return 1
    }
    apt_private apt-get "$sources" update >>"$log" 2>&1 || {
        say "the Debian suite $2 can't be read (offline, or the mirror doesn't carry it)" >&2
        return 1
    }
    printf '%s\n' "$sources"
}

# Downloads the named packages from a suite and unpacks them into .deps/tmp/NAME.
#   unpack NAME MIN-VERSION SUITE PACKAGE...
unpack() {
    local name=$1 min=$2 suite=$3 sources file version
    shift 3
    sources=$(read_suite deb "$suite") || return 1
    rm -rf "$deps/tmp/$name" && mkdir -p "$deps/tmp/$name/root"
    (cd "$deps/tmp/$name" && apt_private apt-get "$sources" download "${@/%//$suite}") >>"$log" 2>&1 || {
        say "$* can't be downloaded from $suite" >&2
        return 1
    }
    for file in "$deps/tmp/$name"/*.deb; do
        version=$(dpkg-deb -f "$file" Version)
        if dpkg --compare-versions "$version" lt "$min"; then
            say "${file##*/} is older than $min" >&2
            return 1
        fi
        dpkg-deb -x "$file" "$deps/tmp/$name/root"
    done
    say "$name ${version%%-*} from Debian's $suite, static, in .deps/"
}

# Puts an unpacked tree into .deps/root: headers, archives, and .pc files that say where they lie
# now. The links to shared libraries lead nowhere and go. What an archive needs privately is
# always needed here, as there is no shared library to bring it along.
adopt() {
    local from=$deps/tmp/$1/root/usr root=$deps/root multiarch pc
    multiarch=$(gcc -print-multiarch)
    mkdir -p "$root/lib/pkgconfig" "$root/include"
    cp -R "$from/include/." "$root/include/"
    if [ -d "$root/include/$multiarch" ]; then
        cp -R "$root/include/$multiarch/." "$root/include/" && rm -r "${root:?}/include/$multiarch"
    fi
    cp "$from/lib/$multiarch/"*.a "$root/lib/"
    for pc in "$from/lib/$multiarch/pkgconfig/"*.pc; do
        # shellcheck disable=SC2016 # pkg-config's variables, not the shell's
        sed -e 's|^prefix=.*|prefix=${pcfiledir}/../..|' -e 's|^libdir=.*|libdir=${prefix}/lib|' \
            -e 's|^includedir=.*|includedir=${prefix}/include|' \
            -e 's|^Requires.private:|Requires:|' -e '/^Libs:/d' "$pc" >"$root/lib/pkgconfig/${pc##*/}"
        # One Libs line, the private ones behind the public ones.
        awk '/^Libs:/ { sub(/^Libs:/, ""); a = $0 } /^Libs.private:/ { sub(/^Libs.private:/, ""); b = $0 }
             END { if (a != "") print "Libs:" a b }' "$pc" >>"$root/lib/pkgconfig/${pc##*/}"
        sed -i '/^Libs.private:/d' "$root/lib/pkgconfig/${pc##*/}"
    done
}

# Tries the suites in turn.
#   from_packages NAME MIN-VERSION "SUITES" PACKAGE...
from_packages() {
    local name=$1 min=$2 suites=$3 suite
    shift 3
    for suite in $suites; do
        if unpack "$name" "$min" "$suite" "$@"; then
            adopt "$name"
            return 0
        fi
    done
    return 1
}

# The archives were built against a newer C library than this machine may have. Links all of them,
# whole, with the small file that supplies what older C libraries lack, and names what is missing.
check_symbols() {
    local root=$deps/root missing
    local archives=("$root"/lib/*.a)
    printf 'int main(void) { return 0; }\n' >"$deps/tmp/empty.c"
    # An older system OpenSSL must not fill in for ours, but a system OpenSSL that is new enough
    # stands beside a static ngtcp2.
    local beside=(-lz -lzstd -ldl -pthread)
    [ $want_openssl = yes ] || beside+=(-lssl -lcrypto)
    if gcc -o "$deps/tmp/empty" "$deps/tmp/empty.c" src/os/compat/isoc23.c \
        -Wl,--whole-archive "${archives[@]}" -Wl,--no-whole-archive "${beside[@]}" 2>"$deps/tmp/link.log"; then
        return 0
    fi
    missing=$(sed -n "s/.*undefined reference to [\`'\"]\([^'\"]*\)['\"].*/\1/p" "$deps/tmp/link.log" | sort -u)
    if [ -n "$missing" ]; then
        say "the unpacked libraries need what this machine's C library lacks:" >&2
        printf '    %s\n' $missing >&2
        say "where a one-line substitute is possible, add it to src/os/compat/isoc23.c" >&2
    else
        tail -n 5 "$deps/tmp/link.log" >&2
    fi
    return 1
}

# Way 2.
fetch_packages() {
    say "OpenSSL >= $openssl_min or ngtcp2 >= $ngtcp2_min is not among this system's packages; fetching"
    if [ $want_openssl = yes ]; then
        from_packages openssl $openssl_min "$openssl_suites" libssl-dev || return 1
    fi
    if [ $want_ngtcp2 = yes ]; then
        from_packages ngtcp2 $ngtcp2_min "$ngtcp2_suites" libngtcp2-dev libngtcp2-crypto-ossl-dev || return 1
    fi
    check_symbols
}

# Unpacks a source package from the first suite that has it; prints the directory.
#   source_of PACKAGE "SUITES"
source_of() {
    local package=$1 suites=$2 suite sources
    for suite in $suites; do
        sources=$(read_suite deb-src "$suite") || continue
        rm -rf "$deps/tmp/$package-src" && mkdir -p "$deps/tmp/$package-src"
        if (cd "$deps/tmp/$package-src" &&
            apt_private apt-get "$sources" source --only-source "$package/$suite") >>"$log" 2>&1; then
            find "$deps/tmp/$package-src" -mindepth 1 -maxdepth 1 -type d
            return 0
        fi
        say "the mirror doesn't carry the source of $package in $suite" >&2
    done
    return 1
}

build_openssl() {
    local src
    src=$(source_of openssl "$openssl_suites") || return 1
    say "building OpenSSL from Debian's source (about 4 minutes)"
    (cd "$src" && ./Configure --prefix="$deps/root" --libdir=lib --openssldir=/usr/lib/ssl \
        no-shared no-tests no-docs no-apps no-module &&
        make -j"$(nproc)" build_sw && make install_dev) >>"$log" 2>&1
}

build_ngtcp2() {
    local src
    src=$(source_of ngtcp2 "$ngtcp2_suites") || return 1
    say "building ngtcp2 from Debian's source"
    (cd "$src" && PKG_CONFIG_PATH=$deps/root/lib/pkgconfig cmake -S . -B build -G Ninja \
        -DCMAKE_INSTALL_PREFIX="$deps/root" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DCMAKE_PREFIX_PATH="$deps/root" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
        -DENABLE_LIB_ONLY=ON -DENABLE_OPENSSL=ON -DENABLE_SHARED_LIB=OFF -DENABLE_STATIC_LIB=ON &&
        ninja -C build install) >>"$log" 2>&1
}

# Way 3.
build_sources() {
    # Before anything is installed for it: can sources be had at all?
    local suite readable=no
    for suite in $openssl_suites $ngtcp2_suites; do
        read_suite deb-src "$suite" >/dev/null && readable=yes && break
    done
    [ $readable = yes ] || return 1
    install_packages dpkg-dev cmake make perl
    rm -rf "$deps/root"
    [ $want_openssl = no ] || build_openssl || return 1
    [ $want_ngtcp2 = no ] || build_ngtcp2 || return 1
}

fetch_libraries() {
    mkdir -p "$deps/tmp"
    : >"$log"
    if [ "${KITH_SETUP_WAY:-2}" = 3 ] || ! fetch_packages; then
        say "trying Debian's source packages"
        build_sources || die "OpenSSL >= $openssl_min and ngtcp2 >= $ngtcp2_min could not be had." \
            "The log is $log; its last lines:" "$(tail -n 5 "$log")" \
            "If this machine is offline, connect it once. Otherwise:" "$(requirements)"
    fi
    rm -rf "$deps/tmp" "$deps/apt"
}

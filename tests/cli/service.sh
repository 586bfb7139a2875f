#!/bin/bash
# The systemd unit, judged by systemd itself where it is installed. Prints TAP.
#
#   service.sh KITH UNIT
set -u
kith=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unit=$dir/kith.service # as installed, but for where the program is
sed "s#^ExecStart=[^ ]*#ExecStart=$kith#" "$2" >"$unit"
n=0

# silent NAME COMMAND...: it succeeds and prints nothing.
silent() {
    local name=$1 got status
    shift
    got=$("$@" 2>&1)
    status=$?
    n=$((n + 1))
    if [ $status = 0 ] && [ -z "$got" ]; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        echo "exit code $status: $got" | sed 's/^/# /'
    fi
}

# The table is for people; what is printed beside it are complaints.
exposed_at_most() { systemd-analyze security --offline=yes --threshold="$1" --no-pager "$unit" >"$dir/table"; }
only_capability() {
    local name
    for name in AmbientCapabilities CapabilityBoundingSet; do
        grep -qx "$name=CAP_NET_ADMIN" "$unit" || return
    done
}

confined() { grep -qx "Environment=KITH_NODE_CONFINE=true" "$unit" && grep -qx "LimitCORE=0" "$unit"; }

silent "its_one_capability_is_NET_ADMIN" only_capability
silent "its_node_is_confined_and_leaves_no_core_dump" confined
if systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
    silent "systemd_knows_every_line_of_the_unit" systemd-analyze verify --man=no "$unit"
    silent "its_exposure_is_at_most_2.5_of_10" exposed_at_most 25
else
    for name in systemd_knows_every_line_of_the_unit its_exposure_is_at_most_2.5_of_10; do
        n=$((n + 1))
        echo "ok $n - $name # SKIP no systemd-analyze 250 or later"
    done
fi
echo "1..$n"

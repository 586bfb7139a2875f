#!/usr/bin/env bash
# Confined nodes (node.confine) do everything that nodes do; what they gave up is gone.
#
#       laptop        desktop         phone          tablet
#    192.0.2.1      192.0.2.2       192.0.2.3       192.0.2.4
#         |              |               |               |
#     ====+===== lan ====+===============+===============+====
#
# The desktop makes the network, the laptop joins and moves, the phone joins and is revoked. The
# tablet's node runs as a service's user does, with one capability.

KITH_LAB_CONFINE=1
export KITH_LAB_CONFINE
# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop phone tablet
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
plug phone lan 192.0.2.3/24 2001:db8::3/64
plug tablet lan 192.0.2.4/24 2001:db8::4/64

# watched [LINE]...: the configuration: monitored, and these lines.
watched() {
    printf '%s\n' '[monitoring]' 'metrics_addr = "127.0.0.1:9090"' 'health_addr = "[::1]:9091"' "$@" >"$lab/kith.toml"
}
watched

says() { grep -q -- "$2" <<<"$(on "$1" kith logs -n 200 --level debug)"; }
filtered() { grep -qx 'Seccomp:[[:space:]]*2' "/proc/$(node_pid "$1")/status"; }
no_privileges() { grep -qx 'NoNewPrivs:[[:space:]]*1' "/proc/$(node_pid "$1")/status"; }

if ! on desktop kith up >/dev/null 2>&1; then # a sanitizer needs what is forbidden
    check "a build that cannot be confined says why" refused 1 "sanitizer" on desktop kith up
    lab_leave
    exit
fi
on desktop kith down
network desktop laptop phone
check "a node says that it is confined" says desktop confined
check "the kernel filters its calls" filtered desktop
check "nothing it starts could have more rights" no_privileges desktop

# ---- what a node does ----

check "members reach each other" reaches_both_ways laptop desktop
check "and over IPv6" reaches_both_ways laptop phone
secret="correct horse battery staple"
check "a backup is written (the slow way from a passphrase to a key)" \
    on desktop sh -c "echo '$secret' >\"\$HOME/pass\" && kith network backup \"\$HOME/home.backup\" --passphrase-file \"\$HOME/pass\""
check "a second network is made" on desktop kith network create second
check "how much memory it takes can be asked" on desktop kith status

watched '[vpn]' 'inbound = "deny"'
kill -HUP "$(node_pid desktop)"
denies() { [ "$(on desktop kith --json config show | json '[o["value"] for o in j["options"] if o["name"] == "vpn.inbound"][0]')" = deny ]; }
soon 1 "a changed configuration is read again" denies
check "and counts" reaches_not laptop desktop
watched
kill -HUP "$(node_pid desktop)"
soon 1 "and taken back" reaches laptop desktop

address laptop 192.0.2.77/24
soon 3 "a machine moves to another address" reaches_both_ways laptop desktop
address desktop 192.0.2.78/24
soon 3 "the other one, too" reaches_both_ways laptop desktop
check "it still knows where it can be reached" on desktop kith invite --network home
cut laptop.eth0
mend laptop.eth0
soon 5 "a cable is pulled and put back" reaches_both_ways laptop desktop

check "a member is revoked" on desktop kith revoke phone --network home
soon 2 "and its session ends" connected_not desktop phone

# ---- watched over HTTP ----

get() { on "$1" curl -sf --max-time 5 --noproxy '*' "${@:2}"; }
metrics() { get "$1" http://127.0.0.1:9090/metrics; }
health() { get "$1" 'http://[::1]:9091/health'; }
# above NAME LEAST: desktop's metric is more than that.
above() { metrics desktop | awk -v name="$1" -v least="$2" '$1 == name && $2 > least { found = 1 } END { exit !found }'; }
served() { metrics "$1" && health "$1"; }
served_not() { ! metrics "$1" && ! health "$1"; }
crowd() {
    local _
    for _ in {1..60}; do metrics desktop >/dev/null & done
    wait
    served desktop
}

check "metrics are served" above kith_members 0
check "with what it asks the kernel about itself: memory" above kith_process_resident_memory_bytes 4e6
check "and open files" above kith_process_open_fds 5
healthy='{"status":"healthy","reasons":[]}'
check "health is served" test "$(health desktop)" = "$healthy"
check "visitors may come in crowds" crowd
: >"$lab/kith.toml"
kill -HUP "$(node_pid laptop)"
soon 1 "a configuration without them is read" says laptop 'monitoring.metrics_addr'
check "and waits for a restart" served laptop
restart() { on "$1" kith down && on "$1" kith up; }
restart laptop || lab_give_up "restarting laptop"
check "which does without" served_not laptop
watched
kill -HUP "$(node_pid laptop)"
soon 1 "a configuration with them is read" says laptop 'monitoring.metrics_addr'
check "and waits for a restart, too" served_not laptop
restart laptop || lab_give_up "restarting laptop"
check "which serves them" served laptop

# ---- its interface ----

lost_and_found() { ip -n "$1" link del kith0 && eventually 3 reaches_both_ways "$1" "$2"; }
soon 5 "the laptop is back" reaches_both_ways laptop desktop
check "an interface that somebody deletes is made again" lost_and_found laptop desktop
check "and is as the metrics say" test "$(health laptop)" = "$healthy"

# As a service: another user, who may open the device, and CAP_NET_ADMIN.
one=-all,+net_admin
service=(setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set "$one" --inh-caps "$one"
    --ambient-caps "$one")
joins_home() { on desktop kith invite --network home | on "$1" kith join -; }
if mknod -m 666 "$lab/device" c 10 200 2>/dev/null; then # not in a user namespace
    mount --bind "$lab/device" /dev/net/tun
    mkdir -m 700 "$lab/tablet/state"
    chown 65534:65534 "$lab/tablet/state"
    chmod a+x "$lab"
    check "a service's user starts" on tablet "${service[@]}" kith up
    check "with one capability only" grep -qx 'CapEff:[[:space:]]*0000000000001000' "/proc/$(node_pid tablet)/status"
    check "and joins" joins_home tablet
    learn tablet
    soon 3 "and reaches others" reaches_both_ways tablet desktop
    check "its interface, too, is made again" lost_and_found tablet desktop
    on tablet kith down
fi

# ---- after the end ----

crash laptop
on laptop kith up || lab_give_up "kith up after a crash"
soon 5 "after a crash it starts again, confined" reaches_both_ways laptop desktop
check "a member leaves" on laptop kith network leave home
check "a node ends when asked" on desktop kith down
check "and leaves no socket behind" test ! -e "$lab/desktop/state/control.sock"
check "nor an open log of the database" test ! -e "$lab/desktop/state/kith.db-wal"
check "the next start finds all of it" on desktop kith up
check "both networks are there" \
    test "$(on desktop kith --json network list | json 'len(j["networks"])')" = 2

lab_leave

#!/usr/bin/env bash
# What a node tells whoever watches it: metrics for Prometheus, its health, and how it bears
# visitors that misbehave.
#
#       laptop            desktop
#    192.0.2.1          192.0.2.2
#         |                  |
#     ====+====== lan =======+====

# shellcheck source=tests/lab/lab.bash
. "$(dirname "${BASH_SOURCE[0]}")/lab.bash"
lab_enter "$@"

switch lan
host laptop desktop
plug laptop lan 192.0.2.1/24 2001:db8::1/64
plug desktop lan 192.0.2.2/24 2001:db8::2/64
cat >"$lab/kith.toml" <<'T'
[monitoring]
metrics_addr = "127.0.0.1:9090"
health_addr = "[::1]:9091"
T
metrics=http://127.0.0.1:9090/metrics
health="http://[::1]:9091/health"
network laptop desktop

get() { on "${who:-laptop}" curl -s --max-time 10 --noproxy '*' "$@"; }
# status WANTED CURL-ARGUMENT...: it is answered with this status.
status() {
    local got
    got=$(get -o /dev/null -w '%{http_code}' "${@:2}")
    echo "status $got"
    [ "$got" = "$1" ]
}
header() { get -D - -o /dev/null "${@:2}" | tr -d '\r' | grep -ix -- "$1"; }

# ---- what it tells ----

check "metrics have the type Prometheus wants" \
    header 'content-type: text/plain; version=0.0.4; charset=utf-8' "$metrics"
check "health is JSON that nobody keeps" header 'cache-control: no-store' "$health"
check "a node that is well says so" \
    test "$(get "$health" 'http://[::1]:9091/')" = '{"status":"healthy","reasons":[]}
{"status":"healthy","reasons":[]}'
check "HEAD is answered without the page" test -z "$(get -I "$metrics" | tr -d '\r' | sed '1,/^$/d')"
check "and with its length" header 'content-length: [1-9][0-9]*' -I "$metrics"

# value NAME[LABEL]: of laptop's metrics.
value() { get "$metrics" | sed -n "s/^$1 //p"; }
get "$metrics" >"$lab/before"
on laptop ping -q -c 5 -i 0.1 -s 1000 "${ip4[desktop]}" >/dev/null
on laptop ping -q -c 3 -i 0.1 -W 0.1 "${ip4[laptop]%.*}.253" >/dev/null # nobody's
get "$metrics" >"$lab/after"
cat >"$lab/compare.py" <<'P'
import sys
def read(name):
    lines = [line for line in open(name) if not line.startswith("#")]
    return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines)}
def counter(name): return name.split("{")[0].endswith("_total")
old, new = read(sys.argv[1]), read(sys.argv[2])
assert old.keys() == new.keys()
shrunk = [k for k in old if counter(k) and new[k] < old[k]]
assert not shrunk, shrunk
grown = {k: new[k] - old[k] for k in old}
assert grown["kith_vpn_sent_packets_total"] >= 5, grown
assert grown["kith_vpn_sent_bytes_total"] >= 5 * 1000
assert grown["kith_vpn_received_packets_total"] >= 5
assert grown['kith_vpn_dropped_packets_total{reason="no_route"}'] >= 3
assert new["kith_members"] == new["kith_members_connected"] == new["kith_sessions"] == 1
assert new["kith_process_resident_memory_bytes"] > 4e6
assert 5 < new["kith_process_open_fds"] < new["kith_process_max_fds"]
assert new['kith_events_total{event="node_ready"}'] == 1
P
check "traffic and drops are counted, and no counter runs back" \
    python3 "$lab/compare.py" "$lab/before" "$lab/after"

end=$(value kith_certificate_end_timestamp_seconds)
check "the certificate's end is the one that kith network list tells" \
    test "$(on laptop kith --json network list | json 'j["networks"][0]["expires"]')" = \
    "$(date -u -d "@$end" +%Y-%m-%dT%H:%M:%SZ)"
check "kith metrics shows what was dropped, and why" \
    grep -Eq '^dropped_packets no_route +[1-9]' <(on laptop kith metrics)
check "in 80 columns" test -z "$(on laptop kith metrics | awk 'length > 80')"
names() { sed -n 's/^# TYPE \(\S*\) .*/\1/p' "$lab/after" | sort; }
check "its JSON has the same metrics as the page" \
    diff <(names) <(on laptop kith --json metrics | json '"\n".join(sorted({m["name"] for m in j["metrics"]}))')

# ---- promtool ----

promtool=$top/.deps/bin/promtool
[ -x "$promtool" ] || promtool=$(command -v promtool || true)
# judged SENTENCE COMMAND...: a case for promtool, which must succeed and, "silent", say nothing.
judged() {
    if [ -n "$promtool" ]; then
        check "$@"
    else
        cases=$((cases + 1))
        echo "ok $cases - $1 # SKIP promtool is not there (tools/setup test)"
    fi
}
silent() {
    local output
    output=$("$@" 2>&1) || echo "status $?"
    echo "$output"
    [ -z "$output" ]
}
contrib=$top/contrib
# Each expression of the dashboard as a rule, with something in place of Grafana's variables.
dashboard_rules() {
    python3 - "$contrib/grafana/kith.json" <<'P'
import json, sys
print("groups:\n  - name: dashboard\n    rules:")
for panel in json.load(open(sys.argv[1]))["panels"]:
    for target in panel.get("targets", []):
        expr = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
        print(f"      - record: p{panel['id']}:{target['refId']}\n        expr: {json.dumps(expr)}")
P
}
dashboard_rules >"$lab/dashboard.yml"
judged "promtool has nothing against the metrics" silent "$promtool" check metrics <"$lab/after"
judged "nor against the alert rules" "$promtool" check rules "$contrib/prometheus/kith.rules.yml"
judged "which say what their tests expect" "$promtool" test rules "$contrib/prometheus/kith.rules.test.yml"
judged "nor against the dashboard's questions" "$promtool" check rules "$lab/dashboard.yml"

# ---- visitors that misbehave ----

check "nothing can be posted" status 405 -d x=1 "$health"
check "and it is said what can be done" header 'allow: GET, HEAD' -X DELETE "$metrics"
check "a page that there is not is not found" status 404 http://127.0.0.1:9090/health
check "a page of the web that had its name point here reads nothing" \
    status 403 -H 'Host: kith.example:9090' "$metrics"
check "localhost is no such name" status 200 -H 'Host: localhost:9090' "$metrics"
check "who speaks HTTP/1.0 without a Host is answered" status 200 -0 -H 'Host:' "$metrics"
long=$(head -c 40000 /dev/zero | tr '\0' a)
check "a header that is too long is refused" status 431 -H "X-Long: $long" "$metrics"
check "and so is an address" status 414 "$metrics?$long"

cat >"$lab/visitor.py" <<'P'
import select, socket, sys, time
def visit(source="127.0.0.1"):
    s = socket.socket()
    s.bind((source, 0))
    s.connect(("127.0.0.1", 9090))
    return s
def is_open(s):
    if not select.select([s], [], [], 0)[0]: return True
    try: return s.recv(1) != b""
    except ConnectionError: return False
def ended_after(s, byte, every):
    start = time.monotonic()
    while is_open(s):
        try: byte and s.send(byte)
        except OSError: break
        select.select([s], [], [], every)
        if time.monotonic() - start > 60: sys.exit("open after a minute")
    return time.monotonic() - start
what = sys.argv[1]
if what == "silent": took = ended_after(visit(), b"", 30); sys.exit(not 4 < took < 5 + 5)
if what == "trickling": took = ended_after(visit(), b"a", 0.5); sys.exit(not 8 < took < 10 + 5)
if what == "garbage":
    s = visit(); s.send(bytes(range(256)) * 20); sys.exit(not ended_after(s, b"", 1) < 10)
if what == "hold":
    per, sources = int(sys.argv[2]), sys.argv[3:]
    held = [visit(source) for source in sources for _ in range(per)]
    deadline = time.monotonic() + 3
    most = 4 * len(sources) if len(sources) < 4 else 16
    while sum(map(is_open, held)) > most and time.monotonic() < deadline: time.sleep(0.02)
    print(sum(map(is_open, held)), flush=True)
    sys.stdin.read()
P
visitor() { on laptop python3 "$lab/visitor.py" "$@"; }
check "who says nothing is hung up on after 5 s" visitor silent
check "who says a byte now and then, after 10 s" visitor trickling
check "garbage ends its connection and nothing else" visitor garbage

# hold N SOURCE...: N connections from each address, until `let_go`; how many stay open is in $held.
hold() {
    coproc VISITOR { visitor hold "$@" 2>&1; }
    holder=$VISITOR_PID
    read -r held <&"${VISITOR[0]}"
}
let_go() {
    local to=${VISITOR[1]}
    exec {to}>&-
    wait "$holder"
}
hold 20 127.0.0.1
check "of twenty connections from one address four stay" test "$held" = 4
check "another address is served meanwhile" status 200 --interface 127.0.0.2 "$metrics"
let_go
soon 1 "when they go, their address is served again" status 200 "$metrics"
hold 4 127.0.0.{1..8}
check "of thirty-two connections from eight addresses sixteen stay" test "$held" = 16
let_go
soon 1 "when they go, everybody is served again" status 200 "$metrics"
check "the node went on meanwhile" reaches laptop desktop

# ---- where it listens ----

other() { on laptop env KITH_STATE="$lab/laptop/other" KITH_NET_LISTEN=0.0.0.0:9001 KITH_VPN_ENABLED=false "$@"; }
check "a port that another program has is told with its option" \
    refused 1 "monitoring.metrics_addr: .*127.0.0.1:9090.*in use" other kith up
check "and so is an address that the machine has not" \
    refused 1 "monitoring.health_addr: .*203.0.113.1:9091" other env KITH_MONITORING_METRICS_ADDR= \
    KITH_MONITORING_HEALTH_ADDR=203.0.113.1:9091 kith up
check "an address that is none is a mistake of the configuration" \
    refused 2 "metrics_addr must be an address and a port" other env KITH_MONITORING_METRICS_ADDR=9090 kith up
check "a node may serve everybody" other env KITH_MONITORING_METRICS_ADDR=0.0.0.0:9092 \
    KITH_MONITORING_HEALTH_ADDR= kith up
check "and warns of it" grep -q 'host .*whoever reaches 0.0.0.0:9092 can read the metrics' <(other kith logs)
who=desktop check "who reaches it by a name of its own is answered" \
    status 200 -H 'Host: laptop.lan:9092' http://192.0.2.1:9092/metrics
check "it ends" other kith down

# ---- health ----

code() { get "$health" | json '[r["code"] for r in j["reasons"]]'; }
ill() { [ "$(code)" = "['$1']" ] && get "$health" | json 'j["status"]' | grep -qx degraded && status 200 "$health"; }
# Its interface is deleted, and before it can make another somebody else has the name.
pid=$(node_pid laptop)
kill -STOP "$pid"
ip -n laptop link del kith0
ip -n laptop link add kith0 type bridge
kill -CONT "$pid"
soon 1 "without its interface it is degraded, and says why" ill tun_missing
check "which the metrics say, too" grep -Fqx 'kith_health_problem{reason="tun_missing"} 1' <(get "$metrics")
ip -n laptop link del kith0
well() { [ "$(code)" = '[]' ] && get "$health" | json 'j["status"]' | grep -qx healthy; }
soon 5 "when the name is free again it is well" well

on desktop kith down
soon 75 "a minute after the last member left it says that it is alone" ill alone
on desktop kith up >/dev/null
soon 10 "and is well when one comes back" well

# A node that stops waits half a second for the peers it says goodbye to, and this one says nothing.
pid=$(node_pid desktop)
kill -STOP "$pid"
on laptop kith down &
stops() { get "$health" | grep -q '"code":"stopping"' && status 503 "$health"; }
eventually 5 stops
check "a node that is being stopped is of no use" test $? = 0
kill -CONT "$pid"
wait $!
on laptop kith up >/dev/null
soon 10 "started again it is well once more" well

on laptop kith revoke desktop >/dev/null
revoked() { who=desktop ill membership_lost; }
soon 3 "who was revoked says so" revoked
lab_leave

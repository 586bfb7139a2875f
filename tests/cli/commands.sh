#!/bin/bash
# The program from outside: what it prints and how it ends, against a node that answers the same
# every time. Prints TAP.
#
#   commands.sh KITH FAKE_NODE KITH_WITH_FAKE DOCS
set -u
kith=$1 fake=$2 with_fake=$3 docs=$4
dir=$(mktemp -d)
node=
trap 'test -n "$node" && kill "$node" 2>/dev/null; rm -rf "$dir"' EXIT
unset KITH_STATE KITH_CONFIG XDG_STATE_HOME
export HOME=$dir/home TERM=dumb
n=0

# is NAME WANTED_CODE WANTED_OUTPUT COMMAND...: both streams and the exit code.
is() {
    local name=$1 code=$2 wanted=$3 got status
    shift 3
    got=$("$@" 2>&1 </dev/null)
    status=$?
    n=$((n + 1))
    if [ "$status" = "$code" ] && [ "$got" = "$wanted" ]; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        printf '# exit code %s, wanted %s\n' "$status" "$code"
        diff <(echo "$wanted") <(echo "$got") | sed 's/^/# /'
    fi
}

# has NAME WANTED_CODE PATTERN COMMAND...: the output has a line that matches.
has() {
    local name=$1 code=$2 pattern=$3 got status
    shift 3
    got=$("$@" 2>&1 </dev/null)
    status=$?
    n=$((n + 1))
    if [ "$status" = "$code" ] && grep -qE -- "$pattern" <<<"$got"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        printf '# exit code %s, wanted %s\n' "$status" "$code"
        sed 's/^/# /' <<<"$got"
    fi
}

# A further argument is passed on to the fake.
start() {
    "$fake" "$dir/state/control.sock" "$@" &
    node=$!
    for _ in $(seq 200); do
        test -S "$dir/state/control.sock" && return
        sleep 0.01
    done
    echo "Bail out! no fake node"
    exit 1
}

k() { "$kith" --state "$dir/state" "$@"; }
with_input() { local text=$1; shift; printf '%s' "$text" | k "$@"; }
wide() { k "$@" | awk 'length > 80 { print "too wide: " $0 }'; }

mkdir -p "$dir/state" "$HOME"

echo "# without a node"
is "no_node_ends_with_3_and_says_how_to_start_one" 3 \
    "kith: no node is running for $dir/state (start one with: kith up)" k status
is "a_relative_state_directory_is_told_as_absolute" 3 \
    "kith: no node is running for $PWD/nowhere (start one with: kith up)" "$kith" status --state nowhere
has "the_state_directory_of_the_environment_counts" 3 'for /elsewhere' \
    env KITH_STATE=/elsewhere "$kith" peers
if [ "$(id -u)" = 0 ]; then
    has "roots_state_is_var_lib_kith" 3 'for /var/lib/kith' "$kith" peers
else
    has "a_users_state_is_in_its_home" 3 "for $HOME/.local/state/kith" "$kith" peers
    has "XDG_STATE_HOME_counts" 3 "for $dir/xdg/kith" env XDG_STATE_HOME="$dir/xdg" "$kith" peers
fi
is "version_needs_no_node" 0 '{"version":"0.1.0","api":1}' k version --json
is "no_command_is_a_usage_error" 2 "$(k --help 2>&1)" "$kith"
has "unknown_command_suggests_the_nearest" 2 'did you mean: kith status\?' k statsu
has "unknown_option_suggests_the_nearest" 2 'did you mean: --count\?' k ping --cuont 3 x
has "a_missing_argument_is_named" 2 'NAME is missing' k ping
has "a_group_of_commands_lists_them_with_help" 0 '^  network admin add ' k network --help
has "help_finds_a_command" 0 '^usage: kith network create' k help network create
is "no_help_is_wider_than_80_columns" 0 "" bash -c "
    $kith --help | awk 'length > 80'
    for c in up down status id 'network create' 'network backup' invite join members services 'service add' 'service remove' ip revoke block unblock peers paths \
        ping probe 'config show' 'config check' metrics logs version help completion; do
        $kith \$c --help | awk 'length > 80'; done"

echo "# configuration"
printf '[vpn]\nmtu = 9000\n[nett]\n' >"$dir/bad.toml"
printf '[vpn]\nmtu = 1300\n' >"$dir/good.toml"
is "check_tells_file_line_and_column" 1 "$dir/bad.toml:2:7: vpn.mtu must be from 1280 to 1420
$dir/bad.toml:3:2: unknown section nett (did you mean net?)" k config check "$dir/bad.toml"
is "check_has_nothing_to_say_about_a_good_file" 0 "$dir/good.toml: no mistakes" \
    k config check "$dir/good.toml"
is "check_of_a_missing_file_fails" 1 "kith: cannot read $dir/none.toml: not found" \
    k config check "$dir/none.toml"
is "check_tells_problems_as_JSON" 1 "{\"file\":\"$dir/bad.toml\",\"problems\":[{\"where\":\
\"$dir/bad.toml\",\"line\":2,\"column\":7,\"problem\":\"vpn.mtu must be from 1280 to 1420\"},{\"where\":\
\"$dir/bad.toml\",\"line\":3,\"column\":2,\"problem\":\"unknown section nett (did you mean net?)\"}]}" \
    k config check "$dir/bad.toml" --json
has "show_names_the_file" 0 "vpn.mtu +1300 +$dir/good.toml:2:7" k config show --config "$dir/good.toml"
has "show_names_the_variable" 0 'vpn.mtu +1310 +KITH_VPN_MTU' \
    env KITH_VPN_MTU=1310 "$kith" --state "$dir/state" --config "$dir/good.toml" config show
has "KITH_CONFIG_names_a_file" 0 "vpn.mtu +1300" \
    env KITH_CONFIG="$dir/good.toml" "$kith" --state "$dir/state" config show
mkdir -p "$HOME/.config/kith" && cp "$dir/good.toml" "$HOME/.config/kith/kith.toml"
test -e /etc/kith/kith.toml ||
    has "the_users_file_is_found" 0 "vpn.mtu +1300 +$HOME/.config" k config show
has "up_refuses_a_bad_file_before_anything_starts" 2 'bad.toml:2:7' k up --config "$dir/bad.toml"
has "up_refuses_a_bad_flag_by_its_name" 2 '^kith: --listen: net.listen must be' k up --listen 9000

echo "# with a node"
start
is "up_succeeds_when_a_node_runs_already" 0 "$(printf 'a node is running already for %s\ninbound   allow (members may connect to this machine)' "$dir/state")" k up
has "status_shows_the_peer_id" 0 '^peer id   abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst$' k status
is "status_as_JSON_is_the_methods_result" 0 '{"peer_id":"abcdefghijklmnopqrstuvwxyz234567abcdefghijklmn'\
'opqrst","version":"0.1.0","uptime_s":3725,"state_dir":"/state","listen":["0.0.0.0:9000","[::]:9000"],'\
'"networks":[{"name":"home","id":"abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst","ipv4":'\
'"100.71.0.1","ipv6":"fd12:3456:789a:0:1234:5678:9abc:def0","members":2,"standing":"member"}],"sessions":1,"direct":1,"relayed":0,"multi_hop":0,"tun":"kith0",'\
'"tun_trouble":null,"inbound":"allow"}' \
    k --json status
is "status_says_how_the_sessions_go" 0 'sessions  1 (1 direct, 0 relayed, 0 multi-hop)' \
    bash -c "'$kith' --state '$dir/state' status | grep sessions"
is "id_prints_the_id_alone" 0 abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst k id
is "network_create_tells_the_addresses" 0 'home: this node is 100.71.0.1 and fd12::1' k network create home
has "an_error_shows_its_remedy_and_its_exit_code" 4 '^      run it as root$' k network create root
has "a_name_that_is_none_is_a_usage_error" 2 'param name must be a name' k network create 'a b'
is "network_list_lines_up" 0 'NETWORK  ID        RANGE          IPV4        MEMBERS  ROLE
home     abcdefgh  100.71.0.0/16  100.71.0.1        2  root' k network list
is "leave_is_quiet" 0 '' k network leave home
is "admin_add_is_quiet" 0 '' k network admin add desktop
is "admin_remove_is_quiet" 0 '' k network admin remove desktop --network home
is "revoke_is_quiet" 0 '' k revoke desktop
is "invite_prints_the_ticket_and_nothing_else" 0 kith1ticketticketticket \
    k invite --name laptop --group ops --group dev --expires 24h --uses 3
is "who_is_no_admin_gets_1" 1 'kith: this node is no admin of other' k invite --network other
has "a_bad_duration_is_a_usage_error" 2 'as in 90s' k invite --expires tomorrow
is "a_duration_out_of_bounds_is_told_with_them" 2 'kith: --expires must be from 1m to 365d' k invite --expires 5s
is "a_number_out_of_bounds_is_told_with_them" 2 'kith: --uses must be from 1 to 10000' k invite --uses 0
is "an_empty_ticket_is_a_usage_error" 2 'kith: the ticket is empty' k join ''
has "a_qr_code_is_drawn" 0 '█' k invite --qr
is "join_tells_name_and_addresses" 0 'joined home as laptop: 100.71.0.3 and fd12::3' \
    k join kith1ticketticketticket
is "join_reads_the_ticket_from_standard_input" 0 'joined home as laptop: 100.71.0.3 and fd12::3' \
    with_input $'\n kith1ticketticketticket\r\n' join -
has "join_without_a_ticket_on_standard_input_fails" 1 'no ticket' with_input '' join -
has "members_are_a_table" 0 '^home     desktop .* 100.71.0.2  zyxwvuts  member  ops,dev  connected$' k members
is "members_fit_80_columns" 0 '' wide members
is "services_are_a_table" 0 \
'NETWORK  MEMBER   SERVICE  DESTINATION                 STATE      ABOUT
home     desktop  files    jgcvaoz3fgo3djqygofzfdrxzy  connected  photographs ..
home     laptop   ssh      lcncrkgrqm5sb6sqs7o2v7ccpa  this node  -' k services
is "services_fit_80_columns" 0 '' wide services
is "a_service_added_tells_its_destination" 0 jgcvaoz3fgo3djqygofzfdrxzy k service add files photographs
is "service_remove_is_quiet" 0 '' k service remove files
has "a_service_needs_a_name" 2 'SERVICE is missing' k service add
is "block_is_quiet" 0 '' k block desktop
is "unblock_says_when_there_was_nothing_to_do" 0 'desktop is not blocked' k unblock desktop --network home
is "block_as_JSON_is_the_methods_result" 0 '{"name":"desktop","peer_id":"zyxwvutsrqponmlkjihgfedcba765432zyxwvutsrqponmlkjihg",'\
'"since":"2026-11-20T18:31:00Z","changed":true}' k block desktop --json
is "block_lists_with_whole_ids" 0 \
'NAME            ID                                                    SINCE
a-member-wit..  abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst  2026-11-20
?               zyxwvutsrqponmlkjihgfedcba765432zyxwvutsrqponmlkjihg  2026-11-19' k block
is "the_blocked_fit_80_columns" 0 '' wide block
has "the_blocked_as_JSON_are_the_methods_result" 0 '^\{"blocked":\[\{"name":"a-member-' k block --json
has "unblock_needs_a_peer" 2 'PEER is missing' k unblock
is "ip_prints_one_address" 0 100.71.0.2 k ip desktop
is "ip_prints_the_other_address" 0 fd12::2 k ip -6 desktop
is "an_unknown_name_fails" 1 'kith: there is no member nobody' k ip nobody
is "peers_lines_up_and_fits" 0 \
'NAME     ID        ROUTE                             RTT  LOSS  SENT  RECV   FOR
desktop  zyxwvuts  direct udp [2001:db8:1111:..  12.3 ms  1.5%  1.2M   999  1d2h
?        abcdefgh  relay via gateway                   -  0.0%     0   12k    7s' k peers
is "peers_fit_80_columns" 0 '' wide peers
is "paths_are_a_table_of_one_row_a_way" 0 \
'NAME      VIA       HOPS       RTT   LOSS  RATE     AGE  EXPIRES     DESTINATION
desktop   direct       1   0.42 ms   0.0%  1.0G      2s  2026-12-20  jgcvaoz3
a-memb..  a-gate..     2  12346 ms   100%  4.1M  59m59s  2026-12-20  lcncrkgr
a-memb..  zyxwvuts    64         -  10.0%     -    3m0s  2026-12-20  lcncrkgr
?         desktop      3   20.5 ms   1.5%   67M    1m1s  2026-12-20  zzncrkgr' k paths
is "paths_fit_80_columns" 0 '' wide paths
has "paths_as_JSON_are_the_methods_result" 0 \
    '^\{"paths":\[\{"network":"home","destination":"jgcvaoz3fgo3djqygofzfdrxzy","member":"desktop",' k paths --json
is "paths_of_a_network_that_is_not_there_fail" 1 'kith: this node is in no network named work' \
    k paths --network work
is "paths_to_one_are_told_alone" 0 \
'NAME     VIA     HOPS      RTT  LOSS  RATE  AGE  EXPIRES     DESTINATION
desktop  direct     1  0.42 ms  0.0%  1.0G   2s  2026-12-20  jgcvaoz3' k paths desktop
has "paths_to_one_as_JSON_are_the_methods_result" 0 '^\{"paths":\[\{[^{]*"desktop"[^{]*\}\]\}$' k paths desktop --json
is "no_ways_are_told_in_a_sentence_beside_the_empty_table" 0 \
'NAME  VIA  HOPS  RTT  LOSS  RATE  AGE  EXPIRES  DESTINATION
no way to phone is known; kith peers lists the sessions there are' k paths phone
is "no_ways_leave_standard_output_to_the_table" 0 \
    'NAME  VIA  HOPS  RTT  LOSS  RATE  AGE  EXPIRES  DESTINATION' bash -c "$kith --state $dir/state paths phone 2>/dev/null"
is "no_ways_as_JSON_are_an_empty_list" 0 '{"paths":[]}' k paths phone --json
is "paths_to_nobody_fail" 1 'kith: there is no member nobody' k paths nobody
is "paths_to_an_unknown_destination_fail_and_say_what_to_do" 1 \
'kith: nobody has the destination lcncrkgrqm5sb6sqs7o2v7ccpa
      look at kith services' k paths lcncrkgrqm5sb6sqs7o2v7ccpa
has "paths_are_to_one_or_to_all" 2 'one argument too many: phone' k paths desktop phone
is "ping_names_the_route_of_each_reply" 0 \
'reply from desktop (100.71.0.2): direct udp 192.0.2.7:9000 time=1.25 ms
no reply from desktop (100.71.0.2)
2 sent, 1 received, 50% lost; min/avg/max 1.25 ms / 1.25 ms / 1.25 ms' k ping desktop -c 2 -i 0.2
is "ping_as_JSON_has_replies_and_a_summary" 0 \
'{"replies":[{"seq":1,"lost":false,"address":"100.71.0.2","route":"direct udp 192.0.2.7:9000","rtt_ms":1.25},'\
'{"seq":2,"lost":true,"address":"100.71.0.2","route":null,"rtt_ms":null}],"summary":{"name":"desktop",'\
'"address":"100.71.0.2","sent":2,"received":1,"loss":0.5,"min_ms":1.25,"avg_ms":1.25,"max_ms":1.25}}' \
    k ping desktop --json
is "ping_until_direct_ends_with_the_first_direct_reply" 0 \
'reply from phone (100.71.0.4): relay via desktop time=2.50 ms
no reply from phone (100.71.0.4)
reply from phone (100.71.0.4): direct udp 192.0.2.9:9000 time=2.50 ms
3 sent, 2 received, 33% lost; min/avg/max 2.50 ms / 2.50 ms / 2.50 ms' k ping phone --until-direct
is "ping_until_direct_as_JSON_has_the_replies_until_then" 0 \
'{"replies":[{"seq":1,"lost":false,"address":"100.71.0.2","route":"direct udp 192.0.2.7:9000","rtt_ms":1.25}],'\
'"summary":{"name":"desktop","address":"100.71.0.2","sent":1,"received":1,"loss":0.0,"min_ms":1.25,"avg_ms":1.25,'\
'"max_ms":1.25}}' k ping desktop --until-direct --json
has "ping_until_direct_fails_when_none_was_direct" 1 'reply from tablet .*: mesh 3 hops' k ping tablet --until-direct -c 2
is "ping_until_direct_goes_on_as_long_as_may_be" 1 'kith: asked 100000 times' k ping counted --until-direct
is "ping_until_direct_stops_after_the_count_given" 1 'kith: asked 3 times' k ping counted --until-direct -c 3
has "without_until_direct_any_reply_is_a_success" 0 'reply from tablet .*: mesh 3 hops' k ping tablet -c 2
has "a_bad_interval_is_a_usage_error" 2 'seconds' k ping desktop -i soon
is "probe_says_whom_it_asks_and_how_far_each_answer_came" 0 \
'probing desktop (kith), destination k4x3cvaoz3fgo3djqygofzfdrx
1: relay via phone, 2 hops, 12.1 ms
2: lost
3: direct udp 192.0.2.7:9000, 1 hop, 1.25 ms
3 sent, 2 answered by zyxwvuts, 33% lost;
  min/avg/max 1.25 ms / 6.67 ms / 12.1 ms' k probe desktop
is "probe_of_a_service_says_which_one" 0 \
'probing a-member-with-a-name-that-is-far-longer-than-most-names-are-0123
  (a-member-with-a-name-that-is-far-longer-than-most-names-are-0123),
  destination k4x3cvaoz3fgo3djqygofzfdrx
1: mesh via a-member-with-a-name-that-is-far-longer-than-most-names-are-0123,
  5000 ms
100000: direct udp [2001:db8:1111:2222:3333:4444:5555:6666]:65535,
  1 hop, 1000 ms
2 sent, 2 answered by zyxwvuts, 0% lost; min/avg/max 1000 ms / 3000 ms / 5000 ms' \
    k probe k4x3cvaoz3fgo3djqygofzfdrx
is "probe_fits_80_columns" 0 '' wide probe k4x3cvaoz3fgo3djqygofzfdrx
is "a_probe_that_nobody_answers_fails" 1 \
'probing phone (kith), destination k4x3cvaoz3fgo3djqygofzfdrx
1: lost
1 sent, 0 answered, 100% lost' k probe phone
target='"destination":"k4x3cvaoz3fgo3djqygofzfdrx","service":"kith","name":"desktop",'\
'"peer_id":"zyxwvutsrqponmlkjihgfedcba765432zyxwvutsrqponmlkjihg","address":"100.71.0.2"'
is "probe_as_JSON_has_replies_and_a_summary" 0 \
'{"replies":[{"seq":1,"lost":false,"route":"relay via phone","hops":2,"rtt_ms":12.1,'"$target"'},'\
'{"seq":2,"lost":true,"route":null,"hops":null,"rtt_ms":null,'"$target"'},'\
'{"seq":3,"lost":false,"route":"direct udp 192.0.2.7:9000","hops":1,"rtt_ms":1.25,'"$target"'}],'\
'"summary":{'"$target"',"sent":3,"received":2,"loss":0.25,"min_ms":1.25,"avg_ms":6.5,"max_ms":12.1}}' \
    k probe desktop --json
interrupted() { timeout --preserve-status -s INT 0.5 "$kith" --state "$dir/state" "$@"; }
has "a_probe_that_is_interrupted_sums_up_what_came" 0 \
    '^\{"replies":\[\{"seq":1,.*\],"summary":\{'"$target"',"sent":3,"received":2,"loss":0\.33.*,"min_ms":1.25,"avg_ms":6\.67' \
    interrupted probe server --json
has "an_interrupted_probe_says_who_answered" 0 '^3 sent, 2 answered by zyxwvuts, 33% lost;$' interrupted probe server
has "a_probe_as_JSON_that_nobody_answers_fails" 1 '^\{"replies":\[\{"seq":1,"lost":true,' k probe phone --json
is "a_probe_of_nobody_fails" 1 'kith: there is no member nobody' k probe nobody
is "a_probe_of_an_unknown_destination_fails_and_says_what_to_do" 1 \
'kith: nobody has the destination lcncrkgrqm5sb6sqs7o2v7ccpa
      look at kith services' k probe lcncrkgrqm5sb6sqs7o2v7ccpa
is "probe_leaves_count_and_interval_to_the_node" 1 'kith: asked 3 times, 1000 ms apart, in home' k probe counted
is "probe_passes_on_what_is_given" 1 'kith: asked 7 times, 200 ms apart, in work' \
    k probe counted -c 7 -i 0.2 --network work
has "a_probe_needs_somebody" 2 'NAME\|DEST is missing' k probe
has "a_bad_count_of_a_probe_is_a_usage_error" 2 '-c must be from 1 to 100000' k probe desktop -c 0
has "a_count_of_a_probe_is_a_whole_number" 2 '-c must be a whole number, not "many"' k probe desktop -c many
has "a_bad_interval_of_a_probe_is_a_usage_error" 2 'seconds' k probe desktop -i soon
is "an_empty_destination_is_refused_by_the_node" 2 \
    'kith: param destination must have 1 to 140 bytes' k probe ''
has "config_show_asks_the_node" 0 'vpn.mtu  1300   /etc/kith/kith.toml:2:7' k config show
is "logs_are_lines" 0 '2026-11-20T18:31:00Z  info   ready, this is abcdefgh
2026-11-20T18:31:01Z  peer   refused 192.0.2.9:9000: it does not speak kith/1' k logs
has "followed_logs_end_with_ctrl_c_and_succeed" 0 'node_ready' \
    timeout --preserve-status -s INT 0.5 "$kith" --state "$dir/state" logs -f --json
is "metrics_are_tables_by_group_without_labels_that_are_0" 0 \
'PROCESS                 VALUE  ABOUT
resident_memory_bytes     12M  memory in RAM
cpu_seconds            1.50 s  processor time used
open_fds                    -  file descriptors open

NODE                                              VALUE  ABOUT
certificate_end_timestamp_seconds  2026-11-20T18:31:00Z  when the first of thi..

VPN                       VALUE  ABOUT
dropped_packets no_route      7  packets that went no further, and why' k metrics
has "metrics_as_JSON_are_the_methods_result" 0 '^\{"metrics":\[\{"name":"kith_process_resident_memory_bytes",' \
    k metrics --json
is "names_for_completion" 0 home k names networks

echo "# backup"
with_input $'correct horse\n' network backup "$dir/backup" >/dev/null
is "a_backup_is_for_its_owner_only" 0 600 stat -c %a "$dir/backup"
is "a_backup_has_lines_of_64_characters" 0 64 awk 'length > m { m = length } END { print m }' "$dir/backup"
has "an_existing_file_is_not_overwritten" 1 'exists already' \
    with_input $'correct horse\n' network backup "$dir/backup"
has "a_short_passphrase_is_refused" 1 'at least 8 bytes' with_input $'short\n' network backup "$dir/b2"
is "a_prompt_that_is_interrupted_gives_the_terminal_back" 0 'echo on, ended by 2' \
    python3 "$(dirname "$0")/interrupted_prompt.py" assphrase "$kith" --state "$dir/state" network backup "$dir/b2"
is "a_refused_backup_leaves_no_file" 1 '' test -e "$dir/b2"
has "restore_takes_the_same_file_and_passphrase" 0 '^home: this node is' \
    with_input $'correct+horse\n' network restore <(sed 's/correct horse/correct+horse/' "$dir/backup")
has "a_wrong_passphrase_fails" 1 'passphrase is wrong' \
    with_input $'battery staple\n' network restore "$dir/backup"

echo "# the end"
is "down_returns_when_the_node_has_ended" 0 '{"uptime_s":3725}' k down --json
is "after_down_the_process_is_gone" 1 "" test -e "/proc/$node/exe"
wait "$node" 2>/dev/null
has "down_without_a_node_ends_with_3" 3 'no node is running' k down
start --refuse
has "who_may_not_ends_with_4" 4 'may not call status' k status
kill "$node"
wait "$node" 2>/dev/null
rm -f "$dir/state/control.sock"
if [ "$(id -u)" != 0 ]; then
    start
    chmod 000 "$dir/state/control.sock"
    has "a_closed_socket_ends_with_4_and_a_remedy" 4 'usermod' k status
    kill "$node"
    wait "$node" 2>/dev/null
fi
node=

echo "# starting"
mkdir -p "$dir/up"
u() { "$with_fake" --state "$dir/up" "$@"; }
has "a_failed_start_tells_why_and_the_remedy" 4 '^      set the capability$' u up --tun fail
is "a_node_that_dies_at_the_start_is_told" 1 'kith: the node ended before it was ready' u up --tun die
is "id_without_a_node_makes_one" 0 "$(printf 'a%.0s' $(seq 52))" u id
is "a_damaged_identity_fails" 1 'kith: identity.pem is damaged' "$with_fake" --state "$dir/broken" id
is "up_returns_when_the_node_answers" 0 'inbound   allow (members may connect to this machine)' u up
has "then_it_answers" 0 '^sessions  1 ' u status
is "up_again_succeeds" 0 "{\"already\":true,\"state_dir\":\"$dir/up\"}" u up --json
pid=$(pgrep -nf "kith_with_fake --state $dir/up up")
is "the_node_holds_no_descriptor_of_the_terminal" 0 $'/dev/null\n/dev/null\n/dev/null' \
    readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2"
is "the_node_holds_no_directory" 0 / readlink "/proc/$pid/cwd"
is "the_node_has_no_terminal" 0 0 awk '{ print $7 }' "/proc/$pid/stat"
is "down_ends_it" 0 '' u down
is "and_its_process" 1 "" test -e "/proc/$pid/exe"

echo "# scripts and documentation"
is "bash_takes_its_completion" 0 '' bash -n <("$kith" completion bash)
complete_bash() {
    "$kith" completion bash >"$dir/completion"
    # shellcheck disable=SC2016
    bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kith; echo "${COMPREPLY[*]}"' \
        - "$dir/completion" "$@"
}
is "completion_of_a_command" 0 'revoke' complete_bash kith rev
is "completion_of_a_group" 0 'add remove' complete_bash kith network admin ''
is "completion_after_a_global_option" 0 'status' complete_bash kith --state /x stat
is "completion_after_an_option_of_the_command" 0 '--network' complete_bash kith ping -c 3 --netw
is "completion_knows_switches_from_options" 0 '--network' complete_bash kith ip --ipv4 x --netw
is "completion_of_the_words_after_a_switch" 0 'create' complete_bash kith --json network cr
is "completion_of_an_option" 0 '--count --config' complete_bash kith ping --co
is "completion_of_a_value" 0 'host' complete_bash kith up --log-level h
is "completion_of_a_shell" 0 'fish' complete_bash kith completion f
has "manual_pages_are_made" 0 '^\.SS "kith network create NAME"' k man
has "the_configuration_has_a_page" 0 '^\.SH "\[vpn\]"' k man kith.toml
in_doc() {
    python3 - "$kith" "$1" "$docs/$2" <<'P'
import subprocess, sys
table = subprocess.run([sys.argv[1], "reference", sys.argv[2]], capture_output=True, text=True).stdout
sys.exit(0 if table.strip() and table.strip() in open(sys.argv[3]).read() else 1)
P
}
is "the_control_api_is_documented_as_it_is" 0 '' in_doc methods spec/control.md
is "the_options_are_documented_as_they_are" 0 '' in_doc options options.md
is "the_metrics_are_documented_as_they_are" 0 '' in_doc metrics metrics.md
is "the_commands_are_documented_as_they_are" 0 '' in_doc commands modules/cmd.md
echo "1..$n"

/* What each question and request answers: results as methods.def documents them, errors with their
 * remedy. */
#include "ctl_handlers_lab.h"

/* ---- questions ---- */

static void status_shows_the_node_at_a_glance(void **state)
{
    json_t *r = ask("status", "{}");
    const json_t *nets = json_object_get(r, "networks");

    (void)state;
    assert_int_equal(int_at(r, "uptime_s"), 3725);
    assert_string_equal(text_at(r, "state_dir"), "/var/lib/kith");
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "listen"), 1)),
                        "[2001:db8::1]:9000");
    /* 32 zero bytes in base32 */
    assert_string_equal(text_at(r, "peer_id"),
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_true(json_is_null(json_object_get(r, "tun")));
    assert_int_equal(json_array_size(nets), 2);
    assert_string_equal(text_at(json_array_get(nets, 0), "name"), "home");
    assert_string_equal(text_at(json_array_get(nets, 1), "name"), "work");
    json_decref(r);

    host_state.tun = "kith0";
    r = ask("status", "{}");
    assert_string_equal(text_at(r, "tun"), "kith0");
    json_decref(r);
}

static void status_counts_the_sessions_by_how_they_go(void **state)
{
    json_t *r;

    (void)state;
    fake.totals = (struct kith_node_totals){
        .sessions = 6, .guests = 9, .direct = 3, .relayed = 2, .multi_hop = 1};
    r = ask("status", "{}");
    assert_int_equal(int_at(r, "sessions"), 6);
    assert_int_equal(int_at(r, "direct"), 3);
    assert_int_equal(int_at(r, "relayed"), 2);
    assert_int_equal(int_at(r, "multi_hop"), 1);
    json_decref(r);
}

static void every_question_answers_in_its_documented_shape(void **state)
{
    static const char *const question[] = {"version", "id",      "config.show", "network.list",
                                           "status",  "members", "services",    "peers",
                                           "paths",   "metrics", "peer.blocked"};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(question); i++)
        json_decref(ask(question[i], "{}"));
    fake.n_networks = fake.n_members = 0;
    for (size_t i = 0; i < KITH_COUNT(question); i++)
        json_decref(ask(question[i], "{}"));
}

static void metrics_are_those_the_process_measures(void **state)
{
    json_t *r, *m;
    size_t i, found = 0;

    (void)state;
    r = ask("metrics", "{}");
    json_array_foreach(json_object_get(r, "metrics"), i, m)
    {
        if (strcmp(text_at(m, "name"), "kith_sessions") != 0)
            continue;
        assert_int_equal(int_at(m, "value"), 3);
        found++;
    }
    assert_int_equal(found, 1);
    json_decref(r);
}

static void members_come_by_network_in_order_and_say_who_is_connected(void **state)
{
    json_t *r, *list;

    (void)state;
    member_set(&fake.member[2], "server", &fake.network[0]);
    fake.member[2].blocked = true;
    fake.n_members = 3;
    r = ask("members", "{}");
    list = json_object_get(r, "members");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(text_at(json_array_get(list, 0), "name"), "desktop");
    assert_true(json_is_false(json_object_get(json_array_get(list, 0), "connected")));
    assert_true(json_is_true(json_object_get(json_array_get(list, 0), "self")));
    assert_true(json_is_false(json_object_get(json_array_get(list, 0), "blocked")));
    assert_true(json_is_true(json_object_get(json_array_get(list, 2), "blocked")));
    assert_string_equal(text_at(json_array_get(list, 1), "name"), "laptop");
    assert_true(json_is_true(json_object_get(json_array_get(list, 1), "connected")));
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(json_array_get(list, 1), "groups"), 0)),
        "ops");
    assert_string_equal(text_at(json_array_get(list, 2), "network"), "work");
    assert_string_equal(text_at(json_array_get(list, 2), "expires"), "2026-11-21T18:31:00Z");
    json_decref(r);

    r = ask("members", "{\"network\":\"work\"}");
    assert_int_equal(json_array_size(json_object_get(r, "members")), 1);
    json_decref(r);
    say("members", "{\"network\":\"nowhere\"}");
    expect_error("NOTFOUND", "no network nowhere", "kith network list");
}

static void services_come_by_network_and_name_their_destinations(void **state)
{
    json_t *r, *list, *first;

    (void)state;
    fake.n_services = 2;
    fake.service[0] = (struct kith_service_info){.network = "home",
                                                 .member = "laptop",
                                                 .name = "files",
                                                 .about = "photographs",
                                                 .online = true,
                                                 .expires = WALL + 60};
    fake.service[1] = (struct kith_service_info){
        .network = "work", .member = "desktop", .name = "ssh", .self = true, .online = true};
    r = ask("services", "{}");
    list = json_object_get(r, "services");
    assert_int_equal(json_array_size(list), 2);
    first = json_array_get(list, 0);
    assert_string_equal(text_at(first, "network"), "home");
    assert_string_equal(text_at(first, "member"), "laptop");
    assert_string_equal(text_at(first, "name"), "files");
    assert_string_equal(text_at(first, "about"), "photographs");
    assert_string_equal(text_at(first, "destination"), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_true(json_is_true(json_object_get(first, "connected")));
    assert_true(json_is_false(json_object_get(first, "self")));
    assert_true(json_is_true(json_object_get(json_array_get(list, 1), "self")));
    assert_true(json_is_false(json_object_get(json_array_get(list, 1), "connected")));
    json_decref(r);

    r = ask("services", "{\"network\":\"work\"}");
    assert_int_equal(json_array_size(json_object_get(r, "services")), 1);
    json_decref(r);
    say("services", "{\"network\":\"nowhere\"}");
    expect_error("NOTFOUND", "no network nowhere", "kith network list");
}

static void a_service_is_added_and_taken_away_by_name(void **state)
{
    json_t *r;

    (void)state;
    r = ask("service.add", "{\"name\":\"files\",\"about\":\"films\",\"network\":\"home\"}");
    assert_string_equal(fake.name, "files");
    assert_string_equal(fake.about, "films");
    assert_string_equal(fake.network_name, "home");
    assert_string_equal(text_at(r, "destination"), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    json_decref(r);
    json_decref(ask("service.add", "{\"name\":\"files\"}"));
    assert_string_equal(fake.about, "");
    json_decref(ask("service.remove", "{\"name\":\"ssh\"}"));
    assert_string_equal(fake.name, "ssh");
    say("service.add", "{\"name\":\"Files\"}");
    expect_error("INVAL", NULL, NULL);
}

static void a_peer_is_blocked_by_name_and_told_whether_it_was_before(void **state)
{
    json_t *r;

    (void)state;
    fake.blocked[0] =
        (struct kith_block_info){.name = "laptop", .since = 1795199460, .changed = true};
    r = ask("peer.block", "{\"name\":\"laptop\",\"network\":\"home\"}");
    assert_string_equal(fake.name, "laptop");
    assert_string_equal(fake.network_name, "home");
    assert_string_equal(text_at(r, "name"), "laptop");
    assert_string_equal(text_at(r, "since"), "2026-11-20T18:31:00Z");
    assert_true(json_is_true(json_object_get(r, "changed")));
    json_decref(r);
    /* one that is no member is named by its id, and has no name */
    r = ask("peer.unblock", "{\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}");
    assert_string_equal(fake.name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_string_equal(fake.network_name, "-");
    assert_true(json_is_null(json_object_get(r, "name")));
    assert_true(json_is_false(json_object_get(r, "changed")));
    json_decref(r);
    say("peer.block", "{}");
    expect_error("INVAL", NULL, NULL);
    fake.err = KITH_E_FULL;
    (void)kith_format(fake.why.text, sizeof fake.why.text, "enough");
    say("peer.block", "{\"name\":\"laptop\"}");
    expect_error("FULL", "enough", NULL);
}

static void the_blocked_come_by_name_and_then_by_id(void **state)
{
    json_t *r, *list;

    (void)state;
    fake.n_blocked = 3;
    fake.blocked[0] = (struct kith_block_info){.peer = {{0}}, .since = 1795199460};
    fake.blocked[1] = (struct kith_block_info){.peer = {{1}}, .name = "phone"};
    fake.blocked[2] = (struct kith_block_info){.peer = {{2}}, .name = "desktop"};
    r = ask("peer.blocked", "{}");
    list = json_object_get(r, "blocked");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(text_at(json_array_get(list, 0), "name"), "desktop");
    assert_string_equal(text_at(json_array_get(list, 1), "name"), "phone");
    assert_true(json_is_null(json_object_get(json_array_get(list, 2), "name")));
    assert_string_equal(text_at(json_array_get(list, 2), "peer_id"),
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_string_equal(text_at(json_array_get(list, 2), "since"), "2026-11-20T18:31:00Z");
    json_decref(r);
}

static void ip_finds_a_member_and_refuses_an_unknown_name(void **state)
{
    json_t *r = ask("ip", "{\"name\":\"laptop\",\"network\":\"home\"}");

    (void)state;
    assert_string_equal(fake.network_name, "home");
    assert_string_equal(text_at(r, "ipv4"), "100.71.0.1");
    assert_string_equal(text_at(r, "ipv6"), "fd12:3456:789a::1");
    json_decref(r);
    say("ip", "{\"name\":\"phone\"}");
    expect_error("NOTFOUND", "no member phone", NULL);
}

static void peers_come_by_name_with_the_nameless_last(void **state)
{
    json_t *r, *list, *p;

    (void)state;
    fake.n_peers = 3;
    for (size_t i = 0; i < 3; i++) {
        memset(fake.peer[i].session.peer.b, (int)i + 1, 32);
        (void)kith_format(fake.peer[i].route, sizeof fake.peer[i].route, "direct udp 192.0.2.%zu:1",
                          i);
    }
    (void)kith_format(fake.peer[1].name, sizeof fake.peer[1].name, "zebra");
    (void)kith_format(fake.peer[2].name, sizeof fake.peer[2].name, "ant");
    fake.peer[2].session.rtt = 2500 * KITH_USEC;
    fake.peer[2].session.packets_out = 8;
    fake.peer[2].session.packets_lost = 2;
    fake.peer[2].session.bytes_in = 7;
    fake.peer[2].session.since = NOW.mono - 61 * KITH_SEC;
    r = ask("peers", "{}");
    list = json_object_get(r, "peers");
    p = json_array_get(list, 0);
    assert_string_equal(text_at(p, "name"), "ant");
    assert_true(json_real_value(json_object_get(p, "rtt_ms")) == 2.5);
    assert_true(json_real_value(json_object_get(p, "loss")) == 0.25);
    assert_int_equal(int_at(p, "received_bytes"), 7);
    assert_int_equal(int_at(p, "since_s"), 61);
    assert_string_equal(text_at(p, "since"), "2026-11-20T18:29:59Z");
    assert_string_equal(text_at(json_array_get(list, 1), "name"), "zebra");
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "rtt_ms")));
    assert_true(json_is_null(json_object_get(json_array_get(list, 2), "name")));
    json_decref(r);
}

/* ---- requests ---- */

static void a_network_gets_the_range_asked_for_when_the_host_does_not_use_it(void **state)
{
    json_t *r = ask("network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}");

    (void)state;
    assert_string_equal(text_at(r, "range"), "100.80.0.0/16");
    json_decref(r);
    host_state.used_up_to = 80;
    fake.name[0] = '\0';
    say("network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}");
    expect_error("TAKEN", "100.80.0.0/16 overlaps an interface or a route of this host",
                 "choose another range, or give none");
    say("network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.1/16\"}"); /* host bits set */
    expect_error("INVAL", NULL, NULL);
    say("network.create", "{\"name\":\"home\",\"ipv4\":\"fd00:1234::/32\"}");
    expect_error("INVAL", NULL, NULL);
    assert_string_equal(fake.name, ""); /* the node was not asked */
}

static void a_network_without_a_range_gets_one_that_the_host_does_not_use(void **state)
{
    json_t *r;

    (void)state;
    host_state.used_up_to = 66;
    r = ask("network.create", "{\"name\":\"home\"}");
    assert_string_equal(text_at(r, "range"), "100.67.0.0/16");
    json_decref(r);
    host_state.used_up_to = 255;
    say("network.create", "{\"name\":\"home\"}");
    expect_error("FULL", NULL, "give a range that is free");
}

static void what_the_node_refuses_reaches_the_client_with_its_remedy(void **state)
{
    static const struct {
        const char *method, *params;
    } request[] = {
        {"network.create", "{\"name\":\"home\"}"},
        {"network.leave", "{\"name\":\"home\"}"},
        {"network.backup", "{\"passphrase\":\"correct horse\"}"},
        {"network.restore", "{\"passphrase\":\"correct horse\",\"sealed\":\"Zm9v\"}"},
        {"admin.add", "{\"name\":\"laptop\"}"},
        {"admin.remove", "{\"name\":\"laptop\"}"},
        {"revoke", "{\"name\":\"laptop\"}"},
        {"invite", "{}"},
        {"join", "{\"ticket\":\"kith1ticketticket\"}"},
        {"ping", "{\"name\":\"laptop\"}"},
        {"probe", "{\"destination\":\"laptop\"}"},
    };

    (void)state;
    refuse_all(KITH_E_NOTADMIN, "the sentence", "the remedy");
    for (size_t i = 0; i < KITH_COUNT(request); i++) {
        say(request[i].method, request[i].params);
        expect_error("NOTADMIN", "the sentence", "the remedy");
    }
    assert_null(hear());
}

static void requests_answer_in_their_documented_shape(void **state)
{
    json_t *r;

    (void)state;
    json_decref(ask("network.leave", "{\"name\":\"home\"}"));
    json_decref(ask("admin.add", "{\"name\":\"laptop\",\"network\":\"home\"}"));
    assert_string_equal(fake.network_name, "home");
    json_decref(ask("admin.remove", "{\"name\":\"laptop\"}"));
    assert_string_equal(fake.network_name, "-");
    r = ask("revoke", "{\"name\":\"laptop\"}");
    assert_string_equal(text_at(r, "name"), "laptop");
    json_decref(r);
}

static void a_ticket_is_made_as_asked_or_for_one_day_and_one_use(void **state)
{
    json_t *r = ask("invite", "{\"name\":\"phone\",\"groups\":[\"ops\",\"dev\"],"
                              "\"expires_s\":3600,\"uses\":5}");

    (void)state;
    assert_string_equal(fake.name, "phone");
    assert_string_equal(fake.groups, "ops dev ");
    assert_int_equal(int_at(r, "uses"), 5);
    assert_string_equal(text_at(r, "expires"), "2026-11-20T19:31:00Z");
    assert_string_equal(text_at(r, "ticket"), "kith1secretsecretsecret");
    json_decref(r);
    json_decref(ask("invite", "{}"));
    assert_int_equal(fake.valid, 86400);
    assert_int_equal(fake.uses, 1);
    assert_string_equal(fake.name, "-");
}

static void a_backup_travels_as_base64_both_ways(void **state)
{
    json_t *r = ask("network.backup", "{\"passphrase\":\"correct horse\"}");

    (void)state;
    assert_string_equal(text_at(r, "sealed"), "Zm9vYg=="); /* RFC 4648, section 10 */
    json_decref(r);
    r = ask("network.restore", "{\"passphrase\":\"correct horse\",\"sealed\":\"Zm9vYmE=\"}");
    assert_int_equal(fake.n_bytes, 5);
    assert_memory_equal(fake.bytes, "fooba", 5);
    assert_string_equal(fake.name, "correct horse");
    json_decref(r);
    say("network.restore", "{\"passphrase\":\"correct horse\",\"sealed\":\"Zm9v*\"}");
    expect_error("MALFORMED", "this is no backup of a network, or a part of it is missing", NULL);
}

static void down_answers_first_and_ends_the_node(void **state)
{
    json_t *r = ask("down", "{}");

    (void)state;
    assert_int_equal(int_at(r, "uptime_s"), 3725);
    assert_true(host_state.down);
    json_decref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(status_shows_the_node_at_a_glance),
        T(status_counts_the_sessions_by_how_they_go),
        T(every_question_answers_in_its_documented_shape),
        T(metrics_are_those_the_process_measures),
        T(members_come_by_network_in_order_and_say_who_is_connected),
        T(services_come_by_network_and_name_their_destinations),
        T(a_service_is_added_and_taken_away_by_name),
        T(a_peer_is_blocked_by_name_and_told_whether_it_was_before),
        T(the_blocked_come_by_name_and_then_by_id),
        T(ip_finds_a_member_and_refuses_an_unknown_name),
        T(peers_come_by_name_with_the_nameless_last),
        T(a_network_gets_the_range_asked_for_when_the_host_does_not_use_it),
        T(a_network_without_a_range_gets_one_that_the_host_does_not_use),
        T(what_the_node_refuses_reaches_the_client_with_its_remedy),
        T(requests_answer_in_their_documented_shape),
        T(a_ticket_is_made_as_asked_or_for_one_day_and_one_use),
        T(a_backup_travels_as_base64_both_ways),
        T(down_answers_first_and_ends_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

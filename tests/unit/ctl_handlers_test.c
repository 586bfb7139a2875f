/* What each method answers, over a fake node: results as methods.def documents them, errors with
 * their remedy, calls that last and those that are given up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/handlers.h"
#include "ctl_fake_node.h"

#define WALL 1795199460u /* 2026-11-20T18:31:00Z */
static const struct kith_now NOW = {.mono = 5000 * KITH_SEC, .wall = WALL};

static struct kith_ctl ctl;
static struct kith_ctl_handlers handlers;
static struct kith_ctl_client *client;
static struct kith_conf conf;
static const struct kith_env env = {.alloc = &kith_heap};

/* ---- a host ---- */

static struct {
    bool down;
    unsigned used_up_to; /* second byte of ranges in use: 100.64 to 100.N */
    const char *tun;
    size_t n_events;
    struct kith_ctl_event event[16];
} host_state;

static struct kith_now host_now(void *ctx)
{
    (void)ctx;
    return NOW;
}

static void host_down(void *ctx)
{
    (void)ctx;
    host_state.down = true;
}

static bool host_next_event(void *ctx, uint64_t *at, struct kith_ctl_event *ret)
{
    (void)ctx;
    if (*at >= host_state.n_events)
        return false;
    *ret = host_state.event[(*at)++];
    return true;
}

static bool host_in_use(void *ctx, const struct kith_prefix *p)
{
    (void)ctx;
    return p->ip.b[1] <= host_state.used_up_to;
}

static const char *host_tun(void *ctx)
{
    (void)ctx;
    return host_state.tun;
}

static struct kith_addr listening[2];
static const char *host_tun_trouble(void *ctx)
{
    (void)ctx;
    return host_state.tun == NULL ? "open /dev/net/tun: Operation not permitted" : NULL;
}

static void host_metrics(void *ctx, struct kith_metrics *ret)
{
    (void)ctx;
    *ret = (struct kith_metrics){.build = {1}, .node = {.sessions = 3}};
}

static const struct kith_ctl_host host = {
    .metrics = host_metrics,
    .now = host_now,
    .down = host_down,
    .next_event = host_next_event,
    .prefix_in_use = host_in_use,
    .tun = host_tun,
    .tun_trouble = host_tun_trouble,
    .conf = &conf,
    .state_dir = "/var/lib/kith",
    .listen = listening,
    .n_listen = 2,
    .ready_at = 1275 * KITH_SEC,
};

static void event_add(enum kith_level level, const char *text)
{
    static char json[16][128];
    size_t i = host_state.n_events++;

    (void)kith_format(json[i], sizeof json[i],
                      "{\"time\":\"2026-11-20T18:31:00Z\",\"level\":\"%s\",\"event\":\"tun_down\","
                      "\"name\":\"kith0\"}",
                      kith_level_name(level));
    host_state.event[i] = (struct kith_ctl_event){.level = level, .json = json[i], .text = text};
}

/* ---- a node ---- */

static void network_set(struct kith_network_info *n, const char *name, uint8_t id)
{
    *n = (struct kith_network_info){.members = 2, .admin = true, .expires = WALL + 86400};
    memset(n->id.b, id, sizeof n->id.b);
    (void)kith_format(n->name, sizeof n->name, "%s", name);
    assert_int_equal(kith_prefix_parse("100.71.0.0/16", &n->range4), KITH_OK);
    assert_int_equal(kith_ip_parse("100.71.0.1", &n->ip4), KITH_OK);
    assert_int_equal(kith_ip_parse("fd12:3456:789a::1", &n->ip6), KITH_OK);
}

static void member_set(struct kith_member_info *m, const char *name,
                       const struct kith_network_info *net)
{
    *m = (struct kith_member_info){.network = net->id, .ip4 = net->ip4, .ip6 = net->ip6};
    memset(m->peer.b, name[0], sizeof m->peer.b);
    m->expires = WALL + 86400;
    (void)kith_format(m->network_name, sizeof m->network_name, "%s", net->name);
    (void)kith_format(m->name, sizeof m->name, "%s", name);
}

static int setup(void **state)
{
    static struct kith_conf_problems problems;
    static const struct kith_conf_input nothing = {.file = NULL};

    (void)state;
    memset(&fake, 0, sizeof fake);
    memset(&host_state, 0, sizeof host_state);
    assert_int_equal(kith_conf_load(&conf, &nothing, &problems), KITH_OK);
    assert_int_equal(kith_addr_parse("192.0.2.1:9000", 0, &listening[0]), KITH_OK);
    assert_int_equal(kith_addr_parse("[2001:db8::1]:9000", 0, &listening[1]), KITH_OK);
    network_set(&fake.network[0], "work", 0x22);
    network_set(&fake.network[1], "home", 0x11);
    member_set(&fake.member[0], "desktop", &fake.network[1]);
    fake.member[0].self = true;
    member_set(&fake.member[1], "laptop", &fake.network[1]);
    fake.member[1].online = true;
    fake.member[1].n_groups = 1;
    (void)kith_format(fake.member[1].groups[0], sizeof fake.member[1].groups[0], "ops");
    fake.n_networks = 2;
    fake.n_members = 2;

    kith_ctl_init(&ctl, &env, &kith_ctl_handlers_ops, &handlers);
    kith_ctl_handlers_init(&handlers, &ctl, NULL, &host);
    assert_int_equal(kith_ctl_open(&ctl, KITH_CTL_GRANT_ADMIN, 0, &client), KITH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_ctl_fini(&ctl);
    return 0;
}

/* ---- asking ---- */

static void say(const char *method, const char *params)
{
    char line[2048];

    (void)kith_format(line, sizeof line,
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
                      params);
    kith_ctl_feed(client, kith_span_text(line), NOW.mono);
}

/* The next line that was written to the client, or NULL. The caller owns it. */
static json_t *hear(void)
{
    struct kith_span out = kith_ctl_output(client);
    const uint8_t *end = out.n == 0 ? NULL : memchr(out.p, '\n', out.n);
    json_t *line;

    if (end == NULL)
        return NULL;
    line = json_loadb((const char *)out.p, (size_t)(end - out.p), 0, NULL);
    assert_non_null(line);
    kith_ctl_sent(client, (size_t)(end - out.p) + 1);
    return line;
}

static enum kith_ctl_method method_of(const char *name)
{
    enum kith_ctl_method m;
    const char *nearest;

    assert_int_equal(kith_ctl_method_find(name, &m, &nearest), KITH_OK);
    return m;
}

/* The result of the answer that waits, judged by the table. */
static json_t *result_of(const char *method)
{
    json_t *line = hear(), *result;
    char why[200] = "";

    assert_non_null(line);
    result = json_incref(json_object_get(line, "result"));
    if (result == NULL)
        fail_msg("%s: %s", method, json_dumps(line, 0));
    if (kith_ctl_result_check(method_of(method), result, why, sizeof why) < 0)
        fail_msg("%s: %s", method, why);
    json_decref(line);
    return result;
}

static json_t *ask(const char *method, const char *params)
{
    say(method, params);
    return result_of(method);
}

static json_t *item_of(const char *method)
{
    json_t *line = hear(), *item;
    char why[200] = "";

    assert_non_null(line);
    item = json_incref(json_object_get(json_object_get(line, "params"), "item"));
    assert_non_null(item);
    if (kith_ctl_item_check(method_of(method), item, why, sizeof why) < 0)
        fail_msg("%s: %s", method, why);
    json_decref(line);
    return item;
}

/* The error that waits must be this one; the answer's message and remedy are compared when given.
 */
static void expect_error(const char *error, const char *message, const char *remedy)
{
    json_t *line = hear(), *e = json_object_get(line, "error");
    const json_t *data = json_object_get(e, "data");

    assert_non_null(e);
    assert_string_equal(json_string_value(json_object_get(data, "error")), error);
    if (message != NULL)
        assert_string_equal(json_string_value(json_object_get(e, "message")), message);
    if (remedy != NULL)
        assert_string_equal(json_string_value(json_object_get(data, "remedy")), remedy);
    json_decref(line);
}

static void refuse_all(int err, const char *text, const char *remedy)
{
    fake.err = err;
    (void)kith_format(fake.why.text, sizeof fake.why.text, "%s", text);
    (void)kith_format(fake.why.remedy, sizeof fake.why.remedy, "%s", remedy);
}

static const char *text_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "(none)" : text;
}

static json_int_t int_at(const json_t *o, const char *key)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    return json_integer_value(json_object_get(o, key));
}

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

/* A way of the network to the member by a neighbour. */
static struct kith_way_info *way_add(const char *network, const char *member, const char *via,
                                     unsigned hops)
{
    struct kith_way_info *w = &fake.way[fake.n_ways++];

    *w = (struct kith_way_info){.hops = hops, .expires = WALL + 86400};
    (void)kith_format(w->network, sizeof w->network, "%s", network);
    (void)kith_format(w->member, sizeof w->member, "%s", member);
    (void)kith_format(w->via_name, sizeof w->via_name, "%s", via);
    memset(w->destination.b, member[0], sizeof w->destination.b);
    memset(w->peer.b, member[0], sizeof w->peer.b);
    memset(w->via.b, via[0], sizeof w->via.b);
    return w;
}

static void a_way_says_what_is_known_of_it(void **state)
{
    char id[KITH_ID_TEXT], destination[KITH_DESTINATION_TEXT];
    struct kith_way_info *w = way_add("home", "laptop", "phone", 2);
    json_t *r, *p;

    (void)state;
    w->rtt = 12500 * KITH_USEC;
    w->loss = 0.25;
    w->rate = (uint64_t)1 << 33;
    w->age = 61 * KITH_SEC + 999 * KITH_MSEC;
    w->best = true;
    r = ask("paths", "{}");
    p = json_array_get(json_object_get(r, "paths"), 0);
    assert_string_equal(text_at(p, "network"), "home");
    assert_string_equal(text_at(p, "destination"),
                        kith_destination_text(&w->destination, destination, sizeof destination));
    assert_string_equal(text_at(p, "member"), "laptop");
    assert_string_equal(text_at(p, "peer_id"), kith_peer_id_text(&w->peer, id, sizeof id));
    assert_string_equal(text_at(p, "via"), "phone");
    assert_string_equal(text_at(p, "via_peer_id"), kith_peer_id_text(&w->via, id, sizeof id));
    assert_int_equal(int_at(p, "hops"), 2);
    assert_true(json_real_value(json_object_get(p, "rtt_ms")) == 12.5);
    assert_true(json_real_value(json_object_get(p, "loss")) == 0.25);
    assert_int_equal(int_at(p, "rate_bits"), 8589934592);
    assert_int_equal(int_at(p, "age_s"), 61);
    assert_string_equal(text_at(p, "expires"), "2026-11-21T18:31:00Z");
    assert_true(json_is_true(json_object_get(p, "best")));
    json_decref(r);
}

static void what_is_not_known_of_a_way_is_null(void **state)
{
    static const char *const unknown[] = {"member", "peer_id", "via", "rtt_ms", "rate_bits"};
    json_t *r, *p;

    (void)state;
    way_add("home", "", "", 3)->via.b[0] = 1;
    r = ask("paths", "{}");
    p = json_array_get(json_object_get(r, "paths"), 0);
    for (size_t i = 0; i < KITH_COUNT(unknown); i++)
        assert_true(json_is_null(json_object_get(p, unknown[i])));
    assert_string_equal(text_at(p, "destination"), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_true(json_is_false(json_object_get(p, "best")));
    json_decref(r);
}

/* "laptop/phone laptop/desktop": members with the neighbours that lead there. */
static const char *ways_told(const char *params)
{
    static char text[200];
    json_t *r = ask("paths", params), *p;
    size_t i, n = 0;

    text[0] = '\0';
    json_array_foreach(json_object_get(r, "paths"), i, p)
    {
        (void)kith_format(text + n, sizeof text - n, "%s%s/%s", i == 0 ? "" : " ",
                          text_at(p, "member"), text_at(p, "via"));
        n = strlen(text);
    }
    json_decref(r);
    return text;
}

static void ways_come_by_network_and_member_and_stay_best_first(void **state)
{
    (void)state;
    way_add("work", "ant", "ant", 1);
    way_add("home", "", "phone", 2);
    way_add("home", "laptop", "phone", 2)->best = true;
    way_add("home", "laptop", "desktop", 2);
    way_add("home", "bee", "laptop", 2);
    assert_string_equal(ways_told("{}"),
                        "bee/laptop laptop/phone laptop/desktop (none)/phone ant/ant");
    assert_string_equal(ways_told("{\"network\":\"work\"}"), "ant/ant");
    fake.n_ways = 0;
    assert_string_equal(ways_told("{}"), "");
    say("paths", "{\"network\":\"nowhere\"}");
    expect_error("NOTFOUND", "no network nowhere", "kith network list");
}

/* A way as way_add, that leads to the member's own destination. */
static void way_to(const char *network, const struct kith_member_info *m, const char *via)
{
    struct kith_way_info *w = way_add(network, m->name, via, 1);

    assert_int_equal(kith_destination(&m->peer, kith_span_text(KITH_SERVICE_SELF), &w->destination),
                     KITH_OK);
}

/* Of the laptop; its destination goes to text. */
static void service_add(const char *name, char text[KITH_DESTINATION_TEXT])
{
    struct kith_service_info *s = &fake.service[fake.n_services++];

    *s = (struct kith_service_info){.peer = fake.member[1].peer};
    (void)kith_format(s->network, sizeof s->network, "home");
    (void)kith_format(s->member, sizeof s->member, "laptop");
    (void)kith_format(s->name, sizeof s->name, "%s", name);
    assert_int_equal(kith_destination(&s->peer, kith_span_text(name), &s->destination), KITH_OK);
    (void)kith_destination_text(&s->destination, text, KITH_DESTINATION_TEXT);
}

static void the_ways_to_one_are_told_alone_when_it_is_named(void **state)
{
    char files[KITH_DESTINATION_TEXT], params[80];

    (void)state;
    service_add("files", files);
    way_to("home", &fake.member[1], "phone");
    way_add("home", "bee", "laptop", 2);
    way_to("home", &fake.member[1], "bee");
    way_to("work", &fake.member[1], "laptop");
    assert_string_equal(ways_told("{}"), "bee/laptop laptop/phone laptop/bee laptop/laptop");
    assert_string_equal(ways_told("{\"destination\":\"laptop\"}"),
                        "laptop/phone laptop/bee laptop/laptop");
    assert_string_equal(fake.network_name, "-");
    assert_string_equal(ways_told("{\"destination\":\"laptop\",\"network\":\"work\"}"),
                        "laptop/laptop");
    assert_string_equal(fake.network_name, "work");
    /* the mesh leads to the member that has the service */
    (void)kith_format(params, sizeof params, "{\"destination\":\"%s\"}", files);
    assert_string_equal(ways_told(params), "laptop/phone laptop/bee laptop/laptop");
    assert_string_equal(ways_told("{\"destination\":\"desktop\"}"), ""); /* none leads there */
    say("paths", "{\"destination\":\"nobody\"}");
    expect_error("NOTFOUND", "no member nobody", NULL);
    say("paths", "{\"destination\":\"\"}");
    expect_error("INVAL", "param destination must have 1 to 140 bytes", NULL);
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

/* ---- calls that last ---- */

static void done(int err, uint64_t call, const struct kith_network_id *network)
{
    struct kith_node_effect fx = {.kind = KITH_NODE_DONE, .call = call, .err = err};

    if (network != NULL)
        fx.network = *network;
    (void)kith_format(fx.why.text, sizeof fx.why.text, "the issuer does not answer");
    (void)kith_format(fx.why.remedy, sizeof fx.why.remedy, "ask for a new ticket");
    kith_ctl_handlers_effect(&handlers, &fx);
}

static void join_is_answered_when_the_node_says_that_it_is_done(void **state)
{
    json_t *r;

    (void)state;
    say("join", "{\"ticket\":\"kith1ticketticket\",\"name\":\"tablet\"}");
    r = item_of("join");
    assert_string_equal(text_at(r, "step"), "dialling");
    json_decref(r);
    assert_null(hear());
    assert_string_equal(fake.name, "kith1ticketticket");
    assert_string_equal(fake.network_name, "tablet"); /* the fake's second note: the name asked */
    done(KITH_OK, fake.call, &fake.network[1].id);
    r = result_of("join");
    assert_string_equal(text_at(r, "network"), "home");
    assert_string_equal(text_at(r, "name"), "desktop"); /* the member that is this node */
    json_decref(r);
    done(KITH_OK, fake.call, &fake.network[1].id); /* once is enough */
    assert_null(hear());
}

static void join_that_fails_says_why_and_what_to_do(void **state)
{
    (void)state;
    say("join", "{\"ticket\":\"kith1ticketticket\"}");
    json_decref(hear());
    done(KITH_E_UNREACHABLE, fake.call, NULL);
    expect_error("UNREACHABLE", "the issuer does not answer", "ask for a new ticket");
}

static void pong(uint32_t seq, bool lost, kith_dur rtt)
{
    struct kith_node_effect fx = {
        .kind = KITH_NODE_PONG, .call = fake.call, .seq = seq, .lost = lost, .rtt = rtt};

    (void)kith_format(fx.route, sizeof fx.route, "direct udp 192.0.2.7:9000");
    kith_ctl_handlers_effect(&handlers, &fx);
}

static void ping_tells_every_round_trip_and_then_the_sum(void **state)
{
    json_t *r;

    (void)state;
    say("ping", "{\"name\":\"laptop\",\"count\":3,\"interval_ms\":20}");
    assert_int_equal(fake.count, 3);
    assert_int_equal(fake.interval, 20 * KITH_MSEC);
    pong(1, false, 3 * KITH_MSEC);
    pong(2, true, 0);
    pong(3, false, KITH_MSEC);
    r = item_of("ping");
    assert_true(json_real_value(json_object_get(r, "rtt_ms")) == 3.0);
    assert_string_equal(text_at(r, "address"), "100.71.0.1");
    json_decref(r);
    r = item_of("ping");
    assert_true(json_is_true(json_object_get(r, "lost")));
    assert_true(json_is_null(json_object_get(r, "rtt_ms")));
    assert_true(json_is_null(json_object_get(r, "route")));
    json_decref(r);
    json_decref(item_of("ping"));
    done(KITH_OK, fake.call, NULL);
    r = result_of("ping");
    assert_int_equal(int_at(r, "sent"), 3);
    assert_int_equal(int_at(r, "received"), 2);
    assert_true(json_real_value(json_object_get(r, "min_ms")) == 1.0);
    assert_true(json_real_value(json_object_get(r, "avg_ms")) == 2.0);
    assert_true(json_real_value(json_object_get(r, "max_ms")) == 3.0);
    json_decref(r);
}

static void a_ping_without_any_reply_has_no_times(void **state)
{
    json_t *r;

    (void)state;
    say("ping", "{\"name\":\"laptop\"}");
    assert_int_equal(fake.count, 5);
    assert_int_equal(fake.interval, KITH_SEC);
    pong(1, true, 0);
    json_decref(hear());
    done(KITH_OK, fake.call, NULL);
    r = result_of("ping");
    assert_true(json_real_value(json_object_get(r, "loss")) == 1.0);
    assert_true(json_is_null(json_object_get(r, "min_ms")));
    json_decref(r);
}

static void hop_pong(uint32_t seq, unsigned hops, const char *route)
{
    struct kith_node_effect fx = {.kind = KITH_NODE_PONG,
                                  .call = fake.call,
                                  .seq = seq,
                                  .lost = route == NULL,
                                  .rtt = route == NULL ? 0 : seq * KITH_MSEC,
                                  .hops = hops};

    (void)kith_format(fx.route, sizeof fx.route, "%s", route == NULL ? "" : route);
    kith_ctl_handlers_effect(&handlers, &fx);
}

/* Whom a probe went to: an item or the result. */
static void expect_target(const json_t *o, const char *service, const char *destination)
{
    char id[KITH_ID_TEXT];

    assert_string_equal(text_at(o, "service"), service);
    assert_string_equal(text_at(o, "destination"), destination);
    assert_string_equal(text_at(o, "name"), "laptop");
    assert_string_equal(text_at(o, "address"), "100.71.0.1");
    assert_string_equal(text_at(o, "peer_id"),
                        kith_peer_id_text(&fake.member[1].peer, id, sizeof id));
}

static void a_probe_tells_the_hops_of_each_round_trip_and_whom_it_went_to(void **state)
{
    char files[KITH_DESTINATION_TEXT], params[120];
    json_t *r;

    (void)state;
    service_add("files", files);
    (void)kith_format(params, sizeof params,
                      "{\"destination\":\"%s\",\"count\":4,\"interval_ms\":20}", files);
    say("probe", params);
    assert_int_equal(fake.count, 4);
    assert_int_equal(fake.interval, 20 * KITH_MSEC);
    assert_memory_equal(&fake.peer_asked, &fake.member[1].peer, sizeof fake.peer_asked);
    hop_pong(1, 2, "relay via phone");
    hop_pong(2, 0, NULL);
    hop_pong(3, 0, "mesh via phone"); /* nobody has told how far */
    hop_pong(4, 1, "direct udp 192.0.2.7:9000");
    r = item_of("probe");
    expect_target(r, "files", files);
    assert_int_equal(int_at(r, "seq"), 1);
    assert_int_equal(int_at(r, "hops"), 2);
    assert_string_equal(text_at(r, "route"), "relay via phone");
    assert_true(json_real_value(json_object_get(r, "rtt_ms")) == 1.0);
    json_decref(r);
    r = item_of("probe");
    expect_target(r, "files", files);
    assert_true(json_is_true(json_object_get(r, "lost")));
    assert_true(json_is_null(json_object_get(r, "route")));
    assert_true(json_is_null(json_object_get(r, "hops")));
    assert_true(json_is_null(json_object_get(r, "rtt_ms")));
    json_decref(r);
    r = item_of("probe");
    assert_string_equal(text_at(r, "route"), "mesh via phone");
    assert_true(json_is_null(json_object_get(r, "hops")));
    json_decref(r);
    r = item_of("probe");
    assert_int_equal(int_at(r, "hops"), 1);
    json_decref(r);
    done(KITH_OK, fake.call, NULL);
    r = result_of("probe");
    expect_target(r, "files", files);
    assert_int_equal(int_at(r, "sent"), 4);
    assert_int_equal(int_at(r, "received"), 3);
    assert_true(json_real_value(json_object_get(r, "loss")) == 0.25);
    assert_true(json_real_value(json_object_get(r, "min_ms")) == 1.0);
    assert_true(json_real_value(json_object_get(r, "max_ms")) == 4.0);
    json_decref(r);
}

static void a_probe_of_a_name_is_three_round_trips_to_the_member_itself(void **state)
{
    char own[KITH_DESTINATION_TEXT];
    struct kith_destination d;
    json_t *r;

    (void)state;
    assert_int_equal(kith_destination(&fake.member[1].peer, kith_span_text(KITH_SERVICE_SELF), &d),
                     KITH_OK);
    say("probe", "{\"destination\":\"laptop\",\"network\":\"home\"}");
    assert_string_equal(fake.network_name, "home");
    assert_int_equal(fake.count, 3);
    assert_int_equal(fake.interval, KITH_SEC);
    done(KITH_OK, fake.call, NULL);
    r = result_of("probe");
    expect_target(r, "kith", kith_destination_text(&d, own, sizeof own));
    assert_int_equal(int_at(r, "sent"), 0);
    assert_true(json_is_null(json_object_get(r, "avg_ms")));
    json_decref(r);
    say("probe", "{\"destination\":\"nobody\"}");
    expect_error("NOTFOUND", "no member nobody", NULL);
    say("probe", "{}");
    expect_error("INVAL", "param destination is missing", NULL);
}

static void a_client_that_goes_away_takes_its_calls_back_from_the_node(void **state)
{
    uint64_t call;

    (void)state;
    say("ping", "{\"name\":\"laptop\"}");
    call = fake.call;
    kith_ctl_close(client);
    assert_int_equal(fake.cancelled, call);
    pong(1, false, KITH_MSEC); /* too late: nobody is told */
    assert_int_equal(kith_ctl_open(&ctl, KITH_CTL_GRANT_ADMIN, 0, &client), KITH_OK);
    assert_null(hear());
}

static void cancel_ends_a_ping_with_cancelled(void **state)
{
    (void)state;
    say("ping", "{\"name\":\"laptop\"}");
    kith_ctl_feed(client,
                  kith_span_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"cancel\","
                                 "\"params\":{\"id\":1}}\n"),
                  NOW.mono);
    expect_error("CANCELLED", NULL, NULL);
    assert_int_equal(fake.cancelled, fake.call);
}

/* ---- the log ---- */

static void logs_tell_the_latest_events_of_the_level(void **state)
{
    json_t *r;

    (void)state;
    event_add(KITH_LEVEL_INFO, "one");
    event_add(KITH_LEVEL_DEBUG, "two");
    event_add(KITH_LEVEL_HOST, "three");
    event_add(KITH_LEVEL_INFO, "four");
    say("logs", "{\"lines\":2}");
    r = item_of("logs");
    assert_string_equal(text_at(r, "text"), "three");
    assert_string_equal(text_at(r, "level"), "host");
    assert_string_equal(text_at(r, "name"), "kith0"); /* the event's own field */
    json_decref(r);
    r = item_of("logs");
    assert_string_equal(text_at(r, "text"), "four");
    json_decref(r);
    r = result_of("logs");
    assert_int_equal(int_at(r, "lines"), 2);
    json_decref(r);

    r = ask("logs", "{\"lines\":0}");
    assert_int_equal(int_at(r, "lines"), 0);
    json_decref(r);
    say("logs", "{\"level\":\"debug\"}");
    for (int i = 0; i < 4; i++)
        json_decref(item_of("logs"));
    json_decref(result_of("logs"));
    say("logs", "{\"level\":\"loud\"}");
    expect_error("INVAL", NULL, NULL);
}

static void a_followed_log_goes_on_with_events_as_they_come(void **state)
{
    json_t *r;

    (void)state;
    event_add(KITH_LEVEL_INFO, "before");
    say("logs", "{\"lines\":0,\"follow\":true}");
    assert_null(hear());
    event_add(KITH_LEVEL_DEBUG, "not this");
    event_add(KITH_LEVEL_INFO, "after");
    kith_ctl_handlers_turn(&handlers);
    r = item_of("logs");
    assert_string_equal(text_at(r, "text"), "after");
    json_decref(r);
    kith_ctl_handlers_turn(&handlers);
    assert_null(hear());
    kith_ctl_feed(client,
                  kith_span_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"cancel\","
                                 "\"params\":{\"id\":1}}\n"),
                  NOW.mono);
    expect_error("CANCELLED", NULL, NULL);
    json_decref(hear());
    event_add(KITH_LEVEL_INFO, "nobody listens");
    kith_ctl_handlers_turn(&handlers);
    assert_null(hear());
    assert_int_equal(fake.cancelled, 0); /* the node never knew of it */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        T(a_way_says_what_is_known_of_it),
        T(what_is_not_known_of_a_way_is_null),
        T(ways_come_by_network_and_member_and_stay_best_first),
        T(the_ways_to_one_are_told_alone_when_it_is_named),
        T(a_network_gets_the_range_asked_for_when_the_host_does_not_use_it),
        T(a_network_without_a_range_gets_one_that_the_host_does_not_use),
        T(what_the_node_refuses_reaches_the_client_with_its_remedy),
        T(requests_answer_in_their_documented_shape),
        T(a_ticket_is_made_as_asked_or_for_one_day_and_one_use),
        T(a_backup_travels_as_base64_both_ways),
        T(down_answers_first_and_ends_the_node),
        T(join_is_answered_when_the_node_says_that_it_is_done),
        T(join_that_fails_says_why_and_what_to_do),
        T(ping_tells_every_round_trip_and_then_the_sum),
        T(a_ping_without_any_reply_has_no_times),
        T(a_probe_tells_the_hops_of_each_round_trip_and_whom_it_went_to),
        T(a_probe_of_a_name_is_three_round_trips_to_the_member_itself),
        T(a_client_that_goes_away_takes_its_calls_back_from_the_node),
        T(cancel_ends_a_ping_with_cancelled),
        T(logs_tell_the_latest_events_of_the_level),
        T(a_followed_log_goes_on_with_events_as_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

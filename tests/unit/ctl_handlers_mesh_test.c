/* What is told of the ways through the mesh. */
#include "ctl_handlers_lab.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_way_says_what_is_known_of_it),
        T(what_is_not_known_of_a_way_is_null),
        T(ways_come_by_network_and_member_and_stay_best_first),
        T(the_ways_to_one_are_told_alone_when_it_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

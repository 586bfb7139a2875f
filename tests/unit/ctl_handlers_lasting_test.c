/* Calls that last, and those that are given up; the log. */
#include "ctl_handlers_lab.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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

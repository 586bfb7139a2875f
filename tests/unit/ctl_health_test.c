/* The judgement of a node's health: each reason beside the nearest state without it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "ctl/health.h"

#define DAY ((kith_wall)86400)
#define WALL 1795199460u
static const struct kith_now NOW = {.mono = 5000 * KITH_SEC, .wall = WALL};

/* Nothing is wrong. */
static struct kith_health_facts well(void)
{
    return (struct kith_health_facts){
        .tun_wanted = true,
        .tun_there = true,
        .sockets = 2,
        .members = 3,
        .members_connected = 1,
        .certificate_end = WALL + 30 * DAY,
        .renew_before = 10 * DAY,
    };
}

/* The reason holds, alone, and makes the node as bad as this. */
static void expect(const struct kith_health_facts *f, enum kith_health_reason r,
                   enum kith_health_status status)
{
    struct kith_health h = kith_health_judge(f, NOW);

    for (size_t i = 0; i < KITH_HEALTH_REASONS; i++)
        assert_int_equal(h.because[i], i == (size_t)r);
    assert_int_equal(h.status, status);
}

static void expect_well(const struct kith_health_facts *f)
{
    struct kith_health h = kith_health_judge(f, NOW);

    for (size_t i = 0; i < KITH_HEALTH_REASONS; i++)
        assert_false(h.because[i]);
    assert_int_equal(h.status, KITH_HEALTHY);
}

static void a_node_without_networks_and_members_is_healthy(void **state)
{
    struct kith_health_facts none = {.sockets = 1}, f = well();

    (void)state;
    expect_well(&none);
    expect_well(&f);
}

static void an_interface_is_missed_only_where_it_is_wanted(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.tun_there = false;
    expect(&f, KITH_HEALTH_tun_missing, KITH_DEGRADED);
    f.tun_wanted = false;
    expect_well(&f);
}

static void one_dead_socket_degrades_and_all_of_them_are_the_end(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.sockets_dead = 1;
    expect(&f, KITH_HEALTH_socket_dead, KITH_DEGRADED);
    f.sockets_dead = 2;
    expect(&f, KITH_HEALTH_sockets_dead, KITH_UNHEALTHY);
}

static void a_certificate_is_told_from_a_day_before_its_end(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.certificate_end = WALL + DAY + 1;
    expect_well(&f);
    f.certificate_end = WALL + DAY;
    expect(&f, KITH_HEALTH_certificate_ending, KITH_DEGRADED);
    f.certificate_end = WALL + 1;
    expect(&f, KITH_HEALTH_certificate_ending, KITH_DEGRADED);
}

static void who_renews_late_is_told_when_half_of_that_time_is_over(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.renew_before = 3600;
    f.certificate_end = WALL + 1801;
    expect_well(&f);
    f.certificate_end = WALL + 1800;
    expect(&f, KITH_HEALTH_certificate_ending, KITH_DEGRADED);
}

static void a_certificate_that_ended_is_told_as_that(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.certificate_end = WALL;
    f.networks_lapsed = f.networks_expired = 1;
    expect(&f, KITH_HEALTH_certificate_ended, KITH_DEGRADED);
}

static void a_network_that_put_this_node_out_is_told(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.networks_lapsed = 1;
    expect(&f, KITH_HEALTH_membership_lost, KITH_DEGRADED);
}

static void being_alone_is_told_after_a_minute_and_only_where_others_are_known(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.members_connected = 0;
    f.alone_since = NOW.mono - 60 * KITH_SEC;
    expect_well(&f);
    f.alone_since--;
    expect(&f, KITH_HEALTH_alone, KITH_DEGRADED);
    f.members = 0;
    expect_well(&f);
    f.members = 3;
    f.alone_since = 0; /* nobody has looked yet */
    expect_well(&f);
    f.alone_since = 1;
    f.members_connected = 1; /* again */
    expect_well(&f);
}

static void a_store_that_fails_degrades_and_a_damaged_one_is_the_end(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.store_failing = KITH_E_NOSPACE;
    expect(&f, KITH_HEALTH_store_failing, KITH_DEGRADED);
    f.store_failing = KITH_E_IO;
    expect(&f, KITH_HEALTH_store_failing, KITH_DEGRADED);
    f.store_failing = KITH_E_CORRUPT;
    expect(&f, KITH_HEALTH_store_unusable, KITH_UNHEALTHY);
}

static void a_node_that_is_being_stopped_is_of_no_use(void **state)
{
    struct kith_health_facts f = well();

    (void)state;
    f.stopping = true;
    expect(&f, KITH_HEALTH_stopping, KITH_UNHEALTHY);
}

static void the_worst_of_several_reasons_counts_and_all_are_told(void **state)
{
    struct kith_health_facts f = well();
    struct kith_health h;
    struct kith_buf out;
    json_t *j, *reasons;

    (void)state;
    f.tun_there = false;
    f.stopping = true;
    h = kith_health_judge(&f, NOW);
    assert_int_equal(h.status, KITH_UNHEALTHY);
    kith_buf_init(&out, &kith_heap, 4096);
    assert_int_equal(kith_health_text(&h, &out), KITH_OK);
    j = json_loadb((const char *)kith_buf_span(&out).p, kith_buf_len(&out), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(j, "status")), "unhealthy");
    reasons = json_object_get(j, "reasons");
    assert_int_equal(json_array_size(reasons), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(reasons, 0), "code")),
                        "tun_missing");
    assert_string_equal(json_string_value(json_object_get(json_array_get(reasons, 1), "code")),
                        "stopping");
    assert_non_null(json_string_value(json_object_get(json_array_get(reasons, 1), "text")));
    json_decref(j);
    kith_buf_fini(&out);
}

static void every_reason_at_once_is_still_JSON(void **state)
{
    struct kith_health h = {.status = KITH_UNHEALTHY};
    struct kith_buf out;
    json_t *j;

    (void)state;
    for (size_t i = 0; i < KITH_HEALTH_REASONS; i++)
        h.because[i] = true;
    kith_buf_init(&out, &kith_heap, 4096);
    assert_int_equal(kith_health_text(&h, &out), KITH_OK);
    j = json_loadb((const char *)kith_buf_span(&out).p, kith_buf_len(&out), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(j, "reasons")), KITH_HEALTH_REASONS);
    json_decref(j);
    kith_buf_fini(&out);
}

static void a_healthy_node_says_so_in_one_line(void **state)
{
    struct kith_health h = {.status = KITH_HEALTHY};
    struct kith_buf out;

    (void)state;
    kith_buf_init(&out, &kith_heap, 4096);
    assert_int_equal(kith_health_text(&h, &out), KITH_OK);
    assert_true(kith_span_equal(kith_buf_span(&out),
                                kith_span_text("{\"status\":\"healthy\",\"reasons\":[]}\n")));
    kith_buf_fini(&out);
    kith_buf_init(&out, &kith_heap, 10); /* too little room */
    assert_int_equal(kith_health_text(&h, &out), KITH_E_LIMIT);
    kith_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_without_networks_and_members_is_healthy),
        cmocka_unit_test(an_interface_is_missed_only_where_it_is_wanted),
        cmocka_unit_test(one_dead_socket_degrades_and_all_of_them_are_the_end),
        cmocka_unit_test(a_certificate_is_told_from_a_day_before_its_end),
        cmocka_unit_test(who_renews_late_is_told_when_half_of_that_time_is_over),
        cmocka_unit_test(a_certificate_that_ended_is_told_as_that),
        cmocka_unit_test(a_network_that_put_this_node_out_is_told),
        cmocka_unit_test(being_alone_is_told_after_a_minute_and_only_where_others_are_known),
        cmocka_unit_test(a_store_that_fails_degrades_and_a_damaged_one_is_the_end),
        cmocka_unit_test(a_node_that_is_being_stopped_is_of_no_use),
        cmocka_unit_test(the_worst_of_several_reasons_counts_and_all_are_told),
        cmocka_unit_test(every_reason_at_once_is_still_JSON),
        cmocka_unit_test(a_healthy_node_says_so_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

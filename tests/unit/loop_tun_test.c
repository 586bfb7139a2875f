/* A tunnel interface that somebody deletes: let go of at once, made again when it is time. Time is
 * given by hand; the interfaces are real, in a namespace of their own, with iproute2 to delete
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fd_lab.h"
#include "loop/tun.h"
#include "os_lab.h"

#define AT(s) ((s)*KITH_SEC)

static struct kith_loop_tun *tun;
static struct kith_netlink nl;
static struct kith_conf conf;
static struct kith_pump pump;
static struct kith_tx_batch batch;
static uv_loop_t loop;
static unsigned told[KITH_EVENT_COUNT];
static char trouble[400];

static void sink(void *ctx, const struct kith_event *ev)
{
    (void)ctx;
    told[ev->kind]++;
    if (ev->kind == KITH_EV_tun_unavailable)
        (void)kith_event_text(ev, trouble, sizeof trouble);
}

static const struct kith_events events = {.sink = sink};
static const struct kith_env env = {.alloc = &kith_heap, .events = &events};

/* ---- the lab ---- */

static void no_packets(void)
{
    FILE *f = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

    if (f == NULL)
        return; /* no IPv6 here */
    assert_true(fputs("1", f) > 0);
    assert_int_equal(fclose(f), 0);
}

static void it_is(kith_time now)
{
    pump.now.mono = now;
    pump.fresh = true;
}

/* One round of the loop: reads what there is, and closes what is to be closed. */
static void turn(kith_time now)
{
    it_is(now);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static int try_again(kith_time now)
{
    it_is(now);
    return kith_loop_tun_again(tun, &conf, &nl, &loop, now);
}

static bool is_there(const char *name)
{
    json_t *list = lab_ip_json("link show");
    bool found = lab_entry(list, "ifname", name) != NULL;

    json_decref(list);
    return found;
}

static void begin(void)
{
    static struct kith_conf_problems problems;
    const struct kith_conf_input in = {.host_name = "lab"};

    no_packets();
    memset(told, 0, sizeof told);
    tun = calloc(1, sizeof *tun);
    assert_non_null(tun);
    assert_int_equal(kith_conf_load(&conf, &in, &problems), KITH_OK);
    assert_int_equal(kith_netlink_open(&nl, NULL), KITH_OK);
    assert_int_equal(uv_loop_init(&loop), 0);
    pump = (struct kith_pump){.batch = &batch};
    it_is(AT(100));
    assert_int_equal(kith_loop_tun_open(tun, &conf, &nl, &env), KITH_OK);
    assert_int_equal(kith_loop_tun_start(tun, &loop, &pump), KITH_OK);
    assert_int_equal(kith_loop_tun_deadline(tun), KITH_NEVER);
}

static void finish(void)
{
    kith_loop_tun_close(tun);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    kith_netlink_close(&nl);
    free(tun);
}

/* ---- cases ---- */

static void a_deleted_interface_is_let_go_of_at_once(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    begin();
    size_t before = lab_descriptors();
    lab_ip("link del kith0");
    turn(AT(200));
    assert_int_equal(told[KITH_EV_tun_lost], 1);
    assert_int_equal(lab_descriptors(), before - 1);
    assert_false(uv_loop_alive(&loop)); /* nothing is waited for: nothing can wake it for nothing */
    assert_int_equal(kith_loop_tun_deadline(tun), AT(200));
    assert_false(tun->polled);
    assert_non_null(strstr(tun->trouble, "deleted"));
    finish();
    assert_int_equal(told[KITH_EV_tun_down], 0);
}

static void it_is_made_again_as_it_was(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    begin();
    unsigned first = tun->tun.ifindex;
    lab_ip("link del kith0");
    turn(AT(200));
    assert_int_equal(try_again(AT(200)), KITH_OK);
    assert_int_equal(kith_loop_tun_deadline(tun), KITH_NEVER);
    assert_int_equal(told[KITH_EV_tun_up], 2);
    assert_string_equal(tun->trouble, "");
    assert_true(tun->polled && tun->tun.ifindex != first);

    json_t *list = lab_ip_json("link show");
    json_t *link = lab_entry(list, "ifname", "kith0");
    assert_non_null(link);
    assert_int_equal(json_integer_value(json_object_get(link, "mtu")), conf.vpn.mtu);
    assert_int_equal(json_integer_value(json_object_get(link, "txqlen")), KITH_TUN_QUEUE);
    json_decref(list);
    finish();
    assert_int_equal(told[KITH_EV_tun_down], 1);
    assert_false(is_there("kith0"));
}

static void not_before_the_loop_has_closed_the_last_one(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    begin();
    lab_ip("link del kith0");
    tun->handle.poll_cb(&tun->handle, 0, UV_READABLE); /* as within a round of the loop */
    assert_int_equal(told[KITH_EV_tun_lost], 1);
    assert_int_equal(try_again(AT(100)), KITH_E_AGAIN);
    turn(AT(100));
    assert_int_equal(try_again(AT(100)), KITH_OK);
    finish();
}

static void a_taken_name_is_told_once_with_its_remedy_and_asked_for_ever_more_rarely(void **state)
{
    kith_time at = AT(200);

    (void)state;
    LAB_OR_SKIP();
    begin();
    lab_ip("link del kith0");
    lab_ip("link add kith0 type bridge");
    turn(at);
    for (unsigned wait = 1; wait <= 8; wait *= 2) {
        assert_int_equal(kith_loop_tun_deadline(tun), at);
        assert_int_equal(try_again(at), KITH_E_EXISTS);
        at += AT(wait);
    }
    assert_int_equal(told[KITH_EV_tun_unavailable], 1);
    assert_non_null(strstr(trouble, "kith0 exists"));
    assert_non_null(strstr(trouble, "Remedy: remove what is called kith0"));
    assert_non_null(strstr(tun->trouble, "Remedy"));
    lab_ip("link del kith0");
    assert_int_equal(try_again(at), KITH_OK);
    assert_int_equal(kith_loop_tun_deadline(tun), KITH_NEVER);
    finish();
}

static void packets_for_one_that_is_gone_are_refused(void **state)
{
    static const uint8_t none[40];
    const struct kith_span part = KITH_SPAN_OF(none);

    (void)state;
    LAB_OR_SKIP();
    begin();
    struct kith_vpn_in in = kith_loop_tun_in(tun);
    lab_ip("link del kith0");
    assert_false(in.write(in.ctx, &part, 1)); /* before the loop knows */
    turn(AT(200));
    assert_false(in.write(in.ctx, &part, 1));
    finish();
}

static void a_hundred_times_cost_no_descriptor(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    begin();
    size_t before = lab_descriptors();
    for (kith_time s = 200; s < 300; s++) {
        lab_ip("link del kith0");
        turn(AT(s));
        assert_int_equal(kith_loop_tun_deadline(tun), AT(s)); /* it had been there for a second */
        assert_int_equal(try_again(AT(s)), KITH_OK);
    }
    assert_int_equal(lab_descriptors(), before);
    assert_int_equal(told[KITH_EV_tun_lost], 100);
    finish();
    assert_true(lab_descriptors() < before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deleted_interface_is_let_go_of_at_once),
        cmocka_unit_test(it_is_made_again_as_it_was),
        cmocka_unit_test(not_before_the_loop_has_closed_the_last_one),
        cmocka_unit_test(a_taken_name_is_told_once_with_its_remedy_and_asked_for_ever_more_rarely),
        cmocka_unit_test(packets_for_one_that_is_gone_are_refused),
        cmocka_unit_test(a_hundred_times_cost_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

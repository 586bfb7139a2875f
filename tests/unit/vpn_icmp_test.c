/* ICMP errors towards this machine, field by field from RFC 792, 1191 and 4443. */
#include "unit/vpn_packets.h"
#include "vpn/icmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t about[2048], out[KITH_ICMP_MAX], data[2000];
static struct kith_packet info;

static size_t answer_to(enum kith_icmp why, struct a_packet p)
{
    size_t n = make_packet(&p, about);

    assert_int_equal(kith_packet_parse((struct kith_span){about, n}, &info), KITH_OK);
    return kith_icmp_answer(why, (struct kith_span){about, n}, &info, 1400, out);
}

static const struct a_packet tcp4 = {
    .src = "100.64.0.1", .dst = "100.64.0.2", .proto = TCP, .flags = ACK, .payload = {data, 1500}};
static const struct a_packet tcp6 = {
    .src = "fd00::1", .dst = "fd00::2", .proto = TCP, .flags = ACK, .payload = {data, 1500}};

static void too_big_names_the_mtu_in_ipv4(void **state)
{
    size_t n = answer_to(KITH_ICMP_TOO_BIG, tcp4);

    (void)state;
    assert_int_equal(n, 576);
    assert_true(checksums_are_right((struct kith_span){out, n}));
    assert_int_equal(kith_load_u16(out + 2), 576);
    assert_int_equal(out[9], 1);
    assert_memory_equal(out + 12, about + 16, 4); /* from where the packet went */
    assert_memory_equal(out + 16, about + 12, 4); /* to where it came from */
    assert_int_equal(out[20], 3);
    assert_int_equal(out[21], 4);
    assert_int_equal(kith_load_u16(out + 26), 1400);
    assert_memory_equal(out + 28, about, n - 28);
}

static void too_big_names_the_mtu_in_ipv6(void **state)
{
    size_t n = answer_to(KITH_ICMP_TOO_BIG, tcp6);

    (void)state;
    assert_int_equal(n, 1280);
    assert_true(checksums_are_right((struct kith_span){out, n}));
    assert_int_equal(kith_load_u16(out + 4), 1240);
    assert_int_equal(out[6], 58);
    assert_memory_equal(out + 8, about + 24, 16);
    assert_memory_equal(out + 24, about + 8, 16);
    assert_int_equal(out[40], 2);
    assert_int_equal(out[41], 0);
    assert_int_equal(kith_load_u32(out + 44), 1400);
    assert_memory_equal(out + 48, about, n - 48);
}

static void each_reason_has_its_code(void **state)
{
    static const struct {
        enum kith_icmp why;
        uint8_t type4, code4, type6, code6;
    } rows[] = {{KITH_ICMP_NO_ROUTE, 3, 0, 1, 0},
                {KITH_ICMP_NO_HOST, 3, 1, 1, 3},
                {KITH_ICMP_PROHIBITED, 3, 13, 1, 1}};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(rows); i++) {
        assert_true(answer_to(rows[i].why, tcp4) > 0);
        assert_int_equal(out[20], rows[i].type4);
        assert_int_equal(out[21], rows[i].code4);
        assert_int_equal(kith_load_u32(out + 24), 0);
        assert_true(answer_to(rows[i].why, tcp6) > 0);
        assert_int_equal(out[40], rows[i].type6);
        assert_int_equal(out[41], rows[i].code6);
    }
}

static void a_short_packet_is_quoted_whole(void **state)
{
    struct a_packet p = tcp4;

    (void)state;
    p.payload.n = 0;
    assert_int_equal(answer_to(KITH_ICMP_NO_HOST, p), 28 + 40);
}

static void errors_and_later_fragments_get_no_answer(void **state)
{
    struct a_packet error = tcp4, echo = tcp4, later = tcp4, error6 = tcp6;

    (void)state;
    error.proto = echo.proto = ICMP;
    error.sport = 3 << 8;
    echo.sport = 8 << 8;
    error6.proto = ICMP6;
    error6.sport = 1 << 8;
    later.proto = UDP;
    later.may_fragment = true;
    later.fragment = 10;
    assert_int_equal(answer_to(KITH_ICMP_NO_HOST, error), 0);
    assert_int_equal(answer_to(KITH_ICMP_NO_HOST, error6), 0);
    assert_int_equal(answer_to(KITH_ICMP_NO_HOST, later), 0);
    assert_true(answer_to(KITH_ICMP_NO_HOST, echo) > 0);
}

static void addresses_of_many_or_of_nobody_get_no_answer(void **state)
{
    static const char *const bad[] = {"224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1",
                                      "169.254.1.1"};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        struct a_packet p = tcp4;
        p.dst = bad[i];
        assert_int_equal(answer_to(KITH_ICMP_NO_HOST, p), 0);
        p = tcp4;
        p.src = bad[i];
        assert_int_equal(answer_to(KITH_ICMP_NO_HOST, p), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_big_names_the_mtu_in_ipv4),
        cmocka_unit_test(too_big_names_the_mtu_in_ipv6),
        cmocka_unit_test(each_reason_has_its_code),
        cmocka_unit_test(a_short_packet_is_quoted_whole),
        cmocka_unit_test(errors_and_later_fragments_get_no_answer),
        cmocka_unit_test(addresses_of_many_or_of_nobody_get_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

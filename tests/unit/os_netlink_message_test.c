/* The conversation with the kernel, with a socket pair in the kernel's place: answers that are
 * late, foreign, cut, interrupted or missing. The other half of the truth, the real kernel, is in
 * os_netlink_test.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/random.h"
#include "os/linux/netlink_message.h"

enum { PORT = 4711 };

struct fake {
    struct kith_netlink nl;
    int kernel; /* the other end */
};

/* SOCK_SEQPACKET keeps datagrams apart and ignores the address that they are sent to. */
static struct fake fake_open(void)
{
    struct timeval soon = {.tv_usec = 1000};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    return (struct fake){.nl = {.fd = ends[0], .port = PORT}, .kernel = ends[1]};
}

static void fake_close(struct fake *f)
{
    kith_netlink_close(&f->nl);
    (void)close(f->kernel);
}

/* One message with up to 64 bytes behind its header. */
static void answer(struct fake *f, uint16_t type, uint16_t flags, uint32_t seq, const void *body,
                   size_t n)
{
    uint8_t bytes[128];
    struct nlmsghdr h = {.nlmsg_len = (uint32_t)(sizeof h + n),
                         .nlmsg_type = type,
                         .nlmsg_flags = flags,
                         .nlmsg_seq = seq,
                         .nlmsg_pid = PORT};

    memcpy(bytes, &h, sizeof h);
    kith_copy(bytes + sizeof h, body, n);
    assert_int_equal(send(f->kernel, bytes, sizeof h + n, 0), sizeof h + n);
}

static void verdict(struct fake *f, uint32_t seq, int errnum)
{
    struct nlmsgerr e = {.error = -errnum};

    answer(f, NLMSG_ERROR, NLM_F_CAPPED, seq, &e, sizeof e);
}

static int ask(struct fake *f, kith_nl_visit *visit, void *ctx, struct kith_os_why *why)
{
    struct rtmsg body = {0};
    struct kith_nl_request q = kith_nl_request(RTM_GETROUTE, 0, KITH_SPAN_OF(body));

    return kith_nl_ask(&f->nl, &q, visit, ctx, "ask", why);
}

static int count(void *ctx, uint16_t type, struct kith_span body)
{
    (void)body;
    if (type == RTM_NEWROUTE)
        ++*(unsigned *)ctx;
    return KITH_OK;
}

static void forget(void *ctx)
{
    *(unsigned *)ctx = 0;
}

static void an_answer_to_an_earlier_question_is_not_heard(void **state)
{
    (void)state;
    struct fake f = fake_open();
    struct kith_os_why why;
    verdict(&f, 0, EPERM);
    verdict(&f, 1, EEXIST);
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_E_EXISTS);
    assert_string_equal(why.text, "ask: File exists");
    verdict(&f, 1, EPERM);
    verdict(&f, 2, 0);
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_OK);
    fake_close(&f);
}

static void a_kernel_that_does_not_answer_times_out(void **state)
{
    (void)state;
    struct fake f = fake_open();
    struct kith_os_why why;
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_E_TIMEOUT);
    assert_string_equal(why.text, "ask: no answer from the kernel");
    verdict(&f, 1, 0); /* late */
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_E_TIMEOUT);
    fake_close(&f);
}

static void an_answer_that_is_cut_is_an_error(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 15, 17, UINT32_MAX};
    for (size_t i = 0; i < KITH_COUNT(lengths); i++) {
        struct fake f = fake_open();
        struct nlmsghdr h = {.nlmsg_len = lengths[i], .nlmsg_seq = 1, .nlmsg_pid = PORT};
        assert_int_equal(send(f.kernel, &h, sizeof h, 0), sizeof h);
        assert_int_equal(ask(&f, NULL, NULL, NULL), KITH_E_IO);
        fake_close(&f);
    }
}

static void the_kernels_own_sentence_is_passed_on(void **state)
{
    (void)state;
    static const char sentence[] = "mtu too small";
    struct fake f = fake_open();
    struct kith_os_why why;
    struct nlmsgerr e = {.error = -EINVAL};
    struct rtattr a = {.rta_len = sizeof a + sizeof sentence, .rta_type = NLMSGERR_ATTR_MSG};
    uint8_t body[64];
    memcpy(body, &e, sizeof e);
    memcpy(body + sizeof e, &a, sizeof a);
    memcpy(body + sizeof e + sizeof a, sentence, sizeof sentence);
    answer(&f, NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, 1, body,
           sizeof e + sizeof a + sizeof sentence);
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_E_INVAL);
    assert_string_equal(why.text, "ask: Invalid argument (mtu too small)");
    /* an echoed request that claims to be longer than the whole answer hides no sentence */
    e.msg.nlmsg_len = 1000;
    memcpy(body, &e, sizeof e);
    answer(&f, NLMSG_ERROR, NLM_F_ACK_TLVS, 2, body, sizeof e + sizeof a + sizeof sentence);
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_E_INVAL);
    assert_string_equal(why.text, "ask: Invalid argument");
    /* and one that claims to be shorter than its own header */
    e.msg.nlmsg_len = 3;
    memcpy(body, &e, sizeof e);
    answer(&f, NLMSG_ERROR, NLM_F_ACK_TLVS, 3, body, sizeof e + sizeof a + sizeof sentence);
    assert_int_equal(ask(&f, NULL, NULL, &why), KITH_E_INVAL);
    assert_string_equal(why.text, "ask: Invalid argument");
    fake_close(&f);
}

static void a_dump_that_was_interrupted_begins_anew(void **state)
{
    (void)state;
    struct fake f = fake_open();
    struct rtmsg route = {.rtm_family = AF_INET};
    int32_t zero = 0;
    unsigned seen = 0;
    answer(&f, RTM_NEWROUTE, NLM_F_MULTI, 1, &route, sizeof route);
    answer(&f, RTM_NEWROUTE, NLM_F_MULTI | NLM_F_DUMP_INTR, 1, &route, sizeof route);
    answer(&f, NLMSG_DONE, NLM_F_MULTI, 1, &zero, sizeof zero);
    answer(&f, RTM_NEWROUTE, NLM_F_MULTI, 2, &route, sizeof route);
    answer(&f, NLMSG_DONE, NLM_F_MULTI, 2, &zero, sizeof zero);
    assert_int_equal(kith_nl_dump(&f.nl, RTM_GETROUTE, forget, count, &seen, NULL), KITH_OK);
    assert_int_equal(seen, 1);
    assert_int_equal(f.nl.seq, 2);
    fake_close(&f);
}

static void a_table_that_never_rests_is_given_up(void **state)
{
    (void)state;
    struct fake f = fake_open();
    int32_t zero = 0;
    unsigned seen;
    for (uint32_t seq = 1; seq <= 8; seq++)
        answer(&f, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, seq, &zero, sizeof zero);
    assert_int_equal(kith_nl_dump(&f.nl, RTM_GETADDR, forget, count, &seen, NULL), KITH_E_AGAIN);
    fake_close(&f);
}

static int refuse(void *ctx, uint16_t type, struct kith_span body)
{
    (void)ctx;
    (void)type;
    (void)body;
    return KITH_E_FULL;
}

static void a_visitors_objection_is_returned_after_the_whole_answer_was_read(void **state)
{
    (void)state;
    struct fake f = fake_open();
    struct rtmsg route = {.rtm_family = AF_INET};
    answer(&f, RTM_NEWROUTE, 0, 1, &route, sizeof route);
    verdict(&f, 1, 0);
    assert_int_equal(ask(&f, refuse, NULL, NULL), KITH_E_FULL);
    char rest;
    assert_int_equal(recv(f.nl.fd, &rest, 1, MSG_DONTWAIT), -1);
    fake_close(&f);
}

static void a_request_that_does_not_fit_is_never_sent(void **state)
{
    (void)state;
    static const uint8_t long_value[400];
    struct fake f = fake_open();
    struct rtmsg body = {0};
    char byte;
    struct kith_nl_request q = kith_nl_request(RTM_NEWROUTE, 0, KITH_SPAN_OF(body));
    kith_nl_put(&q, RTA_DST, (struct kith_span){long_value, sizeof long_value});
    assert_false(q.bad);
    kith_nl_put(&q, RTA_DST, (struct kith_span){long_value, sizeof long_value});
    assert_true(q.bad);
    assert_int_equal(kith_nl_ask(&f.nl, &q, NULL, NULL, "ask", NULL), KITH_E_INVAL);
    assert_int_equal(recv(f.kernel, &byte, 1, MSG_DONTWAIT), -1);
    fake_close(&f);
}

static void attributes_of_any_bytes_stay_inside_and_end(void **state)
{
    (void)state;
    struct kith_random_seeded seeded;
    struct kith_random r = kith_random_from_seed(&seeded);
    uint64_t seed = 20260;
    uint8_t bytes[64];
    kith_random_seeded_init(&seeded, seed);
    for (int round = 0; round < 20000; round++) {
        struct kith_span value, in = {bytes, (size_t)kith_random_below(&r, sizeof bytes + 1)};
        size_t steps = 0;
        uint16_t type;
        kith_random_fill(&r, bytes, sizeof bytes);
        for (size_t i = 0; i + 1 < sizeof bytes; i += 8) /* believable lengths */
            memcpy(bytes + i, &(uint16_t){(uint16_t)kith_random_below(&r, 20)}, 2);
        while (kith_nl_attr(&in, &type, &value)) {
            if (value.p < bytes || value.p + value.n > bytes + sizeof bytes || ++steps > 16)
                fail_msg("seed %llu, round %d", (unsigned long long)seed, round);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_an_earlier_question_is_not_heard),
        cmocka_unit_test(a_kernel_that_does_not_answer_times_out),
        cmocka_unit_test(an_answer_that_is_cut_is_an_error),
        cmocka_unit_test(the_kernels_own_sentence_is_passed_on),
        cmocka_unit_test(a_dump_that_was_interrupted_begins_anew),
        cmocka_unit_test(a_table_that_never_rests_is_given_up),
        cmocka_unit_test(a_visitors_objection_is_returned_after_the_whole_answer_was_read),
        cmocka_unit_test(a_request_that_does_not_fit_is_never_sent),
        cmocka_unit_test(attributes_of_any_bytes_stay_inside_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

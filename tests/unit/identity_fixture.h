/* identity_fixture.h: a network with a root, two admins and a few members, all from seeds. */
#ifndef KITH_TESTS_IDENTITY_FIXTURE_H
#define KITH_TESTS_IDENTITY_FIXTURE_H

#include "identity/issuer.h"
#include "identity/network_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0 ((kith_wall)1800000000) /* a day in 2027 */

enum { ROOT, ADMIN_A, ADMIN_B, ANNA, BERT, CARL, DORA, PEOPLE };

struct bytes {
    uint8_t b[KITH_OBJECT_MAX];
    size_t n;
};

struct fixture {
    struct kith_identity who[PEOPLE];
    struct kith_network_id network;
    struct kith_prefix range;
    struct kith_issuer issuer[3]; /* ROOT, ADMIN_A, ADMIN_B */
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_env env;
    struct kith_netview *view;
    struct bytes last; /* what was issued last */
};

static inline struct kith_span span_of(const struct bytes *b)
{
    return (struct kith_span){b->b, b->n};
}

static inline struct kith_netview *new_view(struct fixture *f,
                                            const struct kith_netview_limits *limits)
{
    struct kith_netview *v = NULL;

    assert_int_equal(kith_netview_new(&f->env, &f->network, &f->who[ANNA].id, limits, &v), KITH_OK);
    return v;
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    for (uint8_t i = 0; i < PEOPLE; i++) {
        struct kith_sign_seed seed = {{(uint8_t)(i + 1)}};
        assert_int_equal(kith_identity_from_seed(&kith_heap, &seed, &f->who[i]), KITH_OK);
    }
    assert_int_equal(kith_network_id_of(&f->who[ROOT].pub, &f->network), KITH_OK);
    assert_int_equal(kith_prefix_parse("100.77.0.0/16", &f->range), KITH_OK);
    for (unsigned k = 0; k < 3; k++) {
        f->issuer[k] = (struct kith_issuer){.signer = &f->who[k], .network = f->network};
        kith_issuer_serials(k, &f->issuer[k].next_serial, &f->issuer[k].last_serial);
    }
    kith_random_seeded_init(&f->seeded, 1);
    f->random = kith_random_from_seed(&f->seeded);
    f->env = (struct kith_env){.alloc = &kith_heap, .random = &f->random};
    f->view = new_view(f, NULL);
}

static inline void fixture_fini(struct fixture *f)
{
    kith_netview_free(f->view);
    for (size_t i = 0; i < PEOPLE; i++)
        kith_identity_fini(&f->who[i]);
}

/* ---- issuing into f->last ---- */

static inline struct kith_span network_object(struct fixture *f)
{
    assert_int_equal(kith_issue_network(&f->who[ROOT], kith_span_text("home"), &f->range, T0, T0,
                                        T0, f->last.b, sizeof f->last.b, &f->last.n),
                     KITH_OK);
    return span_of(&f->last);
}

static inline struct kith_span admin_object(struct fixture *f, unsigned k)
{
    struct kith_new_admin a = {.key = f->who[k].pub,
                               .range = f->range,
                               .block = k,
                               .number = T0,
                               .not_after = T0 + KITH_ADMIN_VALID};

    assert_int_equal(kith_issue_admin(&f->who[ROOT], &f->network, &a, T0, f->last.b,
                                      sizeof f->last.b, &f->last.n),
                     KITH_OK);
    return span_of(&f->last);
}

static inline struct kith_span cert_named(struct fixture *f, unsigned by, unsigned who,
                                          const char *name, uint64_t number)
{
    struct kith_new_member m = {.key = f->who[who].pub,
                                .name = kith_span_text(name),
                                .ip4 = kith_ip4(100, 77, (uint8_t)(16 * by), (uint8_t)(10 + who)),
                                .number = number};

    assert_int_equal(
        kith_issue_member(&f->issuer[by], &m, T0, f->last.b, sizeof f->last.b, &f->last.n),
        KITH_OK);
    return span_of(&f->last);
}

static inline struct kith_span cert(struct fixture *f, unsigned by, unsigned who, uint64_t number)
{
    static const char *const names[PEOPLE] = {"root", "alpha", "beta", "anna",
                                              "bert", "carl",  "dora"};

    return cert_named(f, by, who, names[who], number);
}

static inline struct kith_span revocation(struct fixture *f, unsigned by, unsigned who,
                                          const uint64_t *serials, size_t n, uint64_t stands_to)
{
    struct kith_new_revocation r = {.peer = f->who[who].id,
                                    .serials = serials,
                                    .n = n,
                                    .stands_to = stands_to,
                                    .reason = kith_span_text("lost")};

    assert_int_equal(
        kith_issue_revocation(&f->issuer[by], &r, T0, f->last.b, sizeof f->last.b, &f->last.n),
        KITH_OK);
    return span_of(&f->last);
}

static inline struct kith_span endpoints(struct fixture *f, unsigned who, uint64_t number)
{
    struct kith_addr a = {.ip = kith_ip4(192, 0, 2, (uint8_t)who), .port = 9000};

    assert_int_equal(kith_issue_endpoints(&f->who[who], &f->network, &a, 1, number, T0 + 3600, T0,
                                          f->last.b, sizeof f->last.b, &f->last.n),
                     KITH_OK);
    return span_of(&f->last);
}

/* ---- offering ---- */

static inline void assert_offer(struct kith_netview *v, struct kith_span object,
                                enum kith_offer want)
{
    enum kith_offer got = KITH_OFFER_NEW;
    const char *why = "";

    assert_int_equal(kith_netview_offer(v, object, T0, &got, &why), KITH_OK);
    assert_int_equal(got, want);
}

static inline void assert_refused(struct kith_netview *v, struct kith_span object, int want,
                                  const char *why_part)
{
    enum kith_offer got;
    const char *why = NULL;

    assert_int_equal(kith_netview_offer(v, object, T0, &got, &why), want);
    assert_non_null(why);
    assert_non_null(strstr(why, why_part));
}

/* The root and both admins, effects swallowed. */
static inline void found(struct fixture *f)
{
    struct kith_netview_effect fx;

    assert_offer(f->view, network_object(f), KITH_OFFER_NEW);
    assert_offer(f->view, admin_object(f, ADMIN_A), KITH_OFFER_NEW);
    assert_offer(f->view, admin_object(f, ADMIN_B), KITH_OFFER_NEW);
    while (kith_netview_next_effect(f->view, &fx))
        ;
}

#endif

/* Whether secrets are gone from this process's memory when what held them was closed: heap, stacks
 * and data are looked through. Beside each refusal stands that the search finds it before. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "crypto/secret_heap.h"
#include "identity/backup.h"
#include "identity/identity.h"
#include "identity/ticket.h"
#include "lab_memory.h"
#include "sim/conn_peer.h"

/* ---- signing keys ---- */

enum { SEED, PRIVATE_K, PACKED_S1, PACKED_T0, POLYNOMIAL_S1, PEM_SECOND_LINE, KEY_SECRETS };

struct key_secrets {
    struct lab_secret s[KEY_SECRETS];
};

enum { EXPANDED = 4032, AT_K = 32, AT_S1 = 128, AT_T0 = 128 + 11 * 128, Q = 8380417, ETA = 4 };

/* The first coefficients of s1 as the library holds them: residues, 32 bits each. */
static void polynomial(const uint8_t *packed, uint8_t out[LAB_SECRET])
{
    for (size_t i = 0; i < LAB_SECRET / 4; i++) {
        int nibble = packed[i / 2] >> 4 * (i % 2) & 15, c = ETA - nibble;
        uint32_t residue = c < 0 ? (uint32_t)(Q + c) : (uint32_t)c;
        memcpy(out + 4 * i, &residue, 4);
    }
}

static void key_secrets_of(const struct kith_sign_key *key, struct key_secrets *ret)
{
    uint8_t expanded[EXPANDED], seed[32], poly[LAB_SECRET], pem[KITH_SIGN_PEM_MAX];
    EVP_PKEY *pkey = kith_sign_key_evp(key);
    size_t n;

    assert_int_equal(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, expanded,
                                                     sizeof expanded, &n),
                     1);
    assert_int_equal(n, EXPANDED);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ML_DSA_SEED, seed, sizeof seed, &n),
        1);
    assert_int_equal(kith_sign_key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    polynomial(expanded + AT_S1, poly);
    lab_secret_take(&ret->s[SEED], seed);
    lab_secret_take(&ret->s[PRIVATE_K], expanded + AT_K);
    lab_secret_take(&ret->s[PACKED_S1], expanded + AT_S1);
    lab_secret_take(&ret->s[PACKED_T0], expanded + AT_T0);
    lab_secret_take(&ret->s[POLYNOMIAL_S1], poly);
    lab_secret_take(&ret->s[PEM_SECOND_LINE], pem + 28 + 65);
    kith_wipe(expanded, sizeof expanded);
    kith_wipe(seed, sizeof seed);
    kith_wipe(poly, sizeof poly);
    kith_wipe(pem, sizeof pem);
}

static void expect_gone(const struct key_secrets *k)
{
    for (size_t i = 0; i < KEY_SECRETS; i++)
        if (!lab_secret_is_gone(&k->s[i]))
            fail_msg("secret %zu of the key is still there", i);
}

static void a_key_that_was_made_signed_and_freed_is_gone(void **state)
{
    struct kith_sign_key *key;
    struct kith_signature sig;
    struct key_secrets k;

    (void)state;
    assert_int_equal(kith_sign_key_new(&kith_heap, &key), KITH_OK);
    key_secrets_of(key, &k);
    assert_int_equal(kith_sign(key, kith_span_text("message"), &sig), KITH_OK);
    for (size_t i = 0; i < PEM_SECOND_LINE; i++)
        assert_true(lab_secret_is_there(&k.s[i]));
    kith_sign_key_free(key);
    expect_gone(&k);
}

static void an_identity_that_was_read_and_closed_is_gone(void **state)
{
    struct kith_identity id;
    struct key_secrets k;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    const char *why;
    size_t n;

    (void)state;
    assert_int_equal(kith_identity_new(&kith_heap, &id), KITH_OK);
    key_secrets_of(id.key, &k);
    assert_int_equal(kith_identity_to_pem(&id, pem, sizeof pem, &n), KITH_OK);
    kith_identity_fini(&id);
    assert_true(lab_secret_is_there(&k.s[PEM_SECOND_LINE]));
    assert_int_equal(kith_identity_from_pem(&kith_heap, (struct kith_span){pem, n}, &id, &why),
                     KITH_OK);
    kith_wipe(pem, sizeof pem);
    assert_true(lab_secret_is_there(&k.s[SEED]));
    kith_identity_fini(&id);
    expect_gone(&k);
}

static void what_is_no_key_leaves_nothing_of_what_it_was(void **state)
{
    struct kith_identity id;
    struct key_secrets k;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    const char *why;
    size_t n;

    (void)state;
    assert_int_equal(kith_identity_new(&kith_heap, &id), KITH_OK);
    key_secrets_of(id.key, &k);
    assert_int_equal(kith_identity_to_pem(&id, pem, sizeof pem, &n), KITH_OK);
    kith_identity_fini(&id);
    pem[28 + 65 * 40] ^= 1; /* somewhere in the expanded half */
    assert_int_not_equal(kith_identity_from_pem(&kith_heap, (struct kith_span){pem, n}, &id, &why),
                         KITH_OK);
    kith_wipe(pem, sizeof pem);
    expect_gone(&k);
}

/* ---- tickets ---- */

static void fill(struct lab_secret *s, uint8_t which)
{
    for (size_t i = 0; i < LAB_SECRET; i++)
        s->complement[i] = (uint8_t)(i * 37 + which * 11 + 5);
}

static void a_tickets_secret_is_gone_after_use(void **state)
{
    struct lab_secret secret, exporter, proof;
    struct kith_ticket_secret s;
    struct kith_enrol_exporter x;
    struct kith_network_id network = {{1}};
    struct kith_peer_id issuer = {{2}}, joiner = {{3}};
    struct kith_enrol_claim claim = {&x, &network, &issuer, &joiner, kith_span_text("laptop")};
    struct kith_ticket_proof wrong = {{0}}, right;
    struct kith_ticket_id id;

    (void)state;
    fill(&secret, 1);
    fill(&exporter, 2);
    lab_secret_give(&secret, s.b);
    lab_secret_give(&exporter, x.b);
    assert_true(lab_secret_is_there(&secret));
    assert_int_equal(kith_ticket_id(&s, &id), KITH_OK);
    assert_int_equal(kith_ticket_prove(&s, &claim, &right), KITH_OK);
    assert_int_equal(kith_ticket_check(&s, &claim, &right), KITH_OK);
    lab_secret_take(&proof, right.b);
    kith_wipe(&right, sizeof right);
    assert_int_equal(kith_ticket_check(&s, &claim, &wrong), KITH_E_AUTH);
    kith_wipe(&s, sizeof s);
    kith_wipe(&x, sizeof x);
    assert_true(lab_secret_is_gone(&secret));
    assert_true(lab_secret_is_gone(&exporter));
    assert_true(lab_secret_is_gone(&proof));
}

static void a_ticket_as_text_is_gone_after_use(void **state)
{
    struct kith_ticket t = {.version = 1, .network_name = kith_span_text("home")}, got;
    char text[KITH_TICKET_TEXT_MAX];
    uint8_t buf[KITH_TICKET_MAX];
    struct lab_secret secret, characters;
    const char *why;

    (void)state;
    fill(&secret, 3);
    lab_secret_give(&secret, t.secret.b);
    assert_int_equal(kith_ticket_text(&t, text, sizeof text), KITH_OK);
    lab_secret_take(&characters, (const uint8_t *)text + 5 + 110); /* within the secret's */
    assert_int_equal(kith_ticket_parse(text, buf, sizeof buf, &got, &why), KITH_OK);
    assert_memory_equal(got.secret.b, t.secret.b, sizeof t.secret.b);
    assert_true(lab_secret_is_there(&characters));
    kith_wipe(&t, sizeof t);
    kith_wipe(&got, sizeof got);
    kith_wipe(buf, sizeof buf);
    kith_wipe(text, sizeof text);
    assert_true(lab_secret_is_gone(&secret));
    assert_true(lab_secret_is_gone(&characters));
}

/* ---- passphrases and backups ---- */

static void random_fill(void *ctx, uint8_t *p, size_t n)
{
    (void)ctx;
    memset(p, 0x77, n);
}

/* The key that the passphrase and random_fill's salt make. */
static void remember_key(const struct lab_secret *passphrase,
                         const struct kith_passphrase_cost *cost, struct lab_secret *ret)
{
    uint8_t pass[LAB_SECRET];
    struct kith_seal_key key;
    struct kith_salt salt;

    random_fill(NULL, salt.b, sizeof salt.b);
    lab_secret_give(passphrase, pass);
    assert_int_equal(kith_passphrase_key(KITH_SPAN_OF(pass), &salt, cost, &key), KITH_OK);
    lab_secret_take(ret, key.b);
    kith_wipe(&key, sizeof key);
    kith_wipe(pass, sizeof pass);
}

static void a_backups_passphrase_key_and_content_are_gone_after_use(void **state)
{
    const struct kith_passphrase_cost cost = {.memory_kib = 1024, .passes = 2, .lanes = 2};
    const struct kith_random random = {.fill = random_fill};
    struct lab_secret passphrase, key, content;
    uint8_t pass[LAB_SECRET], plain[LAB_SECRET];
    uint8_t *file = malloc(KITH_BACKUP_MAX), *buf = malloc(KITH_BACKUP_MAX);
    struct kith_backup_content c = {.key = KITH_SPAN_OF(plain)}, got;
    size_t n;

    (void)state;
    fill(&passphrase, 4);
    fill(&content, 5);
    remember_key(&passphrase, &cost, &key);
    lab_secret_give(&passphrase, pass);
    lab_secret_give(&content, plain);
    assert_int_equal(
        kith_backup_seal(&random, KITH_SPAN_OF(pass), &cost, &c, file, KITH_BACKUP_MAX, &n),
        KITH_OK);
    kith_wipe(plain, sizeof plain);
    assert_true(lab_secret_is_gone(&content));
    assert_int_equal(kith_backup_open((struct kith_span){file, n}, KITH_SPAN_OF(pass), buf,
                                      KITH_BACKUP_MAX, &got),
                     KITH_OK);
    assert_true(lab_secret_is_there(&content));
    kith_wipe(buf, KITH_BACKUP_MAX);
    file[n - 1] ^= 1;
    assert_int_equal(kith_backup_open((struct kith_span){file, n}, KITH_SPAN_OF(pass), buf,
                                      KITH_BACKUP_MAX, &got),
                     KITH_E_AUTH);
    kith_wipe(pass, sizeof pass);
    free(file);
    free(buf);
    assert_true(lab_secret_is_gone(&passphrase));
    assert_true(lab_secret_is_gone(&key));
    assert_true(lab_secret_is_gone(&content));
}

/* ---- connections ---- */

struct pair {
    struct conn_peer a, b;
};

static bool both_established(void *ctx)
{
    const struct pair *p = ctx;
    return p->a.n_established == 1 && p->b.n_established == 1;
}

static void a_connections_secret_is_gone_after_its_end(void **state)
{
    struct sim_net *net = sim_net_new(1);
    struct pair *p = calloc(1, sizeof *p);
    struct conn_peer *both[] = {&p->a, &p->b};
    struct lab_secret exporter;

    (void)state;
    assert_non_null(p);
    conn_peer_init(&p->a, net, "192.0.2.1:9000", 1, NULL);
    conn_peer_init(&p->b, net, "192.0.2.2:9000", 2, NULL);
    conn_peer_dial(&p->a, &p->b);
    assert_true(conn_peers_run(both, 2, both_established, p, 10 * KITH_SEC));
    lab_secret_take(&exporter, kith_conn_exporter(p->a.established[0]));
    assert_true(lab_secret_is_there(&exporter));
    conn_peer_fini(&p->a);
    conn_peer_fini(&p->b);
    free(p);
    sim_net_free(net);
    assert_true(lab_secret_is_gone(&exporter));
}

static void an_endpoints_keys_are_gone_after_its_end(void **state)
{
    struct conn_peer *p = calloc(1, sizeof *p); /* for its environment */
    struct sim_net *net = sim_net_new(1);
    struct kith_quic_config cfg = {.always_retry = true};
    struct kith_datagram_sink sink = {.datagram = NULL};
    struct lab_secret token, reset;
    struct kith_quic *q;

    (void)state;
    assert_non_null(p);
    conn_peer_init(p, net, "192.0.2.1:9000", 1, NULL);
    fill(&token, 6);
    fill(&reset, 7);
    lab_secret_give(&token, cfg.token_key);
    lab_secret_give(&reset, cfg.reset_key);
    cfg.key = p->key;
    assert_int_equal(kith_quic_new(&cfg, &p->env, &sink, &q), KITH_OK);
    kith_wipe(&cfg, sizeof cfg);
    assert_true(lab_secret_is_there(&token));
    assert_true(lab_secret_is_there(&reset));
    kith_quic_free(q);
    conn_peer_fini(p);
    free(p);
    sim_net_free(net);
    assert_true(lab_secret_is_gone(&token));
    assert_true(lab_secret_is_gone(&reset));
}

/* As a node begins, too. */
static int set_up(void **state)
{
    bool locked;

    (void)state;
    return kith_secret_heap_install(&locked, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_was_made_signed_and_freed_is_gone),
        cmocka_unit_test(an_identity_that_was_read_and_closed_is_gone),
        cmocka_unit_test(what_is_no_key_leaves_nothing_of_what_it_was),
        cmocka_unit_test(a_tickets_secret_is_gone_after_use),
        cmocka_unit_test(a_ticket_as_text_is_gone_after_use),
        cmocka_unit_test(a_backups_passphrase_key_and_content_are_gone_after_use),
        cmocka_unit_test(a_connections_secret_is_gone_after_its_end),
        cmocka_unit_test(an_endpoints_keys_are_gone_after_its_end),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Peer ids, their text, and keys as PEM. */
#include "identity/identity.h"

#include "base/text.h"
#include "identity/network_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The id of the key grown from the seed 00 01 … 1f: key by dilithium-py, SubjectPublicKeyInfo
 * header by RFC 9881, hash and base32 by Python's standard library. */
static const char seeded_id[] = "xc3ccmn7x2cegpx3ejz5p5nyp55cfbkkft6tm36cv2wynwbxyuwq";

static struct kith_identity seeded(void)
{
    struct kith_sign_seed seed;
    struct kith_identity id;

    for (size_t i = 0; i < sizeof seed.b; i++)
        seed.b[i] = (uint8_t)i;
    assert_int_equal(kith_identity_from_seed(&kith_heap, &seed, &id), KITH_OK);
    return id;
}

static void a_peer_id_is_the_hash_an_independent_computation_gives(void **state)
{
    struct kith_identity id = seeded();
    char text[KITH_ID_TEXT], brief[KITH_ID_SHORT];

    (void)state;
    assert_string_equal(kith_peer_id_text(&id.id, text, sizeof text), seeded_id);
    assert_string_equal(kith_peer_id_short(&id.id, brief, sizeof brief), "xc3ccmn7");
    kith_identity_fini(&id);
    assert_null(id.key);
}

static void text_and_id_are_two_forms_of_one_thing(void **state)
{
    struct kith_identity id = seeded();
    struct kith_peer_id back;
    char upper[KITH_ID_TEXT];

    (void)state;
    assert_int_equal(kith_peer_id_parse(seeded_id, &back), KITH_OK);
    assert_true(kith_peer_id_equal(&back, &id.id));
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = (char)(seeded_id[i] >= 'a' ? seeded_id[i] - 32 : seeded_id[i]);
    assert_int_equal(kith_peer_id_parse(upper, &back), KITH_OK);
    assert_true(kith_peer_id_equal(&back, &id.id));
    kith_identity_fini(&id);
}

static void what_is_no_id_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "xc3ccmn7",
        "xc3ccmn7x2cegpx3ejz5p5nyp55cfbkkft6tm36cv2wynwbxyuw",
        "xc3ccmn7x2cegpx3ejz5p5nyp55cfbkkft6tm36cv2wynwbxyuwqa",
        "xc3ccmn7x2cegpx3ejz5p5nyp55cfbkkft6tm36cv2wynwbxyuw1",
        "xc3ccmn7x2cegpx3ejz5p5nyp55cfbkkft6tm36cv2wynwbxyuwr", /* spare bits are not zero */
    };
    struct kith_peer_id id = {{42}};
    struct kith_network_id network;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        assert_int_equal(kith_peer_id_parse(bad[i], &id), KITH_E_MALFORMED);
        assert_int_equal(kith_network_id_parse(bad[i], &network), KITH_E_MALFORMED);
    }
    assert_int_equal(id.b[0], 42);
}

static void an_identity_survives_its_pem(void **state)
{
    struct kith_identity id, back;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    const char *why = NULL;
    size_t n;

    (void)state;
    assert_int_equal(kith_identity_new(&kith_heap, &id), KITH_OK);
    assert_int_equal(kith_identity_to_pem(&id, pem, sizeof pem, &n), KITH_OK);
    assert_int_equal(kith_identity_from_pem(&kith_heap, (struct kith_span){pem, n}, &back, &why),
                     KITH_OK);
    assert_null(why);
    assert_true(kith_peer_id_equal(&id.id, &back.id));
    assert_int_equal(
        kith_identity_from_pem(&kith_heap, (struct kith_span){pem, n - 40}, &back, &why),
        KITH_E_MALFORMED);
    assert_non_null(why);
    kith_identity_fini(&id);
    kith_identity_fini(&back);
}

/* With an openssl program that knows ML-DSA at hand, it must say the same of a fresh key. */
static void the_openssl_program_computes_the_same_id(void **state)
{
    struct kith_identity id;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    char name[] = "kith-identity-test-XXXXXX", command[256], line[128] = "", want[65];
    size_t n;

    (void)state;
    if (system("openssl list -signature-algorithms 2>/dev/null | grep -q ML-DSA-65") != 0)
        skip();
    assert_int_equal(kith_identity_new(&kith_heap, &id), KITH_OK);
    assert_int_equal(kith_identity_to_pem(&id, pem, sizeof pem, &n), KITH_OK);
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_int_equal(fwrite(pem, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    kith_format(command, sizeof command,
                "openssl pkey -in %s -pubout -outform DER | openssl dgst -sha256 -r", name);
    FILE *in = popen(command, "r");
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof line, in));
    assert_int_equal(pclose(in), 0);
    (void)remove(name);
    kith_hex_text(KITH_SPAN_OF(id.id), want, sizeof want);
    line[64] = '\0';
    assert_string_equal(line, want);
    kith_identity_fini(&id);
}

/* fd, then 40 bits of the network, 16 zero bits, 64 bits of the peer: written out by hand. */
static void an_ipv6_address_is_made_of_network_and_peer(void **state)
{
    struct kith_network_id network = {{0x11, 0x22, 0x33, 0x44, 0x55, 0x66}};
    struct kith_peer_id peer = {{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9}};
    struct kith_ip ip = kith_network_ip6(&network, &peer);
    char text[KITH_IP_TEXT];

    (void)state;
    assert_string_equal(kith_ip_text(&ip, text, sizeof text),
                        "fd11:2233:4455:0:a1a2:a3a4:a5a6:a7a8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_id_is_the_hash_an_independent_computation_gives),
        cmocka_unit_test(text_and_id_are_two_forms_of_one_thing),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(an_identity_survives_its_pem),
        cmocka_unit_test(the_openssl_program_computes_the_same_id),
        cmocka_unit_test(an_ipv6_address_is_made_of_network_and_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Packets under one key, against the vectors of the ciphers' standards. */
#include "crypto/aead.h"

#include "base/text.h"
#include "lab_alloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static size_t from_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = strlen(hex) / 2;

    assert_true(n <= cap);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return n;
}

static void assert_hex(const uint8_t *p, size_t n, const char *want)
{
    char text[513];

    assert_string_equal(kith_hex_text((struct kith_span){p, n}, text, sizeof text), want);
}

static struct kith_aead *make(enum kith_aead_kind kind, const struct kith_aead_key *key, bool seals)
{
    struct kith_aead *k = NULL;

    assert_int_equal(kith_aead_new(kind, key, seals, &kith_heap, &k), KITH_OK);
    return k;
}

static const enum kith_aead_kind kinds[] = {KITH_AEAD_AES256GCM, KITH_AEAD_CHACHA20POLY1305};
static const struct kith_aead_key a_key = {{1, 2, 3}, {4, 5, 6}};

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 16. Packet 0 has the
 * initialisation vector itself as nonce. */
static void aes_agrees_with_the_gcm_test_cases(void **state)
{
    struct kith_aead_key zero = {{0}, {0}}, key;
    uint8_t plain[64], aad[32], out[96];
    size_t n, aad_n;

    (void)state;
    struct kith_aead *k = make(KITH_AEAD_AES256GCM, &zero, true);
    assert_int_equal(kith_aead_seal(k, 0, (struct kith_span){0}, NULL, 0, out), KITH_OK);
    assert_hex(out, 16, "530f8afbc74536b9a963b4f1c4cb738b");
    kith_aead_free(k, &kith_heap);

    from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key.key, 32);
    from_hex("cafebabefacedbaddecaf888", key.iv, 12);
    n = from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595680953"
                 "2fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                 plain, sizeof plain);
    aad_n = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad, sizeof aad);
    k = make(KITH_AEAD_AES256GCM, &key, true);
    assert_int_equal(
        kith_aead_seal(k, 0, (struct kith_span){aad, aad_n}, &(struct kith_span){plain, n}, 1, out),
        KITH_OK);
    assert_hex(out, n + KITH_AEAD_TAG,
               "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3d"
               "a7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
    kith_aead_free(k, &kith_heap);
}

/* RFC 8439 2.8.2 */
static void chacha_agrees_with_rfc_8439(void **state)
{
    static const char text[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only "
        "one tip for the future, sunscreen would be it.";
    struct kith_aead_key key;
    uint8_t aad[12], out[160];

    (void)state;
    for (uint8_t i = 0; i < 32; i++)
        key.key[i] = (uint8_t)(0x80 + i);
    from_hex("070000004041424344454647", key.iv, 12);
    from_hex("50515253c0c1c2c3c4c5c6c7", aad, sizeof aad);
    struct kith_aead *k = make(KITH_AEAD_CHACHA20POLY1305, &key, true);
    struct kith_span plain = kith_span_text(text);
    assert_int_equal(kith_aead_seal(k, 0, KITH_SPAN_OF(aad), &plain, 1, out), KITH_OK);
    assert_hex(out, plain.n + KITH_AEAD_TAG,
               "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca96712"
               "82fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58"
               "fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09"
               "e26a7e902ecbd0600691");
    kith_aead_free(k, &kith_heap);
}

/* RFC 8446 5.3: the number, as eight bytes on the right, exclusive-or'd into the vector. */
static void the_number_goes_into_the_nonce(void **state)
{
    const struct kith_span in = kith_span_text("packet");
    const uint64_t number = 0x0102030405060708;
    struct kith_aead_key other = a_key;
    uint8_t by_number[32], by_hand[32];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        other.iv[4 + i] ^= (uint8_t)(i + 1);
    for (size_t i = 0; i < KITH_COUNT(kinds); i++) {
        struct kith_aead *a = make(kinds[i], &a_key, true), *b = make(kinds[i], &other, true);
        assert_int_equal(kith_aead_seal(a, number, in, &in, 1, by_number), KITH_OK);
        assert_int_equal(kith_aead_seal(b, 0, in, &in, 1, by_hand), KITH_OK);
        assert_memory_equal(by_number, by_hand, in.n + KITH_AEAD_TAG);
        kith_aead_free(a, &kith_heap);
        kith_aead_free(b, &kith_heap);
    }
}

enum { LONG = 300 }; /* bytes: more than four of the strides that sealing takes */

/* Every way to cut 0 to LONG bytes into a head of up to 70 and a body, and a third, empty part. */
static void any_cut_into_parts_seals_to_the_same_bytes(void **state)
{
    uint8_t in[LONG], whole[LONG + KITH_AEAD_TAG], cut[LONG + KITH_AEAD_TAG];
    const struct kith_span aad = kith_span_text("head");

    (void)state;
    for (size_t i = 0; i < LONG; i++)
        in[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < KITH_COUNT(kinds); i++) {
        struct kith_aead *k = make(kinds[i], &a_key, true);
        for (size_t n = 0; n <= LONG; n += n < 140 ? 1 : 7) {
            struct kith_span one = {in, n};
            assert_int_equal(kith_aead_seal(k, 9, aad, &one, 1, whole), KITH_OK);
            for (size_t at = 0; at <= n && at <= 70; at++) {
                const struct kith_span parts[] = {
                    {in, at / 3}, {in + at / 3, at - at / 3}, {in + at, n - at}, {NULL, 0}};
                for (size_t count = 3; count <= 4; count++) {
                    memset(cut, 0xee, sizeof cut);
                    assert_int_equal(kith_aead_seal(k, 9, aad, parts, count, cut), KITH_OK);
                    assert_memory_equal(cut, whole, n + KITH_AEAD_TAG);
                }
            }
        }
        kith_aead_free(k, &kith_heap);
    }
}

static void what_was_sealed_opens_in_place_and_nothing_else_does(void **state)
{
    const struct kith_span aad = kith_span_text("for whom"), other = kith_span_text("for who?");
    const struct kith_span in =
        kith_span_text("a packet of some length, more than one block of it");
    uint8_t sealed[96], p[96];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(kinds); i++) {
        struct kith_aead *k = make(kinds[i], &a_key, true), *o = make(kinds[i], &a_key, false);
        const size_t n = in.n + KITH_AEAD_TAG;
        assert_int_equal(kith_aead_seal(k, 77, aad, &in, 1, sealed), KITH_OK);
        for (size_t bit = 0; bit < n * 8; bit++) {
            memcpy(p, sealed, n);
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(kith_aead_open(o, 77, aad, p, n), KITH_E_AUTH);
        }
        memcpy(p, sealed, n);
        assert_int_equal(kith_aead_open(o, 77, other, p, n), KITH_E_AUTH);
        memcpy(p, sealed, n);
        assert_int_equal(kith_aead_open(o, 78, aad, p, n), KITH_E_AUTH);
        memcpy(p, sealed, n);
        assert_int_equal(kith_aead_open(o, 77, aad, p, n - 1), KITH_E_AUTH);
        memcpy(p, sealed, n);
        assert_int_equal(kith_aead_open(o, 77, aad, p, n), KITH_OK); /* none of that spoilt it */
        assert_memory_equal(p, in.p, in.n);
        kith_aead_free(k, &kith_heap);
        kith_aead_free(o, &kith_heap);
    }
}

static void a_packet_without_room_for_a_tag_is_malformed_and_an_empty_one_is_not(void **state)
{
    const struct kith_span aad = kith_span_text("x");
    uint8_t p[KITH_AEAD_TAG];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(kinds); i++) {
        struct kith_aead *k = make(kinds[i], &a_key, true), *o = make(kinds[i], &a_key, false);
        assert_int_equal(kith_aead_seal(k, 1, aad, NULL, 0, p), KITH_OK);
        for (size_t n = 0; n < KITH_AEAD_TAG; n++)
            assert_int_equal(kith_aead_open(o, 1, aad, p, n), KITH_E_MALFORMED);
        assert_int_equal(kith_aead_open(o, 1, aad, p, sizeof p), KITH_OK);
        assert_int_equal(kith_aead_open(o, 2, aad, p, sizeof p), KITH_E_AUTH);
        kith_aead_free(k, &kith_heap);
        kith_aead_free(o, &kith_heap);
    }
}

static void without_memory_there_is_no_key_and_nothing_stays(void **state)
{
    struct lab_alloc heap;
    struct kith_aead *k = NULL;

    (void)state;
    lab_alloc_init(&heap);
    heap.fail_at = 1;
    assert_int_equal(kith_aead_new(KITH_AEAD_AES256GCM, &a_key, true, &heap.alloc, &k),
                     KITH_E_NOMEM);
    assert_null(k);
    assert_int_equal(kith_aead_new(KITH_AEAD_AES256GCM, &a_key, true, &heap.alloc, &k), KITH_OK);
    kith_aead_free(k, &heap.alloc);
    kith_aead_free(NULL, &heap.alloc);
    assert_int_equal(heap.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aes_agrees_with_the_gcm_test_cases),
        cmocka_unit_test(chacha_agrees_with_rfc_8439),
        cmocka_unit_test(the_number_goes_into_the_nonce),
        cmocka_unit_test(any_cut_into_parts_seals_to_the_same_bytes),
        cmocka_unit_test(what_was_sealed_opens_in_place_and_nothing_else_does),
        cmocka_unit_test(a_packet_without_room_for_a_tag_is_malformed_and_an_empty_one_is_not),
        cmocka_unit_test(without_memory_there_is_no_key_and_nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

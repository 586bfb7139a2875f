/* Looking into first packets: RFC 9001's own, and what this test seals by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/random.h"
#include "conn/quic/initial.h"
#include "lab_alloc.h"

enum { LEN = 1200, HEAD = 18, NUMBER = 4 };

/* RFC 9001 A.2: the client's Initial, id 8394c8f03e515708, packet number 2 in four bytes. */
static const char sample[] =
    "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d"
    "92ec356c0bab7df5976d27cd449f63300099f3991c260ec4c60d17b31f8429157bb35a1282a643a8d2262cad"
    "67500cadb8e7378c8eb7539ec4d4905fed1bee1fc8aafba17c750e2c7ace01e6005f80fcb7df621230c83711"
    "b39343fa028cea7f7fb5ff89eac2308249a02252155e2347b63d58c5457afd84d05dfffdb20392844ae81215"
    "4682e9cf012f9021a6f0be17ddd0c2084dce25ff9b06cde535d0f920a2db1bf362c23e596d11a4f5a6cf3948"
    "838a3aec4e15daf8500a6ef69ec4e3feb6b1d98e610ac8b7ec3faf6ad760b7bad1db4ba3485e8a94dc250ae3"
    "fdb41ed15fb6a8e5eba0fc3dd60bc8e30c5c4287e53805db059ae0648db2f64264ed5e39be2e20d82df566da"
    "8dd5998ccabdae053060ae6c7b4378e846d29f37ed7b4ea9ec5d82e7961b7f25a9323851f681d582363aa5f8"
    "9937f5a67258bf63ad6f1a0b1d96dbd4faddfcefc5266ba6611722395c906556be52afe3f565636ad1b17d50"
    "8b73d8743eeb524be22b3dcbc2c7468d54119c7468449a13d8e3b95811a198f3491de3e7fe942b330407abf8"
    "2a4ed7c1b311663ac69890f4157015853d91e923037c227a33cdd5ec281ca3f79c44546b9d90ca00f064c99e"
    "3dd97911d39fe9c5d0b23a229a234cb36186c4819e8b9c5927726632291d6a418211cc2962e20fe47feb3edf"
    "330f2c603a9d48c0fcb5699dbfe5896425c5bac4aee82e57a85aaf4e2513e4f05796b07ba2ee47d80506f8d2"
    "c25e50fd14de71e6c418559302f939b0e1abd576f279c4b2e0feb85c1f28ff18f58891ffef132eef2fa09346"
    "aee33c28eb130ff28f5b766953334113211996d20011a198e3fc433f9f2541010ae17c1bf202580f6047472f"
    "b36857fe843b19f5984009ddc324044e847a4f4a0ab34f719595de37252d6235365e9b84392b061085349d73"
    "203a4a13e96f5432ec0fd4a1ee65accdd5e3904df54c1da510b0ff20dcc0c77fcb2c0e0eb605cb0504db8763"
    "2cf3d8b4dae6e705769d1de354270123cb11450efc60ac47683d7b8d0f811365565fd98c4c8eb936bcab8d06"
    "9fc33bd801b03adea2e1fbc5aa463d08ca19896d2bf59a071b851e6c239052172f296bfb5e72404790a21810"
    "14f3b94a4e97d117b438130368cc39dbb2d198065ae3986547926cd2162f40a29f0c3c8745c0f50fba3852e5"
    "66d44575c29d39a03f0cda721984b6f440591f355e12d439ff150aab7613499dbd49adabc8676eef023b15b6"
    "5bfc5ca06948109f23f350db82123535eb8a7433bdabcb909271a6ecbcb58b936a88cd4e8f2e6ff5800175f1"
    "13253d8fa9ca8885c2f552e657dc603f252e1a8e308f76f0be79e2fb8f5d5fbbe2e30ecadd220723c8c0aea8"
    "078cdfcb3868263ff8f0940054da48781893a7e49ad5aff4af300cd804a6b6279ab3ff3afb64491c85194aab"
    "760d58a606654f9f4400e8b38591356fbf6425aca26dc85244259ff2b19c41b9f96f3ca9ec1dde434da7d2d3"
    "92b905ddf3d1f9af93d1af5950bd493f5aa731b4056df31bd267b6b90a079831aaf579be0a39013137aac6d4"
    "04f518cfd46840647e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c8d169a44e55c88d4a9a7f9474241e221af44"
    "860018ab0856972e194cd934";

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void sample_packet(uint8_t out[LEN])
{
    for (size_t i = 0; i < LEN; i++)
        out[i] = (uint8_t)(nibble(sample[2 * i]) << 4 | nibble(sample[2 * i + 1]));
}

/* ---- sealing, with the keys that RFC 9001 A.1 prints ---- */

static const uint8_t key[16] = {0x1f, 0x36, 0x96, 0x13, 0xdd, 0x76, 0xd5, 0x46,
                                0x77, 0x30, 0xef, 0xcb, 0xe3, 0xb1, 0xa2, 0x2d};
static const uint8_t iv[12] = {0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3,
                               0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c};
static const uint8_t hp[16] = {0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10,
                               0x28, 0x3a, 0x1e, 0x99, 0x33, 0xad, 0xed, 0xd2};

/* The sample's header around other frames, padded with zeros to the same length. */
static void seal(const uint8_t *frames, size_t n, uint8_t out[LEN])
{
    static const uint8_t head[HEAD + NUMBER] = {0xc3, 0,    0,    0,    1,    8,    0x83, 0x94,
                                                0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0,    0,
                                                0x44, 0x9e, 0,    0,    0,    2};
    uint8_t plain[LEN - sizeof head - 16] = {0}, nonce[12], mask[32];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len;

    assert_true(n <= sizeof plain);
    memcpy(plain, frames, n);
    memcpy(out, head, sizeof head);
    memcpy(nonce, iv, sizeof nonce);
    nonce[11] ^= 2;
    assert_true(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, nonce) == 1 &&
                EVP_EncryptUpdate(c, NULL, &len, head, sizeof head) == 1 &&
                EVP_EncryptUpdate(c, out + sizeof head, &len, plain, sizeof plain) == 1 &&
                EVP_EncryptFinal_ex(c, out + sizeof head + len, &len) == 1 &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + LEN - 16) == 1);
    EVP_CIPHER_CTX_free(c);
    c = EVP_CIPHER_CTX_new();
    assert_true(EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, hp, NULL) == 1 &&
                EVP_EncryptUpdate(c, mask, &len, out + HEAD + 4, 16) == 1);
    EVP_CIPHER_CTX_free(c);
    out[0] ^= mask[0] & 0x0f;
    for (int i = 0; i < NUMBER; i++)
        out[HEAD + i] ^= mask[1 + i];
}

static enum initial_kind look(const uint8_t *p, size_t n)
{
    struct initial_opener *o;

    assert_int_equal(initial_opener_new(&kith_heap, &o), KITH_OK);
    enum initial_kind kind = initial_look(o, (struct kith_span){p, n});
    initial_opener_free(o, &kith_heap);
    return kind;
}

static enum initial_kind look_at_frames(const uint8_t *frames, size_t n)
{
    uint8_t packet[LEN];

    seal(frames, n, packet);
    return look(packet, sizeof packet);
}

#define FRAMES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* ---- tests ---- */

static void the_packet_of_the_specification_begins_a_client_hello(void **state)
{
    uint8_t packet[LEN];

    (void)state;
    sample_packet(packet);
    assert_int_equal(look(packet, sizeof packet), INITIAL_FIRST);
}

static void every_bit_that_is_changed_makes_it_noise(void **state)
{
    uint8_t packet[LEN];
    struct initial_opener *o;

    (void)state;
    sample_packet(packet);
    assert_int_equal(initial_opener_new(&kith_heap, &o), KITH_OK);
    for (size_t bit = 0; bit < 8 * (size_t)LEN; bit++) {
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(initial_look(o, (struct kith_span){packet, LEN}), INITIAL_NOISE);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(initial_look(o, (struct kith_span){packet, LEN}), INITIAL_FIRST);
    initial_opener_free(o, &kith_heap);
}

static void every_truncation_is_noise_and_what_lies_behind_the_packet_is_not_looked_at(void **state)
{
    uint8_t packet[LEN + 100] = {0};
    struct initial_opener *o;

    (void)state;
    sample_packet(packet);
    assert_int_equal(initial_opener_new(&kith_heap, &o), KITH_OK);
    for (size_t n = 0; n < LEN; n++) {
        uint8_t *cut = malloc(n + (n == 0)); /* its own block, so that reading beyond is seen */
        memcpy(cut, packet, n);
        assert_int_equal(initial_look(o, (struct kith_span){cut, n}), INITIAL_NOISE);
        free(cut);
    }
    assert_int_equal(initial_look(o, (struct kith_span){packet, sizeof packet}), INITIAL_FIRST);
    initial_opener_free(o, &kith_heap);
}

static void a_packet_without_the_beginning_of_a_hello_is_a_later_one(void **state)
{
    (void)state;
    assert_int_equal(look_at_frames(FRAMES(0x06, 0x40, 0x80, 0x02, 1, 2)), INITIAL_LATER);
    assert_int_equal(look_at_frames(FRAMES(0x01)), INITIAL_LATER);
    assert_int_equal(look_at_frames(FRAMES(0x02, 0, 0, 0, 0)), INITIAL_LATER);
    assert_int_equal(look_at_frames(FRAMES(0x03, 5, 0, 1, 1, 0, 1, 2, 3, 4)), INITIAL_LATER);
    /* nothing at offset 0 is no beginning */
    assert_int_equal(look_at_frames(FRAMES(0x06, 0, 0)), INITIAL_LATER);
}

static void frames_come_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(look_at_frames(FRAMES(0x01, 0x06, 0x40, 0x80, 0x02, 1, 2, 0, 0, 0x02, 0, 0, 0,
                                           0, 0x06, 0, 1, 9)),
                     INITIAL_FIRST);
}

static void frames_that_no_first_packet_holds_are_noise(void **state)
{
    static const uint8_t allowed[] = {0x00, 0x01, 0x02, 0x03, 0x06};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t frames[] = {0x06, 0, 1, 9, (uint8_t)type, 0, 0, 0, 0, 0, 0, 0};
        bool fine = memchr(allowed, (int)type, sizeof allowed) != NULL;
        assert_int_equal(look_at_frames(frames, sizeof frames),
                         fine ? INITIAL_FIRST : INITIAL_NOISE);
    }
}

static void frames_longer_than_their_packet_are_noise(void **state)
{
    (void)state;
    assert_int_equal(look_at_frames(FRAMES(0x06, 0, 0x7f, 0xff, 1)), INITIAL_NOISE);
    assert_int_equal(
        look_at_frames(FRAMES(0x06, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
        INITIAL_NOISE);
    /* so many ranges that nobody could count them */
    assert_int_equal(
        look_at_frames(FRAMES(0x02, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)),
        INITIAL_NOISE);
}

static void noise_is_noise(void **state)
{
    struct kith_random_seeded seeded;
    struct initial_opener *o;
    uint8_t packet[LEN];

    (void)state;
    kith_random_seeded_init(&seeded, 5);
    struct kith_random random = kith_random_from_seed(&seeded);
    print_message("  seed 5\n");
    assert_int_equal(initial_opener_new(&kith_heap, &o), KITH_OK);
    for (int i = 0; i < 20000; i++) {
        size_t n = kith_random_below(&random, sizeof packet);
        kith_random_fill(&random, packet, sizeof packet);
        packet[0] = (uint8_t)(0xc0 | (packet[0] & 0x0f));
        packet[5] %= 21; /* ids that could be */
        assert_int_equal(initial_look(o, (struct kith_span){packet, n}), INITIAL_NOISE);
    }
    initial_opener_free(o, &kith_heap);
}

static void without_memory_there_is_no_opener(void **state)
{
    struct lab_alloc heap;
    struct initial_opener *o = NULL;

    (void)state;
    lab_alloc_init(&heap);
    heap.fail_at = 1;
    assert_int_equal(initial_opener_new(&heap.alloc, &o), KITH_E_NOMEM);
    assert_null(o);
    initial_opener_free(NULL, &heap.alloc);
    assert_int_equal(heap.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_packet_of_the_specification_begins_a_client_hello),
        cmocka_unit_test(every_bit_that_is_changed_makes_it_noise),
        cmocka_unit_test(
            every_truncation_is_noise_and_what_lies_behind_the_packet_is_not_looked_at),
        cmocka_unit_test(a_packet_without_the_beginning_of_a_hello_is_a_later_one),
        cmocka_unit_test(frames_come_in_any_order),
        cmocka_unit_test(frames_that_no_first_packet_holds_are_noise),
        cmocka_unit_test(frames_longer_than_their_packet_are_noise),
        cmocka_unit_test(noise_is_noise),
        cmocka_unit_test(without_memory_there_is_no_opener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

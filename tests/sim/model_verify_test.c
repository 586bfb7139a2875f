/* Signatures that are checked once for all nodes of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/model/model.h"

static void a_statement_is_computed_once_whatever_it_turns_out_to_be(void **state)
{
    const struct kith_sign_seed seed = {{7}};
    const struct kith_span said = kith_span_text("said"), other = kith_span_text("sai");
    struct kith_sign_key *key;
    struct kith_public_key pub;
    struct kith_signature sig;
    uint64_t asked, computed;

    (void)state;
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    kith_sign_key_public(key, &pub);
    assert_int_equal(kith_sign(key, said, &sig), KITH_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kith_verify(&pub, said, &sig), KITH_OK);
        assert_int_equal(kith_verify(&pub, other, &sig), KITH_E_AUTH);
    }
    sig.b[0] ^= 1;
    assert_int_equal(kith_verify(&pub, said, &sig), KITH_E_AUTH);
    sig.b[0] ^= 1;
    pub.spki[0] ^= 1;
    assert_int_equal(kith_verify(&pub, said, &sig), KITH_E_MALFORMED);
    model_verify_counts(&asked, &computed);
    assert_int_equal(asked, 8);
    assert_int_equal(computed, 4);
    kith_sign_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_is_computed_once_whatever_it_turns_out_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

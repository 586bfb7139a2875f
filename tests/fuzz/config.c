/* A configuration file of any bytes is read or refused, with a place for each mistake. */

#include <assert.h>
#include <stdlib.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct kith_conf conf;
    static struct kith_conf_problems problems;
    struct kith_conf_input in = {.file = "fuzz", .text = {data, n}};
    int err = kith_conf_load(&conf, &in, &problems);
    char text[KITH_CONF_VALUE_TEXT], why[200];

    assert(err == KITH_OK || (err == KITH_E_INVAL && problems.n > 0));
    for (size_t i = 0; err == KITH_OK && i < KITH_OPTION_COUNT; i++) {
        struct kith_conf_value v;
        (void)kith_conf_text(&conf, (enum kith_option)i, text, sizeof text);
        assert(kith_option_parse((enum kith_option)i, text, &v, why, sizeof why) == KITH_OK);
    }
    return 0;
}

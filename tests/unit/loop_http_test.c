/* Which Host a page is given out for. The server itself is tested from outside, in
 * tests/lab/monitoring.sh. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/http.h"

static void an_address_and_localhost_are_plain_with_and_without_a_port(void **state)
{
    static const char *const hosts[] = {
        "127.0.0.1", "127.0.0.1:9090", "[::1]:9090",     "[::1]",
        "localhost", "localhost:9090", "LOCALHOST:9090", "192.0.2.1:80",
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(hosts); i++)
        if (!kith_http_host_plain(hosts[i]))
            fail_msg("%s", hosts[i]);
    assert_true(kith_http_host_plain(NULL));
}

static void a_name_that_somebody_may_have_pointed_here_is_refused(void **state)
{
    static const char *const hosts[] = {
        "",
        "evil.example",
        "evil.example:9090",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhostx",
        "localhost:9090.evil",
        "127.0.0.1:9090:9090",
        "127.0.0.1:99999",
        " 127.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]evil",
        "11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111",
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(hosts); i++)
        if (kith_http_host_plain(hosts[i]))
            fail_msg("%s", hosts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_and_localhost_are_plain_with_and_without_a_port),
        cmocka_unit_test(a_name_that_somebody_may_have_pointed_here_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* os_lab.h: a network namespace per test, and iproute2 as the independent witness.
 *
 * Tests that need root, TUN or namespaces begin with LAB_OR_SKIP():
 * nothing outside the test's own namespace changes. */
#ifndef KITH_TESTS_UNIT_OS_LAB_H
#define KITH_TESTS_UNIT_OS_LAB_H

#include <jansson.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A fresh, empty namespace for this process; false where that is not possible. */
static inline bool lab_enter(void)
{
    return geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0 &&
           system("ip -V >/dev/null 2>&1") == 0 && unshare(CLONE_NEWNET) == 0;
}

#define LAB_OR_SKIP()                                                                              \
    do {                                                                                           \
        if (!lab_enter()) {                                                                        \
            print_message("needs root, /dev/net/tun, network namespaces and iproute2\n");                    \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* Runs `ip <arguments>`; its output is parsed with -j by lab_ip_json. */
static inline void lab_ip(const char *arguments)
{
    char command[256];

    (void)snprintf(command, sizeof command, "ip %s", arguments);
    assert_int_equal(system(command), 0);
}

/* What `ip -j <arguments>` prints; the caller owns it. */
static inline json_t *lab_ip_json(const char *arguments)
{
    char command[256];
    char out[65536];

    (void)snprintf(command, sizeof command, "ip -j -d %s", arguments);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, sizeof out - 1, f);
    out[n] = '\0';
    assert_int_equal(pclose(f), 0);
    json_t *json = json_loads(n == 0 ? "[]" : out, 0, NULL);
    assert_non_null(json);
    return json;
}

/* The entry of a list whose field `key` is `value`, borrowed; NULL when there is none. */
static inline json_t *lab_entry(json_t *list, const char *key, const char *value)
{
    size_t i;
    json_t *entry;

    json_array_foreach(list, i, entry)
    {
        const char *text = json_string_value(json_object_get(entry, key));
        if (text != NULL && strcmp(text, value) == 0)
            return entry;
    }
    return NULL;
}

static inline const char *lab_text(json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));

    return text == NULL ? "" : text;
}

#endif

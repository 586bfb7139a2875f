/* api_lab.h: nodes inside the test's process, without tunnel interface, on loopback. */
#ifndef KITH_TESTS_UNIT_API_LAB_H
#define KITH_TESTS_UNIT_API_LAB_H

#include <jansson.h>

#include "base/text.h"
#include "kith/kith.h"

#define LAB_CONFIG "[net]\nlisten = [\"127.0.0.1:9\"]\n[vpn]\nenabled = false\n"

/* A node in the directory `name`, on a port of 127.0.0.1 that the system chooses. */
static inline int lab_open(const char *name, struct kith **ret, struct kith_error *e)
{
    const struct kith_open_options o = {.state_dir = name, .config = LAB_CONFIG, .any_port = true};

    return kith_open(&o, ret, e);
}

static inline struct kith *lab_node(const char *name)
{
    struct kith_error e = {.code = 0};
    struct kith *k = NULL;

    if (lab_open(name, &k, &e) < 0)
        fail_msg("%s: %s (%s)", e.name, e.message, e.remedy);
    return k;
}

/* The result of a call, which must go well; the caller drops it. */
static inline json_t *lab_ask(struct kith *k, const char *method, const char *params)
{
    struct kith_error e = {.code = 0};
    struct kith_reply r = {.json = NULL};
    json_t *json;

    if (kith_call(k, method, params, &r, &e) < 0)
        fail_msg("%s: %s: %s (%s)", method, e.name, e.message, e.remedy);
    assert_int_equal(r.length, strlen(r.json));
    assert_null(memchr(r.json, '\n', r.length));
    json = json_loads(r.json, 0, NULL);
    assert_non_null(json);
    kith_reply_free(&r);
    assert_null(r.json);
    return json;
}

static inline const char *lab_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "(none)" : text;
}

/* The error of a call, which must fail. */
static inline struct kith_error lab_refusal(struct kith *k, const char *method, const char *params)
{
    struct kith_error e = {.code = 0};
    struct kith_reply r = {.json = NULL};
    int err = kith_call(k, method, params, &r, &e);

    assert_true(err < 0);
    assert_int_equal(e.code, err);
    assert_null(r.json); /* written on success only */
    return e;
}

#endif

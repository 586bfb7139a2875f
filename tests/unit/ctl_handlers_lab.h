/* ctl_handlers_lab.h: the handlers over a fake host and a fake node, asked as a client asks: each
 * answer is judged by methods.def. */
#ifndef KITH_TESTS_UNIT_CTL_HANDLERS_LAB_H
#define KITH_TESTS_UNIT_CTL_HANDLERS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/handlers.h"
#include "ctl_fake_node.h"

#define WALL 1795199460u /* 2026-11-20T18:31:00Z */
static const struct kith_now NOW = {.mono = 5000 * KITH_SEC, .wall = WALL};

static struct kith_ctl ctl;
static struct kith_ctl_handlers handlers;
static struct kith_ctl_client *client;
static struct kith_conf conf;
static const struct kith_env env = {.alloc = &kith_heap};

/* ---- a host ---- */

static struct {
    bool down;
    unsigned used_up_to; /* second byte of ranges in use: 100.64 to 100.N */
    const char *tun;
    size_t n_events;
    struct kith_ctl_event event[16];
} host_state;

static inline struct kith_now host_now(void *ctx)
{
    (void)ctx;
    return NOW;
}

static inline void host_down(void *ctx)
{
    (void)ctx;
    host_state.down = true;
}

static inline bool host_next_event(void *ctx, uint64_t *at, struct kith_ctl_event *ret)
{
    (void)ctx;
    if (*at >= host_state.n_events)
        return false;
    *ret = host_state.event[(*at)++];
    return true;
}

static inline bool host_in_use(void *ctx, const struct kith_prefix *p)
{
    (void)ctx;
    return p->ip.b[1] <= host_state.used_up_to;
}

static const char *host_tun(void *ctx)
{
    (void)ctx;
    return host_state.tun;
}

static struct kith_addr listening[2];
static const char *host_tun_trouble(void *ctx)
{
    (void)ctx;
    return host_state.tun == NULL ? "open /dev/net/tun: Operation not permitted" : NULL;
}

static inline void host_metrics(void *ctx, struct kith_metrics *ret)
{
    (void)ctx;
    *ret = (struct kith_metrics){.build = {1}, .node = {.sessions = 3}};
}

static const struct kith_ctl_host host = {
    .metrics = host_metrics,
    .now = host_now,
    .down = host_down,
    .next_event = host_next_event,
    .prefix_in_use = host_in_use,
    .tun = host_tun,
    .tun_trouble = host_tun_trouble,
    .conf = &conf,
    .state_dir = "/var/lib/kith",
    .listen = listening,
    .n_listen = 2,
    .ready_at = 1275 * KITH_SEC,
};

static inline void event_add(enum kith_level level, const char *text)
{
    static char json[16][128];
    size_t i = host_state.n_events++;

    (void)kith_format(json[i], sizeof json[i],
                      "{\"time\":\"2026-11-20T18:31:00Z\",\"level\":\"%s\",\"event\":\"tun_down\","
                      "\"name\":\"kith0\"}",
                      kith_level_name(level));
    host_state.event[i] = (struct kith_ctl_event){.level = level, .json = json[i], .text = text};
}

/* ---- a node ---- */

static inline void network_set(struct kith_network_info *n, const char *name, uint8_t id)
{
    *n = (struct kith_network_info){.members = 2, .admin = true, .expires = WALL + 86400};
    memset(n->id.b, id, sizeof n->id.b);
    (void)kith_format(n->name, sizeof n->name, "%s", name);
    assert_int_equal(kith_prefix_parse("100.71.0.0/16", &n->range4), KITH_OK);
    assert_int_equal(kith_ip_parse("100.71.0.1", &n->ip4), KITH_OK);
    assert_int_equal(kith_ip_parse("fd12:3456:789a::1", &n->ip6), KITH_OK);
}

static inline void member_set(struct kith_member_info *m, const char *name,
                              const struct kith_network_info *net)
{
    *m = (struct kith_member_info){.network = net->id, .ip4 = net->ip4, .ip6 = net->ip6};
    memset(m->peer.b, name[0], sizeof m->peer.b);
    m->expires = WALL + 86400;
    (void)kith_format(m->network_name, sizeof m->network_name, "%s", net->name);
    (void)kith_format(m->name, sizeof m->name, "%s", name);
}

static inline int setup(void **state)
{
    static struct kith_conf_problems problems;
    static const struct kith_conf_input nothing = {.file = NULL};

    (void)state;
    memset(&fake, 0, sizeof fake);
    memset(&host_state, 0, sizeof host_state);
    assert_int_equal(kith_conf_load(&conf, &nothing, &problems), KITH_OK);
    assert_int_equal(kith_addr_parse("192.0.2.1:9000", 0, &listening[0]), KITH_OK);
    assert_int_equal(kith_addr_parse("[2001:db8::1]:9000", 0, &listening[1]), KITH_OK);
    network_set(&fake.network[0], "work", 0x22);
    network_set(&fake.network[1], "home", 0x11);
    member_set(&fake.member[0], "desktop", &fake.network[1]);
    fake.member[0].self = true;
    member_set(&fake.member[1], "laptop", &fake.network[1]);
    fake.member[1].online = true;
    fake.member[1].n_groups = 1;
    (void)kith_format(fake.member[1].groups[0], sizeof fake.member[1].groups[0], "ops");
    fake.n_networks = 2;
    fake.n_members = 2;

    kith_ctl_init(&ctl, &env, &kith_ctl_handlers_ops, &handlers);
    kith_ctl_handlers_init(&handlers, &ctl, NULL, &host);
    assert_int_equal(kith_ctl_open(&ctl, KITH_CTL_GRANT_ADMIN, 0, &client), KITH_OK);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    kith_ctl_fini(&ctl);
    return 0;
}

/* A service of the laptop; its destination goes to text. */
static inline void service_add(const char *name, char text[KITH_DESTINATION_TEXT])
{
    struct kith_service_info *s = &fake.service[fake.n_services++];

    *s = (struct kith_service_info){.peer = fake.member[1].peer};
    (void)kith_format(s->network, sizeof s->network, "home");
    (void)kith_format(s->member, sizeof s->member, "laptop");
    (void)kith_format(s->name, sizeof s->name, "%s", name);
    assert_int_equal(kith_destination(&s->peer, kith_span_text(name), &s->destination), KITH_OK);
    (void)kith_destination_text(&s->destination, text, KITH_DESTINATION_TEXT);
}

/* ---- asking ---- */

static inline void say(const char *method, const char *params)
{
    char line[2048];

    (void)kith_format(line, sizeof line,
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
                      params);
    kith_ctl_feed(client, kith_span_text(line), NOW.mono);
}

/* The next line that was written to the client, or NULL. The caller owns it. */
static inline json_t *hear(void)
{
    struct kith_span out = kith_ctl_output(client);
    const uint8_t *end = out.n == 0 ? NULL : memchr(out.p, '\n', out.n);
    json_t *line;

    if (end == NULL)
        return NULL;
    line = json_loadb((const char *)out.p, (size_t)(end - out.p), 0, NULL);
    assert_non_null(line);
    kith_ctl_sent(client, (size_t)(end - out.p) + 1);
    return line;
}

static inline enum kith_ctl_method method_of(const char *name)
{
    enum kith_ctl_method m;
    const char *nearest;

    assert_int_equal(kith_ctl_method_find(name, &m, &nearest), KITH_OK);
    return m;
}

/* The result of the answer that waits, judged by the table. */
static inline json_t *result_of(const char *method)
{
    json_t *line = hear(), *result;
    char why[200] = "";

    assert_non_null(line);
    result = json_incref(json_object_get(line, "result"));
    if (result == NULL)
        fail_msg("%s: %s", method, json_dumps(line, 0));
    if (kith_ctl_result_check(method_of(method), result, why, sizeof why) < 0)
        fail_msg("%s: %s", method, why);
    json_decref(line);
    return result;
}

static inline json_t *ask(const char *method, const char *params)
{
    say(method, params);
    return result_of(method);
}

static inline json_t *item_of(const char *method)
{
    json_t *line = hear(), *item;
    char why[200] = "";

    assert_non_null(line);
    item = json_incref(json_object_get(json_object_get(line, "params"), "item"));
    assert_non_null(item);
    if (kith_ctl_item_check(method_of(method), item, why, sizeof why) < 0)
        fail_msg("%s: %s", method, why);
    json_decref(line);
    return item;
}

/* The error that waits must be this one; the answer's message and remedy are compared when given.
 */
static inline void expect_error(const char *error, const char *message, const char *remedy)
{
    json_t *line = hear(), *e = json_object_get(line, "error");
    const json_t *data = json_object_get(e, "data");

    assert_non_null(e);
    assert_string_equal(json_string_value(json_object_get(data, "error")), error);
    if (message != NULL)
        assert_string_equal(json_string_value(json_object_get(e, "message")), message);
    if (remedy != NULL)
        assert_string_equal(json_string_value(json_object_get(data, "remedy")), remedy);
    json_decref(line);
}

static inline void refuse_all(int err, const char *text, const char *remedy)
{
    fake.err = err;
    (void)kith_format(fake.why.text, sizeof fake.why.text, "%s", text);
    (void)kith_format(fake.why.remedy, sizeof fake.why.remedy, "%s", remedy);
}

static const char *text_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "(none)" : text;
}

static inline json_int_t int_at(const json_t *o, const char *key)
{
    assert_true(json_is_integer(json_object_get(o, key)));
    return json_integer_value(json_object_get(o, key));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

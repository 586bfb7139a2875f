/* The control conversation: requests judged by the table, answers now and later, clients that
 * misbehave or vanish. Envelopes and codes are those of the JSON-RPC 2.0 specification. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "base_lab.h"
#include "ctl/conf_json.h"
#include "ctl/ctl.h"

static const kith_time T0 = 1000 * KITH_SEC;

/* A handler's side that notes what it is asked. */
struct fake {
    size_t calls, cancels;
    uint64_t call_id, cancelled_id;
    enum kith_ctl_method method;
    char params[256];
    int err;        /* what the next call says */
    json_t *result; /* taken by the next call */
    const char *message;
    const json_t *secret; /* the passphrase seen, borrowed beyond its time on purpose */
};

static struct fake fake;
static struct kith_ctl ctl;

static int fake_call(void *ctx, uint64_t call_id, enum kith_ctl_method m, const json_t *params,
                     json_t **ret_result, struct kith_ctl_error *ret_error)
{
    struct fake *f = ctx;
    char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);

    f->calls++;
    f->call_id = call_id;
    f->method = m;
    (void)kith_format(f->params, sizeof f->params, "%s", text == NULL ? "none" : text);
    free(text);
    if (m == KITH_CTL_network_backup)
        f->secret = json_incref(json_object_get(params, "passphrase"));
    if (f->err == KITH_OK)
        *ret_result = f->result;
    else if (f->message != NULL)
        return kith_ctl_error_set(ret_error, f->err, "%s", f->message);
    return f->err;
}

static void fake_cancel(void *ctx, uint64_t call_id)
{
    struct fake *f = ctx;

    f->cancels++;
    f->cancelled_id = call_id;
}

static const struct kith_ctl_ops ops = {fake_call, fake_cancel};
static const struct kith_env env = {.alloc = &kith_heap};

static int setup(void **state)
{
    (void)state;
    fake = (struct fake){.err = KITH_OK};
    kith_ctl_init(&ctl, &env, &ops, &fake);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_ctl_fini(&ctl);
    return 0;
}

static struct kith_ctl_client *client_with(enum kith_ctl_grant grant)
{
    struct kith_ctl_client *c = NULL;

    assert_int_equal(kith_ctl_open(&ctl, grant, 1000, &c), KITH_OK);
    return c;
}

static void say(struct kith_ctl_client *c, const char *line)
{
    kith_ctl_feed(c, kith_span_text(line), T0);
    kith_ctl_feed(c, kith_span_text("\n"), T0);
}

/* The next line the client gets, as JSON; NULL when there is none. */
static json_t *hear(struct kith_ctl_client *c)
{
    struct kith_span out = kith_ctl_output(c);
    const uint8_t *end = out.n == 0 ? NULL : memchr(out.p, '\n', out.n);
    json_t *line;

    if (end == NULL)
        return NULL;
    line = json_loadb((const char *)out.p, (size_t)(end - out.p), 0, NULL);
    assert_non_null(line);
    kith_ctl_sent(c, (size_t)(end - out.p) + 1);
    return line;
}

/* Expects the next line to be exactly this JSON. */
static void expect(struct kith_ctl_client *c, const char *json)
{
    json_t *wanted = json_loads(json, 0, NULL), *got = hear(c);

    assert_non_null(wanted);
    if (!json_equal(wanted, got)) {
        char *text = json_dumps(got, 0);
        print_message("wanted %s\ngot    %s\n", json, text);
        free(text);
        fail();
    }
    json_decref(wanted);
    json_decref(got);
}

/* Expects an error with that code and that name in its data, to the request with that id. */
static void expect_error(struct kith_ctl_client *c, const char *id, int code, const char *name)
{
    json_t *got = hear(c), *wanted_id = json_loads(id, JSON_DECODE_ANY, NULL);
    const json_t *error = json_object_get(got, "error");

    assert_non_null(error);
    assert_true(json_equal(json_object_get(got, "id"), wanted_id));
    assert_null(json_object_get(got, "result"));
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(error, "data"), "error")),
                        name);
    json_decref(wanted_id);
    json_decref(got);
}

/* ---- answers ---- */

static void a_call_answered_at_once_carries_its_id_and_result(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);

    fake.result = json_pack("{s:s}", "peer_id", "abc");
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"id\"}");
    expect(c, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"peer_id\":\"abc\"}}");
    assert_null(hear(c));
    assert_int_equal(fake.method, KITH_CTL_id);
    assert_string_equal(fake.params, "none");
}

static void a_call_answered_later_gets_its_items_first(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);

    fake.err = KITH_E_AGAIN;
    say(c,
        "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\",\"params\":{\"name\":\"desktop\"}}");
    assert_null(hear(c));
    assert_string_equal(fake.params, "{\"name\":\"desktop\"}");
    assert_int_equal(kith_ctl_notify(&ctl, fake.call_id, json_pack("{s:i}", "seq", 1)), KITH_OK);
    expect(
        c,
        "{\"jsonrpc\":\"2.0\",\"method\":\"item\",\"params\":{\"id\":\"p\",\"item\":{\"seq\":1}}}");
    kith_ctl_answer(&ctl, fake.call_id, json_pack("{s:i}", "sent", 1));
    expect(c, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{\"sent\":1}}");
    assert_int_equal(kith_ctl_notify(&ctl, fake.call_id, json_object()), KITH_E_NOTFOUND);
    kith_ctl_answer(&ctl, fake.call_id, json_object());
    assert_null(hear(c));
    assert_int_equal(fake.cancels, 0);
}

static void an_error_says_what_whose_and_how_the_command_ends(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_ADMIN);

    fake.err = KITH_E_NOTADMIN;
    fake.message = "this node is no admin of home";
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"invite\"}");
    expect(
        c,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-27,\"message\":\"this node is no admin "
        "of home\",\"data\":{\"error\":\"NOTADMIN\",\"blame\":\"caller\",\"exit\":1}}}");
    fake.err = KITH_E_PERM;
    fake.message = NULL;
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"down\"}");
    expect(
        c,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-20,\"message\":\"permission denied\","
        "\"data\":{\"error\":\"PERM\",\"blame\":\"host\",\"exit\":4}}}");
}

static void answers_may_come_in_any_order(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);
    uint64_t first;

    fake.err = KITH_E_AGAIN;
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\"}");
    first = fake.call_id;
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"members\"}");
    kith_ctl_answer(&ctl, fake.call_id, NULL);
    expect(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    kith_ctl_answer(&ctl, first, NULL);
    expect(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
}

static void a_notification_is_done_and_not_answered(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);

    say(c, "{\"jsonrpc\":\"2.0\",\"method\":\"status\"}");
    assert_int_equal(fake.calls, 1);
    say(c, "{\"jsonrpc\":\"2.0\",\"method\":\"statuss\"}");
    fake.err = KITH_E_IO;
    say(c, "{\"jsonrpc\":\"2.0\",\"method\":\"status\"}");
    assert_null(hear(c));
}

/* ---- requests that are wrong ---- */

static void what_is_no_request_is_refused_with_the_codes_of_the_specification(void **state)
{
    (void)state;
    const struct {
        const char *line, *id, *name;
        int code;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",", "null", "MALFORMED", -32700},
        {"hello", "null", "MALFORMED", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"id\"}", "null", "MALFORMED", -32700},
        {"7", "null", "MALFORMED", -32600},
        {"{\"id\":1,\"method\":\"id\"}", "null", "MALFORMED", -32600},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"id\"}", "null", "MALFORMED", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", "null", "MALFORMED", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"id\"}", "null", "MALFORMED", -32600},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"id\"}]", "null", "UNSUPPORTED", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peer\"}", "1", "NOTFOUND", -32601},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"ip\"}", "\"x\"", "INVAL", -32602},
    };
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_ADMIN);

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        say(c, cases[i].line);
        expect_error(c, cases[i].id, cases[i].code, cases[i].name);
        assert_null(hear(c));
    }
    assert_int_equal(fake.calls, 0);
    assert_false(kith_ctl_over(c));
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"id\"}");
    assert_int_equal(fake.calls, 1);
}

static void params_are_judged_by_the_table(void **state)
{
    (void)state;
    const struct {
        enum kith_ctl_method method;
        const char *params, *why; /* NULL: they fit */
    } cases[] = {
        {KITH_CTL_status, NULL, NULL},
        {KITH_CTL_status, "{}", NULL},
        {KITH_CTL_status, "[]", "params must be an object"},
        {KITH_CTL_status, "{\"a\":1}", "unknown param a"},
        {KITH_CTL_ip, "{\"name\":\"desktop\"}", NULL},
        {KITH_CTL_ip, "{\"name\":\"desktop.home.kith\"}", NULL},
        {KITH_CTL_ip, "{\"nam\":\"desktop\"}", "unknown param nam (did you mean name?)"},
        {KITH_CTL_ip, "{}", "param name is missing"},
        {KITH_CTL_ip, "{\"name\":7}", "param name must be a text"},
        {KITH_CTL_ip, "{\"name\":\"\"}", "param name must have 1 to 140 bytes"},
        {KITH_CTL_ip, "{\"name\":\"fd12::2\"}", NULL},
        {KITH_CTL_admin_add, "{\"name\":\"a..b\"}",
         "param name must be a name of a-z, 0-9 and inner hyphens, not \"a..b\""},
        {KITH_CTL_network_create, "{\"name\":\"a.b\"}",
         "param name must be a name of a-z, 0-9 and inner hyphens, not \"a.b\""},
        {KITH_CTL_network_create, "{\"name\":\"home\",\"ipv4\":\"100.64.0.0/16\"}", NULL},
        {KITH_CTL_ping, "{\"name\":\"a\",\"count\":1,\"interval_ms\":10}", NULL},
        {KITH_CTL_ping, "{\"name\":\"a\",\"count\":0}",
         "param count must be a whole number from 1 to 100000"},
        {KITH_CTL_ping, "{\"name\":\"a\",\"count\":1.5}",
         "param count must be a whole number from 1 to 100000"},
        {KITH_CTL_ping, "{\"name\":\"a\",\"count\":-1}",
         "param count must be a whole number from 1 to 100000"},
        {KITH_CTL_logs, "{\"follow\":true}", NULL},
        {KITH_CTL_logs, "{\"follow\":1}", "param follow must be true or false"},
        {KITH_CTL_invite, "{\"groups\":[\"ops\",\"dev\"]}", NULL},
        {KITH_CTL_invite, "{\"groups\":[\"ops\",7]}",
         "param groups must be a list of at most 16 names of a-z, 0-9 and inner hyphens"},
        {KITH_CTL_invite, "{\"groups\":\"ops\"}",
         "param groups must be a list of at most 16 names of a-z, 0-9 and inner hyphens"},
    };

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        json_t *params = cases[i].params == NULL ? NULL : json_loads(cases[i].params, 0, NULL);
        char why[200] = "";
        int err = kith_ctl_params_check(cases[i].method, params, why, sizeof why);
        assert_int_equal(err, cases[i].why == NULL ? KITH_OK : KITH_E_INVAL);
        assert_string_equal(why, cases[i].why == NULL ? "" : cases[i].why);
        json_decref(params);
    }
}

static void a_line_may_come_in_pieces_and_lines_together(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);
    const char *two = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"id\"}\n\n"
                      "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"id\"}\n{\"js";

    for (size_t i = 0; two[i] != '\0'; i++)
        kith_ctl_feed(c, (struct kith_span){(const uint8_t *)two + i, 1}, T0);
    assert_int_equal(fake.calls, 2);
    kith_ctl_feed(c, kith_span_text("onrpc\":\"2.0\",\"id\":3,\"method\":\"id\"}\n"), T0);
    assert_int_equal(fake.calls, 3);
    kith_ctl_feed(c, kith_span_text(two), T0);
    assert_int_equal(fake.calls, 5);
}

static void a_line_over_64_kib_ends_the_client(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);
    static uint8_t line[KITH_CTL_LINE_MAX];

    memset(line, ' ', sizeof line);
    kith_ctl_feed(c, (struct kith_span){line, sizeof line - 1}, T0);
    kith_ctl_feed(c, kith_span_text("\n"), T0);
    expect_error(c, "null", -32700, "MALFORMED");
    assert_false(kith_ctl_over(c));
    kith_ctl_feed(c, (struct kith_span){line, sizeof line}, T0);
    assert_false(kith_ctl_over(c)); /* its last answer is not sent yet */
    expect_error(c, "null", -32600, "LIMIT");
    assert_true(kith_ctl_over(c));
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"id\"}");
    assert_int_equal(fake.calls, 0);
}

/* ---- who may ---- */

static void grants_follow_the_user(void **state)
{
    (void)state;
    assert_int_equal(kith_ctl_grant_for(0, 990, false), KITH_CTL_GRANT_ADMIN);
    assert_int_equal(kith_ctl_grant_for(990, 990, false), KITH_CTL_GRANT_ADMIN);
    assert_int_equal(kith_ctl_grant_for(1000, 990, true), KITH_CTL_GRANT_ADMIN);
    assert_int_equal(kith_ctl_grant_for(1000, 990, false), KITH_CTL_GRANT_NONE);
}

static void who_is_granted_nothing_is_told_so_and_ended(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_NONE);

    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}");
    expect_error(c, "1", KITH_E_PERM, "PERM");
    assert_true(kith_ctl_over(c));
    assert_int_equal(fake.calls, 0);
}

static void a_reader_may_read_and_not_change(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);

    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"down\"}");
    expect_error(c, "1", KITH_E_PERM, "PERM");
    assert_int_equal(fake.calls, 0);
    assert_false(kith_ctl_over(c));
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\"}");
    assert_int_equal(fake.calls, 1);
}

/* ---- ends ---- */

static void a_client_that_vanishes_has_its_calls_cancelled(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ), *next;
    uint64_t first;

    fake.err = KITH_E_AGAIN;
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\"}");
    first = fake.call_id;
    kith_ctl_close(c);
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(fake.cancelled_id, first);
    /* The next client has its place; an answer meant for the one before is dropped. */
    next = client_with(KITH_CTL_GRANT_READ);
    assert_ptr_equal(next, c);
    say(next, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\"}");
    assert_int_not_equal(fake.call_id, first);
    kith_ctl_answer(&ctl, first, json_pack("{s:i}", "old", 1));
    assert_null(hear(next));
    kith_ctl_answer(&ctl, fake.call_id, NULL);
    expect(next, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
}

static void a_call_can_be_cancelled_by_its_id(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);

    fake.err = KITH_E_AGAIN;
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"logs\",\"params\":{\"follow\":true}}");
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"cancel\",\"params\":{\"id\":\"a\"}}");
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(fake.cancelled_id, fake.call_id);
    expect_error(c, "\"a\"", KITH_E_CANCELLED, "CANCELLED");
    expect(c, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"cancelled\":true}}");
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"cancel\",\"params\":{\"id\":\"a\"}}");
    expect(c, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"cancelled\":false}}");
    assert_int_equal(fake.cancels, 1);
}

static void a_call_that_takes_too_long_times_out_exactly_at_its_deadline(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_ADMIN);
    kith_time end = T0 + 120 * KITH_SEC; /* methods.def: join */

    fake.err = KITH_E_AGAIN;
    assert_int_equal(kith_ctl_deadline(&ctl), KITH_NEVER);
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"logs\",\"params\":{\"follow\":true}}");
    assert_int_equal(kith_ctl_deadline(&ctl), KITH_NEVER);
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"join\",\"params\":{\"ticket\":"
           "\"kith1aaaaaaaaaaaaaaaa\"}}");
    assert_int_equal(kith_ctl_deadline(&ctl), end);
    kith_ctl_tick(&ctl, end - 1);
    assert_int_equal(fake.cancels, 0);
    kith_ctl_tick(&ctl, end);
    assert_int_equal(fake.cancels, 1);
    expect_error(c, "1", KITH_E_TIMEOUT, "TIMEOUT");
    assert_int_equal(kith_ctl_deadline(&ctl), KITH_NEVER);
}

static void the_ninth_call_at_once_is_refused(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);

    fake.err = KITH_E_AGAIN;
    for (int i = 0; i < KITH_CTL_CALLS; i++)
        say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\"}");
    assert_null(hear(c));
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"peers\"}");
    expect_error(c, "9", KITH_E_FULL, "FULL");
    kith_ctl_answer(&ctl, fake.call_id, NULL);
    json_decref(hear(c));
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"peers\"}");
    assert_null(hear(c));
    assert_int_equal(fake.calls, KITH_CTL_CALLS + 1);
}

static void the_thirty_third_client_is_refused(void **state)
{
    (void)state;
    struct kith_ctl_client *c = NULL;

    for (int i = 0; i < KITH_CTL_CLIENTS; i++)
        c = client_with(KITH_CTL_GRANT_READ);
    struct kith_ctl_client *one_more = NULL;
    assert_int_equal(kith_ctl_open(&ctl, KITH_CTL_GRANT_READ, 0, &one_more), KITH_E_FULL);
    assert_null(one_more);
    kith_ctl_close(c);
    assert_int_equal(kith_ctl_open(&ctl, KITH_CTL_GRANT_READ, 0, &one_more), KITH_OK);
}

static void a_client_that_does_not_read_is_cut_off_and_its_calls_cancelled(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_READ);
    static char text[60000];
    size_t told = 0;

    memset(text, 'x', sizeof text - 1);
    fake.err = KITH_E_AGAIN;
    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logs\",\"params\":{\"follow\":true}}");
    while (kith_ctl_notify(&ctl, fake.call_id, json_pack("{s:s}", "text", text)) == KITH_OK) {
        assert_true(kith_buf_len(&c->out) <= KITH_CTL_OUTPUT_MAX);
        assert_true(told++ < 20);
    }
    assert_int_equal(told, 18); /* 17 of about 60 kB fit into 1 MiB, the 18th cuts it off */
    assert_true(kith_ctl_over(c));
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(kith_ctl_output(c).n, 0);
}

static void a_passphrase_is_overwritten_after_the_call(void **state)
{
    (void)state;
    struct kith_ctl_client *c = client_with(KITH_CTL_GRANT_ADMIN);
    static const uint8_t zeros[KITH_CTL_LINE_MAX];

    say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"network.backup\",\"params\":{\"passphrase\":"
           "\"correct horse\"}}");
    assert_string_equal(fake.params, "{\"passphrase\":\"correct horse\"}");
    assert_memory_equal(c->line, zeros, sizeof zeros);
    assert_non_null(fake.secret);
    assert_memory_equal(json_string_value(fake.secret), zeros, 13);
    json_decref((json_t *)fake.secret);
}

/* ---- memory ---- */

static void without_memory_a_client_is_refused_or_cut_off(void **state)
{
    (void)state;
    for (size_t n = 0; n < 3; n++) {
        struct lab_heap heap;
        const struct kith_alloc alloc = lab_alloc(&heap);
        const struct kith_env poor = {.alloc = &alloc};
        struct kith_ctl_client *c = NULL;

        heap.fuse = n;
        kith_ctl_init(&ctl, &poor, &ops, &fake);
        assert_int_equal(kith_ctl_open(&ctl, KITH_CTL_GRANT_READ, 0, &c),
                         n == 0 ? KITH_E_NOMEM : KITH_OK);
        if (c != NULL) {
            say(c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"id\"}");
            assert_int_equal(kith_ctl_over(c), n == 1);
        }
        kith_ctl_fini(&ctl);
        assert_int_equal(heap.live, 0);
    }
}

/* ---- the table itself ---- */

static void a_result_that_strays_from_its_documentation_is_found(void **state)
{
    (void)state;
    const struct {
        const char *result, *why; /* NULL: it fits */
    } cases[] = {
        {"{\"networks\":[]}", NULL},
        {"{}", "networks is missing"},
        {"{\"networks\":{}}", "networks has the wrong type"},
        {"{\"networks\":[],\"more\":1}", "more is not documented"},
        {"{\"networks\":[{}]}", "networks[].name is missing"},
        {"{\"networks\":[{\"name\":\"a\",\"id\":\"b\",\"range\":\"c\",\"ipv4\":\"d\",\"ipv6\":"
         "\"e\","
         "\"members\":1,\"admin\":true,\"root\":false,\"standing\":\"member\",\"expires\":\"f\"}]}",
         NULL},
        {"{\"networks\":[{\"name\":\"a\",\"id\":\"b\",\"range\":\"c\",\"ipv4\":\"d\",\"ipv6\":"
         "\"e\","
         "\"members\":\"1\",\"admin\":true,\"root\":false,\"standing\":\"member\",\"expires\":"
         "\"f\"}]}",
         "networks[].members has the wrong type"},
    };

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        json_t *result = json_loads(cases[i].result, 0, NULL);
        char why[200] = "";
        int err = kith_ctl_result_check(KITH_CTL_network_list, result, why, sizeof why);
        assert_int_equal(err, cases[i].why == NULL ? KITH_OK : KITH_E_INVAL);
        assert_string_equal(why, cases[i].why == NULL ? "" : cases[i].why);
        json_decref(result);
    }
}

static void errors_the_table_names_exist(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_CTL_METHODS; i++) {
        const struct kith_ctl_fail *f = kith_ctl_method_row((enum kith_ctl_method)i)->fail;
        for (; f->error != NULL; f++) {
            bool found = false;
            for (int err = -1; err >= -99 && !found; err--)
                found = strcmp(kith_err_name(err), f->error) == 0;
            assert_true(found);
        }
    }
}

static void options_are_shown_as_config_show_documents_them(void **state)
{
    (void)state;
    static struct kith_conf conf;
    static struct kith_conf_problems problems;
    struct kith_conf_input in = {.file = "k.toml", .text = kith_span_text("[vpn]\nmtu = 1300\n")};
    char why[200] = "";
    json_t *shown, *option = NULL;
    size_t i;

    assert_int_equal(kith_conf_load(&conf, &in, &problems), KITH_OK);
    shown = kith_ctl_conf_json(&conf);
    assert_int_equal(kith_ctl_result_check(KITH_CTL_config_show, shown, why, sizeof why), KITH_OK);
    assert_int_equal(json_array_size(json_object_get(shown, "options")), KITH_OPTION_COUNT);
    json_array_foreach(json_object_get(shown, "options"), i,
                       option) if (strcmp(json_string_value(json_object_get(option, "name")),
                                          "vpn.mtu") == 0) break;
    assert_int_equal(json_integer_value(json_object_get(option, "value")), 1300);
    assert_string_equal(json_string_value(json_object_get(option, "from")), "file");
    assert_string_equal(json_string_value(json_object_get(option, "origin")), "k.toml:2:7");
    json_decref(shown);
}

#define CTL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CTL_TEST(a_call_answered_at_once_carries_its_id_and_result),
        CTL_TEST(a_call_answered_later_gets_its_items_first),
        CTL_TEST(an_error_says_what_whose_and_how_the_command_ends),
        CTL_TEST(answers_may_come_in_any_order),
        CTL_TEST(a_notification_is_done_and_not_answered),
        CTL_TEST(what_is_no_request_is_refused_with_the_codes_of_the_specification),
        CTL_TEST(params_are_judged_by_the_table),
        CTL_TEST(a_line_may_come_in_pieces_and_lines_together),
        CTL_TEST(a_line_over_64_kib_ends_the_client),
        CTL_TEST(grants_follow_the_user),
        CTL_TEST(who_is_granted_nothing_is_told_so_and_ended),
        CTL_TEST(a_reader_may_read_and_not_change),
        CTL_TEST(a_client_that_vanishes_has_its_calls_cancelled),
        CTL_TEST(a_call_can_be_cancelled_by_its_id),
        CTL_TEST(a_call_that_takes_too_long_times_out_exactly_at_its_deadline),
        CTL_TEST(the_ninth_call_at_once_is_refused),
        CTL_TEST(the_thirty_third_client_is_refused),
        CTL_TEST(a_client_that_does_not_read_is_cut_off_and_its_calls_cancelled),
        CTL_TEST(a_passphrase_is_overwritten_after_the_call),
        CTL_TEST(without_memory_a_client_is_refused_or_cut_off),
        CTL_TEST(a_result_that_strays_from_its_documentation_is_found),
        CTL_TEST(errors_the_table_names_exist),
        CTL_TEST(options_are_shown_as_config_show_documents_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

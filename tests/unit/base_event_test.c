/* The table of events and its printers. */
#include "base/event.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct kith_event_info *info_of(size_t kind)
{
    return kith_event_info((enum kith_event_kind)kind);
}

static bool is_name(const char *s)
{
    for (const char *p = s; *p != '\0'; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
            return false;
    return islower((unsigned char)*s);
}

static void names_are_unique_and_scripts_can_match_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_EVENT_COUNT; i++) {
        assert_true(is_name(info_of(i)->name));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(info_of(i)->name, info_of(j)->name);
    }
}

static size_t fields_of(const struct kith_event_info *info)
{
    size_t n = 0;

    while (n < KITH_EVENT_FIELDS && info->field[n] != NULL)
        n++;
    return n;
}

/* How often {name} stands in the text. */
static size_t marks_of(const char *text, const char *name)
{
    size_t n = 0, len = strlen(name);

    for (const char *p = text; (p = strchr(p, '{')) != NULL; p++)
        n += strncmp(p + 1, name, len) == 0 && p[1 + len] == '}';
    return n;
}

static void every_text_marks_each_field_once_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_EVENT_COUNT; i++) {
        const struct kith_event_info *info = info_of(i);
        size_t n = fields_of(info), open = 0, close = 0;
        assert_true(strlen(info->text) > 0);
        for (const char *p = info->text; *p != '\0'; p++) {
            open += *p == '{';
            close += *p == '}';
            assert_true(*p >= ' ' && *p < 0x7f);
        }
        assert_int_equal(open, n);
        assert_int_equal(close, n);
        for (size_t k = 0; k < KITH_EVENT_FIELDS; k++) {
            assert_int_equal(info->type[k] != KITH_FIELD_NONE, k < n);
            if (k >= n)
                continue;
            assert_true(is_name(info->field[k]));
            assert_int_equal(marks_of(info->text, info->field[k]), 1);
            /* the JSON line has these names already */
            assert_string_not_equal(info->field[k], "time");
            assert_string_not_equal(info->field[k], "level");
            assert_string_not_equal(info->field[k], "event");
        }
    }
}

static void levels_have_names_that_read_back(void **state)
{
    static const char *const bad[] = {"", "INFO", "information", "inf", "info "};
    enum kith_level level = KITH_LEVEL_BUG;

    (void)state;
    for (int i = KITH_LEVEL_BUG; i <= KITH_LEVEL_DEBUG; i++) {
        assert_int_equal(kith_level_parse(kith_level_name((enum kith_level)i), &level), KITH_OK);
        assert_int_equal(level, i);
    }
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_level_parse(bad[i], &level), KITH_E_NOTFOUND);
    assert_int_equal(level, KITH_LEVEL_DEBUG);
}

/* ---- emitting ---- */

static const uint8_t id[32] = {0xff, 0xff, 0xff, 0xff, 0xff}; /* "77777777aaaa…" */
static struct kith_event last;
static size_t emitted;

static void keep(void *ctx, const struct kith_event *ev)
{
    assert_ptr_equal(ctx, &last);
    last = *ev;
    emitted++;
}

static void an_emitter_hands_values_to_the_sink(void **state)
{
    struct kith_events to = {.sink = keep, .ctx = &last};
    struct kith_addr addr = {.ip = kith_ip4(192, 0, 2, 1), .port = 9000};

    (void)state;
    emitted = 0;
    kith_event_conn_closed(&to, id, &addr, "idle");
    assert_int_equal(emitted, 1);
    assert_int_equal(last.kind, KITH_EV_conn_closed);
    assert_int_equal(last.field[0].type, KITH_FIELD_ID);
    assert_ptr_equal(last.field[0].id, id);
    assert_int_equal(last.field[1].type, KITH_FIELD_ADDR);
    assert_ptr_equal(last.field[1].addr, &addr);
    assert_int_equal(last.field[2].type, KITH_FIELD_TEXT);
    assert_string_equal(last.field[2].text, "idle");
    assert_int_equal(last.field[3].type, KITH_FIELD_NONE);
    kith_event_node_stopping(&to);
    assert_int_equal(last.kind, KITH_EV_node_stopping);
    assert_int_equal(last.field[0].type, KITH_FIELD_NONE);
}

static void nobody_listening_is_fine(void **state)
{
    struct kith_events deaf = {0};

    (void)state;
    kith_event_node_stopping(NULL);
    kith_event_node_stopping(&deaf);
}

/* ---- printing ---- */

static char line[KITH_EVENT_LINE];

static const char *as_text(const struct kith_event *ev)
{
    size_t n = kith_event_text(ev, line, sizeof line);

    assert_int_equal(n, strlen(line));
    return line;
}

/* 1792693860 is 2026-10-22T18:31:00Z (date -u -d @1792693860). */
static const char *as_json(const struct kith_event *ev)
{
    size_t n = kith_event_json(ev, 1792693860, line, sizeof line);

    assert_int_equal(n, strlen(line));
    return line;
}

#define HEAD(level, name)                                                                          \
    "{\"time\":\"2026-10-22T18:31:00Z\",\"level\":\"" level "\",\"event\":\"" name "\""

static void every_type_of_field_is_printed(void **state)
{
    struct kith_addr addr = {.ip = kith_ip4(192, 0, 2, 1), .port = 9000};
    struct kith_event ev = {.kind = KITH_EV_dial_failed,
                            .field = {{.type = KITH_FIELD_ID, .id = id},
                                      {.type = KITH_FIELD_TEXT, .text = "no \"route\""},
                                      {.type = KITH_FIELD_DUR, .u64 = 1500 * KITH_MSEC}}};

    (void)state;
    assert_string_equal(as_text(&ev), "cannot reach 77777777: no \"route\"; next try in 1.5 s");
    assert_string_equal(
        as_json(&ev),
        HEAD("info",
             "dial_failed") ",\"peer\":\"77777777aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
                            "\"why\":\"no \\\"route\\\"\",\"next\":1.500000}");
    ev.field[1] = (struct kith_field){.type = KITH_FIELD_ADDR, .addr = &addr};
    ev.field[2] = (struct kith_field){.type = KITH_FIELD_DUR, .u64 = 1500 * KITH_USEC};
    assert_string_equal(as_text(&ev), "cannot reach 77777777: 192.0.2.1:9000; next try in 1.5 ms");
    ev = (struct kith_event){.kind = KITH_EV_tun_up,
                             .field = {{.type = KITH_FIELD_TEXT, .text = "kith0"},
                                       {.type = KITH_FIELD_U64, .u64 = 1400}}};
    assert_string_equal(as_text(&ev), "interface kith0 up, MTU 1400");
    assert_string_equal(as_json(&ev), HEAD("info", "tun_up") ",\"name\":\"kith0\",\"mtu\":1400}");
    ev = (struct kith_event){.kind = KITH_EV_node_stopped};
    assert_string_equal(as_text(&ev), "stopped");
    assert_string_equal(as_json(&ev), HEAD("info", "node_stopped") "}");
}

/* err.h: people get the text, JSON gets the stable name. */
static void an_error_is_a_sentence_for_people_and_a_name_for_scripts(void **state)
{
    struct kith_event ev = {.kind = KITH_EV_network_changed,
                            .field = {{.type = KITH_FIELD_ERR, .err = KITH_E_NOTFOUND}}};

    (void)state;
    assert_string_equal(as_text(&ev), "the host's network changed: not found");
    assert_string_equal(as_json(&ev), HEAD("info", "network_changed") ",\"what\":\"NOTFOUND\"}");
}

static const char *text_with(const char *text)
{
    struct kith_event ev = {.kind = KITH_EV_network_changed,
                            .field = {{.type = KITH_FIELD_TEXT, .text = text}}};

    return as_text(&ev) + strlen("the host's network changed: ");
}

static void no_text_of_a_peer_moves_the_cursor(void **state)
{
    (void)state;
    assert_string_equal(text_with("a\nb\r\x1b[2Jc\x7f"), "a?b??[2Jc?");
    assert_string_equal(text_with("\xc2\x9b"
                                  "2J"),
                        "?2J"); /* U+009B is "escape [" to terminals */
    assert_string_equal(text_with("\x9b"
                                  "2J"),
                        "?2J"); /* and so is the byte alone */
    assert_string_equal(text_with("a\xe2\x80\xae"
                                  "b"),
                        "a?b"); /* U+202E turns the writing round */
    assert_string_equal(text_with("a\xe2\x80\xa8"
                                  "b"),
                        "a?b"); /* U+2028 ends a line */
    assert_string_equal(text_with("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_string_equal(text_with("{what}"), "{what}"); /* values are not read for marks */
    assert_string_equal(text_with(NULL), "");
}

static const char *json_with(const char *text)
{
    struct kith_event ev = {.kind = KITH_EV_network_changed,
                            .field = {{.type = KITH_FIELD_TEXT, .text = text}}};

    return as_json(&ev) + strlen(HEAD("info", "network_changed") ",\"what\":");
}

/* RFC 8259: a JSON text is UTF-8, whatever the peer sent. */
static void bytes_that_are_no_utf8_are_replaced_in_json(void **state)
{
    (void)state;
    assert_string_equal(json_with("a\nb\\"), "\"a\\u000ab\\\\\"}");
    assert_string_equal(json_with("\xc3\xa4"), "\"\xc3\xa4\"}");
    assert_string_equal(json_with("\xc2\x9b"), "\"\\u009b\"}");
    assert_string_equal(json_with("\xff"), "\"\\ufffd\"}");
    assert_string_equal(json_with("a\xc3"), "\"a\\ufffd\"}");
    assert_string_equal(json_with("\xc3("), "\"\\ufffd(\"}");
    assert_string_equal(json_with("\xc0\xaf"), "\"\\ufffd\\ufffd\"}");            /* overlong */
    assert_string_equal(json_with("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"}"); /* surrogate */
    assert_string_equal(json_with("\xf4\x90\x80\x80"),
                        "\"\\ufffd\\ufffd\\ufffd\\ufffd\"}"); /* above U+10FFFF */
}

static void a_line_is_cut_between_characters(void **state)
{
    struct kith_event ev = {.kind = KITH_EV_network_changed,
                            .field = {{.type = KITH_FIELD_TEXT, .text = "\xe2\x82\xac!"}}};
    char whole[64], cut[64];

    (void)state;
    size_t n = kith_event_text(&ev, whole, sizeof whole);
    for (size_t cap = 1; cap <= n; cap++) {
        memset(cut, 'x', sizeof cut);
        size_t len = kith_event_text(&ev, cut, cap);
        assert_true(len < cap);
        assert_int_equal(strlen(cut), len);
        assert_memory_equal(cut, whole, len);
        assert_int_equal(cut[cap], 'x');
        /* the three bytes of the euro sign, n - 4 to n - 2, come together or not at all */
        assert_true(len <= n - 4 || len >= n - 1);
    }
    assert_int_equal(kith_event_text(&ev, cut, 0), 0);
    assert_int_equal(kith_event_json(&ev, 0, cut, 0), 0);
}

static void wall_times_are_rfc_3339(void **state)
{
    static const struct {
        kith_wall at;
        const char *want; /* date -u -d @at +%FT%TZ */
    } time[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {951868800, "2000-03-01T00:00:00Z"},
        {1709164800, "2024-02-29T00:00:00Z"},
        {2147483648, "2038-01-19T03:14:08Z"},
        {4107542399, "2100-02-28T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
    };
    char text[21];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(time); i++)
        assert_string_equal(kith_wall_text(time[i].at, text, sizeof text), time[i].want);
}

/* ---- the limiter ---- */

static struct kith_event_limit limit;

static bool passes(enum kith_event_kind kind, kith_time now, uint64_t want_held)
{
    struct kith_event ev = {.kind = kind};
    uint64_t held = 99;
    bool pass = kith_event_limit_pass(&limit, &ev, now, &held);

    assert_true(held == (pass ? want_held : 0));
    return pass;
}

static void a_burst_passes_and_then_one_a_second(void **state)
{
    const kith_time t = 1000 * KITH_SEC;

    (void)state;
    limit = (struct kith_event_limit){0};
    for (int i = 0; i < KITH_EVENT_BURST; i++)
        assert_true(passes(KITH_EV_refused_handshake, t, 0));
    for (int i = 0; i < 7; i++)
        assert_false(passes(KITH_EV_refused_handshake, t, 0));
    assert_false(passes(KITH_EV_refused_handshake, t + KITH_SEC - 1, 0));
    assert_true(passes(KITH_EV_refused_handshake, t + KITH_SEC, 8));
    assert_false(passes(KITH_EV_refused_handshake, t + KITH_SEC, 0));
    assert_true(passes(KITH_EV_refused_handshake, t + 2 * KITH_SEC, 1));
    assert_false(passes(KITH_EV_refused_handshake, t + 3 * KITH_SEC - 1, 0));
    /* quiet for as long as the burst is: all of it is back, and no more */
    for (int i = 0; i < KITH_EVENT_BURST; i++)
        assert_true(passes(KITH_EV_refused_handshake, t + 100 * KITH_SEC, i == 0 ? 1 : 0));
    assert_false(passes(KITH_EV_refused_handshake, t + 100 * KITH_SEC, 0));
}

static void kinds_do_not_use_up_each_others_burst(void **state)
{
    (void)state;
    limit = (struct kith_event_limit){0};
    while (passes(KITH_EV_refused_handshake, 5, 0))
        continue;
    assert_true(passes(KITH_EV_refused_limit, 5, 0));
    assert_false(passes(KITH_EV_refused_handshake, 5, 0));
}

static void what_no_peer_provokes_is_never_held_back(void **state)
{
    (void)state;
    limit = (struct kith_event_limit){0};
    for (size_t k = 0; k < KITH_EVENT_COUNT; k++) {
        enum kith_level level = info_of(k)->level;
        bool limited = level != KITH_LEVEL_BUG && level != KITH_LEVEL_INFO;
        for (int i = 0; i < KITH_EVENT_BURST; i++)
            assert_true(passes((enum kith_event_kind)k, 5, 0));
        assert_int_equal(passes((enum kith_event_kind)k, 5, 0), !limited);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_scripts_can_match_them),
        cmocka_unit_test(every_text_marks_each_field_once_and_nothing_else),
        cmocka_unit_test(levels_have_names_that_read_back),
        cmocka_unit_test(an_emitter_hands_values_to_the_sink),
        cmocka_unit_test(nobody_listening_is_fine),
        cmocka_unit_test(every_type_of_field_is_printed),
        cmocka_unit_test(an_error_is_a_sentence_for_people_and_a_name_for_scripts),
        cmocka_unit_test(no_text_of_a_peer_moves_the_cursor),
        cmocka_unit_test(bytes_that_are_no_utf8_are_replaced_in_json),
        cmocka_unit_test(a_line_is_cut_between_characters),
        cmocka_unit_test(wall_times_are_rfc_3339),
        cmocka_unit_test(a_burst_passes_and_then_one_a_second),
        cmocka_unit_test(kinds_do_not_use_up_each_others_burst),
        cmocka_unit_test(what_no_peer_provokes_is_never_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

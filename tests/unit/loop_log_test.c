/* The log: what is kept, what is printed, what is held back, and readers that come late. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "loop/log.h"

static struct kith_log logged;
static struct kith_now now;
static int ends[2];
static size_t fail_from; /* allocations from this one on fail; 0: none */
static size_t allocations;

static void clock_now(struct kith_now *ret)
{
    *ret = now;
}

static void *count_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n > 0 && ++allocations >= fail_from && fail_from > 0)
        return NULL;
    return kith_heap.resize(kith_heap.ctx, p, n);
}

static const struct kith_alloc counted = {.resize = count_resize};

static void begin(enum kith_log_form form)
{
    now = (struct kith_now){.mono = 100 * KITH_SEC, .wall = 1795199460}; /* 2026-11-20T18:31:00Z */
    fail_from = allocations = 0;
    assert_int_equal(pipe(ends), 0);
    kith_log_init(&logged, &counted, clock_now, form, ends[1]);
}

static int end(void **state)
{
    (void)state;
    kith_log_fini(&logged);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

/* What was printed; the test owns nothing. */
static const char *printed(void)
{
    static char text[4096];
    ssize_t n;

    assert_int_equal(write(ends[1], "", 1), 1); /* never waits for nothing */
    n = read(ends[0], text, sizeof text - 1);
    assert_true(n >= 1);
    text[n - 1] = '\0';
    return text;
}

static const struct kith_addr *address(void)
{
    static struct kith_addr a;
    assert_int_equal(kith_addr_parse("192.0.2.1:9000", 0, &a), KITH_OK);
    return &a;
}

static void a_line_of_text_has_time_level_and_sentence(void **state)
{
    (void)state;
    begin(KITH_LOG_TEXT);
    kith_event_listening(&logged.events, address());
    assert_string_equal(printed(), "2026-11-20T18:31:00Z  info   listening on 192.0.2.1:9000\n");
}

static void a_line_of_json_is_the_event_itself(void **state)
{
    (void)state;
    begin(KITH_LOG_JSON);
    kith_event_listening(&logged.events, address());
    assert_string_equal(printed(), "{\"time\":\"2026-11-20T18:31:00Z\",\"level\":\"info\","
                                   "\"event\":\"listening\",\"addr\":\"192.0.2.1:9000\"}\n");
}

/* sd-daemon(3): the kernel's priorities; the journal has the time itself. */
static void a_line_for_the_journal_has_its_priority_and_no_time(void **state)
{
    (void)state;
    begin(KITH_LOG_JOURNAL);
    kith_event_listening(&logged.events, address());
    kith_event_send_failed(&logged.events, address(), "No route to host");
    assert_string_equal(printed(), "<6>listening on 192.0.2.1:9000\n"
                                   "<4>cannot send to 192.0.2.1:9000: No route to host\n");
}

static void in_the_background_events_are_kept_and_not_printed(void **state)
{
    uint64_t at = 0;
    const struct kith_log_line *line;

    (void)state;
    begin(KITH_LOG_SILENT);
    kith_event_listening(&logged.events, address());
    assert_string_equal(printed(), "");
    line = kith_log_next(&logged, &at);
    assert_non_null(line);
    assert_string_equal(line->text, "listening on 192.0.2.1:9000");
    assert_int_equal(line->level, KITH_LEVEL_INFO);
    assert_null(kith_log_next(&logged, &at));
}

static void events_below_the_level_are_neither_kept_nor_printed(void **state)
{
    uint64_t at = 0;

    (void)state;
    begin(KITH_LOG_TEXT);
    kith_event_retry_sent(&logged.events, address()); /* debug */
    assert_string_equal(printed(), "");
    assert_null(kith_log_next(&logged, &at));
    logged.level = KITH_LEVEL_DEBUG;
    kith_event_retry_sent(&logged.events, address());
    assert_non_null(kith_log_next(&logged, &at));
}

static void a_stranger_cannot_flood_the_log_and_what_was_held_back_is_counted(void **state)
{
    const struct kith_log_line *line, *last = NULL;
    uint64_t at = 0;
    size_t n = 0;

    (void)state;
    begin(KITH_LOG_SILENT);
    for (int i = 0; i < 500; i++)
        kith_event_refused_alpn(&logged.events, address());
    while (kith_log_next(&logged, &at) != NULL)
        n++;
    assert_int_equal(n, 10); /* the burst (base/event.h) */
    now.mono += 60 * KITH_SEC;
    kith_event_refused_alpn(&logged.events, address());
    while ((line = kith_log_next(&logged, &at)) != NULL)
        last = line;
    assert_non_null(last);
    assert_non_null(strstr(last->text, "(490 more like it were held back)"));
    assert_non_null(strstr(last->json, ",\"held\":490}"));
}

static void the_last_thousand_are_kept_and_a_late_reader_starts_at_the_oldest(void **state)
{
    const struct kith_log_line *line;
    uint64_t at = 0;
    char want[32];

    (void)state;
    begin(KITH_LOG_SILENT);
    for (unsigned i = 0; i < 2345; i++) {
        char name[16];
        kith_event_tun_down(&logged.events, kith_format(name, sizeof name, "k%u", i));
    }
    for (unsigned i = 1345; i < 2345; i++) {
        line = kith_log_next(&logged, &at);
        assert_non_null(line);
        (void)kith_format(want, sizeof want, "interface k%u removed", i);
        assert_string_equal(line->text, want);
    }
    assert_null(kith_log_next(&logged, &at));
    assert_int_equal(at, 2345);
}

static void a_sentence_longer_than_a_line_is_cut_and_stays_one_line(void **state)
{
    char name[3000];
    uint64_t at = 0;
    const struct kith_log_line *line;

    (void)state;
    begin(KITH_LOG_SILENT);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    name[10] = '\n';
    kith_event_tun_down(&logged.events, name);
    line = kith_log_next(&logged, &at);
    assert_non_null(line);
    assert_true(strlen(line->text) < KITH_LOG_TEXT_MAX);
    assert_null(strchr(line->text, '\n'));
}

static void without_memory_an_event_is_printed_and_skipped_by_readers(void **state)
{
    uint64_t at = 0;

    (void)state;
    begin(KITH_LOG_TEXT);
    fail_from = 1;
    kith_event_tun_down(&logged.events, "kith0");
    assert_non_null(strstr(printed(), "interface kith0 removed"));
    assert_null(kith_log_next(&logged, &at));
    fail_from = 0;
    kith_event_tun_down(&logged.events, "kith1");
    assert_string_equal(kith_log_next(&logged, &at)->text, "interface kith1 removed");
}

static void events_are_counted_whatever_becomes_of_them(void **state)
{
    (void)state;
    begin(KITH_LOG_SILENT);
    for (int i = 0; i < KITH_EVENT_BURST + 5; i++)
        kith_event_refused_no_key(&logged.events, address()); /* a stranger's: held back */
    kith_event_retry_sent(&logged.events, address());         /* below the level */
    kith_event_tun_down(&logged.events, "kith0");
    assert_int_equal(logged.count.happened[KITH_EV_refused_no_key], KITH_EVENT_BURST + 5);
    assert_int_equal(logged.count.happened[KITH_EV_retry_sent], 1);
    assert_int_equal(logged.count.happened[KITH_EV_tun_down], 1);
    assert_int_equal(logged.count.held_back, 5);
}

#define T(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_line_of_text_has_time_level_and_sentence),
        T(a_line_of_json_is_the_event_itself),
        T(a_line_for_the_journal_has_its_priority_and_no_time),
        T(in_the_background_events_are_kept_and_not_printed),
        T(events_below_the_level_are_neither_kept_nor_printed),
        T(a_stranger_cannot_flood_the_log_and_what_was_held_back_is_counted),
        T(events_are_counted_whatever_becomes_of_them),
        T(the_last_thousand_are_kept_and_a_late_reader_starts_at_the_oldest),
        T(a_sentence_longer_than_a_line_is_cut_and_stays_one_line),
        T(without_memory_an_event_is_printed_and_skipped_by_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Laws of the event printers, over all kinds and many hostile texts: a text line is valid UTF-8
 * without controls, a JSON line is whole and means what went in, a date is the C library's. */
#include "base/event.h"
#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

enum { SEEDS = 300, LONGEST = 1500 };

static struct lab_dice dice;
static uint64_t seed;
static char text[KITH_EVENT_FIELDS][LONGEST + 1];
static uint8_t id[32];
static struct kith_addr addr;
static char line[KITH_EVENT_LINE];

static void check(bool ok, const char *what)
{
    if (!ok)
        fail_msg("seed %llu: %s: %s", (unsigned long long)seed, what, line);
}

/* Random bytes, or pieces that printers stumble over. */
static void hostile_text(char *to)
{
    static const char *const piece[] = {
        "\n",
        "\r\n",
        "\x1b[31m",
        "\x7f",
        "\"",
        "\\",
        "\\u0000",
        "{",
        "}",
        "{peer}",
        "\xc2\x9b",
        "\xe2\x80\xae",
        "\xef\xbf\xbf",
        "\xc3",
        "a",
        "%s",
        "\xed\xa0\x80",
        "\xc0\x80",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xf8",
        "\xff",
        "\x01",
        "</",
        "plain words",
    };
    size_t n = 0, most = lab_below(&dice, 8) ? lab_below(&dice, 40) : lab_below(&dice, LONGEST);

    while (n < most) {
        const char *p = piece[lab_below(&dice, KITH_COUNT(piece))];
        char byte[2] = {(char)(1 + lab_below(&dice, 255)), '\0'};
        if (lab_below(&dice, 3) == 0)
            p = byte;
        if (n + strlen(p) > most)
            break;
        memcpy(to + n, p, strlen(p));
        n += strlen(p);
    }
    to[n] = '\0';
}

static struct kith_event random_event(enum kith_event_kind kind)
{
    const struct kith_event_info *info = kith_event_info(kind);
    struct kith_event ev = {.kind = kind};

    for (size_t i = 0; i < KITH_EVENT_FIELDS; i++) {
        struct kith_field *f = &ev.field[i];
        f->type = info->type[i];
        hostile_text(text[i]);
        switch (f->type) {
        case KITH_FIELD_NONE: break;
        case KITH_FIELD_U64:
            f->u64 = kith_random_u64(&dice.random) >> 1;
            break; /* jansson's range */
        case KITH_FIELD_TEXT: f->text = text[i]; break;
        case KITH_FIELD_ID: f->id = id; break;
        case KITH_FIELD_ADDR: f->addr = &addr; break;
        case KITH_FIELD_ERR: f->err = -(int)lab_below(&dice, 40); break;
        case KITH_FIELD_DUR: f->u64 = kith_random_u64(&dice.random); break;
        }
    }
    return ev;
}

static void begin(uint64_t s)
{
    seed = s;
    lab_seed(&dice, s);
    kith_random_fill(&dice.random, id, sizeof id);
    addr.ip.family = KITH_FAMILY_IP6;
    kith_random_fill(&dice.random, addr.ip.b, sizeof addr.ip.b);
}

static bool has_controls(const char *s)
{
    for (const uint8_t *p = (const uint8_t *)s; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
            return true;
    return false;
}

/* jansson refuses strings that are not UTF-8: an independent judge. */
static bool is_utf8(const char *s)
{
    json_t *j = json_string(s);

    json_decref(j);
    return j != NULL;
}

static void a_text_line_holds_no_controls_and_is_utf8(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (int k = 0; k < KITH_EVENT_COUNT; k++) {
            struct kith_event ev = random_event((enum kith_event_kind)k);
            size_t cap = lab_below(&dice, 2) ? sizeof line : 1 + lab_below(&dice, 200);
            size_t n = kith_event_text(&ev, line, cap);
            check(n < cap && strlen(line) == n, "the length");
            check(!has_controls(line), "controls");
            check(is_utf8(line), "no UTF-8");
        }
    }
}

/* What the text must read back as when no byte of it is in doubt. */
static bool is_plain(const char *s)
{
    for (; *s != '\0'; s++)
        if ((uint8_t)*s > 0x7e)
            return false;
    return true;
}

static void field_means_what_went_in(const json_t *j, const struct kith_event *ev, size_t i)
{
    const char *name = kith_event_info(ev->kind)->field[i];
    const struct kith_field *f = &ev->field[i];
    const json_t *v = json_object_get(j, name);

    check(v != NULL, "a field is missing");
    if (f->type == KITH_FIELD_U64)
        check(json_is_integer(v) && (uint64_t)json_integer_value(v) == f->u64, "a number");
    else if (f->type == KITH_FIELD_DUR)
        check(json_is_real(v), "a duration");
    else
        check(json_is_string(v), "a string");
    if (f->type == KITH_FIELD_TEXT && is_plain(f->text) && strlen(f->text) <= 60)
        check(strcmp(json_string_value(v), f->text) == 0, "a text");
    if (f->type == KITH_FIELD_ID)
        check(json_string_length(v) == 52, "an id");
}

static void a_json_line_is_whole_whatever_the_texts(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (int k = 0; k < KITH_EVENT_COUNT; k++) {
            struct kith_event ev = random_event((enum kith_event_kind)k);
            const struct kith_event_info *info = kith_event_info(ev.kind);
            size_t n = kith_event_json(&ev, 0, line, sizeof line);
            check(n + 1 < sizeof line && strlen(line) == n && !has_controls(line), "one line");
            json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
            check(j != NULL, "no JSON");
            check(strcmp(json_string_value(json_object_get(j, "event")), info->name) == 0, "event");
            check(json_object_get(j, "time") != NULL && json_object_get(j, "level") != NULL,
                  "head");
            size_t fields = 0;
            for (; fields < KITH_EVENT_FIELDS && info->field[fields] != NULL; fields++)
                field_means_what_went_in(j, &ev, fields);
            check(json_object_size(j) == 3 + fields, "nothing else");
            json_decref(j);
        }
    }
}

/* The worst: four texts, each byte of which takes six. No row has four now; one may tomorrow. */
static void the_longest_line_fits(void **state)
{
    char worst[LONGEST + 1];
    struct kith_event ev = {.kind = KITH_EV_node_ready};

    (void)state;
    memset(worst, 1, LONGEST);
    worst[LONGEST] = '\0';
    for (int k = 0; k < KITH_EVENT_COUNT; k++) {
        ev.kind = (enum kith_event_kind)k;
        for (size_t i = 0; i < KITH_EVENT_FIELDS; i++)
            ev.field[i] = (struct kith_field){.type = KITH_FIELD_TEXT, .text = worst};
        size_t n = kith_event_json(&ev, 253402300799, line, sizeof line);
        json_t *j = json_loads(line, 0, NULL);
        check(j != NULL && n < KITH_EVENT_LINE - (KITH_EVENT_TEXT_MAX + 40), "room for one more");
        json_decref(j);
    }
}

static void a_date_is_the_c_librarys(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (int i = 0; i < 500; i++) {
            kith_wall at = kith_random_below(&dice.random, 253402300800); /* the year 10000 */
            time_t t = (time_t)at;
            struct tm tm;
            char want[64], got[21];
            gmtime_r(&t, &tm);
            strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
            check(strcmp(kith_wall_text(at, got, sizeof got), want) == 0, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_holds_no_controls_and_is_utf8),
        cmocka_unit_test(a_json_line_is_whole_whatever_the_texts),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(a_date_is_the_c_librarys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every reader of people's and peers' texts, over any bytes: what is read prints, and what it
 * prints reads as the same. The printers of events take any bytes for a text. */
#include "base/addr.h"
#include "base/event.h"
#include "base/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void addresses(const char *text)
{
    char buf[KITH_ADDR_TEXT];
    struct kith_addr a, a2;
    struct kith_prefix p, p2;
    struct kith_ip ip, ip2;

    if (kith_ip_parse(text, &ip) == KITH_OK)
        check(kith_ip_parse(kith_ip_text(&ip, buf, sizeof buf), &ip2) == KITH_OK &&
              kith_ip_equal(&ip, &ip2));
    if (kith_addr_parse(text, 1, &a) == KITH_OK)
        check(kith_addr_parse(kith_addr_text(&a, buf, sizeof buf), 2, &a2) == KITH_OK &&
              kith_addr_equal(&a, &a2));
    if (kith_prefix_parse(text, &p) == KITH_OK)
        check(kith_prefix_parse(kith_prefix_text(&p, buf, sizeof buf), &p2) == KITH_OK &&
              kith_prefix_equal(&p, &p2) && kith_prefix_holds(&p, &p.ip));
}

static void numbers(const char *text)
{
    char buf[32];
    kith_dur d, again;
    uint64_t v;

    if (kith_dur_parse(text, &d) == KITH_OK)
        check(kith_dur_parse(kith_dur_text(d, buf, sizeof buf), &again) == KITH_OK && again == d);
    if (kith_u64_parse(text, &v) == KITH_OK)
        check(v == strtoull(text, NULL, 10));
}

/* One id has one text: nothing but the case of letters may differ. */
static void base32(const char *text)
{
    char again[101];
    uint8_t b[60];
    size_t n;

    if (strlen(text) > 96 || kith_base32_parse(text, strlen(text), b, sizeof b, &n) < 0)
        return;
    kith_base32_text((struct kith_span){b, n}, again, sizeof again);
    check(strlen(again) == strlen(text));
    for (size_t i = 0; text[i] != '\0'; i++)
        check(again[i] == text[i] || again[i] == text[i] + ('a' - 'A'));
}

static void names(const char *text)
{
    static const char *const words[] = {"status", "invite", "join"};
    char label[KITH_LABEL_MAX + 1];

    kith_label_from(text, label, sizeof label);
    check(label[0] == '\0' || kith_label_valid(kith_span_text(label)));
    const char *near = kith_text_nearest(text, words, KITH_COUNT(words));
    check(near == NULL || kith_text_distance(near, text) <= strlen(text) / 3 + 1);
}

static void events(const char *text)
{
    static char line[KITH_EVENT_LINE];
    struct kith_event ev = {.kind = KITH_EV_network_changed,
                            .field = {{.type = KITH_FIELD_TEXT, .text = text}}};

    for (int json = 0; json < 2; json++) {
        size_t n = json ? kith_event_json(&ev, 0, line, sizeof line)
                        : kith_event_text(&ev, line, sizeof line);
        check(n < sizeof line && strlen(line) == n);
        for (size_t i = 0; i < n; i++)
            check((uint8_t)line[i] >= 0x20 && line[i] != 0x7f);
        check(!json || (line[n - 1] == '}' && line[n - 2] == '"'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    kith_copy(text, data, size);
    text[size] = '\0';
    addresses(text);
    numbers(text);
    base32(text);
    names(text);
    events(text);
    free(text);
    return 0;
}

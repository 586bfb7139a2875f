#include "cmd/out.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"

void kith_table_column(struct kith_table *t, const char *head, enum kith_align align)
{
    t->head[t->columns] = head;
    t->align[t->columns++] = align;
}

/* Control characters in a cell would move the terminal's cursor. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void kith_table_cell(struct kith_table *t, const char *fmt, ...)
{
    char text[KITH_TABLE_CELL];
    char **more = realloc(t->cell, (t->cells + 1) * sizeof *more);
    va_list args;

    if (more == NULL) {
        t->broken = true;
        return;
    }
    t->cell = more;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0 || text[0] == '\0')
        (void)kith_format(text, sizeof text, "-");
    va_end(args);
    make_printable(text);
    t->cell[t->cells] = strdup(text);
    if (t->cell[t->cells] == NULL)
        t->broken = true;
    else
        t->cells++;
}

void kith_table_fini(struct kith_table *t)
{
    for (size_t i = 0; i < t->cells; i++)
        free(t->cell[i]);
    free(t->cell);
    *t = (struct kith_table){.columns = 0};
}

/* Widths by content; then columns that may be cut give way until the table fits. */
static void widths_of(const struct kith_table *t, size_t *width)
{
    size_t total = 0;

    for (size_t c = 0; c < t->columns; c++) {
        width[c] = strlen(t->head[c]);
        for (size_t i = c; i < t->cells; i += t->columns)
            if (strlen(t->cell[i]) > width[c])
                width[c] = strlen(t->cell[i]);
        total += width[c] + (c == 0 ? 0 : 2);
    }
    for (size_t c = 0; c < t->columns; c++) {
        size_t over = total > KITH_OUT_WIDTH ? total - KITH_OUT_WIDTH : 0;
        size_t least = strlen(t->head[c]) > 8 ? strlen(t->head[c]) : 8;
        if (t->align[c] != KITH_CUT || width[c] <= least)
            continue;
        size_t give = over < width[c] - least ? over : width[c] - least;
        width[c] -= give;
        total -= give;
    }
}

static void print_row(const struct kith_table *t, const size_t *width, char *const *cell, FILE *to)
{
    for (size_t c = 0; c < t->columns; c++) {
        const char *text = cell == NULL ? t->head[c] : cell[c];
        bool last = c + 1 == t->columns, cut = strlen(text) > width[c];
        int w = (int)width[c];

        if (t->align[c] == KITH_RIGHT)
            fprintf(to, "%*s", w, text);
        else if (cut)
            fprintf(to, "%.*s..", w - 2, text);
        else
            fprintf(to, "%-*s", last ? 0 : w, text);
        fputs(last ? "\n" : "  ", to);
    }
}

int kith_table_print(const struct kith_table *t, FILE *to)
{
    size_t width[KITH_TABLE_COLUMNS];

    if (t->broken)
        return KITH_E_NOMEM;
    widths_of(t, width);
    print_row(t, width, NULL, to);
    for (size_t i = 0; i + t->columns <= t->cells; i += t->columns)
        print_row(t, width, t->cell + i, to);
    return KITH_OK;
}

void kith_out_wrap(FILE *to, const char *text, size_t at, size_t indent, size_t width)
{
    bool first = true;

    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        if (!first && at + 1 + n > width) {
            fprintf(to, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        fprintf(to, "%s%.*s", first ? "" : " ", (int)n, text);
        at += n + (first ? 0 : 1);
        first = false;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

const char *kith_out_span(uint64_t seconds, char *buf, size_t cap)
{
    unsigned long long s = seconds;

    if (s < 60)
        return kith_format(buf, cap, "%llus", s);
    if (s < 3600)
        return kith_format(buf, cap, "%llum%llus", s / 60, s % 60);
    if (s < 86400)
        return kith_format(buf, cap, "%lluh%llum", s / 3600, s / 60 % 60);
    return kith_format(buf, cap, "%llud%lluh", s / 86400, s / 3600 % 24);
}

const char *kith_out_bytes(uint64_t bytes, char *buf, size_t cap)
{
    static const char units[] = "kMGTPE";
    uint64_t unit = 1000;
    size_t i = 0;

    if (bytes < 1000)
        return kith_format(buf, cap, "%llu", (unsigned long long)bytes);
    while (bytes / 1000 >= unit && i + 2 < sizeof units) {
        unit *= 1000;
        i++;
    }
    if (bytes / unit < 10)
        return kith_format(buf, cap, "%llu.%llu%c", (unsigned long long)(bytes / unit),
                           (unsigned long long)(bytes % unit / (unit / 10)), units[i]);
    return kith_format(buf, cap, "%llu%c", (unsigned long long)(bytes / unit), units[i]);
}

const char *kith_out_ms(double ms, char *buf, size_t cap)
{
    int decimals = ms < 10 ? 2 : ms < 100 ? 1 : 0;
    return kith_format(buf, cap, "%.*f ms", decimals, ms);
}

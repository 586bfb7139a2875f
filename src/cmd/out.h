/* out.h: text for people: tables that line up, wrapped paragraphs, amounts with units.
 *
 * Everything goes to a FILE that the caller names. Colour and progress are the caller's decision.
 */
#ifndef KITH_CMD_OUT_H
#define KITH_CMD_OUT_H

#include <stdio.h>

#include "base/base.h"

enum {
    KITH_OUT_WIDTH = 80, /* columns everything fits in */
    KITH_TABLE_COLUMNS = 9,
    KITH_TABLE_CELL = 512, /* bytes of a cell with its NUL; longer ones are cut */
};

/* Left, right, or left and cut first when the table is too wide. */
enum kith_align { KITH_LEFT, KITH_RIGHT, KITH_CUT };

struct kith_table {
    size_t columns, cells;
    const char *head[KITH_TABLE_COLUMNS];
    enum kith_align align[KITH_TABLE_COLUMNS];
    char **cell; /* row after row, on the heap */
    bool broken; /* memory ran out */
};

/* Adds a column; before any row. */
void kith_table_column(struct kith_table *t, const char *head, enum kith_align align);
/* Adds a cell, row by row; NULL is printed as "-". */
void kith_table_cell(struct kith_table *t, const char *fmt, ...) KITH_PRINTF(2, 3);
/* Prints head and rows, two spaces between columns; KITH_E_NOMEM. */
int kith_table_print(const struct kith_table *t, FILE *to) KITH_MUST_CHECK;
void kith_table_fini(struct kith_table *t);

/* Prints text broken at spaces to `width` columns; the first line goes on at column `at`, later
 * ones begin at `indent`. Ends with a newline. */
void kith_out_wrap(FILE *to, const char *text, size_t at, size_t indent, size_t width);

/* "3m12s", "2d4h", "12s": the two largest units. Returns buf. */
const char *kith_out_span(uint64_t seconds, char *buf, size_t cap);
/* "17", "1.2k", "34M": bytes in powers of 1000, at most 4 characters. */
const char *kith_out_bytes(uint64_t bytes, char *buf, size_t cap);
/* "0.42 ms", "12.3 ms", "1234 ms". */
const char *kith_out_ms(double ms, char *buf, size_t cap);

#endif

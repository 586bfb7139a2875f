/* toml.h: a TOML document as a flat list of values with their places.
 *
 * The room of toml++, behind C. Values are told one after the other, a table as TABLE before what
 * is in it, a list as LIST before its items, keys of a table in the order of the alphabet. Tables
 * deeper than two levels and lists inside lists are told as such and not entered: no option is that
 * deep. */
#ifndef KITH_CONF_TOML_H
#define KITH_CONF_TOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kith_toml_kind {
    KITH_TOML_TABLE,
    KITH_TOML_LIST,
    KITH_TOML_TEXT,
    KITH_TOML_NUMBER, /* an integer of 64 bits */
    KITH_TOML_BOOL,
    KITH_TOML_OTHER, /* floats, dates, text with a NUL in it: no option takes them */
};

struct kith_toml_value { /* valid during the call that tells it */
    enum kith_toml_kind kind;
    const char *section;           /* the table's key, or NULL at the top */
    const char *key;               /* its key; of an item the list's */
    int item;                      /* whether it is an item of the list told before */
    const char *text;              /* of TEXT, else NULL */
    int64_t number;                /* of NUMBER, and of BOOL 0 or 1 */
    uint32_t line, column;         /* where the value begins, from 1 */
    uint32_t key_line, key_column; /* where the key begins */
};

struct kith_toml_error {
    uint32_t line, column;
    char what[200];
};

/* KITH_E_MALFORMED with *ret_error when the text is not TOML; KITH_E_NOMEM. Values may have been
 * told by then only in the latter case. `text` needs no NUL. */
int kith_toml_read(const char *text, size_t n,
                   void (*tell)(void *ctx, const struct kith_toml_value *v), void *ctx,
                   struct kith_toml_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif

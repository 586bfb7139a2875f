/* structured.h: input bytes as a recipe for messages that are valid by the tables of src/wire.
 *
 * A fuzzer that guesses bytes spends its time before the framing. Here every byte is a choice: a
 * length at its bounds, a value that the world knows (an id, a key, a signed object), a piece of
 * the input as it is. What comes out is what a decoder must accept; with a recipe that is to be
 * bent, one field of it just breaks its rule, and a decoder must refuse it. The table gives the
 * fields, so a new message is known here without a line being written.
 *
 * Order: recipe_on; then any of the others until recipe_left is 0. Beyond the end of the input all
 * choices are 0 and what is filled is made up.
 * Law: tests/fuzz/wire_structured.c. */
#ifndef KITH_TESTS_FUZZ_STRUCTURED_H
#define KITH_TESTS_FUZZ_STRUCTURED_H

#include "base/base.h"

enum {
    STRUCTURED_MAX = 140000, /* a list may hold lists; this is beyond the largest message */
    KNOWN_MAX = 64,
};

/* Values that a field of this length may take beside made-up ones. */
struct known {
    struct kith_span value[KNOWN_MAX]; /* borrowed */
    size_t n;
    uint64_t number[4]; /* for integers: times, serials */
};

struct recipe {
    struct kith_span in;
    const struct known *known; /* NULL: nothing */
    uint64_t made_up;          /* how many values were; each differs from the last */
    unsigned fields;           /* written so far */
    unsigned bend_at;          /* from this field on, the first that can be bent is; 0: none */
    bool bent;
};

enum structured_table {
    STRUCTURED_CONTROL,
    STRUCTURED_DATAGRAM,
    STRUCTURED_ENROL,
    STRUCTURED_OBJECT,
    STRUCTURED_TICKET,
    STRUCTURED_BACKUP,
};

struct structured_entry {
    const char *name;
    enum structured_table table;
    int number; /* of a message or a body; -1 for a record */
    void (*draw)(struct recipe *r, struct kith_writer *w);
};

/* In the order of tests/wire_laws.h. */
extern const struct structured_entry structured_entry[];
extern const size_t structured_count;

struct recipe recipe_on(const uint8_t *data, size_t n, const struct known *known);
size_t recipe_left(const struct recipe *r);
uint8_t recipe_byte(struct recipe *r);
/* 0..n-1; n is at most 65536. */
size_t recipe_below(struct recipe *r, size_t n);
/* A number: small, at a power of two, known, or eight bytes of the input. */
uint64_t recipe_number(struct recipe *r);
/* Bytes of the input, or made up, or a known value of this length. */
void recipe_fill(struct recipe *r, uint8_t *to, size_t n);

/* Adds to what fields may take; what is too much is left out. */
void known_add(struct known *k, struct kith_span value);

/* Writes a message of the table, chosen by the input, and returns its length, 0 when it is longer
 * than cap. `bend`: whether one field may break its rule. */
size_t recipe_message(struct recipe *r, enum structured_table table, bool bend, uint8_t *buf,
                      size_t cap);
/* The same for one entry. */
size_t recipe_entry(struct recipe *r, const struct structured_entry *e, bool bend, uint8_t *buf,
                    size_t cap);

#endif

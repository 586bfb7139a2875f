/* wire_laws.h: the law every table obeys, for its fuzz target and its property test.
 *
 * What a decoder accepts has exactly one encoding: encoding it again gives the same bytes, decoding
 * those the same value, and printing it stays within its buffer. */
#ifndef KITH_TESTS_WIRE_LAWS_H
#define KITH_TESTS_WIRE_LAWS_H

#include "wire/backup.h"
#include "wire/control.h"
#include "wire/datagram.h"
#include "wire/enrol.h"
#include "wire/object.h"
#include "wire/ticket.h"

#include <stdlib.h>

/* Whether some entry's decoder took the bytes; aborts when the law is broken. */
typedef bool wire_law(struct kith_span in);

#define KITH_LAW_ABORT_UNLESS(condition)                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* clang-format off */
#define RECORD(name, doc)                                                                          \
    static inline bool law_##name(struct kith_span in)                                             \
    {                                                                                              \
        static uint8_t buf[70000];                                                                 \
        struct kith_##name m, again;                                                               \
        char text[300];                                                                            \
        size_t n = 0;                                                                              \
        if (kith_##name##_decode(in, &m) < 0)                                                      \
            return false;                                                                          \
        KITH_LAW_ABORT_UNLESS(kith_##name##_encode(&m, buf, sizeof buf, &n) == KITH_OK);           \
        KITH_LAW_ABORT_UNLESS(kith_span_equal((struct kith_span){buf, n}, in));                    \
        KITH_LAW_ABORT_UNLESS(kith_##name##_decode((struct kith_span){buf, n}, &again) == KITH_OK);\
        KITH_LAW_ABORT_UNLESS(kith_##name##_equal(&m, &again));                                    \
        (void)kith_##name##_print(&m, text, sizeof text);                                          \
        KITH_LAW_ABORT_UNLESS(strnlen(text, sizeof text) < sizeof text);                           \
        return true;                                                                               \
    }
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
#include "wire/control.def"
#include "wire/datagram.def"
#include "wire/enrol.def"
#include "wire/object.def"
#include "wire/ticket.def"
#include "wire/backup.def"
#include "wire/undef.h"

#define RECORD(name, doc) {#name, law_##name},
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
static const struct {
    const char *name;
    wire_law *holds;
} wire_entries[] = {
#include "wire/control.def"
#include "wire/datagram.def"
#include "wire/enrol.def"
#include "wire/object.def"
#include "wire/ticket.def"
#include "wire/backup.def"
};
#include "wire/undef.h"
/* clang-format on */

#endif

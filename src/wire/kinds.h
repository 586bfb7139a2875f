/* kinds.h: stream kinds, close codes and enrolment statuses of wire/kinds.def as enums with their
 * names. A number from a peer may be in none of them. */
#ifndef KITH_WIRE_KINDS_H
#define KITH_WIRE_KINDS_H

#include <stdint.h>

/* clang-format off */
#define STREAM_KIND(NAME, value, doc) KITH_STREAM_##NAME = (value),
#define CLOSE_CODE(NAME, value, doc)
#define ENROL_STATUS(NAME, value, doc)
enum kith_stream_kind {
#include "wire/kinds.def"
};
#undef STREAM_KIND
#undef CLOSE_CODE
#define STREAM_KIND(NAME, value, doc)
#define CLOSE_CODE(NAME, value, doc) KITH_CLOSE_##NAME = (value),
enum kith_close_code {
#include "wire/kinds.def"
};
#undef CLOSE_CODE
#undef ENROL_STATUS
#define CLOSE_CODE(NAME, value, doc)
#define ENROL_STATUS(NAME, value, doc) KITH_ENROL_##NAME = (value),
enum kith_enrol_status {
#include "wire/kinds.def"
};
#undef STREAM_KIND
#undef CLOSE_CODE
#undef ENROL_STATUS
/* clang-format on */

/* Bits of hello.capabilities (docs/spec/control-stream.md 3). */
enum kith_capability {
    KITH_CAP_PLANE = 1 << 0,    /* the second packet plane */
    KITH_CAP_CHECKSUM = 1 << 1, /* packets whose checksum is left to the receiver */
};

/* "CONTROL" …, "unknown" for others. */
const char *kith_stream_kind_name(uint64_t kind);
const char *kith_close_code_name(uint64_t code);
const char *kith_enrol_status_name(uint64_t status);
/* The table's sentence, for people; "unknown" for others. */
const char *kith_close_code_text(uint64_t code);
const char *kith_enrol_status_text(uint64_t status);

#endif

/* names.h: reads the table KITH_WIRE_TABLE within a switch over its numbers: each case returns the
 * name of its message or body. Included by wire/<protocol>.c, so without a guard. */
/* clang-format off */

#define RECORD(name, doc)
#define MESSAGE(name, number, doc) case (number): return #name;
#define BODY(name, number, doc) case (number): return #name;
#define U8(f, doc)
#define U16(f, doc)
#define U32(f, doc)
#define U64(f, doc)
#define RANGE8(f, lo, hi, doc)
#define ID(f, type, doc)
#define SECRET(f, type, doc)
#define RAW(f, len, doc)
#define SPKI(f, doc)
#define BYTES8(f, max, doc)
#define BYTES16(f, max, doc)
#define REST(f, doc)
#define TEXT8(f, max, doc)
#define LABEL(f, doc)
#define LABEL0(f, doc)
#define IP(f, doc)
#define ADDR(f, doc)
#define PREFIX(f, doc)
#define LIST8(f, record, max, doc)
#define LIST16(f, record, max, doc)
#define END(name)
#include KITH_WIRE_TABLE
#include "wire/undef.h"
/* clang-format on */

/* names.h: reads the table KITH_WIRE_TABLE within a switch over its numbers: each case returns the
 * name of its message or body. Included by wire/<protocol>.c, so without a guard. */
/* clang-format off */

#define RECORD(name, doc)
#define MESSAGE(name, number, doc) case (number): return #name;
#define BODY(name, number, doc) case (number): return #name;
#include "wire/no_fields.h"
#include KITH_WIRE_TABLE
#include "wire/undef.h"
/* clang-format on */

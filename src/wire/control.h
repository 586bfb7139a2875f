/* control.h: structs and codecs of wire/control.def, generated (what for: wire/declare.h). */
#ifndef KITH_WIRE_CONTROL_H
#define KITH_WIRE_CONTROL_H

#include "wire/field.h"
#include "wire/ids.h"

#define KITH_WIRE_TABLE "wire/control.def"
#include "wire/declare.h"
#undef KITH_WIRE_TABLE

/* Bytes of a digest_item. */
enum { KITH_DIGEST_ITEM_LEN = sizeof(struct kith_object_key) + sizeof(uint64_t) };

/* The name of a message type, "unknown" for others. */
const char *kith_control_name(uint8_t type);

#endif

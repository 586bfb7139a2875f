/* object.h: structs and codecs of wire/object.def, generated (what for: wire/declare.h). */
#ifndef KITH_WIRE_OBJECT_H
#define KITH_WIRE_OBJECT_H

#include "wire/field.h"
#include "wire/ids.h"

#define KITH_WIRE_TABLE "wire/object.def"
#include "wire/declare.h"
#undef KITH_WIRE_TABLE

/* "NETWORK" … for a kind of body, "unknown" for others. */
const char *kith_object_kind_name(uint8_t kind);

#endif

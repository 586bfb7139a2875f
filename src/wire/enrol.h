/* enrol.h: structs and codecs of wire/enrol.def, generated (what for: wire/declare.h). */
#ifndef KITH_WIRE_ENROL_H
#define KITH_WIRE_ENROL_H

#include "wire/field.h"
#include "wire/ids.h"

#define KITH_WIRE_TABLE "wire/enrol.def"
#include "wire/declare.h"
#undef KITH_WIRE_TABLE

/* The name of a message type, "unknown" for others. */
const char *kith_enrol_name(uint8_t type);

#endif

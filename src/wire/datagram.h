/* datagram.h: structs and codecs of wire/datagram.def, generated (what for: wire/declare.h). */
#ifndef KITH_WIRE_DATAGRAM_H
#define KITH_WIRE_DATAGRAM_H

#include "wire/field.h"
#include "wire/ids.h"

#define KITH_WIRE_TABLE "wire/datagram.def"
#include "wire/declare.h"
#undef KITH_WIRE_TABLE

/* The name of a message type, "unknown" for others. */
const char *kith_datagram_name(uint8_t type);

#endif

/* ticket.h: structs and codecs of wire/ticket.def, generated (what for: wire/declare.h). */
#ifndef KITH_WIRE_TICKET_H
#define KITH_WIRE_TICKET_H

#include "wire/field.h"
#include "wire/ids.h"
#include "wire/object.h"

#define KITH_WIRE_TABLE "wire/ticket.def"
#include "wire/declare.h"
#undef KITH_WIRE_TABLE

#endif

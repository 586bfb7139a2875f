/* base.h: the small vocabulary every layer shares. Depends on nothing above it. */
#ifndef KITH_BASE_BASE_H
#define KITH_BASE_BASE_H

#include "base/cursor.h"
#include "base/err.h"
#include "base/rate.h"
#include "base/span.h"
#include "base/time.h"

#endif

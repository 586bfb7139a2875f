/* frame.h: messages one after another on a stream: u16 length, then that many bytes, the first of
 * which is the message's type (docs/spec/control-stream.md 2).
 *
 * To write: encode at buf + KITH_FRAME_HEAD, then kith_frame_close. To read: collect the stream's
 * bytes, take frames off the front until there is no whole one.
 * Test: tests/unit/wire_field_test.c. */
#ifndef KITH_WIRE_FRAME_H
#define KITH_WIRE_FRAME_H

#include "base/base.h"

enum {
    KITH_FRAME_HEAD = 2,
    KITH_FRAME_BODY_MAX = 65535, /* what u16 holds */
    KITH_FRAME_MAX = KITH_FRAME_HEAD + KITH_FRAME_BODY_MAX,
};

/* Writes the length in front of the n bytes at buf + KITH_FRAME_HEAD and gives the whole frame's
 * length. KITH_E_INVAL for n of 0 or over KITH_FRAME_BODY_MAX. */
int kith_frame_close(uint8_t *buf, size_t n, size_t *ret_len) KITH_MUST_CHECK;
/* The message of the first frame, borrowed, and how many bytes of `in` it took. KITH_E_AGAIN when
 * it isn't whole yet, KITH_E_MALFORMED for an empty one. */
int kith_frame_take(struct kith_span in, struct kith_span *ret_message,
                    size_t *ret_used) KITH_MUST_CHECK;

#endif

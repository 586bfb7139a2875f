#include "wire/frame.h"

int kith_frame_close(uint8_t *buf, size_t n, size_t *ret_len)
{
    if (n == 0 || n > KITH_FRAME_BODY_MAX)
        return KITH_E_INVAL;

    struct kith_writer w = kith_writer_on(buf, KITH_FRAME_HEAD);
    kith_put_u16(&w, (uint16_t)n);
    *ret_len = KITH_FRAME_HEAD + n;
    return KITH_OK;
}

int kith_frame_take(struct kith_span in, struct kith_span *ret_message, size_t *ret_used)
{
    struct kith_reader r = kith_reader_on(in);
    size_t n = kith_get_u16(&r);

    if (!r.bad && n == 0)
        return KITH_E_MALFORMED;
    struct kith_span message = kith_get_span(&r, n);
    if (r.bad)
        return KITH_E_AGAIN;
    *ret_message = message;
    *ret_used = KITH_FRAME_HEAD + n;
    return KITH_OK;
}

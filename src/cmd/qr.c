/* A QR code in a terminal: two rows of modules in one line of half blocks, dark on light with the
 * quiet zone the standard asks for (ISO/IEC 18004: 4 modules). */

#include <qrencode.h>

#include "cmd/cmd.h"

enum { QUIET = 4 };

/* Whether the module is dark; around the code everything is light. */
static bool dark(const QRcode *qr, int x, int y)
{
    if (x < 0 || y < 0 || x >= qr->width || y >= qr->width)
        return false;
    return (qr->data[y * qr->width + x] & 1) != 0;
}

int kith_cmd_draw_qr(const char *text, FILE *to)
{
    /* Light modules are drawn: right on dark terminals; readers take the inverse on light ones. */
    static const char *const blocks[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
    QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

    if (qr == NULL)
        return KITH_E_TOOBIG;
    for (int y = -QUIET; y < qr->width + QUIET; y += 2) {
        for (int x = -QUIET; x < qr->width + QUIET; x++)
            fputs(blocks[dark(qr, x, y)][dark(qr, x, y + 1)], to);
        fputc('\n', to);
    }
    QRcode_free(qr);
    return KITH_OK;
}

#include "fuzz/mouth.h"

#include <stdlib.h>

#include "identity/object.h"
#include "session/internal.h"
#include "wire/datagram.h"
#include "wire/frame.h"

enum { PACKET_MAX = 1500, RAW_MAX = 2048, EXTENSIONS_MAX = 4 };

void mouth_control(struct foe *f, const struct node_peer_sim *to, struct recipe *r)
{
    static uint8_t buf[KITH_FRAME_BODY_MAX];
    bool bend = recipe_byte(r) % 8 == 7;
    size_t n = recipe_message(r, STRUCTURED_CONTROL, bend, buf, sizeof buf);

    if (n > 0)
        (void)!foe_say(f, to, buf, n);
}

static const struct structured_entry *draw_body(struct recipe *r)
{
    int kind = 1 + (int)recipe_below(r, KITH_OBJECT_announcement_body);

    for (size_t i = 0; i < structured_count; i++)
        if (structured_entry[i].table == STRUCTURED_OBJECT && structured_entry[i].number == kind)
            return &structured_entry[i];
    abort(); /* the kinds count up from 1 */
}

void mouth_object(struct foe *f, const struct node_peer_sim *to, struct recipe *r,
                  const struct kith_network_id *network)
{
    static uint8_t body[KITH_OBJECT_BODY_MAX], object[KITH_OBJECT_MAX], buf[KITH_FRAME_BODY_MAX];
    const struct structured_entry *e = draw_body(r);
    struct kith_object_head head = {.kind = (uint8_t)e->number, .network = *network};
    struct kith_push push;
    size_t len;

    head.number = recipe_number(r);
    head.issued = recipe_number(r);
    size_t n = recipe_entry(r, e, recipe_byte(r) % 8 == 7, body, sizeof body);
    if (n == 0 || kith_object_sign(&f->identity, &head, (struct kith_span){body, n}, object,
                                   sizeof object, &len) < 0)
        return;
    push.object = (struct kith_span){object, len};
    if (kith_push_encode(&push, buf, sizeof buf, &len) == KITH_OK)
        (void)!foe_say(f, to, buf, len);
}

void mouth_enrol(struct foe *f, const struct node_peer_sim *to, struct recipe *r)
{
    static uint8_t frame[KITH_FRAME_MAX];
    struct kith_session *s = foe_session(f, to);
    size_t n = recipe_message(r, STRUCTURED_ENROL, recipe_byte(r) % 8 == 7, frame + KITH_FRAME_HEAD,
                              KITH_FRAME_BODY_MAX),
           len;
    uint8_t lie = recipe_byte(r);
    struct kith_conn *c;
    int64_t id;

    if (s == NULL || n == 0 || kith_session_open_stream(s, KITH_STREAM_ENROL, &c, &id) < 0 ||
        kith_frame_close(frame, n, &len) < 0)
        return;
    if (lie > 200)
        frame[1] ^= lie;
    (void)!kith_conn_stream_send(c, id, (struct kith_span){frame, len}, lie % 2 == 0);
    if (lie % 8 == 7)
        kith_conn_stream_reset(c, id, lie);
}

void mouth_bytes(struct foe *f, const struct node_peer_sim *to, struct recipe *r)
{
    uint8_t bytes[RAW_MAX];
    size_t n = 1 + recipe_below(r, sizeof bytes);

    recipe_fill(r, bytes, n);
    (void)!foe_say_raw(f, to, bytes, n);
}

/* ---- packets ---- */

static uint16_t checksum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint8_t draw_protocol(struct recipe *r)
{
    static const uint8_t protocol[] = {17, 6, 1, 58, 44, 0, 43, 60, 51, 50, 59, 4, 41};
    uint8_t v = recipe_byte(r);

    return v < 200 ? protocol[v % sizeof protocol] : v;
}

/* RFC 791, with a good checksum. */
static size_t packet4(struct recipe *r, const struct mouth_ends *ends, uint8_t *b, size_t cap)
{
    size_t options = recipe_byte(r) % 8 == 7 ? 4 * recipe_below(r, 11) : 0, head = 20 + options;
    size_t len = head + recipe_below(r, cap - head + 1);

    memset(b, 0, head);
    b[0] = (uint8_t)(0x40 | head / 4);
    b[1] = recipe_byte(r);
    put16(b + 2, len);
    if (recipe_byte(r) % 4 == 3) {
        b[6] = recipe_byte(r);
        b[7] = recipe_byte(r);
    }
    b[8] = 64;
    b[9] = draw_protocol(r);
    memcpy(b + 12, ends->from4.b, 4);
    memcpy(b + 16, ends->to4.b, 4);
    if (options > 0)
        recipe_fill(r, b + 20, options);
    put16(b + 10, checksum(b, head));
    recipe_fill(r, b + head, len - head);
    return len;
}

/* RFC 8200, with extension headers in any order. */
static size_t packet6(struct recipe *r, const struct mouth_ends *ends, uint8_t *b, size_t cap)
{
    size_t at = 40, next = 6, extensions = recipe_below(r, EXTENSIONS_MAX + 1);

    memset(b, 0, cap);
    b[0] = 0x60;
    b[7] = 64;
    memcpy(b + 8, ends->from6.b, 16);
    memcpy(b + 24, ends->to6.b, 16);
    while (extensions-- > 0 && at + 8 <= cap) {
        b[next] = draw_protocol(r);
        next = at;
        b[at + 1] = recipe_byte(r);
        b[at + 2] = recipe_byte(r);
        b[at + 3] = recipe_byte(r);
        size_t whole = 8 * (1 + (size_t)b[at + 1]);
        at += b[next] == 44 || at + whole > cap ? 8 : whole;
    }
    b[next] = draw_protocol(r);
    size_t body = recipe_below(r, cap - at + 1);
    recipe_fill(r, b + at, body);
    put16(b + 4, at + body - 40);
    return at + body;
}

size_t mouth_packet(struct recipe *r, const struct mouth_ends *ends, uint8_t *buf, size_t cap)
{
    uint8_t how = recipe_byte(r);
    size_t n = (how & 1) == 0 ? packet4(r, ends, buf, cap) : packet6(r, ends, buf, cap);

    if (how > 223) /* a byte of it is wrong */
        buf[recipe_below(r, n)] ^= (uint8_t)(recipe_byte(r) | 1);
    if (how > 239)
        n = 1 + recipe_below(r, n);
    return n;
}

static size_t packet_datagram(struct recipe *r, const struct mouth_ends *ends, uint8_t *buf,
                              size_t cap)
{
    uint8_t packet[PACKET_MAX];
    struct kith_ip_packet m = {.slot = (uint8_t)(recipe_byte(r) % 8 == 7 ? recipe_byte(r) : 0)};
    size_t n = mouth_packet(r, ends, packet, 1100), len;

    m.packet = (struct kith_span){packet, n};
    return kith_ip_packet_encode(&m, buf, cap, &len) == KITH_OK ? len : 0;
}

void mouth_datagram(struct foe *f, const struct node_peer_sim *to, struct recipe *r,
                    const struct mouth_ends *ends)
{
    uint8_t buf[PACKET_MAX];
    uint8_t how = recipe_byte(r);
    size_t n = (how & 1) == 0 ? packet_datagram(r, ends, buf, sizeof buf)
                              : recipe_message(r, STRUCTURED_DATAGRAM, how > 223, buf, sizeof buf);

    if (n > 0)
        (void)!foe_datagram(f, to, buf, n);
}

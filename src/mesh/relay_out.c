/* relay_out.c: what leaves: packets, pieces of them, and words that a label is over. */
#include "mesh/relay_parts.h"

enum {
    PACKET_HEAD = 8, /* flow_packet without what it carries */
    PIECE_HEAD = 14,
    PIECES_MAX = 8,
    ENDS_BURST = 64,
};
#define END_COST (10 * KITH_MSEC) /* labels that one is told to forget */

void relay_put_out(struct kith_relay *r, uint32_t neighbour, uint8_t ecn,
                   const struct kith_span *parts, size_t n)
{
    uint8_t tag[KITH_SHELF_TAG] = {0};

    memcpy(tag, &r->from, sizeof r->from);
    if (kith_shelf_put(&r->out, neighbour, tag, ecn, parts, n) < 0)
        r->count.dropped++;
}

void relay_send_end(struct kith_relay *r, struct kith_mesh_end at, enum kith_mesh_why why,
                    kith_time now)
{
    const struct kith_flow_over m = {.label = at.label, .why = (uint8_t)why};
    struct kith_mesh_neighbour *n = neighbour_of(r, at.neighbour);
    uint8_t buf[8];
    size_t len;

    if (n == NULL || !kith_rate_takes(&n->ends_paid, END_COST, 1, ENDS_BURST, now) ||
        kith_flow_over_encode(&m, buf, sizeof buf, &len) < 0)
        return;
    relay_put_out(r, at.neighbour, 0, &(struct kith_span){buf, len}, 1);
}

/* Whether anything left. */
static bool send_pieces(struct kith_relay *r, struct kith_mesh_neighbour *to, uint32_t label,
                        uint8_t hops, struct kith_span packet, uint8_t ecn, size_t room)
{
    size_t most = room - PIECE_HEAD, count = (packet.n + most - 1) / most;
    size_t part = (packet.n + count - 1) / count; /* even pieces */
    uint16_t id = to->piece_id++;

    if (count > PIECES_MAX) {
        r->count.too_big++;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct kith_writer w;
        uint8_t head[PIECE_HEAD];
        size_t at = i * part, n = packet.n - at < part ? packet.n - at : part;
        w = kith_writer_on(head, sizeof head);
        kith_put_u8(&w, KITH_WIRE_flow_piece);
        kith_put_u16(&w, 0);
        kith_put_u8(&w, hops);
        kith_put_u32(&w, label);
        kith_put_u16(&w, id);
        kith_put_u16(&w, (uint16_t)packet.n);
        kith_put_u8(&w, (uint8_t)i);
        kith_put_u8(&w, (uint8_t)count);
        const struct kith_span parts[] = {{head, sizeof head}, {packet.p + at, n}};
        relay_put_out(r, to->number, ecn, parts, 2);
    }
    return true;
}

/* What the session with it takes; asked for once in a turn. */
static size_t room_of(const struct kith_relay *r, struct kith_mesh_neighbour *n, kith_time now)
{
    if (n->room_at != now) {
        n->room = r->ops.room(r->ops.ctx, n->number);
        n->room_at = now;
    }
    return n->room;
}

bool relay_send_packet(struct kith_relay *r, struct kith_mesh_end to, uint8_t hops,
                       struct kith_span packet, uint8_t ecn, kith_time now)
{
    const uint8_t head[PACKET_HEAD] = {KITH_WIRE_flow_packet,
                                       0,
                                       0,
                                       hops,
                                       (uint8_t)(to.label >> 24),
                                       (uint8_t)(to.label >> 16),
                                       (uint8_t)(to.label >> 8),
                                       (uint8_t)to.label};
    const struct kith_span parts[] = {{head, sizeof head}, packet};
    struct kith_mesh_neighbour *n = neighbour_of(r, to.neighbour);
    size_t room = n == NULL ? 0 : room_of(r, n, now);

    if (room > PIECE_HEAD && packet.n + PACKET_HEAD <= room) {
        relay_put_out(r, to.neighbour, ecn, parts, 2);
        return true;
    }
    if (room > PIECE_HEAD && packet.n <= KITH_RELAY_WHOLE)
        return send_pieces(r, n, to.label, hops, packet, ecn, room);
    if (room > PIECE_HEAD)
        r->count.too_big++; /* spec mesh 3.5: as on any path */
    else
        r->count.dropped++;
    return false;
}

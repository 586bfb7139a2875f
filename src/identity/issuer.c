#include "identity/issuer.h"

#include <stdlib.h>

enum { SERVICES_BYTES = KITH_SERVICES_MAX * (1 + KITH_LABEL_MAX + 1 + KITH_SERVICE_ABOUT_MAX) };

/* ---- blocks and serials ---- */

static uint32_t ip4_number(const struct kith_ip *ip)
{
    return (uint32_t)ip->b[0] << 24 | (uint32_t)ip->b[1] << 16 | (uint32_t)ip->b[2] << 8 | ip->b[3];
}

static struct kith_ip ip4_of(uint32_t n)
{
    return kith_ip4((uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
}

/* The last address of an IPv4 prefix. */
static uint32_t last_of(const struct kith_prefix *p)
{
    uint64_t size = (uint64_t)1 << (32 - p->bits);

    return (uint32_t)(ip4_number(&p->ip) + size - 1);
}

int kith_issuer_block(const struct kith_prefix *range, unsigned k, struct kith_prefix *ret)
{
    if (range->ip.family != KITH_FAMILY_IP4 || range->bits > KITH_RANGE_BITS_MAX ||
        k >= KITH_BLOCKS)
        return KITH_E_INVAL;
    unsigned bits = range->bits + KITH_BLOCK_BITS;
    struct kith_ip ip = ip4_of(ip4_number(&range->ip) + ((uint32_t)k << (32 - bits)));
    *ret = kith_prefix_of(&ip, bits);
    return KITH_OK;
}

void kith_issuer_serials(unsigned k, uint64_t *ret_first, uint64_t *ret_last)
{
    *ret_first = k == 0 ? 1 : (uint64_t)k << KITH_SERIAL_BITS;
    *ret_last = ((uint64_t)(k + 1) << KITH_SERIAL_BITS) - 1;
}

int kith_issuer_pick_ip(const struct kith_prefix *range, const struct kith_prefix *block,
                        kith_ip_taken *taken, void *ctx, struct kith_ip *ret)
{
    uint64_t first = ip4_number(&block->ip), last = last_of(block);

    for (uint64_t n = first; n <= last; n++) {
        struct kith_ip ip = ip4_of((uint32_t)n);
        if (n == ip4_number(&range->ip) || n == last_of(range) || taken(ctx, &ip))
            continue;
        *ret = ip;
        return KITH_OK;
    }
    return KITH_E_FULL;
}

/* ---- names ---- */

int kith_issuer_pick_name(struct kith_span wanted, kith_name_taken *taken, void *ctx, char *buf)
{
    char name[KITH_LABEL_MAX + 1], suffix[8] = "";

    if (!kith_label_valid(wanted))
        return KITH_E_MALFORMED;
    for (unsigned number = 2; number <= 1000; number++) {
        size_t most = KITH_LABEL_MAX - strlen(suffix);
        size_t n = wanted.n < most ? wanted.n : most;
        kith_format(name, sizeof name, "%.*s%s", (int)n, (const char *)wanted.p, suffix);
        if (!taken(ctx, kith_span_text(name))) {
            memcpy(buf, name, sizeof name);
            return KITH_OK;
        }
        kith_format(suffix, sizeof suffix, "-%u", number);
    }
    return KITH_E_TAKEN;
}

/* ---- objects ---- */

uint64_t kith_issuer_number(uint64_t previous, kith_wall now)
{
    if (previous > kith_after(now, KITH_WALL_TOLERANCE))
        return now; /* signed while the calendar was ahead: nobody else took it */
    return previous >= now ? previous + 1 : now;
}

int kith_issue_network(const struct kith_identity *root, struct kith_span name,
                       const struct kith_prefix *range, kith_wall created, uint64_t number,
                       kith_wall now, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct kith_network_body body = {
        .name = name, .ipv4 = *range, .created = created, .root = KITH_SPAN_OF(root->pub)};
    struct kith_object_head head = {
        .kind = KITH_OBJECT_network_body, .number = number, .issued = now};
    uint8_t b[KITH_CERT_MAX];
    size_t n = 0;
    int err = kith_network_id_of(&root->pub, &head.network);

    if (err == KITH_OK)
        err = kith_network_body_encode(&body, b, sizeof b, &n);
    if (err < 0)
        return err;
    return kith_object_sign(root, &head, (struct kith_span){b, n}, buf, cap, ret_len);
}

int kith_issue_admin(const struct kith_identity *root, const struct kith_network_id *network,
                     const struct kith_new_admin *admin, kith_wall now, uint8_t *buf, size_t cap,
                     size_t *ret_len)
{
    struct kith_admin_body body = {.spki = KITH_SPAN_OF(admin->key), .not_after = admin->not_after};
    struct kith_object_head head = {.kind = KITH_OBJECT_admin_body,
                                    .network = *network,
                                    .number = admin->number,
                                    .issued = now};
    uint8_t b[KITH_CERT_MAX];
    size_t n = 0;

    if (admin->block == 0)
        return KITH_E_INVAL; /* the root's own */
    int err = kith_issuer_block(&admin->range, admin->block, &body.ipv4);
    if (err == KITH_OK)
        err = kith_peer_id_of(&admin->key, &body.peer);
    kith_issuer_serials(admin->block, &body.serial_first, &body.serial_last);
    if (err == KITH_OK)
        err = kith_admin_body_encode(&body, b, sizeof b, &n);
    if (err < 0)
        return err;
    return kith_object_sign(root, &head, (struct kith_span){b, n}, buf, cap, ret_len);
}

/* Signs body with the next serial; counts only what was signed. */
static int sign_next(struct kith_issuer *is, uint8_t kind, uint64_t number, kith_wall now,
                     struct kith_span body, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct kith_object_head head = {
        .kind = kind, .network = is->network, .number = number, .issued = now};
    int err = kith_object_sign(is->signer, &head, body, buf, cap, ret_len);

    if (err == KITH_OK)
        is->next_serial++;
    return err;
}

static bool used_up(const struct kith_issuer *is)
{
    return is->next_serial == 0 || is->next_serial > is->last_serial;
}

int kith_issue_member(struct kith_issuer *is, const struct kith_new_member *m, kith_wall now,
                      uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct kith_member_body body = {.spki = KITH_SPAN_OF(m->key),
                                    .name = m->name,
                                    .ipv4 = m->ip4,
                                    .groups = m->groups,
                                    .subnets = m->subnets,
                                    .serial = is->next_serial,
                                    .not_before = now,
                                    .not_after = now + KITH_CERT_VALID};
    uint8_t b[KITH_CERT_MAX];
    size_t n = 0;

    if (used_up(is))
        return KITH_E_FULL;
    int err = kith_peer_id_of(&m->key, &body.peer);
    if (err == KITH_OK)
        err = kith_member_body_encode(&body, b, sizeof b, &n);
    if (err < 0)
        return err;
    return sign_next(is, KITH_OBJECT_member_body, m->number, now, (struct kith_span){b, n}, buf,
                     cap, ret_len);
}

int kith_issue_revocation(struct kith_issuer *is, const struct kith_new_revocation *r,
                          kith_wall now, uint8_t *buf, size_t cap, size_t *ret_len)
{
    uint8_t serials[256 * sizeof(uint64_t)], b[KITH_CERT_MAX];
    struct kith_writer w = kith_writer_on(serials, sizeof serials);
    struct kith_revocation_body body = {
        .peer = r->peer, .admin_stands_to = r->stands_to, .reason = r->reason};
    size_t n = 0;

    if (used_up(is))
        return KITH_E_FULL;
    for (size_t i = 0; i < r->n; i++)
        kith_serial_item_put(&w, &(struct kith_serial_item){r->serials[i]});
    int err = kith_writer_done(&w, &body.serials.bytes.n);
    body.serials.bytes.p = serials;
    body.serials.n = (uint16_t)r->n;
    if (err == KITH_OK)
        err = kith_revocation_body_encode(&body, b, sizeof b, &n);
    if (err < 0)
        return err;
    return sign_next(is, KITH_OBJECT_revocation_body, is->next_serial, now,
                     (struct kith_span){b, n}, buf, cap, ret_len);
}

static int by_peer(const void *pa, const void *pb)
{
    const struct kith_member_item *a = pa, *b = pb;

    return memcmp(a->peer.b, b->peer.b, sizeof a->peer.b);
}

int kith_issue_members(struct kith_issuer *is, struct kith_member_item *items, size_t n,
                       kith_wall now, uint8_t *buf, size_t cap, size_t *ret_len)
{
    uint8_t b[KITH_OBJECT_BODY_MAX];
    struct kith_writer w = kith_writer_on(b, sizeof b);
    size_t len;

    if (used_up(is))
        return KITH_E_FULL;
    if (n > 1500)
        return KITH_E_LIMIT;
    if (n > 0)
        qsort(items, n, sizeof *items, by_peer);
    kith_put_u16(&w, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && by_peer(&items[i - 1], &items[i]) == 0)
            return KITH_E_INVAL;
        kith_member_item_put(&w, &items[i]);
    }
    int err = kith_writer_done(&w, &len);
    if (err < 0)
        return err;
    return sign_next(is, KITH_OBJECT_members_body, is->next_serial, now, (struct kith_span){b, len},
                     buf, cap, ret_len);
}

int kith_issue_leave(const struct kith_identity *member, const struct kith_network_id *network,
                     uint64_t serial, uint64_t number, kith_wall now, uint8_t *buf, size_t cap,
                     size_t *ret_len)
{
    uint8_t serials[sizeof serial], b[KITH_CERT_MAX];
    struct kith_writer w = kith_writer_on(serials, sizeof serials);
    struct kith_revocation_body body = {.peer = member->id, .reason = kith_span_text("left")};
    struct kith_object_head head = {
        .kind = KITH_OBJECT_revocation_body, .network = *network, .number = number, .issued = now};
    size_t n = 0;

    kith_serial_item_put(&w, &(struct kith_serial_item){serial});
    int err = kith_writer_done(&w, &body.serials.bytes.n);
    body.serials.bytes.p = serials;
    body.serials.n = 1;
    if (err == KITH_OK)
        err = kith_revocation_body_encode(&body, b, sizeof b, &n);
    if (err < 0)
        return err;
    return kith_object_sign(member, &head, (struct kith_span){b, n}, buf, cap, ret_len);
}

int kith_issue_endpoints(const struct kith_identity *member, const struct kith_network_id *network,
                         const struct kith_addr *addrs, size_t n, uint64_t number,
                         kith_wall valid_until, kith_wall now, uint8_t *buf, size_t cap,
                         size_t *ret_len)
{
    uint8_t list[16 * 19], b[512]; /* 16 of family, 16 bytes, port */
    struct kith_writer w = kith_writer_on(list, sizeof list);
    struct kith_endpoints_body body = {.valid_until = valid_until};
    struct kith_object_head head = {
        .kind = KITH_OBJECT_endpoints_body, .network = *network, .number = number, .issued = now};
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        kith_addr_item_put(&w, &(struct kith_addr_item){addrs[i]});
    int err = kith_writer_done(&w, &body.addrs.bytes.n);
    body.addrs.bytes.p = list;
    body.addrs.n = (uint16_t)n;
    if (err == KITH_OK)
        err = kith_endpoints_body_encode(&body, b, sizeof b, &len);
    if (err < 0)
        return err;
    return kith_object_sign(member, &head, (struct kith_span){b, len}, buf, cap, ret_len);
}

static bool in_order(const struct kith_service *services, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (kith_span_compare(services[i - 1].name, services[i].name) >= 0)
            return false;
    return true;
}

int kith_issue_announcement(const struct kith_identity *member,
                            const struct kith_network_id *network, uint32_t capabilities,
                            const struct kith_service *services, size_t n, uint64_t number,
                            kith_wall valid_until, kith_wall now, uint8_t *buf, size_t cap,
                            size_t *ret_len)
{
    uint8_t list[SERVICES_BYTES], b[SERVICES_BYTES + 64];
    struct kith_writer w = kith_writer_on(list, sizeof list);
    struct kith_announcement_body body = {.valid_until = valid_until, .capabilities = capabilities};
    struct kith_object_head head = {.kind = KITH_OBJECT_announcement_body,
                                    .network = *network,
                                    .number = number,
                                    .issued = now};
    size_t len = 0;

    if (n > KITH_SERVICES_MAX)
        return KITH_E_LIMIT;
    if (!in_order(services, n))
        return KITH_E_INVAL;
    for (size_t i = 0; i < n; i++)
        kith_service_item_put(
            &w, &(struct kith_service_item){.name = services[i].name, .about = services[i].about});
    int err = kith_writer_done(&w, &body.services.bytes.n);
    body.services.bytes.p = list;
    body.services.n = (uint16_t)n;
    if (err == KITH_OK)
        err = kith_announcement_body_encode(&body, b, sizeof b, &len);
    if (err < 0)
        return err;
    return kith_object_sign(member, &head, (struct kith_span){b, len}, buf, cap, ret_len);
}

#include "unit/vpn_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = PLAY_T0;

/* ---- what the test plays ---- */

struct a_sent sent[KEPT];
size_t sent_n, send_calls;
size_t session_takes;            /* how many packets it will still take */
enum kith_vpn_sent session_says; /* about the rest */
bool takes_partial;
size_t largest;

struct a_written written[KEPT];
size_t written_n;
size_t vnet_len; /* of the device */

enum kith_event_kind last_event;
size_t events_n;
char last_why[80];

/* Memory: how often it was asked for, and whether there is any. */
size_t asked;
size_t fail_at; /* the n-th request from now fails; 0: none does */

static struct kith_random_seeded source;
static struct kith_random rnd;
struct kith_vpn *v;

static size_t send_to_session(void *ctx, uint32_t member, uint8_t slot,
                              const struct kith_parts *packets, size_t n, kith_time now,
                              enum kith_vpn_sent *ret_state)
{
    size_t take = n < session_takes ? n : session_takes;

    (void)ctx;
    (void)now;
    send_calls++;
    assert_true(n > 0 && n <= KITH_SPLIT_BATCH);
    for (size_t i = 0; i < take; i++, sent_n++) {
        const struct kith_parts *p = &packets[i];
        assert_true(p->head.n + p->body.n <= sizeof sent[0].bytes);
        memcpy(sent[sent_n].bytes, p->head.p, p->head.n);
        kith_copy(sent[sent_n].bytes + p->head.n, p->body.p, p->body.n);
        sent[sent_n].len = p->head.n + p->body.n;
        sent[sent_n].member = member;
        sent[sent_n].slot = slot;
        sent[sent_n].marks = p->marks;
    }
    session_takes -= take;
    *ret_state = take == n ? KITH_VPN_SENT : session_says;
    return take;
}

static bool member_takes_partial(void *ctx, uint32_t member, uint8_t slot)
{
    (void)ctx, (void)member, (void)slot;
    return takes_partial;
}

static bool write_to_device(void *ctx, const struct kith_span *parts, size_t n)
{
    size_t len = 0;
    uint8_t all[KITH_VNET_LEN + 65536];

    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        memcpy(all + len, parts[i].p, parts[i].n);
        len += parts[i].n;
    }
    if (vnet_len > 0)
        assert_int_equal(kith_vnet_read((struct kith_span){all, len}, &written[written_n].vnet), 0);
    written[written_n].len = len - vnet_len;
    memcpy(written[written_n++].bytes, all + vnet_len, len - vnet_len);
    return true;
}

static size_t largest_to_member(void *ctx, uint32_t member, uint8_t slot)
{
    (void)ctx;
    return member == BOB && slot == 1 ? largest : 0;
}

static void note_event(void *ctx, const struct kith_event *ev)
{
    (void)ctx;
    events_n++;
    last_event = ev->kind;
    if (ev->kind == KITH_EV_packet_refused)
        strncpy(last_why, ev->field[1].text, sizeof last_why - 1);
}

static void *resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n > 0) {
        asked++;
        if (fail_at > 0 && --fail_at == 0)
            return NULL;
    }
    return kith_heap.resize(kith_heap.ctx, p, n);
}

static const struct kith_alloc memory = {resize, NULL};
static const struct kith_events events = {note_event, NULL};
static struct kith_env env;

static const struct kith_vpn_config plain = {.mtu = 1400}, offload = {.mtu = 1400, .offload = true};

int make(const struct kith_vpn_config *config)
{
    kith_random_seeded_init(&source, 11);
    rnd = kith_random_from_seed(&source);
    env = (struct kith_env){.alloc = &memory, .random = &rnd, .events = &events};
    vnet_len = config->offload ? KITH_VNET_LEN : 0;
    return kith_vpn_new(config, &env,
                        (struct kith_vpn_out){.send = send_to_session,
                                              .partial = member_takes_partial,
                                              .largest = largest_to_member},
                        (struct kith_vpn_in){write_to_device, NULL}, &v);
}

struct kith_vpn_network home(void)
{
    return (struct kith_vpn_network){.ip4 = ip_of("100.64.0.1"),
                                     .ip6 = ip_of("fd00::1"),
                                     .prefix4 = prefix_of("100.64.0.0/16"),
                                     .prefix6 = prefix_of("fd00::/64")};
}

struct kith_vpn_member bob(void)
{
    return (struct kith_vpn_member){
        .handle = BOB, .slot = 1, .ip4 = ip_of("100.64.0.2"), .ip6 = ip_of("fd00::2")};
}

void populate(void)
{
    struct kith_vpn_network net = home();
    struct kith_vpn_member m = bob();

    assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_OK);
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
    m.handle = CAROL;
    m.ip4 = ip_of("100.64.0.3");
    m.ip6 = ip_of("fd00::3");
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
}

static void begin(const struct kith_vpn_config *config)
{
    sent_n = send_calls = written_n = events_n = 0;
    session_takes = SIZE_MAX;
    takes_partial = false;
    largest = 0;
    fail_at = 0;
    assert_int_equal(make(config), KITH_OK);
    populate();
}

int teardown(void **state)
{
    (void)state;
    kith_vpn_free(v);
    v = NULL;
    return 0;
}

int setup_plain(void **state)
{
    (void)state;
    begin(&plain);
    return 0;
}

int setup_offload(void **state)
{
    (void)state;
    begin(&offload);
    return 0;
}

int setup_deny(void **state)
{
    const struct kith_vpn_config deny = {.mtu = 1400, .inbound_deny = true};

    (void)state;
    begin(&deny);
    return 0;
}

/* ---- packets ---- */

uint8_t data[65536];

struct a_packet to_bob(void)
{
    return (struct a_packet){.src = "100.64.0.1",
                             .dst = "100.64.0.2",
                             .proto = UDP,
                             .sport = 1000,
                             .dport = 2000,
                             .payload = {data, 100}};
}

struct a_packet from_bob(void)
{
    return (struct a_packet){.src = "100.64.0.2",
                             .dst = "100.64.0.1",
                             .proto = UDP,
                             .sport = 2000,
                             .dport = 1000,
                             .payload = {data, 100}};
}

void tun_at(const struct a_packet *p, kith_time now)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];

    memset(buf, 0, KITH_VNET_LEN);
    size_t n = make_packet(p, buf + vnet_len);
    kith_vpn_from_tun(v, buf, vnet_len + n, now);
}

void tun(const struct a_packet *p)
{
    tun_at(p, T0);
}

void peer(const struct a_packet *p)
{
    uint8_t buf[2048];
    size_t n = make_packet(p, buf);

    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
}

void peer_marked(const struct a_packet *p, struct kith_marks marks, uint16_t checksum)
{
    uint8_t buf[2048];
    size_t n = make_packet(p, buf), l4 = buf[0] >> 4 == 4 ? 20 : 40;

    kith_store_u16(buf + l4 + (p->proto == TCP ? 16 : 6), checksum);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, marks, T0);
}

uint64_t dropped(enum kith_vpn_drop why)
{
    return kith_vpn_counters(v).dropped[why];
}

/* Every packet ends in exactly one place: the sum of the drops, besides those expected. */
uint64_t all_drops(void)
{
    struct kith_vpn_counters c = kith_vpn_counters(v);
    uint64_t n = 0;

    for (size_t i = 0; i < KITH_VPN_DROPS; i++)
        n += c.dropped[i];
    return n;
}

size_t super(uint8_t *buf, size_t payload, uint16_t piece)
{
    struct a_packet p = to_bob();
    struct kith_vnet vnet = {KITH_VNET_NEEDS_CSUM, KITH_GSO_TCP4, 40, piece, 20, 16};

    p.proto = TCP;
    p.flags = ACK;
    p.payload.n = payload;
    size_t n = make_packet(&p, buf + KITH_VNET_LEN);
    kith_store_u16(buf + KITH_VNET_LEN + 36, naive_pseudo_sum(buf + KITH_VNET_LEN, n - 20));
    kith_vnet_write(&vnet, buf);
    return KITH_VNET_LEN + n;
}

/* Whatever a member sends: a run of packets, each behind two bytes of length. What reaches the
 * device parses again and has the right addresses, and every packet given is counted once. The
 * first byte chooses the configuration. */
#include <stdlib.h>

#include "fuzz/vpn_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool offload;

static size_t send_to_session(void *ctx, uint32_t member, uint8_t slot,
                              const struct kith_parts *packets, size_t n, kith_time now,
                              enum kith_vpn_sent *ret_state)
{
    (void)ctx;
    (void)member;
    (void)slot;
    (void)packets;
    (void)now;
    *ret_state = KITH_VPN_SENT;
    return n;
}

static bool write_to_device(void *ctx, const struct kith_span *parts, size_t n)
{
    static uint8_t whole[KITH_VNET_LEN + KITH_PACKET_MAX];
    struct kith_packet info;
    struct kith_ip theirs4 = kith_ip4(100, 64, 0, 2);
    struct kith_ip ours6 = {KITH_FAMILY_IP6, {0xfd, [15] = 1}};
    size_t len = 0, skip = offload ? KITH_VNET_LEN : 0;

    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        check(len + parts[i].n <= sizeof whole);
        kith_copy(whole + len, parts[i].p, parts[i].n);
        len += parts[i].n;
    }
    check(kith_packet_parse((struct kith_span){whole + skip, len - skip}, &info) == KITH_OK);
    check(info.dst.b[0] < 128 || kith_ip_equal(&info.dst, &ours6));
    check(info.src.b[0] >= 128 || kith_ip_equal(&info.src, &theirs4));
    check(!kith_ip_equal(&info.src, &ours6));
    return true;
}

/* Gives every packet of the input; returns how many there were. */
static uint64_t give_all(struct kith_vpn *v, struct kith_span in)
{
    struct kith_reader r = kith_reader_on(in);
    uint64_t given = 0;

    while (kith_reader_left(&r) > 0) {
        struct kith_span s = kith_get_bytes(&r, 2, KITH_PACKET_MAX);
        if (r.bad)
            break;
        uint8_t *exact = malloc(s.n + 1);
        check(exact != NULL);
        kith_copy(exact, s.p, s.n);
        kith_vpn_from_peer(v, 1, 0, (struct kith_span){exact, s.n}, (struct kith_marks){0},
                           KITH_SEC);
        free(exact);
        given++;
    }
    return given;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kith_random_seeded source;
    kith_random_seeded_init(&source, 1);
    struct kith_random rnd = kith_random_from_seed(&source);
    struct kith_env env = {.alloc = &kith_heap, .random = &rnd};
    struct kith_vpn *v;

    if (size == 0)
        return 0;
    struct kith_vpn_config config = {.mtu = KITH_VPN_MTU,
                                     .inbound_deny = (data[0] & 1) != 0,
                                     .offload = (data[0] & 2) != 0,
                                     .offload_udp = (data[0] & 6) == 6};
    offload = config.offload;
    check(kith_vpn_new(&config, &env, (struct kith_vpn_out){.send = send_to_session},
                       (struct kith_vpn_in){write_to_device, NULL}, &v) == KITH_OK);
    populate(v);
    uint64_t given = give_all(v, (struct kith_span){data + 1, size - 1});
    kith_vpn_flush(v);
    struct kith_vpn_counters c = kith_vpn_counters(v);
    uint64_t ended = c.received_packets;
    for (size_t i = 0; i < KITH_VPN_DROPS; i++)
        ended += c.dropped[i];
    check(ended == given);
    kith_vpn_free(v);
    return 0;
}

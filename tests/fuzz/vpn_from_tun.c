/* Whatever the device reads: a virtio-net header and a packet. Every packet that leaves is within
 * the MTU and parses again. The first byte chooses the configuration. */
#include <stdlib.h>

#include "fuzz/vpn_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t send_to_session(void *ctx, uint32_t member, uint8_t slot,
                              const struct kith_parts *packets, size_t n, kith_time now,
                              enum kith_vpn_sent *ret_state)
{
    static uint8_t whole[KITH_PACKET_MAX];
    struct kith_packet info;
    (void)ctx;
    (void)member;
    (void)slot;
    (void)now;
    for (size_t i = 0; i < n; i++) {
        size_t len = packets[i].head.n + packets[i].body.n;
        check(len <= KITH_VPN_MTU);
        kith_copy(whole, packets[i].head.p, packets[i].head.n);
        kith_copy(whole + packets[i].head.n, packets[i].body.p, packets[i].body.n);
        check(kith_packet_parse((struct kith_span){whole, len}, &info) == KITH_OK);
    }
    *ret_state = KITH_VPN_NO_SESSION;
    return n / 2; /* the others wait */
}

static bool write_to_device(void *ctx, const struct kith_span *parts, size_t n)
{
    struct kith_packet info;

    (void)ctx;
    check(kith_packet_parse(parts[n - 1], &info) == KITH_OK); /* an ICMP error */
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kith_random_seeded source;
    kith_random_seeded_init(&source, 1);
    struct kith_random rnd = kith_random_from_seed(&source);
    struct kith_env env = {.alloc = &kith_heap, .random = &rnd};
    struct kith_addr listening = {.port = 9000};
    struct kith_vpn *v;

    if (size == 0)
        return 0;
    struct kith_vpn_config config = {
        .mtu = KITH_VPN_MTU, .inbound_deny = (data[0] & 1) != 0, .offload = (data[0] & 2) != 0};
    check(kith_vpn_new(&config, &env, (struct kith_vpn_out){.send = send_to_session},
                       (struct kith_vpn_in){write_to_device, NULL}, &v) == KITH_OK);
    populate(v);
    check(kith_vpn_refuse_underlay(v, &listening, 1) == KITH_OK);
    uint8_t *exact = malloc(size);
    check(exact != NULL);
    memcpy(exact, data + 1, size - 1);
    kith_vpn_from_tun(v, exact, size - 1, KITH_SEC);
    free(exact);
    kith_vpn_session_ready(v, 1, KITH_SEC);
    kith_vpn_tick(v, 3 * KITH_SEC);
    kith_vpn_free(v);
    return 0;
}

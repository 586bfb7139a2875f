/* ctl_fake_node.h: stands for src/node at link time: answers from a table, notes what it is asked.
 */
#ifndef KITH_TESTS_UNIT_CTL_FAKE_NODE_H
#define KITH_TESTS_UNIT_CTL_FAKE_NODE_H

#include "node/node.h"

struct fake_node {
    struct kith_peer_id id;
    size_t n_networks, n_members, n_peers;
    struct kith_network_info network[3];
    struct kith_member_info member[4];
    struct kith_peer_info peer[4];
    size_t n_services;
    struct kith_service_info service[4];
    size_t n_blocked;
    struct kith_block_info blocked[3];
    size_t n_ways;
    struct kith_way_info way[5];
    struct kith_node_totals totals;
    int err; /* what the next requests say, with `why` */
    struct kith_node_why why;
    /* what was asked last */
    char name[160], network_name[64], groups[128], about[128];
    struct kith_prefix range;
    kith_wall valid;
    uint32_t uses, count;
    kith_dur interval;
    struct kith_peer_id peer_asked;
    uint64_t call, cancelled;
    uint8_t bytes[64]; /* of a backup restored */
    size_t n_bytes;
};

extern struct fake_node fake;

#endif

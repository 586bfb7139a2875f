/* paths.h: the made-up addresses that ngtcp2 sees instead of real ones.
 *
 * Every real way a connection is reached over gets a number, and ngtcp2 the IPv6 addresses
 * fd00::1:NUMBER and fd00::2:NUMBER. A number is never used twice: ngtcp2 1.22 to 1.25 leak a
 * connection id whenever a connection goes back to a path still in their history. */
#ifndef KITH_CONN_QUIC_PATHS_H
#define KITH_CONN_QUIC_PATHS_H

#include <ngtcp2/ngtcp2.h>

#include "transport/transport.h"

enum { PATHS_KEPT = 8 }; /* real ways remembered per connection; the oldest goes first */

struct made_up_path {
    uint32_t number; /* 0: free */
    uint64_t dcid;   /* accepting side: the first 8 bytes of our id the peer used over it */
    struct kith_path real;
};

struct conn_paths {
    struct made_up_path way[PATHS_KEPT];
    uint32_t last;    /* highest number given out */
    uint32_t current; /* the number that ngtcp2 sends on */
    /* accepting side: all numbers share one local address. When only the remote one changes and the
     * peer keeps using the same id of ours, a NAT has moved it, and ngtcp2 follows without spending
     * one of the peer's ids (RFC 9000 9.5); with none left it would never follow again. The price:
     * ngtcp2 1.24 ends the connection (ERR_CONNECTION_ID_LIMIT) when a migration of the peer's
     * overtakes the check of a rebinding, because it retires an id it goes on counting. */
    bool one_local;
    /* dialling side: datagrams from a new source that would be the peer after it moved */
    struct kith_path stray;
    unsigned stray_seen; /* in a row */
};

/* Storage for one ngtcp2_path. */
struct made_up_storage {
    ngtcp2_path path;
    ngtcp2_sockaddr_in6 local, remote;
};

/* A new number for real; the oldest that is not current makes room. */
uint32_t paths_add(struct conn_paths *p, const struct kith_path *real, uint64_t dcid);
/* The number for (real, dcid), or 0. */
uint32_t paths_find(const struct conn_paths *p, const struct kith_path *real, uint64_t dcid);
/* The real path of a number; the current one's when the number is forgotten. */
const struct kith_path *paths_real(const struct conn_paths *p, uint32_t number);
const struct kith_path *paths_current(const struct conn_paths *p);
/* Points `number` at another real path. */
void paths_remap(struct conn_paths *p, uint32_t number, const struct kith_path *real);
/* The peer uses this id of ours over it from now on. */
void paths_set_dcid(struct conn_paths *p, uint32_t number, uint64_t dcid);
/* ngtcp2's view of a number; s holds the memory. */
const ngtcp2_path *paths_made_up(const struct conn_paths *p, uint32_t number,
                                 struct made_up_storage *s);
/* The number in a path of ngtcp2's. */
uint32_t paths_number(const ngtcp2_path *path);

#endif

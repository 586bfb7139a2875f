/* mesh.h: what mesh.c and routes.c keep, and what the other files of this folder ask of them.
 *
 * A neighbour is a member with a direct session: flows go through it, and it is told who leads
 * where. Page: docs/modules/mesh.md. */
#ifndef KITH_NODE_MESH_H
#define KITH_NODE_MESH_H

#include "base/list.h"
#include "base/map.h"
#include "mesh/relay.h"
#include "mesh/search.h"
#include "mesh/unread.h"
#include "node/node.h"
#include "wire/control.h"

struct node_peer;
struct node_network;

/* What members are told of a network, by what pays for it. */
enum telling_kind { TELLING_ROUTES, TELLING_DIGESTS, TELLING_REQUESTS, TELLING_KINDS };

/* Of a peer, all-zero at first. */
struct peer_telling {
    kith_time paid[TELLING_KINDS];        /* what it was told is within its share from then on */
    kith_time waits_since[TELLING_KINDS]; /* something had to wait then, and never was all of it
                                             there since; 0 */
};

/* Of a peer, in the mesh. */
struct peer_mesh {
    struct kith_destination destination; /* the node itself */
    bool neighbour;
    struct kith_link link; /* node_mesh.neighbours, while it is one */
    kith_time since;       /* it is one */
    kith_time told_all_at; /* it is told all again not before then */
    uint32_t due;          /* bit per slot: it is to be told all we lead to */
    uint32_t want;         /* bit per slot: and is asked to tell all */
    uint32_t anew;         /* bit per slot: and what it was told before does not count */
    kith_time routes_paid, request_paid; /* what it may still tell and ask */
    struct kith_unread unread;           /* `routes` that it told faster than they are read */
    kith_time share_paid;                /* of its requests, passed on */
    kith_time own_paid, pass_paid;       /* requests to it: our own, and others' */
    uint32_t partial;                    /* bit per slot: it heard of more than it holds */
    kith_time search_paid;               /* path requests and answers of its */
    kith_time searched_paid;             /* path requests to it */
    uint64_t rate; /* bit/s of the link to it, as measured lately; 0: not known */
    struct peer_telling telling;
    uint8_t rate_told; /* class of it that was news last; 0: none was */
};

struct mesh_network {
    struct kith_mesh_paths *paths; /* NULL until one is told or recalled */
    kith_time tell_at;             /* when to tell what changed; KITH_NEVER: nothing did */
    bool self_news;                /* our own number is another, or the table is too small now */
    uint8_t partial;     /* in how many ways, up to 3, some destinations are in no table here */
    kith_time hunger_at; /* when all neighbours are to be asked for all; KITH_NEVER */
    kith_time seqno_at;  /* when to look who is starved; KITH_NEVER: nobody was */
};

enum { MESH_TAGS = 512, MESH_ASKED = 512 };

/* A number that the network was asked to outdo lately. */
struct mesh_asked {
    uint64_t what; /* hash of destination and number */
    kith_time at;  /* 0: free */
    uint8_t hops;  /* how far the request could go from here */
};

/* Of the numbers of statements. */
struct mesh_seqno {
    uint32_t own;            /* of our own statements: where we are */
    uint64_t tag[MESH_TAGS]; /* of requests seen lately */
    size_t n_tags;           /* ever */
    struct mesh_asked asked[MESH_ASKED];
    kith_time newer_paid; /* newer numbers that others asked us for */
};

struct node_mesh {
    struct kith_relay *relay;
    uint32_t transport; /* its index in the batch, once registered there */
    bool registered;
    bool forward;            /* members are led on to others */
    uint64_t over_rate_told; /* of relay's counter */
    struct kith_now now;     /* of this turn: a transport is not told the time */
    struct kith_destination here;
    struct mesh_seqno seqno;
    struct kith_search *search;
    size_t paths_max; /* destinations with ways, of one network */
    struct {
        uint64_t requests, answers, unasked; /* sent; sent; heard */
    } searches;
    struct kith_telling_counters telling;
    size_t held;                    /* bytes, of all neighbours' */
    kith_time held_at;              /* when to go on reading; KITH_NEVER: nothing is held */
    kith_time telling_paid;         /* the rate of its events */
    struct kith_map by_destination; /* -> node_peer */
    struct kith_link neighbours;    /* node_peer.mesh.link */
    struct mesh_network net[KITH_NODE_NETWORKS_MAX];
    kith_time tick_at;    /* when to clear the tables of what time has ended */
    kith_time improve_at; /* when to look for better ways */
    kith_time save_at;    /* when to keep what was measured */
};

/* The neighbours, one after another; NULL before the first and after the last. */
struct node_peer *mesh_next_neighbour(const struct kith_node *n, const struct node_peer *before);

/* mesh.c */
int mesh_new(struct kith_node *n, const struct kith_node_config *cfg, struct kith_now now);
void mesh_free(struct kith_node *n);
bool mesh_flow(void *ctx, struct kith_session *s, struct kith_span datagram, uint8_t ecn,
               kith_time now);
/* The session's connection in use is another, or none; `anew`: the peer forgot everything. */
void mesh_session(struct kith_node *n, struct node_peer *p, bool anew, struct kith_now now);
/* Its own, where it is reached through others. */
int mesh_destination_of(const struct kith_peer_id *peer, struct kith_destination *ret);
/* Where a peer is known under its destination, or no longer. KITH_E_NOMEM. */
int mesh_peer_add(struct kith_node *n, struct node_peer *p);
void mesh_peer_remove(struct kith_node *n, struct node_peer *p);
struct node_peer *mesh_peer(const struct kith_node *n, const struct kith_destination *to);
/* Whether others lead to it; then its address in the mesh. */
bool mesh_reaches(struct kith_node *n, const struct node_peer *p, struct kith_now now,
                  struct kith_addr *ret);
/* Over how many connections a relayed session goes; 0: nobody has told us. */
unsigned mesh_hops(const struct kith_node *n, const struct kith_session_info *info);
/* "relay via phone" or "mesh 3 hops": the way of a session that goes through others. */
void mesh_route(const struct kith_node *n, const struct kith_session_info *info, kith_wall now,
                char *buf, size_t cap);
/* Sends on what has come, and takes in what is for this node. */
void mesh_flush(struct kith_node *n, struct kith_now now);
/* The same in the middle of a turn, if much has come. */
void mesh_relieve(struct kith_node *n, struct kith_now now);
void mesh_tick(struct kith_node *n, struct kith_now now);
kith_time mesh_deadline(const struct kith_node *n);

/* routes.c */
/* It is a neighbour, and has proved to be in a network: it is told all, once. */
void routes_greet(struct kith_node *n, struct node_peer *p, struct kith_now now);
/* It is none any more. */
void routes_part(struct kith_node *n, struct node_peer *p, struct kith_now now);
/* late: it came by another connection than the one in use, perhaps after what was said since. */
void routes_heard(struct kith_node *n, struct node_peer *p, struct kith_span message, bool late,
                  struct kith_now now);
/* It no longer counts as a member of the network in this session: it leads nobody on there. */
void routes_unproved(struct kith_node *n, const struct node_network *net, struct node_peer *p,
                     struct kith_now now);
/* One is a member of the network from now on, or no more. */
void routes_member(struct kith_node *n, const struct node_network *net, struct node_peer *p,
                   bool is, struct kith_now now);
/* It is heard of the network: what it told of it is fresh. */
void routes_refresh(struct kith_node *n, const struct node_network *net, const struct node_peer *p,
                    struct kith_now now);
/* What it told and nobody has read yet is void. */
void routes_unheard(struct kith_node *n, struct node_peer *p);
/* No way leads there any more, whoever tells of one. */
void routes_blocked(struct kith_node *n, const struct kith_destination *to, struct kith_now now);
/* All neighbours are asked for all they lead to. */
void routes_ask(struct kith_node *n, struct kith_now now);
/* The table of a network, made if there is none. KITH_E_NOMEM. */
int routes_paths(struct kith_node *n, const struct node_network *net, struct kith_mesh_paths **ret);
/* This node has left the network. */
void routes_forget(struct kith_node *n, const struct node_network *net);
/* Whether it is told of the network: both have shown that they are members. */
bool routes_hears(const struct node_peer *p, const struct node_network *net);
void routes_tell_soon(struct mesh_network *m, struct kith_now now);
void routes_tick(struct kith_node *n, struct kith_now now);
kith_time routes_deadline(const struct kith_node *n);

/* What a neighbour tells of one destination; asked: it answers a path request. */
void routes_take(struct kith_node *n, struct mesh_network *m, const struct node_peer *p,
                 const struct kith_route_item *item, bool asked, struct kith_now now);
/* Others hear of members only, whoever told us what. */
bool routes_may_tell(const struct kith_node *n, const struct node_network *net,
                     const struct kith_destination *to);

#define MESH_PATHS_MAX 10000 /* destinations, unless told */

/* search.c */
/* A way to it is needed, and nobody told of one. */
void search_want(struct kith_node *n, const struct node_peer *p, struct kith_now now);
void search_request(struct kith_node *n, struct node_peer *p, struct kith_span message,
                    struct kith_now now);
void search_answer(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now);
void search_tick(struct kith_node *n, struct kith_now now);
kith_time search_deadline(const struct kith_node *n);

/* seqno.c */
#define MESH_SEQ_AHEAD 86400 /* seconds: a number further ahead of the calendar is none */
/* Our own number becomes newer than that, unless it is one that nobody would believe. */
void seqno_outdo(struct kith_node *n, struct mesh_network *m, uint32_t seq, struct kith_now now);
void seqno_request(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now);
/* Asks for newer numbers of whom ways are known that may not be told on, when it is time. */
void seqno_ask(struct kith_node *n, const struct node_network *net, struct kith_now now);

/* rates.c */
/* The class of the slowest link on a way by a neighbour (a handle) that told this of it: log2 of
 * bit/s, of those links of which it is known; 0: of none. */
uint8_t rates_of_way(const struct kith_node *n, uint32_t by, uint8_t told);
/* A neighbour is about to tell this of a destination: perhaps others are to hear of its rate. */
void rates_heard(struct kith_node *n, struct mesh_network *m, const struct node_peer *p,
                 const struct kith_route_item *item, struct kith_now now);
/* The link to a neighbour carries so many bit/s; 0: not known. */
void rates_measured(struct kith_node *n, struct node_peer *p, uint64_t rate, struct kith_now now);

/* telling.c */
/* Whether a peer may be told something of that kind now; else what was to be told waits until
 * telling_at. */
bool telling_may(struct kith_node *n, struct node_peer *p, enum telling_kind kind,
                 struct kith_now now);
kith_time telling_at(const struct node_peer *p, enum telling_kind kind);
/* It was told a message of so many bytes. */
void telling_told(struct kith_node *n, struct node_peer *p, enum telling_kind kind, size_t bytes,
                  struct kith_now now);
void telling_tick(struct kith_node *n, struct kith_now now);

/* recall.c */
#define MESH_SAVE_INTERVAL (3600 * KITH_SEC)
/* What was measured before the last stop. */
void recall_load(struct kith_node *n, const struct node_network *net, struct kith_now now);
void recall_save(struct kith_node *n, struct kith_now now);

#endif

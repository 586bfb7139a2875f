/* world.h: three whole nodes on one simulated network, for tests that tell a story with them. */
#ifndef KITH_TESTS_SIM_WORLD_H
#define KITH_TESTS_SIM_WORLD_H

#include "sim/node_peer.h"

enum { WORLD_N = 3 };

struct world {
    struct sim_net *net;
    struct node_peer_sim node[WORLD_N];
    struct node_peer_sim *all[WORLD_N];
    struct kith_network_info home;
};

extern const char *const world_name[WORLD_N]; /* laptop, desktop, phone */
extern const char *const world_addr[WORLD_N];
extern const struct kith_invite world_plain; /* one use, a day */

void world_up(struct world *w, uint64_t seed);
void world_down(struct world *w);
bool world_run(struct world *w, bool (*pred)(void *), kith_dur limit);
void world_wait(struct world *w, kith_dur d);
/* Node 0 makes the network "home", 100.80.0.0/16. */
void world_create(struct world *w);
/* Node `by` writes a ticket of KITH_TICKET_TEXT_MAX; the error. */
int world_invite(struct world *w, int by, const struct kith_invite *i, char *ticket);
/* Node `who` joins with the ticket; the error it ends with. */
int world_join(struct world *w, int who, const char *ticket);
/* `by` invites, `who` joins; both must work. */
void world_enrol(struct world *w, int by, int who);
/* Up, created, and all three in it. */
void world_three(struct world *w, uint64_t seed);
/* What `who` says of its first network. */
struct kith_network_info world_info(struct world *w, int who);
/* Whether a packet from x's TUN comes out of y's within `limit`. */
bool world_reaches(struct world *w, int x, int y, bool six, kith_dur limit);
void world_members(struct world *w, int who, size_t expected);
/* What `asked` says of a member, which must be one. */
struct kith_member_info world_member(struct world *w, int asked, const char *name);
size_t world_networks(struct world *w, int who);
/* `by` holds the root. */
void world_appoint(struct world *w, int by, const char *name);
void world_dismiss(struct world *w, int by, const char *name);
/* `who` leaves "home"; how many were told. */
size_t world_leave(struct world *w, int who);

#endif

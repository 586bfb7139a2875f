/* soak.h: one network of whole nodes that lives for days of virtual time, its machines being
 * switched off, moved, cut off, sent away and taken in again, and that must not grow by it.
 *
 *   soak.c         the machines, the links between them, rest
 *   soak_churn.c   what happens to them, and when
 *   soak_count.c   what they hold; with soak_view.c and soak_vpn.c
 *   soak_law.c     what they may hold, and what came of it
 *
 * A soak has SOAK_ROUNDS rounds of equal length. In each the same things happen equally often, at
 * other times and to others; then there is rest: all are on, linked and enrolled, and say the same
 * of the network. What is held at rest is compared between rounds. Some machines are steady: they
 * are never off nor started anew, so that what a node gathers in its memory stays to be seen. In a
 * soak shorter than certificates live, all sleep for some days between two rounds.
 * Page: docs/modules/soak.md */
#ifndef KITH_TESTS_SIM_SOAK_H
#define KITH_TESTS_SIM_SOAK_H

#include <stdio.h>

#include "lab_alloc.h"
#include "sim/node_peer.h"

enum {
    SOAK_ROUNDS = 12,
    SOAK_MACHINES_MAX = 64,
    SOAK_PLACES = 3, /* addresses a machine moves between */
    SOAK_IDENTITIES_MAX = 1024,
    SOAK_AGENDA_MAX = 4096,
    SOAK_TICKETS_MAX = 1024,
    SOAK_FAULTS_MAX = 64, /* that are told */
};
#define SOAK_HOUR (3600 * KITH_SEC)

/* What happens, X(name, what the report calls it). The first are planned, a number in each round;
 * those from `on` onwards follow from them. */
#define SOAK_KINDS(X)                                                                              \
    X(off, "switched_off")                                                                         \
    X(sleep, "put_to_sleep")                                                                       \
    X(restart, "killed_and_started")                                                               \
    X(move, "moved")                                                                               \
    X(cut, "links_cut")                                                                            \
    X(part, "partitions")                                                                          \
    X(revoke, "revoked")                                                                           \
    X(leave, "left")                                                                               \
    X(appoint, "admins_appointed")                                                                 \
    X(dismiss, "admins_dismissed")                                                                 \
    X(jump, "clocks_jumped")                                                                       \
    X(drift, "clocks_drifted")                                                                     \
    X(burst, "bursts_of_packets")                                                                  \
    X(ping, "pings")                                                                               \
    X(invite, "invitations_unused")                                                                \
    X(on, "switched_on")                                                                           \
    X(wake, "woken")                                                                               \
    X(link, "links_healed")                                                                        \
    X(unpart, "partitions_healed")                                                                 \
    X(reinstall, "set_up_anew")                                                                    \
    X(join, "joins_tried")                                                                         \
    X(joined, "joins_looked_at")                                                                   \
    X(right, "clocks_set_right")

enum soak_kind {
#define X(name, text) SOAK_##name,
    SOAK_KINDS(X)
#undef X
        SOAK_KINDS_N
};

struct soak_event {
    kith_time at;
    enum soak_kind kind;
    size_t who, whom;
    uint64_t sides; /* of a partition: a bit for each machine on the far side */
};

/* Who was ever let in. */
struct soak_identity {
    struct kith_peer_id id;
    bool revoked, left, appointed;
};

struct soak_ticket {
    kith_wall expires;
    bool given; /* to somebody who uses it */
};

/* Counts what is asked for, and what the C library's heap gives for it. */
struct soak_alloc {
    struct kith_alloc alloc;
    struct lab_alloc lab;
    size_t heap;
};

struct soak_machine {
    struct node_peer_sim sim;
    struct soak_alloc memory;
    char name[16];
    unsigned place;
    bool steady;
    bool in;             /* a member, as far as it goes by us */
    bool busy;           /* something is to follow that others must not disturb */
    bool wrong;          /* its calendar jumped */
    bool admin;          /* in office */
    size_t identity;     /* in soak.identity */
    uint64_t pages_most; /* of its store, that were in use */
    uint64_t history;    /* members gone before it was taken in, of whom it may have heard since */
    uint64_t missed;     /* revocations while it was out */
    size_t bare;         /* blocks that its identity and its store take */
    size_t dones;        /* sim.dones when it last asked to join */
    uint64_t calls;
    struct soak_ticket ticket[SOAK_TICKETS_MAX]; /* that it must still remember */
    size_t tickets;
};

/* What is counted, X(name, unit, law, what it is). Laws: FLAT, of the sums over all machines at
 * rest the least of the last rounds is not above the most of the first; LEDGER, each machine has as
 * many as what happened accounts for, hour by hour; SHOWN, only told. */
#define SOAK_SERIES(X)                                                                             \
    X(kith_bytes, "B", SHOWN, "memory of the nodes")                                               \
    X(kith_blocks, "", SHOWN, "blocks of it")                                                      \
    X(aged_bytes, "B", FLAT, "the same as rest_bytes, with connections as old as they are")        \
    X(aged_blocks, "", FLAT, "blocks of it")                                                       \
    X(rest_bytes, "B", FLAT, "memory of the nodes but for the rows of counted tables")             \
    X(rest_blocks, "", FLAT, "blocks of it")                                                       \
    X(openssl_bytes, "B", FLAT, "memory of OpenSSL")                                               \
    X(openssl_blocks, "", FLAT, "blocks of it")                                                    \
    X(sqlite_bytes, "B", SHOWN, "memory of SQLite, the pages of the stores among it")              \
    X(statements, "", LEDGER, "statements prepared")                                               \
    X(heap_bytes, "B", SHOWN, "memory of the process")                                             \
    X(other_bytes, "B", FLAT, "of that, nobody's of the above")                                    \
    X(descriptors, "", FLAT, "open files of the process")                                          \
    X(sessions, "", LEDGER, "sessions that are up")                                                \
    X(sessions_kept, "", LEDGER, "sessions, those that are down among them")                       \
    X(connections, "", LEDGER, "connections")                                                      \
    X(reachable, "", LEDGER, "members that the packet core knows")                                 \
    X(peers, "", LEDGER, "nodes known")                                                            \
    X(members, "", LEDGER, "members known")                                                        \
    X(known, "", LEDGER, "peers that objects are about")                                           \
    X(objects, "", LEDGER, "signed objects held")                                                  \
    X(certificates, "", LEDGER, "of these, certificates")                                          \
    X(revocations, "", LEDGER, "of these, revocations and leaves")                                 \
    X(offices, "", LEDGER, "of these, appointments")                                               \
    X(lists, "", LEDGER, "of these, lists of members")                                             \
    X(endpoints, "", LEDGER, "of these, where members are")                                        \
    X(pending, "", LEDGER, "objects that wait for a proof")                                        \
    X(rows_network, "", LEDGER, "rows of the store: networks")                                     \
    X(rows_object, "", LEDGER, "signed objects")                                                   \
    X(rows_ticket, "", LEDGER, "tickets")                                                          \
    X(rows_ticket_use, "", LEDGER, "uses of tickets")                                              \
    X(rows_issued, "", LEDGER, "leases")                                                           \
    X(rows_address, "", LEDGER, "addresses of peers")                                              \
    X(rows_setting, "", LEDGER, "settings")                                                        \
    X(row_bytes, "B", SHOWN, "what these rows hold")                                               \
    X(pages, "", LEDGER, "pages of the stores")                                                    \
    X(pages_used, "", LEDGER, "of these, those in use")

enum soak_series {
#define X(name, unit, law, text) SOAK_S_##name,
    SOAK_SERIES(X)
#undef X
        SOAK_SERIES_N
};

struct soak_sample {
    uint64_t v[SOAK_SERIES_N];
};

struct soak {
    uint64_t seed;
    unsigned days;
    struct sim_net *net;
    size_t n;
    struct soak_machine machine[SOAK_MACHINES_MAX];
    struct node_peer_sim *all[SOAK_MACHINES_MAX];
    struct kith_network_info home;
    bool calm;                                          /* links lose nothing */
    unsigned cut[SOAK_MACHINES_MAX][SOAK_MACHINES_MAX]; /* how many reasons there are */
    struct soak_identity identity[SOAK_IDENTITIES_MAX];
    size_t identities;
    struct soak_event agenda[SOAK_AGENDA_MAX];
    size_t n_agenda;
    uint64_t happened[SOAK_KINDS_N], skipped[SOAK_KINDS_N];
    unsigned round;
    struct soak_sample rest[SOAK_ROUNDS], most[SOAK_ROUNDS]; /* at rest; hour by hour */
    uint64_t samples;
    kith_dur slept; /* by all together */
    char fault[SOAK_FAULTS_MAX][200];
    size_t faults;
};

/* soak.c */
struct soak *soak_new(uint64_t seed, size_t nodes, unsigned days);
void soak_free(struct soak *s);
/* All rounds, one after the other. */
void soak_run(struct soak *s);
void soak_wait(struct soak *s, kith_dur d);
struct kith_now soak_now(const struct soak *s, size_t who);
uint64_t soak_below(struct soak *s, uint64_t n);
/* Machine i's node dies. What it leaves behind in memory is lost. */
void soak_kill(struct soak *s, size_t i);
/* Whether machine i runs. */
bool soak_is_on(const struct soak *s, size_t i);
bool soak_is_well(const struct soak *s, size_t i);
/* With how many it has a session that is up and owes no answer. Of one that is on. */
size_t soak_answering(const struct soak *s, size_t i);
void soak_cut(struct soak *s, size_t a, size_t b, int by);
/* Machine i's address at its place. */
const char *soak_addr(const struct soak *s, size_t i, char text[40]);
bool soak_info(const struct soak *s, size_t i, struct kith_network_info *ret);
void soak_fault(struct soak *s, const char *fmt, ...) KITH_PRINTF(2, 3);

/* soak_churn.c */
const char *soak_kind_text(enum soak_kind kind);
void soak_plan(struct soak *s, kith_dur active);
void soak_add(struct soak *s, kith_dur in, enum soak_kind kind, size_t who, size_t whom);
/* The moment of the next event. */
kith_time soak_next(const struct soak *s);
/* All that is due. */
void soak_happen(struct soak *s);
/* What ends by itself ends now. */
void soak_hasten(struct soak *s);
/* How often a planned thing happens in a round. */
size_t soak_how_often(const struct soak *s, enum soak_kind kind);
void soak_new_identity(struct soak *s, size_t who, struct kith_sign_seed *ret);
void soak_enrol(struct soak *s, size_t who);

/* All machines sleep. */
void soak_sleep(struct soak *s, kith_dur d);

/* soak_count.c */
/* Before anything else is done in the process: counts OpenSSL's and SQLite's memory, too. */
void soak_count_begin(void);
void soak_alloc_init(struct soak_alloc *a);
void soak_count(struct soak *s, struct soak_sample *ret);
/* Of machine i alone: adds to *sum. */
void soak_count_one(const struct soak *s, size_t i, struct soak_sample *sum);

/* soak_law.c */
/* Notes what a machine holds before it lets go of it. */
void soak_look(struct soak *s, size_t i);
/* Whether the tables have as many rows as what happened accounts for; at rest exactly so many. */
void soak_judge_tables(struct soak *s, bool at_rest);
void soak_judge_growth(struct soak *s);
/* One JSON object. */
void soak_report(const struct soak *s, FILE *to, double wall, double cpu);

#endif

/* Whatever happens to a network, ten minutes later its members agree on who they are, go on
 * agreeing, and have little left to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/node_peer.h"

enum { N = 4, STEPS = 25 };

struct world {
    uint64_t seed;
    struct sim_net *net;
    struct node_peer_sim node[N];
    struct node_peer_sim *all[N];
    bool gone[N];    /* revoked: it does not come back */
    bool unheard[N]; /* left while nobody could hear it */
    bool cut[N][N];
    unsigned moves;
};

static const char *const names[N] = {"laptop", "desktop", "phone", "server"};

static uint64_t below(struct world *w, uint64_t n)
{
    return kith_random_below(sim_net_random(w->net), n);
}

static struct kith_now now_of(struct world *w, size_t i)
{
    return node_sim_now(&w->node[i]);
}

static bool is_in(struct world *w, size_t i, struct kith_network_info *ret)
{
    size_t at = 0;

    return kith_node_next_network(w->node[i].node, &at, now_of(w, i).wall, ret);
}

static void join(struct world *w, size_t i)
{
    struct kith_invite plain = {.valid = 3600, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;
    size_t by = below(w, N);

    if (is_in(w, i, &net) || w->gone[i] || !is_in(w, by, &net) || !net.admin)
        return;
    if (kith_node_invite(w->node[by].node, &plain, now_of(w, by), ticket, sizeof ticket, &net,
                         &expires, &why) == KITH_OK)
        (void)!kith_node_join(w->node[i].node, ticket, NULL, 1, now_of(w, i), &why);
}

static void cut(struct world *w, size_t a, size_t b, bool off)
{
    struct sim_link l = {
        .delay = 10 * KITH_MSEC, .jitter = 5 * KITH_MSEC, .loss_ppm = 20000, .cut = off};

    if (a == b)
        return;
    w->cut[a][b] = w->cut[b][a] = off;
    sim_net_link(w->net, w->node[a].host, w->node[b].host, &l);
}

static void revoke(struct world *w, size_t i)
{
    struct kith_member_info m;
    struct kith_node_why why;
    char id[KITH_ID_TEXT];

    /* the root, and at most one of the others */
    for (size_t k = 0; k < N; k++)
        if (w->gone[k])
            return;
    kith_peer_id_text(&w->node[i].identity.id, id, sizeof id);
    if (i != 0 && kith_node_revoke(w->node[0].node, id, "home", now_of(w, 0), &m, &why) == KITH_OK)
        w->gone[i] = true;
}

static size_t members_of(struct world *w, size_t i, struct kith_member_info *list)
{
    struct kith_network_info net;
    size_t at = 0, n = 0;

    if (!is_in(w, i, &net))
        return 0;
    while (n < 2 * N &&
           kith_node_next_member(w->node[i].node, &net.id, &at, now_of(w, i).wall, &list[n]))
        n++;
    return n;
}

/* Whether somebody whom the others still hear, too, is connected to the i-th over a link that is
 * not cut: not one that was put out and does not know it yet. */
static bool is_heard(struct world *w, size_t i)
{
    struct kith_member_info list[2 * N];
    size_t n = members_of(w, i, list);

    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < N; j++)
            if (j != i && !w->gone[j] && list[k].online && !w->cut[i][j] &&
                kith_peer_id_equal(&list[k].peer, &w->node[j].identity.id))
                return true;
    return false;
}

/* One that leaves unheard takes along what it alone was told: that others had left before. */
static void lose_its_word(struct world *w, size_t i)
{
    struct kith_network_info net;

    w->unheard[i] = true;
    for (size_t k = 0; k < N; k++)
        w->unheard[k] |= !is_in(w, k, &net);
}

static void leave(struct world *w, size_t i)
{
    struct kith_node_why why;
    bool heard = is_heard(w, i);
    size_t told;

    if (kith_node_network_leave(w->node[i].node, "home", now_of(w, i), &told, &why) != KITH_OK)
        return;
    w->unheard[i] = false;
    if (!heard)
        lose_its_word(w, i);
}

static void step(struct world *w)
{
    size_t i = below(w, N), k = below(w, N);
    struct kith_member_info m;
    struct kith_node_why why;
    char text[40];

    switch (below(w, 10)) {
    case 0:
    case 1:
    case 2: join(w, i); break;
    case 3:
        if (i != 0)
            leave(w, i);
        break;
    case 4:
        if (below(w, 4) == 0)
            revoke(w, i);
        break;
    case 5:
        if (i != 0)
            (void)!kith_node_admin_add(w->node[0].node, names[i], "home", now_of(w, 0), &m, &why);
        break;
    case 6:
        node_sim_restart(&w->node[i]);
        /* until the others notice, they speak to one that has forgotten them */
        (void)node_sims_run(w->all, N, NULL, NULL, 25 * KITH_SEC);
        break;
    case 7:
        /* two who move while nobody hears them lose each other, and nothing but a new ticket
         * brings them together */
        if (!is_heard(w, i))
            break;
        kith_format(text, sizeof text, "203.0.113.%u:9000", 1 + w->moves++);
        node_sim_move(&w->node[i], text);
        break;
    default: cut(w, i, k, below(w, 2) == 0); break;
    }
    (void)node_sims_run(w->all, N, NULL, NULL, below(w, 20) * KITH_SEC);
}

static bool same_member(const struct kith_member_info *a, const struct kith_member_info *b)
{
    return kith_peer_id_equal(&a->peer, &b->peer) && kith_ip_equal(&a->ip4, &b->ip4) &&
           strcmp(a->name, b->name) == 0;
}

/* Whether the i-th counts itself in, and has a session with another that it counts in. */
static bool knows_itself_in_touch(struct world *w, size_t i, const struct kith_member_info *list,
                                  size_t n)
{
    bool in = false, touch = false;

    for (size_t k = 0; k < n; k++) {
        bool self = kith_peer_id_equal(&list[k].peer, &w->node[i].identity.id);
        in |= self;
        touch |= !self && list[k].online;
    }
    return in && touch;
}

/* Whether the i-th, where it is a member, sees what the root sees. */
static bool agrees(struct world *w, size_t i)
{
    struct kith_member_info here[2 * N], there[2 * N];
    size_t n = members_of(w, 0, there), mine = members_of(w, i, here);
    bool listed = false;

    for (size_t k = 0; k < n; k++)
        listed |= kith_peer_id_equal(&there[k].peer, &w->node[i].identity.id);
    if (w->gone[i]) /* it may have lost everybody before anybody could tell it */
        return !listed && !knows_itself_in_touch(w, i, here, mine);
    if (mine == 0) /* unheard leaves stay listed, and for a day those that gave up joining */
        return !listed || w->unheard[i] || w->node[i].last_err < 0;
    if (mine != n)
        return false;
    for (size_t k = 0; k < n; k++)
        if (!same_member(&here[k], &there[k]))
            return false;
    return true;
}

static bool all_agree(void *ctx)
{
    struct world *w = ctx;

    for (size_t i = 0; i < N; i++)
        if (!agrees(w, i))
            return false;
    return true;
}

static bool all_differ(struct world *w)
{
    struct kith_member_info list[2 * N];
    size_t n = members_of(w, 0, list);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (kith_ip_equal(&list[i].ip4, &list[k].ip4) ||
                strcmp(list[i].name, list[k].name) == 0)
                return false;
    return true;
}

/* ---- rest ---- */

enum { REST = 10 }; /* minutes */

/* What two may say in a minute, bytes on the wire. With a session: each may ask for a sign of life
 * three times (session 3.4: 20 s of silence), which comes to three datagrams of 50 bytes with
 * answer and acknowledgement; and twice in ten minutes, or thrice, each says in 32 bytes that it
 * holds the same. */
#define TOGETHER ((uint64_t)(2 * 3 * 3 * 50 + 2 * 3 * (32 + 32 + 150) / REST))
/* One who was sent away, or whose network does not know it, comes again once a minute
 * (session 3.5): two flights of a handshake of less than 10 kB each, a search for the path's MTU,
 * 10 s as a guest; and each may be asked to prove its address first (session 2.4), which costs the
 * two datagrams of its hello once more and a Retry. */
#define APART ((uint64_t)2 * 10000 + 2 * 15000 + 2 * (2 * 1200 + 200))

static bool sees(struct world *w, size_t i, size_t k, bool *ret_online)
{
    struct kith_member_info list[2 * N];
    size_t n = members_of(w, i, list);

    for (size_t m = 0; m < n; m++) {
        if (!kith_peer_id_equal(&list[m].peer, &w->node[k].identity.id))
            continue;
        *ret_online = list[m].online;
        return true;
    }
    return false;
}

static uint64_t allowed_a_minute(struct world *w)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < i; k++) {
            bool here = false, there = false;
            bool knows = sees(w, i, k, &here), known = sees(w, k, i, &there);
            bytes += !knows && !known ? 0 : here && there ? TOGETHER : APART;
        }
    }
    return bytes;
}

/* Ten minutes in which nothing happens change nothing, and are quiet. */
static bool rests(struct world *w)
{
    uint64_t before, after, most = REST * allowed_a_minute(w);

    (void)sim_net_delivered(w->net, &before);
    for (int i = 0; i < REST; i++) {
        (void)node_sims_run(w->all, N, NULL, NULL, 60 * KITH_SEC);
        if (!all_agree(w)) {
            fprintf(stderr, "they agree no longer\n");
            return false;
        }
    }
    (void)sim_net_delivered(w->net, &after);
    if (after - before > most)
        fprintf(stderr, "%llu bytes, %llu are enough\n", (unsigned long long)(after - before),
                (unsigned long long)most);
    return after - before <= most;
}

static void print_views(struct world *w)
{
    struct kith_member_info list[2 * N];

    for (size_t i = 0; i < N; i++) {
        size_t n = members_of(w, i, list);
        fprintf(stderr, "  %s sees", names[i]);
        for (size_t k = 0; k < n; k++)
            fprintf(stderr, " %s%s", list[k].name, list[k].online ? "+" : "");
        fprintf(stderr, "\n");
    }
}

static bool converges(uint64_t seed)
{
    static const char *const addrs[N] = {"192.0.2.1:9000", "192.0.2.2:9000", "192.0.2.3:9000",
                                         "192.0.2.4:9000"};
    struct world w = {.seed = seed, .net = sim_net_new(seed)};
    struct kith_network_info home;
    struct kith_prefix range;
    struct kith_node_why why;

    for (uint8_t i = 0; i < N; i++) {
        node_sim_init(&w.node[i], w.net, names[i], addrs[i], (uint8_t)(i + 1));
        w.all[i] = &w.node[i];
    }
    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(
        kith_node_network_create(w.node[0].node, "home", &range, now_of(&w, 0), &home, &why),
        KITH_OK);
    for (int i = 0; i < STEPS; i++)
        step(&w);
    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < a; b++)
            cut(&w, a, b, false);
    (void)node_sims_run(w.all, N, NULL, NULL, 60 * KITH_SEC); /* what is under way ends */
    bool good =
        node_sims_run(w.all, N, all_agree, &w, 600 * KITH_SEC) && all_differ(&w) && rests(&w);
    if (!good) {
        fprintf(stderr, "seed %llu:\n", (unsigned long long)seed);
        print_views(&w);
    }
    for (int i = 0; i < N; i++)
        node_sim_fini(&w.node[i]);
    sim_net_free(w.net);
    return good;
}

static void members_agree_ten_minutes_after_the_last_change_and_rest(void **state)
{
    const char *text = getenv("GOSSIP_SEEDS"), *first = getenv("GOSSIP_FIRST");
    uint64_t seeds = text != NULL ? strtoull(text, NULL, 10) : 100, bad = 0;
    uint64_t from = first != NULL ? strtoull(first, NULL, 10) : 1;

    (void)state;
    for (uint64_t seed = from; seed < from + seeds; seed++)
        bad += !converges(seed);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_agree_ten_minutes_after_the_last_change_and_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

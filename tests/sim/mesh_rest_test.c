/* What a mesh says when nobody wants anything of it: how much on each of its links. 24 nodes for
 * five minutes; with the model engine 50 for an hour. KITH_NODES=N: another number of nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/town.h"

#ifndef REST_NODES
#define REST_NODES 24
#define REST_MINUTES 5 /* holdings are compared that often */
#endif

static const unsigned NODES = REST_NODES;
static const int MINUTES = REST_MINUTES;
static const double MOST = 150;  /* bit/s a link, with UDP and IPv4 */
static const int KEEPALIVE = 20; /* seconds of silence before a question (session.h) */
static const int UDP_IP = 28;    /* bytes of both headers, over IPv4 */
static const int SMALLEST = 17;  /* bytes of a QUIC packet: something, and its authenticator */

static struct town t;
static size_t nodes;

static void all_are_connected(void)
{
    for (size_t i = 0; i < nodes; i++)
        assert_int_equal(town_sessions(&t, i), nodes - 1);
}

static void a_mesh_at_rest_says_little(void **state)
{
    uint64_t before, after, datagrams;
    const char *wanted = getenv("KITH_NODES");
    const double span = MINUTES * 60.0;

    (void)state;
    nodes = wanted != NULL ? strtoul(wanted, NULL, 10) : NODES;
    assert_in_range(nodes, 2, TOWN_MAX);
    const double links = (double)(nodes * (nodes - 1)) / 2;
    town_up(&t, 1, nodes);
    town_wait(&t, 300 * KITH_SEC);
    all_are_connected();
    datagrams = sim_net_delivered(t.net, &before);
    town_wait(&t, (kith_dur)MINUTES * 60 * KITH_SEC);
    datagrams = sim_net_delivered(t.net, &after) - datagrams;
    double each = (double)datagrams / links / span * KEEPALIVE;
    double payload = (double)(after - before) * 8 / span / links;
    double all = payload + (double)datagrams * UDP_IP * 8 / span / links;
    print_message(
        "  over %d minutes: %.1f bit/s a link, %.1f with UDP and IPv4, %.2f datagrams in %d s\n",
        MINUTES, payload, all, each, KEEPALIVE);
    /* Silence is broken after 20 s: a question and what answers it, or a little sooner. */
    assert_true(each >= 2 * KEEPALIVE / (KEEPALIVE + 1.0));
    assert_true(payload >= each * SMALLEST * 8 / KEEPALIVE);
    /* Both may ask, and each of the four is acknowledged at most once. */
    assert_true(each <= 8);
    assert_true(all < MOST);
    all_are_connected();
    town_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mesh_at_rest_says_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fake_node.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/ctl.h"

#define ID "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
#define ID2 "zyxwvutsrqponmlkjihgfedcba765432zyxwvutsrqponmlkjihg"
#define EXPIRES "\"expires\":\"2026-12-20T18:31:00Z\""

/* clang-format off */
#define METRIC(name, type, group, unit, labels, value, help) \
    "{\"name\":\"kith_" name "\",\"type\":\"" type "\",\"group\":\"" group "\",\"unit\":\"" unit \
    "\",\"labels\":{" labels "},\"value\":" value ",\"help\":\"" help "\"}"
static const char answer_to_metrics[] = "{\"metrics\":["
    METRIC("process_resident_memory_bytes", "gauge", "process", "bytes", "", "12345678", "memory in RAM") ","
    METRIC("process_cpu_seconds_total", "counter", "process", "seconds", "", "1.5", "processor time used") ","
    METRIC("process_open_fds", "gauge", "process", "", "", "null", "file descriptors open") ","
    METRIC("certificate_end_timestamp_seconds", "gauge", "node", "time", "", "1795199460",
           "when the first of this node's certificates ends, Unix time") ","
    METRIC("vpn_dropped_packets_total", "counter", "vpn", "", "\"reason\":\"no_route\"", "7",
           "packets that went no further, and why") ","
    METRIC("vpn_dropped_packets_total", "counter", "vpn", "", "\"reason\":\"too_big\"", "0",
           "packets that went no further, and why") "]}";
/* clang-format on */

#define WHO "{\"network\":\"home\",\"name\":\"desktop\",\"peer_id\":\"" ID2 "\"}"
#define SERVICE "{\"network\":\"home\",\"name\":\"files\",\"destination\":" \
    "\"jgcvaoz3fgo3djqygofzfdrxzy\"}"

/* clang-format off */
#define WAY(member, peer, destination, via, hops, rtt, loss, rate, age, best) \
    "{\"network\":\"home\",\"destination\":\"" destination "\",\"member\":" member ",\"peer_id\":" peer \
    ",\"via\":" via ",\"via_peer_id\":\"" ID2 "\",\"hops\":" hops ",\"rtt_ms\":" rtt ",\"loss\":" loss \
    ",\"rate_bits\":" rate ",\"age_s\":" age "," EXPIRES ",\"best\":" best "}"
#define WAY_TO_DESKTOP WAY("\"desktop\"", "\"" ID2 "\"", "jgcvaoz3fgo3djqygofzfdrxzy", \
    "\"desktop\"", "1", "0.42", "0.0", "1073741824", "2", "true")
static const char answer_to_paths[] = "{\"paths\":["
    WAY_TO_DESKTOP ","
    WAY("\"a-member-with-a-name-that-is-far-longer-than-most-names-are-0123\"", "\"" ID "\"",
        "lcncrkgrqm5sb6sqs7o2v7ccpa", "\"a-gateway-with-a-long-name\"", "2",
        "12345.6", "0.9994", "4194304", "3599", "true") ","
    WAY("\"a-member-with-a-name-that-is-far-longer-than-most-names-are-0123\"", "\"" ID "\"",
        "lcncrkgrqm5sb6sqs7o2v7ccpa", "null", "64", "null", "0.0996", "null", "180", "false") ","
    WAY("null", "null", "zzncrkgrqm5sb6sqs7o2v7ccpa", "\"desktop\"", "3", "20.5", "0.015",
        "67108864", "61", "true") "]}";
/* clang-format on */

#define DESTINATION "k4x3cvaoz3fgo3djqygofzfdrx"
#define LONG "a-member-with-a-name-that-is-far-longer-than-most-names-are-0123"
#define TARGET(name, service, address) \
    "\"destination\":\"" DESTINATION "\",\"service\":\"" service "\",\"name\":\"" name \
    "\",\"peer_id\":\"" ID2 "\",\"address\":\"" address "\""

/* By method. Of a backup it is made of the passphrase; cancel is answered by the conversation. */
static const char *const answer_to[KITH_CTL_METHODS] = {
    [KITH_CTL_version] = "{\"api\":1,\"software\":\"0.1.0\"}",
    [KITH_CTL_status] =
        "{\"peer_id\":\"" ID "\",\"version\":\"0.1.0\",\"uptime_s\":3725,\"state_dir\":"
        "\"/"
        "state\",\"listen\":[\"0.0.0.0:9000\",\"[::]:9000\"],\"networks\":[{\"name\":"
        "\"home\","
        "\"id\":\"" ID "\",\"ipv4\":\"100.71.0.1\",\"ipv6\":"
        "\"fd12:3456:789a:0:1234:5678:9abc:def0\",\"members\":2,\"standing\":\"member\"}],"
        "\"sessions\":1,\"direct\":1,\"relayed\":0,\"multi_hop\":0,\"tun\":"
        "\"kith0\",\"tun_trouble\":null,\"inbound\":\"allow\"}",
    [KITH_CTL_id] = "{\"peer_id\":\"" ID "\"}",
    [KITH_CTL_down] = "{\"uptime_s\":3725}",
    [KITH_CTL_config_show] =
        "{\"file\":\"/etc/kith/"
        "kith.toml\",\"options\":[{\"name\":\"vpn.mtu\",\"value\":1300,"
        "\"from\":\"file\",\"origin\":\"/etc/kith/kith.toml:2:7\",\"reload\":false}]}",
    [KITH_CTL_logs] = "{\"lines\":2}",
    [KITH_CTL_metrics] = answer_to_metrics,
    [KITH_CTL_network_create] =
        "{\"name\":\"home\",\"id\":\"" ID "\",\"range\":\"100.71.0.0/16\",\"ipv4\":"
        "\"100.71.0.1\",\"ipv6\":\"fd12::1\"}",
    [KITH_CTL_network_list] =
        "{\"networks\":[{\"name\":\"home\",\"id\":\"" ID "\",\"range\":\"100.71.0.0/16\",\"ipv4\":"
        "\"100.71.0.1\",\"ipv6\":\"fd12::1\",\"members\":2,\"admin\":true,\"root\":"
        "true,\"standing\":\"member\"," EXPIRES "}]}",
    [KITH_CTL_network_leave] = "{\"name\":\"home\",\"others\":1,\"told\":1}",
    [KITH_CTL_admin_add] = WHO,
    [KITH_CTL_admin_remove] = WHO,
    [KITH_CTL_revoke] = WHO,
    [KITH_CTL_network_restore] =
        "{\"name\":\"home\",\"id\":\"" ID "\",\"ipv4\":\"100.71.0.1\",\"ipv6\":\"fd12::1\"}",
    [KITH_CTL_invite] =
        "{\"ticket\":\"kith1ticketticketticket\",\"network\":\"home\",\"uses\":1," EXPIRES "}",
    [KITH_CTL_join] =
        "{\"network\":\"home\",\"id\":\"" ID "\",\"name\":\"laptop\",\"ipv4\":\"100.71.0.3\","
        "\"ipv6\":\"fd12::3\"," EXPIRES "}",
    [KITH_CTL_peer_block] = "{\"name\":\"desktop\",\"peer_id\":\"" ID2
                            "\",\"since\":\"2026-11-20T18:31:00Z\",\"changed\":true}",
    [KITH_CTL_peer_unblock] = "{\"name\":\"desktop\",\"peer_id\":\"" ID2 "\",\"changed\":false}",
    [KITH_CTL_peer_blocked] =
        "{\"blocked\":[{\"name\":"
        "\"a-member-with-a-name-that-is-far-longer-than-most-names-are-0123\",\"peer_id\":\"" ID
        "\",\"since\":\"2026-11-20T18:31:00Z\"},{\"name\":null,\"peer_id\":\"" ID2
        "\",\"since\":\"2026-11-19T18:31:00Z\"}]}",
    [KITH_CTL_members] =
        "{\"members\":[{\"network\":\"home\",\"name\":\"desktop\",\"peer_id\":\"" ID2
        "\",\"ipv4\":\"100.71.0.2\",\"ipv6\":\"fd12::2\",\"groups\":[\"ops\",\"dev\"],"
        "\"admin\":"
        "false,\"self\":false,\"connected\":true,\"blocked\":false," EXPIRES
        "},{\"network\":\"home\",\"name\":"
        "\"a-member-with-a-name-that-is-far-longer-than-most-names-are-0123\",\"peer_id\":"
        "\"" ID "\",\"ipv4\":\"100.71.0.1\",\"ipv6\":\"fd12::1\",\"groups\":[],\"admin\":"
        "true,\"self\":"
        "true,\"connected\":false,\"blocked\":false," EXPIRES "}]}",
    [KITH_CTL_services] =
        "{\"services\":[{\"network\":\"home\",\"member\":\"desktop\",\"name\":\"files\","
        "\"about\":"
        "\"photographs and films, and much else that does not fit on a line of a terminal\","
        "\"destination\":\"jgcvaoz3fgo3djqygofzfdrxzy\",\"peer_id\":\"" ID2
        "\",\"self\":false,\"connected\":true," EXPIRES
        "},{\"network\":\"home\",\"member\":\"laptop\",\"name\":\"ssh\",\"about\":\"\","
        "\"destination\":\"lcncrkgrqm5sb6sqs7o2v7ccpa\",\"peer_id\":\"" ID
        "\",\"self\":true,\"connected\":false," EXPIRES "}]}",
    [KITH_CTL_service_add] = SERVICE,
    [KITH_CTL_service_remove] = SERVICE,
    [KITH_CTL_ip] =
        "{\"network\":\"home\",\"name\":\"desktop\",\"ipv4\":\"100.71.0.2\",\"ipv6\":\"fd12:"
        ":2\"}",
    [KITH_CTL_peers] =
        "{\"peers\":[{\"name\":\"desktop\",\"peer_id\":\"" ID2 "\",\"route\":\"direct udp "
        "[2001:db8:1111:2222:3333:4444:5555:6666]:9000\",\"rtt_ms\":12.34,\"loss\":0.015,"
        "\"sent_bytes\":1234567,\"received_bytes\":999,\"since\":\"2026-11-20T18:31:00Z\","
        "\"since_s\":93784},{\"name\":null,\"peer_id\":\"" ID "\",\"route\":\"relay via "
        "gateway\",\"rtt_ms\":null,\"loss\":0.0,\"sent_bytes\":0,\"received_bytes\":12345,"
        "\"since\":\"2026-11-20T18:31:00Z\",\"since_s\":7}]}",
    [KITH_CTL_paths] = answer_to_paths,
    [KITH_CTL_ping] = "{\"name\":\"desktop\",\"address\":\"100.71.0.2\",\"sent\":2,\"received\":1,"
                      "\"loss\":0.5,"
                      "\"min_ms\":1.25,\"avg_ms\":1.25,\"max_ms\":1.25}",
    [KITH_CTL_probe] =
        "{" TARGET("desktop", "kith",
                   "100.71.0.2") ",\"sent\":3,\"received\":2,"
                                 "\"loss\":0.25,\"min_ms\":1.25,\"avg_ms\":6.5,\"max_ms\":12.1}",
};

static const char *const items_of_ping[] = {
    "{\"seq\":1,\"lost\":false,\"address\":\"100.71.0.2\",\"route\":\"direct udp 192.0.2.7:9000\","
    "\"rtt_ms\":1.25}",
    "{\"seq\":2,\"lost\":true,\"address\":\"100.71.0.2\",\"route\":null,\"rtt_ms\":null}",
    NULL,
};
/* To phone, which is reached through another first; to tablet, never otherwise. */
#define PONG(seq, route) \
    "{\"seq\":" seq ",\"lost\":false,\"address\":\"100.71.0.4\",\"route\":\"" route "\"," \
    "\"rtt_ms\":2.5}"
static const char *const items_of_ping_to_phone[] = {
    PONG("1", "relay via desktop"),
    "{\"seq\":2,\"lost\":true,\"address\":\"100.71.0.4\",\"route\":null,\"rtt_ms\":null}",
    PONG("3", "direct udp 192.0.2.9:9000"),
    PONG("4", "direct udp 192.0.2.9:9000"),
    NULL,
};
static const char *const items_of_ping_to_tablet[] = {
    PONG("1", "relay via desktop"),
    PONG("2", "mesh 3 hops"),
    NULL,
};
#define PROBE(seq, lost, route, hops, rtt, target) \
    "{\"seq\":" seq ",\"lost\":" lost ",\"route\":" route ",\"hops\":" hops ",\"rtt_ms\":" rtt \
    "," target "}"
#define DESKTOP TARGET("desktop", "kith", "100.71.0.2")
static const char *const items_of_probe[] = {
    PROBE("1", "false", "\"relay via phone\"", "2", "12.1", DESKTOP),
    PROBE("2", "true", "null", "null", "null", DESKTOP),
    PROBE("3", "false", "\"direct udp 192.0.2.7:9000\"", "1", "1.25", DESKTOP),
    NULL,
};
/* To a service of one with a long name, over a way that is as long in print. */
static const char *const items_of_probe_to_service[] = {
    PROBE("1", "false", "\"mesh via " LONG "\"", "null", "5000", TARGET(LONG, LONG, "fd12::1")),
    PROBE("100000", "false", "\"direct udp [2001:db8:1111:2222:3333:4444:5555:6666]:65535\"", "1",
          "1000", TARGET(LONG, LONG, "fd12::1")),
    NULL,
};
static const char *const items_of_probe_to_phone[] = {
    PROBE("1", "true", "null", "null", "null", TARGET("phone", "kith", "100.71.0.4")),
    NULL,
};
static const char *const items_of_logs[] = {
    "{\"time\":\"2026-11-20T18:31:00Z\",\"level\":\"info\",\"event\":\"node_ready\",\"text\":"
    "\"ready, "
    "this is abcdefgh\",\"peer\":\"" ID "\"}",
    "{\"time\":\"2026-11-20T18:31:01Z\",\"level\":\"peer\",\"event\":\"refused_alpn\",\"text\":"
    "\"refused "
    "192.0.2.9:9000: it does not speak kith/1\",\"addr\":\"192.0.2.9:9000\"}",
    NULL,
};
static const char *const items_of_join[] = {
    "{\"step\":\"dialling\",\"text\":\"dialling 192.0.2.7:9000\"}",
    NULL,
};

static struct kith_ctl ctl;
static bool ending;

static void wrong(const char *why)
{
    fprintf(stderr, "fake_node: %s\n", why);
    exit(99);
}

static void tell_items(uint64_t call_id, enum kith_ctl_method m, const char *const *items)
{
    char why[200];

    for (; *items != NULL; items++) {
        json_t *item = json_loads(*items, 0, NULL);
        if (kith_ctl_item_check(m, item, why, sizeof why) < 0)
            wrong(why);
        if (kith_ctl_notify(&ctl, call_id, item) < 0)
            wrong("the call is gone");
    }
}

/* Not encryption: what the test needs to see that file and passphrase arrive unharmed. */
static json_t *sealed_with(const char *passphrase)
{
    char sealed[200];

    (void)kith_format(
        sealed, sizeof sealed, "sealed+%s+%.*s", passphrase, 80,
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000");
    return json_pack("{s:s, s:s}", "network", "home", "sealed", sealed);
}

static int refuse_some(enum kith_ctl_method m, const json_t *params, struct kith_ctl_error *e)
{
    const char *name = kith_ctl_text(params, "name", "");
    const char *network = kith_ctl_text(params, "network", "home");
    const char *destination = kith_ctl_text(params, "destination", "");

    if (m == KITH_CTL_invite && strcmp(network, "home") != 0)
        return kith_ctl_error_set(e, KITH_E_NOTADMIN, "this node is no admin of %s", network);
    if (m == KITH_CTL_paths && strcmp(network, "home") != 0)
        return kith_ctl_error_set(e, KITH_E_NOTFOUND, "this node is in no network named %s",
                                  network);
    if (m == KITH_CTL_ping && strcmp(name, "counted") == 0)
        return kith_ctl_error_set(e, KITH_E_UNREACHABLE, "asked %llu times",
                                  (unsigned long long)kith_ctl_uint(params, "count", 5));
    if (m == KITH_CTL_probe && strcmp(destination, "counted") == 0)
        return kith_ctl_error_set(e, KITH_E_UNREACHABLE, "asked %llu times, %llu ms apart, in %s",
                                  (unsigned long long)kith_ctl_uint(params, "count", 3),
                                  (unsigned long long)kith_ctl_uint(params, "interval_ms", 1000),
                                  network);
    if (strcmp(destination, "lcncrkgrqm5sb6sqs7o2v7ccpa") == 0) {
        (void)kith_format(e->remedy, sizeof e->remedy, "look at kith services");
        return kith_ctl_error_set(e, KITH_E_NOTFOUND, "nobody has the destination %s", destination);
    }
    if (strcmp(name, "nobody") == 0 || strcmp(destination, "nobody") == 0)
        return kith_ctl_error_set(e, KITH_E_NOTFOUND, "there is no member nobody");
    if (m == KITH_CTL_network_create && strcmp(name, "root") == 0) {
        (void)kith_format(e->remedy, sizeof e->remedy, "run it as root");
        return kith_ctl_error_set(e, KITH_E_PERM, "not permitted");
    }
    if (m == KITH_CTL_network_restore && strstr(kith_ctl_text(params, "sealed", ""),
                                                kith_ctl_text(params, "passphrase", "")) == NULL)
        return kith_ctl_error_set(e, KITH_E_AUTH, "the passphrase is wrong or the backup damaged");
    return KITH_OK;
}

static const char *const *items_of_ping_to(const char *name)
{
    if (strcmp(name, "phone") == 0)
        return items_of_ping_to_phone;
    return strcmp(name, "tablet") == 0 ? items_of_ping_to_tablet : items_of_ping;
}

static const char *const *items_of_probe_to(const char *destination)
{
    if (strcmp(destination, DESTINATION) == 0)
        return items_of_probe_to_service;
    return strcmp(destination, "phone") == 0 ? items_of_probe_to_phone : items_of_probe;
}

/* The ways to one: there are some to the desktop only. */
static const char *answer_to_paths_to(const char *destination)
{
    if (destination[0] == '\0')
        return answer_to_paths;
    return strcmp(destination, "desktop") == 0 ? "{\"paths\":[" WAY_TO_DESKTOP "]}"
                                               : "{\"paths\":[]}";
}

static int call(void *ctx, uint64_t call_id, enum kith_ctl_method m, const json_t *params,
                json_t **ret_result, struct kith_ctl_error *ret_error)
{
    const char *answer = answer_to[m];
    char why[200];
    int err = refuse_some(m, params, ret_error);

    (void)ctx;
    if (err < 0)
        return err;
    if (m == KITH_CTL_logs && kith_ctl_bool(params, "follow", false)) {
        tell_items(call_id, m, items_of_logs);
        return KITH_E_AGAIN; /* until it is cancelled */
    }
    if (m == KITH_CTL_logs)
        tell_items(call_id, m, items_of_logs);
    if (m == KITH_CTL_ping)
        tell_items(call_id, m, items_of_ping_to(kith_ctl_text(params, "name", "")));
    if (m == KITH_CTL_probe)
        tell_items(call_id, m, items_of_probe_to(kith_ctl_text(params, "destination", "")));
    if (m == KITH_CTL_probe && strcmp(kith_ctl_text(params, "destination", ""), "server") == 0)
        return KITH_E_AGAIN; /* goes on until it is cancelled */
    if (m == KITH_CTL_paths)
        answer = answer_to_paths_to(kith_ctl_text(params, "destination", ""));
    if (m == KITH_CTL_join)
        tell_items(call_id, m, items_of_join);
    ending |= m == KITH_CTL_down;
    *ret_result = answer == NULL ? sealed_with(kith_ctl_text(params, "passphrase", ""))
                                 : json_loads(answer, 0, NULL);
    if (kith_ctl_result_check(m, *ret_result, why, sizeof why) < 0)
        wrong(why);
    return KITH_OK;
}

static void cancel(void *ctx, uint64_t call_id)
{
    (void)ctx, (void)call_id;
}

static int listen_on(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)kith_format(at.sun_path, sizeof at.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 8) < 0)
        wrong("cannot listen");
    return fd;
}

/* One client from its first byte to its last; the tests have one at a time. */
static void serve(int fd, enum kith_ctl_grant grant)
{
    struct kith_ctl_client *client;
    uint8_t buf[4096];
    ssize_t n;

    if (kith_ctl_open(&ctl, grant, 1000, &client) < 0)
        wrong("no client");
    while (!kith_ctl_over(client) && (n = read(fd, buf, sizeof buf)) > 0) {
        kith_ctl_feed(client, (struct kith_span){buf, (size_t)n}, 0);
        struct kith_span out = kith_ctl_output(client);
        if (send(fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n)
            break;
        kith_ctl_sent(client, out.n);
        if (ending)
            break;
    }
    kith_ctl_close(client);
    (void)close(fd);
}

int fake_node_run(const char *path, enum kith_ctl_grant grant, void (*ready)(void *ctx), void *ctx)
{
    static const struct kith_ctl_ops ops = {call, cancel};
    static const struct kith_env env = {.alloc = &kith_heap};
    int fd = listen_on(path);

    (void)alarm(120); /* outlives no test run */
    kith_ctl_init(&ctl, &env, &ops, NULL);
    if (ready != NULL)
        ready(ctx);
    while (!ending) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0)
            serve(client, grant);
    }
    (void)unlink(path);
    return KITH_OK;
}

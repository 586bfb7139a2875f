/* Commands about the node itself: down, status, id, version. */

#include "base/text.h"
#include "cmd/cmd.h"
#include "kith/version.h"
#include "loop/daemon.h"
#include "os/process.h"

int kith_cmd_down(struct kith_cmd *c)
{
    json_t *result = NULL;
    int code = kith_cmd_call_down(c, &result);

    if (code == KITH_EXIT_OK && c->json)
        return kith_cmd_json(result);
    json_decref(result);
    return code;
}

/* A network that does not count this node in is no use to it: why, and what to do. */
static void print_standing(const json_t *network)
{
    const char *name = kith_cmd_text(network, "name"), *is = kith_cmd_text(network, "standing");

    if (strcmp(is, "revoked") == 0)
        printf("\nThis node was revoked from %s. kith network leave %s forgets it.\n", name, name);
    else if (strcmp(is, "left") == 0)
        printf("\nThis node is no longer listed in %s. kith network leave %s forgets it.\n", name,
               name);
    else if (strcmp(is, "expired") == 0)
        printf("\nThis node's certificate in %s has ended: ask an admin for a new ticket,\n"
               "kith network leave %s, and join again; or is this machine's clock right?\n",
               name, name);
    else if (strcmp(is, "early") == 0)
        printf("\nThis node's certificate in %s is not valid yet: is this machine's clock right?\n",
               name);
    else if (strcmp(is, "none") == 0)
        printf(
            "\nThis node knows no certificate of its own in %s that counts (kith logs tells why):\n"
            "is this machine's clock right? Else leave and join again.\n",
            name);
}

static int print_networks(const json_t *networks)
{
    struct kith_table t = {.columns = 0};
    const json_t *n;
    size_t i;
    int err;

    if (json_array_size(networks) == 0) {
        printf(
            "networks  none (make one: kith network create NAME; or join one: kith join TICKET)\n");
        return KITH_EXIT_OK;
    }
    kith_table_column(&t, "NETWORK", KITH_CUT);
    kith_table_column(&t, "IPV4", KITH_LEFT);
    kith_table_column(&t, "IPV6", KITH_LEFT);
    kith_table_column(&t, "MEMBERS", KITH_RIGHT);
    json_array_foreach((json_t *)networks, i, n)
    {
        kith_table_cell(&t, "%s", kith_cmd_text(n, "name"));
        kith_table_cell(&t, "%s", kith_cmd_text(n, "ipv4"));
        kith_table_cell(&t, "%s", kith_cmd_text(n, "ipv6"));
        kith_table_cell(&t, "%llu", (unsigned long long)kith_cmd_number(n, "members"));
    }
    fputc('\n', stdout);
    err = kith_table_print(&t, stdout);
    kith_table_fini(&t);
    if (err < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    json_array_foreach((json_t *)networks, i, n) print_standing(n);
    return KITH_EXIT_OK;
}

void kith_cmd_print_inbound(const json_t *status)
{
    bool deny = strcmp(kith_cmd_text(status, "inbound"), "deny") == 0;

    printf("inbound   %s\n", deny ? "deny (members only answer what this machine began)"
                                  : "allow (members may connect to this machine)");
}

static void print_interface(const json_t *r)
{
    bool none = json_is_null(json_object_get(r, "tun"));

    printf("tun       %s\n", none ? "none" : kith_cmd_text(r, "tun"));
    if (!json_is_null(json_object_get(r, "tun_trouble")))
        printf("          %s\n", kith_cmd_text(r, "tun_trouble"));
    kith_cmd_print_inbound(r);
}

static unsigned long long count_of(const json_t *object, const char *name)
{
    return kith_cmd_number(object, name);
}

static void print_sessions(const json_t *r)
{
    printf("sessions  %llu (%llu direct, %llu relayed, %llu multi-hop)\n", count_of(r, "sessions"),
           count_of(r, "direct"), count_of(r, "relayed"), count_of(r, "multi_hop"));
}

int kith_cmd_status(struct kith_cmd *c)
{
    json_t *r = NULL;
    const json_t *address;
    char span[32];
    size_t i;
    int code = kith_cmd_ask(c, KITH_CTL_status, NULL, &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    printf("peer id   %s\n", kith_cmd_text(r, "peer_id"));
    printf("version   %s, up for %s\n", kith_cmd_text(r, "version"),
           kith_out_span(kith_cmd_number(r, "uptime_s"), span, sizeof span));
    printf("state     %s\n", kith_cmd_text(r, "state_dir"));
    json_array_foreach(json_object_get(r, "listen"), i, address)
        printf("%-10s%s\n", i == 0 ? "listen" : "", json_string_value(address));
    print_interface(r);
    print_sessions(r);
    code = print_networks(json_object_get(r, "networks"));
    json_decref(r);
    return code;
}

/* The identity of a state directory that no node holds. */
static int id_without_node(struct kith_cmd *c)
{
    struct kith_ctl_error error = {.err = 0};
    char state[KITH_CONF_PATH], id[53];
    int err;

    if (kith_cmd_state_dir(c->args, state, sizeof state) < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "no state directory: set HOME or give --state");
    (void)!kith_process_hide_memory(NULL); /* it reads the key */
    err = kith_daemon_identity(state, id, &error);
    if (err < 0)
        return kith_cmd_fail(kith_ctl_exit_code(err), "%s%s%s",
                             error.message[0] ? error.message : kith_err_text(err),
                             error.remedy[0] ? "\n      " : "", error.remedy);
    if (c->json)
        return kith_cmd_json(json_pack("{s:s}", "peer_id", id));
    puts(id);
    return KITH_EXIT_OK;
}

int kith_cmd_id(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code;

    if (!kith_cmd_running(c))
        return id_without_node(c);
    code = kith_cmd_ask(c, KITH_CTL_id, NULL, &r);
    if (code == KITH_EXIT_OK && r != NULL)
        puts(kith_cmd_text(r, "peer_id"));
    json_decref(r);
    return code;
}

int kith_cmd_version(struct kith_cmd *c)
{
    if (c->json)
        return kith_cmd_json(
            json_pack("{s:s, s:i}", "version", kith_version(), "api", KITH_CTL_API));
    printf("kith %s\n", kith_version());
    return KITH_EXIT_OK;
}

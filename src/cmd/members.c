/* Commands about members: invite, join, members, ip. */

#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"

enum { TICKET_MAX = 16384 }; /* methods.def */

static int add_uses(struct kith_cmd *c, json_t *params)
{
    const char *text = kith_args_value(c->args, "uses", NULL);
    uint64_t v;

    if (text == NULL)
        return KITH_EXIT_OK;
    if (kith_u64_parse(text, &v) < 0 || v > INT64_MAX)
        return kith_cmd_fail(KITH_EXIT_USAGE, "--uses must be a whole number, not \"%s\"", text);
    (void)json_object_set_new(params, "uses", json_integer((json_int_t)v));
    return kith_cmd_within(KITH_CTL_invite, "uses", v, "--uses", 0);
}

static int add_expires(struct kith_cmd *c, json_t *params)
{
    const char *text = kith_args_value(c->args, "expires", NULL);
    kith_dur d;

    if (text == NULL)
        return KITH_EXIT_OK;
    if (kith_dur_parse(text, &d) < 0)
        return kith_cmd_fail(KITH_EXIT_USAGE,
                             "--expires must be a duration, as in 90s, 15m, 24h or 30d, not \"%s\"",
                             text);
    (void)json_object_set_new(params, "expires_s", json_integer((json_int_t)(d / KITH_SEC)));
    return kith_cmd_within(KITH_CTL_invite, "expires_s", (uint64_t)(d / KITH_SEC), "--expires",
                           KITH_SEC);
}

static void add_groups(struct kith_cmd *c, json_t *params)
{
    json_t *groups = json_array();
    const char *group;
    size_t at = 0;

    while ((group = kith_args_next(c->args, "group", &at)) != NULL)
        (void)json_array_append_new(groups, json_string(group));
    (void)json_object_set_new(params, "groups", groups);
}

int kith_cmd_invite(struct kith_cmd *c)
{
    json_t *r = NULL,
           *params = json_pack("{s:s*, s:s*}", "network", kith_args_value(c->args, "network", NULL),
                               "name", kith_args_value(c->args, "name", NULL));
    int code = add_uses(c, params);

    if (code == KITH_EXIT_OK)
        code = add_expires(c, params);
    if (code != KITH_EXIT_OK) {
        json_decref(params);
        return code;
    }
    add_groups(c, params);
    code = kith_cmd_ask(c, KITH_CTL_invite, params, &r);
    if (code == KITH_EXIT_OK && r != NULL) {
        const char *ticket = kith_cmd_text(r, "ticket");
        if (!kith_args_has(c->args, "qr"))
            puts(ticket);
        else if (kith_cmd_draw_qr(ticket, stdout) < 0)
            code = kith_cmd_fail(KITH_EXIT_FAILED, "the ticket is too long for a QR code");
    }
    json_decref(r);
    return code;
}

/* The ticket without the white space around it; an exit code. */
static int read_ticket(char *buf, size_t cap)
{
    size_t n, skip;

    if (isatty(STDIN_FILENO))
        fputs("Paste the ticket, then press Enter and Ctrl-D:\n", stderr);
    n = fread(buf, 1, cap - 1, stdin);
    if (n == cap - 1)
        return kith_cmd_fail(KITH_EXIT_FAILED, "what standard input says is too long for a ticket");
    while (n > 0 && strchr(" \t\r\n", buf[n - 1]) != NULL)
        n--;
    buf[n] = '\0';
    skip = strspn(buf, " \t\r\n");
    memmove(buf, buf + skip, n - skip + 1);
    return buf[0] == '\0' ? kith_cmd_fail(KITH_EXIT_FAILED, "no ticket on standard input")
                          : KITH_EXIT_OK;
}

static bool join_step(void *ctx, const json_t *item)
{
    kith_cmd_progress(ctx, kith_cmd_text(item, "text"));
    return true;
}

static int join(struct kith_cmd *c, const char *ticket)
{
    json_t *r = NULL;
    int code = kith_cmd_call(
        c, KITH_CTL_join,
        json_pack("{s:s, s:s*}", "ticket", ticket, "name", kith_args_value(c->args, "name", NULL)),
        join_step, c, &r);

    if (code != KITH_EXIT_OK)
        return code;
    if (r == NULL)
        return kith_cmd_fail(KITH_EXIT_FAILED, "interrupted; nothing was joined");
    if (c->json)
        return kith_cmd_json(r);
    printf("joined %s as %s: %s and %s\n", kith_cmd_text(r, "network"), kith_cmd_text(r, "name"),
           kith_cmd_text(r, "ipv4"), kith_cmd_text(r, "ipv6"));
    json_decref(r);
    return code;
}

int kith_cmd_join(struct kith_cmd *c)
{
    static char ticket[TICKET_MAX + 64];
    int code = KITH_EXIT_OK;

    if (c->args->arg[0][0] == '\0')
        return kith_cmd_fail(KITH_EXIT_USAGE, "the ticket is empty");
    if (strcmp(c->args->arg[0], "-") != 0)
        return join(c, c->args->arg[0]);
    code = read_ticket(ticket, sizeof ticket);
    if (code == KITH_EXIT_OK)
        code = join(c, ticket);
    explicit_bzero(ticket, sizeof ticket);
    return code;
}

/* "ops,dev", or "-". */
static const char *groups_text(const json_t *member, char *buf, size_t cap)
{
    const json_t *group;
    size_t i, n = 0;

    (void)kith_format(buf, cap, "-");
    json_array_foreach(json_object_get(member, "groups"), i, group)
    {
        (void)kith_format(buf + n, cap - n, "%s%s", n == 0 ? "" : ",", json_string_value(group));
        n += strlen(buf + n);
    }
    return buf;
}

static void member_row(struct kith_table *t, const json_t *m)
{
    char groups[256];

    kith_table_cell(t, "%s", kith_cmd_text(m, "network"));
    kith_table_cell(t, "%s", kith_cmd_text(m, "name"));
    kith_table_cell(t, "%s", kith_cmd_text(m, "ipv4"));
    kith_table_cell(t, "%.8s", kith_cmd_text(m, "peer_id"));
    kith_table_cell(t, "%s", json_is_true(json_object_get(m, "admin")) ? "admin" : "member");
    kith_table_cell(t, "%s", groups_text(m, groups, sizeof groups));
    kith_table_cell(t, "%s",
                    json_is_true(json_object_get(m, "self"))        ? "this node"
                    : json_is_true(json_object_get(m, "blocked"))   ? "blocked"
                    : json_is_true(json_object_get(m, "connected")) ? "connected"
                                                                    : "-");
}

int kith_cmd_members(struct kith_cmd *c)
{
    struct kith_table t = {.columns = 0};
    json_t *r = NULL, *m;
    size_t i;
    int code =
        kith_cmd_ask(c, KITH_CTL_members,
                     json_pack("{s:s*}", "network", kith_args_value(c->args, "network", NULL)), &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    kith_table_column(&t, "NETWORK", KITH_CUT);
    kith_table_column(&t, "NAME", KITH_CUT);
    kith_table_column(&t, "IPV4", KITH_LEFT);
    kith_table_column(&t, "ID", KITH_LEFT);
    kith_table_column(&t, "ROLE", KITH_LEFT);
    kith_table_column(&t, "GROUPS", KITH_CUT);
    kith_table_column(&t, "STATE", KITH_LEFT);
    json_array_foreach(json_object_get(r, "members"), i, m) member_row(&t, m);
    if (kith_table_print(&t, stdout) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    kith_table_fini(&t);
    json_decref(r);
    return code;
}

int kith_cmd_ip(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code;

    if (kith_args_has(c->args, "ipv4") && kith_args_has(c->args, "ipv6"))
        return kith_cmd_fail(KITH_EXIT_USAGE, "-4 and -6 exclude each other");
    code = kith_cmd_ask(c, KITH_CTL_ip,
                        json_pack("{s:s, s:s*}", "name", c->args->arg[0], "network",
                                  kith_args_value(c->args, "network", NULL)),
                        &r);
    if (code == KITH_EXIT_OK && r != NULL)
        puts(kith_cmd_text(r, kith_args_has(c->args, "ipv6") ? "ipv6" : "ipv4"));
    json_decref(r);
    return code;
}

int kith_cmd_names(struct kith_cmd *c)
{
    bool members = strcmp(c->args->arg[0], "members") == 0;
    json_t *r = NULL, *item;
    size_t i;
    int code;

    if (!members && strcmp(c->args->arg[0], "networks") != 0)
        return kith_cmd_fail(KITH_EXIT_USAGE, "names of what? members or networks");
    code = kith_cmd_ask(c, members ? KITH_CTL_members : KITH_CTL_network_list, NULL, &r);
    if (r != NULL)
        json_array_foreach(json_object_get(r, members ? "members" : "networks"), i, item)
            puts(kith_cmd_text(item, "name"));
    json_decref(r);
    return code;
}

/* Two nodes in one program: one makes a network and invites, the other joins; then one pings the
 * other. Needs no privileges: neither has a tunnel interface.
 *
 *     cc two_nodes.c $(pkg-config --cflags --libs libkith) -o two_nodes && ./two_nodes DIRECTORY */

#include <stdio.h>
#include <string.h>

#include <kith/kith.h>

/* On loopback and a port that the system chooses, so that two don't get into each other's way. */
static const char config[] = "[net]\n"
                             "listen = [\"127.0.0.1:9000\"]\n"
                             "[vpn]\n"
                             "enabled = false\n";

static int complain(const struct kith_error *e)
{
    fprintf(stderr, "%s: %s%s%s\n", e->name, e->message, e->remedy[0] ? "\n  " : "", e->remedy);
    return e->exit;
}

/* Opens the node that has its state in DIRECTORY/name. */
static int open_node(const char *directory, const char *name, struct kith **ret,
                     struct kith_error *e)
{
    char state_dir[4096];
    const struct kith_open_options options = {
        .state_dir = state_dir, .config = config, .any_port = true};

    snprintf(state_dir, sizeof state_dir, "%s/%s", directory, name);
    return kith_open(&options, ret, e);
}

/* Results are JSON; a program would use its JSON library. The ticket is letters and digits. */
static int ticket_of(const struct kith_reply *invited, char *params, size_t size)
{
    static const char key[] = "\"ticket\":\"";
    const char *at = strstr(invited->json, key);

    if (at == NULL)
        return -1;
    at += strlen(key);
    return snprintf(params, size, "{\"ticket\":\"%.*s\"}", (int)strcspn(at, "\""), at);
}

static bool print_reply(void *ctx, const char *item_json, size_t length)
{
    (void)ctx;
    printf("  %.*s\n", (int)length, item_json);
    return true; /* false would cancel the ping */
}

static int meet(struct kith *desktop, struct kith *laptop, struct kith_error *e)
{
    struct kith_reply invited = {0}, joined = {0};
    char params[20000];
    int err = kith_call(desktop, "network.create", "{\"name\":\"home\"}", NULL, e);

    if (err == 0)
        err = kith_call(desktop, "invite", "{\"name\":\"laptop\"}", &invited, e);
    if (err == 0 && ticket_of(&invited, params, sizeof params) > 0)
        err = kith_call(laptop, "join", params, &joined, e);
    if (err == 0)
        printf("joined: %s\n", joined.json);
    if (err == 0)
        err = kith_call_items(desktop, "ping",
                              "{\"name\":\"laptop\",\"count\":3,\"interval_ms\":100}", print_reply,
                              NULL, NULL, e);
    kith_reply_free(&invited); /* empty ones are fine */
    kith_reply_free(&joined);
    return err;
}

int main(int argc, char **argv)
{
    struct kith *desktop = NULL, *laptop = NULL;
    struct kith_error error;
    int failed;

    if (argc != 2) {
        fprintf(stderr, "usage: two_nodes DIRECTORY\n");
        return 2;
    }
    failed = open_node(argv[1], "desktop", &desktop, &error) < 0 ||
             open_node(argv[1], "laptop", &laptop, &error) < 0 || meet(desktop, laptop, &error) < 0;
    kith_close(laptop); /* NULL is fine */
    kith_close(desktop);
    return failed ? complain(&error) : 0;
}

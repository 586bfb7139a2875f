/* kith logs: the node's events, one a line. */

#include <stdlib.h>

#include "base/text.h"
#include "cmd/cmd.h"

/* The colour of a level on a terminal: bug and host in red, unusual peers in yellow. */
static const char *colour_of(const char *level)
{
    if (strcmp(level, "bug") == 0 || strcmp(level, "host") == 0)
        return "\033[31m";
    if (strcmp(level, "peer") == 0)
        return "\033[33m";
    return strcmp(level, "debug") == 0 ? "\033[2m" : "";
}

static bool print_event(void *ctx, const json_t *item)
{
    struct kith_cmd *c = ctx;
    const char *level = kith_cmd_text(item, "level");
    const char *colour = c->colour ? colour_of(level) : "";

    if (c->json)
        return kith_cmd_json(json_incref((json_t *)item)) == KITH_EXIT_OK;
    printf("%s  %s%-5s%s  %s\n", kith_cmd_text(item, "time"), colour, level,
           colour[0] == '\0' ? "" : "\033[0m", kith_cmd_text(item, "text"));
    return fflush(stdout) == 0;
}

int kith_cmd_logs(struct kith_cmd *c)
{
    const char *lines = kith_args_value(c->args, "lines", NULL);
    json_t *r = NULL,
           *params = json_pack("{s:b, s:s*}", "follow", kith_args_has(c->args, "follow") ? 1 : 0,
                               "level", kith_args_value(c->args, "level", NULL));
    enum kith_level level;
    uint64_t n;
    int code = KITH_EXIT_OK;

    if (kith_level_parse(kith_args_value(c->args, "level", "info"), &level) < 0)
        code = kith_cmd_fail(KITH_EXIT_USAGE, "--level must be bug, host, peer, info or debug");
    else if (lines != NULL && (kith_u64_parse(lines, &n) < 0 || n > INT32_MAX))
        code = kith_cmd_fail(KITH_EXIT_USAGE, "-n must be a whole number, not \"%s\"", lines);
    else if (lines != NULL) {
        (void)json_object_set_new(params, "lines", json_integer((json_int_t)n));
        code = kith_cmd_within(KITH_CTL_logs, "lines", n, "-n", 0);
    }
    if (code != KITH_EXIT_OK) {
        json_decref(params);
        return code;
    }
    code = kith_cmd_call(c, KITH_CTL_logs, params, print_event, c, &r);
    json_decref(r);
    return code;
}

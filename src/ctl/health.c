#include "ctl/health.h"

#include "base/text.h"

static const struct {
    const char *code, *text;
    enum kith_health_status status;
} reasons[KITH_HEALTH_REASONS] = {
#define X(code, status, text) [KITH_HEALTH_##code] = {#code, text, KITH_##status},
    KITH_HEALTH_TABLE(X)
#undef X
};

const char *kith_health_code(enum kith_health_reason r)
{
    return reasons[r].code;
}

const char *kith_health_status_text(enum kith_health_status s)
{
    switch (s) {
    case KITH_HEALTHY: return "healthy";
    case KITH_DEGRADED: return "degraded";
    case KITH_UNHEALTHY: return "unhealthy";
    }
    return "unhealthy";
}

/* Who renews later than a day before the end is not told before half of that time is over. */
static kith_wall ending_from(const struct kith_health_facts *f)
{
    kith_wall half = f->renew_before / 2;
    return half < KITH_HEALTH_ENDING ? half : KITH_HEALTH_ENDING;
}

static bool ends_soon(const struct kith_health_facts *f, kith_wall now)
{
    return f->certificate_end > now && f->certificate_end - now <= ending_from(f);
}

static bool alone(const struct kith_health_facts *f, kith_time now)
{
    return f->members > 0 && f->members_connected == 0 && f->alone_since != 0 &&
           kith_since(now, f->alone_since) > KITH_HEALTH_ALONE;
}

struct kith_health kith_health_judge(const struct kith_health_facts *f, struct kith_now now)
{
    struct kith_health h = {
        .because =
            {
                [KITH_HEALTH_tun_missing] = f->tun_wanted && !f->tun_there,
                [KITH_HEALTH_socket_dead] = f->sockets_dead > 0 && f->sockets_dead < f->sockets,
                [KITH_HEALTH_certificate_ending] = ends_soon(f, now.wall),
                [KITH_HEALTH_certificate_ended] = f->networks_expired > 0,
                [KITH_HEALTH_membership_lost] = f->networks_lapsed > f->networks_expired,
                [KITH_HEALTH_alone] = alone(f, now.mono),
                [KITH_HEALTH_store_failing] =
                    f->store_failing < 0 && f->store_failing != KITH_E_CORRUPT,
                [KITH_HEALTH_sockets_dead] = f->sockets_dead > 0 && f->sockets_dead >= f->sockets,
                [KITH_HEALTH_store_unusable] = f->store_failing == KITH_E_CORRUPT,
                [KITH_HEALTH_stopping] = f->stopping,
            },
    };

    for (size_t i = 0; i < KITH_HEALTH_REASONS; i++)
        if (h.because[i] && reasons[i].status > h.status)
            h.status = reasons[i].status;
    return h;
}

/* Nothing in the table needs escaping. */
int kith_health_text(const struct kith_health *h, struct kith_buf *out)
{
    char text[256];
    bool first = true;
    int err;

    (void)kith_format(text, sizeof text, "{\"status\":\"%s\",\"reasons\":[",
                      kith_health_status_text(h->status));
    err = kith_buf_add(out, kith_span_text(text));
    for (size_t i = 0; err == KITH_OK && i < KITH_HEALTH_REASONS; i++) {
        if (!h->because[i])
            continue;
        (void)kith_format(text, sizeof text, "%s{\"code\":\"%s\",\"text\":\"%s\"}",
                          first ? "" : ",", reasons[i].code, reasons[i].text);
        err = kith_buf_add(out, kith_span_text(text));
        first = false;
    }
    return err < 0 ? err : kith_buf_add(out, kith_span_text("]}\n"));
}

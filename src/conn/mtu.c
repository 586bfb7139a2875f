#include "conn/mtu.h"

/* Sizes that are sought, in this order: IPv6 over Ethernet and IPv4 over it; below, tunnels, DSL.
 */
static const uint16_t sizes[] = {1252, 1352, 1412, 1432, 1452, 1472};

static void forget_doubt(struct kith_mtu *m)
{
    m->doubted = 0;
    m->doubt_size = 0;
}

void kith_mtu_moved(struct kith_mtu *m)
{
    *m = (struct kith_mtu){.path = (uint8_t)(m->path + 1),
                           .test = m->test + 1,
                           .large = m->large,
                           .rtt = m->rtt,
                           .holes = m->holes};
}

size_t kith_mtu_size(const struct kith_mtu *m, size_t found)
{
    return m->cap != 0 && m->cap < found ? m->cap : found;
}

size_t kith_mtu_safe_size(const struct kith_mtu *m, size_t found)
{
    return kith_mtu_size(m, m->state == KITH_MTU_TESTING ? KITH_MTU_BASE : found);
}

/* ---- states ---- */

static void try_size(struct kith_mtu *m, enum kith_mtu_state state, size_t size, kith_time now)
{
    m->state = state;
    m->trial = size;
    m->tries = m->small = 0;
    m->small_next = false;
    m->probe_at = now;
    m->test++;
}

static void rest(struct kith_mtu *m)
{
    m->state = KITH_MTU_RESTING;
    forget_doubt(m);
}

static void end_seeking(struct kith_mtu *m, kith_time now)
{
    m->ceiling = 0;
    m->pressed = false;
    m->raise_at = kith_after(now, KITH_MTU_RAISE);
    rest(m);
}

/* The next size above the cap that is not refuted; 0: there is none. */
static size_t next_size(const struct kith_mtu *m, size_t found)
{
    size_t size = found;

    for (size_t i = KITH_COUNT(sizes); i-- > 0;)
        if (sizes[i] > m->cap && sizes[i] < size)
            size = sizes[i];
    return size > m->cap && (m->ceiling == 0 || size < m->ceiling) ? size : 0;
}

static void seek(struct kith_mtu *m, size_t found, kith_time now)
{
    size_t size = next_size(m, found);

    if (m->cap >= found)
        m->cap = 0; /* all that QUIC found: nothing of ours is needed */
    if (size == 0)
        end_seeking(m, now);
    else
        try_size(m, KITH_MTU_SEEKING, size, now);
}

/* ---- what was sent, what arrived ---- */

struct kith_mtu_mark kith_mtu_mark(const struct kith_mtu *m, size_t size)
{
    return (struct kith_mtu_mark){.size = (uint16_t)(size < UINT16_MAX ? size : UINT16_MAX),
                                  .path = m->path,
                                  .count = m->large + 1};
}

void kith_mtu_sent(struct kith_mtu *m, size_t size, kith_time now)
{
    m->pressed |= size >= KITH_MTU_PRESSED;
    if (size <= KITH_MTU_BASE)
        return;
    m->large++;
    if (m->doubted == 0)
        m->doubt_at = now;
    if (m->doubted < KITH_MTU_DOUBTED)
        m->doubted++;
    if (size > m->doubt_size)
        m->doubt_size = size;
}

/* Of those sent after one that arrived nothing is known: that they are not answered either may be
 * news, where nothing more is sent. */
static void end_doubt(struct kith_mtu *m, uint32_t count, kith_time now)
{
    const uint32_t after = m->large - count;

    if (after == 0)
        forget_doubt(m);
    else if (after < m->doubted)
        m->doubted = after;
    m->doubt_at = now;
}

static void large_arrived(struct kith_mtu *m, size_t size, uint32_t count, kith_time now)
{
    if (m->state == KITH_MTU_TESTING && size >= m->trial)
        rest(m);
    else if (size >= m->doubt_size)
        end_doubt(m, count, now);
}

static void fall(struct kith_mtu *m, kith_time now)
{
    m->holes++;
    m->cap = KITH_MTU_BASE;
    m->ceiling = m->trial;
    try_size(m, KITH_MTU_SEEKING, 0, now); /* kith_mtu_probe chooses */
    forget_doubt(m);
}

static void probe_arrived(struct kith_mtu *m, size_t size, kith_time now)
{
    switch (m->state) {
    case KITH_MTU_RESTING: return;
    case KITH_MTU_TESTING:
        if (size > KITH_MTU_BASE)
            large_arrived(m, size, m->large, now);
        else if (++m->small >= KITH_MTU_SMALL)
            fall(m, now);
        return;
    case KITH_MTU_SEEKING:
        m->cap = m->trial;
        try_size(m, KITH_MTU_SEEKING, 0, now);
        return;
    }
}

void kith_mtu_acked(struct kith_mtu *m, struct kith_mtu_mark mark, kith_time now)
{
    if (mark.path != m->path)
        return;
    if (mark.probe && mark.count == m->test)
        probe_arrived(m, mark.size, now);
    else if (!mark.probe && mark.size > KITH_MTU_BASE)
        large_arrived(m, mark.size, mark.count, now);
}

/* ---- probes ---- */

static kith_time doubt_until(const struct kith_mtu *m)
{
    return kith_after(m->doubt_at, KITH_MTU_DOUBT + 2 * m->rtt);
}

static bool doubts(const struct kith_mtu *m)
{
    return m->state == KITH_MTU_RESTING && m->doubted >= KITH_MTU_DOUBTED;
}

static bool wants_larger(const struct kith_mtu *m)
{
    return m->state == KITH_MTU_RESTING && m->cap != 0 && m->pressed;
}

static void begin(struct kith_mtu *m, size_t found, kith_time now)
{
    if (doubts(m) && now >= doubt_until(m)) {
        const size_t size = m->doubt_size < found ? m->doubt_size : found;
        if (size > KITH_MTU_BASE)
            try_size(m, KITH_MTU_TESTING, size, now);
        else
            forget_doubt(m);
    } else if (wants_larger(m) && now >= m->raise_at) {
        seek(m, found, now);
    }
}

/* Whether all probes of this size have left, and had their time. */
static bool is_spent(const struct kith_mtu *m, kith_time now)
{
    return now >= m->probe_at && !m->small_next &&
           m->tries == (m->state == KITH_MTU_TESTING ? KITH_MTU_ROUNDS : KITH_MTU_TRIES);
}

static void advance(struct kith_mtu *m, size_t found, kith_time now)
{
    switch (m->state) {
    case KITH_MTU_RESTING: begin(m, found, now); return;
    case KITH_MTU_TESTING:
        if (is_spent(m, now))
            rest(m);
        return;
    case KITH_MTU_SEEKING:
        if (m->trial == 0)
            seek(m, found, now);
        else if (is_spent(m, now))
            end_seeking(m, now);
        return;
    }
}

bool kith_mtu_probe(struct kith_mtu *m, size_t found, kith_dur rtt, kith_time now,
                    struct kith_mtu_mark *ret)
{
    m->rtt = rtt;
    advance(m, found, now);
    if (m->state == KITH_MTU_RESTING || now < m->probe_at)
        return false;
    *ret = kith_mtu_mark(m, m->small_next ? KITH_MTU_BASE : m->trial);
    ret->probe = true;
    ret->count = m->test;
    return true;
}

static kith_dur pause(const struct kith_mtu *m)
{
    if (m->state == KITH_MTU_SEEKING)
        return KITH_MTU_TRY_EVERY + 2 * m->rtt;
    return m->rtt / 4 > KITH_MTU_TEST_EVERY ? m->rtt / 4 : KITH_MTU_TEST_EVERY;
}

void kith_mtu_probed(struct kith_mtu *m, struct kith_mtu_mark mark, kith_time now)
{
    if (mark.count != m->test)
        return;
    m->tries += mark.size > KITH_MTU_BASE;
    m->small_next = m->state == KITH_MTU_TESTING && !m->small_next;
    if (!m->small_next) /* of a pair the second follows at once */
        m->probe_at = kith_after(now, pause(m));
}

kith_time kith_mtu_deadline(const struct kith_mtu *m)
{
    if (m->state != KITH_MTU_RESTING)
        return m->probe_at;
    return kith_sooner(doubts(m) ? doubt_until(m) : KITH_NEVER,
                       wants_larger(m) ? m->raise_at : KITH_NEVER);
}

/* ---- marks as numbers ---- */

uint64_t kith_mtu_pack(struct kith_mtu_mark mark)
{
    return (uint64_t)mark.count << 32 | (uint64_t)mark.path << 24 | (uint64_t)mark.probe << 16 |
           mark.size;
}

struct kith_mtu_mark kith_mtu_unpack(uint64_t n)
{
    return (struct kith_mtu_mark){.size = (uint16_t)n,
                                  .probe = (n >> 16 & 1) != 0,
                                  .path = (uint8_t)(n >> 24),
                                  .count = (uint32_t)(n >> 32)};
}

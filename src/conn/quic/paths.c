#include "conn/quic/paths.h"

static struct made_up_path *way_of(struct conn_paths *p, uint32_t number)
{
    for (size_t i = 0; i < PATHS_KEPT; i++)
        if (p->way[i].number == number && number != 0)
            return &p->way[i];
    return NULL;
}

uint32_t paths_add(struct conn_paths *p, const struct kith_path *real, uint64_t dcid)
{
    struct made_up_path *slot = NULL;

    for (size_t i = 0; i < PATHS_KEPT; i++) {
        struct made_up_path *w = &p->way[i];
        if (w->number == p->current && w->number != 0)
            continue;
        if (slot == NULL || w->number < slot->number)
            slot = w;
    }
    *slot = (struct made_up_path){.number = ++p->last, .dcid = dcid, .real = *real};
    return slot->number;
}

uint32_t paths_find(const struct conn_paths *p, const struct kith_path *real, uint64_t dcid)
{
    for (size_t i = 0; i < PATHS_KEPT; i++)
        if (p->way[i].number != 0 && p->way[i].dcid == dcid &&
            kith_path_equal(&p->way[i].real, real))
            return p->way[i].number;
    return 0;
}

const struct kith_path *paths_current(const struct conn_paths *p)
{
    for (size_t i = 0; i < PATHS_KEPT; i++)
        if (p->way[i].number == p->current)
            return &p->way[i].real;
    return &p->way[0].real;
}

const struct kith_path *paths_real(const struct conn_paths *p, uint32_t number)
{
    for (size_t i = 0; i < PATHS_KEPT; i++)
        if (p->way[i].number == number && number != 0)
            return &p->way[i].real;
    return paths_current(p);
}

void paths_remap(struct conn_paths *p, uint32_t number, const struct kith_path *real)
{
    struct made_up_path *w = way_of(p, number);

    if (w != NULL)
        w->real = *real;
}

void paths_set_dcid(struct conn_paths *p, uint32_t number, uint64_t dcid)
{
    struct made_up_path *w = way_of(p, number);

    if (w != NULL)
        w->dcid = dcid;
}

/* fd00::END:NUMBER, port 1; the layout is ours alone, nothing routes by it */
static void make_up(ngtcp2_sockaddr_in6 *sa, uint8_t end, uint32_t number)
{
    memset(sa, 0, sizeof *sa);
    sa->sin6_family = AF_INET6;
    sa->sin6_port = htons(1);
    uint8_t *b = (uint8_t *)&sa->sin6_addr;
    b[0] = 0xfd;
    b[11] = end;
    for (int i = 0; i < 4; i++)
        b[12 + i] = (uint8_t)(number >> (24 - 8 * i));
}

const ngtcp2_path *paths_made_up(const struct conn_paths *p, uint32_t number,
                                 struct made_up_storage *s)
{
    make_up(&s->local, 1, p->one_local ? 0 : number);
    make_up(&s->remote, 2, number);
    s->path = (ngtcp2_path){
        .local = {.addr = (ngtcp2_sockaddr *)&s->local, .addrlen = sizeof s->local},
        .remote = {.addr = (ngtcp2_sockaddr *)&s->remote, .addrlen = sizeof s->remote},
    };
    return &s->path;
}

uint32_t paths_number(const ngtcp2_path *path)
{
    ngtcp2_sockaddr_in6 sa;
    uint32_t number = 0;

    if (path->remote.addrlen != sizeof sa)
        return 0;
    memcpy(&sa, path->remote.addr, sizeof sa);
    const uint8_t *b = (const uint8_t *)&sa.sin6_addr;
    for (int i = 0; i < 4; i++)
        number = number << 8 | b[12 + i];
    return number;
}

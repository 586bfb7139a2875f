#include "transport/udp/sockaddr.h"

#include <arpa/inet.h>

socklen_t kith_sockaddr_of(const struct kith_addr *a, union kith_sockaddr *ret)
{
    switch ((enum kith_family)a->ip.family) {
    case KITH_FAMILY_NONE:
    case KITH_FAMILY_MESH: return 0;
    case KITH_FAMILY_IP4:
        ret->in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&ret->in4.sin_addr, a->ip.b, 4);
        return sizeof ret->in4;
    case KITH_FAMILY_IP6:
        ret->in6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
        memcpy(&ret->in6.sin6_addr, a->ip.b, 16);
        return sizeof ret->in6;
    }
    return 0;
}

struct kith_addr kith_addr_of_in4(struct in_addr in)
{
    return (struct kith_addr){.ip = kith_ip_from(KITH_SPAN_OF(in.s_addr))};
}

struct kith_addr kith_addr_of_in6(const struct in6_addr *in, uint32_t scope)
{
    struct kith_addr a = {.ip = kith_ip_from(KITH_SPAN_OF(in->s6_addr))};

    if (a.ip.family == KITH_FAMILY_IP6 && kith_ip_is_link_local(&a.ip))
        a.scope = scope;
    return a;
}

struct kith_addr kith_sockaddr_addr(const union kith_sockaddr *sa)
{
    struct kith_addr a = {0};

    if (sa->any.sa_family == AF_INET) {
        a = kith_addr_of_in4(sa->in4.sin_addr);
        a.port = ntohs(sa->in4.sin_port);
    } else if (sa->any.sa_family == AF_INET6) {
        a = kith_addr_of_in6(&sa->in6.sin6_addr, sa->in6.sin6_scope_id);
        a.port = ntohs(sa->in6.sin6_port);
    }
    return a;
}

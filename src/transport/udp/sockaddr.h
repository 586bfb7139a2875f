/* sockaddr.h: kith_addr to and from the kernel's socket addresses.
 *
 * This is the border at which an address is normalised: what comes in as IPv4 mapped into IPv6
 * leaves as IPv4, and a scope stays only where it means something (link-local IPv6). */
#ifndef KITH_TRANSPORT_UDP_SOCKADDR_H
#define KITH_TRANSPORT_UDP_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

union kith_sockaddr {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

/* Writes *ret and returns its length; 0, and *ret untouched, when a has no family. */
socklen_t kith_sockaddr_of(const struct kith_addr *a, union kith_sockaddr *ret);
/* The address in sa; its ip is none for a family that is not IP. */
struct kith_addr kith_sockaddr_addr(const union kith_sockaddr *sa);
/* An address without its port from a header: scope is kept for link-local IPv6 only. */
struct kith_addr kith_addr_of_in4(struct in_addr in);
struct kith_addr kith_addr_of_in6(const struct in6_addr *in, uint32_t scope);

#endif

/* The fence around the kernel: confine_calls.def as a filter of seccomp(2), written by libseccomp,
 * which knows every platform's numbers and orders of arguments. */
#include "os/linux/confine.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL UINT32_MAX /* of an argument's bits: the kernel takes these as 32-bit numbers */
/* New namespaces. */
#define CLONE_NEW                                                                                  \
    (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER |  \
     CLONE_NEWUTS)
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* Linux 5.17 */
#endif
#define OURSELVES (unsigned)getpid()

struct rule {
    uint32_t action;
    int call;
    bool conditional;
    struct scmp_arg_cmp condition;
};

/* A call that this platform does not have is no mistake. */
static int add(scmp_filter_ctx filter, const struct rule *r)
{
    int rc = seccomp_rule_add_array(filter, r->action, r->call, r->conditional, &r->condition);

    return rc == -EDOM ? 0 : rc;
}

static int add_table(scmp_filter_ctx filter)
{
#define CONDITION(n, bits, is) {.arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (bits), .datum_b = (is)}
#define ALLOW(name) {.action = SCMP_ACT_ALLOW, .call = SCMP_SYS(name)},
#define ALLOW_IF(name, n, bits, is)                                                                \
    {SCMP_ACT_ALLOW, SCMP_SYS(name), true, CONDITION(n, bits, is)},
#define ABSENT(name) {.action = SCMP_ACT_ERRNO(ENOSYS), .call = SCMP_SYS(name)},
#define KILL(name) {.action = SCMP_ACT_KILL_PROCESS, .call = SCMP_SYS(name)},
    const struct rule table[] = {
#include "os/linux/confine_calls.def"
#include "os/linux/confine_calls_undef.h"
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < KITH_COUNT(table); i++)
        rc = add(filter, &table[i]);
    return rc;
}

/* socket(2) with a family, a type without its flags, and a protocol or any. */
static int add_socket(scmp_filter_ctx filter, unsigned family, unsigned type)
{
    enum { TYPE = 0xf }; /* SOCK_NONBLOCK and SOCK_CLOEXEC are above */
    const struct scmp_arg_cmp a[] = {
        {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = ALL, .datum_b = family},
        {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = TYPE, .datum_b = type},
        /* NETLINK_ROUTE is 0, and so is the default of the others */
        {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = ALL, .datum_b = 0},
    };

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), KITH_COUNT(a), a);
}

/* No raw and no packet sockets: who may open those could read and forge what others send. */
static int add_sockets(scmp_filter_ctx filter)
{
    static const struct {
        unsigned family, type;
    } kinds[] = {
        {AF_INET, SOCK_DGRAM},   {AF_INET6, SOCK_DGRAM}, {AF_INET, SOCK_STREAM},
        {AF_INET6, SOCK_STREAM}, {AF_NETLINK, SOCK_RAW}, {AF_NETLINK, SOCK_DGRAM},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < KITH_COUNT(kinds); i++)
        rc = add_socket(filter, kinds[i].family, kinds[i].type);
    return rc;
}

int kith_confine_calls(struct kith_os_why *why)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc;

    if (filter == NULL)
        return kith_os_say(why, KITH_E_NOMEM, "make a filter of system calls: out of memory");
    rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* a tree instead of a list: kernels before 5.11 walk it for every packet's call */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    /* the kernel's log names what was refused; an old kernel has only that it killed */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    if (rc == 0)
        rc = add_table(filter);
    if (rc == 0)
        rc = add_sockets(filter);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc == 0 ? KITH_OK : kith_os_fail(why, -rc, "give up system calls (seccomp)");
}

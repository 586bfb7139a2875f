#include "os/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* after net/if.h, which defines the same names */
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

/* Linux 6.2; the headers of Debian 12 are older than its later kernels */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

_Static_assert(sizeof(struct virtio_net_hdr) == KITH_TUN_HEADER, "virtio_net_hdr has 10 bytes");
_Static_assert(IFNAMSIZ == KITH_TUN_NAME, "interface names fit");

/* A name the kernel takes: 1 to 15 characters without '/', ':' and spaces; "%d" at most once. */
static bool name_is_valid(const char *name)
{
    size_t n = strlen(name);
    const char *percent = strchr(name, '%');

    if (n == 0 || n >= KITH_TUN_NAME || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] == 0x7f || name[i] == '/' || name[i] == ':')
            return false;
    return percent == NULL || (percent[1] == 'd' && strchr(percent + 1, '%') == NULL);
}

static int open_device(int *ret_fd, struct kith_os_why *why)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        int err = kith_os_fail(why, errno, "open /dev/net/tun");
        return err == KITH_E_NOTFOUND ? KITH_E_UNSUPPORTED : err;
    }
    *ret_fd = fd;
    return KITH_OK;
}

static int attach_failed(int errnum, const char *name, struct kith_os_why *why)
{
    if (errnum == EBUSY)
        return kith_os_say(why, KITH_E_INUSE, "interface %s is held by another process", name);
    if (errnum == EINVAL || errnum == EEXIST)
        return kith_os_say(why, KITH_E_EXISTS,
                           "interface %s exists and is no single-queue TUN device", name);
    return kith_os_fail(why, errnum, "create interface %s (TUNSETIFF)", name);
}

/* Creates the interface or takes over a persistent one, and learns what it became. */
static int attach(struct kith_tun *tun, const char *name, bool offload, struct kith_os_why *why)
{
    struct ifreq ifr = {0};
    unsigned features = 0;

    if (ioctl(tun->fd, TUNGETFEATURES, &features) < 0)
        return kith_os_fail(why, errno, "ask the TUN driver what it can (TUNGETFEATURES)");
    tun->vnet_hdr = offload && (features & IFF_VNET_HDR) != 0;
    (void)snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (tun->vnet_hdr ? IFF_VNET_HDR : 0));
    if (ioctl(tun->fd, TUNSETIFF, &ifr) < 0)
        return attach_failed(errno, name, why);
    if (ioctl(tun->fd, TUNGETIFF, &ifr) < 0)
        return kith_os_fail(why, errno, "look at interface %s (TUNGETIFF)", name);
    tun->persistent = ((unsigned)ifr.ifr_flags & IFF_PERSIST) != 0;
    (void)snprintf(tun->name, sizeof tun->name, "%s", ifr.ifr_name);
    tun->ifindex = if_nametoindex(tun->name);
    if (tun->ifindex == 0)
        return kith_os_fail(why, errno, "find interface %s", tun->name);
    return KITH_OK;
}

/* A persistent device remembers what its last holder asked for: offload is always set anew. */
static int set_offload(struct kith_tun *tun, struct kith_os_why *why)
{
    static const unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    static const unsigned wishes[] = {tso | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
                                      tso | TUN_F_TSO_ECN, tso, 0};
    int size = KITH_TUN_HEADER;
    size_t i = tun->vnet_hdr ? 0 : sizeof wishes / sizeof wishes[0] - 1;

    if (tun->vnet_hdr && ioctl(tun->fd, TUNSETVNETHDRSZ, &size) < 0)
        return kith_os_fail(why, errno, "set the packet header of %s (TUNSETVNETHDRSZ)", tun->name);
    while (ioctl(tun->fd, TUNSETOFFLOAD, (unsigned long)wishes[i]) < 0)
        if (wishes[i++] == 0)
            return kith_os_fail(why, errno, "set offloads of %s (TUNSETOFFLOAD)", tun->name);
    tun->tso = (wishes[i] & TUN_F_TSO4) != 0;
    tun->uso = (wishes[i] & TUN_F_USO4) != 0;
    return KITH_OK;
}

int kith_tun_open(struct kith_tun *ret, const char *name, bool offload, struct kith_os_why *why)
{
    struct kith_tun tun = {.fd = -1};
    int err;

    if (name[0] == '\0')
        name = "kith%d";
    if (!name_is_valid(name))
        return kith_os_say(why, KITH_E_INVAL, "\"%s\" is no name for an interface", name);
    err = open_device(&tun.fd, why);
    if (err < 0)
        return err;
    err = attach(&tun, name, offload, why);
    if (err == KITH_OK)
        err = set_offload(&tun, why);
    if (err < 0) {
        kith_tun_close(&tun);
        return err;
    }
    *ret = tun;
    return KITH_OK;
}

void kith_tun_close(struct kith_tun *tun)
{
    if (tun->fd >= 0)
        (void)close(tun->fd);
    tun->fd = -1;
}

/* Of what a packet may meet, only the end of the interface is more than the packet's own fate. */
static int packet_failed(int errnum)
{
    int err = kith_os_err(errnum);

    if (err == KITH_E_NOMEM)
        return KITH_E_AGAIN;
    return err == KITH_E_AGAIN || err == KITH_E_CLOSED ? err : KITH_E_IO;
}

int kith_tun_read(struct kith_tun *tun, void *buf, size_t cap, size_t *ret_len)
{
    if (cap < KITH_TUN_READ_MAX)
        return KITH_E_INVAL;
    ssize_t n = read(tun->fd, buf, cap);
    if (n < 0)
        return packet_failed(errno);
    *ret_len = (size_t)n;
    return KITH_OK;
}

int kith_tun_write(struct kith_tun *tun, const struct kith_iov *iov, size_t n)
{
    struct iovec parts[KITH_TUN_IOV_MAX];

    if (n == 0 || n > KITH_TUN_IOV_MAX)
        return KITH_E_INVAL;
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct iovec){.iov_base = (void *)iov[i].p, .iov_len = iov[i].n};
    return writev(tun->fd, parts, (int)n) < 0 ? packet_failed(errno) : KITH_OK;
}

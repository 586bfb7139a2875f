/* The TUN device: created, read, written, refused. iproute2 and UDP sockets are the witnesses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include "os/netlink.h"
#include "os/tun.h"
#include "os_lab.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static uint8_t packet[KITH_TUN_READ_MAX];

static void up_with_address(const struct kith_tun *tun)
{
    char arguments[128];

    (void)snprintf(arguments, sizeof arguments, "addr add 10.9.0.1/24 dev %s", tun->name);
    lab_ip(arguments);
    (void)snprintf(arguments, sizeof arguments, "link set %s addrgenmode none up", tun->name);
    lab_ip(arguments);
}

static int udp_socket(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, "10.9.0.1", &a.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void udp_send(int fd, const void *p, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7000)};

    assert_int_equal(inet_pton(AF_INET, "10.9.0.2", &a.sin_addr), 1);
    assert_int_equal(sendto(fd, p, n, 0, (struct sockaddr *)&a, sizeof a), n);
}

/* The next IPv4 UDP packet from the interface, whatever IPv6 says in between; its offset in packet.
 */
static size_t read_udp(struct kith_tun *tun, size_t *ret_len)
{
    size_t at = tun->vnet_hdr ? KITH_TUN_HEADER : 0;

    for (;;) {
        struct pollfd p = {.fd = tun->fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(kith_tun_read(tun, packet, sizeof packet, ret_len), KITH_OK);
        assert_true(*ret_len > at + 20);
        if (packet[at] >> 4 == 4 && packet[at + 9] == IPPROTO_UDP)
            return at;
    }
}

static uint16_t ip_checksum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* A UDP packet (RFC 791, RFC 768; no UDP checksum) from 10.9.0.2 to 10.9.0.1 port 7001: 28 bytes
 * of headers, to be followed by n bytes. */
static void udp_headers(uint8_t h[28], size_t n)
{
    static const uint8_t ip[20] = {0x45, 0, 0,  0, 0, 0, 0,  0, 64, 17,
                                   0,    0, 10, 9, 0, 2, 10, 9, 0,  1};
    uint16_t total = htons((uint16_t)(28 + n)), udp_len = htons((uint16_t)(8 + n));
    uint16_t port = htons(7001);

    memset(h, 0, 28);
    memcpy(h, ip, sizeof ip);
    memcpy(h + 2, &total, 2);
    uint16_t sum = htons(ip_checksum(h, 20));
    memcpy(h + 10, &sum, 2);
    memcpy(h + 20, &port, 2);
    memcpy(h + 22, &port, 2);
    memcpy(h + 24, &udp_len, 2);
}

static void an_opened_device_is_a_tun_with_packet_headers(void **state)
{
    (void)state;
    struct kith_tun tun;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "", true, NULL), KITH_OK);
    assert_string_equal(tun.name, "kith0");
    assert_true(tun.vnet_hdr && tun.tso && !tun.persistent);
    json_t *links = lab_ip_json("link show");
    json_t *link = lab_entry(links, "ifname", "kith0");
    assert_non_null(link);
    assert_int_equal(json_integer_value(json_object_get(link, "ifindex")), tun.ifindex);
    json_t *info = json_object_get(link, "linkinfo");
    assert_string_equal(lab_text(info, "info_kind"), "tun");
    json_t *data = json_object_get(info, "info_data");
    assert_string_equal(lab_text(data, "type"), "tun");
    assert_true(json_is_true(json_object_get(data, "vnet_hdr")));
    assert_true(json_is_false(json_object_get(data, "pi")));
    json_decref(links);
    kith_tun_close(&tun);
}

static void a_device_vanishes_when_it_is_closed(void **state)
{
    (void)state;
    struct kith_tun tun;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    assert_int_not_equal(if_nametoindex("kith0"), 0);
    kith_tun_close(&tun);
    assert_int_equal(if_nametoindex("kith0"), 0);
}

static void numbered_names_count_up(void **state)
{
    (void)state;
    struct kith_tun first, second;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&first, "lab%d", false, NULL), KITH_OK);
    assert_int_equal(kith_tun_open(&second, "lab%d", false, NULL), KITH_OK);
    assert_string_equal(first.name, "lab0");
    assert_string_equal(second.name, "lab1");
    kith_tun_close(&first);
    kith_tun_close(&second);
}

static void names_the_kernel_cannot_have_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "sixteen-letters!", "a b", "a/b", "a:b", "..", "a%s", "%d%d", "a%"};
    struct kith_tun tun;
    struct kith_os_why why;

    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        assert_int_equal(kith_tun_open(&tun, bad[i], true, &why), KITH_E_INVAL);
        assert_non_null(strstr(why.text, bad[i]));
    }
}

static void a_held_device_and_another_kind_of_interface_are_refused(void **state)
{
    (void)state;
    struct kith_tun tun, other;
    struct kith_os_why why;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    assert_int_equal(kith_tun_open(&other, "kith0", true, &why), KITH_E_INUSE);
    assert_string_equal(why.text, "interface kith0 is held by another process");
    assert_int_equal(kith_tun_open(&other, "lo", true, &why), KITH_E_EXISTS);
    assert_non_null(strstr(why.text, "lo exists"));
    kith_tun_close(&tun);
}

static void a_persistent_device_is_taken_over_and_stays(void **state)
{
    (void)state;
    struct kith_tun tun;
    LAB_OR_SKIP();
    lab_ip("tuntap add dev kith7 mode tun");
    assert_int_equal(kith_tun_open(&tun, "kith7", true, NULL), KITH_OK);
    assert_true(tun.persistent && tun.vnet_hdr && tun.tso);
    kith_tun_close(&tun);
    assert_int_not_equal(if_nametoindex("kith7"), 0);
    assert_int_equal(kith_tun_open(&tun, "kith7", false, NULL), KITH_OK);
    assert_true(tun.persistent && !tun.vnet_hdr && !tun.tso && !tun.uso);
    kith_tun_close(&tun);
}

static void without_privilege_the_text_says_what_was_refused(void **state)
{
    (void)state;
    struct kith_tun tun;
    struct kith_os_why why = {{0}};
    LAB_OR_SKIP();
    assert_int_equal(seteuid(65534), 0);
    int err = kith_tun_open(&tun, "kith0", true, &why);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(err, KITH_E_PERM);
    /* where the device node is open to all, the next step is what fails */
    assert_true(strstr(why.text, "open /dev/net/tun: ") != NULL ||
                strstr(why.text, "(TUNSETIFF): ") != NULL);
}

static void what_the_host_sends_is_read_once(void **state)
{
    (void)state;
    struct kith_tun tun;
    size_t n;
    LAB_OR_SKIP();
    for (int offload = 0; offload < 2; offload++) {
        assert_int_equal(kith_tun_open(&tun, "kith0", offload, NULL), KITH_OK);
        assert_int_equal(kith_tun_read(&tun, packet, sizeof packet, &n), KITH_E_AGAIN);
        up_with_address(&tun);
        int fd = udp_socket(7001);
        udp_send(fd, "hello", 5);
        size_t at = read_udp(&tun, &n);
        assert_int_equal(at, offload ? 10 : 0);
        assert_int_equal(n, at + 28 + 5);
        assert_memory_equal(packet + at + 16, "\x0a\x09\x00\x02", 4);
        assert_memory_equal(packet + at + 28, "hello", 5);
        assert_int_equal(kith_tun_read(&tun, packet, sizeof packet, &n), KITH_E_AGAIN);
        (void)close(fd);
        kith_tun_close(&tun);
    }
}

static void a_buffer_that_the_kernel_could_overfill_is_refused(void **state)
{
    (void)state;
    struct kith_tun tun;
    size_t n = 77;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    assert_int_equal(kith_tun_read(&tun, packet, KITH_TUN_READ_MAX - 1, &n), KITH_E_INVAL);
    assert_int_equal(kith_tun_read(&tun, packet, KITH_TUN_READ_MAX, &n), KITH_E_AGAIN);
    assert_int_equal(n, 77);
    kith_tun_close(&tun);
}

static void udp_super_packets_come_whole_where_the_kernel_has_them(void **state)
{
    (void)state;
    struct kith_tun tun;
    static const uint8_t data[10000];
    int segment = 1000;
    size_t n;
    struct virtio_net_hdr header;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    if (!tun.uso) {
        kith_tun_close(&tun);
        print_message("this kernel has no USO\n");
        skip();
    }
    up_with_address(&tun);
    int fd = udp_socket(7001);
    assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
    udp_send(fd, data, sizeof data);
    size_t at = read_udp(&tun, &n);
    memcpy(&header, packet, sizeof header);
    assert_int_equal(n, at + 28 + sizeof data);
    assert_int_equal(header.gso_type, 5); /* VIRTIO_NET_HDR_GSO_UDP_L4 */
    assert_int_equal(header.gso_size, segment);
    (void)close(fd);
    kith_tun_close(&tun);
}

static void what_is_written_in_parts_arrives_as_one_packet(void **state)
{
    (void)state;
    struct kith_tun tun;
    uint8_t header[KITH_TUN_HEADER] = {0}, h[28];
    char got[16];
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    up_with_address(&tun);
    int fd = udp_socket(7001);
    udp_headers(h, 6);
    struct kith_iov parts[] = {{header, sizeof header}, {h, sizeof h}, {"pac", 3}, {"ket", 3}};
    assert_int_equal(kith_tun_write(&tun, parts, KITH_COUNT(parts)), KITH_OK);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(recv(fd, got, sizeof got, 0), 6);
    assert_memory_equal(got, "packet", 6);
    (void)close(fd);
    kith_tun_close(&tun);
}

static void a_refused_packet_does_not_end_the_device(void **state)
{
    (void)state;
    struct kith_tun tun;
    uint8_t header[KITH_TUN_HEADER] = {0}, h[28];
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    udp_headers(h, 0);
    struct kith_iov good[] = {{header, sizeof header}, {h, sizeof h}};
    assert_int_equal(kith_tun_write(&tun, good, 2), KITH_E_IO); /* the interface is down */
    up_with_address(&tun);
    assert_int_equal(kith_tun_write(&tun, good, 1), KITH_E_IO); /* a header, no packet */
    assert_int_equal(kith_tun_write(&tun, good, 0), KITH_E_INVAL);
    assert_int_equal(kith_tun_write(&tun, good, KITH_TUN_IOV_MAX + 1), KITH_E_INVAL);
    assert_int_equal(kith_tun_write(&tun, good, 2), KITH_OK);
    kith_tun_close(&tun);
}

static void a_deleted_interface_is_told_as_closed(void **state)
{
    (void)state;
    struct kith_tun tun;
    uint8_t header[KITH_TUN_HEADER] = {0}, h[28];
    size_t n;
    LAB_OR_SKIP();
    assert_int_equal(kith_tun_open(&tun, "kith0", true, NULL), KITH_OK);
    up_with_address(&tun);
    lab_ip("link delete kith0");
    udp_headers(h, 0);
    struct kith_iov parts[] = {{header, sizeof header}, {h, sizeof h}};
    assert_int_equal(kith_tun_read(&tun, packet, sizeof packet, &n), KITH_E_CLOSED);
    assert_int_equal(kith_tun_write(&tun, parts, 2), KITH_E_CLOSED);
    kith_tun_close(&tun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opened_device_is_a_tun_with_packet_headers),
        cmocka_unit_test(a_device_vanishes_when_it_is_closed),
        cmocka_unit_test(numbered_names_count_up),
        cmocka_unit_test(names_the_kernel_cannot_have_are_refused),
        cmocka_unit_test(a_held_device_and_another_kind_of_interface_are_refused),
        cmocka_unit_test(a_persistent_device_is_taken_over_and_stays),
        cmocka_unit_test(without_privilege_the_text_says_what_was_refused),
        cmocka_unit_test(what_the_host_sends_is_read_once),
        cmocka_unit_test(a_buffer_that_the_kernel_could_overfill_is_refused),
        cmocka_unit_test(udp_super_packets_come_whole_where_the_kernel_has_them),
        cmocka_unit_test(what_is_written_in_parts_arrives_as_one_packet),
        cmocka_unit_test(a_refused_packet_does_not_end_the_device),
        cmocka_unit_test(a_deleted_interface_is_told_as_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

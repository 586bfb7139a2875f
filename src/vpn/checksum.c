#include "vpn/checksum.h"

/* Words are added in the machine's own byte order, which only swaps the bytes of the result (RFC
 * 1071, 2B), and 32 bits at a time, because 2^16 is 1 in one's complement arithmetic. */
uint64_t kith_sum_add(uint64_t sum, const uint8_t *p, size_t n)
{
    uint64_t even = 0, odd = 0;

    for (; n >= 8; p += 8, n -= 8) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + 4, 4);
        even += a;
        odd += b;
    }
    if (n > 0) {
        uint8_t rest[8] = {0};
        uint32_t a, b;
        memcpy(rest, p, n);
        memcpy(&a, rest, 4);
        memcpy(&b, rest + 4, 4);
        even += a;
        odd += b;
    }
    return sum + even + odd;
}

uint16_t kith_sum_fold(uint64_t sum)
{
    uint8_t b[2];

    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);

    uint16_t folded = (uint16_t)sum;
    memcpy(b, &folded, 2);
    return (uint16_t)(b[0] << 8 | b[1]);
}

uint16_t kith_checksum_update(uint16_t checksum, uint16_t old, uint16_t fresh)
{
    uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~old + fresh;

    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~sum;
}

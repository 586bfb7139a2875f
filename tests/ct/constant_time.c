/* constant_time.c: handles secrets that memcheck takes for undefined, so that a branch or an
 * address that depends on one is reported as a use of undefined memory.
 *
 *   valgrind --error-exitcode=9 constant_time CASE
 *
 * The verdict of a comparison is no secret: at the one place where it comes about it is declared
 * defined (kith_equal_ct and CRYPTO_memcmp are wrapped by the linker; meson.build). Whatever else
 * depends on a secret is reported. Without valgrind the cases only say whether results are right.
 * tests/ct/constant_time.sh runs them. */

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "identity/ticket.h"

bool __real_kith_equal_ct(const void *a, const void *b, size_t n);
bool __wrap_kith_equal_ct(const void *a, const void *b, size_t n);
int __real_CRYPTO_memcmp(const void *a, const void *b, size_t n);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n);

bool __wrap_kith_equal_ct(const void *a, const void *b, size_t n)
{
    bool same = __real_kith_equal_ct(a, b, n);

    (void)VALGRIND_MAKE_MEM_DEFINED(&same, sizeof same);
    return same;
}

/* For what the library compares inside, such as the tag of AES-GCM. */
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n)
{
    int differ = __real_CRYPTO_memcmp(a, b, n);

    (void)VALGRIND_MAKE_MEM_DEFINED(&differ, sizeof differ);
    return differ;
}

static void hide(void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

/* Results may be looked at. */
static void reveal(void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static struct kith_ticket_secret a_secret(void)
{
    struct kith_ticket_secret s;

    memset(&s, 0x5a, sizeof s);
    return s;
}

/* ---- controls: memcheck must complain of these ---- */

static volatile int sink;

static bool compares_with_memcmp(void)
{
    struct kith_ticket_secret a = a_secret(), b = a_secret();

    b.b[20] ^= 1;
    hide(&a, sizeof a);
    sink = memcmp(&a, &b, sizeof a) != 0 ? 1 : 2;
    return true;
}

static bool looks_up_by_secret(void)
{
    static const uint8_t table[256] = {1};
    struct kith_ticket_secret a = a_secret();

    hide(&a, sizeof a);
    sink = table[a.b[0]];
    return true;
}

/* ---- what must be constant ---- */

static bool equal(void)
{
    struct kith_ticket_secret a = a_secret(), b = a_secret(), c = a_secret();

    c.b[31] ^= 0x80;
    hide(&a, sizeof a);
    return kith_equal_ct(&a, &b, sizeof a) && !kith_equal_ct(&a, &c, sizeof a);
}

/* Ids are no secrets; what a ticket has beside them is. */
static bool tickets(void)
{
    struct kith_ticket a = {.version = 1, .secret = a_secret()}, b = a, c = a;

    c.secret.b[0] ^= 1;
    hide(&a.secret, sizeof a.secret);
    return kith_ticket_equal(&a, &b) && !kith_ticket_equal(&a, &c);
}

/* The issuer's side of an enrolment: the right proof, one wrong in its last bit, one of another
 * secret. */
static bool proof(void)
{
    struct kith_ticket_secret secret = a_secret();
    struct kith_enrol_exporter exporter = {{7}};
    struct kith_network_id network = {{1}};
    struct kith_peer_id issuer = {{2}}, joiner = {{3}};
    struct kith_enrol_claim claim = {.exporter = &exporter,
                                     .network = &network,
                                     .issuer = &issuer,
                                     .joiner = &joiner,
                                     .name = kith_span_text("laptop")};
    struct kith_ticket_proof right, wrong;

    if (kith_ticket_prove(&secret, &claim, &right) < 0)
        return false;
    wrong = right;
    wrong.b[sizeof wrong.b - 1] ^= 1;
    hide(&secret, sizeof secret);
    hide(&exporter, sizeof exporter);
    return kith_ticket_check(&secret, &claim, &right) == KITH_OK &&
           kith_ticket_check(&secret, &claim, &wrong) == KITH_E_AUTH;
}

static bool ticket_id(void)
{
    struct kith_ticket_secret secret = a_secret();
    struct kith_ticket_id id;

    hide(&secret, sizeof secret);
    return kith_ticket_id(&secret, &id) == KITH_OK;
}

/* Opening a backup: the key out of the passphrase, and the tag it makes. */
static bool seal(void)
{
    struct kith_seal_key key = {{9}};
    struct kith_seal_nonce nonce = {{1}};
    struct kith_span text = kith_span_text("the root's key"), aad = kith_span_text("head");
    uint8_t sealed[64], opened[64];
    size_t n, len;

    if (kith_seal(&key, &nonce, aad, text, sealed, sizeof sealed, &n) < 0)
        return false;
    hide(&key, sizeof key);
    bool ok = kith_seal_open(&key, &nonce, aad, (struct kith_span){sealed, n}, opened,
                             sizeof opened, &len) == KITH_OK;
    reveal(opened, sizeof opened);
    ok = ok && memcmp(opened, text.p, text.n) == 0;
    sealed[n - 1] ^= 1;
    return ok && kith_seal_open(&key, &nonce, aad, (struct kith_span){sealed, n}, opened,
                                sizeof opened, &len) == KITH_E_AUTH;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*run)(void);
    } cases[] = {
        {"compares_with_memcmp", compares_with_memcmp},
        {"looks_up_by_secret", looks_up_by_secret},
        {"equal", equal},
        {"tickets", tickets},
        {"proof", proof},
        {"ticket_id", ticket_id},
        {"seal", seal},
    };

    for (size_t i = 0; argc == 2 && i < KITH_COUNT(cases); i++)
        if (strcmp(argv[1], cases[i].name) == 0)
            return cases[i].run() ? 0 : 1;
    fputs("usage: constant_time CASE\n", stderr);
    return 2;
}

/* object_structured.c: signed objects with good signatures and hostile content, offered to the view
 * of a network. Each is drawn from its table, or one that an honest issuer signed, and signed with
 * one of the keys below: the root's, an admin's, a member's, a stranger's.
 *
 * The laws: what was just taken over is known; a view stays within its limits; and two views agree
 * on what they hold and on who is a member, in whatever order they heard of it. */
#include "fuzz/structured.h"

#include <stdlib.h>

#include "identity/issuer.h"
#include "identity/network_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW ((kith_wall)1800000000)

enum { ROOT, ADMIN, ANNA, BERT, STRANGER, PEOPLE };
enum { HONEST = 6, OBJECTS_MAX = 10, ROUNDS_MAX = 20, ADMIN_BLOCK = 1 };

struct object_bytes {
    uint8_t b[KITH_OBJECT_MAX];
    size_t n;
};

struct country {
    struct kith_identity who[PEOPLE];
    struct kith_network_id network;
    struct kith_prefix range;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_env env;
    struct object_bytes honest[HONEST];
    struct known known;
};

static struct object_bytes object[OBJECTS_MAX];
static size_t objects;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void certify(struct country *c, unsigned by, unsigned who, struct object_bytes *to)
{
    struct kith_issuer is = {.signer = &c->who[by], .network = c->network};
    struct kith_new_member m = {.key = c->who[who].pub,
                                .name = kith_span_text(who == ANNA ? "anna" : "bert"),
                                .ip4 = kith_ip4(100, 77, by == ROOT ? 0 : 16, (uint8_t)(10 + who)),
                                .number = NOW};

    kith_issuer_serials(by == ROOT ? 0 : ADMIN_BLOCK, &is.next_serial, &is.last_serial);
    check(kith_issue_member(&is, &m, NOW, to->b, sizeof to->b, &to->n) == KITH_OK);
}

static void issue_honest(struct country *c)
{
    struct object_bytes *h = c->honest;
    struct kith_addr at = {.ip = kith_ip4(192, 0, 2, 1), .port = 9000};
    struct kith_service files = {.name = kith_span_text("files")};
    struct kith_new_admin a = {.key = c->who[ADMIN].pub,
                               .range = c->range,
                               .block = ADMIN_BLOCK,
                               .number = NOW,
                               .not_after = NOW + KITH_ADMIN_VALID};

    check(kith_issue_network(&c->who[ROOT], kith_span_text("home"), &c->range, NOW, NOW, NOW,
                             h[0].b, sizeof h[0].b, &h[0].n) == KITH_OK);
    check(kith_issue_admin(&c->who[ROOT], &c->network, &a, NOW, h[1].b, sizeof h[1].b, &h[1].n) ==
          KITH_OK);
    certify(c, ROOT, ANNA, &h[2]);
    certify(c, ADMIN, BERT, &h[3]);
    check(kith_issue_endpoints(&c->who[ANNA], &c->network, &at, 1, NOW, NOW + 3600, NOW, h[4].b,
                               sizeof h[4].b, &h[4].n) == KITH_OK);
    check(kith_issue_announcement(&c->who[BERT], &c->network, 0, &files, 1, NOW, NOW + 3600, NOW,
                                  h[5].b, sizeof h[5].b, &h[5].n) == KITH_OK);
}

static void found(struct country *c)
{
    for (uint8_t i = 0; i < PEOPLE; i++) {
        struct kith_sign_seed seed = {{(uint8_t)(i + 1), 55}};
        check(kith_identity_from_seed(&kith_heap, &seed, &c->who[i]) == KITH_OK);
        known_add(&c->known, KITH_SPAN_OF(c->who[i].id));
        known_add(&c->known, KITH_SPAN_OF(c->who[i].pub));
    }
    check(kith_network_id_of(&c->who[ROOT].pub, &c->network) == KITH_OK);
    check(kith_prefix_parse("100.77.0.0/16", &c->range) == KITH_OK);
    kith_random_seeded_init(&c->seeded, 1);
    c->random = kith_random_from_seed(&c->seeded);
    c->env = (struct kith_env){.alloc = &kith_heap, .random = &c->random};
    c->known.number[0] = NOW;
    c->known.number[1] = NOW + KITH_CERT_VALID;
    c->known.number[2] = 128; /* the root's first serials */
    kith_issuer_serials(ADMIN_BLOCK, &c->known.number[3], &(uint64_t){0});
    issue_honest(c);
}

/* ---- drawing ---- */

static const struct structured_entry *body_entry(struct recipe *r)
{
    uint8_t kind = (uint8_t)(1 + recipe_below(r, KITH_OBJECT_announcement_body));

    for (size_t i = 0; i < structured_count; i++)
        if (structured_entry[i].table == STRUCTURED_OBJECT && structured_entry[i].number == kind)
            return &structured_entry[i];
    abort();
}

/* The rest of an object of the input's own: who, what, which number. */
static void draw_object(const struct country *c, struct recipe *r)
{
    static uint8_t body[STRUCTURED_MAX];
    const struct structured_entry *e = body_entry(r);
    const struct kith_identity *signer = &c->who[recipe_below(r, PEOPLE)];
    struct object_bytes *to = &object[objects];
    struct kith_object_head head = {.kind = (uint8_t)e->number, .network = c->network};

    head.number = recipe_number(r);
    head.issued = recipe_number(r);
    size_t n = recipe_entry(r, e, (recipe_byte(r) & 7) == 7, body, sizeof body);
    if (n == 0 || n > KITH_OBJECT_BODY_MAX)
        return;
    check(kith_object_sign(signer, &head, (struct kith_span){body, n}, to->b, sizeof to->b,
                           &to->n) == KITH_OK);
    objects++;
}

static void draw_all(const struct country *c, struct recipe *r)
{
    objects = 0;
    while (objects < OBJECTS_MAX && recipe_left(r) > 0) {
        uint8_t what = recipe_byte(r);
        if (what % 4 == 0) {
            const struct object_bytes *h = &c->honest[what / 4 % HONEST];
            kith_copy(object[objects].b, h->b, h->n);
            object[objects++].n = h->n;
        } else {
            draw_object(c, r);
        }
    }
}

/* ---- judging ---- */

static bool offer(struct kith_netview *v, const struct object_bytes *o, kith_wall now)
{
    enum kith_offer what, again;
    struct kith_span s = {o->b, o->n}, other;
    struct kith_netview_effect fx;
    bool news = kith_netview_offer(v, s, now, &what, NULL) == KITH_OK && what == KITH_OFFER_NEW;

    while (kith_netview_next_new(v, &other))
        news = true;
    if (news && what == KITH_OFFER_NEW)
        check(kith_netview_offer(v, s, now, &again, NULL) != KITH_OK || again != KITH_OFFER_NEW);
    while (kith_netview_next_effect(v, &fx))
        ;
    return news;
}

/* Offers everything until nothing is news: what gossip does. */
static struct kith_netview *told(const struct country *c, bool backwards, kith_wall now)
{
    struct kith_netview *v;
    bool news = true;

    check(kith_netview_new(&c->env, &c->network, &c->who[ANNA].id, NULL, &v) == KITH_OK);
    for (int round = 0; news; round++) {
        news = false;
        for (size_t i = 0; i < objects; i++)
            news |= offer(v, &object[backwards ? objects - 1 - i : i], now);
        check(round < ROUNDS_MAX);
    }
    return v;
}

static void same_objects(const struct kith_netview *a, const struct kith_netview *b)
{
    struct kith_digest_item item;
    size_t at = 0, held = 0;

    while (kith_netview_next_digest(a, &at, NOW, &item)) {
        const struct kith_object *oa = kith_netview_find(a, &item.key);
        const struct kith_object *ob = kith_netview_find(b, &item.key);
        check(oa != NULL && ob != NULL);
        check(memcmp(oa->hash.b, ob->hash.b, sizeof oa->hash.b) == 0);
        held++;
    }
    check(held <= objects);
    for (at = 0; kith_netview_next_digest(b, &at, NOW, &item);)
        check(held-- > 0);
    check(held == 0);
}

static void same_people(const struct country *c, struct kith_netview *a, struct kith_netview *b,
                        kith_wall now)
{
    struct kith_member ma, mb;

    check(kith_netview_member_count(a, now) == kith_netview_member_count(b, now));
    for (size_t i = 0; i < PEOPLE; i++) {
        const struct kith_peer_id *who = &c->who[i].id;
        check(kith_netview_standing(a, who, now) == kith_netview_standing(b, who, now));
        check(kith_netview_is_signer(a, who, now) == kith_netview_is_signer(b, who, now));
        if (!kith_netview_member(a, who, now, &ma))
            continue;
        check(kith_netview_member(b, who, now, &mb));
        check(strcmp(ma.name, mb.name) == 0 && kith_ip_equal(&ma.ip4, &mb.ip4));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct country *c;
    struct recipe r;

    if (c == NULL) {
        c = calloc(1, sizeof *c);
        check(c != NULL);
        found(c);
    }
    r = recipe_on(data, n, &c->known);
    draw_all(c, &r);
    struct kith_netview *a = told(c, false, NOW), *b = told(c, true, NOW);
    same_objects(a, b);
    same_people(c, a, b, NOW);
    for (kith_wall later = NOW; later <= NOW + 2 * KITH_CERT_VALID; later += KITH_CERT_VALID) {
        kith_netview_tick(a, later);
        kith_netview_tick(b, later);
        same_people(c, a, b, later);
    }
    kith_netview_free(a);
    kith_netview_free(b);
    return 0;
}

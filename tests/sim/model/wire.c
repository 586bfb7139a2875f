/* wire.c: tags of packets, and what is made of nonces. A tag finds damage and chance, and no more
 * is asked of it here than to be quick: it is what most of a simulation's bytes go through. */
#include "sim/model/model.h"

/* For what a tag or number is made, so that no two are made of the same. */
enum purpose { FOR_EXPORTER = 1, FOR_KEY, FOR_TOKEN };

static uint64_t number_of(const uint8_t *p)
{
    struct kith_reader r = kith_reader_on((struct kith_span){p, 8});

    return kith_get_u64(&r);
}

static void put_number(uint8_t *p, uint64_t v)
{
    struct kith_writer w = kith_writer_on(p, 8);

    kith_put_u64(&w, v);
}

/* 8-byte numbers, as many as fit n bytes, that follow from `in`. */
static void derive(struct kith_span in, enum purpose what, uint8_t *ret, size_t n)
{
    for (size_t i = 0; i * 8 < n; i++)
        put_number(ret + i * 8, kith_siphash((uint64_t)what, i, in));
}

static uint64_t stir(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h << 29 | h >> 35;
}

/* Eight bytes at a time; sender and receiver are one machine, so their order does not matter. */
static uint64_t tag_of(const struct model_key *k, struct kith_span in)
{
    uint64_t h = stir(k->k0, in.n), word;

    for (; in.n >= sizeof word; in = (struct kith_span){in.p + sizeof word, in.n - sizeof word}) {
        memcpy(&word, in.p, sizeof word);
        h = stir(h, word);
    }
    word = 0;
    kith_copy(&word, in.p, in.n);
    return stir(stir(stir(h, word), k->k1), 0);
}

size_t model_seal(const struct model_key *k, uint8_t *packet, size_t n)
{
    memset(packet + n, 0, MODEL_TAG);
    put_number(packet + n, tag_of(k, (struct kith_span){packet, n}));
    return n + MODEL_TAG;
}

int model_open(const struct model_key *k, struct kith_span packet, struct kith_span *ret)
{
    if (packet.n < MODEL_HEAD + MODEL_TAG)
        return KITH_E_AUTH;
    const struct kith_span inner = {packet.p, packet.n - MODEL_TAG};
    if (number_of(packet.p + inner.n) != tag_of(k, inner))
        return KITH_E_AUTH;
    *ret = inner;
    return KITH_OK;
}

struct model_key model_first_key(const struct model_id *dcid)
{
    return (struct model_key){.k0 = number_of(dcid->b), .k1 = 1};
}

void model_reset_token(const struct kith_quic_config *cfg, const struct model_id *cid,
                       uint8_t ret[MODEL_TOKEN])
{
    uint8_t in[sizeof cfg->reset_key + MODEL_CID];

    memcpy(in, cfg->reset_key, sizeof cfg->reset_key);
    memcpy(in + sizeof cfg->reset_key, cid->b, MODEL_CID);
    derive(KITH_SPAN_OF(in), FOR_TOKEN, ret, MODEL_TOKEN);
}

void model_agree(const uint8_t dialler[MODEL_NONCE], const uint8_t acceptor[MODEL_NONCE],
                 uint8_t ret_exporter[32], struct model_key *ret_key)
{
    uint8_t both[2 * MODEL_NONCE], key[16];

    memcpy(both, dialler, MODEL_NONCE);
    memcpy(both + MODEL_NONCE, acceptor, MODEL_NONCE);
    derive(KITH_SPAN_OF(both), FOR_EXPORTER, ret_exporter, 32);
    derive(KITH_SPAN_OF(both), FOR_KEY, key, sizeof key);
    *ret_key = (struct model_key){.k0 = number_of(key), .k1 = number_of(key + 8)};
}

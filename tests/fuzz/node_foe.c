/* A whole node against an authenticated peer that says whatever the input tells it to: as a
 * stranger with a key of its own, or with the key and certificate of a member that was taken over.
 * The law: nothing crashes or leaks, the node keeps its other member, and what it holds for the foe
 * is bounded. Bytes are said as they are; control_structured.c makes messages of them. */
#include "fuzz/siege.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { STEPS_MAX = 64, BYTES_MAX = 2048 };

static struct kith_span next_bytes(struct recipe *in)
{
    size_t want = (size_t)recipe_byte(in) * 8 + 1;
    struct kith_span s = {in->in.p, want < in->in.n ? want : in->in.n};

    if (s.n > BYTES_MAX)
        s.n = BYTES_MAX;
    in->in.p += s.n;
    in->in.n -= s.n;
    return s;
}

static void ask_to_enrol(struct foe *f, const struct node_peer_sim *to, struct kith_span bytes)
{
    struct kith_session *s = foe_session(f, to);
    uint8_t frame[KITH_FRAME_HEAD + BYTES_MAX];
    struct kith_conn *c;
    int64_t id;
    size_t len;

    if (s == NULL || bytes.n == 0 || kith_session_open_stream(s, KITH_STREAM_ENROL, &c, &id) < 0)
        return;
    memcpy(frame + KITH_FRAME_HEAD, bytes.p, bytes.n);
    if (kith_frame_close(frame, bytes.n, &len) >= 0)
        (void)!kith_conn_stream_send(c, id, (struct kith_span){frame, len}, true);
}

static void step(struct siege *w, struct foe *f, struct recipe *in)
{
    struct node_peer_sim *to = &w->node[0];
    uint8_t what = recipe_byte(in);
    struct kith_span bytes;

    switch (what % 8) {
    case 0: siege_run(w, f, recipe_byte(in) * 5 * KITH_MSEC); return;
    case 1: (void)!foe_say(f, to, w->membership, w->membership_len); return;
    case 2:
        foe_restart(f);
        foe_dial(f, to);
        return;
    default: break;
    }
    bytes = next_bytes(in);
    if (bytes.n == 0)
        return;
    switch (what % 8) {
    case 3: (void)!foe_say_raw(f, to, bytes.p, bytes.n); return;
    case 4: ask_to_enrol(f, to, bytes); return;
    case 5: (void)!foe_datagram(f, to, bytes.p, bytes.n); return;
    default: (void)!foe_say(f, to, bytes.p, bytes.n); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct recipe in = recipe_on(data, n, NULL);
    struct foe *f;
    struct siege *w = siege_begin((recipe_byte(&in) & 1) != 0, &f);

    for (int i = 0; i < STEPS_MAX && recipe_left(&in) > 0; i++)
        step(w, f, &in);
    siege_end(w, f);
    return 0;
}

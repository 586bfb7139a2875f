/* vandal.h: a member of a town whose program was changed: it keeps its key and its membership, and
 * floods those who hear it with flows, labels, pieces, lies about ways and requests, in any order.
 *
 * Order: begin, which ends the member's own node; act often, as time passes; silence; end. */
#ifndef KITH_TESTS_SIM_VANDAL_H
#define KITH_TESTS_SIM_VANDAL_H

#include "sim/foe.h"
#include "sim/town.h"

enum { VANDAL_VICTIMS = 3, VANDAL_MESSAGE = 12288 };

struct vandal {
    struct town *t;
    size_t who;
    struct foe foe;
    struct kith_random *dice;
    size_t victim[VANDAL_VICTIMS], n_victims;
    bool greeted[VANDAL_VICTIMS];
    unsigned fierce; /* times that it does a thing in a row, at most */
    uint32_t label;  /* that it gave last */
    uint8_t membership[VANDAL_MESSAGE];
    size_t membership_len;
};

/* The victims are those that hear it, over `link`. */
void vandal_begin(struct vandal *v, struct town *t, size_t who, const size_t *victims, size_t n,
                  const struct sim_link *link, struct kith_random *dice);
/* A few things to one of them. It says of those with `spared` nothing. */
void vandal_act(struct vandal *v, const bool *spared);
/* From now on nobody hears anything of it. */
void vandal_silence(struct vandal *v);
void vandal_end(struct vandal *v);

#endif

/* mail.h: a network whose hosts are looked after in rounds, by several threads at once.
 *
 * What sim_net_run hands over lies in inboxes here until the host reads it, and what a host sends
 * lies in its outbox until it is posted. Between rounds one thread collects and posts; in a round
 * each host belongs to one thread, which reads and sends. Whatever threads there are, all goes
 * through the links in the order in which outboxes are posted. */
#ifndef KITH_TESTS_SIM_MAIL_H
#define KITH_TESTS_SIM_MAIL_H

#include "sim/net.h"

/* From now on the host has an outbox. */
void sim_mail_begin(struct sim_host *h);
/* As sim_net_run, into inboxes; `came` is told of each with what the host gave as its context.
 * False: nobody will read it, and it is lost. */
kith_time sim_mail_collect(struct sim_net *n, kith_time until, bool (*came)(void *ctx));
/* Hands over what is in the inbox. In a round. */
void sim_mail_read(struct sim_host *h);
/* What the host sent goes on its way. Between rounds. */
void sim_mail_post(struct sim_host *h);

#endif

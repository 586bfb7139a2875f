/* conf_json.h: the options in effect as the result of `config.show`.
 *
 * Also `kith config show` without a node prints it. */
#ifndef KITH_CTL_CONF_JSON_H
#define KITH_CTL_CONF_JSON_H

#include <jansson.h>

#include "conf/conf.h"

/* {"file", "options": [{"name", "value", "from", "origin", "reload"}]}; NULL without memory. */
json_t *kith_ctl_conf_json(const struct kith_conf *conf);

#endif

#include "ctl/conf_json.h"

static json_t *addrs_json(const struct kith_conf_addrs *addrs)
{
    json_t *list = json_array();
    char text[KITH_ADDR_TEXT];

    for (size_t i = 0; i < addrs->n; i++) {
        if (json_array_append_new(
                list, json_string(kith_addr_text(&addrs->addr[i], text, sizeof text))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *value_json(const struct kith_conf *conf, enum kith_option o)
{
    struct kith_conf_value v = kith_conf_get(conf, o);
    char text[KITH_CONF_VALUE_TEXT];

    switch (kith_option_row(o)->type) {
    case KITH_OPTION_TYPE_BOOL: return json_boolean(v.number != 0);
    case KITH_OPTION_TYPE_NUM:
    case KITH_OPTION_TYPE_SIZE: return json_integer((json_int_t)v.number);
    case KITH_OPTION_TYPE_ADDRS: return addrs_json(&v.addrs);
    case KITH_OPTION_TYPE_ADDR:
    case KITH_OPTION_TYPE_DUR:
    case KITH_OPTION_TYPE_LEVEL:
    case KITH_OPTION_TYPE_CONGESTION:
    case KITH_OPTION_TYPE_CIPHER:
    case KITH_OPTION_TYPE_INBOUND:
    case KITH_OPTION_TYPE_LABEL:
    case KITH_OPTION_TYPE_IFNAME:
    case KITH_OPTION_TYPE_GROUP: return json_string(kith_conf_text(conf, o, text, sizeof text));
    }
    return NULL;
}

static json_t *option_json(const struct kith_conf *conf, enum kith_option o)
{
    const struct kith_option_row *row = kith_option_row(o);
    char origin[KITH_CONF_PATH + 32];

    return json_pack("{s:s, s:o, s:s, s:s, s:b}", "name", row->name, "value", value_json(conf, o),
                     "from", kith_conf_layer_text(conf->origin[o].from), "origin",
                     kith_conf_origin_text(conf, o, origin, sizeof origin), "reload", row->reload);
}

json_t *kith_ctl_conf_json(const struct kith_conf *conf)
{
    json_t *options = json_array();

    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        if (json_array_append_new(options, option_json(conf, (enum kith_option)i)) < 0) {
            json_decref(options);
            return NULL;
        }
    }
    return json_pack("{s:s?, s:o}", "file", conf->file[0] == '\0' ? NULL : conf->file, "options",
                     options);
}

#include "store/setting.h"

#include "store/query.h"

int kith_store_setting_put(struct kith_store *s, const char *key, struct kith_span value)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_setting_put);

    kith_bind_text(&q, key, 1, KITH_STORE_NAME - 1);
    kith_bind_span(&q, value);
    return kith_query_run(&q);
}

int kith_store_setting_get(struct kith_store *s, const char *key, struct kith_span *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_setting_get);

    kith_bind_text(&q, key, 1, KITH_STORE_NAME - 1);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    struct kith_span value = kith_column_span(&q, 0);
    kith_query_keep(&q, (struct kith_span *[]){&value}, 1);
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = value;
    return err;
}

int kith_store_setting_remove(struct kith_store *s, const char *key)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_setting_remove);

    kith_bind_text(&q, key, 1, KITH_STORE_NAME - 1);
    return kith_query_change(&q);
}

int kith_store_number_put(struct kith_store *s, const char *key, uint64_t value)
{
    uint8_t bytes[8];
    struct kith_writer w = kith_writer_on(bytes, sizeof bytes);

    kith_put_u64(&w, value);
    return kith_store_setting_put(s, key, KITH_SPAN_OF(bytes));
}

int kith_store_number_get(struct kith_store *s, const char *key, uint64_t *ret)
{
    struct kith_span bytes = {0};
    int err = kith_store_setting_get(s, key, &bytes);

    if (err < 0)
        return err;
    struct kith_reader r = kith_reader_on(bytes);
    uint64_t value = kith_get_u64(&r);
    if (kith_reader_done(&r) < 0)
        return KITH_E_CORRUPT;
    *ret = value;
    return KITH_OK;
}

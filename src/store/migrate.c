/* Applies the rows of migrations.def. */

#include "store/query.h"

static const struct {
    uint64_t version;
    const char *sql;
} migrations[] = {
#define MIGRATION(version, ...) {version, __VA_ARGS__ "PRAGMA user_version = " #version ";"},
#include "store/migrations.def"
#undef MIGRATION
};

uint64_t kith_store_version(void)
{
    return migrations[KITH_COUNT(migrations) - 1].version;
}

static int apply(struct kith_store *s, const char *sql)
{
    int err = kith_store_begin(s);

    if (err < 0)
        return err;
    s->tx_err = kith_sqlite_err(s->db, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
    return kith_store_commit(s);
}

int kith_store_migrate(struct kith_store *s, uint64_t from)
{
    for (size_t i = 0; i < KITH_COUNT(migrations); i++) {
        int err = migrations[i].version > from ? apply(s, migrations[i].sql) : KITH_OK;
        if (err < 0)
            return err;
    }
    return KITH_OK;
}

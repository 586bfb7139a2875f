/* store_lab.h: what the tests of the store share: a folder of their own, values, a failing disk. */
#ifndef KITH_TESTS_STORE_LAB_H
#define KITH_TESTS_STORE_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

/* Remembers the last event, so that tests can assert on it. */
struct store_lab {
    struct kith_env env;
    struct kith_events events;
    char dir[256];
    char path[300]; /* of the database, in dir */
    char log[310];
    int told; /* store_failed events seen */
    char what[80], why[200];
};

/* cmocka set-up and tear-down: a fresh folder, removed with what is in it. */
int store_lab_setup(void **state);
int store_lab_teardown(void **state);
struct kith_store *store_lab_open(struct store_lab *lab);
struct kith_store *store_lab_memory(struct store_lab *lab);
/* A file whole; *ret_len its length; free it. */
uint8_t *store_lab_read(const char *path, size_t *ret_len);
void store_lab_write(const char *path, const void *p, size_t n);
/* The database and its log as they lie on the disk at this moment: what a power cut would leave. */
struct store_snapshot {
    uint8_t *db, *log;
    size_t db_len, log_len; /* log_len 0 also without a log */
};
struct store_snapshot store_lab_snapshot(const struct store_lab *lab);
/* Puts them back; the store must be closed. */
void store_lab_restore(const struct store_lab *lab, const struct store_snapshot *snap);
bool store_lab_same(const struct store_snapshot *a, const struct store_snapshot *b);
void store_lab_drop(struct store_snapshot *snap);
/* SQL by another program's hand. */
void store_lab_sql(const char *path, const char *sql);
/* Bytes that all are v. */
void store_lab_id(uint8_t *id, size_t n, unsigned v);
/* Adds a network all of whose id is v, in slot v. */
void store_lab_network(struct kith_store *s, unsigned v);

/* A disk that fails: the VFS "faulty" counts writes, syncs and truncations of every file. */
enum store_fault { STORE_FAULT_NONE, STORE_FAULT_WRITE, STORE_FAULT_SYNC, STORE_FAULT_CUT };
struct store_disk {
    enum store_fault kind; /* which operations count */
    int fail_at;           /* the operation that fails, from 1; 0: none */
    bool stays;            /* every later one fails as well */
    bool full;             /* a write fails for lack of space, after half its bytes */
    int seen;              /* operations counted so far */
    int failed;
};
extern struct store_disk store_disk;
#define STORE_DISK_VFS "faulty"
void store_disk_register(void);

#endif

/* setting.h: small values a node keeps about itself, by name.
 *
 * Names in use stand in docs/spec/store.md: keys that must survive a restart ("reset_key",
 * "retry_key"), the highest calendar time seen ("wall_high"), the number of starts ("boot_count").
 * Tests: tests/unit/store_network_test.c */
#ifndef KITH_STORE_SETTING_H
#define KITH_STORE_SETTING_H

#include "store/store.h"

/* Names have 1 to 63 bytes. Put replaces. */
int kith_store_setting_put(struct kith_store *s, const char *key,
                           struct kith_span value) KITH_MUST_CHECK;
/* *ret is the store's, until its next get or close. KITH_E_NOTFOUND. */
int kith_store_setting_get(struct kith_store *s, const char *key,
                           struct kith_span *ret) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND. */
int kith_store_setting_remove(struct kith_store *s, const char *key) KITH_MUST_CHECK;

/* The same for a number, kept as 8 bytes, big-endian; any uint64_t. KITH_E_CORRUPT when the value
 * kept has another length. */
int kith_store_number_put(struct kith_store *s, const char *key, uint64_t value) KITH_MUST_CHECK;
int kith_store_number_get(struct kith_store *s, const char *key, uint64_t *ret) KITH_MUST_CHECK;

#endif

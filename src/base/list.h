/* list.h: an intrusive doubly linked ring. The head is a link too; all-zero is not valid: init it.
 */
#ifndef KITH_BASE_LIST_H
#define KITH_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct kith_link {
    struct kith_link *prev, *next;
};

/* The struct of `type` whose member `field` is *link. */
#define KITH_OF(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

static inline void kith_list_init(struct kith_link *l)
{
    l->prev = l->next = l;
}

static inline bool kith_list_empty(const struct kith_link *l)
{
    return l->next == l;
}

/* Puts `item` last (just before the head). */
static inline void kith_list_append(struct kith_link *head, struct kith_link *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Takes item out of its list; harmless on an item that is alone. */
static inline void kith_list_remove(struct kith_link *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    kith_list_init(item);
}

#endif

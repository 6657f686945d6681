/* Giving positions to items in a new order while moving as few as possible. */
#ifndef EVA_STORE_ITEM_ORDER_H
#define EVA_STORE_ITEM_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* One item in its new place. */
typedef struct eva_order_entry {
  int64_t item_key;
  int64_t valid_from;
  int64_t position; /* where it was (if had_position), then where it is to be */
  char had_position;
  char kept;    /* its position stays */
  char is_new;  /* its row was written in this version (added or changed) */
} eva_order_entry;

/* Marks the longest run of entries whose positions ascend already as `kept`. */
void eva_order_keep(eva_order_entry *entries, size_t count);

/* Gives every entry that is not kept a position between its neighbours; `after` is the position before the first one
 * (INT64_MIN: nothing is before). Returns 0, changing nothing, when somewhere there is no room: then number afresh. */
int eva_order_place(eva_order_entry *entries, size_t count, int64_t after, int64_t gap);

#endif

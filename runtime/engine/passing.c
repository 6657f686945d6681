/* Permits that stay in a worker from one request to the next; see passing.h. */
#include "engine/passing.h"

#include <stdlib.h>

eva_passing_host *eva_passing_of(eva_passing *passing, eva_text name) {
  void **place = eva_names_place(&passing->names, name);
  if (*place) return *place;
  eva_passing_host *made = eva_alloc_zeroed(1, sizeof *made);
  if (passing->count == passing->cap) {
    passing->cap = passing->cap ? passing->cap * 2 : 8;
    passing->all = eva_realloc(passing->all, (size_t)passing->cap * sizeof *passing->all);
  }
  passing->all[passing->count++] = made;
  *place = made;
  return made;
}

int eva_passing_keep(eva_passing *passing, eva_passing_host *host, uint64_t number) {
  if (!host->may_pass_on) return 0;
  if (host->count == host->cap) {
    host->cap = host->cap ? host->cap * 2 : 8;
    host->numbers = eva_realloc(host->numbers, (size_t)host->cap * sizeof *host->numbers);
  }
  host->numbers[host->count++] = number;
  if (!host->is_listed) {
    host->is_listed = 1;
    host->next = passing->listed;
    passing->listed = host;
  }
  return 1;
}

uint64_t eva_passing_take(eva_passing_host *host) {
  return host->may_pass_on && host->count > 0 ? host->numbers[--host->count] : 0;
}

static void give_back_all(eva_passing_host *host, void (*give_back)(void *, uint64_t), void *context) {
  while (host->count > 0) give_back(context, host->numbers[--host->count]);
}

void eva_passing_give_back(eva_passing *passing, eva_passing_host *host,
                           void (*give_back)(void *context, uint64_t number), void *context) {
  if (host) {
    give_back_all(host, give_back, context);
    return;
  }
  while (passing->listed) {
    eva_passing_host *listed = passing->listed;
    passing->listed = listed->next;
    listed->is_listed = 0;
    give_back_all(listed, give_back, context);
  }
}

void eva_passing_free(eva_passing *passing) {
  for (int index = 0; index < passing->count; index++) {
    free(passing->all[index]->numbers);
    free(passing->all[index]);
  }
  free(passing->all);
  eva_names_free(&passing->names);
  *passing = (eva_passing){.count = 0};
}

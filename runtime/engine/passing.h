/* Permits of hosts (hosts.h) that a worker passes on from a request that has ended well to the next one, without asking:
 * the coordinator is told afterwards. It may do so while nobody else would have got the permit; the coordinator says when,
 * with each grant, and takes it back. What nobody takes in the same turn of the loop goes back. Numbers only, no I/O. */
#ifndef EVA_ENGINE_PASSING_H
#define EVA_ENGINE_PASSING_H

#include "engine/names.h"

/* What a worker knows of one host; lives until eva_passing_free. */
typedef struct eva_passing_host {
  struct eva_passing_host *next; /* of those with kept permits */
  int is_listed;
  int may_pass_on;
  uint64_t *numbers; /* [count]: the permits that are kept now */
  int count, cap;
} eva_passing_host;

/* Zero it to start. */
typedef struct eva_passing {
  eva_names names;
  eva_passing_host *listed;
  eva_passing_host **all; /* [count] */
  int count, cap;
} eva_passing;

eva_passing_host *eva_passing_of(eva_passing *passing, eva_text name);
/* Keeps the permit for the next request of this turn. Returns 0 where it has to be given back now. */
int eva_passing_keep(eva_passing *passing, eva_passing_host *host, uint64_t number);
/* A kept permit, the last one first; 0: none, or none may be passed on. */
uint64_t eva_passing_take(eva_passing_host *host);
/* Gives back what is kept of `host`, or of all hosts where that is NULL. */
void eva_passing_give_back(eva_passing *passing, eva_passing_host *host,
                           void (*give_back)(void *context, uint64_t number), void *context);
void eva_passing_free(eva_passing *passing);

#endif

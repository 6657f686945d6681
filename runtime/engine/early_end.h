/* When a run ends before all of its items have run: too many failures, an error that every item would meet, or a budget
 * that is spent. It counts and decides; what ending means is the coordinator's. */
#ifndef EVA_ENGINE_EARLY_END_H
#define EVA_ENGINE_EARLY_END_H

#include "engine/channel.h"

/* Results in a row, without an ok one between them, that say every item would fail like this. */
enum { EVA_STOPS_IN_A_ROW = 3, EVA_EARLY_REASON_MAX = 400 };

/* 0 in any of them: no such limit. */
typedef struct eva_early_rules {
  int64_t max_failures;     /* failed results: the one that makes it so many ends the run */
  double max_failure_share; /* the same as a share of the results to come, below 1 */
  int64_t run_tokens;       /* of all attempts together: more than that ends the run */
  double run_cost;
  double spent_tokens, spent_cost; /* of them, by results that a run which goes on has stored before */
} eva_early_rules;

typedef enum eva_early {
  EVA_EARLY_NONE,
  EVA_EARLY_FAILURES, /* max_failures */
  EVA_EARLY_STOPS,    /* an error that every item would meet */
  EVA_EARLY_BUDGET    /* run_tokens or run_cost */
} eva_early;

typedef struct eva_early_end {
  eva_early_rules rules;
  int64_t failures_max; /* what the rules come to; 0: none */
  int64_t failed;
  int stops_in_a_row;
  double tokens, cost; /* spent so far */
  char reason[EVA_EARLY_REASON_MAX]; /* of the decision, for people; "" until there is one */
} eva_early_end;

/* `total` is the number of results that the run is to bring. */
void eva_early_open(eva_early_end *early, const eva_early_rules *rules, int64_t total);
/* How many results may fail without ending the run: more are not begun ahead of time. */
int64_t eva_early_room(const eva_early_end *early);
/* Counts one result, or an attempt that will be retried (is_final 0), and says whether the run ends with it. */
eva_early eva_early_note(eva_early_end *early, const eva_result_head *head, int is_final);

#endif

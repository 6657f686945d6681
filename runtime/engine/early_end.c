/* Counts what can end a run early; see early_end.h. */
#include "engine/early_end.h"

#include <math.h>
#include <stdio.h>

void eva_early_open(eva_early_end *early, const eva_early_rules *rules, int64_t total) {
  *early = (eva_early_end){.rules = *rules, .failures_max = rules->max_failures, .tokens = rules->spent_tokens,
                           .cost = rules->spent_cost};
  if (rules->max_failure_share <= 0) return;
  /* 0.1 of 70 is 7, whatever the last bit of 0.1 * 70 says. */
  early->failures_max = (int64_t)ceil(rules->max_failure_share * (double)total * (1 - 1e-12));
  if (early->failures_max < 1) early->failures_max = 1;
}

static eva_early decide_failures(eva_early_end *early) {
  if (early->failures_max <= 0 || early->failed < early->failures_max) return EVA_EARLY_NONE;
  if (early->rules.max_failure_share > 0) {
    snprintf(early->reason, sizeof early->reason, "stopped when %lld items had failed (max_failures = %g of all)",
             (long long)early->failed, early->rules.max_failure_share);
  } else {
    snprintf(early->reason, sizeof early->reason, "stopped when %lld items had failed (max_failures)",
             (long long)early->failed);
  }
  return EVA_EARLY_FAILURES;
}

static eva_early decide_stops(eva_early_end *early, const eva_result_head *head) {
  if (head->stop_reason.data) early->stops_in_a_row++;
  else if (head->status == EVA_STATUS_OK) early->stops_in_a_row = 0;
  if (!head->stop_reason.data || early->stops_in_a_row < EVA_STOPS_IN_A_ROW) return EVA_EARLY_NONE;
  snprintf(early->reason, sizeof early->reason, "stopped after %d items in a row met what every item would meet: %.*s",
           early->stops_in_a_row, (int)(head->stop_reason.len < 300 ? head->stop_reason.len : 300),
           head->stop_reason.data);
  return EVA_EARLY_STOPS;
}

static eva_early decide_budget(eva_early_end *early) {
  const eva_early_rules *rules = &early->rules;
  if (rules->run_tokens > 0 && early->tokens > (double)rules->run_tokens) {
    snprintf(early->reason, sizeof early->reason,
             "the budget of the run is spent: %.0f tokens, the limit (run_tokens) is %lld", early->tokens,
             (long long)rules->run_tokens);
    return EVA_EARLY_BUDGET;
  }
  if (rules->run_cost > 0 && early->cost > rules->run_cost) {
    snprintf(early->reason, sizeof early->reason, "the budget of the run is spent: cost %g, the limit (run_cost) is %g",
             early->cost, rules->run_cost);
    return EVA_EARLY_BUDGET;
  }
  return EVA_EARLY_NONE;
}

int64_t eva_early_room(const eva_early_end *early) {
  if (early->failures_max <= 0) return INT64_MAX;
  return early->failed < early->failures_max ? early->failures_max - early->failed - 1 : 0;
}

eva_early eva_early_note(eva_early_end *early, const eva_result_head *head, int is_final) {
  early->tokens += head->tokens;
  early->cost += head->cost;
  eva_early found = decide_budget(early);
  if (!is_final) return found;
  if (head->status != EVA_STATUS_OK) early->failed++;
  eva_early stops = decide_stops(early, head);
  if (found != EVA_EARLY_NONE) return found;
  if (stops != EVA_EARLY_NONE) return stops;
  return head->status == EVA_STATUS_OK ? EVA_EARLY_NONE : decide_failures(early);
}

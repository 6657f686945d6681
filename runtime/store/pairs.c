/* Two runs side by side. Runs of the same items walk in step by position; as soon as they part, both are read again
 * sorted by item id and merged, and the pairs are put back into item order. */
#include <stdlib.h>
#include <string.h>

#include "store/results.h"
#include "store/score_sets.h"
#include "store/store_private.h"

/* Columns: item id, its row, its place, the score, whether the score counts, the eva_failure; of a run with trials also
 * the status of the score and whether it passed. Every side has a literal of its own, because two of them run at the
 * same time. */
#define SCORED                                                                                                      \
  "SELECT s.item_id, s.item_key, s.position, c.score, "                                                             \
  "CASE WHEN c.status = 'ok' AND c.score IS NOT NULL THEN 1 ELSE 0 END, 0 "                                         \
  "FROM selections s LEFT JOIN scores c ON c.experiment_id = s.experiment_id AND c.position = s.position AND "      \
  "c.scorer_id = ?2 AND c.step_id = ?3 AND c.score_set = ?4 WHERE s.experiment_id = ?1 "
/* Whether a result did not pass, by the run's own scorers or by those of the set ?2. */
#define OWN_FAILS "r.passed = 0"
#define SET_FAILS                                                                                                   \
  "(SELECT MIN(p.passed) FROM scores p WHERE p.experiment_id = r.experiment_id AND p.position = r.position AND "    \
  "p.score_set = ?2) = 0"
#define PRESENT(FAILS)                                                                                              \
  "SELECT s.item_id, s.item_key, s.position, NULL, 0, "                                                             \
  "CASE r.status WHEN 'ok' THEN CASE WHEN " FAILS " THEN 1 ELSE 0 END "                                             \
  "WHEN 'timeout' THEN 3 WHEN 'limited' THEN 4 ELSE 2 END FROM results r JOIN selections s "                        \
  "ON s.experiment_id = r.experiment_id AND s.position = r.position "                                               \
  "WHERE r.experiment_id = ?1 AND r.status <> 'skipped' "
#define TRIALS                                                                                                      \
  "SELECT s.item_id, s.item_key, s.position, c.score, "                                                             \
  "CASE WHEN c.status = 'ok' AND c.score IS NOT NULL THEN 1 ELSE 0 END, "                                           \
  "CASE WHEN r.status IS NULL THEN -1 WHEN r.status = 'ok' THEN 0 ELSE 2 END, c.status, c.passed "                  \
  "FROM selections s LEFT JOIN results r ON r.experiment_id = s.experiment_id AND r.position = s.position "         \
  "LEFT JOIN scores c ON c.experiment_id = s.experiment_id AND c.position = s.position AND "                        \
  "c.scorer_id = ?2 AND c.step_id = ?3 AND c.score_set = ?4 WHERE s.experiment_id = ?1 "
#define BY_POSITION "ORDER BY s.position"
#define BY_ITEM "ORDER BY s.item_id, s.position"

enum { KIND_PRESENT, KIND_PRESENT_IN_SET, KIND_SCORED, KIND_TRIALS, KINDS };
/* [kind][sorted][candidate] */
static const char SQL_SIDES[KINDS][2][2][768] = {
    {{PRESENT(OWN_FAILS) BY_POSITION, PRESENT(OWN_FAILS) BY_POSITION},
     {PRESENT(OWN_FAILS) BY_ITEM, PRESENT(OWN_FAILS) BY_ITEM}},
    {{PRESENT(SET_FAILS) BY_POSITION, PRESENT(SET_FAILS) BY_POSITION},
     {PRESENT(SET_FAILS) BY_ITEM, PRESENT(SET_FAILS) BY_ITEM}},
    {{SCORED BY_POSITION, SCORED BY_POSITION}, {SCORED BY_ITEM, SCORED BY_ITEM}},
    {{TRIALS BY_POSITION, TRIALS BY_POSITION}, {TRIALS BY_ITEM, TRIALS BY_ITEM}},
};
static const char SQL_SAME_CONTENT[] =
    "SELECT COUNT(*) FROM items a CROSS JOIN items b WHERE a.item_key = ?1 AND b.item_key = ?2 AND a.input = b.input "
    "AND COALESCE(a.ground_truth, '') = COALESCE(b.ground_truth, '')";

/* One run being read: the item in hand, its trials reduced. */
typedef struct run_side {
  eva_statement *rows;
  int has_row;  /* the statement stands on the first trial of the next item */
  int has_item; /* the fields below are an item */
  eva_buf id;
  int64_t item_key;
  int64_t position; /* of the first trial */
  int kind;
  int scored;
  double score; /* the trials reduced */
  eva_failure failure; /* of the first trial that has one */
  int score_rows;      /* trials that the scorer has seen */
  eva_fold fold;
} run_side;

static int kind_of(const eva_pair_query *query, eva_text set, const run_side *side) {
  if (!query->scorer_id.data) return set.len > 0 ? KIND_PRESENT_IN_SET : KIND_PRESENT;
  return side->fold.reduction.trials > 1 ? KIND_TRIALS : KIND_SCORED;
}

static int is_present_kind(int kind) { return kind == KIND_PRESENT || kind == KIND_PRESENT_IN_SET; }

static eva_code open_side(eva_store *store, const eva_pair_query *query, int index, int sorted, run_side *side,
                          eva_error *error) {
  eva_scored_run run = eva_scored_run_of(query->ids[index]);
  side->fold.reduction = query->reductions[index];
  side->kind = kind_of(query, run.set, side);
  eva_code code = eva_store_prepare(store, SQL_SIDES[side->kind][sorted][index], &side->rows, error);
  if (code) return code;
  eva_bind_text(side->rows, 1, run.experiment);
  if (query->scorer_id.data) {
    eva_bind_text(side->rows, 2, query->scorer_id);
    eva_bind_text(side->rows, 3, query->step_id.data ? query->step_id : EVA_TEXT_LITERAL(""));
    eva_bind_text(side->rows, 4, eva_set_of_scorer(run.set, query->scorer_id));
  } else if (side->kind == KIND_PRESENT_IN_SET) {
    eva_bind_text(side->rows, 2, run.set);
  }
  return eva_step(side->rows, &side->has_row, error);
}

/* One row is one trial. */
static void add_trial(run_side *side) {
  enum { COLUMN_SCORE = 3, COLUMN_SCORED, COLUMN_FAILURE, COLUMN_STATUS, COLUMN_PASSED };
  int failure = (int)eva_column_int(side->rows, COLUMN_FAILURE);
  int scored = (int)eva_column_int(side->rows, COLUMN_SCORED);
  if (scored) eva_fold_score(&side->fold, eva_column_double(side->rows, COLUMN_SCORE));
  if (is_present_kind(side->kind)) {
    if (!side->failure) side->failure = (eva_failure)failure;
    eva_fold_trial(&side->fold, failure > EVA_FAILURE_NOT_PASSED, failure == EVA_FAILURE_NONE);
  } else if (side->kind == KIND_TRIALS) {
    int has_row = !eva_column_is_null(side->rows, COLUMN_STATUS);
    side->score_rows += has_row;
    if (has_row) {
      eva_fold_trial(&side->fold, 0,
                     eva_trial_passed(&side->fold, side->rows, COLUMN_STATUS, COLUMN_SCORE, COLUMN_PASSED));
    } else if (failure > 0) {
      eva_fold_trial(&side->fold, 1, 0);
    }
  }
}

/* The item as a whole, its trials reduced. */
static void end_item(run_side *side) {
  int has_say = side->kind != KIND_TRIALS || side->score_rows > 0 || side->fold.reduction.applies;
  side->scored = has_say && eva_fold_value(&side->fold, &side->score);
  if (!is_present_kind(side->kind) || side->fold.reduction.trials <= 1 || !side->failure) return;
  /* Of several trials some may fail: the item does when it did not pass as a whole, or none of them ran to its end. */
  int passed = eva_fold_passed(&side->fold);
  if (passed == 1) side->failure = EVA_FAILURE_NONE;
  else if (side->fold.failed < side->fold.seen) side->failure = EVA_FAILURE_NOT_PASSED;
}

/* Takes the next item with all its trials. */
static eva_code next_item(run_side *side, eva_error *error) {
  side->has_item = side->has_row;
  if (!side->has_row) return EVA_OK;
  eva_text id = eva_column_text(side->rows, 0);
  eva_buf_clear(&side->id);
  eva_buf_add(&side->id, id.data, id.len);
  side->item_key = eva_column_int(side->rows, 1);
  side->position = eva_column_int(side->rows, 2);
  side->failure = EVA_FAILURE_NONE;
  side->score_rows = 0;
  eva_fold_clear(&side->fold);
  do {
    add_trial(side);
    eva_code code = eva_step(side->rows, &side->has_row, error);
    if (code) return code;
  } while (side->has_row && eva_text_equal(eva_column_text(side->rows, 0), eva_buf_text(&side->id)));
  end_item(side);
  return EVA_OK;
}

static int compare_ids(const eva_buf *a, const eva_buf *b) {
  size_t common = a->len < b->len ? a->len : b->len;
  int order = memcmp(a->data, b->data, common);
  return order ? order : (a->len > b->len) - (a->len < b->len);
}

static eva_pair *add_pair(eva_pairs *pairs, const run_side *item, eva_pair_side side) {
  if (pairs->count == pairs->room) {
    pairs->room = pairs->room ? 2 * pairs->room : 256;
    pairs->list = eva_realloc(pairs->list, pairs->room * sizeof *pairs->list);
  }
  eva_pair *pair = &pairs->list[pairs->count++];
  memset(pair, 0, sizeof *pair);
  pair->id_start = pairs->ids.len;
  pair->id_len = item->id.len;
  pair->side = side;
  pair->position = item->position;
  eva_buf_add(&pairs->ids, item->id.data, item->id.len);
  return pair;
}

static void fill_baseline(eva_pair *pair, const run_side *item) {
  pair->baseline_key = item->item_key;
  pair->baseline_scored = item->scored;
  pair->baseline_failure = item->failure;
  pair->baseline = item->scored ? item->score : 0;
}

static void fill_candidate(eva_pair *pair, const run_side *item) {
  pair->candidate_key = item->item_key;
  pair->position = item->position;
  pair->candidate_scored = item->scored;
  pair->candidate_failure = item->failure;
  pair->candidate = item->scored ? item->score : 0;
}

/* Walks both sides; *parted = 1 when they are not sorted and met different items. */
static eva_code walk(run_side sides[2], int sorted, eva_pairs *pairs, int *parted, eva_error *error) {
  run_side *baseline = &sides[0], *candidate = &sides[1];
  eva_code code = next_item(baseline, error);
  if (!code) code = next_item(candidate, error);
  *parted = 0;
  while (!code && (baseline->has_item || candidate->has_item)) {
    int order = !baseline->has_item ? 1 : !candidate->has_item ? -1 : compare_ids(&baseline->id, &candidate->id);
    if (order != 0 && baseline->has_item && candidate->has_item && !sorted) {
      *parted = 1;
      return EVA_OK;
    }
    eva_pair_side side = order == 0 ? EVA_PAIR_BOTH : order < 0 ? EVA_PAIR_ONLY_BASELINE : EVA_PAIR_ONLY_CANDIDATE;
    eva_pair *pair = add_pair(pairs, order > 0 ? candidate : baseline, side);
    if (order <= 0) {
      fill_baseline(pair, baseline);
      code = next_item(baseline, error);
    }
    if (order >= 0) {
      fill_candidate(pair, candidate);
      if (!code) code = next_item(candidate, error);
    }
  }
  return code;
}

static eva_code load(eva_store *store, const eva_pair_query *query, int sorted, eva_pairs *pairs, int *parted,
                     eva_error *error) {
  run_side sides[2] = {{0}, {0}};
  eva_code code = EVA_OK;
  for (int index = 0; !code && index < 2; index++) code = open_side(store, query, index, sorted, &sides[index], error);
  if (!code) code = walk(sides, sorted, pairs, parted, error);
  for (int index = 0; index < 2; index++) {
    if (sides[index].rows) eva_reset(sides[index].rows);
    eva_buf_free(&sides[index].id);
    eva_fold_free(&sides[index].fold);
  }
  return code;
}

/* Marks the pairs whose item has another input or ground truth in the two runs. */
static eva_code mark_changed(eva_store *store, eva_pairs *pairs, eva_error *error) {
  eva_code code = EVA_OK;
  for (size_t index = 0; index < pairs->count; index++) {
    eva_pair *pair = &pairs->list[index];
    if (pair->side != EVA_PAIR_BOTH || pair->baseline_key == pair->candidate_key) continue;
    eva_statement *select = NULL;
    code = eva_store_prepare(store, SQL_SAME_CONTENT, &select, error);
    if (code) break;
    eva_bind_int(select, 1, pair->baseline_key);
    eva_bind_int(select, 2, pair->candidate_key);
    code = eva_step_one(select, error);
    if (code) break;
    pair->changed = eva_column_int(select, 0) == 0;
    eva_reset(select);
  }
  return code;
}

/* The candidate's items in its order, then those that only the baseline has in its own. */
static int compare_places(const void *left, const void *right) {
  const eva_pair *a = left, *b = right;
  int a_is_gone = a->side == EVA_PAIR_ONLY_BASELINE, b_is_gone = b->side == EVA_PAIR_ONLY_BASELINE;
  if (a_is_gone != b_is_gone) return a_is_gone - b_is_gone;
  return (a->position > b->position) - (a->position < b->position);
}

eva_code eva_pairs_load(eva_store *store, const eva_pair_query *query, eva_pairs *pairs, eva_error *error) {
  int parted = 0;
  pairs->count = 0;
  eva_buf_clear(&pairs->ids);
  eva_code code = load(store, query, 0, pairs, &parted, error);
  if (!code && parted) {
    pairs->count = 0;
    eva_buf_clear(&pairs->ids);
    code = load(store, query, 1, pairs, &parted, error);
    if (!code) qsort(pairs->list, pairs->count, sizeof *pairs->list, compare_places);
  }
  if (code) return code;
  eva_store_pin(store);
  code = mark_changed(store, pairs, error);
  eva_store_unpin(store);
  return code;
}

void eva_pairs_free(eva_pairs *pairs) {
  free(pairs->list);
  eva_buf_free(&pairs->ids);
  *pairs = (eva_pairs){0};
}

eva_text eva_pair_id(const eva_pairs *pairs, const eva_pair *pair) {
  return (eva_text){pairs->ids.data + pair->id_start, pair->id_len};
}

/* Runs: experiments, selections, jobs, results, scores, and two runs paired. */
#include "store_fixture.h"

#include <math.h>

#include "store/experiments.h"
#include "store/results.h"
#include "store/runs.h"

static eva_store *store;
static char dataset[EVA_UUID_TEXT_SIZE];
static eva_error error;

static int setup(void **state) {
  (void)state;
  store = open_store(":memory:");
  make_dataset(store, "tickets", dataset);
  SYNC(store, dataset, "a=1", "b=2", "c=3");
  SYNC(store, dataset, "c=3", "a=10", "d=4"); /* c moves before a, so it has a new row too */
  return 0;
}

static int teardown(void **state) {
  (void)state;
  eva_store_close(store);
  return 0;
}

typedef struct experiment {
  char id[EVA_UUID_TEXT_SIZE];
  int64_t number;
} experiment;

static experiment make_experiment(const char *name, const char *variant) {
  experiment made;
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT] = {[EVA_EXPERIMENT_NAME] = text_value(name)};
  if (variant) values[EVA_EXPERIMENT_VARIANT] = text_value(variant);
  assert_fine(eva_experiment_create(store, values, made.id, &made.number, &error));
  return made;
}

static int64_t fill(const experiment *run, int64_t version, int64_t limit, int trials) {
  int64_t count = 0;
  assert_fine(eva_selection_fill(store, run->id, dataset, version, limit, trials, &count, &error));
  return count;
}

static void add_job(void *context, const eva_job *job) {
  eva_text input = job->fields[EVA_ITEM_INPUT];
  eva_buf_printf(context, "%lld:%.*s/%d@%lld=%.*s ", (long long)job->position, (int)job->item_id.len,
                 job->item_id.data, job->trial, (long long)job->item_version, (int)input.len, input.data);
}

static const char *jobs(const experiment *run, int64_t after, int limit, eva_job_set set) {
  static eva_buf out;
  eva_buf_clear(&out);
  eva_buf_add_string(&out, "");
  assert_fine(eva_jobs_page(store, run->id, after, limit, set, add_job, &out, &error));
  return out.data;
}

static eva_result_row result_of(const experiment *run, int64_t position, const char *item, int trial) {
  return (eva_result_row){.experiment_id = run->id,
                          .position = position,
                          .item_id = eva_text_of(item),
                          .item_version = 2,
                          .trial = trial,
                          .status = "ok",
                          .passed = -1,
                          .output = EVA_TEXT_LITERAL("\"out\""),
                          .started_at_ms = 1763686801234,
                          .completed_at_ms = 1763686801236,
                          .latency_ms = 1.5};
}

static void add_scored(const experiment *run, int64_t position, const char *item, int trial, double score) {
  eva_result_row row = result_of(run, position, item, trial);
  eva_score_row score_row = {.experiment_id = run->id,
                             .item_id = eva_text_of(item),
                             .trial = trial,
                             .scorer_id = EVA_TEXT_LITERAL("exact"),
                             .has_score = !isnan(score),
                             .score = score,
                             .status = isnan(score) ? EVA_TEXT_LITERAL("unscored") : EVA_TEXT_LITERAL("ok"),
                             .passed = isnan(score) ? -1 : score >= 1,
                             .latency_ms = -1};
  assert_fine(eva_result_add(store, &row, &error));
  assert_fine(eva_score_add(store, &score_row, &error));
}

static void test_experiment(void **state) {
  (void)state;
  experiment first = make_experiment("qa", NULL), second = make_experiment("qa", "short");
  assert_int_equal(first.number, 1);
  assert_int_equal(second.number, 2);
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT] = {[EVA_EXPERIMENT_STATUS] = text_value("completed"),
                                                   [EVA_EXPERIMENT_VERDICT] = text_value("pass")};
  assert_fine(eva_experiment_update(store, first.id, values, &error));
  assert_code(EVA_E_NOT_FOUND, eva_experiment_update(store, "none", values, &error));
  values[EVA_EXPERIMENT_ID] = text_value(first.id);
  values[EVA_EXPERIMENT_NAME] = text_value("other");
  experiment third;
  assert_code(EVA_E_EXISTS, eva_experiment_create(store, values, third.id, &third.number, &error));
  values[EVA_EXPERIMENT_NAME] = (eva_value){0};
  assert_code(EVA_E_ARGUMENT, eva_experiment_create(store, values, third.id, &third.number, &error));
  eva_statement *rows = NULL;
  assert_fine(eva_experiment_select_number(store, 1, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_text_equal(eva_column_text(rows, EVA_EXPERIMENT_STATUS), eva_text_of("completed")));
  assert_true(eva_text_equal(eva_column_text(rows, EVA_EXPERIMENT_VERDICT), eva_text_of("pass")));
  assert_true(eva_text_equal(eva_column_text(rows, EVA_EXPERIMENT_NAME), eva_text_of("qa")));
  eva_reset(rows);
}

static int count_rows(eva_statement *rows) {
  int count = 0, row = 1;
  for (;; count++) {
    assert_fine(eva_step(rows, &row, &error));
    if (!row) return count;
  }
}

static void test_find_experiments(void **state) {
  (void)state;
  eva_statement *rows = NULL;
  experiment first = make_experiment("qa", NULL);
  make_experiment("qa", "short");
  make_experiment("other", NULL);
  eva_text none = EVA_TEXT_NONE;
  assert_fine(eva_experiment_list(store, none, none, none, &rows, &error));
  assert_int_equal(count_rows(rows), 3);
  assert_fine(eva_experiment_list(store, eva_text_of("qa"), none, none, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_int_equal(eva_column_int(rows, EVA_EXPERIMENT_NUMBER), 2); /* newest first */
  assert_fine(eva_experiment_list(store, eva_text_of("qa"), eva_text_of(""), none, &rows, &error));
  assert_int_equal(count_rows(rows), 1);
  assert_fine(eva_experiment_list(store, none, eva_text_of("short"), none, &rows, &error));
  assert_int_equal(count_rows(rows), 1);
  assert_fine(eva_experiment_select_prefix(store, (eva_text){first.id, 35}, &rows, &error));
  assert_int_equal(count_rows(rows), 1);
  assert_fine(eva_experiment_select_prefix(store, (eva_text){first.id, 36}, &rows, &error));
  assert_int_equal(count_rows(rows), 1);
  assert_fine(eva_experiment_select_prefix(store, eva_text_of("f0"), &rows, &error));
  assert_int_equal(count_rows(rows), 0);
}

static void test_status(void **state) {
  (void)state;
  experiment run = make_experiment("qa", NULL);
  eva_text running = EVA_TEXT_LITERAL("running");
  assert_true(eva_text_equal(eva_experiment_status(store, running, run.number), eva_text_of("interrupted")));
  assert_fine(eva_store_lock(store, run.number, &error));
  assert_true(eva_text_equal(eva_experiment_status(store, running, run.number), running));
  eva_store_unlock(store, run.number);
  eva_text done = EVA_TEXT_LITERAL("completed");
  assert_true(eva_text_equal(eva_experiment_status(store, done, run.number), done));
}

static void test_selection(void **state) {
  (void)state;
  experiment latest = make_experiment("qa", NULL), old = make_experiment("qa", NULL);
  experiment trials = make_experiment("qa", NULL), limited = make_experiment("qa", NULL);
  assert_int_equal(fill(&latest, 2, 0, 1), 3);
  assert_string_equal(jobs(&latest, 0, 10, 0), "1:c/1@2=3 2:a/1@2=10 3:d/1@2=4 ");
  assert_int_equal(fill(&old, 1, 0, 1), 3);
  assert_string_equal(jobs(&old, 0, 10, 0), "1:a/1@1=1 2:b/1@1=2 3:c/1@1=3 ");
  assert_string_equal(jobs(&old, 1, 1, 0), "2:b/1@1=2 ");
  assert_int_equal(fill(&trials, 2, 2, 2), 4);
  assert_string_equal(jobs(&trials, 0, 10, 0), "1:c/1@2=3 2:c/2@2=3 3:a/1@2=10 4:a/2@2=10 ");
  assert_int_equal(fill(&limited, 1, 2, 1), 2);
  assert_string_equal(jobs(&limited, 0, 10, 0), "1:a/1@1=1 2:b/1@1=2 ");
  int64_t count = 0;
  experiment none = make_experiment("qa", NULL);
  assert_code(EVA_E_NOT_FOUND, eva_selection_fill(store, none.id, dataset, 3, 0, 1, &count, &error));
  assert_says("no version 3");
  assert_code(EVA_E_ARGUMENT, eva_selection_fill(store, none.id, dataset, 2, 0, 0, &count, &error));
  assert_int_equal(fill(&none, 0, 0, 1), 0);
  SYNC(store, dataset, "x=1"); /* what was selected stays */
  assert_string_equal(jobs(&latest, 0, 10, 0), "1:c/1@2=3 2:a/1@2=10 3:d/1@2=4 ");
}

static void test_selection_ids(void **state) {
  (void)state;
  experiment run = make_experiment("qa", NULL), limited = make_experiment("qa", NULL);
  eva_text ids[] = {eva_text_of("d"), eva_text_of("c"), eva_text_of("d")};
  eva_text bad[] = {eva_text_of("d"), eva_text_of("b"), eva_text_of("zz")};
  int64_t count = 0;
  assert_fine(eva_selection_fill_ids(store, run.id, dataset, 2, ids, 3, 0, 2, &count, &error));
  assert_int_equal(count, 4);
  assert_string_equal(jobs(&run, 0, 10, 0), "1:c/1@2=3 2:c/2@2=3 3:d/1@2=4 4:d/2@2=4 ");
  assert_fine(eva_selection_fill_ids(store, limited.id, dataset, 2, ids, 3, 1, 1, &count, &error));
  assert_string_equal(jobs(&limited, 0, 10, 0), "1:c/1@2=3 ");
  assert_code(EVA_E_NOT_FOUND, eva_selection_fill_ids(store, limited.id, dataset, 2, bad, 3, 0, 1, &count, &error));
  assert_says("\"tickets\" version 2 has no item \"b\", \"zz\"");
}

static void test_results(void **state) {
  (void)state;
  experiment run = make_experiment("qa", NULL);
  fill(&run, 2, 0, 1);
  assert_fine(eva_store_begin(store, &error));
  add_scored(&run, 2, "a", 1, 1);
  eva_result_row again = result_of(&run, 2, "a", 1);
  assert_code(EVA_E_EXISTS, eva_result_add(store, &again, &error));
  assert_says("\"a\", trial 1");
  assert_fine(eva_store_commit(store, &error)); /* a refused row leaves the transaction as it was */
  assert_string_equal(jobs(&run, 0, 10, 1), "1:c/1@2=3 3:d/1@2=4 ");
  add_scored(&run, 1, "c", 1, 0);
  eva_result_row failed = result_of(&run, 3, "d", 1);
  failed.status = "error";
  failed.output = EVA_TEXT_NONE;
  failed.error = EVA_TEXT_LITERAL("{\"message\":\"no\"}");
  failed.latency_ms = -1;
  failed.started_at_ms = 0;
  assert_fine(eva_result_add(store, &failed, &error));
  assert_string_equal(jobs(&run, 0, 10, 1), "");

  eva_statement *rows = NULL;
  eva_result_query query = {.failed = -1};
  assert_fine(eva_result_list(store, run.id, &query, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_text_equal(eva_column_text(rows, 1), eva_text_of("c"))); /* item order, not the order of arrival */
  assert_true(eva_text_equal(eva_column_text(rows, 6), eva_text_of("3")));
  assert_true(eva_text_equal(eva_column_text(rows, 10), eva_text_of("2025-11-21T01:00:01.234Z")));
  assert_true(eva_column_double(rows, 12) == 1.5);
  assert_fine(eva_step_one(rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_column_is_null(rows, 8) && eva_column_is_null(rows, 10) && eva_column_is_null(rows, 12));
  assert_int_equal(count_rows(rows), 0);
  query.failed = 1;
  assert_fine(eva_result_list(store, run.id, &query, &rows, &error));
  assert_int_equal(count_rows(rows), 1);
  query.failed = 0;
  assert_fine(eva_result_list(store, run.id, &query, &rows, &error));
  assert_int_equal(count_rows(rows), 2);
  query = (eva_result_query){.failed = -1, .after = 1, .limit = 1};
  assert_fine(eva_result_list(store, run.id, &query, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_int_equal(eva_column_int(rows, 0), 2);
  query = (eva_result_query){.failed = -1, .item_id = eva_text_of("d")};
  assert_fine(eva_result_list(store, run.id, &query, &rows, &error));
  assert_int_equal(count_rows(rows), 1);
}

static void test_scores(void **state) {
  (void)state;
  experiment run = make_experiment("qa", NULL);
  fill(&run, 2, 0, 1);
  add_scored(&run, 1, "c", 1, 0.25);
  eva_score_row row = {.experiment_id = run.id,
                       .item_id = EVA_TEXT_LITERAL("c"),
                       .trial = 1,
                       .scorer_id = EVA_TEXT_LITERAL("exact"),
                       .status = EVA_TEXT_LITERAL("ok"),
                       .label = EVA_TEXT_LITERAL("x"),
                       .passed = -1};
  assert_code(EVA_E_EXISTS, eva_score_add(store, &row, &error));
  row.step_id = EVA_TEXT_LITERAL("fetch");
  assert_fine(eva_score_add(store, &row, &error));
  row.item_id = EVA_TEXT_LITERAL("d"); /* not the last result: found in the selection */
  assert_fine(eva_score_add(store, &row, &error));
  assert_int_equal(query_number(store, "SELECT position FROM scores WHERE item_id = 'd'"), 3);
  row.item_id = EVA_TEXT_LITERAL("zz");
  assert_code(EVA_E_NOT_FOUND, eva_score_add(store, &row, &error));
  eva_statement *rows = NULL;
  assert_fine(eva_score_list(store, run.id, 1, &rows, &error));
  assert_int_equal(count_rows(rows), 2);
  assert_fine(eva_score_values(store, run.id, eva_text_of("exact"), EVA_TEXT_NONE, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_column_double(rows, 1) == 0.25);
  assert_int_equal(count_rows(rows), 0);
  /* the same item in another experiment is not mistaken for the last result */
  experiment other = make_experiment("qa", NULL);
  fill(&other, 2, 0, 1);
  add_scored(&run, 2, "a", 1, 1);
  row.experiment_id = other.id;
  row.item_id = EVA_TEXT_LITERAL("a");
  assert_fine(eva_score_add(store, &row, &error));
}

static void test_attempts(void **state) {
  (void)state;
  experiment run = make_experiment("qa", NULL);
  eva_attempt_row row = {.experiment_id = run.id,
                         .item_id = EVA_TEXT_LITERAL("c"),
                         .trial = 1,
                         .attempt = 1,
                         .status = "timeout",
                         .started_at_ms = 5,
                         .latency_ms = 2};
  assert_fine(eva_attempt_add(store, &row, &error));
  assert_code(EVA_E_EXISTS, eva_attempt_add(store, &row, &error));
  row.attempt = 2;
  assert_fine(eva_attempt_add(store, &row, &error));
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM attempts"), 2);
}

static void add_position(void *context, int64_t position) { eva_buf_printf(context, "%lld ", (long long)position); }

static const char *positions(const experiment *run, eva_job_set set) {
  static eva_buf out;
  eva_buf_clear(&out);
  eva_buf_add_string(&out, "");
  assert_fine(eva_jobs_positions(store, run->id, set, add_position, &out, &error));
  return out.data;
}

/* A retried job: the old result becomes an attempt, its scores go, the new one stands in its place. */
static void test_replace(void **state) {
  (void)state;
  experiment run = make_experiment("qa", NULL);
  fill(&run, 2, 0, 1);
  eva_result_row failed = result_of(&run, 1, "c", 1);
  failed.status = "error";
  assert_fine(eva_result_add(store, &failed, &error));
  add_scored(&run, 2, "a", 1, 1);
  assert_string_equal(positions(&run, EVA_JOBS_ALL), "1 2 3 ");
  assert_string_equal(positions(&run, EVA_JOBS_MISSING), "3 ");
  assert_string_equal(positions(&run, EVA_JOBS_FAILED), "1 ");
  int64_t scores = query_number(store, "SELECT COUNT(*) FROM scores");
  assert_fine(eva_store_begin(store, &error));
  eva_attempt_row attempt = {.experiment_id = run.id, .item_id = EVA_TEXT_LITERAL("c"), .trial = 1, .status = "timeout"};
  assert_fine(eva_attempt_append(store, &attempt, &error));
  assert_fine(eva_attempt_append(store, &attempt, &error));
  eva_result_row fine = result_of(&run, 1, "c", 1), again = result_of(&run, 2, "a", 1);
  assert_fine(eva_result_replace(store, &fine, &error));
  assert_fine(eva_result_replace(store, &again, &error));
  assert_fine(eva_store_commit(store, &error));
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM attempts"), 4);
  assert_int_equal(query_number(store, "SELECT MAX(retry_count) FROM results"), 3);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM scores"), scores - 1);
  assert_string_equal(positions(&run, EVA_JOBS_FAILED), "");
  eva_result_row new_one = result_of(&run, 3, "d", 1);
  assert_fine(eva_result_replace(store, &new_one, &error)); /* nothing to replace is fine */
  assert_string_equal(positions(&run, EVA_JOBS_MISSING), "");
}

static const char *pairs_text(const experiment *baseline, const experiment *candidate, const char *scorer) {
  static eva_buf out;
  eva_pairs pairs = {0};
  eva_buf_clear(&out);
  eva_buf_add_string(&out, "");
  eva_pair_query query = {.ids = {baseline->id, candidate->id}, .scorer_id = eva_text_of(scorer)};
  assert_fine(eva_pairs_load(store, &query, &pairs, &error));
  for (size_t index = 0; index < pairs.count; index++) {
    const eva_pair *pair = &pairs.list[index];
    eva_text id = eva_pair_id(&pairs, pair);
    eva_buf_printf(&out, "%c%.*s%s", "=<>"[pair->side], (int)id.len, id.data, pair->changed ? "!" : "");
    if (pair->baseline_scored) eva_buf_printf(&out, " %g", pair->baseline);
    if (pair->candidate_scored) eva_buf_printf(&out, " %g", pair->candidate);
    eva_buf_add_string(&out, "; ");
  }
  eva_pairs_free(&pairs);
  return out.data;
}

static void test_pairs_in_step(void **state) {
  (void)state;
  experiment left = make_experiment("qa", NULL), right = make_experiment("qa", NULL);
  fill(&left, 2, 0, 2);
  fill(&right, 2, 0, 1);
  add_scored(&left, 1, "c", 1, 0);
  add_scored(&left, 2, "c", 2, 1);
  add_scored(&left, 3, "a", 1, 1);
  add_scored(&left, 4, "a", 2, NAN);
  add_scored(&right, 1, "c", 1, 1);
  add_scored(&right, 2, "a", 1, NAN);
  add_scored(&right, 3, "d", 1, 1);
  assert_string_equal(pairs_text(&left, &right, "exact"), "=c 0.5 1; =a 1; =d 1; ");
  assert_string_equal(pairs_text(&left, &right, NULL), "=c; =a; >d; ");
  assert_string_equal(pairs_text(&left, &right, "other"), "=c; =a; =d; ");
  assert_string_equal(pairs_text(&left, &left, "exact"), "=c 0.5 0.5; =a 1 1; =d; ");
}

static void test_pairs_failures(void **state) {
  (void)state;
  static const char *const statuses[] = {"ok", "timeout", "skipped"};
  experiment left = make_experiment("qa", NULL), right = make_experiment("qa", NULL);
  fill(&left, 2, 0, 1);
  fill(&right, 2, 0, 1);
  const char *items[] = {"c", "a", "d"};
  for (int index = 0; index < 3; index++) {
    eva_result_row row = result_of(&left, index + 1, items[index], 1);
    assert_fine(eva_result_add(store, &row, &error));
    row = result_of(&right, index + 1, items[index], 1);
    row.status = statuses[index];
    row.passed = index == 0 ? 0 : -1;
    assert_fine(eva_result_add(store, &row, &error));
  }
  eva_pairs pairs = {0};
  eva_pair_query query = {.ids = {left.id, right.id}};
  assert_fine(eva_pairs_load(store, &query, &pairs, &error));
  assert_int_equal(pairs.count, 3);
  assert_int_equal(pairs.list[0].candidate_failure, EVA_FAILURE_NOT_PASSED);
  assert_int_equal(pairs.list[0].baseline_failure, EVA_FAILURE_NONE);
  assert_int_equal(pairs.list[1].candidate_failure, EVA_FAILURE_TIMEOUT);
  assert_int_equal(pairs.list[2].side, EVA_PAIR_ONLY_BASELINE); /* skipped is no result */
  eva_pairs_free(&pairs);
}

/* The candidate's items in its order, then what only the baseline has. */
static void test_pairs_of_versions(void **state) {
  (void)state;
  experiment left = make_experiment("qa", NULL), right = make_experiment("qa", NULL);
  fill(&left, 1, 0, 1);  /* a b c */
  fill(&right, 2, 0, 1); /* c a d; a has another input */
  add_scored(&left, 1, "a", 1, 0.1);
  add_scored(&left, 2, "b", 1, 0.2);
  add_scored(&left, 3, "c", 1, 0.3);
  add_scored(&right, 1, "c", 1, 0.4);
  add_scored(&right, 2, "a", 1, 0.5);
  add_scored(&right, 3, "d", 1, 0.6);
  assert_string_equal(pairs_text(&left, &right, "exact"), "=c 0.3 0.4; =a! 0.1 0.5; >d 0.6; <b 0.2; ");
  assert_string_equal(pairs_text(&left, &right, NULL), "=c; =a!; >d; <b; ");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_STORE(test_experiment), WITH_STORE(test_find_experiments), WITH_STORE(test_status),
      WITH_STORE(test_selection),  WITH_STORE(test_selection_ids),    WITH_STORE(test_results),
      WITH_STORE(test_scores),     WITH_STORE(test_attempts),         WITH_STORE(test_pairs_in_step),
      WITH_STORE(test_replace),    WITH_STORE(test_pairs_failures),   WITH_STORE(test_pairs_of_versions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

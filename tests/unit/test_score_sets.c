/* Score sets and reviews in the store: which scores "ID@SET" means, what is left to score, and what people said. */
#include "store_fixture.h"

#include "store/experiments.h"
#include "store/results.h"
#include "store/reviews.h"
#include "store/runs.h"
#include "store/score_sets.h"

static eva_store *store;
static eva_error error;
static char id[EVA_UUID_TEXT_SIZE], id_of_set[EVA_UUID_TEXT_SIZE + 8];

static void add_result(int64_t position, const char *item, const char *status, int passed) {
  eva_result_row row = {.experiment_id = id,
                        .position = position,
                        .item_id = eva_text_of(item),
                        .item_version = 1,
                        .trial = 1,
                        .status = status,
                        .passed = passed,
                        .output = EVA_TEXT_LITERAL("\"out\""),
                        .usage = EVA_TEXT_LITERAL("{\"cost\":1}"),
                        .context = position == 1 ? EVA_TEXT_LITERAL("\"found\"") : EVA_TEXT_NONE,
                        .latency_ms = 1.5};
  assert_fine(eva_result_add(store, &row, &error));
}

static void add_score(const char *run, int64_t position, const char *item, double score) {
  eva_score_row row = {.experiment_id = run,
                       .position = position,
                       .item_id = eva_text_of(item),
                       .trial = 1,
                       .scorer_id = EVA_TEXT_LITERAL("exact"),
                       .has_score = 1,
                       .score = score,
                       .status = EVA_TEXT_LITERAL("ok"),
                       .passed = score >= 1,
                       .latency_ms = -1};
  assert_fine(eva_score_add(store, &row, &error));
}

/* A run over a, b, c, d: a and b are fine and scored 0 and 1, c failed, d was skipped. */
static int setup(void **state) {
  (void)state;
  char dataset[EVA_UUID_TEXT_SIZE];
  int64_t number = 0, count = 0;
  store = open_store(":memory:");
  make_dataset(store, "letters", dataset);
  SYNC(store, dataset, "a=1", "b=2", "c=3", "d=4");
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT] = {[EVA_EXPERIMENT_NAME] = text_value("qa")};
  assert_fine(eva_experiment_create(store, values, id, &number, &error));
  assert_fine(eva_selection_fill(store, id, dataset, 1, 0, 1, &count, &error));
  snprintf(id_of_set, sizeof id_of_set, "%s@again", id);
  add_result(1, "a", "ok", 0);
  add_result(2, "b", "ok", 1);
  add_result(3, "c", "error", 0);
  add_result(4, "d", "skipped", -1);
  add_score(id, 1, "a", 0);
  add_score(id, 2, "b", 1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  eva_store_close(store);
  return 0;
}

static void test_names(void **state) {
  (void)state;
  eva_scored_run run = eva_scored_run_of("abc@set");
  assert_true(eva_text_equal(run.experiment, eva_text_of("abc")) && eva_text_equal(run.set, eva_text_of("set")));
  run = eva_scored_run_of("abc");
  assert_true(eva_text_equal(run.experiment, eva_text_of("abc")) && run.set.len == 0);
  assert_true(eva_is_human_scorer(eva_text_of("human/ann")));
  assert_false(eva_is_human_scorer(eva_text_of("human/")) || eva_is_human_scorer(eva_text_of("humanist")));
  assert_int_equal(eva_set_of_scorer(eva_text_of("set"), eva_text_of("human/ann")).len, 0);
  eva_value values[EVA_EXPERIMENT_COLUMN_COUNT] = {[EVA_EXPERIMENT_NAME] = text_value("x"),
                                                   [EVA_EXPERIMENT_ID] = text_value("a@b")};
  char other[EVA_UUID_TEXT_SIZE];
  int64_t number = 0;
  assert_code(EVA_E_ARGUMENT, eva_experiment_create(store, values, other, &number, &error));
  assert_says("@");
}

static void add_job(void *context, const eva_job *job) {
  eva_text item_context = job->fields[EVA_ITEM_CONTEXT], output = job->fields[EVA_ITEM_OUTPUT];
  eva_text usage = job->result[EVA_JOB_RESULT_USAGE], latency = job->result[EVA_JOB_RESULT_LATENCY];
  eva_buf_printf(context, "%.*s %.*s %.*s %.*s %.*s; ", (int)job->item_id.len, job->item_id.data, (int)output.len,
                 output.data, (int)item_context.len, item_context.data ? item_context.data : "", (int)usage.len,
                 usage.data ? usage.data : "", (int)latency.len, latency.data ? latency.data : "");
}

static void add_position(void *context, int64_t position) { eva_buf_printf(context, "%lld ", (long long)position); }

static const char *unscored(eva_job_set set) {
  static eva_buf out;
  eva_buf_clear(&out);
  eva_buf_add_string(&out, "");
  assert_fine(eva_jobs_positions(store, id_of_set, set, add_position, &out, &error));
  return out.data;
}

static void test_jobs(void **state) {
  (void)state;
  eva_buf out = {0};
  assert_fine(eva_jobs_page(store, id_of_set, 0, 10, EVA_JOBS_UNSCORED, add_job, &out, &error));
  assert_string_equal(out.data, "a \"out\" \"found\" {\"cost\":1} 1.5; b \"out\"  {\"cost\":1} 1.5; ");
  eva_buf_free(&out);
  assert_string_equal(unscored(EVA_JOBS_UNSCORED), "1 2 ");
  assert_string_equal(unscored(EVA_JOBS_UNSCORED_ANY), "1 2 3 ");
  assert_string_equal(unscored(EVA_JOBS_ALL), "1 2 3 4 ");
  add_score(id_of_set, 2, "b", 0);
  assert_string_equal(unscored(EVA_JOBS_UNSCORED), "1 ");
  assert_code(EVA_E_ARGUMENT, eva_jobs_positions(store, id, EVA_JOBS_UNSCORED, add_position, NULL, &error));
  assert_code(EVA_E_ARGUMENT, eva_jobs_positions(store, id_of_set, EVA_JOBS_FAILED, add_position, NULL, &error));
}

/* "status passed count" of each group. */
static const char *counts_of(const char *run) {
  static const char *const statuses[] = {"error", "ok", "skipped"};
  static eva_buf out;
  eva_buf_clear(&out);
  for (int group = 0; group < 9; group++) {
    const char *status = statuses[group / 3];
    int passed = group % 3 - 1, count = 0;
    eva_statement *rows = NULL;
    assert_fine(eva_trial_list(store, run, &rows, &error));
    for (int row = 1;;) {
      assert_fine(eva_step(rows, &row, &error));
      if (!row) break;
      int its = eva_column_is_null(rows, 2) ? -1 : (int)eva_column_int(rows, 2);
      count += its == passed && strcmp(eva_column_text(rows, 1).data, status) == 0;
    }
    if (count > 0) eva_buf_printf(&out, "%s %d %d; ", status, passed, count);
  }
  return out.data;
}

static void test_scores_of_a_set(void **state) {
  (void)state;
  add_score(id_of_set, 1, "a", 1);
  add_score(id_of_set, 2, "b", 1);
  assert_string_equal(counts_of(id), "error 0 1; ok 0 1; ok 1 1; skipped -1 1; ");
  assert_string_equal(counts_of(id_of_set), "error 0 1; ok 1 2; skipped -1 1; ");
  eva_pair_query query = {.ids = {id, id_of_set}, .scorer_id = EVA_TEXT_LITERAL("exact")};
  eva_pairs pairs = {0};
  assert_fine(eva_pairs_load(store, &query, &pairs, &error));
  assert_true(pairs.list[0].baseline == 0 && pairs.list[0].candidate == 1 && pairs.list[1].candidate == 1);
  query.scorer_id = EVA_TEXT_NONE;
  assert_fine(eva_pairs_load(store, &query, &pairs, &error));
  assert_int_equal(pairs.list[0].baseline_failure, EVA_FAILURE_NOT_PASSED);
  assert_int_equal(pairs.list[0].candidate_failure, EVA_FAILURE_NONE);
  eva_pairs_free(&pairs);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM scores WHERE score_set = 'again' AND scored_at LIKE '%Z'"),
                   2);
}

static void answer(int64_t position, const char *item, const char *scorer, double score, eva_code wanted) {
  eva_value values[EVA_ANSWER_COLUMN_COUNT] = {{.type = 'i', .integer = position}, text_value(item),
                                               {.type = 'i', .integer = 1},        text_value(scorer),
                                               text_value("ok"),                   {.type = 'd', .number = score}};
  assert_code(wanted, eva_answer_put(store, id, values, &error));
}

static void test_answers(void **state) {
  (void)state;
  answer(1, "a", "human/ann", 0.5, EVA_OK);
  answer(1, "a", "human/ann", 1, EVA_OK);
  answer(1, "a", "exact", 1, EVA_E_ARGUMENT);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM scores WHERE scorer_id = 'human/ann' AND score = 1"), 1);
  /* a machine's score under such a name is never written over */
  assert_fine(eva_db_execute(eva_store_db(store), "UPDATE scores SET source = NULL WHERE scorer_id = 'human/ann'",
                             &error));
  answer(1, "a", "human/ann", 0, EVA_E_STATE);
  assert_says("left as it is");
  assert_fine(eva_answer_remove(store, id, 1, eva_text_of("human/ann"), &error));
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM scores WHERE scorer_id = 'human/ann' AND score = 1"), 1);
}

/* They are read with every set; a result that is replaced keeps them aside. */
static void test_answers_and_sets(void **state) {
  (void)state;
  answer(3, "c", "human/ann", 0.25, EVA_OK);
  eva_statement *rows = NULL;
  assert_fine(eva_score_values(store, id_of_set, EVA_TEXT_LITERAL("human/ann"), EVA_TEXT_NONE, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_column_double(rows, 1) == 0.25);
  eva_reset(rows);
  assert_fine(eva_score_list(store, id_of_set, 3, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  eva_reset(rows);
  eva_value review[EVA_REVIEW_COLUMN_COUNT] = {{.type = 'i', .integer = 3}, text_value("c"),
                                               {.type = 'i', .integer = 1}, text_value("complete")};
  assert_fine(eva_review_put(store, id, review, &error));
  eva_result_row row = {.experiment_id = id, .position = 3, .item_id = EVA_TEXT_LITERAL("c"), .item_version = 1,
                        .trial = 1, .status = "ok", .passed = 1, .output = EVA_TEXT_LITERAL("1")};
  assert_fine(eva_result_replace(store, &row, &error));
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM scores WHERE score_set = 'attempt 1'"), 1);
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM reviews WHERE state = 'needs_review'"), 1);
  assert_fine(eva_score_list(store, id, 3, &rows, &error));
  assert_int_equal(eva_step_one(rows, &error), EVA_E_NOT_FOUND);
}

static void test_records(void **state) {
  (void)state;
  eva_value values[EVA_SCORE_SET_COLUMN_COUNT] = {[0] = text_value("again"), [2] = text_value("[]"),
                                                  [4] = {.type = 'i', .integer = 2}};
  assert_fine(eva_score_set_create(store, id, values, &error));
  assert_code(EVA_E_EXISTS, eva_score_set_create(store, id, values, &error));
  add_score(id_of_set, 1, "a", 1);
  assert_fine(eva_score_set_update(store, id, eva_text_of("again"), eva_text_of("incomplete"), 2, EVA_TEXT_NONE, &error));
  assert_code(EVA_E_NOT_FOUND,
              eva_score_set_update(store, id, eva_text_of("no"), eva_text_of("complete"), 2, EVA_TEXT_NONE, &error));
  eva_statement *rows = NULL;
  assert_fine(eva_score_set_list(store, id, &rows, &error));
  assert_fine(eva_step_one(rows, &error));
  assert_true(eva_text_equal(eva_column_text(rows, 1), eva_text_of("incomplete")));
  assert_int_equal(eva_column_int(rows, EVA_SCORE_SET_COLUMN_COUNT - 1), 1);
  eva_reset(rows);
  assert_fine(eva_reviewer_put(store, id, eva_text_of("ann"), eva_text_of("{}"), &error));
  assert_fine(eva_reviewer_put(store, id, eva_text_of("ann"), eva_text_of("{\"low\":1}"), &error));
  assert_int_equal(query_number(store, "SELECT COUNT(*) FROM reviewers WHERE options = '{\"low\":1}'"), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_STORE(test_names),   WITH_STORE(test_jobs),             WITH_STORE(test_scores_of_a_set),
      WITH_STORE(test_answers), WITH_STORE(test_answers_and_sets), WITH_STORE(test_records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

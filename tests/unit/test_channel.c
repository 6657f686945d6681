/* Frames: what goes in comes out, in any pieces; what is cut, oversize or of another version is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/channel.h"

/* The bytes in a block of exactly their size, so that a sanitizer sees reads behind it. */
static eva_buf exact_copy(const eva_buf *from, size_t len) {
  eva_buf copy = {eva_alloc(len ? len : 1), len, len};
  if (len) memcpy(copy.data, from->data, len);
  return copy;
}

static void check_text(eva_text actual, eva_text expected) {
  assert_true((actual.data == NULL) == (expected.data == NULL));
  assert_true(eva_text_equal(actual, expected));
}

static void check_f64(double actual, double expected) { assert_memory_equal(&actual, &expected, sizeof actual); }

/* ==== Values ==== */

static void values_round_trip(void **state) {
  (void)state;
  static const double numbers[] = {0.0, -0.0, 5e-324, 0.1 + 0.2, 1.7976931348623157e308, INFINITY, -INFINITY, NAN};
  static const int64_t integers[] = {0, -1, INT64_MIN, INT64_MAX, 9007199254740993};
  eva_buf out = {0};
  size_t offset = eva_frame_begin(&out, EVA_FRAME_RESULT);
  eva_put_u8(&out, 255);
  eva_put_u32(&out, UINT32_MAX);
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) eva_put_i64(&out, integers[i]);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) eva_put_f64(&out, numbers[i]);
  eva_put_text(&out, EVA_TEXT_NONE);
  eva_put_text(&out, EVA_TEXT_LITERAL(""));
  eva_put_text(&out, EVA_TEXT_LITERAL("a\0b\xff"));
  eva_frame_end(&out, offset);

  eva_frame_type type;
  eva_cursor payload;
  assert_int_equal(eva_frame_next(&out, 0, &type, &payload), out.len);
  assert_int_equal(type, EVA_FRAME_RESULT);
  assert_int_equal(eva_get_u8(&payload), 255);
  assert_true(eva_get_u32(&payload) == UINT32_MAX);
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) assert_true(eva_get_i64(&payload) == integers[i]);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) check_f64(eva_get_f64(&payload), numbers[i]);
  check_text(eva_get_text(&payload), EVA_TEXT_NONE);
  check_text(eva_get_text(&payload), EVA_TEXT_LITERAL(""));
  check_text(eva_get_text(&payload), EVA_TEXT_LITERAL("a\0b\xff"));
  assert_false(payload.bad);
  assert_ptr_equal(payload.at, payload.end);
  eva_buf_free(&out);
}

static void an_empty_frame(void **state) {
  (void)state;
  eva_buf out = {0};
  eva_frame_type type;
  eva_cursor payload;
  eva_frame_end(&out, eva_frame_begin(&out, EVA_FRAME_HOLD));
  assert_int_equal(out.len, EVA_FRAME_HEADER);
  assert_int_equal(eva_frame_next(&out, 0, &type, &payload), EVA_FRAME_HEADER);
  assert_int_equal(type, EVA_FRAME_HOLD);
  assert_ptr_equal(payload.at, payload.end);
  eva_buf_free(&out);
}

static void past_the_end_everything_is_zero(void **state) {
  (void)state;
  char bytes[3] = {1, 2, 3};
  eva_cursor payload = {bytes, bytes + sizeof bytes, 0};
  assert_int_equal(eva_get_u32(&payload), 0);
  assert_true(payload.bad);
  assert_int_equal(eva_get_u8(&payload), 0); /* not the bytes that were left */
  assert_true(eva_get_i64(&payload) == 0);
  check_f64(eva_get_f64(&payload), 0);
  check_text(eva_get_text(&payload), EVA_TEXT_NONE);
  assert_true(payload.bad);
}

static void a_text_longer_than_its_payload_is_bad(void **state) {
  (void)state;
  static const uint32_t lengths[] = {4, 5, 0x7fffffff, 0xfffffffe};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    eva_buf out = {0};
    eva_put_u32(&out, lengths[i]);
    eva_buf_add(&out, "abc", 3);
    eva_buf copy = exact_copy(&out, out.len);
    eva_cursor payload = {copy.data, copy.data + copy.len, 0};
    check_text(eva_get_text(&payload), EVA_TEXT_NONE);
    assert_true(payload.bad);
    eva_buf_free(&copy);
    eva_buf_free(&out);
  }
}

/* ==== Frames ==== */

/* Three frames of different sizes, one after another. */
static void put_three(eva_buf *out) {
  for (uint32_t number = 1; number <= 3; number++) {
    size_t offset = eva_frame_begin(out, EVA_FRAME_FATAL);
    eva_put_u32(out, number);
    for (uint32_t i = 0; i < number * 7; i++) eva_put_u8(out, (uint8_t)i);
    eva_frame_end(out, offset);
  }
}

static void several_frames_follow_each_other(void **state) {
  (void)state;
  eva_buf out = {0};
  eva_buf_add_string(&out, "used already");
  size_t at = out.len;
  put_three(&out);
  for (uint32_t number = 1; number <= 3; number++) {
    eva_frame_type type;
    eva_cursor payload;
    int64_t size = eva_frame_next(&out, at, &type, &payload);
    assert_int_equal(size, EVA_FRAME_HEADER + 4 + number * 7);
    assert_int_equal(eva_get_u32(&payload), number);
    at += (size_t)size;
  }
  assert_int_equal(at, out.len);
  eva_frame_type type;
  eva_cursor payload;
  assert_int_equal(eva_frame_next(&out, at, &type, &payload), 0);
  eva_buf_free(&out);
}

/* However the bytes are cut, a frame is there when its last byte is, and not before. */
static void partial_frames_wait(void **state) {
  (void)state;
  eva_buf out = {0};
  put_three(&out);
  size_t at = 0;
  int frames = 0;
  for (size_t len = 0; len <= out.len; len++) {
    eva_buf part = exact_copy(&out, len);
    eva_frame_type type;
    eva_cursor payload;
    int64_t size = eva_frame_next(&part, at, &type, &payload);
    assert_true(size >= 0);
    if (size > 0) {
      assert_int_equal(at + (size_t)size, len); /* with this byte, not with a later one */
      assert_int_equal(eva_get_u32(&payload), ++frames);
      at = len;
    }
    eva_buf_free(&part);
  }
  assert_int_equal(frames, 3);
  eva_buf_free(&out);
}

static void another_version_is_refused(void **state) {
  (void)state;
  eva_buf out = {0};
  put_three(&out);
  eva_frame_type type;
  eva_cursor payload;
  static const uint8_t versions[] = {0, EVA_FRAME_VERSION + 1, 255};
  for (size_t i = 0; i < sizeof versions; i++) {
    out.data[5] = (char)versions[i];
    assert_int_equal(eva_frame_next(&out, 0, &type, &payload), -1);
    eva_buf header = exact_copy(&out, EVA_FRAME_HEADER); /* known from the header alone */
    assert_int_equal(eva_frame_next(&header, 0, &type, &payload), -1);
    eva_buf_free(&header);
  }
  eva_buf_free(&out);
}

static void an_oversize_frame_is_refused_from_its_header(void **state) {
  (void)state;
  static const struct {
    uint32_t len;
    int64_t expected;
  } cases[] = {{EVA_FRAME_MAX, 0}, {(uint32_t)EVA_FRAME_MAX + 1, -1}, {UINT32_MAX, -1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    eva_buf out = {0};
    eva_frame_type type;
    eva_cursor payload;
    eva_frame_begin(&out, EVA_FRAME_RESULT);
    memcpy(out.data, &cases[i].len, sizeof cases[i].len);
    eva_buf header = exact_copy(&out, EVA_FRAME_HEADER);
    assert_int_equal(eva_frame_next(&header, 0, &type, &payload), cases[i].expected);
    eva_buf_free(&header);
    eva_buf_free(&out);
  }
}

/* ==== Jobs ==== */

static eva_job_frame sample_job(void) {
  eva_job_frame frame = {.position = 1234567890123,
                         .attempt = 3,
                         .try_number = 2,
                         .interrupted_by = 1,
                         .job = {.position = 1234567890123,
                                 .item_id = EVA_TEXT_LITERAL("id \xf0\x9f\x98\x80"),
                                 .item_version = 7,
                                 .trial = 4}};
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) frame.job.fields[field] = EVA_TEXT_NONE;
  frame.job.fields[EVA_ITEM_INPUT] = EVA_TEXT_LITERAL("{\"a\":1}");
  frame.job.fields[EVA_ITEM_OUTPUT] = EVA_TEXT_LITERAL("");
  frame.job.fields[EVA_ITEM_SOURCE] = EVA_TEXT_LITERAL("\"x\\u0000\"");
  return frame;
}

static void jobs_round_trip(void **state) {
  (void)state;
  eva_job_frame sent = sample_job(), got;
  eva_buf out = {0};
  eva_frame_type type;
  eva_cursor payload;
  eva_put_job(&out, &sent);
  assert_int_equal(eva_frame_next(&out, 0, &type, &payload), out.len);
  assert_int_equal(type, EVA_FRAME_JOB);
  assert_true(eva_get_job(&payload, &got));
  assert_ptr_equal(payload.at, payload.end);
  assert_true(got.position == sent.position && got.job.position == sent.position);
  assert_int_equal(got.attempt, 3);
  assert_int_equal(got.try_number, 2);
  assert_int_equal(got.interrupted_by, 1);
  assert_int_equal(got.job.trial, 4);
  assert_int_equal(got.job.item_version, 7);
  check_text(got.job.item_id, sent.job.item_id);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) check_text(got.job.fields[field], sent.job.fields[field]);
  eva_buf_free(&out);
}

static void a_truncated_job_is_bad_wherever_it_ends(void **state) {
  (void)state;
  eva_job_frame sent = sample_job(), got;
  eva_buf out = {0};
  eva_put_job(&out, &sent);
  for (size_t len = 0; len < out.len - EVA_FRAME_HEADER; len++) {
    eva_buf whole = {out.data + EVA_FRAME_HEADER, len, len};
    eva_buf part = exact_copy(&whole, len);
    eva_cursor payload = {part.data, part.data + len, 0};
    assert_false(eva_get_job(&payload, &got));
    eva_buf_free(&part);
  }
  eva_buf_free(&out);
}

/* ==== Results ==== */

static eva_result_head sample_head(int passed) {
  return (eva_result_head){.position = 42,
                           .attempt = 5,
                           .trial = 2,
                           .item_version = 9,
                           .item_id = EVA_TEXT_LITERAL("t1"),
                           .status = EVA_STATUS_LIMITED,
                           .permanent = 1,
                           .passed = passed,
                           .output_repaired = 1,
                           .started_at_ms = 1790000000123,
                           .completed_at_ms = 1790000000456,
                           .latency_ms = 333.25,
                           .met_memory = 1,
                           .tokens = 1234,
                           .cost = 0.125,
                           .stop_reason = EVA_TEXT_LITERAL("bad key")};
}

static void result_heads_round_trip(void **state) {
  (void)state;
  for (int passed = -1; passed <= 1; passed++) {
    eva_result_head sent = sample_head(passed), got;
    eva_buf out = {0};
    eva_put_result_head(&out, &sent);
    eva_cursor payload = {out.data, out.data + out.len, 0};
    eva_get_result_head(&payload, &got);
    assert_false(payload.bad);
    assert_ptr_equal(payload.at, payload.end);
    assert_true(got.position == 42 && got.attempt == 5 && got.trial == 2 && got.item_version == 9);
    assert_true(got.status == EVA_STATUS_LIMITED && got.permanent == 1 && got.output_repaired == 1);
    assert_int_equal(got.passed, passed);
    assert_true(got.started_at_ms == sent.started_at_ms && got.completed_at_ms == sent.completed_at_ms);
    check_f64(got.latency_ms, 333.25);
    assert_int_equal(got.met_memory, 1);
    check_f64(got.tokens, 1234);
    check_f64(got.cost, 0.125);
    check_text(got.stop_reason, EVA_TEXT_LITERAL("bad key"));
    check_text(got.item_id, sent.item_id);
    for (size_t len = 0; len < out.len; len++) {
      eva_buf part = exact_copy(&out, len);
      eva_cursor cut = {part.data, part.data + len, 0};
      eva_get_result_head(&cut, &got);
      assert_true(cut.bad);
      eva_buf_free(&part);
    }
    eva_buf_free(&out);
  }
}

static void scores_round_trip(void **state) {
  (void)state;
  eva_score_row rows[] = {
      {.scorer_id = EVA_TEXT_LITERAL("exact"), .scorer_name = EVA_TEXT_LITERAL("Exact"), .has_score = 1, .score = 0.1,
       .status = EVA_TEXT_LITERAL("ok"), .passed = 1, .latency_ms = 1.5},
      {.scorer_id = EVA_TEXT_LITERAL("s"), .step_id = EVA_TEXT_LITERAL("fetch"), .label = EVA_TEXT_LITERAL(""),
       .reason = EVA_TEXT_LITERAL("why"), .error = EVA_TEXT_LITERAL("{}"), .metadata = EVA_TEXT_LITERAL("[]"),
       .status = EVA_TEXT_LITERAL("error"), .passed = -1, .latency_ms = -1},
  };
  eva_buf out = {0};
  for (size_t i = 0; i < 2; i++) eva_put_score(&out, &rows[i]);
  eva_cursor payload = {out.data, out.data + out.len, 0};
  for (size_t i = 0; i < 2; i++) {
    eva_score_row got = {0};
    eva_get_score(&payload, &got);
    assert_false(payload.bad);
    check_text(got.scorer_id, rows[i].scorer_id);
    check_text(got.scorer_name, rows[i].scorer_name);
    check_text(got.step_id, rows[i].step_id);
    check_text(got.label, rows[i].label);
    check_text(got.reason, rows[i].reason);
    check_text(got.error, rows[i].error);
    check_text(got.status, rows[i].status);
    check_text(got.metadata, rows[i].metadata);
    assert_int_equal(got.has_score, rows[i].has_score);
    assert_int_equal(got.passed, rows[i].passed);
    check_f64(got.score, rows[i].score);
    check_f64(got.latency_ms, rows[i].latency_ms);
  }
  assert_ptr_equal(payload.at, payload.end);
  eva_buf_free(&out);
}

static void statuses_have_names(void **state) {
  (void)state;
  assert_string_equal(eva_status_name(EVA_STATUS_OK), "ok");
  assert_string_equal(eva_status_name(EVA_STATUS_ERROR), "error");
  assert_string_equal(eva_status_name(EVA_STATUS_TIMEOUT), "timeout");
  assert_string_equal(eva_status_name(EVA_STATUS_LIMITED), "limited");
  assert_string_equal(eva_status_name((eva_status)200), "error"); /* a byte that came over the wire */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_round_trip),
      cmocka_unit_test(an_empty_frame),
      cmocka_unit_test(past_the_end_everything_is_zero),
      cmocka_unit_test(a_text_longer_than_its_payload_is_bad),
      cmocka_unit_test(several_frames_follow_each_other),
      cmocka_unit_test(partial_frames_wait),
      cmocka_unit_test(another_version_is_refused),
      cmocka_unit_test(an_oversize_frame_is_refused_from_its_header),
      cmocka_unit_test(jobs_round_trip),
      cmocka_unit_test(a_truncated_job_is_bad_wherever_it_ends),
      cmocka_unit_test(result_heads_round_trip),
      cmocka_unit_test(scores_round_trip),
      cmocka_unit_test(statuses_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

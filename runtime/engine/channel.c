/* Frames between the coordinator and a worker; see channel.h. */
#include "engine/channel.h"

#include <string.h>

static const uint32_t NO_TEXT = UINT32_MAX;

size_t eva_frame_begin(eva_buf *out, eva_frame_type type) {
  size_t offset = out->len;
  char header[EVA_FRAME_HEADER] = {0};
  header[4] = (char)type;
  header[5] = EVA_FRAME_VERSION;
  eva_buf_add(out, header, sizeof header);
  return offset;
}

void eva_frame_end(eva_buf *out, size_t offset) {
  uint32_t len = (uint32_t)(out->len - offset - EVA_FRAME_HEADER);
  memcpy(out->data + offset, &len, sizeof len);
}

void eva_put_u8(eva_buf *out, uint8_t value) { eva_buf_add(out, &value, sizeof value); }
void eva_put_u32(eva_buf *out, uint32_t value) { eva_buf_add(out, &value, sizeof value); }
void eva_put_i64(eva_buf *out, int64_t value) { eva_buf_add(out, &value, sizeof value); }
void eva_put_f64(eva_buf *out, double value) { eva_buf_add(out, &value, sizeof value); }

void eva_put_text(eva_buf *out, eva_text text) {
  eva_put_u32(out, text.data ? (uint32_t)text.len : NO_TEXT);
  if (text.data) eva_buf_add(out, text.data, text.len);
}

static void get_bytes(eva_cursor *cursor, void *value, size_t size) {
  if ((size_t)(cursor->end - cursor->at) < size) {
    memset(value, 0, size);
    cursor->bad = 1;
    cursor->at = cursor->end;
    return;
  }
  memcpy(value, cursor->at, size);
  cursor->at += size;
}

uint8_t eva_get_u8(eva_cursor *cursor) {
  uint8_t value;
  get_bytes(cursor, &value, sizeof value);
  return value;
}

uint32_t eva_get_u32(eva_cursor *cursor) {
  uint32_t value;
  get_bytes(cursor, &value, sizeof value);
  return value;
}

int64_t eva_get_i64(eva_cursor *cursor) {
  int64_t value;
  get_bytes(cursor, &value, sizeof value);
  return value;
}

double eva_get_f64(eva_cursor *cursor) {
  double value;
  get_bytes(cursor, &value, sizeof value);
  return value;
}

eva_text eva_get_text(eva_cursor *cursor) {
  uint32_t len = eva_get_u32(cursor);
  if (cursor->bad || len == NO_TEXT) return EVA_TEXT_NONE;
  if ((size_t)(cursor->end - cursor->at) < len) {
    cursor->bad = 1;
    return EVA_TEXT_NONE;
  }
  eva_text text = {cursor->at, len};
  cursor->at += len;
  return text;
}

int64_t eva_frame_next(const eva_buf *in, size_t from, eva_frame_type *type, eva_cursor *payload) {
  if (in->len - from < EVA_FRAME_HEADER) return 0;
  const char *header = in->data + from;
  uint32_t len;
  memcpy(&len, header, sizeof len);
  if (header[5] != EVA_FRAME_VERSION || len > EVA_FRAME_MAX) return -1;
  if (in->len - from - EVA_FRAME_HEADER < len) return 0;
  *type = (eva_frame_type)header[4];
  *payload = (eva_cursor){header + EVA_FRAME_HEADER, header + EVA_FRAME_HEADER + len, 0};
  return (int64_t)len + EVA_FRAME_HEADER;
}

/* ==== Jobs ==== */

void eva_put_job(eva_buf *out, const eva_job_frame *frame) {
  size_t offset = eva_frame_begin(out, EVA_FRAME_JOB);
  eva_put_i64(out, frame->position);
  eva_put_u32(out, (uint32_t)frame->attempt);
  eva_put_u32(out, (uint32_t)frame->try_number);
  eva_put_u32(out, (uint32_t)frame->interrupted_by);
  eva_put_u32(out, (uint32_t)frame->target_retries);
  eva_put_u32(out, (uint32_t)frame->job.trial);
  eva_put_i64(out, frame->job.item_version);
  eva_put_text(out, frame->job.item_id);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) eva_put_text(out, frame->job.fields[field]);
  eva_put_u8(out, (uint8_t)frame->job.has_result);
  for (int part = 0; frame->job.has_result && part < EVA_JOB_RESULT_COUNT; part++) {
    eva_put_text(out, frame->job.result[part]);
  }
  eva_frame_end(out, offset);
}

int eva_get_job(eva_cursor *payload, eva_job_frame *frame) {
  frame->position = eva_get_i64(payload);
  frame->attempt = (int)eva_get_u32(payload);
  frame->try_number = (int)eva_get_u32(payload);
  frame->interrupted_by = (int)eva_get_u32(payload);
  frame->target_retries = (int)eva_get_u32(payload);
  frame->job.position = frame->position;
  frame->job.trial = (int)eva_get_u32(payload);
  frame->job.item_version = eva_get_i64(payload);
  frame->job.item_id = eva_get_text(payload);
  for (int field = 0; field < EVA_ITEM_FIELD_COUNT; field++) frame->job.fields[field] = eva_get_text(payload);
  frame->job.has_result = eva_get_u8(payload);
  for (int part = 0; part < EVA_JOB_RESULT_COUNT; part++) {
    frame->job.result[part] = frame->job.has_result ? eva_get_text(payload) : EVA_TEXT_NONE;
  }
  return !payload->bad;
}

/* ==== Results ==== */

const char *eva_status_name(eva_status status) {
  static const char *const names[] = {"ok", "error", "timeout", "limited"};
  return (unsigned)status < sizeof names / sizeof *names ? names[status] : "error";
}

void eva_put_result_head(eva_buf *out, const eva_result_head *head) {
  eva_put_i64(out, head->position);
  eva_put_u32(out, (uint32_t)head->attempt);
  eva_put_u32(out, (uint32_t)head->trial);
  eva_put_i64(out, head->item_version);
  eva_put_text(out, head->item_id);
  eva_put_u8(out, (uint8_t)head->status);
  eva_put_u8(out, (uint8_t)head->permanent);
  eva_put_u8(out, (uint8_t)(head->passed + 1));
  eva_put_u8(out, (uint8_t)head->output_repaired);
  eva_put_i64(out, head->started_at_ms);
  eva_put_i64(out, head->completed_at_ms);
  eva_put_f64(out, head->latency_ms);
  eva_put_u8(out, (uint8_t)head->met_memory);
  eva_put_f64(out, head->tokens);
  eva_put_f64(out, head->cost);
  eva_put_text(out, head->stop_reason);
  eva_put_u8(out, (uint8_t)head->is_deferred);
  eva_put_f64(out, head->retry_after_ms);
  eva_put_u32(out, (uint32_t)head->cache_hits);
  eva_put_u32(out, (uint32_t)head->cache_misses);
}

void eva_get_result_head(eva_cursor *payload, eva_result_head *head) {
  head->position = eva_get_i64(payload);
  head->attempt = (int)eva_get_u32(payload);
  head->trial = (int)eva_get_u32(payload);
  head->item_version = eva_get_i64(payload);
  head->item_id = eva_get_text(payload);
  head->status = (eva_status)eva_get_u8(payload);
  head->permanent = eva_get_u8(payload);
  head->passed = (int)eva_get_u8(payload) - 1;
  head->output_repaired = eva_get_u8(payload);
  head->started_at_ms = eva_get_i64(payload);
  head->completed_at_ms = eva_get_i64(payload);
  head->latency_ms = eva_get_f64(payload);
  head->met_memory = eva_get_u8(payload);
  head->tokens = eva_get_f64(payload);
  head->cost = eva_get_f64(payload);
  head->stop_reason = eva_get_text(payload);
  head->is_deferred = eva_get_u8(payload);
  head->retry_after_ms = eva_get_f64(payload);
  head->cache_hits = (int)eva_get_u32(payload);
  head->cache_misses = (int)eva_get_u32(payload);
}

void eva_put_score(eva_buf *out, const eva_score_row *row) {
  eva_put_text(out, row->scorer_id);
  eva_put_text(out, row->scorer_name);
  eva_put_text(out, row->step_id);
  eva_put_u8(out, (uint8_t)row->has_score);
  eva_put_f64(out, row->score);
  eva_put_text(out, row->label);
  eva_put_text(out, row->reason);
  eva_put_text(out, row->error);
  eva_put_text(out, row->status);
  eva_put_text(out, row->metadata);
  eva_put_u8(out, (uint8_t)(row->passed + 1));
  eva_put_f64(out, row->latency_ms);
}

void eva_get_score(eva_cursor *payload, eva_score_row *row) {
  row->scorer_id = eva_get_text(payload);
  row->scorer_name = eva_get_text(payload);
  row->step_id = eva_get_text(payload);
  row->has_score = eva_get_u8(payload);
  row->score = eva_get_f64(payload);
  row->label = eva_get_text(payload);
  row->reason = eva_get_text(payload);
  row->error = eva_get_text(payload);
  row->status = eva_get_text(payload);
  row->metadata = eva_get_text(payload);
  row->passed = (int)eva_get_u8(payload) - 1;
  row->latency_ms = eva_get_f64(payload);
}

void eva_put_ask(eva_buf *out, eva_frame_type type, uint64_t number, eva_text service, eva_text text) {
  size_t offset = eva_frame_begin(out, type);
  eva_put_i64(out, (int64_t)number);
  eva_put_text(out, service);
  eva_put_text(out, text);
  eva_frame_end(out, offset);
}

uint64_t eva_get_ask(eva_cursor *payload, eva_text *service, eva_text *text) {
  uint64_t number = (uint64_t)eva_get_i64(payload);
  *service = eva_get_text(payload);
  *text = eva_get_text(payload);
  return number;
}

void eva_put_answer(eva_buf *out, uint64_t number, const eva_reply *reply) {
  size_t offset = eva_frame_begin(out, EVA_FRAME_ANSWER);
  eva_put_i64(out, (int64_t)number);
  eva_put_text(out, reply->answer);
  eva_put_text(out, reply->message);
  eva_put_text(out, reply->code);
  eva_frame_end(out, offset);
}

uint64_t eva_get_answer(eva_cursor *payload, eva_reply *reply) {
  uint64_t number = (uint64_t)eva_get_i64(payload);
  reply->answer = eva_get_text(payload);
  reply->message = eva_get_text(payload);
  reply->code = eva_get_text(payload);
  return number;
}

/* Results on their way into the store: a backlog of received payloads, inserted in batched transactions, reported only
 * after their commit. A database that another process holds is tried again later; the backlog grows meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/coordinator_private.h"

typedef struct ledger_entry {
  int is_final; /* a result; else an attempt that will be retried */
  assignment job;
  size_t size; /* of the payload that follows */
} ledger_entry;

enum { BUSY_RETRY_MS = 20, TELL_AFTER_MS = 2000 /* of a lock that others hold */ };

void ledger_add(coordinator *c, const assignment *job, eva_text payload, int is_final) {
  ledger_entry entry = {is_final, *job, payload.len};
  eva_buf_add(&c->backlog, &entry, sizeof entry);
  eva_buf_add(&c->backlog, payload.data, payload.len);
}

int ledger_is_empty(const coordinator *c) {
  return c->backlog_at == c->backlog.len && !eva_store_in_transaction(c->options->store);
}

static void broken_store(coordinator *c, const char *doing, const eva_error *error) {
  c->is_store_broken = 1;
  int64_t lost = c->received - c->progress.done;
  coordinator_break(c, "%s%s%s: %s; %lld finished results are not stored (%lld of %lld are)", error->where,
                    error->where[0] ? ": " : "", doing, error->message, (long long)lost, (long long)c->progress.done,
                    (long long)c->progress.total);
}

/* ==== Inserting ==== */

static void remember_position(coordinator *c, int64_t position) {
  if (c->unreported_count == c->unreported_cap) {
    c->unreported_cap = c->unreported_cap ? c->unreported_cap * 2 : 1024;
    c->unreported = eva_realloc(c->unreported, (size_t)c->unreported_cap * sizeof *c->unreported);
  }
  c->unreported[c->unreported_count++] = position;
}

static void count_result(coordinator *c, const eva_result_head *head) {
  remember_position(c, head->position);
  c->uncommitted++;
  if (head->status != EVA_STATUS_OK) c->uncommitted_failed++;
}

static eva_code insert_scores(coordinator *c, const eva_result_head *head, eva_cursor *payload, eva_error *error) {
  uint32_t count = eva_get_u32(payload);
  for (uint32_t index = 0; index < count && !payload->bad; index++) {
    eva_score_row score = {.experiment_id = c->options->experiment_id,
                           .item_id = head->item_id,
                           .trial = head->trial,
                           .position = head->position};
    eva_get_score(payload, &score);
    if (payload->bad) break;
    eva_code code = eva_score_add(c->options->store, &score, error);
    if (code != EVA_OK && code != EVA_E_EXISTS) return code;
  }
  return EVA_OK;
}

static eva_code insert_result(coordinator *c, const ledger_entry *entry, eva_cursor *payload, eva_error *error) {
  eva_result_head head;
  eva_get_result_head(payload, &head);
  eva_text texts[EVA_RESULT_TEXTS];
  for (int index = 0; index < EVA_RESULT_TEXTS; index++) texts[index] = eva_get_text(payload);
  if (strchr(c->options->experiment_id, '@')) { /* a score set: the result is stored already */
    if (!entry->is_final) return EVA_OK;
    count_result(c, &head);
    return insert_scores(c, &head, payload, error);
  }
  if (!entry->is_final) {
    eva_attempt_row attempt = {c->options->experiment_id, head.item_id, head.trial, entry->job.try_number,
                               eva_status_name(head.status), texts[1], head.started_at_ms, head.latency_ms};
    if (c->options->set != EVA_JOBS_ALL) return eva_attempt_append(c->options->store, &attempt, error);
    return eva_attempt_add(c->options->store, &attempt, error);
  }
  eva_result_row row = {.experiment_id = c->options->experiment_id,
                        .position = head.position,
                        .item_id = head.item_id,
                        .item_version = head.item_version,
                        .trial = head.trial,
                        .status = eva_status_name(head.status),
                        .passed = head.passed,
                        .output = texts[0],
                        .error = texts[1],
                        .usage = texts[2],
                        .steps = texts[3],
                        .trajectory = texts[4],
                        .context = texts[5],
                        .metadata = texts[6],
                        .output_repaired = head.output_repaired,
                        .started_at_ms = head.started_at_ms,
                        .completed_at_ms = head.completed_at_ms,
                        .latency_ms = head.latency_ms,
                        .retry_count = entry->job.try_number - 1,
                        .interrupted_by = entry->job.interrupted_by,
                        .cache_hits = head.cache_hits,
                        .cache_misses = head.cache_misses};
  eva_code code = c->options->set == EVA_JOBS_ALL ? eva_result_add(c->options->store, &row, error)
                                                  : eva_result_replace(c->options->store, &row, error);
  if (code == EVA_E_EXISTS) return EVA_OK; /* stored by an earlier assignment: that one counts */
  if (code != EVA_OK) return code;
  count_result(c, &head);
  return insert_scores(c, &head, payload, error);
}

/* ==== Transactions ==== */

static void on_busy_retry(uv_timer_t *timer) { ledger_flush(timer->data); }

/* Another process holds a lock that is needed now: tries again later, up to store_timeout. */
static void try_later(coordinator *c) {
  uint64_t now = eva_clock_monotonic_ns();
  int timeout_ms = eva_store_timeout_ms(c->options->store);
  if (!c->busy_since_ns) c->busy_since_ns = now, c->is_wait_told = 0;
  if (!c->is_wait_told && now - c->busy_since_ns > (uint64_t)TELL_AFTER_MS * 1000000) {
    c->is_wait_told = 1;
    eva_log(EVA_LOG_WARNING, "the store is locked by another process; results wait up to %g s for it (store_timeout)",
            timeout_ms / 1000.0);
  }
  if (now - c->busy_since_ns > (uint64_t)timeout_ms * 1000000) {
    eva_error error;
    eva_error_set(&error, EVA_E_BUSY, eva_store_path(c->options->store),
                  "it stayed locked by another process for %g s (store_timeout)", timeout_ms / 1000.0);
    broken_store(c, "results cannot be stored", &error);
  } else if (!uv_is_active((uv_handle_t *)&c->busy)) {
    uv_timer_start(&c->busy, on_busy_retry, BUSY_RETRY_MS, 0);
  }
}

/* 1 when a transaction is open. */
static int begin(coordinator *c) {
  eva_store *store = c->options->store;
  eva_error error;
  if (eva_store_in_transaction(store)) return 1;
  eva_code code = eva_store_begin(store, &error);
  if (code == EVA_OK) {
    c->begun_ns = eva_clock_monotonic_ns();
    c->busy_since_ns = 0;
    return 1;
  }
  if (code == EVA_E_BUSY) try_later(c);
  else broken_store(c, "the store cannot be written", &error);
  return 0;
}

void ledger_note(coordinator *c) {
  for (int64_t index = 0; index < c->unreported_count; index++) {
    int64_t position = c->unreported[index];
    c->stored_bits[position / 8] |= (unsigned char)(1u << (position % 8));
  }
  c->unreported_count = 0;
  c->progress.done += c->uncommitted;
  c->progress.failed += c->uncommitted_failed;
  c->uncommitted = c->uncommitted_failed = 0;
  c->is_report_due = 1;
}

void ledger_report(coordinator *c) {
  while (c->is_report_due && !c->is_reporting) { /* more may have been committed while the program was told */
    int64_t from = c->reported_to + 1, to = c->reported_to;
    while (to < c->options->selected && (c->stored_bits[(to + 1) / 8] >> ((to + 1) % 8) & 1)) to++;
    c->reported_to = to;
    c->is_report_due = 0;
    c->is_reporting = 1;
    if (c->options->on_commit) c->options->on_commit(c->options->context, from, to, &c->progress);
    c->is_reporting = 0;
  }
}

static void insert_backlog(coordinator *c) {
  eva_error error;
  while (c->backlog_at < c->backlog.len) {
    ledger_entry entry;
    memcpy(&entry, c->backlog.data + c->backlog_at, sizeof entry);
    const char *start = c->backlog.data + c->backlog_at + sizeof entry;
    eva_cursor payload = {start, start + entry.size, 0};
    if (insert_result(c, &entry, &payload, &error) != EVA_OK) {
      eva_store_rollback(c->options->store);
      broken_store(c, "a result cannot be stored", &error);
      return;
    }
    c->backlog_at += sizeof entry + entry.size;
  }
  eva_buf_clear(&c->backlog);
  c->backlog_at = 0;
}

void ledger_commit(coordinator *c) {
  eva_error error;
  if (c->is_store_broken) return;
  if (c->backlog_at < c->backlog.len) {
    if (!begin(c)) return;
    insert_backlog(c);
  }
  if (c->is_store_broken || !eva_store_in_transaction(c->options->store)) return;
  eva_code code = eva_store_try_commit(c->options->store, &error);
  if (code == EVA_E_BUSY) {
    try_later(c);
  } else if (code != EVA_OK) {
    broken_store(c, "the last results cannot be committed", &error);
  } else {
    c->busy_since_ns = 0;
    ledger_note(c);
  }
}

void ledger_flush(coordinator *c) {
  if (c->is_store_broken) return;
  if (c->backlog_at < c->backlog.len) {
    if (!begin(c)) return;
    insert_backlog(c);
    if (c->is_store_broken) return;
  }
  if (!eva_store_in_transaction(c->options->store)) return;
  int is_old = eva_clock_monotonic_ns() - c->begun_ns >= (uint64_t)EVA_COMMIT_MS * 1000000;
  if (c->uncommitted >= EVA_COMMIT_ROWS || is_old) ledger_commit(c);
}

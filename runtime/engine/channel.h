/* Frames between the coordinator and a worker, on one socket pair.
 *
 * A frame is an 8 byte header and a payload. Header: payload length (u32), type (u8), version (u8), zero (u16). Numbers
 * are in the byte order of the machine: both ends are the same program. A text is its length (u32) and its bytes;
 * length 0xffffffff is "none". A payload is at most EVA_FRAME_MAX bytes. */
#ifndef EVA_ENGINE_CHANNEL_H
#define EVA_ENGINE_CHANNEL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/runs.h"

enum { EVA_FRAME_HEADER = 8, EVA_FRAME_VERSION = 1, EVA_FRAME_MAX = 512 * 1024 * 1024 };

typedef enum eva_frame_type {
  EVA_FRAME_JOB = 1,    /* to a worker: one (item, trial) to run */
  EVA_FRAME_STOP = 2,   /* to a worker: end now; what runs is given up */
  EVA_FRAME_RESULT = 3, /* to the coordinator: what came of one job */
  EVA_FRAME_FATAL = 4,  /* to the coordinator: the worker cannot go on; whether a script is the cause, and a text */
  EVA_FRAME_HOLD = 5,   /* to a worker: start nothing more; drop what has not started */
  EVA_FRAME_DRAINED = 6, /* to the coordinator: held, and nothing runs any more */
  EVA_FRAME_ASK = 7,     /* to the coordinator: a question to a service of the desk */
  EVA_FRAME_ANSWER = 8,  /* to a worker: what became of it */
  EVA_FRAME_TELL = 9,    /* either way: something for a service, or of one, that nobody waits for */
  EVA_FRAME_CLOSE = 10,  /* to the coordinator: an ask is given up, or what it was granted is given back */
  EVA_FRAME_LOOK = 11,   /* to a worker: what is the item of this position doing? */
  EVA_FRAME_DOING = 12,  /* to the coordinator: its id, and what it does */
  EVA_FRAME_NOTE = 13    /* to the coordinator: what became of something granted that stays granted */
} eva_frame_type;

/* Begins a frame at the end of `out`; returns its offset for eva_frame_end, which fills in the length. */
size_t eva_frame_begin(eva_buf *out, eva_frame_type type);
void eva_frame_end(eva_buf *out, size_t offset);

void eva_put_u8(eva_buf *out, uint8_t value);
void eva_put_u32(eva_buf *out, uint32_t value);
void eva_put_i64(eva_buf *out, int64_t value);
void eva_put_f64(eva_buf *out, double value);
void eva_put_text(eva_buf *out, eva_text text);

/* Reads a payload front to back; past its end everything is zero and `bad` is set. */
typedef struct eva_cursor {
  const char *at, *end;
  int bad;
} eva_cursor;

uint8_t eva_get_u8(eva_cursor *cursor);
uint32_t eva_get_u32(eva_cursor *cursor);
int64_t eva_get_i64(eva_cursor *cursor);
double eva_get_f64(eva_cursor *cursor);
eva_text eva_get_text(eva_cursor *cursor); /* points into the payload */

/* A complete frame at the start of in[from..len). Returns its whole size and fills type and payload, or 0 when more bytes
 * are needed, or -1 when this is no frame of ours. */
int64_t eva_frame_next(const eva_buf *in, size_t from, eva_frame_type *type, eva_cursor *payload);

/* ==== Jobs ==== */

typedef struct eva_job_frame {
  int64_t position;
  int attempt;        /* from 1; reruns count too, so that every assignment has its own number */
  int try_number;     /* from 1; only retries count */
  int interrupted_by; /* times it was interrupted through no fault of its own */
  int target_retries; /* retries so far that the target asked for */
  eva_job job;        /* texts point into the payload */
} eva_job_frame;

void eva_put_job(eva_buf *out, const eva_job_frame *frame);
int eva_get_job(eva_cursor *payload, eva_job_frame *frame); /* 0 when the payload is bad */

/* ==== Results ==== */

typedef enum eva_status { EVA_STATUS_OK, EVA_STATUS_ERROR, EVA_STATUS_TIMEOUT, EVA_STATUS_LIMITED } eva_status;
const char *eva_status_name(eva_status status);

/* The head of a result: what the coordinator decides by. Then come texts and scores, see eva_put_result. */
typedef struct eva_result_head {
  int64_t position;
  int attempt;
  int trial;
  int64_t item_version;
  eva_text item_id;
  eva_status status;
  int permanent; /* a retry cannot help */
  int passed;
  int output_repaired;
  int64_t started_at_ms, completed_at_ms;
  double latency_ms;
  int met_memory;       /* it, or one of its scorers, met the memory limit of its worker */
  double tokens, cost;  /* that the attempt has used, as far as it was reported */
  eva_text stop_reason; /* why every item would fail like this; none: it is its own failure */
  int is_deferred;       /* nothing has happened yet: run again after retry_after_ms, this was no attempt */
  double retry_after_ms; /* the target asks for another try after this; 0: it does not */
  int cache_hits, cache_misses; /* of its requests that took part in the cache */
} eva_result_head;

enum { EVA_RESULT_TEXTS = 7 }; /* output, error, usage, steps, trajectory, context, metadata */

void eva_put_result_head(eva_buf *out, const eva_result_head *head);
void eva_get_result_head(eva_cursor *payload, eva_result_head *head);
/* A score: the row without experiment, item and trial. */
void eva_put_score(eva_buf *out, const eva_score_row *row);
void eva_get_score(eva_cursor *payload, eva_score_row *row);

/* ==== The desk ==== */

/* What a service answers: a text, or why there is none. */
typedef struct eva_reply {
  eva_text answer;        /* none: it failed */
  eva_text message, code; /* then */
} eva_reply;

/* An ask (number, service, text), a tell (0, service, text) or a close (number, none, outcome or none). */
void eva_put_ask(eva_buf *out, eva_frame_type type, uint64_t number, eva_text service, eva_text text);
uint64_t eva_get_ask(eva_cursor *payload, eva_text *service, eva_text *text);
void eva_put_answer(eva_buf *out, uint64_t number, const eva_reply *reply);
uint64_t eva_get_answer(eva_cursor *payload, eva_reply *reply);

#endif

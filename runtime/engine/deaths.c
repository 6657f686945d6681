/* What becomes of the items of a worker that died: which of them is to blame, and which run again. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "engine/coordinator_private.h"

/* When it started (wall clock, ms), and whether its scorers ran already; 0: it had not. */
static int64_t running_since(const crew_member *member, int64_t position, int *is_scoring) {
  *is_scoring = 0;
  for (int slot = 0; slot < member->board->slots; slot++) {
    if (atomic_load(&member->board->running[slot].position) != position) continue;
    *is_scoring = atomic_load(&member->board->running[slot].is_scoring);
    return atomic_load(&member->board->running[slot].started_at_ms);
  }
  return 0;
}

static void describe_death(int status, char *out, size_t size) {
  if (WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    snprintf(out, size, "the worker process died of signal SIG%s (%s)", name ? name : "?", strsignal(WTERMSIG(status)));
  } else {
    snprintf(out, size, "the worker process ended by itself with status %d", WEXITSTATUS(status));
  }
}

/* The result of an item whose worker died: an error that names the signal. */
typedef struct crashed {
  eva_buf *out;
  const assignment *job;
  const char *why;
  int is_scoring;
  eva_status status;
  int64_t started_at_ms;
} crashed;

static void encode_crashed(void *context, const eva_job *item) {
  crashed *given = context;
  int64_t now = eva_clock_wall_ms();
  eva_result_head head = {.position = item->position,
                          .attempt = given->job->attempt,
                          .trial = item->trial,
                          .item_version = item->item_version,
                          .item_id = item->item_id,
                          .status = given->status,
                          .passed = 0,
                          .started_at_ms = given->started_at_ms,
                          .completed_at_ms = now,
                          .latency_ms = (double)(now - given->started_at_ms)};
  eva_buf error = {0};
  eva_buf_printf(&error, "{\"code\":\"%s\",\"message\":\"%s%s\"}",
                 given->status == EVA_STATUS_TIMEOUT   ? "timeout"
                 : given->status == EVA_STATUS_LIMITED ? "rss_per_worker"
                                                       : "worker_crashed",
                 given->is_scoring ? "when its target had ended and its scorers ran: " : "", given->why);
  eva_put_result_head(given->out, &head);
  for (int index = 0; index < EVA_RESULT_TEXTS; index++) {
    eva_put_text(given->out, index == 1 ? eva_buf_text(&error) : EVA_TEXT_NONE);
  }
  eva_put_u32(given->out, 0);
  eva_buf_free(&error);
}

static void fail_crashed(coordinator *c, const assignment *job, int64_t started_at_ms, int is_scoring, eva_status status,
                         const char *why) {
  eva_buf out = {0};
  eva_error error;
  crashed given = {&out, job, why, is_scoring, status, started_at_ms};
  if (eva_jobs_page(c->options->store, c->options->experiment_id, job->position - 1, 1, EVA_JOBS_ALL, encode_crashed,
                    &given, &error) != EVA_OK) {
    coordinator_break(c, "an item cannot be read: %s", error.message);
  } else {
    eva_result_head head;
    eva_cursor payload = {out.data, out.data + out.len, 0};
    eva_get_result_head(&payload, &head);
    coordinator_settle(c, job, &head, eva_buf_text(&out));
  }
  eva_buf_free(&out);
}

/* Whose code held the process fails; when that is nobody's, all that ran do. The others run again. */
void coordinator_lost(coordinator *c, crew_member *member, int wait_status) {
  char why[256];
  int64_t culprit = atomic_load(&member->board->on_cpu);
  describe_death(wait_status, why, sizeof why);
  if (c->is_stopping) return; /* killed, or lost: what it ran has no result */
  if (member->stuck_on) culprit = member->stuck_on;
  for (int index = 0; index < member->jobs.count; index++) {
    assignment job = member->jobs.all[index];
    int is_scoring;
    int64_t ran = running_since(member, job.position, &is_scoring);
    if (ran && member->rss_over && member->is_alone) {
      snprintf(why, sizeof why,
               "its worker process held %lld bytes more than it began with, the limit (rss_per_worker) is %lld; it was "
               "killed", (long long)member->rss_over, (long long)c->options->rss_per_worker);
      fail_crashed(c, &job, ran, is_scoring, EVA_STATUS_LIMITED, why);
      continue;
    }
    if (ran && member->rss_over && culprit == job.position) {
      job.interrupted_by++;
      coordinator_run_alone(c, job);
      continue;
    }
    if (ran && member->stuck_on == job.position) {
      fail_crashed(c, &job, ran, is_scoring, EVA_STATUS_TIMEOUT,
                   "its time was up and it could not be interrupted (stuck in a C function or a finalizer), so its "
                   "worker was killed");
      continue;
    }
    if (ran && member->is_silent && member->is_alone) {
      snprintf(why, sizeof why,
               "its worker process did nothing for %d s, not even watch its deadlines (stopped by a signal, or hanging in "
               "the kernel), so it was killed", EVA_SILENT_MS / 1000);
      fail_crashed(c, &job, ran, is_scoring, EVA_STATUS_TIMEOUT, why);
      continue;
    }
    if (ran && !member->rss_over && !member->is_silent && (culprit == 0 || culprit == job.position || member->is_alone)) {
      fail_crashed(c, &job, ran, is_scoring, EVA_STATUS_ERROR, why);
      continue;
    }
    job.attempt++;
    if (ran) job.interrupted_by++;
    job.due_ns = 0;
    waiting_add(c, job);
  }
  member->jobs.count = 0;
  if (!member->stuck_on && !member->rss_over) c->crashes_in_a_row++;
  if (c->crashes_in_a_row >= EVA_CRASHES_IN_A_ROW_MAX) {
    coordinator_break(c, "workers die again and again: %d in a row without a result between them; the last one: %s",
                      c->crashes_in_a_row, why);
  }
}

/* What runs when: hands out jobs, decides on retries and reruns, and knows when a run is over. See coordinator.h. */
#include "engine/coordinator.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/coordinator_private.h"

enum {
  PAGE_JOBS = 256,
  PREFETCH_MAX = 256,           /* jobs that wait in a worker, so that it never waits for us */
  PREFETCH_MEAN_MS_MAX = 200,   /* slower items are never queued in a worker: another may be free sooner */
  PREFETCH_MS = 50,             /* as many as it gets through in this time: none where items are slow */
  WAITING_MAX = 2000,           /* jobs that wait for their next try, before no further ones are begun */
  LONELY_MAX = 4,               /* workers beside the crew for items that were interrupted too often */
  BACKLOG_BYTES_MAX = 16 * 1024 * 1024,
  TIMEOUT_GRACE_MS = 100,       /* for results that are on their way when the time of the run is up */
  KILL_AGAIN_MS = 1000,
  STORE_NAP_MS = 20,
  TICK_MS = 100,
  RETRY_FIRST_MS = 1000,
  RETRY_MAX_MS = 30000
};

/* ==== Lists of assignments ==== */

void assignment_add(assignment_list *list, assignment added) {
  if (list->count == list->cap) {
    list->cap = list->cap ? list->cap * 2 : 16;
    list->all = eva_realloc(list->all, (size_t)list->cap * sizeof *list->all);
  }
  list->all[list->count++] = added;
}

void assignment_remove(assignment_list *list, int index) { list->all[index] = list->all[--list->count]; }

/* ==== Ends ==== */

void coordinator_break(coordinator *c, const char *format, ...) {
  char message[EVA_ERROR_MESSAGE_MAX];
  va_list arguments;
  if (c->end == EVA_RUN_BROKEN) return; /* the first cause counts */
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  eva_error_set(c->error, EVA_E_STORE, NULL, "%s", message);
  c->end = EVA_RUN_BROKEN;
  c->is_stopping = c->is_ended = 1;
}

void coordinator_script_error(coordinator *c, eva_text message) {
  if (c->end == EVA_RUN_BROKEN || c->end == EVA_RUN_SCRIPT_ERROR) return;
  eva_error_set(c->error, EVA_E_STATE, NULL, "%.*s", (int)message.len, message.data ? message.data : "");
  c->end = EVA_RUN_SCRIPT_ERROR;
  c->is_stopping = c->is_ended = 1;
}

static void on_grace_over(uv_timer_t *timer);

/* What still runs is killed; its sockets end, and what they hold is read and stored. A second time it is insisted. */
static void kill_crew(coordinator *c) {
  if (c->kills++ > 1) c->is_ended = 1;
  for (int index = 0; index < c->crew_size; index++) {
    if (c->crew[index].pid) kill(c->crew[index].pid, c->kills == 1 ? SIGUSR2 : SIGKILL);
  }
  uv_timer_start(&c->grace, on_grace_over, KILL_AGAIN_MS, 0);
}

static void on_grace_over(uv_timer_t *timer) { kill_crew(timer->data); }

void coordinator_stop(coordinator *c, eva_run_end why) {
  if (c->is_stopping || c->is_ended) return;
  c->is_stopping = 1;
  c->end = why;
  for (int index = 0; index < c->crew_size; index++) crew_order(&c->crew[index], EVA_FRAME_HOLD);
  uv_timer_start(&c->grace, on_grace_over, why == EVA_RUN_TIMED_OUT ? TIMEOUT_GRACE_MS : EVA_CANCEL_GRACE_MS, 0);
}

static void on_signal(uv_signal_t *handle, int number) {
  coordinator *c = handle->data;
  (void)number;
  if (c->is_stopping) {
    kill_crew(c);
    return;
  }
  if (c->is_ended) return;
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr); /* over the progress line */
  eva_log(EVA_LOG_WARNING, "stopping: items in flight get %d s; once more to stop at once", EVA_CANCEL_GRACE_MS / 1000);
  coordinator_stop(c, EVA_RUN_CANCELLED);
}

static void on_deadline(uv_timer_t *timer) { coordinator_stop(timer->data, EVA_RUN_TIMED_OUT); }

/* ==== Handing out ==== */

static void encode_job(void *context, const eva_job *job) {
  coordinator *c = context;
  eva_job_frame frame = {.position = job->position, .attempt = 1, .try_number = 1, .job = *job};
  eva_put_job(&c->page, &frame);
  c->page_last = job->position;
  if (job->trial == 1 && job->fields[EVA_ITEM_SCORERS].len > 0) c->progress.own_scorers++;
}

/* Makes sure that the page has a next job; 0 when the selection is exhausted. */
static int fill_page(coordinator *c) {
  eva_error error;
  if (c->page_at < c->page.len) return 1;
  if (c->is_exhausted) return 0;
  eva_buf_clear(&c->page);
  c->page_at = 0;
  eva_code code = eva_jobs_page(c->options->store, c->options->experiment_id, c->page_last, PAGE_JOBS,
                                c->options->set, encode_job, c, &error);
  if (code != EVA_OK) {
    coordinator_break(c, "the items cannot be read: %s", error.message);
    return 0;
  }
  if (c->page.len == 0) c->is_exhausted = 1;
  return c->page.len > 0;
}

static void give_next(coordinator *c, crew_member *member) {
  eva_frame_type type;
  eva_cursor payload;
  int64_t size = eva_frame_next(&c->page, c->page_at, &type, &payload);
  assignment job = {.position = eva_get_i64(&payload), .attempt = 1, .try_number = 1};
  eva_buf_add(&member->out, c->page.data + c->page_at, (size_t)size);
  c->page_at += (size_t)size;
  c->handed_out++;
  assignment_add(&member->jobs, job);
}

typedef struct again {
  crew_member *member;
  const assignment *job;
} again;

static void encode_again(void *context, const eva_job *job) {
  again *given = context;
  eva_job_frame frame = {.position = job->position,
                         .attempt = given->job->attempt,
                         .try_number = given->job->try_number,
                         .interrupted_by = given->job->interrupted_by,
                         .target_retries = given->job->target_retries,
                         .job = *job};
  eva_put_job(&given->member->out, &frame);
}

static void give_again(coordinator *c, crew_member *member, assignment job) {
  eva_error error;
  again given = {member, &job};
  if (eva_jobs_page(c->options->store, c->options->experiment_id, job.position - 1, 1, EVA_JOBS_ALL, encode_again,
                    &given, &error) != EVA_OK) {
    coordinator_break(c, "an item cannot be read again: %s", error.message);
    return;
  }
  assignment_add(&member->jobs, job);
}

/* How many jobs a worker may hold: its slots, and what it gets through in PREFETCH_MS. */
static int capacity_of(const coordinator *c, const crew_member *member) {
  if (member->results == 0 || member->mean_ms > PREFETCH_MEAN_MS_MAX) return member->slots;
  double ahead = member->slots * PREFETCH_MS / (member->mean_ms > 0.01 ? member->mean_ms : 0.01);
  double left = (double)(c->progress.total - c->handed_out) / (2.0 * c->options->workers);
  if (ahead > left) ahead = left;
  double room = (double)eva_early_room(&c->early) / c->options->workers;
  if (ahead > room) ahead = room;
  if (ahead > PREFETCH_MAX) ahead = PREFETCH_MAX;
  return member->slots + (ahead > 0 ? (int)ahead : 0);
}

/* The worker with most room relative to its slots, or NULL. */
static crew_member *roomiest(coordinator *c) {
  crew_member *best = NULL;
  double best_load = 0;
  for (int index = 0; index < c->options->workers; index++) {
    crew_member *member = &c->crew[index];
    if (!member->pid || member->jobs.count >= capacity_of(c, member)) continue;
    double load = (double)member->jobs.count / member->slots;
    if (!best || load < best_load) best = member, best_load = load;
  }
  return best;
}

/* An item that was interrupted too often runs alone in a fresh worker. */
static void run_lonely(coordinator *c) {
  for (int place = c->options->workers; place < c->crew_size; place++) {
    crew_member *member = &c->crew[place];
    if (member->pid) continue;
    if (crew_start(c, member, 1) != 0) {
      coordinator_break(c, "%s", c->error->message);
      return;
    }
    member->is_alone = 1;
    give_again(c, member, c->lonely.all[0]);
    assignment_remove(&c->lonely, 0);
    return;
  }
}

static void hand_out_again(coordinator *c) {
  uint64_t now = eva_clock_monotonic_ns();
  if (c->lonely.count > 0 && !c->is_reporting) run_lonely(c);
  for (crew_member *member; !c->is_stopping && waiting_is_due(c, now) && (member = roomiest(c));) {
    give_again(c, member, waiting_take(c));
  }
}

/* Where many wait to come back, new ones would only wait with them. */
static int has_new_work(coordinator *c) { return c->waiting.count < WAITING_MAX && fill_page(c); }

static void hand_out(coordinator *c) {
  if (c->is_stopping || c->backlog.len - c->backlog_at > BACKLOG_BYTES_MAX) return;
  if (waiting_count(c) > 0) hand_out_again(c);
  for (crew_member *member; !c->is_stopping && (member = roomiest(c)) && has_new_work(c);) give_next(c, member);
  waiting_arm(c);
}

/* ==== Results ==== */

static int take_assignment(crew_member *member, int64_t position, int attempt, assignment *taken) {
  for (int index = 0; index < member->jobs.count; index++) {
    const assignment *job = &member->jobs.all[index];
    if (job->position != position || job->attempt != attempt) continue;
    *taken = *job;
    assignment_remove(&member->jobs, index);
    return 1;
  }
  return 0;
}

/* Exponential from 1 s, at most 30 s, with full jitter over the upper half. */
static uint64_t backoff_ns(coordinator *c, int try_number) {
  uint64_t ms = RETRY_FIRST_MS;
  for (int doubled = 1; doubled < try_number && ms < RETRY_MAX_MS; doubled++) ms *= 2;
  if (ms > RETRY_MAX_MS) ms = RETRY_MAX_MS;
  c->random = c->random * 6364136223846793005u + 1442695040888963407u;
  return (ms / 2 + (c->random >> 33) % (ms / 2 + 1)) * 1000000;
}

static int may_retry(const coordinator *c, const assignment *job, const eva_result_head *head) {
  return head->status != EVA_STATUS_OK && head->status != EVA_STATUS_LIMITED && !head->permanent &&
         job->try_number - job->target_tries <= c->options->max_retries && !c->is_stopping;
}

/* What a result means for the run as a whole. */
static void note_early(coordinator *c, const eva_result_head *head, int is_final) {
  static const eva_run_end ends[] = {EVA_RUN_COMPLETED, EVA_RUN_MAX_FAILURES, EVA_RUN_STOPPED, EVA_RUN_BUDGET};
  eva_early early = eva_early_note(&c->early, head, is_final);
  if (early == EVA_EARLY_NONE || c->is_stopping) return;
  eva_error_set(c->error, EVA_E_LIMIT, NULL, "%s", c->early.reason);
  coordinator_stop(c, ends[early]);
}

/* Tries that the target asks for come first: they have a bound and delays of their own. */
void coordinator_settle(coordinator *c, const assignment *job, const eva_result_head *head, eva_text payload) {
  assignment next = *job;
  int is_asked = head->retry_after_ms > 0 && head->status != EVA_STATUS_OK;
  next.attempt++;
  next.due_ns = eva_clock_monotonic_ns() + (uint64_t)(head->retry_after_ms * 1e6);
  if (head->is_deferred) { /* it has no result; where the run ends it is one that did not run */
    if (!c->is_stopping) waiting_add(c, next);
    return;
  }
  if ((is_asked && !c->is_stopping) || may_retry(c, job, head)) {
    ledger_add(c, job, payload, 0);
    next.try_number++;
    next.target_tries += is_asked;
    next.target_retries = is_asked ? job->target_retries + 1 : 0;
    if (!is_asked) next.due_ns += backoff_ns(c, job->try_number - job->target_tries);
    waiting_add(c, next);
    note_early(c, head, 0);
    return;
  }
  ledger_add(c, job, payload, 1);
  c->received++;
  note_early(c, head, 1);
}

void coordinator_run_alone(coordinator *c, assignment job) {
  job.attempt++;
  job.is_alone = 1;
  job.due_ns = 0;
  waiting_add(c, job);
}

void coordinator_result(coordinator *c, crew_member *member, eva_cursor *payload) {
  eva_text whole = {payload->at, (size_t)(payload->end - payload->at)};
  eva_result_head head;
  assignment job;
  eva_get_result_head(payload, &head);
  if (payload->bad || !take_assignment(member, head.position, head.attempt, &job)) return;
  double latency_ms = head.latency_ms > 0 ? head.latency_ms : 0;
  if (!head.is_deferred) {
    member->mean_ms = member->results == 0 ? latency_ms : 0.95 * member->mean_ms + 0.05 * latency_ms;
    member->results++;
  }
  c->crashes_in_a_row = 0;
  sight_moved(c);
  if (head.met_memory && !member->is_alone && !c->is_stopping) { /* others may have taken it */
    note_early(c, &head, 0);
    coordinator_run_alone(c, job);
    return;
  }
  coordinator_settle(c, &job, &head, whole);
}

/* ==== The loop ==== */

static int is_work_left(coordinator *c) {
  if (waiting_count(c) > 0) return 1;
  for (int index = 0; index < c->crew_size; index++) {
    if (c->crew[index].jobs.count > 0) return 1;
  }
  return fill_page(c);
}

static void replace_dead(coordinator *c) {
  if (c->is_stopping) return;
  for (int index = 0; index < c->options->workers; index++) {
    crew_member *member = &c->crew[index];
    if (member->pid) continue;
    if (!is_work_left(c)) return;
    if (crew_start(c, member, member->slots) != 0) coordinator_break(c, "%s", c->error->message);
  }
}

static void end_lonely(coordinator *c) {
  for (int index = c->options->workers; index < c->crew_size; index++) {
    crew_member *member = &c->crew[index];
    if (member->pid && member->jobs.count == 0) crew_order(member, EVA_FRAME_STOP);
  }
}

static int everything_drained(const coordinator *c) {
  for (int index = 0; index < c->crew_size; index++) {
    if (c->crew[index].pid && !c->crew[index].is_drained) return 0;
  }
  return 1;
}

static void send_all(coordinator *c) {
  for (int index = 0; index < c->crew_size; index++) {
    if (c->crew[index].pid) crew_send(&c->crew[index]);
  }
}

/* Before the loop sleeps. Workers get their next jobs first, so that they run while results are stored. */
static void take_turn(coordinator *c) {
  if (!c->is_ended && !c->is_stopping) {
    hand_out(c);
    send_all(c);
  }
  ledger_flush(c);
  if (c->is_ended) return;
  if (c->is_stopping) {
    send_all(c); /* what runs may have asked the desk */
    if (!everything_drained(c)) return;
    ledger_commit(c);
    if (ledger_is_empty(c)) c->is_ended = 1;
    return;
  }
  if (!c->is_reporting) replace_dead(c);
  hand_out(c);
  end_lonely(c);
  send_all(c);
  if (!c->is_stopping && !is_work_left(c)) {
    ledger_commit(c);
    if (ledger_is_empty(c)) c->is_ended = 1;
  }
}

static void on_turn(uv_prepare_t *turn) {
  coordinator *c = turn->data;
  if (!c->is_stopping && c->options->is_aborted(c->options->context)) coordinator_stop(c, EVA_RUN_CANCELLED);
  take_turn(c);
  if (c->is_reporting) return;
  if (c->is_ended || c->is_report_due) uv_stop(turn->loop); /* else it would sleep until the next tick */
}

/* Code that the deadline's hook cannot reach: a C function, a finalizer. */
static void kill_if_stuck(crew_member *member, uint64_t now) {
  int64_t position = atomic_load(&member->board->on_cpu);
  uint64_t until = atomic_load(&member->board->cpu_until_ns);
  if (!position || !until || member->stuck_on || now < until + (uint64_t)EVA_STUCK_GRACE_MS * 1000000) return;
  member->stuck_on = position;
  kill(member->pid, SIGKILL);
}

/* A process that is stopped, or hangs in the kernel, keeps no deadline. Counted in our own ticks: where this process was
 * stopped too (Ctrl-Z), none have passed. */
static void kill_if_silent(crew_member *member) {
  uint64_t beats = atomic_load(&member->board->beats);
  member->silent_ticks = beats == member->beats && beats && member->jobs.count > 0 ? member->silent_ticks + 1 : 0;
  member->beats = beats;
  if (member->is_silent || member->silent_ticks < EVA_SILENT_MS / TICK_MS) return;
  member->is_silent = 1;
  kill(member->pid, SIGKILL);
}

static void on_tick(uv_timer_t *timer) {
  coordinator *c = timer->data;
  uint64_t now = eva_clock_monotonic_ns();
  for (int index = 0; index < c->crew_size; index++) {
    if (!c->crew[index].pid) continue;
    kill_if_stuck(&c->crew[index], now);
    kill_if_silent(&c->crew[index]);
  }
  memory_watch(c, now);
  sight_tick(c, now);
  if (c->options->on_tick) c->options->on_tick(c->options->context, &c->progress);
}

static void count_closed(uv_handle_t *handle) { ((coordinator *)handle->data)->open_handles--; }

static const int SIGNAL_NUMBERS[EVA_RUN_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static void open_handles(coordinator *c) {
  uv_loop_t *loop = c->options->loop;
  uv_timer_t *timers[] = {&c->tick, &c->deadline, &c->grace, &c->busy, &c->due};
  for (size_t index = 0; index < sizeof timers / sizeof *timers; index++) {
    uv_timer_init(loop, timers[index]);
    timers[index]->data = c;
    c->open_handles++;
  }
  uv_prepare_init(loop, &c->turn);
  c->turn.data = c;
  c->open_handles++;
  uv_prepare_start(&c->turn, on_turn);
  for (int index = 0; index < EVA_RUN_SIGNALS; index++) {
    int number = SIGNAL_NUMBERS[index];
    uv_signal_init(loop, &c->signals[index]);
    c->signals[index].data = c;
    c->open_handles++;
    sigaction(number, NULL, &c->signals_before[index]);
    int keeps_on = number == SIGHUP && c->signals_before[index].sa_handler == SIG_IGN; /* nohup */
    if (!keeps_on) uv_signal_start(&c->signals[index], on_signal, number);
  }
  uv_update_time(loop);
  uv_timer_start(&c->tick, on_tick, 20, TICK_MS);
  if (c->options->timeout_ms > 0) uv_timer_start(&c->deadline, on_deadline, (uint64_t)c->options->timeout_ms, 0);
}

static void close_handles(coordinator *c) {
  uv_handle_t *handles[] = {(uv_handle_t *)&c->tick, (uv_handle_t *)&c->deadline,   (uv_handle_t *)&c->grace,
                            (uv_handle_t *)&c->busy, (uv_handle_t *)&c->turn,       (uv_handle_t *)&c->signals[0],
                            (uv_handle_t *)&c->signals[1], (uv_handle_t *)&c->signals[2], (uv_handle_t *)&c->due};
  sigset_t set, mask;
  sigemptyset(&set);
  for (int index = 0; index < EVA_RUN_SIGNALS; index++) sigaddset(&set, SIGNAL_NUMBERS[index]);
  sigprocmask(SIG_BLOCK, &set, &mask); /* closing leaves signals to their defaults, which end the process */
  for (size_t index = 0; index < sizeof handles / sizeof *handles; index++) uv_close(handles[index], count_closed);
  while (c->open_handles > 0) uv_run(c->options->loop, UV_RUN_NOWAIT);
  for (int index = 0; index < EVA_RUN_SIGNALS; index++) {
    sigaction(SIGNAL_NUMBERS[index], &c->signals_before[index], NULL);
  }
  sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void start_crew(coordinator *c) {
  const eva_run_options *options = c->options;
  c->crew_size = options->workers + LONELY_MAX;
  c->crew = eva_alloc_zeroed((size_t)c->crew_size, sizeof *c->crew);
  for (int index = 0; index < options->workers; index++) {
    int slots = options->max_concurrency / options->workers + (index < options->max_concurrency % options->workers);
    if (crew_start(c, &c->crew[index], slots) != 0) coordinator_break(c, "%s", c->error->message);
    if (c->end == EVA_RUN_BROKEN) return;
  }
}

static void clear_stored(void *context, int64_t position) {
  coordinator *c = context;
  if (position <= c->options->selected) c->stored_bits[position / 8] &= (unsigned char)~(1u << (position % 8));
}

/* Where only a part of the selection runs, the rest counts as stored. */
static void mark_stored(coordinator *c) {
  const eva_run_options *options = c->options;
  size_t size = (size_t)options->selected / 8 + 2;
  eva_error error;
  c->stored_bits = eva_alloc_zeroed(size, 1);
  if (options->set == EVA_JOBS_ALL) return;
  memset(c->stored_bits, 0xff, size);
  if (eva_jobs_positions(options->store, options->experiment_id, options->set, clear_stored, c, &error) != EVA_OK) {
    coordinator_break(c, "what is left to run cannot be read: %s", error.message);
  }
}

static coordinator *running_now;

void eva_coordinator_commit(void) {
  if (running_now) ledger_commit(running_now);
}

eva_run_end eva_coordinate(const eva_run_options *options, eva_run_progress *progress, eva_error *error) {
  coordinator c = {.options = options, .error = error, .random = eva_clock_monotonic_ns() | 1};
  c.progress.total = options->total;
  *error = (eva_error){.code = EVA_OK};
  eva_early_open(&c.early, &options->early, options->total);
  sight_moved(&c);
  mark_stored(&c);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  open_handles(&c);
  running_now = &c;
  start_crew(&c);
  while (!c.is_ended) {
    uv_run(options->loop, UV_RUN_ONCE);
    ledger_report(&c);
  }
  c.is_stopping = 1;
  ledger_commit(&c);
  while (!ledger_is_empty(&c) && !c.is_store_broken) { /* locked by others: up to store_timeout */
    uv_sleep(STORE_NAP_MS);
    ledger_commit(&c);
  }
  /* A resumed run that had nothing left to run tells what is stored. */
  if (options->set == EVA_JOBS_MISSING && options->total == 0) ledger_note(&c);
  ledger_report(&c);
  crew_end_all(&c);
  running_now = NULL;
  if (c.is_store_broken && eva_store_in_transaction(options->store)) eva_store_rollback(options->store);
  close_handles(&c);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  sight_close(&c);
  free(c.crew);
  free(c.waiting.all);
  free(c.lonely.all);
  free(c.stored_bits);
  free(c.unreported);
  eva_buf_free(&c.page);
  eva_buf_free(&c.backlog);
  *progress = c.progress;
  return c.end;
}

/* What people see of a run while it goes: counts, and when nothing has ended for long, the slowest item and what it
 * does. */
#include <stdlib.h>

#include "base/clock.h"
#include "engine/coordinator_private.h"

enum { LOOK_MS = 1000 };

void sight_moved(coordinator *c) {
  c->moved_ns = eva_clock_monotonic_ns();
  c->slow.position = 0;
}

/* The member that runs the item which started first, and that item's position; NULL where none runs. */
static crew_member *slowest(coordinator *c, int64_t *position, int64_t *started_at_ms) {
  crew_member *found = NULL;
  for (int index = 0; index < c->crew_size; index++) {
    crew_member *member = &c->crew[index];
    for (int slot = 0; member->pid && slot < member->board->slots; slot++) {
      int64_t running = atomic_load(&member->board->running[slot].position);
      int64_t started = atomic_load(&member->board->running[slot].started_at_ms);
      if (!running || (found && started >= *started_at_ms)) continue;
      found = member;
      *position = running;
      *started_at_ms = started;
    }
  }
  return found;
}

static void take_id(void *context, const eva_job *job) {
  eva_buf *id = context;
  eva_buf_clear(id);
  eva_buf_add(id, job->item_id.data, job->item_id.len);
}

/* A worker whose code does not wait cannot answer: that much is seen from here. */
static void look_from_outside(coordinator *c, const crew_member *member, int64_t position) {
  eva_error error;
  if (atomic_load(&member->board->on_cpu) != position) return;
  eva_buf_clear(&c->slow_id);
  eva_buf_clear(&c->slow_doing);
  if (eva_jobs_page(c->options->store, c->options->experiment_id, position - 1, 1, EVA_JOBS_ALL, take_id, &c->slow_id,
                    &error) != EVA_OK) {
    return;
  }
  eva_buf_add_string(&c->slow_doing, "its code runs and does not wait");
  c->slow.position = position;
}

static void look(coordinator *c, uint64_t now) {
  int64_t position = 0, started_at_ms = 0;
  crew_member *member = slowest(c, &position, &started_at_ms);
  if (c->slow.position != position) c->slow.position = 0;
  if (!member) return;
  c->slow.running_ms = eva_clock_wall_ms() - started_at_ms;
  if (now < c->looked_ns + (uint64_t)LOOK_MS * 1000000) return;
  c->looked_ns = now;
  look_from_outside(c, member, position);
  size_t offset = eva_frame_begin(&member->out, EVA_FRAME_LOOK);
  eva_put_i64(&member->out, position);
  eva_frame_end(&member->out, offset);
  crew_send(member);
}

void sight_doing(coordinator *c, eva_cursor *payload) {
  int64_t position = eva_get_i64(payload);
  eva_text id = eva_get_text(payload), doing = eva_get_text(payload);
  if (payload->bad) return;
  eva_buf_clear(&c->slow_id);
  eva_buf_clear(&c->slow_doing);
  eva_buf_add(&c->slow_id, id.data, id.len);
  eva_buf_add(&c->slow_doing, doing.data, doing.len);
  c->slow.position = position;
}

static int64_t count_running(const coordinator *c) {
  int64_t count = 0;
  for (int index = 0; index < c->crew_size; index++) {
    const crew_member *member = &c->crew[index];
    for (int slot = 0; member->pid && slot < member->board->slots; slot++) {
      count += atomic_load(&member->board->running[slot].position) != 0;
    }
  }
  return count;
}

void sight_tick(coordinator *c, uint64_t now) {
  eva_run_progress *progress = &c->progress;
  progress->in_flight = count_running(c);
  progress->retrying = waiting_count(c);
  progress->waiting = progress->total - c->received - progress->in_flight - progress->retrying;
  if (progress->waiting < 0) progress->waiting = 0;
  if (now >= c->moved_ns + (uint64_t)EVA_SLOW_AFTER_MS * 1000000) look(c, now);
  progress->slow = c->slow;
  progress->slow.id = eva_buf_text(&c->slow_id);
  progress->slow.doing = eva_buf_text(&c->slow_doing);
}

void sight_close(coordinator *c) {
  eva_buf_free(&c->slow_id);
  eva_buf_free(&c->slow_doing);
  c->progress.slow = (eva_slow_item){0};
  c->progress.in_flight = c->progress.waiting = c->progress.retrying = 0;
}

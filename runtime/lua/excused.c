/* Waiting that deadlines do not count: for a permit, which says nothing about the item that waits. See task.h. */
#include "base/clock.h"
#include "lua/task.h"

uint64_t eva_scope_excused_ns(const eva_scope *scope, uint64_t now_ns) {
  uint64_t least = UINT64_MAX;
  for (const eva_scope *child = scope->children; child; child = child->next) {
    if (child->outcome != EVA_RUNNING) continue;
    uint64_t excused = eva_scope_excused_ns(child, now_ns);
    if (excused < least) least = excused;
  }
  if (least != UINT64_MAX) return least;
  for (const eva_op *op = scope->ops; op; op = op->next) {
    if (!op->is_excused || op->done) return 0;
    if (now_ns - op->since_ns < least) least = now_ns - op->since_ns;
  }
  return least == UINT64_MAX ? 0 : least;
}

/* Whether another child of the parent does something that counts. */
static int has_busy_sibling(const eva_scope *scope, uint64_t now_ns) {
  for (const eva_scope *child = scope->parent->children; child; child = child->next) {
    if (child != scope && child->outcome == EVA_RUNNING && !eva_scope_excused_ns(child, now_ns)) return 1;
  }
  return 0;
}

void eva_scope_excuse(const eva_op *op) {
  uint64_t now = eva_clock_monotonic_ns();
  uint64_t busy = op->scope->vm->busy_ns - op->since_busy_ns;
  for (eva_scope *scope = op->scope; scope; scope = scope->parent) {
    uint64_t from = op->since_ns > scope->excused_to ? op->since_ns : scope->excused_to;
    if (now > from) {
      scope->started_ns += now - from;
      scope->excused_ns += now - from;
      if (from == op->since_ns) scope->others_ns += busy;
      scope->excused_to = now;
    }
    if (!scope->parent || has_busy_sibling(scope, now)) return;
  }
}

/* The coordinator: hands the items of an experiment to forked workers, stores what comes back, and says how it went.
 *
 * It is single-threaded, the only writer of the store, and reports a result only after the commit that holds it. */
#ifndef EVA_ENGINE_COORDINATOR_H
#define EVA_ENGINE_COORDINATOR_H

#include <uv.h>

#include "engine/early_end.h"
#include "engine/worker.h"
#include "store/runs.h"
#include "store/store.h"

enum {
  EVA_COMMIT_ROWS = 500,           /* results in one transaction */
  EVA_COMMIT_MS = 100,             /* or this long */
  EVA_CANCEL_GRACE_MS = 5000,      /* for items in flight after the first Ctrl-C */
  EVA_SILENT_MS = 5000,            /* a worker whose deadlines' timer stood still that long is killed */
  EVA_STUCK_GRACE_MS = 500,        /* a worker whose code does not end that long after its deadline is killed */
  EVA_SLOW_AFTER_MS = 10000,       /* without a result: then the slowest item is named */
  EVA_RERUNS_MAX = 2,              /* after that many interruptions an item runs alone in a fresh worker */
  EVA_CRASHES_IN_A_ROW_MAX = 10,   /* workers that die without a result between them end the run */
  EVA_WORKERS_MAX = 256
};

/* The item that runs longest, when nothing has ended for EVA_SLOW_AFTER_MS. */
typedef struct eva_slow_item {
  int64_t position; /* 0: none */
  int64_t running_ms;
  eva_text id;
  eva_text doing; /* for people: "target waits for sleep at a.eval.lua:12" */
} eva_slow_item;

typedef struct eva_run_progress {
  int64_t total, done, failed; /* done and failed: stored */
  int64_t in_flight;           /* have started and not ended */
  int64_t waiting;             /* have not started yet */
  int64_t retrying;            /* wait for their next attempt */
  int64_t own_scorers;         /* items handed out so far that name scorers of their own */
  eva_slow_item slow;
} eva_run_progress;

typedef struct eva_run_options {
  eva_store *store;
  const char *experiment_id;
  uv_loop_t *loop;
  int64_t selected;        /* jobs of the selection */
  int64_t total;           /* of them to run: all, or those of `set` */
  int max_concurrency;     /* over all workers */
  int workers;
  int max_retries;
  eva_early_rules early;   /* what ends the run before its items are done */
  int64_t timeout_ms;      /* of the whole run, 0: none */
  int64_t rss_per_worker;  /* bytes that a worker may hold beyond what it began with, 0: any */
  eva_job_set set;         /* which jobs of the selection run */
  const eva_worker_program *program;
  struct eva_desk *desk;   /* what workers may ask; NULL: nothing */
  void *context;
  /* After a commit: positions up to reported_to (all of them, in order) are stored. Called outside of the loop, which it
   * may run. */
  void (*on_commit)(void *context, int64_t reported_from, int64_t reported_to, const eva_run_progress *progress);
  void (*on_tick)(void *context, const eva_run_progress *progress); /* every 100 ms */
  int (*is_aborted)(void *context); /* asked in every turn of the loop: the script wants the run to end as if by Ctrl-C */
} eva_run_options;

typedef enum eva_run_end {
  EVA_RUN_COMPLETED,
  EVA_RUN_CANCELLED,    /* Ctrl-C or SIGTERM */
  EVA_RUN_TIMED_OUT,    /* timeout of the experiment */
  EVA_RUN_MAX_FAILURES,
  EVA_RUN_STOPPED,      /* an error that every item would meet */
  EVA_RUN_BUDGET,       /* run_tokens or run_cost is spent */
  EVA_RUN_SCRIPT_ERROR, /* a hook of the suite failed in a worker */
  EVA_RUN_BROKEN        /* store failure, crash loop */
} eva_run_end;

/* Runs to the end. Never leaves a worker behind. `error` says why where it ended otherwise than completed, cancelled or
 * timed out. */
eva_run_end eva_coordinate(const eva_run_options *options, eva_run_progress *progress, eva_error *error);

/* Commits what is on its way, so that somebody else can begin a transaction; nothing where no run goes on. */
void eva_coordinator_commit(void);

#endif

/* The coordinator: hands the items of an experiment to forked workers, stores what comes back, and says how it went.
 *
 * It is single-threaded, the only writer of the store, and reports a result only after the commit that holds it. */
#ifndef EVA_ENGINE_COORDINATOR_H
#define EVA_ENGINE_COORDINATOR_H

#include <uv.h>

#include "engine/worker.h"
#include "store/runs.h"
#include "store/store.h"

enum {
  EVA_COMMIT_ROWS = 500,           /* results in one transaction */
  EVA_COMMIT_MS = 100,             /* or this long */
  EVA_STORE_TIMEOUT_MS = 30000,    /* how long a locked database is waited for */
  EVA_CANCEL_GRACE_MS = 5000,      /* for items in flight after the first Ctrl-C */
  EVA_STUCK_GRACE_MS = 500,        /* a worker whose code does not end that long after its deadline is killed */
  EVA_RERUNS_MAX = 2,              /* after that many interruptions an item runs alone in a fresh worker */
  EVA_CRASHES_IN_A_ROW_MAX = 10,   /* workers that die without a result between them end the run */
  EVA_WORKERS_MAX = 256
};

typedef struct eva_run_progress {
  int64_t total, done, failed, in_flight, waiting; /* done and failed: stored; waiting: for their next attempt */
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
  int64_t max_failures;    /* 0: no limit */
  int64_t timeout_ms;      /* of the whole run, 0: none */
  eva_job_set set;         /* which jobs of the selection run */
  const eva_worker_program *program;
  void *context;
  /* After a commit: positions up to reported_to (all of them, in order) are stored. */
  void (*on_commit)(void *context, int64_t reported_from, int64_t reported_to, const eva_run_progress *progress);
  void (*on_tick)(void *context, const eva_run_progress *progress); /* every 100 ms */
  int (*is_aborted)(void *context); /* asked every 100 ms: the script wants the run to end as if by Ctrl-C */
} eva_run_options;

typedef enum eva_run_end {
  EVA_RUN_COMPLETED,
  EVA_RUN_CANCELLED,    /* Ctrl-C or SIGTERM */
  EVA_RUN_TIMED_OUT,    /* timeout of the experiment */
  EVA_RUN_MAX_FAILURES,
  EVA_RUN_BROKEN        /* `error` says why: store failure, crash loop */
} eva_run_end;

/* Runs to the end. Never leaves a worker behind. `error` is filled for EVA_RUN_BROKEN. */
eva_run_end eva_coordinate(const eva_run_options *options, eva_run_progress *progress, eva_error *error);

#endif

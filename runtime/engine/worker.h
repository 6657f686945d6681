/* A worker process: takes jobs from its coordinator, runs as many at a time as it has slots, sends results back. What
 * running means is the program's: the engine knows nothing of Lua. */
#ifndef EVA_ENGINE_WORKER_H
#define EVA_ENGINE_WORKER_H

#include <stdatomic.h>
#include <uv.h>

#include "engine/channel.h"

/* One page shared with the coordinator, so that it knows what ran when a worker died. */
typedef struct eva_worker_board {
  _Atomic int64_t on_cpu;    /* the position whose code holds the process; 0: none */
  _Atomic uint64_t cpu_until_ns; /* when that code must have ended (monotonic clock); 0: no deadline */
  _Atomic uint64_t beats; /* counted by a timer of the process once it watches deadlines; 0: it does not */
  int slots;
  struct {
    _Atomic int64_t position;      /* that has started; 0: free */
    _Atomic int64_t started_at_ms; /* wall clock */
    _Atomic int is_scoring;        /* its target has ended, its scorers run */
  } running[]; /* [slots] */
} eva_worker_board;

typedef struct eva_worker eva_worker;

typedef struct eva_worker_program {
  void *context;
  /* Makes the process ready (a loop of its own, seeds, signals). Returns the loop, or NULL with `error` filled; its code
   * is EVA_E_STATE where a script is the cause. */
  uv_loop_t *(*open)(void *context, eva_worker *worker, eva_error *error);
  /* Starts one job; eva_worker_result ends it, now or later. The frame's texts die when this returns. */
  void (*start)(void *context, eva_worker *worker, int slot, const eva_job_frame *frame);
  /* Adds the id of the job in `slot` and what it is doing, for people. May be NULL. */
  void (*describe)(void *context, int slot, eva_buf *id, eva_buf *doing);
  /* An ask of the desk is answered; the texts die when this returns. May be NULL where nothing is asked. */
  void (*answer)(void *context, uint64_t number, const eva_reply *reply);
  /* A service of the desk says something unasked; the texts die when this returns. May be NULL. */
  void (*told)(void *context, eva_text service, eva_text message);
  /* Before what a turn of the loop brought together is sent. May be NULL. */
  void (*turn)(void *context);
  /* Kills what the worker started; safe in a signal handler. */
  void (*kill_all)(void);
} eva_worker_program;

/* Runs until the coordinator says stop or is gone; ends the process with _exit. */
void eva_worker_main(int socket, eva_worker_board *board, const eva_worker_program *program) __attribute__((noreturn));

/* Listens to the coordinator on `loop`, so that the desk can be asked before the worker is open; jobs start later. Called
 * by `open` once it has a loop, before it runs anything that may ask. */
void eva_worker_listen(eva_worker *worker, uv_loop_t *loop);
/* The buffer for frames to the coordinator, results and asks: fill it between eva_frame_begin and eva_frame_end. What a turn
 * of the loop brings together is sent in one write. */
eva_buf *eva_worker_out(eva_worker *worker);
/* Whether something waits in the buffer; safe in a signal handler. */
int eva_worker_has_unsent(const eva_worker *worker);
/* Sends what waits in the buffer now, though this turn of the loop goes on. Not while a frame is being filled. */
void eva_worker_flush(eva_worker *worker);
/* The job in `slot` is done and its result is in the buffer. */
void eva_worker_done(eva_worker *worker, int slot);
/* Starts jobs in free slots now, not only when all that has happened in this turn of the loop is handled: what each begins
 * is then under way at once. Does nothing while a job is being started. */
void eva_worker_refill(eva_worker *worker);
/* Tells the coordinator why the worker cannot go on; `is_script`: a script is the cause. */
void eva_worker_fatal(eva_worker *worker, const char *message, int is_script);
/* The target of the job in `slot` has ended, its scorers run. */
void eva_worker_scores(eva_worker *worker, int slot);
/* Where the beats of the worker are counted; safe in a signal handler. */
_Atomic uint64_t *eva_worker_beats(eva_worker *worker);
/* Marks whose code runs (0: nobody's) and until when it may; see eva_worker_board. */
void eva_worker_on_cpu(eva_worker *worker, int64_t position, uint64_t until_ns);

#endif

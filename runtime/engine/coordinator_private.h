/* What the parts of the coordinator share: coordinator.c (what runs when), crew.c (worker processes), ledger.c (what
 * gets stored). */
#ifndef EVA_ENGINE_COORDINATOR_PRIVATE_H
#define EVA_ENGINE_COORDINATOR_PRIVATE_H

#include <signal.h>
#include <sys/types.h>

#include "engine/coordinator.h"
#include "engine/desk.h"
#include "engine/early_end.h"

/* One job on its way: assigned to a worker, or waiting to be assigned again. */
typedef struct assignment {
  int64_t position;
  int attempt;        /* number of this assignment; results of earlier ones are dropped */
  int try_number;     /* from 1; grows with retries only */
  int target_tries;   /* of the retries, those that the target asked for: they do not use up max_retries */
  int target_retries; /* of them, those since the last retry of the item's own */
  int interrupted_by; /* reruns through no fault of its own */
  int is_alone;       /* it met a memory limit: it runs by itself now, and its result counts whatever it is */
  uint64_t due_ns;    /* waiting ones: not before */
} assignment;

typedef struct assignment_list {
  assignment *all;
  int count, cap;
} assignment_list;

void assignment_add(assignment_list *list, assignment added);
void assignment_remove(assignment_list *list, int index); /* order is not kept */

typedef struct crew_member {
  eva_desk_client client; /* of the desk */
  struct coordinator *coordinator;
  pid_t pid;   /* 0: no process */
  int socket;
  int slots;   /* jobs at a time */
  int is_alone; /* runs one job that was interrupted too often, then ends */
  int is_drained;
  int64_t stuck_on; /* killed because the code of this position did not end in time; 0: was not */
  uint64_t beats;   /* of its timer, when last looked at */
  int silent_ticks; /* for so many looks it stood still */
  int is_silent;    /* killed for that: the process was stopped, or hangs in the kernel */
  int64_t rss_base; /* bytes resident in the process that it was forked from */
  int64_t rss_over; /* killed because it held so many more; 0: was not */
  uv_poll_t *poll; /* frees itself when closed */
  int is_writing;
  eva_buf in, out;
  size_t out_at;
  eva_worker_board *board;
  size_t board_size;
  assignment_list jobs; /* assigned and without a result */
  double mean_ms;       /* latency of its items, smoothed */
  int64_t results;
} crew_member;

enum { EVA_RUN_SIGNALS = 3 }; /* SIGINT, SIGTERM, SIGHUP */

typedef struct coordinator {
  const eva_run_options *options;
  crew_member *crew; /* [crew_size]: workers, then room for lonely ones */
  int crew_size;
  assignment_list waiting;   /* retries and reruns, a heap; see waiting.c */
  assignment_list lonely;    /* reruns that need a worker of their own */
  uint64_t due_ns;           /* what the timer `due` is set for; 0: nothing */
  eva_buf page;              /* encoded job frames of the next jobs */
  size_t page_at;
  int64_t page_last;         /* position of the last job in the page */
  int is_exhausted;          /* no further page */
  int64_t handed_out;        /* jobs of the selection that have been assigned once */

  eva_buf backlog;           /* results received and not inserted yet, see ledger.c */
  size_t backlog_at;
  int64_t uncommitted;       /* rows inserted since begin */
  int64_t uncommitted_failed;
  uint64_t begun_ns;         /* of the transaction */
  int is_store_broken;       /* nothing more can be stored */
  uint64_t busy_since_ns;    /* the database is locked by others since; 0: it is not */
  int is_wait_told;          /* and the user knows */
  int64_t received;          /* final results */
  eva_early_end early;
  unsigned char *stored_bits;        /* one a position: committed */
  int64_t *unreported;       /* positions inserted and not committed yet */
  int64_t unreported_count, unreported_cap;
  int64_t reported_to;       /* all positions up to it are stored, and reported or due */
  int is_report_due;         /* something was committed that the program has not been told */
  int is_reporting;          /* it is being told, and may run the loop meanwhile: nothing is forked */

  uv_timer_t tick, deadline, grace, busy, due;
  uv_prepare_t turn;
  uv_signal_t signals[EVA_RUN_SIGNALS];
  struct sigaction signals_before[EVA_RUN_SIGNALS]; /* what handled them, and will again */
  int open_handles;
  int is_stopping;           /* nothing new is assigned */
  int is_ended;
  int kills;                 /* how often the crew was told to end now */
  int crashes_in_a_row;
  uint64_t random;           /* for jitter */
  uint64_t watched_ns;       /* when memory was looked at last */
  uint64_t moved_ns;         /* when a result came last, or the run began */
  uint64_t looked_ns;        /* when the slowest item was asked for last */
  eva_slow_item slow;        /* what is known of it; position 0: nothing */
  eva_buf slow_id, slow_doing;
  eva_run_end end;
  eva_run_progress progress;
  eva_error *error;
} coordinator;

/* coordinator.c */
void coordinator_result(coordinator *c, crew_member *member, eva_cursor *payload);
/* A result, or an attempt that is retried: stored, counted, and what follows from it. */
void coordinator_settle(coordinator *c, const assignment *job, const eva_result_head *head, eva_text payload);
void coordinator_run_alone(coordinator *c, assignment job); /* once more, in a worker of its own */
void coordinator_break(coordinator *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void coordinator_script_error(coordinator *c, eva_text message);
void coordinator_stop(coordinator *c, eva_run_end why); /* hold the crew; ends when what runs has ended */

/* waiting.c */
void waiting_add(coordinator *c, assignment job);
int waiting_is_due(const coordinator *c, uint64_t now_ns);
assignment waiting_take(coordinator *c); /* the one that is due first */
int waiting_count(const coordinator *c); /* the lonely ones too */
void waiting_arm(coordinator *c);        /* the loop wakes when the next is due */

/* deaths.c */
void coordinator_lost(coordinator *c, crew_member *member, int wait_status); /* after its socket is drained */

/* crew.c */
int crew_start(coordinator *c, crew_member *member, int slots); /* 0, or -1 with c->error filled */
void crew_send(crew_member *member);                            /* as much as the socket takes */
void crew_end_all(coordinator *c);                              /* no process is left after this */
void crew_order(crew_member *member, eva_frame_type type);

/* memory_watch.c */
int64_t memory_resident(pid_t pid);      /* bytes; 0 when unknown */
void memory_watch(coordinator *c, uint64_t now); /* kills workers that hold too much */

/* sight.c */
void sight_moved(coordinator *c);                      /* a result has come */
void sight_tick(coordinator *c, uint64_t now);         /* fills the progress; asks what the slowest item does */
void sight_doing(coordinator *c, eva_cursor *payload); /* the answer */
void sight_close(coordinator *c);

/* ledger.c */
void ledger_add(coordinator *c, const assignment *job, eva_text payload, int is_final);
void ledger_flush(coordinator *c);  /* inserts what waits, commits what is due */
void ledger_commit(coordinator *c); /* inserts and commits everything now, if the database lets us */
int ledger_is_empty(const coordinator *c);
void ledger_note(coordinator *c);   /* what was inserted has been committed: a report is due */
void ledger_report(coordinator *c); /* tells what is due; only outside of the loop, as the program may wait in it */

#endif

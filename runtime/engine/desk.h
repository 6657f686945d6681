/* The desk: what all workers share lives in the coordinator, as services that answer questions.
 *
 * A client (a worker, or this process itself) asks a service under a number of its own. The service answers at once or
 * later; an answer may grant something that stays granted until the client closes the number. Closing covers all ends
 * alike: the ask is given up, the grant is given back, the client has died. So nobody's death keeps anything taken. */
#ifndef EVA_ENGINE_DESK_H
#define EVA_ENGINE_DESK_H

#include <stdint.h>

#include "engine/channel.h"

typedef struct eva_desk eva_desk;
typedef struct eva_slip eva_slip;
typedef struct eva_desk_client eva_desk_client;

/* An open ask, from its arrival until it is answered or, where something was granted, closed. */
struct eva_slip {
  eva_desk_client *client;
  uint64_t number;
  const struct eva_desk_service *service;
  void *held;     /* the service's own */
  int is_granted; /* answered, and to be closed by the client */
};

/* Embed it in what knows the client; zero it to start and set `answer`. */
struct eva_desk_client {
  void (*answer)(eva_desk_client *client, uint64_t number, const eva_reply *reply);
  /* What a service says unasked; NULL where the client does not listen. */
  void (*tell)(eva_desk_client *client, eva_text service, eva_text message);
  eva_slip **slips; /* by the slot of the number */
  uint32_t slip_cap;
};

typedef struct eva_desk_service {
  const char *name;
  void *context;
  /* Ends in eva_slip_answer or eva_slip_grant, now or later. The request dies when this returns. */
  void (*ask)(void *context, eva_slip *slip, eva_text request);
  /* The client has closed an ask that waits (is_granted 0) or is granted; the slip goes after this returns. `outcome` is
   * what it says of the grant, none when it was given up. NULL for services that answer at once and grant nothing. */
  void (*close)(void *context, eva_slip *slip, eva_text outcome);
  /* What the client says of a grant that it keeps; NULL where there is nothing to say. */
  void (*note)(void *context, eva_slip *slip, eva_text text);
  /* Something that nobody waits for; may be NULL. */
  void (*tell)(void *context, eva_text message);
} eva_desk_service;

/* Numbers are a slot (lower half, below EVA_DESK_SLOTS_MAX), used again once its ask is closed, and how often it was used
 * (upper half): an answer that comes late is not taken for that of the next ask. Each client has numbers of its own. */
enum { EVA_DESK_SLOTS_MAX = 1 << 20 };

eva_desk *eva_desk_open(void);
void eva_desk_close(eva_desk *desk);

/* Adds a service, or puts it in the place of one of the same name; `service` must live as long as the desk. */
void eva_desk_serve(eva_desk *desk, const eva_desk_service *service);

/* What clients do. Asks for unknown services are answered with the code not_found. */
void eva_desk_ask(eva_desk *desk, eva_desk_client *client, uint64_t number, eva_text service, eva_text request);
void eva_desk_tell(eva_desk *desk, eva_text service, eva_text message);
void eva_desk_end(eva_desk_client *client, uint64_t number, eva_text outcome); /* nothing where it is closed already */
void eva_desk_note(eva_desk_client *client, uint64_t number, eva_text text);   /* of what is granted */
void eva_desk_leave(eva_desk_client *client); /* closes all; the client has no memory of ours after this */
/* One of the frames ask, tell, note and close. Returns 0 when the payload is bad. */
int eva_desk_receive(eva_desk *desk, eva_desk_client *client, eva_frame_type type, eva_cursor *payload);

/* What services do. */
void eva_slip_answer(eva_slip *slip, const eva_reply *reply); /* the slip is gone after this */
void eva_slip_grant(eva_slip *slip, eva_text answer);         /* it stays until it is closed */
void eva_slip_fail(eva_slip *slip, const char *code, const char *message); /* the slip is gone after this */

#endif

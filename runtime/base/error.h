/* One error value for every C layer: a code, a message for the user and the place it speaks of.
 *
 * Convention: a function that can fail takes `eva_error *error` last and returns eva_code (EVA_OK is 0). On failure it
 * has filled `error` and left no partial state. `error` is never NULL. */
#ifndef EVA_BASE_ERROR_H
#define EVA_BASE_ERROR_H

typedef enum eva_code {
  EVA_OK = 0,
  EVA_E_ARGUMENT,  /* the caller passed something unusable */
  EVA_E_PARSE,     /* text that is not what it should be */
  EVA_E_LIMIT,     /* a named limit was met */
  EVA_E_NOT_FOUND, /* no such dataset, version, experiment, file */
  EVA_E_EXISTS,    /* the name or id is taken */
  EVA_E_IO,        /* the system refused: file, pipe, process */
  EVA_E_STORE,     /* the database failed; nothing of this call is stored */
  EVA_E_BUSY,      /* another process holds the database; try again */
  EVA_E_READ_ONLY, /* the database cannot be written */
  EVA_E_SCHEMA,    /* not our database, or of a newer program */
  EVA_E_CANCELLED, /* stopped on request */
  EVA_E_STATE      /* called at the wrong time */
} eva_code;

enum { EVA_ERROR_MESSAGE_MAX = 1024, EVA_ERROR_WHERE_MAX = 256 };

typedef struct eva_error {
  eva_code code;
  char message[EVA_ERROR_MESSAGE_MAX]; /* what is wrong and what would be right; UTF-8, never NULL */
  char where[EVA_ERROR_WHERE_MAX];     /* "tickets.csv:12", "line 3 column 9", an item id; may be "" */
} eva_error;

/* Fills `error` and returns `code`. `where` may be NULL. A message that is too long is cut at a character. */
eva_code eva_error_set(eva_error *error, eva_code code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The code's name as scripts see it: "parse", "limit", "not_found", ... */
const char *eva_code_name(eva_code code);

#endif

/* JSON without loss: a pull reader, a writer that sorts keys, and canonical text.
 *
 * Integers within int64 and doubles are different kinds of number and stay so: `1`, `1.0` and `-0.0` are three values
 * (`-0`, which no integer can hold, is the double -0.0). A number is a double when its text has '.', 'e' or 'E'.
 *
 * Modes of reading:
 *   strict   our own items: refuses duplicate keys, integers beyond int64, lone surrogate escapes, a byte order mark
 *   foreign  bodies of others: the last duplicate wins, such integers become doubles, a lone surrogate escape becomes
 *            U+FFFD, one leading byte order mark is skipped
 * Both refuse what RFC 8259 refuses, bytes that are not UTF-8 (use eva_utf8_repair first) and numbers that no double
 * holds (1e400).
 *
 * Forms of writing, both with keys sorted by bytes:
 *   storage   lossless: the double 1 is `1.0`, minus zero `-0.0`, 1e300 `1e300`
 *   identity  for ids and digests: integral doubles up to 2^53 are written as integers, so 1.0 is `1` and -0.0 is `0`
 *
 * Errors: code EVA_E_PARSE (EVA_E_LIMIT for depth), `where` is "line 3 column 9" (columns count characters from 1). */
#ifndef EVA_DATA_JSON_H
#define EVA_DATA_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "data/utf8.h"

enum { EVA_JSON_DEPTH_MAX = 1000, EVA_JSON_NUMBER_SIZE = 32 /* longest number written, and a NUL */ };

typedef enum eva_json_mode { EVA_JSON_STRICT, EVA_JSON_FOREIGN } eva_json_mode;
typedef enum eva_json_form { EVA_JSON_STORAGE, EVA_JSON_IDENTITY } eva_json_form;

/* ==== Reading ==== */

typedef enum eva_json_event {
  EVA_JSON_ERROR, /* reader->error says why; every further call says so again */
  EVA_JSON_END,   /* the one value, and white space behind it, are read */
  EVA_JSON_NULL,
  EVA_JSON_FALSE,
  EVA_JSON_TRUE,
  EVA_JSON_INTEGER, /* reader->integer */
  EVA_JSON_DOUBLE,  /* reader->number */
  EVA_JSON_STRING,  /* reader->string */
  EVA_JSON_KEY,     /* reader->string; the member's value follows */
  EVA_JSON_ARRAY_BEGIN,
  EVA_JSON_ARRAY_END,
  EVA_JSON_OBJECT_BEGIN,
  EVA_JSON_OBJECT_END
} eva_json_event;

/* Does not recurse: nesting costs one bit a level. Duplicate keys are the caller's to find (it knows the keys). */
typedef struct eva_json_reader {
  const char *text;   /* not owned */
  size_t len;
  size_t at;          /* the next byte to read */
  size_t token;       /* where the last event began: a place for the caller's own errors */
  eva_json_mode mode;
  int depth_max;
  int depth;
  int expect;         /* what may come next; private */
  int64_t integer;
  double number;
  eva_text string;    /* lives until the next call */
  eva_buf scratch;    /* holds a string that had escapes */
  eva_error *error;
  unsigned char in_object[EVA_JSON_DEPTH_MAX / 8 + 1]; /* bit stack: is level n an object? */
} eva_json_reader;

/* Starts over on another text. `reader` is zeroed before its first use; scratch memory is kept from use to use.
 * depth_max is 1..EVA_JSON_DEPTH_MAX, 0 means the maximum. `error` is filled at EVA_JSON_ERROR. */
void eva_json_reader_start(eva_json_reader *reader, eva_text text, eva_json_mode mode, int depth_max,
                           eva_error *error);
eva_json_event eva_json_read(eva_json_reader *reader);
/* Fills the reader's error with the line and column of byte `offset`; returns EVA_JSON_ERROR. */
eva_json_event eva_json_reader_fail(eva_json_reader *reader, eva_code code, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for a key that an object already has; returns EVA_E_PARSE. */
eva_code eva_json_fail_duplicate(eva_json_reader *reader, size_t offset, const char *key, size_t len);
void eva_json_reader_free(eva_json_reader *reader);

/* ==== Writing pieces ==== */

/* Writes the string with its quotes. Returns 1, or 0 when some bytes were not UTF-8 (they became U+FFFD). */
int eva_json_write_string(eva_buf *out, const char *data, size_t len);
/* The shortest text that reads back as the same double (storage form: always with '.' or 'e'). `value` is finite. */
void eva_json_write_double(eva_buf *out, double value, eva_json_form form);
void eva_json_write_integer(eva_buf *out, int64_t value);
/* The same into out[EVA_JSON_NUMBER_SIZE], NUL-terminated; returns the length. */
size_t eva_json_format_double(double value, eva_json_form form, char *out);
/* Reads a number whose syntax is already checked. Never locale-dependent. Infinite when it is too large. */
double eva_json_parse_double(const char *text, size_t len);

/* ==== Writing documents ==== */

typedef struct eva_json_member {
  size_t key;    /* offset of its key's bytes in `keys` */
  size_t key_len;
  size_t start;  /* offset in out->data of its text, separators not included */
  size_t end;
  size_t source; /* where its key stood in a source text, for messages */
} eva_json_member;

typedef struct eva_json_level {
  size_t first_member; /* of this object, in `members` */
  size_t first_key;    /* in `keys` */
  size_t start;        /* offset of the byte behind '{' or '[' */
  int is_object;
} eva_json_level;

/* Puts a value into `out`, comma by comma; each object's members are sorted when it ends. Zero it before its first
 * use; memory is kept from use to use. */
typedef struct eva_json_writer {
  eva_buf *out; /* not owned */
  eva_json_form form;
  int pretty;          /* two spaces a level */
  int keep_last;       /* duplicate keys: the last wins; else the object's end reports them */
  int depth;
  int after_key;
  int not_utf8;        /* some string was not UTF-8 and was repaired */
  eva_buf keys;        /* decoded keys of the open objects */
  eva_buf sorted;      /* scratch */
  eva_json_member *members;
  size_t member_count, member_cap;
  eva_json_level levels[EVA_JSON_DEPTH_MAX];
} eva_json_writer;

void eva_json_writer_start(eva_json_writer *writer, eva_buf *out, eva_json_form form);
void eva_json_writer_free(eva_json_writer *writer);

void eva_json_put_null(eva_json_writer *writer);
void eva_json_put_bool(eva_json_writer *writer, int value);
void eva_json_put_integer(eva_json_writer *writer, int64_t value);
void eva_json_put_double(eva_json_writer *writer, double value); /* finite */
void eva_json_put_string(eva_json_writer *writer, const char *data, size_t len);
void eva_json_put_key(eva_json_writer *writer, const char *data, size_t len, size_t source);
/* Opens an array or object: 1, or 0 when it would be deeper than EVA_JSON_DEPTH_MAX. */
int eva_json_put_begin(eva_json_writer *writer, int is_object);
/* Closes the innermost one. Returns NULL, or the member whose key stands twice when that is not allowed. */
const eva_json_member *eva_json_put_end(eva_json_writer *writer);

/* Puts what the reader has just read. 0 where it is nested too deeply, or ends an object in which a key stands twice. */
int eva_json_put_event(eva_json_writer *writer, const eva_json_reader *reader, eva_json_event event);

/* ==== Whole texts ==== */

/* Appends the canonical text of `text` to `out`. On failure `out` is as it was. */
eva_code eva_json_canonical(const char *text, size_t len, eva_json_form form, eva_json_mode mode, eva_buf *out,
                            eva_error *error);
/* The members of the one object in `text` (strict), each with the storage text of its value: how a line of a file
 * becomes the fields of an item without a table of values in between. Refuses what eva_json_canonical refuses, and more
 * than EVA_JSON_MEMBERS_MAX members. Key and text live until the next call. */
enum { EVA_JSON_MEMBERS_MAX = 32 };
typedef struct eva_json_field {
  eva_text key;
  eva_text text;
  int is_plain_string; /* text is a string without escapes: its value stands between the quotes */
} eva_json_field;
eva_code eva_json_fields(const char *text, size_t len, eva_json_field fields[EVA_JSON_MEMBERS_MAX], int *count,
                         eva_error *error);
eva_code eva_json_validate(const char *text, size_t len, eva_json_mode mode, eva_error *error);

#endif

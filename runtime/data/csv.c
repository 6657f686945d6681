/* Rows out of libcsv, which pushes cells: pieces end at line breaks, so that each row knows its line. */
#include "data/csv.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/utf8.h"

/* libcsv lets a cell grow by so much at a time (its own 128 bytes would copy a huge cell very often). */
enum { CELL_STEP = 65536 };

typedef struct cell {
  size_t start, len; /* in `bytes` */
} cell;

struct eva_csv {
  struct csv_parser parser;
  int fd;             /* -1 when reading a text */
  eva_text text;      /* what is left of the text */
  char *name;         /* in messages */
  char *piece;        /* EVA_CSV_PIECE_SIZE bytes of the file */
  size_t piece_len, piece_at;
  int started, ended; /* the first piece was looked at; nothing is left to feed */
  int64_t line;       /* of the next byte to feed */
  int last_was_return;
  int64_t row_line;   /* where the row under construction began; 0 between rows */
  int row_is_done;    /* cells hold a whole row of row_line */
  size_t width;       /* of the first row; 0 before it */
  eva_buf bytes;      /* of the row under construction */
  cell *cells;
  size_t cell_count, cell_cap;
  eva_text *texts;    /* what next() hands out */
  size_t text_cap;
  eva_error failure;  /* once something failed */
};

static int is_never_space(unsigned char c) {
  (void)c;
  return 0; /* libcsv would cut white space around cells */
}

static void on_cell(void *data, size_t len, void *context) {
  eva_csv *csv = context;
  if (csv->cell_count == csv->cell_cap) {
    csv->cell_cap = csv->cell_cap > 0 ? csv->cell_cap * 2 : 16;
    csv->cells = eva_realloc(csv->cells, csv->cell_cap * sizeof *csv->cells);
  }
  csv->cells[csv->cell_count++] = (cell){csv->bytes.len, len};
  eva_buf_add(&csv->bytes, data, len);
}

static void on_row(int terminator, void *context) {
  (void)terminator;
  eva_csv *csv = context;
  csv->row_is_done = 1;
}

static eva_code fail(eva_csv *csv, int64_t line, eva_code code, const char *message) {
  char where[EVA_ERROR_WHERE_MAX];
  snprintf(where, sizeof where, "%s:%lld", csv->name, (long long)line);
  return eva_error_set(&csv->failure, code, where, "%s", message);
}

static eva_csv *csv_new(const char *name, char delimiter) {
  eva_csv *csv = eva_alloc_zeroed(1, sizeof *csv);
  csv->fd = -1;
  csv->line = 1;
  csv->name = eva_strdup(name);
  csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI);
  csv_set_delim(&csv->parser, (unsigned char)delimiter);
  csv_set_space_func(&csv->parser, is_never_space);
  csv_set_realloc_func(&csv->parser, eva_realloc);
  csv_set_blk_size(&csv->parser, CELL_STEP);
  return csv;
}

static eva_code check_delimiter(char delimiter, eva_error *error) {
  if (delimiter != '"' && delimiter != '\n' && delimiter != '\r' && delimiter != '\0') return EVA_OK;
  return eva_error_set(error, EVA_E_ARGUMENT, NULL, "the delimiter cannot be a quote, a line break or NUL");
}

eva_code eva_csv_open(const char *path, char delimiter, eva_csv **out, eva_error *error) {
  if (check_delimiter(delimiter, error) != EVA_OK) return error->code;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return eva_error_set(error, errno == ENOENT ? EVA_E_NOT_FOUND : EVA_E_IO, path, "cannot open: %s", strerror(errno));
  }
  eva_csv *csv = csv_new(path, delimiter);
  csv->fd = fd;
  csv->piece = eva_alloc(EVA_CSV_PIECE_SIZE);
  *out = csv;
  return EVA_OK;
}

eva_code eva_csv_open_text(eva_text text, const char *name, char delimiter, eva_csv **out, eva_error *error) {
  if (check_delimiter(delimiter, error) != EVA_OK) return error->code;
  eva_csv *csv = csv_new(name, delimiter);
  csv->text = text;
  *out = csv;
  return EVA_OK;
}

void eva_csv_close(eva_csv *csv) {
  if (csv == NULL) return;
  if (csv->fd >= 0) close(csv->fd);
  csv_free(&csv->parser);
  eva_buf_free(&csv->bytes);
  free(csv->cells);
  free(csv->texts);
  free(csv->piece);
  free(csv->name);
  free(csv);
}

/* Fills piece_len..; at the end of the file sets `ended`. */
static eva_code read_piece(eva_csv *csv) {
  size_t len = 0;
  csv->piece_at = 0;
  while (len < EVA_CSV_PIECE_SIZE) { /* short reads (pipes) would cut a byte order mark in two */
    ssize_t count = read(csv->fd, csv->piece + len, EVA_CSV_PIECE_SIZE - len);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(csv, csv->line, EVA_E_IO, strerror(errno));
    if (count == 0) break;
    len += (size_t)count;
  }
  csv->piece_len = len;
  csv->ended = len == 0;
  return EVA_OK;
}

/* The unread bytes, without the byte order mark at the very start. */
static eva_code more_bytes(eva_csv *csv, eva_text *out) {
  if (csv->fd >= 0) {
    if (csv->piece_at == csv->piece_len && read_piece(csv) != EVA_OK) return csv->failure.code;
    *out = (eva_text){csv->piece + csv->piece_at, csv->piece_len - csv->piece_at};
  } else {
    *out = csv->text;
    csv->ended = out->len == 0;
  }
  if (csv->started || out->len == 0) return EVA_OK;
  csv->started = 1;
  const unsigned char *bytes = (const unsigned char *)out->data;
  if (out->len >= 2 && ((bytes[0] == 0xFF && bytes[1] == 0xFE) || (bytes[0] == 0xFE && bytes[1] == 0xFF))) {
    return fail(csv, 1, EVA_E_PARSE, "the file is UTF-16: save it as UTF-8");
  }
  if (out->len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
    out->data += 3;
    out->len -= 3;
    if (csv->fd >= 0) csv->piece_at += 3;
    if (csv->fd < 0) csv->text = *out;
    csv->ended = out->len == 0 && csv->fd < 0;
  }
  return EVA_OK;
}

/* Strict about quotes around cells, but a quote inside an unquoted cell is a quote (38°5'22"): strict libcsv stops
 * there with its state kept, so that one byte is fed leniently. */
static int parse(eva_csv *csv, const char *data, size_t len) {
  size_t at = csv_parse(&csv->parser, data, len, on_cell, on_row, csv);
  while (at < len && csv_error(&csv->parser) == CSV_EPARSE && !csv->parser.quoted) {
    csv_set_opts(&csv->parser, CSV_STRICT_FINI);
    at += csv_parse(&csv->parser, data + at, 1, on_cell, on_row, csv);
    csv_set_opts(&csv->parser, CSV_STRICT | CSV_STRICT_FINI);
    at += csv_parse(&csv->parser, data + at, len - at, on_cell, on_row, csv);
  }
  return at == len;
}

static eva_code fail_parse(eva_csv *csv, int64_t line) {
  if (csv_error(&csv->parser) == CSV_EPARSE) {
    return fail(csv, line, EVA_E_PARSE,
                "text behind a closing quote (quotes inside a quoted cell are doubled)");
  }
  return fail(csv, line, EVA_E_LIMIT, csv_strerror(csv_error(&csv->parser)));
}

/* Feeds bytes up to and with the next line break, so that at most one row ends. */
static eva_code feed_line(eva_csv *csv, eva_text bytes) {
  size_t len = 0;
  if (csv->last_was_return && bytes.data[0] == '\n') {
    csv->line--; /* the second half of a CRLF: its line is counted already */
  }
  while (len < bytes.len && bytes.data[len] != '\n' && bytes.data[len] != '\r') len++;
  int has_break = len < bytes.len;
  if (has_break) len++;
  if (csv->row_line == 0 && !(has_break && len == 1)) csv->row_line = csv->line;
  if (!parse(csv, bytes.data, len)) return fail_parse(csv, csv->line);
  csv->line += has_break;
  csv->last_was_return = has_break && bytes.data[len - 1] == '\r';
  if (csv->fd >= 0) {
    csv->piece_at += len;
  } else {
    csv->text = (eva_text){bytes.data + len, bytes.len - len};
  }
  /* What libcsv holds of an unfinished cell is not in `bytes` yet. */
  if (!csv->row_is_done && csv->bytes.len + csv->parser.entry_pos > EVA_CSV_ROW_MAX) {
    char message[128];
    snprintf(message, sizeof message, "a row of more than %d bytes (is a quote never closed?)", EVA_CSV_ROW_MAX);
    return fail(csv, csv->row_line, EVA_E_LIMIT, message);
  }
  return EVA_OK;
}

static eva_code finish(eva_csv *csv) {
  if (csv_fini(&csv->parser, on_cell, on_row, csv) != 0) {
    return fail(csv, csv->row_line, EVA_E_PARSE, "the row ends inside a quoted cell: its quote is never closed");
  }
  return EVA_OK;
}

/* Checks the finished row and points `row` at it. */
static eva_code take_row(eva_csv *csv, eva_csv_row *row) {
  int64_t line = csv->row_line;
  csv->row_is_done = 0;
  csv->row_line = 0;
  if (csv->width == 0) csv->width = csv->cell_count;
  if (csv->cell_count != csv->width) {
    char message[128];
    snprintf(message, sizeof message, "the row has %zu cells where the first row has %zu", csv->cell_count, csv->width);
    return fail(csv, line, EVA_E_PARSE, message);
  }
  if (csv->text_cap < csv->cell_count) {
    csv->text_cap = csv->cell_count;
    csv->texts = eva_realloc(csv->texts, csv->text_cap * sizeof *csv->texts);
  }
  for (size_t i = 0; i < csv->cell_count; i++) {
    csv->texts[i] = (eva_text){csv->bytes.data + csv->cells[i].start, csv->cells[i].len};
    if (!eva_utf8_valid(csv->texts[i].data, csv->texts[i].len)) {
      return fail(csv, line, EVA_E_PARSE, "the row is not UTF-8: save the file as UTF-8");
    }
  }
  *row = (eva_csv_row){csv->texts, csv->cell_count, line};
  return EVA_OK;
}

eva_code eva_csv_next(eva_csv *csv, eva_csv_row *row, eva_error *error) {
  *row = (eva_csv_row){NULL, 0, 0};
  eva_code code = csv->failure.code;
  if (code == EVA_OK) {
    eva_buf_clear(&csv->bytes);
    csv->cell_count = 0;
    eva_text bytes;
    while (code == EVA_OK && !csv->row_is_done && !csv->ended) {
      code = more_bytes(csv, &bytes);
      if (code == EVA_OK && bytes.len > 0) code = feed_line(csv, bytes);
      if (code == EVA_OK && csv->ended) code = finish(csv);
    }
    if (code == EVA_OK && csv->row_is_done) code = take_row(csv, row);
  }
  if (code != EVA_OK) *error = csv->failure;
  return code;
}

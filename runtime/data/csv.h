/* CSV rows from a file or a text, read in pieces: memory stays that of one piece and one row.
 *
 * RFC 4180 with any one-byte delimiter: quotes are doubled, a quoted cell may hold delimiters and line breaks (kept as
 * they are), white space is kept, empty lines are passed over, a leading byte order mark is dropped. A quote inside an
 * unquoted cell is a quote. Text behind a closing quote, an unclosed quote, a row of another width than the first one
 * and bytes that are not UTF-8 are errors that name the line (where = "tickets.csv:12"). */
#ifndef EVA_DATA_CSV_H
#define EVA_DATA_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { EVA_CSV_PIECE_SIZE = 65536, EVA_CSV_ROW_MAX = 16 << 20 /* bytes of a row: an unclosed quote ends here */ };

typedef struct eva_csv eva_csv;

typedef struct eva_csv_row {
  const eva_text *cells; /* live until the next call */
  size_t cell_count;
  int64_t line; /* on which the row begins; the first is 1 */
} eva_csv_row;

/* Opens a file. EVA_E_NOT_FOUND, EVA_E_IO; EVA_E_PARSE for a UTF-16 file. */
eva_code eva_csv_open(const char *path, char delimiter, eva_csv **out, eva_error *error);
/* Reads a text, which must outlive the reader; messages call it `name`. */
eva_code eva_csv_open_text(eva_text text, const char *name, char delimiter, eva_csv **out, eva_error *error);
/* The next row: EVA_OK with row->cells NULL at the end. After an error every further call gives it again. */
eva_code eva_csv_next(eva_csv *csv, eva_csv_row *row, eva_error *error);
void eva_csv_close(eva_csv *csv); /* NULL is fine */

#endif

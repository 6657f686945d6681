/* Fuzzes the CSV reader: no input crashes it, rows have one width, and lines never go back.
 * clang -std=c11 -D_GNU_SOURCE -Iruntime -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_csv.c \
 *   runtime/base/buf.c runtime/base/error.c runtime/data/csv.c runtime/data/utf8.c -lcsv -o fuzz_csv && ./fuzz_csv */
#include <stdint.h>
#include <stdlib.h>

#include "data/csv.h"
#include "data/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  eva_csv *csv = NULL;
  eva_csv_row row;
  eva_error error;
  size_t width = 0;
  int64_t line = 0;
  if (eva_csv_open_text((eva_text){(const char *)data, size}, "fuzz.csv", ',', &csv, &error) != EVA_OK) abort();
  while (eva_csv_next(csv, &row, &error) == EVA_OK && row.cells != NULL) {
    if (row.cell_count == 0 || (width != 0 && row.cell_count != width) || row.line < 1 || row.line < line) abort();
    for (size_t i = 0; i < row.cell_count; i++) {
      if (!eva_utf8_valid(row.cells[i].data, row.cells[i].len)) abort();
    }
    width = row.cell_count;
    line = row.line;
  }
  eva_csv_close(csv);
  return 0;
}

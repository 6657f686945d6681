/* CSV rows: quoting, lines, line ends, encodings, errors, and files larger than a piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/csv.h"

/* Rows as "line:cell|cell;" and the error, if any, as "!where: message". */
static void describe(eva_csv *csv, eva_buf *out) {
  eva_csv_row row;
  eva_error error;
  eva_code code;
  while ((code = eva_csv_next(csv, &row, &error)) == EVA_OK && row.cells != NULL) {
    eva_buf_printf(out, "%lld:", (long long)row.line);
    for (size_t i = 0; i < row.cell_count; i++) {
      if (i > 0) eva_buf_add_char(out, '|');
      eva_buf_add(out, row.cells[i].data, row.cells[i].len);
    }
    eva_buf_add_char(out, ';');
  }
  if (code == EVA_OK) {
    assert_int_equal(eva_csv_next(csv, &row, &error), EVA_OK); /* the end stays the end */
    assert_null(row.cells);
    return;
  }
  eva_buf_printf(out, "!%s: %s", error.where, error.message);
  eva_error again;
  assert_int_equal(eva_csv_next(csv, &row, &again), code);
  assert_string_equal(again.message, error.message);
}

static void check_text(const char *text, char delimiter, const char *expected) {
  eva_csv *csv = NULL;
  eva_error error;
  eva_buf out = {0};
  /* Exactly its size, so that a sanitizer sees reads behind it. */
  size_t len = strlen(text);
  char *copy = eva_alloc(len);
  memcpy(copy, text, len);
  assert_int_equal(eva_csv_open_text((eva_text){copy, len}, "t.csv", delimiter, &csv, &error), EVA_OK);
  describe(csv, &out);
  if (strncmp(eva_buf_text(&out).data, expected, strlen(expected)) != 0) {
    fail_msg("expected %s\n     got %s", expected, out.data);
  }
  eva_csv_close(csv);
  eva_buf_free(&out);
  free(copy);
}

static void rows_of_good_texts(void **state) {
  (void)state;
  check_text("", ',', "");
  check_text("\n\r\n", ',', "");
  check_text("a,b\n1,2\n", ',', "1:a|b;2:1|2;");
  check_text("a,b\n1,2", ',', "1:a|b;2:1|2;");
  check_text("a,b\r\n\r\n1,\"x\r\ny\"\r\n3,4", ',', "1:a|b;3:1|x\r\ny;5:3|4;");
  check_text("a\rb\rc", ',', "1:a;2:b;3:c;");
  check_text(" a ;\tb\n\"c;d\";\"e\"\"f\"\n", ';', "1: a |\tb;2:c;d|e\"f;");
  check_text("a\tb c\n", '\t', "1:a|b c;");
  check_text("\"\",\n,\"\"\n", ',', "1:|;2:|;");
  check_text("\xEF\xBB\xBF" "a,b\n", ',', "1:a|b;");
  check_text("\xEF\xBB\xBF\"a\",b\n", ',', "1:a|b;");
  check_text("\xEF\xBB\xBF", ',', "");
  check_text("x,38\xC2\xB0" "5'22\"N\n1,y\"z\"\n", ',', "1:x|38\xC2\xB0" "5'22\"N;2:1|y\"z\";");
}

static void errors_name_the_line(void **state) {
  (void)state;
  check_text("a,b\n1,2\n3\n4,5\n", ',', "1:a|b;2:1|2;!t.csv:3: the row has 1 cells where the first row has 2");
  check_text("a,b\n\"x\n\ny\",2\n1,2,3\n", ',', "1:a|b;2:x\n\ny|2;!t.csv:5: the row has 3 cells");
  check_text("a,b\n1,\"x\"y\n", ',', "1:a|b;!t.csv:2: text behind a closing quote");
  check_text("a,b\n1,\"xy\n2,3\n", ',', "1:a|b;!t.csv:2: the row ends inside a quoted cell");
  check_text("a\n\xFF\n", ',', "1:a;!t.csv:2: the row is not UTF-8");
  check_text("a,b\n\xC3,\xA9\n", ',', "1:a|b;!t.csv:2: the row is not UTF-8"); /* halves of a character */
  check_text("\xFF\xFE" "ab", ',', "!t.csv:1: the file is UTF-16");
  eva_csv *csv = NULL;
  eva_error error;
  assert_int_equal(eva_csv_open_text(EVA_TEXT_LITERAL("a"), "t", '"', &csv, &error), EVA_E_ARGUMENT);
  assert_int_equal(eva_csv_open("/nonexistent/x.csv", ',', &csv, &error), EVA_E_NOT_FOUND);
  assert_int_equal(eva_csv_open("/", ',', &csv, &error), EVA_OK); /* a directory opens, but does not read */
  eva_csv_row row;
  assert_int_equal(eva_csv_next(csv, &row, &error), EVA_E_IO);
  eva_csv_close(csv);
  eva_csv_close(NULL);
}

static void an_open_quote_is_given_up(void **state) {
  (void)state;
  eva_buf text = {0};
  eva_buf_add_string(&text, "a\n\"");
  while (text.len < EVA_CSV_ROW_MAX + 100) eva_buf_add(&text, "line\n", 5);
  eva_csv *csv = NULL;
  eva_error error;
  eva_csv_row row;
  assert_int_equal(eva_csv_open_text(eva_buf_text(&text), "t.csv", ',', &csv, &error), EVA_OK);
  assert_int_equal(eva_csv_next(csv, &row, &error), EVA_OK);
  assert_int_equal(eva_csv_next(csv, &row, &error), EVA_E_LIMIT);
  assert_string_equal(error.where, "t.csv:2");
  eva_csv_close(csv);
  eva_buf_free(&text);
}

/* Rows, quoted line breaks and CRLFs fall on every place of a piece's border. */
static void files_larger_than_a_piece(void **state) {
  (void)state;
  char path[] = "/tmp/evalua-test-csv-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  FILE *file = fdopen(fd, "wb");
  enum { ROWS = 40000 };
  fprintf(file, "\xEF\xBB\xBFid,text\r\n");
  for (int i = 0; i < ROWS; i++) fprintf(file, "%d,\"a\r\n%d\"\"%.*s\"\r\n", i, i, i % 7, "xxxxxxx");
  assert_int_equal(fclose(file), 0);
  eva_csv *csv = NULL;
  eva_error error;
  eva_csv_row row;
  assert_int_equal(eva_csv_open(path, ',', &csv, &error), EVA_OK);
  assert_int_equal(eva_csv_next(csv, &row, &error), EVA_OK);
  assert_true(eva_text_equal(row.cells[0], EVA_TEXT_LITERAL("id")));
  for (int i = 0; i < ROWS; i++) {
    char expected[64];
    int len = snprintf(expected, sizeof expected, "a\r\n%d\"%.*s", i, i % 7, "xxxxxxx");
    assert_int_equal(eva_csv_next(csv, &row, &error), EVA_OK);
    assert_int_equal(row.cell_count, 2);
    assert_int_equal(row.line, 2 + 2 * i);
    assert_true(eva_text_equal(row.cells[1], (eva_text){expected, (size_t)len}));
  }
  assert_int_equal(eva_csv_next(csv, &row, &error), EVA_OK);
  assert_null(row.cells);
  eva_csv_close(csv);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_of_good_texts),
      cmocka_unit_test(errors_name_the_line),
      cmocka_unit_test(an_open_quote_is_given_up),
      cmocka_unit_test(files_larger_than_a_piece),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

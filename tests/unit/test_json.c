/* The JSON reader, writer and canonical texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"

static void check_canonical(const char *text, eva_json_form form, eva_json_mode mode, const char *expected) {
  eva_buf out = {0};
  eva_error error = {0};
  eva_code code = eva_json_canonical(text, strlen(text), form, mode, &out, &error);
  if (code != EVA_OK) fail_msg("%s: %s: %s", text, error.where, error.message);
  assert_string_equal(out.data, expected);
  eva_buf_free(&out);
}

static void check_storage(const char *text, const char *expected) {
  check_canonical(text, EVA_JSON_STORAGE, EVA_JSON_STRICT, expected);
}

/* The text is refused at `where`, with a message that contains `part`; the output stays as it was. */
static void check_refused(const char *text, size_t len, eva_json_mode mode, const char *where, const char *part) {
  eva_buf out = {0};
  eva_error error = {0};
  eva_buf_add_string(&out, "kept");
  assert_int_not_equal(eva_json_canonical(text, len, EVA_JSON_STORAGE, mode, &out, &error), EVA_OK);
  assert_string_equal(out.data, "kept");
  assert_string_equal(error.where, where);
  if (strstr(error.message, part) == NULL) fail_msg("\"%s\" does not contain \"%s\"", error.message, part);
  assert_int_equal(eva_json_validate(text, len, mode, &error), error.code);
  eva_buf_free(&out);
}

static void values_survive_exactly(void **state) {
  (void)state;
  static const char *const texts[] = {
      "1", "1.0", "-0.0", "0", "9007199254740993", "9223372036854775807", "-9223372036854775808", "5e-324",
      "0.30000000000000004", "1e300", "1.7976931348623157e308", "2.2250738585072014e-308", "123456789012345.0", "1e15",
      "1e-7", "0.1", "-12.5", "null", "true", "false", "\"\"", "[]", "{}", "[[],{},[{}]]", "{\"\":{\"\":[]}}",
      "\"\\u0000\"", "\"\xF0\x9F\x98\x80\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\x7F\xE2\x80\xA8\""};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check_storage(texts[i], texts[i]);
}

static void forms_differ_for_integral_doubles(void **state) {
  (void)state;
  const char *text = "[1.0,-0.0,-0,1e3,9007199254740992.0,9007199254740994.0,0.5,1e300,7]";
  check_storage(text, "[1.0,-0.0,-0.0,1000.0,9007199254740992.0,9007199254740994.0,0.5,1e300,7]");
  check_canonical(text, EVA_JSON_IDENTITY, EVA_JSON_STRICT,
                  "[1,0,0,1000,9007199254740992,9007199254740994.0,0.5,1e300,7]");
}

static void escapes_become_characters(void **state) {
  (void)state;
  check_storage("\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\/\"", "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80/\"");
  check_canonical("\"\\ud800x\\udc00\\ud800\\u0041\"", EVA_JSON_STORAGE, EVA_JSON_FOREIGN,
                  "\"\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD" "A\"");
}

static void keys_are_sorted_by_bytes(void **state) {
  (void)state;
  check_storage(" { \"b\" : 1 , \"a\" : { \"z\" : 1 , \"\" : 2 } , \"B\" : [ ] , \"\xC3\xA9\" : 3, \"aa\":4 } ",
                "{\"B\":[],\"a\":{\"\":2,\"z\":1},\"aa\":4,\"b\":1,\"\xC3\xA9\":3}");
  eva_buf text = {0}, expected = {0};
  eva_buf_add_char(&text, '{');
  eva_buf_add_char(&expected, '{');
  for (int i = 0; i < 500; i++) {
    eva_buf_printf(&text, "%s\"%03d\":%d", i > 0 ? "," : "", (i * 7) % 500, i);
    eva_buf_printf(&expected, "%s\"%03d\":%d", i > 0 ? "," : "", i, (i * 143) % 500);
  }
  eva_buf_add_char(&text, '}');
  eva_buf_add_char(&expected, '}');
  check_storage(text.data, expected.data);
  eva_buf_free(&text);
  eva_buf_free(&expected);
}

static void strict_refuses_what_foreign_bends(void **state) {
  (void)state;
  const char *twice = "{\"a\":1,\n \"b\":2, \"a\":3}", *big = "[1, 9223372036854775808]", *mark = "\xEF\xBB\xBF[]";
  check_refused(twice, strlen(twice), EVA_JSON_STRICT, "line 2 column 9", "\"a\" stands twice");
  check_canonical(twice, EVA_JSON_STORAGE, EVA_JSON_FOREIGN, "{\"a\":3,\"b\":2}");
  check_canonical("{\"a\":1,\"a\":2,\"a\":[3]}", EVA_JSON_STORAGE, EVA_JSON_FOREIGN, "{\"a\":[3]}");
  check_refused(big, strlen(big), EVA_JSON_STRICT, "line 1 column 5", "beyond 64 bits");
  check_canonical(big, EVA_JSON_STORAGE, EVA_JSON_FOREIGN, "[1,9.223372036854776e18]");
  check_canonical("-9223372036854775809", EVA_JSON_STORAGE, EVA_JSON_FOREIGN, "-9.223372036854776e18");
  check_refused(mark, strlen(mark), EVA_JSON_STRICT, "line 1 column 1", "a value");
  check_canonical(mark, EVA_JSON_STORAGE, EVA_JSON_FOREIGN, "[]");
  check_refused("\"\\ud800\"", 8, EVA_JSON_STRICT, "line 1 column 2", "surrogate");
}

static void errors_say_where_and_what(void **state) {
  (void)state;
  static const struct {
    const char *text, *where, *part;
  } cases[] = {
      {"", "line 1 column 1", "ends where a value"},
      {"[1,\n2,\n]", "line 3 column 1", "']' where a value"},
      {"{\"a\" 1}", "line 1 column 6", "'1' where ':'"},
      {"{a:1}", "line 1 column 2", "'a' where a key in double quotes"},
      {"[1 2]", "line 1 column 4", "'2' where ',' or ']'"},
      {"[\"\xC3\xA9\", x]", "line 1 column 7", "'x'"},
      {"[01]", "line 1 column 2", "start with 0"},
      {"-", "line 1 column 2", "ends where a digit"},
      {"1e", "line 1 column 3", "a digit"},
      {"1.5.", "line 1 column 4", "more text"},
      {"\"abc", "line 1 column 1", "never closed"},
      {"\"a\tb\"", "line 1 column 3", "control character 0x09"},
      {"\"\xFF\"", "line 1 column 2", "byte 0xFF is not UTF-8"},
      {"\"\\x\"", "line 1 column 2", "escape"},
      {"\"\\u12", "line 1 column 2", "four hexadecimal digits"},
      {"\"\\", "line 1 column 2", "escape"},
      {"nul", "line 1 column 1", "'n' where a value"},
      {"1e400", "line 1 column 1", "no double"},
      {"[]]", "line 1 column 3", "more text"},
      {"[}", "line 1 column 2", "'}'"},
      {"{\"a\":1,}", "line 1 column 8", "'}' where a key"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    /* A copy of exactly its size, so that a read behind the end is seen by a sanitizer. */
    size_t len = strlen(cases[i].text);
    char *text = eva_alloc(len);
    memcpy(text, cases[i].text, len);
    check_refused(text, len, EVA_JSON_STRICT, cases[i].where, cases[i].part);
    free(text);
  }
  check_refused("[1]\0x", 5, EVA_JSON_FOREIGN, "line 1 column 4", "more text");
}

static void depth_has_a_limit(void **state) {
  (void)state;
  static char text[2 * 100000 + 1];
  memset(text, '[', EVA_JSON_DEPTH_MAX);
  memset(text + EVA_JSON_DEPTH_MAX, ']', EVA_JSON_DEPTH_MAX);
  text[2 * EVA_JSON_DEPTH_MAX] = '\0';
  check_storage(text, text);
  memset(text, '[', 100000);
  check_refused(text, 100000, EVA_JSON_FOREIGN, "line 1 column 1001", "deeper than 1000");
  eva_json_reader reader = {0};
  eva_error error;
  eva_json_reader_start(&reader, EVA_TEXT_LITERAL("[[1]]"), EVA_JSON_STRICT, 1, &error);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_ARRAY_BEGIN);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_ERROR);
  assert_int_equal(error.code, EVA_E_LIMIT);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_ERROR);
  eva_json_reader_free(&reader);
}

static void reader_gives_events_in_order(void **state) {
  (void)state;
  eva_json_reader reader = {0};
  eva_error error;
  eva_json_reader_start(&reader, EVA_TEXT_LITERAL(" {\"k\\n\" : [1, -2.5, \"s\", null, true, false]} "),
                        EVA_JSON_STRICT, 0, &error);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_OBJECT_BEGIN);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_KEY);
  assert_memory_equal(reader.string.data, "k\n", 2);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_ARRAY_BEGIN);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_INTEGER);
  assert_int_equal(reader.integer, 1);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_DOUBLE);
  assert_true(reader.number == -2.5);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_STRING);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_NULL);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_TRUE);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_FALSE);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_ARRAY_END);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_OBJECT_END);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_END);
  assert_int_equal(eva_json_read(&reader), EVA_JSON_END);
  eva_json_reader_free(&reader);
}

/* 64 pseudo-random bits (splitmix64). */
static uint64_t next_random(uint64_t *seed) {
  uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static void check_double(double value) {
  char text[EVA_JSON_NUMBER_SIZE], shorter[400];
  size_t len = eva_json_format_double(value, EVA_JSON_STORAGE, text);
  assert_int_equal(len, strlen(text));
  double strtod_value = strtod(text, NULL), own_value = eva_json_parse_double(text, len);
  if (memcmp(&strtod_value, &value, sizeof value) != 0) fail_msg("%.17g was written as %s", value, text);
  if (memcmp(&own_value, &value, sizeof value) != 0) fail_msg("%s was read as %.17g", text, own_value);
  if (strpbrk(text, ".e") == NULL) fail_msg("%s looks like an integer", text);
  /* No fewer digits would do. */
  int digits = 0;
  for (const char *c = text; *c != '\0' && *c != 'e'; c++) {
    digits += *c >= '0' && *c <= '9' && (digits > 0 || *c != '0');
  }
  if (value != nearbyint(value) && digits > 1) {
    snprintf(shorter, sizeof shorter, "%.*g", digits - 1, value);
    if (strtod(shorter, NULL) == value) fail_msg("%s is longer than %s", text, shorter);
  }
}

static void doubles_are_exact_and_short(void **state) {
  (void)state;
  uint64_t seed = 1;
  for (int i = 0; i < 200000; i++) {
    uint64_t bits = next_random(&seed);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value)) check_double(value);
    check_double((double)(int64_t)(bits >> 40) / 1000);
    check_double((double)(bits >> 11) / 9007199254740992.0);
    check_double((double)(int64_t)bits);
  }
  check_double(DBL_MIN);
  check_double(DBL_MAX);
  check_double(0.0);
  check_double(-0.0);
  for (double value = 5e-324; value < 1e-300; value *= 3) check_double(value);
}

static void numbers_read_as_strtod_reads_them(void **state) {
  (void)state;
  uint64_t seed = 2;
  for (int i = 0; i < 200000; i++) {
    char text[64];
    uint64_t bits = next_random(&seed);
    snprintf(text, sizeof text, "%s%llu.%06llue%d", bits & 1 ? "-" : "", (unsigned long long)(bits >> (20 + i % 40)),
             (unsigned long long)(bits % 1000000), (int)(bits >> 8 & 63) - 32);
    double own = eva_json_parse_double(text, strlen(text)), expected = strtod(text, NULL);
    if (memcmp(&own, &expected, sizeof own) != 0) fail_msg("%s was read as %.17g", text, own);
  }
  char digits[400];
  memset(digits, '9', sizeof digits);
  assert_true(isinf(eva_json_parse_double(digits, sizeof digits)));
  assert_true(eva_json_parse_double(digits, 300) == 1e300);
}

static void strings_are_always_written_as_utf8(void **state) {
  (void)state;
  eva_buf out = {0};
  assert_true(eva_json_write_string(&out, "a\"\n\0", 4));
  assert_string_equal(out.data, "\"a\\\"\\n\\u0000\"");
  eva_buf_clear(&out);
  assert_false(eva_json_write_string(&out, "\xE2\x82x\xFF", 4));
  assert_string_equal(out.data, "\"\xEF\xBF\xBDx\xEF\xBF\xBD\"");
  eva_buf_free(&out);
}

static void writer_indents(void **state) {
  (void)state;
  eva_buf out = {0};
  static eva_json_writer writer;
  eva_json_writer_start(&writer, &out, EVA_JSON_STORAGE);
  writer.pretty = 1;
  assert_true(eva_json_put_begin(&writer, 1));
  eva_json_put_key(&writer, "b", 1, 0);
  assert_true(eva_json_put_begin(&writer, 0));
  eva_json_put_integer(&writer, 1);
  eva_json_put_bool(&writer, 1);
  assert_null(eva_json_put_end(&writer));
  eva_json_put_key(&writer, "a", 1, 0);
  assert_true(eva_json_put_begin(&writer, 1));
  assert_null(eva_json_put_end(&writer));
  assert_null(eva_json_put_end(&writer));
  assert_string_equal(out.data, "{\n  \"a\": {},\n  \"b\": [\n    1,\n    true\n  ]\n}");
  eva_json_writer_free(&writer);
  eva_buf_free(&out);
}

static void utf8_is_strict(void **state) {
  (void)state;
  static const char *const bad[] = {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                    "\xF4\x90\x80\x80", "\xF5", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98"};
  static const char *const good[] = {"", "\x7F", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                     "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "abcdefghij\xC3\xA9klmnopqrst"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(eva_utf8_valid(bad[i], strlen(bad[i])));
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(eva_utf8_valid(good[i], strlen(good[i])));
  eva_buf out = {0};
  /* One U+FFFD for each maximal subpart: C3 | E2 82 | F0 9F 98. */
  assert_true(eva_utf8_repair("\xC3" "a\xE2\x82\xF0\x9F\x98", 7, &out));
  assert_string_equal(out.data, "\xEF\xBF\xBD" "a\xEF\xBF\xBD\xEF\xBF\xBD");
  eva_buf_clear(&out);
  assert_false(eva_utf8_repair("ok", 2, &out));
  eva_buf_free(&out);
  for (uint32_t c = 0; c < 0x110000; c++) {
    if (c >= 0xD800 && c < 0xE000) continue;
    char bytes[EVA_UTF8_MAX_BYTES];
    size_t len = eva_utf8_encode(c, bytes), size;
    assert_int_equal(eva_utf8_decode(bytes, len, &size), c);
    assert_int_equal(size, len);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_survive_exactly),
      cmocka_unit_test(forms_differ_for_integral_doubles),
      cmocka_unit_test(escapes_become_characters),
      cmocka_unit_test(keys_are_sorted_by_bytes),
      cmocka_unit_test(strict_refuses_what_foreign_bends),
      cmocka_unit_test(errors_say_where_and_what),
      cmocka_unit_test(depth_has_a_limit),
      cmocka_unit_test(reader_gives_events_in_order),
      cmocka_unit_test(doubles_are_exact_and_short),
      cmocka_unit_test(numbers_read_as_strtod_reads_them),
      cmocka_unit_test(strings_are_always_written_as_utf8),
      cmocka_unit_test(writer_indents),
      cmocka_unit_test(utf8_is_strict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

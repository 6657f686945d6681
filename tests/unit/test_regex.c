/* Regular expressions: captures, Unicode, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "data/regex.h"

static eva_regex *compile(const char *pattern, const char *flags) {
  eva_regex *regex = NULL;
  eva_error error;
  if (eva_regex_compile(eva_text_of(pattern), eva_text_of(flags), &regex, &error) != EVA_OK) {
    fail_msg("%s: %s: %s", pattern, error.where, error.message);
  }
  return regex;
}

/* The text of a group of the first match ("-" when it took no part), or NULL without a match. */
static const char *group_of(const char *pattern, const char *flags, eva_text subject, size_t group) {
  static char text[100];
  eva_regex *regex = compile(pattern, flags);
  eva_error error;
  size_t start, end;
  int matched;
  assert_int_equal(eva_regex_match(regex, subject, 0, &matched, &error), EVA_OK);
  const char *result = matched ? text : NULL;
  if (matched && eva_regex_group(regex, group, &start, &end)) {
    assert_true(end - start < sizeof text);
    memcpy(text, eva_regex_subject(regex).data + start, end - start);
    text[end - start] = '\0';
  } else {
    strcpy(text, "-"); /* NOLINT: fits */
  }
  eva_regex_free(regex);
  return result;
}

static void groups_are_captured(void **state) {
  (void)state;
  eva_text subject = EVA_TEXT_LITERAL("on 2024-05-06.");
  assert_string_equal(group_of("(\\d{4})-(\\d\\d)", NULL, subject, 0), "2024-05");
  assert_string_equal(group_of("(\\d{4})-(\\d\\d)", NULL, subject, 2), "05");
  assert_string_equal(group_of("(x)|(o)", NULL, subject, 1), "-");
  assert_string_equal(group_of("(o)|(x)", NULL, subject, 2), "-");
  assert_null(group_of("z", NULL, subject, 0));
  assert_string_equal(group_of("", NULL, EVA_TEXT_NONE, 0), "");
}

static void names_are_listed(void **state) {
  (void)state;
  eva_regex *regex = compile("(?<year>\\d+)-(?<month>\\d+)", NULL);
  size_t group;
  assert_int_equal(eva_regex_group_count(regex), 2);
  assert_string_equal(eva_regex_group_name(regex, 0, &group), "month");
  assert_int_equal(group, 2);
  assert_string_equal(eva_regex_group_name(regex, 1, &group), "year");
  assert_int_equal(group, 1);
  assert_null(eva_regex_group_name(regex, 2, &group));
  eva_regex_free(regex);
}

static void flags_and_unicode(void **state) {
  (void)state;
  assert_string_equal(group_of("\xC3\xA9+", "i", EVA_TEXT_LITERAL("x\xC3\x89\xC3\xA9"), 0), "\xC3\x89\xC3\xA9");
  assert_null(group_of("a.b", NULL, EVA_TEXT_LITERAL("a\nb"), 0));
  assert_string_equal(group_of("a.b", "s", EVA_TEXT_LITERAL("a\nb"), 0), "a\nb");
  assert_string_equal(group_of("^b", "m", EVA_TEXT_LITERAL("a\nb"), 0), "b");
  assert_string_equal(group_of("a b # comment", "x", EVA_TEXT_LITERAL("ab"), 0), "ab");
  assert_string_equal(group_of("^.$", NULL, EVA_TEXT_LITERAL("\xF0\x9F\x98\x80"), 0), "\xF0\x9F\x98\x80");
  assert_string_equal(group_of("\\w+", NULL, EVA_TEXT_LITERAL("\xD0\x9F\xD0\xA0"), 0), "\xD0\x9F\xD0\xA0");
  /* What is not UTF-8 is matched as U+FFFD. */
  assert_string_equal(group_of("..b", NULL, EVA_TEXT_LITERAL("\xFF\xFE" "b"), 0), "\xEF\xBF\xBD\xEF\xBF\xBD" "b");
}

static void mistakes_are_errors(void **state) {
  (void)state;
  eva_regex *regex = NULL;
  eva_error error;
  assert_int_equal(eva_regex_compile(EVA_TEXT_LITERAL("ab(c"), EVA_TEXT_NONE, &regex, &error), EVA_E_PARSE);
  assert_string_equal(error.where, "pattern offset 4");
  assert_non_null(strstr(error.message, "parenthesis"));
  assert_int_equal(eva_regex_compile(EVA_TEXT_LITERAL("a"), EVA_TEXT_LITERAL("ig"), &regex, &error), EVA_E_ARGUMENT);
  assert_int_equal(eva_regex_compile(EVA_TEXT_LITERAL("\xFF"), EVA_TEXT_NONE, &regex, &error), EVA_E_PARSE);
  assert_int_equal(eva_regex_compile(EVA_TEXT_LITERAL("\\C"), EVA_TEXT_NONE, &regex, &error), EVA_E_PARSE);
  eva_buf long_pattern = {0};
  for (int i = 0; i <= EVA_REGEX_PATTERN_MAX; i++) eva_buf_add_char(&long_pattern, 'a');
  assert_int_equal(eva_regex_compile(eva_buf_text(&long_pattern), EVA_TEXT_NONE, &regex, &error), EVA_E_LIMIT);
  eva_buf_free(&long_pattern);
  eva_regex_free(NULL);
}

static void check_last(const char *pattern, const char *subject, int expected_start, int expected_end) {
  eva_regex *regex = compile(pattern, NULL);
  eva_error error;
  size_t start, end;
  int matched;
  assert_int_equal(eva_regex_find_last(regex, eva_text_of(subject), &matched, &error), EVA_OK);
  assert_int_equal(matched, expected_start >= 0);
  if (matched) {
    assert_true(eva_regex_group(regex, 0, &start, &end));
    assert_int_equal(start, expected_start);
    assert_int_equal(end, expected_end);
  }
  eva_regex_free(regex);
}

static void the_last_match_is_found(void **state) {
  (void)state;
  check_last("\\d+", "a 12 b 345 c", 7, 10);
  check_last("z", "abc", -1, -1);
  check_last("x*", "axxb", 4, 4);
  check_last("", "", 0, 0);
  check_last("(?m)^", "a\n\xC3\xA9", 2, 2);
  check_last("a\\Kb?", "aaba", 4, 4);
  check_last("\\Gab", "ababxab", 2, 4);
  eva_regex *regex = compile("(a)|(b)", NULL);
  eva_error error;
  size_t start, end;
  int matched;
  assert_int_equal(eva_regex_find_last(regex, EVA_TEXT_LITERAL("ba ab x"), &matched, &error), EVA_OK);
  assert_false(eva_regex_group(regex, 1, &start, &end));
  assert_true(eva_regex_group(regex, 2, &start, &end));
  assert_int_equal(start, 4);
  eva_regex_free(regex);
}

/* Finds the needle at the end of a text of several windows, from any start. */
static void long_subjects_are_searched_whole(void **state) {
  (void)state;
  eva_buf subject = {0};
  for (int i = 0; i < 30000; i++) eva_buf_add(&subject, "\xE2\x82\xAC", 3);
  eva_buf_add_string(&subject, "needle");
  eva_regex *regex = compile("(?<=\xE2\x82\xAC)need(le)", NULL);
  eva_error error;
  size_t start, end;
  int matched;
  for (size_t from = 0; from <= 90000; from += 8999) {
    assert_int_equal(eva_regex_match(regex, eva_buf_text(&subject), from, &matched, &error), EVA_OK);
    assert_true(matched);
    assert_true(eva_regex_group(regex, 1, &start, &end));
    assert_int_equal(start, 90004);
  }
  assert_int_equal(eva_regex_match(regex, eva_buf_text(&subject), 90001, &matched, &error), EVA_OK);
  assert_false(matched);
  assert_int_equal(eva_regex_match(regex, eva_buf_text(&subject), 100000, &matched, &error), EVA_OK);
  assert_false(matched);
  eva_regex_free(regex);
  eva_buf_free(&subject);
}

static void catastrophic_patterns_stop(void **state) {
  (void)state;
  static const char *const patterns[] = {"(a+)+$", "(a|aa)+$", "(a|a?)+$", "^(([a-z])+.)+[A-Z]([a-z])+$",
                                         "(.*a){20}b?$", "a*[ab]?a*[ab]?a*[ab]?a*[ab]?c?$"};
  eva_buf subject = {0};
  for (int i = 0; i < 20000; i++) eva_buf_add_char(&subject, 'a');
  eva_buf_add_char(&subject, '!');
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    eva_regex *regex = compile(patterns[i], NULL);
    eva_error error;
    int matched = 0;
    uint64_t began = eva_clock_monotonic_ns();
    eva_code code = eva_regex_match(regex, eva_buf_text(&subject), 0, &matched, &error);
    if (code != EVA_E_LIMIT) fail_msg("%s gave %s, matched %d", patterns[i], eva_code_name(code), matched);
    assert_true(eva_clock_monotonic_ns() - began < UINT64_C(10000000000)); /* five times the limit */
    eva_regex_free(regex);
  }
  eva_buf_free(&subject);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(groups_are_captured),
      cmocka_unit_test(names_are_listed),
      cmocka_unit_test(flags_and_unicode),
      cmocka_unit_test(mistakes_are_errors),
      cmocka_unit_test(the_last_match_is_found),
      cmocka_unit_test(long_subjects_are_searched_whole),
      cmocka_unit_test(catastrophic_patterns_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

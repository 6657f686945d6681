/* Unit tests of base/secrets: which variables count as keys, and what is replaced in texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/secrets.h"

static eva_buf out;

static const char *redacted(const char *text) {
  eva_buf_clear(&out);
  if (!eva_secrets_redact(eva_text_of(text), &out)) return text;
  return out.data;
}

static void test_values(void **state) {
  (void)state;
  eva_secrets_add("SHORT", eva_text_of("abc"));
  eva_secrets_add("WORD", eva_text_of("completed"));
  assert_int_equal(eva_secrets_count(), 0);
  assert_string_equal(redacted("abc completed"), "abc completed");
  eva_secrets_add("KEY", eva_text_of("secret-key"));
  eva_secrets_add("LONG", eva_text_of("secret-key-long"));
  eva_secrets_add("AGAIN", eva_text_of("secret-key"));
  assert_int_equal(eva_secrets_count(), 2);
  assert_string_equal(redacted("secret-key-long secret-key secret-ke"), "[LONG] [KEY] secret-ke");
  assert_string_equal(redacted("secret-keysecret-key"), "[KEY][KEY]");
  assert_string_equal(redacted(""), "");
  assert_string_equal(eva_secrets_value("KEY").data, "secret-key");
  assert_null(eva_secrets_value("NONE").data);
}

static void test_names_are_harmless(void **state) {
  (void)state;
  eva_secrets_add("a\"b\\c\n[x]", eva_text_of("value-of-a-strange-name"));
  assert_string_equal(redacted("{\"v\":\"value-of-a-strange-name\"}"), "{\"v\":\"[a_b_c__x_]\"}");
}

static void test_numbers_stay_json(void **state) {
  (void)state;
  eva_secrets_add("PIN", eva_text_of("4455667788"));
  assert_string_equal(redacted("{\"a\":4455667788,\"b\":[4455667788 ],\"c\":\"no 4455667788.\"}"),
                      "{\"a\":\"[PIN]\",\"b\":[\"[PIN]\" ],\"c\":\"no [PIN].\"}");
  assert_string_equal(redacted("4455667788"), "\"[PIN]\"");
}

static void test_encodings(void **state) {
  (void)state;
  eva_secrets_add("E", eva_text_of("p/w \"x\"+?>~9Zq"));
  assert_string_equal(redacted("p%2Fw%20%22x%22%2B%3F%3E~9Zq"), "[E]");
  assert_string_equal(redacted("p%2fw%20%22x%22%2b%3f%3e~9Zq"), "[E]");
  assert_string_equal(redacted("p%2Fw+%22x%22%2B%3F%3E~9Zq"), "[E]");
  assert_string_equal(redacted("p/w \\\"x\\\"+?>~9Zq"), "[E]");
  assert_string_equal(redacted("p\\/w \\\"x\\\"+?>~9Zq"), "[E]");
  assert_string_equal(redacted("p/w \\\\\\\"x\\\\\\\"+?>~9Zq"), "[E]");
  /* base64 of the value, of "u:" and it, of "us:" and it; what is left shows at most six bits of its neighbours */
  assert_string_equal(redacted("cC93ICJ4Iis/Pn45WnE="), "[E]E=");
  assert_string_equal(redacted("dTpwL3cgIngiKz8+fjlacQ=="), "dTp[E]Q==");
  assert_string_equal(redacted("dXM6cC93ICJ4Iis_Pn45WnE"), "dXM6[E]E");
}

static void test_names(void **state) {
  static const char *const keys[] = {"OPENAI_API_KEY", "github_token", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "KEY2",
                                     "MYSQL_PWD", "api-key", "SOMEKEY", "SMTP_PASS", NULL};
  static const char *const others[] = {"PATH", "HOME", "TOKENIZERS_PARALLELISM", "MAX_TOKENS", "KEYBOARD", "AUTHOR",
                                       "BYPASS", "COMPASS_HOME", "", NULL};
  (void)state;
  for (const char *const *name = keys; *name; name++) assert_true(eva_secrets_is_name(*name));
  for (const char *const *name = others; *name; name++) assert_false(eva_secrets_is_name(*name));
}

static void test_environment(void **state) {
  const char *const environment[] = {"SOME_TOKEN=tok-abcdefgh",        "HOME=/home/somebody",
                               "PLAIN=sk-0123456789abcdef",      "SSH_AUTH_SOCK=/dev/null",
                               "KEY_DELAY=12345678",             "DATABASE_URL=postgres://u:hunter22@host:5/db",
                               "PWD=/dev/nowhere-at-all",        "NOT_A_PAIR",
                               "SITE_KEY=https://example.org/x", "TINY_KEY=1234567", NULL};
  (void)state;
  size_t before = eva_secrets_count();
  eva_secrets_scan((char *const *)environment);
  assert_int_equal(eva_secrets_count() - before, 3);
  assert_string_equal(redacted("tok-abcdefgh sk-0123456789abcdef u:hunter22@"),
                      "[SOME_TOKEN] [PLAIN] u:[DATABASE_URL]@");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_names_are_harmless),
      cmocka_unit_test(test_numbers_stay_json),
      cmocka_unit_test(test_encodings),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_environment),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  eva_buf_free(&out);
  return failed;
}

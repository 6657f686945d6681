/* Runs the fuzz targets of tests/fuzz/ with mutated seeds for a moment, as a person with a fuzzer would for hours.
 * EVALUA_FUZZ_SEED=N begins elsewhere, EVALUA_FUZZ_MS=N runs longer. A target that is not content aborts: the seed and
 * the number of the input are printed before it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those above */
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LLVMFuzzerTestOneInput fuzz_csv
#include "../fuzz/fuzz_csv.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_json
#include "../fuzz/fuzz_json.c"
#undef LLVMFuzzerTestOneInput

enum { INPUT_MAX = 4096, MUTATIONS_MAX = 8 };

typedef int (*fuzz_target)(const uint8_t *data, size_t size);

static const char *const JSON_SEEDS[] = {
    "{\"a\":[1,-0.0,1e308,12345678901234567890,null,true],\"b\":{\"\\u00e9\\ud83d\\ude00\":\"x\\n\"},\"\":[]}",
    "[[[[[{\"deep\":[{}]}]]]]]", "\"\xC3\xA9\xF0\x9F\x98\x80\\\\\\\"\"", "-1.5e-7", "9223372036854775808", " [ 1 , 2 ] ", NULL};
static const char *const CSV_SEEDS[] = {
    "a,b,c\n1,2,3\n\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\"\n", "\xEF\xBB\xBFname;value\r\n1;2\r\n", "a\n\n\nb\n", "\"", ",,\n,,\n", NULL};
/* Pieces that mean something to a parser, put in anywhere. */
static const char *const WORDS[] = {"\"", "\\", "{", "}", "[", "]", ",", ":", "\n", "\r", "\r\n", "\\u", "\\ud800", "null",
                                    "1e999", "-", "\xEF\xBB\xBF", "\xC3", "\xF4\x90\x80\x80", ";", "\"\"", "0"};

static uint64_t state;
static unsigned long long seed, number;

static uint64_t draw(uint64_t below) { /* splitmix64 */
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (z ^ (z >> 31)) % below;
}

static size_t insert(uint8_t *data, size_t size, size_t at, const void *piece, size_t len) {
  if (size + len > INPUT_MAX) return size;
  memmove(data + at + len, data + at, size - at);
  memcpy(data + at, piece, len);
  return size + len;
}

static size_t mutate(uint8_t *data, size_t size) {
  size_t at = draw(size + 1), len;
  uint8_t piece[64];
  switch (draw(5)) {
    case 0:
      if (size > 0) data[at % size] ^= (uint8_t)(1u << draw(8));
      return size;
    case 1: /* cut something out */
      len = draw(8) + 1;
      if (len > size - at) len = size - at;
      memmove(data + at, data + at + len, size - at - len);
      return size - len;
    case 2: /* repeat something */
      len = draw(sizeof piece) + 1;
      if (len > size - at) len = size - at;
      memcpy(piece, data + at, len);
      return insert(data, size, draw(size + 1), piece, len);
    case 3: piece[0] = (uint8_t)draw(256); return insert(data, size, at, piece, 1);
    default: {
      const char *word = WORDS[draw(sizeof WORDS / sizeof *WORDS)];
      return insert(data, size, at, word, strlen(word));
    }
  }
}

static void on_abort(int signal_number) {
  char text[128];
  (void)signal_number;
  int len = snprintf(text, sizeof text, "\nfuzz: input %llu after EVALUA_FUZZ_SEED=%llu is not handled\n", number, seed);
  if (write(STDERR_FILENO, text, (size_t)len) < 0) _exit(3);
}

static void run(fuzz_target target, const char *const *seeds) {
  uint8_t data[INPUT_MAX];
  size_t seed_count = 0;
  while (seeds[seed_count]) seed_count++;
  const char *first = getenv("EVALUA_FUZZ_SEED"), *limit = getenv("EVALUA_FUZZ_MS");
  seed = first ? strtoull(first, NULL, 10) : 1;
  uint64_t until = eva_clock_monotonic_ns() + (limit ? strtoull(limit, NULL, 10) : 500) * 1000000;
  state = seed;
  signal(SIGABRT, on_abort);
  for (number = 0; eva_clock_monotonic_ns() < until; number++) {
    const char *text = seeds[number % seed_count];
    size_t size = strlen(text);
    memcpy(data, text, size);
    for (uint64_t left = number < seed_count ? 0 : draw(MUTATIONS_MAX) + 1; left > 0; left--) size = mutate(data, size);
    uint8_t *exact = malloc(size ? size : 1); /* of its very size: reading beyond is seen by the sanitizer */
    memcpy(exact, data, size);
    target(exact, size);
    free(exact);
  }
  signal(SIGABRT, SIG_DFL);
  assert_true(number > seed_count);
}

static void test_fuzz_json(void **unused) {
  (void)unused;
  run(fuzz_json, JSON_SEEDS);
}

static void test_fuzz_csv(void **unused) {
  (void)unused;
  run(fuzz_csv, CSV_SEEDS);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fuzz_json), cmocka_unit_test(test_fuzz_csv)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

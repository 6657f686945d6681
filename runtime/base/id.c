/* UUIDv7 that ascend within a process, and SHA-256 over libcrypto. */
#include "base/id.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"

struct eva_sha256 {
  EVP_MD_CTX *context;
};

static _Noreturn void die(const char *what) {
  fprintf(stderr, "evalua: %s\n", what);
  abort();
}

/* The algorithm is fetched once: implicit fetching costs more than hashing a short text. */
static const EVP_MD *sha256_algorithm(void) {
  static EVP_MD *algorithm;
  if (algorithm == NULL) algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
  if (algorithm == NULL) die("libcrypto has no SHA-256");
  return algorithm;
}

char *eva_hex(const unsigned char *bytes, size_t len, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * len] = '\0';
  return out;
}

static void fill_random(unsigned char *out, size_t len) {
  if (getrandom(out, len, 0) != (ssize_t)len) die("the system gives no random bytes");
}

/* 48 bits of milliseconds, a 12-bit counter in place of rand_a (RFC 9562 section 6.2, method 1), 62 random bits. The
 * counter starts low in each millisecond, so it has room to count; where it overflows, the next millisecond is
 * borrowed. A forked child inherits the counter, and differs by the random bits. */
char *eva_uuid7(char out[EVA_UUID_TEXT_SIZE]) {
  static uint64_t last_ms;
  static unsigned last_counter;
  unsigned char bytes[16], random[10];
  fill_random(random, sizeof random);
  uint64_t ms = (uint64_t)eva_clock_wall_ms();
  unsigned counter = ((unsigned)random[0] << 8 | random[1]) & 0x7FF;
  if (ms <= last_ms) {
    ms = last_ms;
    counter = last_counter + 1;
    if (counter > 0xFFF) {
      ms++;
      counter = 0;
    }
  }
  last_ms = ms;
  last_counter = counter;
  for (int i = 0; i < 6; i++) bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
  bytes[6] = (unsigned char)(0x70 | counter >> 8);
  bytes[7] = (unsigned char)counter;
  memcpy(bytes + 8, random + 2, 8);
  bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3F));
  char hex[33];
  eva_hex(bytes, sizeof bytes, hex);
  snprintf(out, EVA_UUID_TEXT_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
  return out;
}

eva_sha256 *eva_sha256_new(void) {
  eva_sha256 *state = eva_alloc(sizeof *state);
  state->context = EVP_MD_CTX_new();
  if (state->context == NULL || !EVP_DigestInit_ex(state->context, sha256_algorithm(), NULL)) {
    die("libcrypto cannot start a SHA-256 digest");
  }
  return state;
}

void eva_sha256_add(eva_sha256 *state, const void *data, size_t len) {
  if (!EVP_DigestUpdate(state->context, data, len)) die("libcrypto cannot continue a SHA-256 digest");
}

void eva_sha256_finish(eva_sha256 *state, unsigned char out[EVA_SHA256_SIZE]) {
  if (!EVP_DigestFinal_ex(state->context, out, NULL)) die("libcrypto cannot finish a SHA-256 digest");
  eva_sha256_free(state);
}

void eva_sha256_free(eva_sha256 *state) {
  if (state == NULL) return;
  EVP_MD_CTX_free(state->context);
  free(state);
}

void eva_sha256_of(const void *data, size_t len, unsigned char out[EVA_SHA256_SIZE]) {
  static EVP_MD_CTX *context; /* kept: this runs once for every item stored; the process is single-threaded */
  if (context == NULL) context = EVP_MD_CTX_new();
  if (context == NULL || !EVP_DigestInit_ex(context, sha256_algorithm(), NULL) ||
      !EVP_DigestUpdate(context, data, len) || !EVP_DigestFinal_ex(context, out, NULL)) {
    die("libcrypto cannot make a SHA-256 digest");
  }
}

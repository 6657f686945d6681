/* evalua.native.text: distances and similarities of texts, lengths, folding, digests and ids. */
#include "base/id.h"
#include "data/base64.h"
#include "data/text.h"
#include "data/utf8.h"
#include "lua/call.h"

typedef eva_code (*distance_function)(eva_text a, eva_text b, int64_t *out, eva_error *error);
typedef eva_code (*similarity_function)(eva_text a, eva_text b, double *out, eva_error *error);

static int push_distance(lua_State *L, distance_function distance) {
  eva_text a = eva_check_text(L, 1), b = eva_check_text(L, 2);
  eva_error error;
  int64_t result;
  if (distance(a, b, &result, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushinteger(L, result);
  return 1;
}

static int push_similarity(lua_State *L, similarity_function similarity) {
  eva_text a = eva_check_text(L, 1), b = eva_check_text(L, 2);
  eva_error error;
  double result;
  if (similarity(a, b, &result, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushnumber(L, result);
  return 1;
}

/* text.levenshtein(a, b) -> integer | nil, message, code (all distances and similarities fail like this: a limit) */
static int text_levenshtein(lua_State *L) {
  return push_distance(L, eva_text_levenshtein);
}

/* text.damerau(a, b) -> integer: Damerau-Levenshtein, unrestricted */
static int text_damerau(lua_State *L) {
  return push_distance(L, eva_text_damerau);
}

/* text.hamming(a, b) -> integer */
static int text_hamming(lua_State *L) {
  return push_distance(L, eva_text_hamming);
}

/* text.jaro(a, b) -> number 0..1 */
static int text_jaro(lua_State *L) {
  return push_similarity(L, eva_text_jaro);
}

/* text.dice(a, b) -> number 0..1: over pairs of neighbouring characters */
static int text_dice(lua_State *L) {
  return push_similarity(L, eva_text_dice);
}

/* text.lcs_ratio(a, b) -> number 0..1: 2 * longest common subsequence / (length a + length b) */
static int text_lcs_ratio(lua_State *L) {
  return push_similarity(L, eva_text_lcs_ratio);
}

/* text.jaro_winkler(a, b [, long_tolerance]) -> number 0..1 */
static int text_jaro_winkler(lua_State *L) {
  eva_text a = eva_check_text(L, 1), b = eva_check_text(L, 2);
  eva_error error;
  double result;
  if (eva_text_jaro_winkler(a, b, lua_toboolean(L, 3), &result, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushnumber(L, result);
  return 1;
}

/* text.jaccard(a, b [, size]) -> number 0..1: over sets of words, or of pieces of `size` characters */
static int text_jaccard(lua_State *L) {
  eva_text a = eva_check_text(L, 1), b = eva_check_text(L, 2);
  lua_Integer size = luaL_optinteger(L, 3, 0);
  luaL_argcheck(L, size >= 0 && size <= EVA_TEXT_LENGTH_MAX, 3, "a number of characters, or nothing for words");
  eva_error error;
  double result;
  if (eva_text_jaccard(a, b, (size_t)size, &result, &error) != EVA_OK) return eva_push_error(L, &error);
  lua_pushnumber(L, result);
  return 1;
}

/* text.length(text) -> integer: characters */
static int text_length(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  lua_pushinteger(L, (lua_Integer)eva_utf8_count(text.data, text.len));
  return 1;
}

/* text.words(text) -> integer: runs of anything but white space */
static int text_words(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)eva_text_words(eva_check_text(L, 1)));
  return 1;
}

/* text.fold(text) -> text for comparing without regard to case */
static int text_fold(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  eva_buf *out = eva_push_buf(L);
  eva_text_fold(text, out);
  lua_pushlstring(L, out->data, out->len);
  return 1;
}

/* text.sha256(text) -> 64 hexadecimal digits */
static int text_sha256(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  unsigned char digest[EVA_SHA256_SIZE];
  char hex[EVA_SHA256_TEXT_SIZE];
  eva_sha256_of(text.data, text.len, digest);
  lua_pushlstring(L, eva_hex(digest, sizeof digest, hex), EVA_SHA256_TEXT_SIZE - 1);
  return 1;
}

/* text.base64(bytes) -> text */
static int text_base64(lua_State *L) {
  eva_text bytes = eva_check_text(L, 1);
  eva_buf *out = eva_push_buf(L);
  eva_base64_encode(out, bytes);
  lua_pushlstring(L, out->data ? out->data : "", out->len);
  return 1;
}

/* text.from_base64(text) -> bytes | nil, message, code */
static int text_from_base64(lua_State *L) {
  eva_text text = eva_check_text(L, 1);
  eva_buf *out = eva_push_buf(L);
  if (!eva_base64_decode(out, text)) {
    eva_error error;
    eva_error_set(&error, EVA_E_PARSE, NULL, "this is no base64 text");
    return eva_push_error(L, &error);
  }
  lua_pushlstring(L, out->data ? out->data : "", out->len);
  return 1;
}

/* text.uuid() -> a new UUIDv7 */
static int text_uuid(lua_State *L) {
  char uuid[EVA_UUID_TEXT_SIZE];
  lua_pushlstring(L, eva_uuid7(uuid), EVA_UUID_TEXT_SIZE - 1);
  return 1;
}

static const luaL_Reg text_functions[] = {
    {"levenshtein",  text_levenshtein },
    {"damerau",      text_damerau     },
    {"hamming",      text_hamming     },
    {"jaro",         text_jaro        },
    {"jaro_winkler", text_jaro_winkler},
    {"dice",         text_dice        },
    {"lcs_ratio",    text_lcs_ratio   },
    {"jaccard",      text_jaccard     },
    {"length",       text_length      },
    {"words",        text_words       },
    {"fold",         text_fold        },
    {"sha256",       text_sha256      },
    {"base64",       text_base64      },
    {"from_base64",  text_from_base64 },
    {"uuid",         text_uuid        },
    {NULL,           NULL             },
};

int luaopen_evalua_native_text(lua_State *L) {
  luaL_newlib(L, text_functions);
  return 1;
}

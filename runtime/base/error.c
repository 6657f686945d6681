/* Filling the one error value, and the names of its codes. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Copies at most size - 1 bytes and never leaves half a UTF-8 character at the end. */
static void copy_cut(char *out, size_t size, const char *text, size_t len) {
  if (len >= size) {
    len = size - 1;
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) len--;
  }
  memcpy(out, text, len);
  out[len] = '\0';
}

eva_code eva_error_set(eva_error *error, eva_code code, const char *where, const char *format, ...) {
  /* Formatted aside first: `where` and the arguments may point into `error` itself. One byte more than the message
   * holds, so that a cut is seen. */
  char message[EVA_ERROR_MESSAGE_MAX + 1];
  char place[EVA_ERROR_WHERE_MAX] = "";
  va_list arguments;
  va_start(arguments, format);
  int wanted = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (wanted < 0) message[0] = '\0';
  if (where != NULL) copy_cut(place, sizeof place, where, strlen(where));
  error->code = code;
  copy_cut(error->message, sizeof error->message, message, strlen(message));
  memcpy(error->where, place, sizeof place);
  return code;
}

const char *eva_code_name(eva_code code) {
  switch (code) {
  case EVA_OK: return "ok";
  case EVA_E_ARGUMENT: return "argument";
  case EVA_E_PARSE: return "parse";
  case EVA_E_LIMIT: return "limit";
  case EVA_E_NOT_FOUND: return "not_found";
  case EVA_E_EXISTS: return "exists";
  case EVA_E_IO: return "io";
  case EVA_E_STORE: return "store";
  case EVA_E_BUSY: return "busy";
  case EVA_E_READ_ONLY: return "read_only";
  case EVA_E_SCHEMA: return "schema";
  case EVA_E_CANCELLED: return "cancelled";
  case EVA_E_STATE: return "state";
  }
  return "unknown";
}

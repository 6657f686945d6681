/* Fuzzes the JSON reader, writer and canonical form: whatever is accepted reads back the same.
 * clang -std=c11 -D_GNU_SOURCE -Iruntime -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_json.c \
 *   runtime/base/buf.c runtime/base/error.c runtime/data/json*.c runtime/data/utf8.c -lm -o fuzz_json && ./fuzz_json */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  eva_error error;
  for (int mode = EVA_JSON_STRICT; mode <= EVA_JSON_FOREIGN; mode++) {
    for (int form = EVA_JSON_STORAGE; form <= EVA_JSON_IDENTITY; form++) {
      eva_buf once = {0}, twice = {0};
      eva_code code = eva_json_canonical(text, size, (eva_json_form)form, (eva_json_mode)mode, &once, &error);
      if ((code == EVA_OK) != (eva_json_validate(text, size, (eva_json_mode)mode, &error) == EVA_OK)) abort();
      if (code == EVA_OK) {
        if (!eva_utf8_valid(once.data, once.len)) abort();
        code = eva_json_canonical(once.data, once.len, (eva_json_form)form, EVA_JSON_STRICT, &twice, &error);
        if (code != EVA_OK) abort();
        if (!eva_text_equal(eva_buf_text(&once), eva_buf_text(&twice))) abort();
      }
      eva_buf_free(&once);
      eva_buf_free(&twice);
    }
  }
  return 0;
}

/* Bytes as text that JSON can carry: base64 of RFC 4648, with padding. */
#ifndef EVA_DATA_BASE64_H
#define EVA_DATA_BASE64_H

#include "base/buf.h"

void eva_base64_encode(eva_buf *out, eva_text bytes);
/* Appends the bytes that `text` stands for. 0, with `out` as it was, where the text is no base64 (nothing but the
 * alphabet is taken: no line breaks). */
int eva_base64_decode(eva_buf *out, eva_text text);

#endif

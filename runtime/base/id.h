/* Identifiers (UUIDv7, RFC 9562) and digests (SHA-256 by libcrypto). */
#ifndef EVA_BASE_ID_H
#define EVA_BASE_ID_H

#include <stddef.h>

enum { EVA_UUID_TEXT_SIZE = 37, EVA_SHA256_SIZE = 32, EVA_SHA256_TEXT_SIZE = 65 };

/* A new UUIDv7 as 36 lower-case characters; ids made by one process ascend. Never fails (aborts without entropy). */
char *eva_uuid7(char out[EVA_UUID_TEXT_SIZE]);

typedef struct eva_sha256 eva_sha256; /* an incremental digest */
eva_sha256 *eva_sha256_new(void);
void eva_sha256_add(eva_sha256 *state, const void *data, size_t len);
void eva_sha256_finish(eva_sha256 *state, unsigned char out[EVA_SHA256_SIZE]); /* frees state */
void eva_sha256_free(eva_sha256 *state);                                       /* without finishing; NULL is fine */

void eva_sha256_of(const void *data, size_t len, unsigned char out[EVA_SHA256_SIZE]);
char *eva_hex(const unsigned char *bytes, size_t len, char *out); /* 2*len characters and a NUL; returns out */

#endif

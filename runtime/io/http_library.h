/* libcurl, loaded when the first request is made.
 *
 * Linked in the usual way, libcurl and the thirty libraries that it needs would cost every start of the program 5 ms
 * (measured), a quarter of what a suite of one item may take from start to end. So it is opened by library.h, and its
 * functions are called through this table: eva_curl()->easy_init() and so on. */
#ifndef EVA_IO_HTTP_LIBRARY_H
#define EVA_IO_HTTP_LIBRARY_H

#define CURL_DISABLE_TYPECHECK /* its macros name the functions directly */
#include <curl/curl.h>

#include "base/error.h"

#define EVA_CURL_FUNCTIONS(X) \
  X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_cleanup) X(easy_reset) X(easy_pause) \
  X(easy_strerror) X(slist_append) X(slist_free_all) X(multi_init) X(multi_setopt) X(multi_add_handle) X(multi_remove_handle) \
  X(multi_socket_action) X(multi_info_read) X(multi_assign) X(multi_timeout) X(multi_cleanup)

/* One field a function, without its prefix: easy_init is curl_easy_init. */
typedef struct eva_curl_table {
#define EVA_CURL_FIELD(name) __typeof__(curl_##name) *(name);
  EVA_CURL_FUNCTIONS(EVA_CURL_FIELD)
#undef EVA_CURL_FIELD
} eva_curl_table;

/* Opens the library once a process. EVA_E_NOT_FOUND where there is none, with the package's name. */
eva_code eva_curl_load(eva_error *error);
/* The table; only after eva_curl_load has succeeded. */
const eva_curl_table *eva_curl(void);

#endif

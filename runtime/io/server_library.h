/* libmicrohttpd, opened with dlopen when a server is started: it and GnuTLS below it would cost every start of the
 * program 1.5 ms, for the sake of one command. See http_library.h. */
#ifndef EVA_IO_SERVER_LIBRARY_H
#define EVA_IO_SERVER_LIBRARY_H

#include <microhttpd.h>

#include "base/error.h"

#define EVA_MHD_FUNCTIONS(X) \
  X(start_daemon) X(stop_daemon) X(run) X(get_timeout) X(get_daemon_info) X(get_connection_info) \
  X(get_connection_values) X(suspend_connection) X(resume_connection) X(queue_response) X(create_response_from_buffer) \
  X(create_response_from_callback) X(add_response_header) X(destroy_response)

typedef struct eva_mhd_table {
#define EVA_MHD_FIELD(name) __typeof__(MHD_##name) *(name);
  EVA_MHD_FUNCTIONS(EVA_MHD_FIELD)
#undef EVA_MHD_FIELD
} eva_mhd_table;

/* Opens the library once a process. EVA_E_NOT_FOUND where there is none, with the package's name. */
eva_code eva_mhd_load(eva_error *error);
const eva_mhd_table *eva_mhd(void);

#endif

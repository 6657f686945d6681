/* What differs where the program is built with AddressSanitizer: workers, which leave by _exit, report their own leaks,
 * and a report of any process of a run ends all of it with EVA_SANITIZER_EXIT, so that no test passes over one. */
#ifndef EVA_BASE_SANITIZER_H
#define EVA_BASE_SANITIZER_H

/* tests/run tells the sanitizers to end with it (exitcode in ASAN_OPTIONS and UBSAN_OPTIONS). */
enum { EVA_SANITIZER_EXIT = 99 };

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define EVA_SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define EVA_SANITIZED 1
#endif

#ifdef EVA_SANITIZED
#include <sanitizer/lsan_interface.h>
#define eva_report_leaks() __lsan_do_leak_check() /* ends the process when there are any */
#else
#define EVA_SANITIZED 0
#define eva_report_leaks() ((void)0)
#endif

#endif

/* Time: monotonic for durations, wall for records. */
#ifndef EVA_BASE_CLOCK_H
#define EVA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { EVA_TIME_TEXT_SIZE = 25 }; /* "2026-11-21T01:02:03.456Z" and a NUL */

uint64_t eva_clock_monotonic_ns(void);
int64_t eva_clock_wall_ms(void); /* since 1970-01-01 UTC */
/* RFC 3339 UTC with milliseconds, e.g. 2026-11-21T01:02:03.456Z, into out[EVA_TIME_TEXT_SIZE]. Returns out. */
char *eva_clock_format(int64_t wall_ms, char *out);

#endif

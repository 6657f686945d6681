/* Regular expressions (PCRE2, Unicode) with limits, so that no pattern can hang or exhaust a worker.
 *
 * A subject that is not UTF-8 is matched as if repaired with U+FFFD; offsets (bytes from 0) then speak of the repaired
 * text, eva_regex_subject. */
#ifndef EVA_DATA_REGEX_H
#define EVA_DATA_REGEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
  EVA_REGEX_PATTERN_MAX = 65536,     /* bytes of a pattern */
  EVA_REGEX_MATCH_MAX = 5000000,     /* steps of backtracking from one starting place */
  EVA_REGEX_DEPTH_MAX = 100000,      /* nested backtracking points, without JIT */
  EVA_REGEX_HEAP_KB_MAX = 65536,     /* memory of one match, without JIT */
  EVA_REGEX_JIT_STACK_MAX = 16 << 20, /* bytes of address space; touched only as needed */
  EVA_REGEX_TIME_MS_MAX = 2000       /* of one search over all starting places; looked at now and then */
};

typedef struct eva_regex eva_regex;

/* Compiles a pattern. `flags` holds any of the letters i (ignore case), m (^ and $ at lines), s (. also matches a
 * newline), x (white space and comments in the pattern). EVA_E_PARSE names the offset in `where`. */
eva_code eva_regex_compile(eva_text pattern, eva_text flags, eva_regex **out, eva_error *error);
void eva_regex_free(eva_regex *regex); /* NULL is fine */

/* Searches from byte `start`. *matched says whether there is a match; then the group functions speak of it until the
 * next search. EVA_E_LIMIT when a limit was met: whether there is a match is not known. */
eva_code eva_regex_match(eva_regex *regex, eva_text subject, size_t start, int *matched, eva_error *error);
/* The last of the matches that do not overlap, searched from the start. */
eva_code eva_regex_find_last(eva_regex *regex, eva_text subject, int *matched, eva_error *error);

/* The text that the groups of the last search speak of: the subject, or its repaired copy. */
eva_text eva_regex_subject(const eva_regex *regex);

/* Groups of the pattern, without the whole match (which is group 0). */
size_t eva_regex_group_count(const eva_regex *regex);
/* Byte range [start, end) of a group: 1, or 0 when it took no part in the match. */
int eva_regex_group(const eva_regex *regex, size_t group, size_t *start, size_t *end);
/* The names of groups by index 0..: NULL behind the last one. *group is its number. */
const char *eva_regex_group_name(const eva_regex *regex, size_t index, size_t *group);

#endif

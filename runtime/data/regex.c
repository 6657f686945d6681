/* PCRE2 behind limits: compiled by JIT where the system allows it. */
#include "data/regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/clock.h"
#include "data/utf8.h"

/* PCRE2's step limit holds for each starting place; a pattern that is slow everywhere still takes the square of the
 * text. So starting places are tried by windows, with a look at the clock between them. */
enum { WINDOW_FIRST = 4096, WINDOW_GROWS_BELOW_MS = 5, NS_PER_MS = 1000000 };

struct eva_regex {
  pcre2_code *code;
  pcre2_match_data *match_data;
  size_t group_count;
  uint32_t name_count;
  uint32_t name_entry_size;
  const unsigned char *names; /* entries of two bytes group number (high first) and a name */
  PCRE2_SIZE *range;          /* of the match that the group functions speak of; in match_data, or `last` */
  PCRE2_SIZE *last;           /* find_last keeps the best match so far here */
  int has_start_anchor;       /* \G means the start of the search, which windows would move */
  eva_text subject;
  eva_buf repaired;           /* the subject when it is not UTF-8 */
};

/* Shared by all patterns of the process, which matches one at a time. */
static pcre2_match_context *match_context;

static void prepare_limits(void) {
  if (match_context != NULL) return;
  match_context = pcre2_match_context_create(NULL);
  if (match_context == NULL) return; /* then PCRE2's own limits hold */
  pcre2_set_match_limit(match_context, EVA_REGEX_MATCH_MAX);
  pcre2_set_depth_limit(match_context, EVA_REGEX_DEPTH_MAX);
  pcre2_set_heap_limit(match_context, EVA_REGEX_HEAP_KB_MAX);
  pcre2_jit_stack *stack = pcre2_jit_stack_create(32 * 1024, EVA_REGEX_JIT_STACK_MAX, NULL);
  if (stack != NULL) pcre2_jit_stack_assign(match_context, NULL, stack);
}

static eva_code parse_flags(eva_text flags, uint32_t *options, eva_error *error) {
  *options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
  for (size_t i = 0; i < flags.len; i++) {
    switch (flags.data[i]) {
    case 'i': *options |= PCRE2_CASELESS; break;
    case 'm': *options |= PCRE2_MULTILINE; break;
    case 's': *options |= PCRE2_DOTALL; break;
    case 'x': *options |= PCRE2_EXTENDED; break;
    default:
      return eva_error_set(error, EVA_E_ARGUMENT, NULL, "unknown flag '%c' (there are i, m, s and x)",
                           flags.data[i] > ' ' && flags.data[i] < 0x7F ? flags.data[i] : '?');
    }
  }
  return EVA_OK;
}

eva_code eva_regex_compile(eva_text pattern, eva_text flags, eva_regex **out, eva_error *error) {
  uint32_t options;
  if (parse_flags(flags, &options, error) != EVA_OK) return error->code;
  if (pattern.len > EVA_REGEX_PATTERN_MAX) {
    return eva_error_set(error, EVA_E_LIMIT, NULL, "a pattern of %zu bytes (at most %d)", pattern.len,
                         EVA_REGEX_PATTERN_MAX);
  }
  prepare_limits();
  int number;
  PCRE2_SIZE offset;
  PCRE2_SPTR text = (PCRE2_SPTR)(pattern.data != NULL ? pattern.data : "");
  pcre2_code *code = pcre2_compile(text, pattern.len, options, &number, &offset, NULL);
  if (code == NULL) {
    char message[256], where[64];
    pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
    snprintf(where, sizeof where, "pattern offset %zu", (size_t)offset);
    return eva_error_set(error, EVA_E_PARSE, where, "%s", message);
  }
  (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* where it fails, the interpreter matches */
  eva_regex *regex = eva_alloc_zeroed(1, sizeof *regex);
  uint32_t groups = 0;
  pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
  pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &regex->name_count);
  pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &regex->name_entry_size);
  pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &regex->names);
  regex->code = code;
  regex->has_start_anchor = pattern.len > 0 && memmem(pattern.data, pattern.len, "\\G", 2) != NULL;
  regex->group_count = groups;
  regex->last = eva_alloc((groups + 1) * 2 * sizeof *regex->last);
  regex->range = regex->last;
  regex->match_data = pcre2_match_data_create_from_pattern(code, NULL);
  if (regex->match_data == NULL) {
    eva_regex_free(regex);
    return eva_error_set(error, EVA_E_LIMIT, NULL, "no memory to match this pattern");
  }
  *out = regex;
  return EVA_OK;
}

void eva_regex_free(eva_regex *regex) {
  if (regex == NULL) return;
  pcre2_match_data_free(regex->match_data);
  pcre2_code_free(regex->code);
  eva_buf_free(&regex->repaired);
  free(regex->last);
  free(regex);
}

static eva_code fail_match(int number, eva_error *error) {
  switch (number) {
  case PCRE2_ERROR_MATCHLIMIT:
    return eva_error_set(error, EVA_E_LIMIT, NULL,
                         "the pattern backtracks too much on this text (more than %d steps): nested repetitions such "
                         "as (a+)+ do that",
                         EVA_REGEX_MATCH_MAX);
  case PCRE2_ERROR_DEPTHLIMIT:
    return eva_error_set(error, EVA_E_LIMIT, NULL, "the pattern backtracks too deep on this text (more than %d levels)",
                         EVA_REGEX_DEPTH_MAX);
  case PCRE2_ERROR_HEAPLIMIT:
  case PCRE2_ERROR_NOMEMORY:
    return eva_error_set(error, EVA_E_LIMIT, NULL, "the pattern needs too much memory on this text (more than %d KB)",
                         EVA_REGEX_HEAP_KB_MAX);
  case PCRE2_ERROR_JIT_STACKLIMIT:
    return eva_error_set(error, EVA_E_LIMIT, NULL, "the pattern backtracks too deep on this text (more than %d bytes)",
                         EVA_REGEX_JIT_STACK_MAX);
  default: break;
  }
  char message[256];
  pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
  return eva_error_set(error, EVA_E_ARGUMENT, NULL, "the pattern could not be matched: %s", message);
}

static void set_subject(eva_regex *regex, eva_text subject) {
  regex->subject = subject.data != NULL ? subject : EVA_TEXT_LITERAL("");
  if (eva_utf8_valid(regex->subject.data, regex->subject.len)) return;
  eva_buf_clear(&regex->repaired);
  eva_utf8_repair(subject.data, subject.len, &regex->repaired);
  regex->subject = eva_buf_text(&regex->repaired);
}

static size_t next_character(eva_text text, size_t at) {
  if (at < text.len) at++;
  while (at < text.len && ((unsigned char)text.data[at] & 0xC0) == 0x80) at++;
  return at;
}

/* One call of PCRE2: starting places from `start` to `limit`. */
static eva_code match_window(eva_regex *regex, size_t start, size_t limit, uint32_t options, int *matched,
                             eva_error *error) {
  if (match_context != NULL) pcre2_set_offset_limit(match_context, limit);
  int count = pcre2_match(regex->code, (PCRE2_SPTR)regex->subject.data, regex->subject.len, start,
                          options | PCRE2_NO_UTF_CHECK, regex->match_data, match_context);
  *matched = count > 0;
  if (count == PCRE2_ERROR_NOMATCH) return EVA_OK;
  if (count < 0) return fail_match(count, error);
  regex->range = pcre2_get_ovector_pointer(regex->match_data);
  for (size_t i = (size_t)count; i <= regex->group_count; i++) regex->range[2 * i] = PCRE2_UNSET;
  if (regex->range[0] > regex->range[1]) regex->range[0] = regex->range[1]; /* \K in a lookahead does that */
  return EVA_OK;
}

/* Searches from `start`; `began_ns` is when the whole search began. */
static eva_code search(eva_regex *regex, size_t start, uint32_t options, uint64_t began_ns, int *matched,
                       eva_error *error) {
  size_t len = regex->subject.len, window = WINDOW_FIRST;
  uint64_t now_ns = began_ns;
  *matched = 0;
  if (regex->has_start_anchor || len - start < window || (options & PCRE2_ANCHORED)) {
    return match_window(regex, start, PCRE2_UNSET, options, matched, error);
  }
  while (start <= len) {
    size_t limit = len - start > window ? start + window : len;
    eva_code code = match_window(regex, start, limit, options, matched, error);
    if (code != EVA_OK || *matched || limit == len) return code;
    start = next_character(regex->subject, limit);
    uint64_t window_began_ns = now_ns;
    now_ns = eva_clock_monotonic_ns();
    if (now_ns - began_ns > (uint64_t)EVA_REGEX_TIME_MS_MAX * NS_PER_MS) {
      return eva_error_set(error, EVA_E_LIMIT, NULL, "the pattern took more than %d ms on a text of %zu bytes",
                           EVA_REGEX_TIME_MS_MAX, len);
    }
    if (now_ns - window_began_ns < (uint64_t)WINDOW_GROWS_BELOW_MS * NS_PER_MS) window *= 2;
  }
  return EVA_OK;
}

eva_code eva_regex_match(eva_regex *regex, eva_text subject, size_t start, int *matched, eva_error *error) {
  *matched = 0;
  set_subject(regex, subject);
  if (start > regex->subject.len) return EVA_OK;
  /* A start within a character moves to the next one. */
  if (start > 0) start = next_character(regex->subject, start - 1);
  return search(regex, start, 0, eva_clock_monotonic_ns(), matched, error);
}

eva_code eva_regex_find_last(eva_regex *regex, eva_text subject, int *matched, eva_error *error) {
  uint64_t began_ns = eva_clock_monotonic_ns();
  size_t start = 0;
  uint32_t options = 0;
  set_subject(regex, subject);
  *matched = 0;
  while (start <= regex->subject.len) {
    int again;
    eva_code code = search(regex, start, options, began_ns, &again, error);
    if (code != EVA_OK) return code;
    if (!again && options == 0) break;
    size_t end = start;
    int is_empty = 0;
    if (again) {
      *matched = 1;
      memcpy(regex->last, regex->range, (regex->group_count + 1) * 2 * sizeof *regex->last);
      end = regex->range[1];
      is_empty = regex->range[0] == end;
    }
    if (end > start || (is_empty && options == 0)) {
      /* Behind an empty match a longer one may begin at the same place. */
      options = is_empty ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
      start = end;
    } else {
      if (start == regex->subject.len) break;
      options = 0;
      start = next_character(regex->subject, start);
    }
  }
  regex->range = regex->last;
  return EVA_OK;
}

eva_text eva_regex_subject(const eva_regex *regex) {
  return regex->subject;
}

size_t eva_regex_group_count(const eva_regex *regex) {
  return regex->group_count;
}

int eva_regex_group(const eva_regex *regex, size_t group, size_t *start, size_t *end) {
  if (group > regex->group_count || regex->range[2 * group] == PCRE2_UNSET) return 0;
  *start = regex->range[2 * group];
  *end = regex->range[2 * group + 1];
  return 1;
}

const char *eva_regex_group_name(const eva_regex *regex, size_t index, size_t *group) {
  if (index >= regex->name_count) return NULL;
  const unsigned char *entry = regex->names + index * regex->name_entry_size;
  *group = (size_t)entry[0] << 8 | entry[1];
  return (const char *)entry + 2;
}

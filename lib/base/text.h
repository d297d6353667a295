#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
bool text_same(const char *a, const char *b); /* NULL equals only NULL */
bool text_same_nocase(const char *a, const char *b);

/** Is it valid UTF-8 without NUL? */
bool text_is_utf8(const char *bytes, size_t size);

/** How many bytes of it to keep so that no more than `bytes`, and `characters` (0: any number) of
 * UTF-8, are kept and none is cut through. */
size_t text_fit(const char *s, size_t bytes, size_t characters);

/** The candidate that a person probably meant by `typed`; NULL when none is near. */
const char *text_nearest(const char *typed, const char *const *candidates, size_t count);

/**
 * Does a GitHub-style pattern match? `*` any run without '/', `**` any run, `?` zero or one of the
 * character before it, `+` one or more of it, `[]` a set; the rest literally. The whole of `s`
 * must match. https://docs.github.com/actions (filter pattern cheat sheet).
 */
bool text_matches(const char *pattern, const char *s);

/** A decimal number and nothing else, within [min, max]. */
int text_number(const char *s, int64_t min, int64_t max, int64_t *out, struct err *err) MUST_CHECK;

/** "90", "90s", "15m", "2h": seconds. */
int text_seconds(const char *s, int64_t *out, struct err *err) MUST_CHECK;

/** 40 or 64 lower-case hex digits, not all zero: a whole commit id. */
bool text_is_commit(const char *s);

/** A service or environment: [A-Za-z0-9][A-Za-z0-9._-]{0,62}, no "..". */
bool text_is_name(const char *s);

/** The name of a variable: [A-Za-z_][A-Za-z0-9_]*. */
bool text_is_variable(const char *s);

/** owner/name as GitHub allows it; neither part "." or ".." or with a leading '-'. */
bool text_is_repository(const char *s);

/** What git check-ref-format allows, and no leading '-', at most 255 bytes. */
bool text_is_ref(const char *s);

#endif

#ifndef IMAGE_IGNORE_H
#define IMAGE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * .dockerignore, as Docker reads it: a pattern a line, "#" at a line's start for comments, "!" to
 * take back, '*' and '?' within a name, "**" across folders, "[a-z]" sets, '\' before what is meant
 * as it stands; the last pattern that matches a file or a folder above it decides.
 * https://docs.docker.com/build/concepts/context/#dockerignore-files,
 * https://github.com/moby/patternmatcher. One difference: '+', '(', '|', '{' and '^' stand for
 * themselves, as the documentation says, where the 20.10 program takes them for a regular
 * expression's.
 */
struct ignore;

/** Read the text. ERR_USAGE with the line's number for a pattern that Docker refuses too: a lone
 * "!", a set without its end, a '\' at the end. */
int ignore_parse(struct ignore **out, const char *text, size_t size, struct err *err) MUST_CHECK;
void ignore_free(struct ignore *ignore);
DEFINE_FREEP(struct ignore, ignore_free);

/** Append a pattern, without the "!" when it takes back. */
int ignore_add(struct ignore *ignore, const char *pattern, bool back, struct err *err) MUST_CHECK;

/** Is it left out? `path` is relative, "a/b". */
bool ignore_matches(const struct ignore *ignore, const char *path);

/** May something below this folder, which is left out, be taken back? */
bool ignore_looks_into(const struct ignore *ignore, const char *folder);

#endif

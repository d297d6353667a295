#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * YAML as JSON values with their positions. One document; mappings become objects, sequences
 * arrays, every scalar a string (so `on` and `no` stay what they are), an empty plain scalar, `~`
 * or `null` null. Aliases, anchors, tags, merge keys, duplicate keys and keys that aren't scalars
 * are refused, and so are nesting over 32, a text over 1 MiB, keys over 256 bytes and more than
 * 50,000 values.
 */

/** Where each value and key stands, by JSON pointer (RFC 6901). */
struct yaml_marks;
struct mistakes;

/** 0; or -1 with every mistake that was found in *mistakes (and *err the first). */
int yaml_parse(json_t **out, struct yaml_marks **marks, const char *text, size_t size,
	       struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** Line and column (from 1) of the value, or of the key; of the nearest parent when there is none.
 */
void yaml_mark(const struct yaml_marks *marks, const char *pointer, bool key, unsigned *line,
	       unsigned *column);

/** The pointer of a key below: ("/repositories", "acme/shop") is "/repositories/acme~1shop". The
 * caller frees. */
char *yaml_pointer(const char *pointer, const char *key);

/** NULL is fine. */
void yaml_marks_free(struct yaml_marks *marks);
DEFINE_FREEP(struct yaml_marks, yaml_marks_free);

#endif

#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

static inline void json_decref_at(json_t **at)
{
	json_decref(*at);
}

/** `json_auto json_t *` is let go when the block ends. */
#define json_auto cleanup(json_decref_at)

/** Parse a whole text: UTF-8, duplicate keys refused, nesting at most 64. *out is the caller's. */
int json_parse(json_t **out, const char *text, size_t size, struct err *err) MUST_CHECK;

/** Borrowed, by a path of keys: json_text(event, "repository.full_name"). NULL (or the fallback)
 * when it isn't there or is of another type. A key that has a '.' can't be named. */
json_t *json_at(const json_t *json, const char *path);
const char *json_text(const json_t *json, const char *path);
int64_t json_integer_at(const json_t *json, const char *path, int64_t fallback);
bool json_flag(const json_t *json, const char *path);

/** Append it, compact, keys in their order. */
void buf_add_json(struct buf *buf, const json_t *json);
/** Append a JSON string literal with its quotes. */
void buf_add_json_text(struct buf *buf, const char *s);

#endif

#ifndef BASE_JSON_CHECK_H
#define BASE_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Is a text a JSON object? Asked of pieces, in constant memory, however large the text is. Says yes
 * to what json_parse() takes, but doesn't see that a key is there twice, nor that a number of more
 * than 40 characters is out of range.
 */
struct json_check {
	const char *wrong; /* what was expected where it went wrong; NULL while it's fine */
	size_t at;         /* bytes before this place */
	uint64_t objects;  /* a bit for each open level: it's an object */
	unsigned depth;
	int state, after; /* `after`: the state that the string or number at hand leads to */
	unsigned need;    /* continuation bytes of a UTF-8 character, or digits of an escape */
	unsigned char least, most; /* bounds of the next continuation byte */
	unsigned unit, high;       /* of \uXXXX; the high surrogate that waits for its low one */
	const char *word;          /* what is left of true, false or null */
	char number[41];
	unsigned digits; /* bytes of it */
	bool real;
};

#define JSON_CHECK_DEPTH 64U

/** A zeroed struct is ready. */
void json_check_add(struct json_check *check, const void *bytes, size_t size);

/** 0: all of it was one object. -1 (ERR_USAGE): it wasn't, and where. */
int json_check_end(struct json_check *check, struct err *err) MUST_CHECK;

#endif

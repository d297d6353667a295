#ifndef IMAGE_CHALLENGE_H
#define IMAGE_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "net/http.h"

/** One challenge of a WWW-Authenticate header (RFC 9110 section 11.6.1). Texts lie in the arena;
 * NULL when the parameter isn't there. */
struct challenge {
	const char *scheme; /* lower case: "basic", "bearer" */
	const char *realm, *service, *scope, *error;
};

#define CHALLENGES_MAX 8

/** Take a header's value apart; how many there are (more than CHALLENGES_MAX are passed over). What
 * can't be read ends the list. */
size_t challenge_parse(const char *text, struct challenge list[CHALLENGES_MAX],
		       struct arena *arena);

/** The first of that scheme in any WWW-Authenticate header of the answer. */
bool challenge_find(const struct http_response *response, const char *scheme, struct challenge *out,
		    struct arena *arena);

#endif

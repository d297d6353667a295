#ifndef SERVICE_ROUTING_H
#define SERVICE_ROUTING_H

#include "base/mem.h"
#include "github/event.h"
#include "service/settings.h"

/* What the server's rules make of an event. Nothing here looks outside: one event and one
 * repository's settings in, a verdict out. */

/** Where the event may deploy to. Which of the services have that environment is the project
 * file's. */
struct routing_choice {
	const char *environment;
	const char *const *services; /* only these; NULL: all that have the environment */
	const char *const *paths;    /* only when a changed file matches; NULL: any change */
};

struct routing_verdict {
	struct routing_choice *choices; /* in the arena */
	size_t count;
	const char *why; /* one line for a person: what happened, and when count is 0 why nothing
			    deploys */
};

/** Which of the repository's rules fit the event. *out lives in the arena. */
void routing_decide(const struct event *event, const struct settings_repository *repository,
		    struct arena *arena, struct routing_verdict *out);

/** GitHub's way with a list of patterns: the last one that matches decides, one with '!' before it
 * takes away. */
bool routing_matches(const char *const *patterns, const char *text);

/** Does at least one of the files match? */
bool routing_any_matches(const char *const *patterns, const char *const *files);

#endif

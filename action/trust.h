#ifndef ACTION_TRUST_H
#define ACTION_TRUST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "github/api.h"

/*
 * Whose code is it? A pull request from a fork, and pull_request_target (which runs with the
 * repository's own rights on behalf of anybody), don't deploy unless the workflow says so; the
 * project file is the base branch's then, since it says what is run and where to.
 */
struct trust {
	const char *event;      /* GITHUB_EVENT_NAME; NULL */
	const char *repository; /* GITHUB_REPOSITORY; NULL */
	const json_t *payload;  /* NULL: there is none */
	bool allow;             /* input 'allow-forks' */
};

/** Why it is a stranger's: "a pull request from the fork eve/shop"; NULL when it isn't. In the
 * arena. */
const char *trust_stranger(const struct trust *trust, struct arena *arena);

/** ERR_USAGE when it may not deploy. *base: the commit, in the arena, that the project file must be
 * read at; NULL: the folder's own is fine. */
int trust_check(const struct trust *trust, struct arena *arena, const char **base,
		struct err *err) MUST_CHECK;

/** The project file at that commit, through the API; `path` relative to the repository. In the
 * arena. */
int trust_config(struct github *github, const char *repository, const char *path, const char *base,
		 struct arena *arena, const char **text, struct err *err) MUST_CHECK;

#endif

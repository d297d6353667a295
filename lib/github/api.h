#ifndef GITHUB_API_H
#define GITHUB_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/http.h"

/*
 * GitHub's REST API with a token, or as an App's installation (login renewed by itself). Rate
 * limits and Retry-After are honoured; 5xx and lost connections are tried again for GETs.
 * https://docs.github.com/rest
 */
struct github;

struct github_login {
	const char *api;              /* or GitHub Enterprise's "https://HOST/api/v3" */
	const char *token;            /* or NULL … */
	const char *app_id, *app_key; /* … and these: client or App id, PEM; both NULL: anonymous */
};

/** Copies what it needs. */
struct github *github_new(const struct github_login *login, struct http *http, struct clock *clock);
void github_free(struct github *github); /* wipes its secrets */
DEFINE_FREEP(struct github, github_free);

/** GET path ("/repos/acme/shop/commits/main"); *out is the caller's. 404: ERR_ABSENT, 401 and 403:
 * ERR_AUTH. `repository` chooses the App's installation. */
int github_get(struct github *github, const char *repository, const char *path, json_t **out,
	       struct err *err) MUST_CHECK;

/** The commit id that a ref stands for now; the caller frees. */
int github_resolve(struct github *github, const char *repository, const char *ref, char **commit,
		   struct err *err) MUST_CHECK;

/** Download the tarball at the commit into the open file. */
int github_tarball(struct github *github, const char *repository, const char *commit, int fd,
		   struct err *err) MUST_CHECK;

enum github_relation { GITHUB_IDENTICAL, GITHUB_AHEAD, GITHUB_BEHIND, GITHUB_DIVERGED };

/** How head stands to base, and the files that differ (NULL-ended, in the arena; *complete false
 * when GitHub cut the list at 300). */
int github_compare(struct github *github, const char *repository, const char *base,
		   const char *head, struct arena *arena, enum github_relation *relation,
		   const char *const **files, bool *complete, struct err *err) MUST_CHECK;

#endif

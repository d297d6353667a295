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
 * limits and Retry-After are honoured. 5xx and lost connections are tried again for what can be
 * repeated: GET and PATCH; whoever POSTs looks first whether the one before came through.
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

/** How long a call may wait, and who may break it off. */
struct github_patience {
	int64_t seconds;         /* of waiting between tries, in all; 0: 90; -1: none at all */
	int64_t deadline;        /* ticks after which nothing is begun; 0: none */
	int (*tick)(void *self); /* not 0: break off with ERR_CANCELLED; may be NULL */
	void *self;
};

/** For all calls from now on; copied. NULL: the usual again. */
void github_be_patient(struct github *github, const struct github_patience *patience);

/** Seconds until another try makes sense, as GitHub said when the last call failed; 0: it didn't.
 */
int64_t github_retry_after(const struct github *github);

/** Has it any login at all? */
bool github_has_login(const struct github *github);
/** … and is that an App's, which alone may make check runs and read its own hook's deliveries? */
bool github_is_app(const struct github *github);

struct github_call {
	const char *method;     /* "GET", "POST", "PATCH" */
	const char *path;       /* "/repos/…", or a whole URL as an answer's `next` gives it */
	const char *repository; /* chooses the App's installation; NULL … */
	bool as_app;            /* … or as the App itself: for /app/… */
	const json_t *body;     /* NULL: none */
	const char *etag;       /* If-None-Match: the answer may be 304 then; NULL */
	const char *what;       /* for messages: "create a deployment" */
};

struct github_answer {
	int status;          /* 2xx, or 304 when an etag was given */
	json_t *json;        /* NULL when there is no body, or 304 */
	char *etag;          /* NULL when it has none */
	char *next;          /* the next page's URL, from the Link header; NULL on the last */
	int64_t retry_after; /* after a failure: seconds until another try makes sense; 0: unknown
			      */
};

/**
 * Any call. 404, 410: ERR_ABSENT; 401, 403: ERR_AUTH; 409: ERR_CONFLICT; 422: ERR_USAGE; a limit:
 * ERR_LIMIT; 5xx and lost connections: ERR_TRANSIENT (a POST may have come through then). `out` is
 * emptied first, and is the caller's to free also after a failure.
 */
int github_send(struct github *github, const struct github_call *call, struct github_answer *out,
		struct err *err) MUST_CHECK;
void github_answer_free(struct github_answer *answer); /* the contents */

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

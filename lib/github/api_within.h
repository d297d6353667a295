#ifndef GITHUB_API_WITHIN_H
#define GITHUB_API_WITHIN_H

#include "github/api.h"

/* Private to api*.c. */

struct session {
	struct session *next;
	char *repository, *token;
	int64_t until; /* ticks */
};

struct github {
	char *api, *token, *app_id, *app_key;
	struct http *http;
	struct clock *clock;
	struct session *sessions;
	struct github_patience patience;
	int64_t retry_after; /* seconds, of the last failure; 0: unknown */
};

/** One call, as the functions of api.h ask for it. */
struct ask {
	const char *method, *path, *accept;
	const char *body; /* NULL: none */
	const char *etag; /* NULL */
	const char *what; /* for messages */
	int64_t limit, timeout;
	int file;
	bool repeat; /* though it isn't a GET or PATCH, it may be sent again */
};

/** Send until there is an answer that another try would not change, or the patience for it is
 * spent. 0 for 2xx (and 304 for an etag); *response is the caller's to free in any case. */
int github_exchange(struct github *github, const struct ask *ask, const char *authorization,
		    struct http_response *response, struct err *err) MUST_CHECK;

/** `rc` of an exchange, and its answer as JSON. Frees the response, and wipes it: it may hold a
 * token. */
int github_read_json(const struct ask *ask, int rc, struct http_response *response, json_t **out,
		     struct err *err) MUST_CHECK;

/** The same as the App itself, or in the App's installation of the repository (NULL: without
 * one). */
int github_exchange_as_app(struct github *github, const struct ask *ask,
			   struct http_response *response, struct err *err) MUST_CHECK;
int github_exchange_as(struct github *github, const char *repository, const struct ask *ask,
		       struct http_response *response, struct err *err) MUST_CHECK;

/** Forget all logins. */
void github_log_out(struct github *github);

#endif

#ifndef GITHUB_DELIVERIES_H
#define GITHUB_DELIVERIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "github/api.h"

/*
 * What GitHub delivered through a webhook, or tried to, in the last three days.
 * https://docs.github.com/rest/webhooks/repo-deliveries (and orgs, apps)
 */

/** Whose webhook: just one of the three. */
struct deliveries_hook {
	const char *repository;   /* "acme/shop" */
	const char *organization; /* "acme" */
	bool app;                 /* the App's own */
	int64_t id;               /* of the webhook; not for an App's */
};

struct deliveries_item {
	int64_t id;       /* of this try; grows with time */
	const char *guid; /* the same for every try */
	const char *event;
	int64_t delivered_at; /* seconds since 1970 */
	int status_code;      /* what the receiver answered; 0 when it isn't known */
	bool redelivery;
};

struct deliveries_page {
	const struct deliveries_item *items; /* newest first */
	size_t count;
	const char *next; /* give it to the next call; NULL on the last page */
	const char *etag;
	bool unchanged; /* since `etag`: no items */
};

/** One page, of at most 100: the newest (`next` NULL), or where a page's `next` goes on. `etag` may
 * be NULL. *out lives in the arena. */
int deliveries_list(struct github *github, const struct deliveries_hook *hook, const char *next,
		    const char *etag, struct arena *arena, struct deliveries_page *out,
		    struct err *err) MUST_CHECK;

/** The payload of one, as GitHub kept it: *payload is the caller's. */
int deliveries_read(struct github *github, const struct deliveries_hook *hook, int64_t id,
		    json_t **payload, struct err *err) MUST_CHECK;

/** Ask GitHub to deliver it again: the same guid comes as a new try. */
int deliveries_redeliver(struct github *github, const struct deliveries_hook *hook, int64_t id,
			 struct err *err) MUST_CHECK;

struct deliveries_webhook {
	int64_t id;
	const char *url; /* where it delivers to */
	bool active;
};

/** The repository's (or organization's) webhooks, in the arena. */
int deliveries_hooks(struct github *github, const struct deliveries_hook *whose,
		     struct arena *arena, struct deliveries_webhook **out, size_t *count,
		     struct err *err) MUST_CHECK;

#endif

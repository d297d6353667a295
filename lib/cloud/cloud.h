#ifndef CLOUD_CLOUD_H
#define CLOUD_CLOUD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/http.h"

/** What a cloud may use of the world outside; a target fills it from its own struct site. */
struct cloud_site {
	struct http *http;
	struct clock *clock;
	const char *const *env; /* "NAME=value", NULL-ended; NULL: nothing */
	/** GitHub's OIDC token for an audience, new each time; the caller wipes and frees. NULL:
	 * none to be had here. */
	int (*id_token)(void *self, const char *audience, char **token, struct err *err);
	/** It must not appear in any log from now on. May be NULL. */
	void (*mask)(void *self, const char *secret);
	/** Tell whoever follows the deployment. May be NULL. */
	void (*say)(void *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
	/** Not 0: stop waiting. May be NULL. */
	int (*tick)(void *self);
	void *self;
};

/** What a cloud gave us, for a while. */
struct credential {
	char *id, *secret, *token; /* token NULL: there is none */
	int64_t expires;           /* seconds since 1970; 0: never */
	const char *source;        /* where it came from, for messages; not owned */
	bool fixed;                /* nobody gives us another when it has expired */
};

/** Wipe and free what it holds. */
void credential_clear(struct credential *credential);

/** The value of a variable in site->env; NULL when it isn't set or is empty (a variable that was
 * set to nothing counts as unset). */
const char *cloud_env(const struct cloud_site *site, const char *name);

/** How far the other side's clock is ahead of ours, by an answer's Date. False when it has none, or
 * when ours with *skew added is right to within 5 minutes already; else *skew is set. */
bool cloud_skewed(const struct cloud_site *site, const struct http_response *response,
		  int64_t *skew);

/** "2026-11-24T13:45:00Z" (a fraction is passed over) in seconds since 1970; 0 when it isn't one.
 */
int64_t cloud_time(const char *text);

/** Is a variable "true" or "1" (in any case)? */
bool cloud_env_flag(const struct cloud_site *site, const char *name);

/** site->mask, when there is one and the secret isn't NULL or empty. */
void cloud_mask(const struct cloud_site *site, const char *secret);

/** Wait, in small pieces: -1 and ERR_CANCELLED when site->tick says so. `until`: in the clock's
 * ticks. */
int cloud_wait(const struct cloud_site *site, int64_t until, struct err *err) MUST_CHECK;

#endif

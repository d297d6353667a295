#ifndef GITHUB_OIDC_H
#define GITHUB_OIDC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/http.h"

/*
 * The job's identity as GitHub signs it, for one audience at a time. It lives for about five
 * minutes: ask just before it is used, and again after four.
 * https://docs.github.com/actions (OpenID Connect)
 */
struct oidc {
	const char *url;   /* ACTIONS_ID_TOKEN_REQUEST_URL; NULL or "" when the job has none */
	const char *token; /* ACTIONS_ID_TOKEN_REQUEST_TOKEN; the same */
	bool fork;         /* the event is a pull request from a fork: for the message */
	struct http *http;
	struct clock *clock;
	int64_t deadline; /* ticks after which no try is begun; 0: none */
	/** Told each token before anything else is done with it. May be NULL. */
	void (*mask)(void *self, const char *secret);
	int (*tick)(void *self); /* not 0: break off with ERR_CANCELLED; may be NULL */
	void *self;
};

/**
 * A token for the audience ("sts.amazonaws.com"; NULL: GitHub's own, the owner's URL); the caller
 * wipes and frees. ERR_AUTH when the job may not have one, with what to write into the workflow.
 * 502, 503, 504 (as GitHub's own toolkit does), 429 and lost connections are tried again, ten times
 * at most.
 */
int oidc_token(const struct oidc *oidc, const char *audience, char **token,
	       struct err *err) MUST_CHECK;

#endif

#ifndef CLOUD_SESSION_H
#define CLOUD_SESSION_H

#include "cloud/cloud.h"

/** What an answer means for the next attempt. */
enum cloud_verdict {
	CLOUD_DONE,    /* the answer that was asked for */
	CLOUD_REFUSED, /* no, and asking again won't change it */
	CLOUD_AGAIN,   /* the other side had trouble: it may have done it, or not */
	CLOUD_SLOW,    /* asked too often: it wasn't done; longer pauses */
	CLOUD_SKEWED,  /* our clock and theirs differ, so the signature wasn't believed */
	CLOUD_EXPIRED, /* the credential ended */
};

/** One cloud's way to log in, to sign and to refuse. `self` is session_new()'s. */
struct cloud {
	const char *name; /* "aws" */

	/** Get a credential. By `deadline` (ticks; 0: none). */
	int (*login)(void *self, int64_t deadline, struct credential *out, struct err *err);

	/** Add to the request what proves who sends it, in place of what an earlier attempt
	 * added. Pure: no network, no clock. `now`: as the other side's clock has it. */
	int (*sign)(void *self, const void *service, const struct credential *credential,
		    int64_t now, struct http_request *request, struct err *err);

	enum cloud_verdict (*judge)(void *self, const struct http_response *response);
};

/** A login that renews itself. */
struct session;
struct session *session_new(const struct cloud *cloud, void *self, const struct cloud_site *site);
void session_free(struct session *session);
DEFINE_FREEP(struct session, session_free);

/** How one request may be tried. */
struct session_try {
	const void *service; /* handed to sign */
	const char *what;    /* for messages: "apprunner: CreateService" */
	/** It does something that must not be done twice: send it again only when it surely wasn't
	 * done (throttled, signature or credential refused). */
	bool once;
	int64_t deadline; /* in the clock's ticks; 0: none but each request's own time-out */
	unsigned tries;   /* 0: 5 */
};

/** session_send: `once`, and it may have been done: look before you ask again. *err is set. */
#define SESSION_UNKNOWN 1

/**
 * Log in when needed (5 minutes before the credential ends; when that fails the old one is used to
 * its end), sign, send; again after a pause when that may help: 5 attempts, Retry-After honoured,
 * none past the deadline. A wrong clock is corrected once, an expired credential renewed once.
 * Redirects are not followed. Whatever came last is in *response:
 *    0  CLOUD_DONE or CLOUD_REFUSED, see *verdict;
 *   -1  no usable answer: *err. ERR_CANCELLED when site->tick said so, ERR_TRANSIENT otherwise when
 *       the attempts or the time ran out; *verdict tells of the last answer, if
 *       response->status isn't 0;
 *    SESSION_UNKNOWN.
 */
int session_send(struct session *session, struct http_request *request,
		 const struct session_try *how, struct http_response *response,
		 enum cloud_verdict *verdict, struct err *err) MUST_CHECK;

/** The credential now, for who must show it otherwise; logs in when needed. Borrowed until the
 * next call of this module. */
int session_credential(struct session *session, int64_t deadline, const struct credential **out,
		       struct err *err) MUST_CHECK;

#endif

#ifndef IMAGE_TALK_H
#define IMAGE_TALK_H

#include "image/layer.h"
#include "image/registry.h"

/*
 * A conversation with one registry about one repository: logging in, redirects, and trying again
 * are done here.
 */
struct talk {
	const struct registry *registry;
	const char *name;   /* of the repository */
	const char *origin; /* "https://registry.example" */
	bool push;          /* what we'll ask to be allowed */
	char *bearer;       /* a token; NULL: none yet */
	bool basic;         /* our password is what it wants */
	struct arena *arena;
};

/** Looks nothing up. ERR_USAGE when the host can't be one. */
int talk_begin(struct talk *talk, const struct registry *registry, const char *name, bool push,
	       struct arena *arena, struct err *err) MUST_CHECK;
void talk_end(struct talk *talk); /* wipes */

/** One request. Either `bytes` or the part of an open file is its body, or it has none. */
struct talk_request {
	const char *method;
	const char *url;          /* absolute; or a path ("/v2/…") at the registry */
	const char *accept;       /* NULL: none */
	const char *type, *range; /* Content-Type, Content-Range; NULL: none */
	const void *bytes;
	int fd; /* > 0 */
	int64_t offset, size;
};

/** One exchange (and the log-in and redirects that it needs), 0 for any answer. */
int talk_once(struct talk *talk, const struct talk_request *request, struct http_response *response,
	      struct err *err) MUST_CHECK;

/** The same until there is an answer other than 429 and 5xx; 5 attempts. */
int talk_ask(struct talk *talk, const struct talk_request *request, struct http_response *response,
	     struct err *err) MUST_CHECK;

/** May asking again help after this: no answer (status 0, *err), or this one? */
bool talk_may_pass(const struct http_response *response, const struct err *err);

/** Wait before attempt `tried` + 1 (from 1), as long as the answer says when it does.
 * ERR_CANCELLED; ERR_TRANSIENT when it wants us away for over two minutes. */
int talk_pause(struct talk *talk, unsigned tried, const struct http_response *response,
	       struct err *err) MUST_CHECK;

/** Set *err from an answer that isn't what was hoped for: "<what>: DENIED: … (status 403)".
 * Returns -1. */
int talk_refused(const struct talk *talk, const struct http_response *response, const char *what,
		 struct err *err);

/** Does it say this (a code of the specification, "NAME_UNKNOWN")? */
bool talk_says(const struct http_response *response, const char *code);

/** May bytes be sent there? Not from https to http, and not from elsewhere into this machine:
 * ERR_REMOTE. */
int talk_may_send(const struct talk *talk, const char *url, struct err *err) MUST_CHECK;

/** Tell whoever follows. */
void talk_say(const struct talk *talk, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Where an answer's Location (RFC 3986 section 5.2) leads from `base`, absolute, in the arena;
 * NULL when it can't be read. */
const char *talk_resolve(const char *base, const char *location, struct arena *arena);

#endif

#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

struct http_header {
	char *name, *value;
};

struct http_request {
	const char *method; /* "POST" */
	char *url;          /* owned */
	struct http_header *headers;
	size_t header_count;
	const void *body; /* borrowed */
	size_t body_size;
	int body_file;           /* stream this descriptor instead, if > 0 */
	int64_t timeout;         /* seconds for the whole exchange; 0: 60 */
	int64_t connect_timeout; /* milliseconds until connected; 0: 15,000 */
	int64_t response_limit;  /* bytes; longer answers are ERR_LIMIT; 0: 16 MiB */
	int response_file;       /* write the body of a 2xx there instead, if > 0 */
	unsigned redirects;      /* how many to follow; Authorization stays with its host */
	const char *unix_socket; /* connect here instead; the URL still gives Host and path */
	bool direct;             /* past any proxy: for link-local addresses */
	/** On a connection of its own. On one that was kept, curl sends a request again by itself
	 * when the other side hangs up without an answer, though it may have done it. */
	bool once;
	const char *ca_file; /* PEM; whom to believe instead of the system's; NULL */

	int64_t body_length; /* of what body_read gives in all; 0: not known, sent chunked */
	/** The body, piece by piece (it can't be sent twice: no redirects): bytes put
	 * in `out`, 0 at its end, -1 with *err to break off. NULL: body or body_file. */
	ssize_t (*body_read)(void *self, void *out, size_t room, struct err *err);
	/** Takes the body of a 2xx as it comes, instead of response->body; -1 with *err breaks off.
	 * May be NULL. */
	int (*on_body)(void *self, const void *bytes, size_t size, struct err *err);
	/** Called about once a second, and more often while bytes come; not 0: break off with
	 * ERR_CANCELLED. May be NULL. */
	int (*tick)(void *self);
	void *self;
};

struct http_response {
	int status;
	struct http_header *headers;
	size_t header_count;
	struct buf body;
};

/** An HTTP client: curl in the programs, a script in the tests. */
struct http {
	/** 0 for any complete answer, whatever its status; -1 if there was none: ERR_TRANSIENT when
	 * the same call may succeed later (connection, time-out, DNS), ERR_LIMIT, ERR_REMOTE
	 * otherwise. */
	int (*send)(struct http *http, const struct http_request *request,
		    struct http_response *response, struct err *err);
	void (*free)(struct http *http);
};

/** Not for use by two threads at once. http and https only; the proxy variables of the environment
 * hold, but never for loopback. The program must ignore SIGPIPE. `user_agent` is copied. */
int http_curl_new(struct http **out, const char *user_agent, struct err *err) MUST_CHECK;

/** Send, with `response` emptied first. */
int http_send(struct http *http, const struct http_request *request, struct http_response *response,
	      struct err *err) MUST_CHECK;

/** Add a header, or replace the one of that name. */
void http_request_header(struct http_request *request, const char *name, const char *value);

/** The first header of that name, in any case; NULL. */
const char *http_response_header(const struct http_response *response, const char *name);

void http_request_free(struct http_request *request);    /* the contents; wipes header values */
void http_response_free(struct http_response *response); /* the contents */
void http_free(struct http *http);
DEFINE_FREEP(struct http, http_free);

#endif

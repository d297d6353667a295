#ifndef SERVICE_SERVER_H
#define SERVICE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "service/reply.h"

/*
 * An HTTP server. All that the service knows of libmicrohttpd is behind this file. Each connection
 * has a thread of its own, so a handler may block: on the writer's commit, or until a deployment
 * ends.
 */

struct server;
struct server_request; /* the library's own, for call_header() and call_query() */

/** Who may call a route. 0 is no right at all: a route that forgets to say is refused at start. */
enum right {
	RIGHT_MISSING,
	RIGHT_OPEN,
	RIGHT_SIGNED,
	RIGHT_READ,
	RIGHT_METRICS,
	RIGHT_REDEPLOY,
	RIGHT_ROLLBACK,
	RIGHT_COUNT
};

struct server_options {
	const char *address;              /* "127.0.0.1:8080", "[::1]:8080"; port 0: any */
	int listen_fd;                    /* > 0: a listening socket to take over instead */
	unsigned connections;             /* 0: 256 */
	unsigned connections_per_address; /* 0: 64; loopback (a proxy) isn't counted */
	int64_t head_seconds; /* from accept, or the last reply, to a whole head; 0: 10 */
	int64_t body_seconds; /* from a head to its whole body, and for sending a reply; 0: 60 */
	/** May this call have that right? Called once the head is there, before any of the body.
	 * Fills a 401 or 403 reply when not. Never called for RIGHT_OPEN and RIGHT_SIGNED. */
	bool (*may)(void *self, const struct server_request *request, enum right right,
		    struct reply *reply);
	void *self;
};

/** One request. It and all it points to live until the handler returns. */
struct call {
	const char *method, *path; /* path percent-decoded, without the query */
	const void *body;          /* NULL when the route takes it in pieces */
	size_t size;
	const struct server_request *request;
	void *state;      /* what begin returned */
	const char *peer; /* numeric address */
};

/** A longer body than body_limit is 413 before it is read; an unknown path 404, a method 405 with
 * Allow. */
struct route {
	const char *method, *path; /* one ending in '/', longer than that, takes all below it */
	enum right right;
	size_t body_limit;
	void *self; /* what its functions get; NULL: what server_start() was given */
	/** Both or neither: the body is handed over as it arrives. begin may refuse by filling the
	 * reply and returning NULL. */
	void *(*begin)(void *self, const struct call *call, struct reply *reply);
	void (*receive)(void *state, const void *bytes, size_t size);
	/** Always called for what begin returned, also when the client went away (then without
	 * handle). */
	void (*end)(void *state);
	void (*handle)(void *self, const struct call *call, struct reply *reply);
};

/** Listen, and call handlers from the connections' threads. The routes must outlive the server. */
int server_start(struct server **out, const struct server_options *options,
		 const struct route *routes, size_t count, void *self, struct err *err) MUST_CHECK;

/** The port it listens on (for port 0). */
int server_port(const struct server *server);

/** The header's value, or NULL. A repeated header that matters was refused before this. */
const char *call_header(const struct server_request *request, const char *name);
/** How often the header is there. */
unsigned call_header_count(const struct server_request *request, const char *name);
/** A query parameter, decoded; NULL. */
const char *call_query(const struct server_request *request, const char *name);

/** How many connections the server of this request has open. */
unsigned call_connections(const struct server_request *request);

/** Has the client gone away, or is the server draining? For handlers that wait. */
bool call_is_over(const struct server_request *request);

/** How many connections are open now. */
unsigned server_connections(const struct server *server);

/** Stop accepting and let open requests end, for at most so many seconds. Streams end at once. */
void server_drain(struct server *server, int64_t seconds);

/** End it: what is still open is cut. NULL is fine. */
void server_stop(struct server *server);

#endif

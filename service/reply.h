#ifndef SERVICE_REPLY_H
#define SERVICE_REPLY_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/** What the handler fills in; the server frees it. */
struct reply {
	int status;
	const char *type; /* a constant: "text/plain; charset=utf-8" */
	struct buf body;
	const char *headers[8][2]; /* more headers; names and values must outlive the call; NULL
				      name ends */
	char retry_after[16];      /* seconds, when not "" */
	char location[120];        /* a path, when not "" */
	/** Streams the body instead (server-sent events): called again and again, appends to *out
	 * and returns 0, or 1 at the end. It blocks for up to a second when there is nothing to
	 * append. `stream_free` ends it. */
	int (*stream)(void *state, struct buf *out);
	void (*stream_free)(void *state);
	void *stream_state;
};

/** Fill in an RFC 9457 problem document. */
void reply_problem(struct reply *reply, int status, const char *title, const char *detail_fmt, ...)
	PRINTF_LIKE(4, 5);

/** The same for a failure: its kind chooses the status. Texts of ERR_SYSTEM aren't shown to the
 * client. */
void reply_error(struct reply *reply, const struct err *err);

/** A JSON body. */
void reply_json(struct reply *reply, int status, const json_t *json);

void reply_free(struct reply *reply); /* its contents */

#endif

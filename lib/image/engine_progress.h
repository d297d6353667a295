#ifndef IMAGE_ENGINE_PROGRESS_H
#define IMAGE_ENGINE_PROGRESS_H

#include "image/engine_call.h"
#include "image/engine_stream.h"

/* What build, pull and push tell while they work: a stream of messages within a 200. */
struct engine_progress {
	struct engine *engine;
	struct json_stream stream;
	struct lines lines; /* of "stream", which comes in pieces of lines */
	char *error;        /* what went wrong; NULL */
	char *id;           /* of the image that was built; may be short; NULL */
	char *digest;       /* of what was pushed; NULL */
};

void engine_progress_begin(struct engine_progress *progress, struct engine *engine);
/** For struct engine_call: `self` is the progress. */
int engine_progress_add(void *self, const void *bytes, size_t size, struct err *err) MUST_CHECK;
/** After the call: -1 when a message was an error (ERR_AUTH, ERR_ABSENT, ERR_CONFLICT,
 * ERR_TRANSIENT where its text says so, else ERR_REMOTE) or the stream was cut off. */
int engine_progress_end(struct engine_progress *progress, struct err *err) MUST_CHECK;
void engine_progress_free(struct engine_progress *progress);

#endif

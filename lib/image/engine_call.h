#ifndef IMAGE_ENGINE_CALL_H
#define IMAGE_ENGINE_CALL_H

#include "base/json.h"
#include "image/engine.h"

/* One exchange with the engine. Private to lib/image. */

struct engine {
	char *socket;
	struct engine_site site;
	int minor; /* of the API's version 1.x that is spoken; 0 before the first call */
};

struct engine_call {
	const char *method;
	const char *path;   /* what stands after the version: "/containers/x/json?…" */
	const json_t *body; /* NULL */
	const char *auth;   /* X-Registry-Auth; NULL */
	int64_t timeout;    /* seconds; 0: 60 */
	bool long_running;  /* site.tick and the time-out end it: ERR_CANCELLED, ERR_LIMIT */
	int64_t limit;      /* bytes of the answer; 0: 16 MiB */
	int file;           /* write the answer's body there, if > 0 */
	const char *type;   /* Content-Type of what body_read gives */
	ssize_t (*body_read)(void *self, void *out, size_t room, struct err *err);
	int (*on_body)(void *self, const void *bytes, size_t size, struct err *err);
	void *self;
};

/** 0 for a 2xx and for 304; else -1 with the engine's own message, *err's code its status. The kind
 * follows the status: 400 ERR_USAGE, 401 and 403 ERR_AUTH, 404 ERR_ABSENT, 409 ERR_CONFLICT, others
 * ERR_REMOTE. `response` may be NULL. */
int engine_call(struct engine *engine, const struct engine_call *call,
		struct http_response *response, struct err *err) MUST_CHECK;

/** GET a JSON text; new reference. */
int engine_get(struct engine *engine, const char *path, json_t **out, struct err *err) MUST_CHECK;

/** POST with or without a JSON body; *out: the answer, new reference; may be NULL. */
int engine_post(struct engine *engine, const char *path, const json_t *body, json_t **out,
		struct err *err) MUST_CHECK;

/** Agree on a version, once. ERR_ABSENT, ERR_AUTH as engine_ping. */
int engine_greet(struct engine *engine, struct err *err) MUST_CHECK;

/** A connection of one's own. ERR_ABSENT, ERR_AUTH as engine_ping. The caller closes. */
int engine_connect(const struct engine *engine, int *fd, struct err *err) MUST_CHECK;

/** Tell whoever follows. */
void engine_say(struct engine *engine, const char *line, size_t size);
void engine_sayf(struct engine *engine, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif

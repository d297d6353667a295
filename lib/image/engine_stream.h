#ifndef IMAGE_ENGINE_STREAM_H
#define IMAGE_ENGINE_STREAM_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/lines.h"

/* What the engine sends piece by piece. The pieces may be cut anywhere. */

/** JSON objects one after the other, with or without space between them. */
struct json_stream {
	/** Each object, borrowed; -1 with *err ends it. */
	int (*got)(void *self, json_t *message, struct err *err);
	void *self;
	struct buf held;
	int depth;
	bool text, escaped; /* within a string, after a backslash in it */
};

void json_stream_begin(struct json_stream *stream,
		       int (*got)(void *self, json_t *message, struct err *err), void *self);
/** ERR_REMOTE for what is no JSON, ERR_LIMIT for an object over 4 MiB. */
int json_stream_add(struct json_stream *stream, const char *bytes, size_t size,
		    struct err *err) MUST_CHECK;
/** ERR_TRANSIENT when it ended within an object. Frees. */
int json_stream_end(struct json_stream *stream, struct err *err) MUST_CHECK;
void json_stream_free(struct json_stream *stream);

/**
 * A container's output: frames of one byte for the stream (1 stdout, 2 stderr), three zeros, four
 * bytes of length, and the bytes.
 * https://docs.docker.com/engine/api/v1.41/#operation/ContainerAttach ("Stream format")
 */
struct log_frames {
	void (*take)(void *self, const char *line, size_t size); /* a line of either stream */
	void *self;
	unsigned char head[8];
	size_t have; /* bytes of the head */
	uint32_t left;
	struct lines out, errors;
};

void log_frames_begin(struct log_frames *frames,
		      void (*take)(void *self, const char *line, size_t size), void *self);
/** ERR_REMOTE for what is no frame. */
int log_frames_add(struct log_frames *frames, const char *bytes, size_t size,
		   struct err *err) MUST_CHECK;
/** Gives out what has no end of line yet, and frees. */
void log_frames_end(struct log_frames *frames);

#endif

#ifndef IMAGE_ENGINE_ATTACH_H
#define IMAGE_ENGINE_ATTACH_H

#include "image/engine_call.h"
#include "image/engine_stream.h"

/**
 * A container's output from its first byte to its last: attached before it is started. (The
 * engine's log, followed, may lack what was written just before the end.) The engine turns the
 * connection into the stream, so it is made here and not by the http client.
 * https://docs.docker.com/engine/api/v1.41/#operation/ContainerAttach
 */
int engine_attach(struct engine *engine, const char *container, int *fd,
		  struct err *err) MUST_CHECK;

/** Read until the container ends. ERR_CANCELLED when site.tick says so, ERR_LIMIT at `deadline`
 * (ticks of the site's clock). */
int engine_attached_read(struct engine *engine, int fd, int64_t deadline, struct log_frames *frames,
			 struct err *err) MUST_CHECK;

#endif

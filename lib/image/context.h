#ifndef IMAGE_CONTEXT_H
#define IMAGE_CONTEXT_H

#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * A build context: a folder as a tar stream, made while it is read, less what .dockerignore leaves
 * out. Patterns as Docker's (Go's filepath.Match, "**", "!" to take back, comments, cleaning):
 * https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
struct context;

/** `dockerfile` relative to the folder, is always sent, and so is .dockerignore. */
int context_open(struct context **out, const char *folder, const char *dockerfile,
		 struct err *err) MUST_CHECK;

/** The next bytes of the tar; 0 at its end. */
ssize_t context_read(struct context *context, void *out, size_t room, struct err *err) MUST_CHECK;

void context_free(struct context *context);
DEFINE_FREEP(struct context, context_free);

#endif

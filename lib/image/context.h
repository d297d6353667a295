#ifndef IMAGE_CONTEXT_H
#define IMAGE_CONTEXT_H

#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * A build context: a folder as a tar stream, made while it is read, less what .dockerignore leaves
 * out (ignore.h). Names in order, so the same folder gives the same bytes; owner 0; symbolic links
 * as links; what is neither file, folder nor link is left out and counted.
 */
struct context;

/** `dockerfile` relative to the folder; it is always sent, and so is .dockerignore. A file
 * <dockerfile>.dockerignore, if there is one, stands for .dockerignore. ERR_USAGE when there is no
 * such Dockerfile, or for a mistake in .dockerignore. */
int context_open(struct context **out, const char *folder, const char *dockerfile,
		 struct err *err) MUST_CHECK;

/** The next bytes of the tar; 0 at its end. ERR_AUTH, ERR_CONFLICT for a file that can't be read,
 * that changed while it was read. */
ssize_t context_read(struct context *context, void *out, size_t room, struct err *err) MUST_CHECK;

/** After its end: a line about what was left out though nobody asked for it; NULL for nothing. */
const char *context_note(struct context *context);
void context_free(struct context *context);
DEFINE_FREEP(struct context, context_free);

#endif

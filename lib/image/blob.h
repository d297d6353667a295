#ifndef IMAGE_BLOB_H
#define IMAGE_BLOB_H

#include "image/talk.h"

/** Bytes to have in the repository. */
struct blob {
	const char *digest;
	int64_t size;
	const void *bytes; /* or else: */
	int fd;
	int64_t offset;
};

enum blob_way { BLOB_THERE, BLOB_MOUNTED, BLOB_SENT };

/**
 * See to it that the repository has it: not sent when it is there, mounted when another of
 * registry->from has it, else uploaded, all in one request (or pieces, when the registry takes no
 * longer ones); after a lost connection from where the registry says it is, or from the start when
 * it can't say. *way says which, also NULL. Errors as registry_push's.
 */
int blob_put(struct talk *talk, const struct blob *blob, enum blob_way *way,
	     struct err *err) MUST_CHECK;

#endif

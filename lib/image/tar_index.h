#ifndef IMAGE_TAR_INDEX_H
#define IMAGE_TAR_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/*
 * Where the files of a tar lie (ustar, GNU and pax: POSIX.1-2008 pax, "ustar Interchange Format"),
 * so that they can be read in place, with nothing unpacked.
 */
struct tar_index;

struct tar_entry {
	int64_t offset, size; /* of its bytes in the tar */
};

/** Read the headers of the tar in the open file, which must be one that can be read at any place.
 * The descriptor is borrowed. ERR_USAGE when it isn't a tar, is cut off, holds sparse files, or
 * over 100,000 entries. */
int tar_index_new(struct tar_index **out, int fd, struct err *err) MUST_CHECK;
void tar_index_free(struct tar_index *index);
DEFINE_FREEP(struct tar_index, tar_index_free);

/** The file of that name ("a/b"; a leading "./" makes no difference), links within the tar
 * followed, the last one when there are several. False: there is none. */
bool tar_index_find(const struct tar_index *index, const char *name, struct tar_entry *out);

/** Append the whole of it. ERR_ABSENT; ERR_LIMIT when it is longer than out allows. */
int tar_index_read(const struct tar_index *index, const char *name, struct buf *out,
		   struct err *err) MUST_CHECK;

#endif

#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/** Close at the end of the block: cleanup(file_close_at) int fd = -1; */
void file_close_at(int *fd);

/** The descriptor, leaving -1 behind: take() for one that is cleaned up. */
static inline int file_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/** Read all of it, up to out's limit (longer: ERR_LIMIT; missing: ERR_ABSENT). */
int file_read(const char *path, struct buf *out, struct err *err) MUST_CHECK;

/** Replace the file in one step: temporary file beside it, fsync, rename, fsync of the folder. */
int file_write(const char *path, const void *bytes, size_t size, mode_t mode,
	       struct err *err) MUST_CHECK;

/** mkdir -p. Folders that it makes get `mode`. */
int file_make_dirs(const char *path, mode_t mode, struct err *err) MUST_CHECK;

/** rm -rf, also through read-only folders; never follows a link; missing is fine. */
int file_remove_tree(const char *path, struct err *err) MUST_CHECK;

/** Copy a folder's contents (files, folders, links as links; modes kept). `skip`: names at its top
 * level left out, NULL-ended, may be NULL. */
int file_copy_tree(const char *from, const char *to, const char *const *skip,
		   struct err *err) MUST_CHECK;

/** Is there anything of that name (a dangling link isn't)? */
bool file_exists(const char *path);

/** Open below `dir` without ever leaving it or following a link out of it (openat2
 * RESOLVE_BENEATH). Returns a descriptor (O_CLOEXEC), or -1 with *err. */
int file_open_beneath(const char *dir, const char *path, int flags, mode_t mode, struct err *err);

/** Take an exclusive lock on the file (made if missing). `wait`: block until it is free. Returns a
 * descriptor whose closing lets go; -1 with *err, ERR_CONFLICT when it's held and !wait. */
int file_lock(const char *path, bool wait, struct err *err);

/** a/b; the caller frees. An absolute b is returned as it is. */
char *file_join(const char *a, const char *b);

/** Is it readable or writable by group or others? (A warning about secrets' files.) */
bool file_is_exposed(const char *path);

#endif

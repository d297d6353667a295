#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/err.h"

/** Read when it's needed, by the process that may have it. */
struct secret {
	const char *text; /* given in place; NULL otherwise */
	const char *file; /* absolute path; NULL otherwise */
};

/** The secret's bytes without one trailing newline; the caller wipes and frees. ERR_USAGE when it
 * is empty, holds a NUL or isn't a regular file, ERR_ABSENT when its file is missing, ERR_LIMIT
 * over 64 KiB. */
int secret_read(const struct secret *secret, char **out, struct err *err) MUST_CHECK;

#endif

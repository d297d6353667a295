#ifndef BASE_MISTAKES_H
#define BASE_MISTAKES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"

/**
 * Every mistake in one file, not only the first: "slipway.yml:12:7: no such setting 'servce'; did
 * you mean 'service'?", a line each.
 */
struct mistakes {
	const char *file;               /* as a person named it */
	const struct yaml_marks *marks; /* NULL: no positions */
	struct buf text;
	unsigned count;
};

#define MISTAKES_INIT(name)                                 \
	{                                                   \
		.file = (name), .text = BUF_INIT(64 * 1024) \
	}

/** Add one about the value at `path` ("/services/shop/build"). */
void mistakes_add(struct mistakes *mistakes, const char *path, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/** The same about the key itself. */
void mistakes_add_key(struct mistakes *mistakes, const char *path, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/** The same at a line and column (from 1; 0: the file as a whole). */
void mistakes_add_at(struct mistakes *mistakes, unsigned line, unsigned column, const char *fmt,
		     ...) PRINTF_LIKE(4, 5);

/** 0 when there is none; or -1 with the first in *err (ERR_USAGE, "… and 3 more mistakes"). */
int mistakes_result(const struct mistakes *mistakes, struct err *err) MUST_CHECK;

void mistakes_free(struct mistakes *mistakes); /* the contents; for cleanup(mistakes_free) */

#endif

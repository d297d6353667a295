#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stddef.h>

#include "base/buf.h"

/** A line longer than this comes in pieces. */
#define LINES_LONGEST 65536

/** Cuts bytes that arrive in pieces into lines. NULs stay; '\n' and a '\r' before it don't. */
struct lines {
	void (*take)(void *self, const char *line, size_t size); /* the bytes are NUL-terminated */
	void *self;
	struct buf held;
};

/** Begin; add pieces; end. take() is called for each line once its end was seen. */
void lines_begin(struct lines *lines, void (*take)(void *self, const char *line, size_t size),
		 void *self);
void lines_add(struct lines *lines, const char *bytes, size_t size);

/** Gives out a last line that had no end, and frees. */
void lines_end(struct lines *lines);

#endif

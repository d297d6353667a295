#ifndef ACTION_COMMIT_H
#define ACTION_COMMIT_H

#include <stdbool.h>

#include "base/mem.h"

/* Which commit a folder stands at. */
struct commit {
	const char *id; /* in the arena; a random one when the folder isn't a git checkout */
	bool known;     /* it is git's */
	bool dirty;     /* the folder differs from it */
};

/** Ask git. Never fails: a folder that git won't speak about has no known commit. */
void commit_of(struct commit *out, const char *folder, struct arena *arena);

/** The same from the files in .git of the folder or of one above it, up to `top` (absolute),
 * without running git; whether it is dirty isn't found out. NULL: it can't be told. In the arena.
 */
const char *commit_head(const char *folder, const char *top, struct arena *arena);

#endif

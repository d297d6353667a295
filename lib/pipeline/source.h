#ifndef PIPELINE_SOURCE_H
#define PIPELINE_SOURCE_H

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/mem.h"

enum relation {
	RELATION_UNKNOWN,
	RELATION_SAME,
	RELATION_AHEAD,
	RELATION_BEHIND,
	RELATION_DIVERGED
};

struct source_tick {
	int (*tick)(void *self); /* as in struct child; may be NULL */
	void *self;
};

/** Where a repository's code comes from. */
struct source {
	/** Put the whole tree at the commit into `folder`, which is new and empty. */
	int (*fetch)(struct source *source, const char *commit, const char *folder,
		     const struct source_tick *tick, struct err *err);
	/** The commit that a ref stands for; in the arena. */
	int (*resolve)(struct source *source, const char *ref, struct arena *arena,
		       const char **commit, struct err *err);
	/** One file's text at the commit; ERR_ABSENT when there is none. */
	int (*read)(struct source *source, const char *commit, const char *path, struct buf *out,
		    struct err *err);
	/** How head stands to base, and the files that differ (NULL-ended, in the arena; NULL:
	 * unknown). `base` NULL: against its first parent. */
	int (*compare)(struct source *source, const char *base, const char *head,
		       struct arena *arena, enum relation *relation, const char *const **files,
		       struct err *err);
	void (*free)(struct source *source);
};

void source_free(struct source *source); /* NULL is fine */
DEFINE_FREEP(struct source, source_free);

/** A folder as it stands (without .git): `slipway deploy` by hand. Only fetch works; commits aren't
 * looked at. */
struct source *source_folder_new(const char *folder);

/**
 * Any URL or path, through the git program. `cache`: a folder for its objects. `user` and
 * `password` may be NULL; they go to git through its environment, never its command line or a file.
 */
struct source *source_git_new(const char *url, const char *cache, const char *user,
			      const char *password);

#endif

#ifndef ACTION_OWNERSHIP_H
#define ACTION_OWNERSHIP_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Whose files are. The action's container is root, and what root leaves in a workspace breaks the
 * steps after it and the runner's own tidying up.
 */
struct ownership {
	uid_t uid;
	gid_t gid;
	int64_t since; /* seconds since 1970: only what changed then or later; 0: everything */
};

/**
 * Give a folder and all in it to that user; its folders become usable by their owner again. No link
 * is followed, no other file system is entered, and a file that has names outside of the folder is
 * left alone. What can't be changed is passed over: returns how many were changed.
 */
unsigned ownership_give(const char *folder, const struct ownership *ownership);

#endif

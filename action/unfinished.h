#ifndef ACTION_UNFINISHED_H
#define ACTION_UNFINISHED_H

#include "pipeline/pipeline.h"

/*
 * What the post step must know of a deployment that is under way, in <data>/unfinished.json; the
 * folder itself is told to it through GITHUB_STATE. Written before each step, so it is right
 * whenever the action is killed.
 */
struct unfinished {
	const char *service, *environment, *commit, *config;
	const char *work, *job; /* as in struct plan */
	int64_t fence;
	bool revive;
	enum step step; /* that was under way, or comes next */
	struct progress progress;
	int64_t deployment; /* GitHub's; 0: none */
};

/** Replace what is there. */
int unfinished_write(const char *data, const struct unfinished *unfinished,
		     struct err *err) MUST_CHECK;

enum { UNFINISHED_NONE = 1 };
/** In the arena. UNFINISHED_NONE: everything ended in order. */
int unfinished_read(struct unfinished *out, const char *data, struct arena *arena,
		    struct err *err) MUST_CHECK;

/** It ended. */
void unfinished_forget(const char *data);

#endif

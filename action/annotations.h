#ifndef ACTION_ANNOTATIONS_H
#define ACTION_ANNOTATIONS_H

#include "action/workflow.h"

/*
 * Finds, in what tools print, the places in files that they complain about, and shows them at those
 * lines. GitHub shows ten of a kind per step, so at most nine of each are printed; the rest are
 * counted in the ninth ("… and 23 more").
 * Understood are gcc and clang, go, rustc, tsc, node, Python's and pytest's, and whatever writes
 * file:line[:column]: message; only files that are there count.
 */
struct annotations;

struct annotations_options {
	const char *workspace; /* absolute */
	/** Is there such a file in the workspace? NULL: look. */
	bool (*exists)(void *self, const char *path);
	void *self;
};

/** Copies the options; their strings stay the caller's. */
struct annotations *annotations_new(const struct annotations_options *options);
void annotations_free(struct annotations *annotations);
DEFINE_FREEP(struct annotations, annotations_free);

/** From here on the lines come from a tool that runs in `folder`/`path` (absolute; relative), and
 * the folder is a copy of `root` in the workspace ("." or "apps"). */
void annotations_from(struct annotations *annotations, const char *folder, const char *root,
		      const char *path);

/** A line of the step under way. */
void annotations_line(struct annotations *annotations, const char *line, size_t size);

/** The step ended. Places that no tool called an error or a warning count only if it failed. */
void annotations_step(struct annotations *annotations, bool failed);

/** One of our own; what there is no room for is counted, oldest first. */
void annotations_add(struct annotations *annotations, const struct workflow_annotation *own);

/** Print them all, once. */
void annotations_print(struct annotations *annotations, struct workflow *workflow);

#endif

#ifndef ACTION_WATCHER_H
#define ACTION_WATCHER_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "pipeline/pipeline.h"

/*
 * Shows a deployment to a person: on a terminal one line for the step under way (how long it has
 * run, and its last line of output) and one for each that ended, with the output of the one that
 * failed; elsewhere every line as it comes. Control characters of the output never reach the
 * terminal.
 */
struct watcher;

struct watcher_options {
	FILE *out;
	struct clock *clock;
	bool terminal, colour;
	int columns;                       /* of the terminal; 0: ask it */
	const volatile sig_atomic_t *stop; /* 1: cancel; 2: leave at once, after killing … */
	const char *job;                   /* … what is marked so */
};

struct watcher *watcher_new(const struct watcher_options *options);
struct observer *watcher_observer(struct watcher *watcher);
void watcher_free(struct watcher *watcher); /* leaves the cursor at the start of a line */
DEFINE_FREEP(struct watcher, watcher_free);

#endif

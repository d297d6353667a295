#ifndef TARGET_AWS_NOTE_H
#define TARGET_AWS_NOTE_H

#include <jansson.h>

#include "target/target.h"

/*
 * What a deployment to AWS writes down in Slipway's own folder, one file for each app: which claim
 * came last, and what it asked AWS for. It outlives a worker that is killed between its request and
 * the answer. Where the folder doesn't last (a job of GitHub's) it is empty each time.
 */

/** Make ours the newest claim. ERR_CONFLICT: a newer one has been here. A folder that can't be
 * written is said, once, and is no failure. */
int note_claim(struct deploy *deploy, struct err *err) MUST_CHECK;

/** What this deployment (the same key) noted, in the folder or else in deploy->memo; an empty
 * object when nothing. New reference. */
json_t *note_read(const struct deploy *deploy);

/** Note it, in both. A folder that can't be written is said, and is no failure. */
void note_write(struct deploy *deploy, json_t *note);

/** Set a text of it; NULL takes it out. */
void note_set(json_t *note, const char *name, const char *value);

#endif

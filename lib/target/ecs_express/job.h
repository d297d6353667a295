#ifndef TARGET_ECS_EXPRESS_JOB_H
#define TARGET_ECS_EXPRESS_JOB_H

#include "cloud/aws/aws.h"
#include "target/ecs_express/settings.h"
#include "target/target.h"

/* One call of the pipeline's at work on one service: what its parts share. */
struct express {
	struct deploy *deploy;
	const struct express_settings *settings;
	const struct site *site;
	struct arena *arena;
	struct aws *aws; /* borrowed */
	const char *name, *cluster;
	const char *arn; /* where the service is or will be; NULL until express_find() */

	json_t *service; /* as it was last described; NULL: there is none */

	/*
	 * What must be known after a crash, in deploy->memo and in the note (aws/note.h):
	 *   arn, cluster
	 *   seen        publish has looked at what was there before
	 *   image, digest
	 *   previous    the shape (shape.h) that was live before; absent: nothing was
	 *   before      the newest deployment before we sent anything; "" when there was none
	 *   sent        "create", "update": what we asked for
	 *   lost        its answer never came
	 *   revision    the revision that ECS made of it
	 *   deployment  the deployment that brings it
	 *   status      how that ended
	 *   undoing     all that is about the way back now
	 */
	json_t *memo;

	int64_t deadline;      /* ticks */
	int64_t busy_deadline; /* ticks; 0: it was never busy */
	bool odd_said;         /* an unknown state was said */
	unsigned looks;        /* for the pauses between them */
	unsigned refusals;     /* of a role that is too new */
};

/** Make ours the newest claim, log in, recall the memo. */
int express_open(struct express *job, struct deploy *deploy, struct err *err) MUST_CHECK;
void express_close(struct express *job); /* the contents; for cleanup(express_close) */

/** Keep the memo: for a later step, and for whoever comes after a crash. */
void express_save(struct express *job);

/** A text of the memo; NULL. */
const char *express_recall(const struct express *job, const char *name);
void express_note(struct express *job, const char *name, const char *value); /* NULL forgets it */

/** So many seconds from now, in ticks. */
int64_t express_later(const struct express *job, int64_t seconds);

/** Wait a while before the next look. ERR_LIMIT at the deadline, ERR_CANCELLED. */
int express_pause(struct express *job, int64_t deadline, struct err *err) MUST_CHECK;

/** Fill the facts and the URL from what was described. */
void express_facts(struct express *job);

/** Link to the service in AWS's console. */
const char *express_console(const struct express *job);

/** The same call failed: say how it left things. Returns -1. */
int express_ends(struct express *job, enum ending ending);

#define express_say(job, ...) (job)->site->say((job)->site->self, __VA_ARGS__)

#endif

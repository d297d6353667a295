#ifndef TARGET_APP_RUNNER_JOB_H
#define TARGET_APP_RUNNER_JOB_H

#include "cloud/aws/aws.h"
#include "target/app_runner/settings.h"
#include "target/target.h"

/* One call of the pipeline's at work on one service: what its parts share. */
struct job {
	struct deploy *deploy;
	const struct app_runner_settings *settings;
	const struct site *site;
	struct arena *arena;
	struct aws *aws;  /* borrowed */
	const char *name; /* the service's */

	json_t *service; /* as it was last described; NULL: there is none */
	const char *arn; /* NULL: there is none, or it isn't known yet */

	/*
	 * What must be known after a crash, in deploy->memo and in the note (aws/note.h):
	 *   arn, image (as App Runner is told it), stored (with its digest), scaling, digest
	 *   previous  the shape that was live before; absent: nothing was
	 *   before    the newest operation before we sent anything; "" when there was none
	 *   sent      the type of the operation that we asked for
	 *   lost      its answer never came
	 *   operation its id
	 *   status    how it ended
	 *   auto      App Runner may have begun to deploy by itself when we pushed
	 */
	json_t *memo;

	int64_t deadline;      /* ticks; for all of shift */
	int64_t busy_deadline; /* ticks; 0: it was never busy */
	bool resumed;          /* we asked it to resume */
	bool recreate;         /* its rebuild was refused */
	bool odd_said;         /* an unknown state was said */
	unsigned looks;        /* for the pauses between them */
	unsigned refusals;     /* of an access role that is too new */
};

/** Make ours the newest claim, log in, recall the memo. */
int job_open(struct job *job, struct deploy *deploy, struct err *err) MUST_CHECK;
void job_close(struct job *job); /* the contents; for cleanup(job_close) */

/** Keep the memo: for a later step, and for whoever comes after a crash. */
void job_save(struct job *job);

/** A text of the memo; NULL. */
const char *job_recall(const struct job *job, const char *name);
void job_note(struct job *job, const char *name, const char *value); /* NULL forgets it */

/** Wait a while before the next look. ERR_LIMIT at the deadline, ERR_CANCELLED. */
int job_pause(struct job *job, int64_t deadline, struct err *err) MUST_CHECK;

/** Fill the facts and the URL from what was described. */
void job_facts(struct job *job);

/** Link to the service in AWS's console. */
const char *job_console(const struct job *job);

/** The same call failed: say how it left things. Returns -1. */
int job_ends(struct job *job, enum ending ending);

#define job_say(job, ...) (job)->site->say((job)->site->self, __VA_ARGS__)

#endif

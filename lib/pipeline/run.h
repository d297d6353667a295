#ifndef PIPELINE_RUN_H
#define PIPELINE_RUN_H

#include <stdbool.h>

#include "pipeline/pipeline.h"

struct output;

/* One plan under way: what the steps share. Private to lib/pipeline. */

struct run {
	const struct plan *plan;
	struct world *world;
	struct arena *arena;

	enum step step; /* the one under way; STEP_DONE or STEP_FAILED at the end */
	int stop;     /* the worst that the observer asked for: 0, OBSERVER_CANCEL, OBSERVER_LOST */
	bool ready;   /* run_check went well: what follows is set */
	bool touched; /* publish has begun, now or in an earlier try: a failure is rolled back */

	const struct project_service *service;
	const struct project_environment *environment;
	const char *const *child_env;   /* of build and test */
	const char *const *release_env; /* the same and the secrets */
	const char *folder;             /* the checkout; NULL before FETCH */
	struct app app;
	struct artifact artifact;
	struct engine *engine;   /* NULL: none may be used */
	struct output *speaking; /* who gets what the engine says; NULL: told as it is */
	struct site site;
	struct deploy deploy;

	enum step failed;   /* the step that failed … */
	struct err failure; /* … and why; kind ERR_NONE while nothing failed */
	enum ending ending; /* … and how it left things */
	struct err undone;  /* why the rollback failed; kind ERR_NONE when it didn't */
};

/** Set what is known before anything is read; the redactor learns the plan's secrets. */
void run_begin(struct run *run, const struct plan *plan, const struct progress *saved,
	       int64_t fence, struct world *world, struct arena *arena);

/** Free what isn't in the arena. */
void run_end(struct run *run);

/** Find service, environment and target, gather the secrets, and check what can be checked without
 * touching anything. Reads slipway.yml through the source when the plan has no project. Does its
 * work once. */
int run_check(struct run *run, struct err *err) MUST_CHECK;

/** Set the checkout, and with it the folder that publish ships; it must be inside the checkout. */
int run_set_folder(struct run *run, const char *folder, struct err *err) MUST_CHECK;

/** Tell the observer: redacted, a line at a time. */
void run_say(void *self, const char *fmt, ...) PRINTF_LIKE(2, 3);
void run_say_lines(struct run *run, const char *text, size_t size);

/** Not 0: stop. A rollback, and tidying up after success, stop only when the deployment is lost. */
int run_tick(void *self);

/** Marks are small files in plan->work that tell a later try what this one had begun. */
int run_mark(const struct run *run, const char *name, const char *text, struct err *err) MUST_CHECK;
bool run_marked(const struct run *run, const char *name);

/** The failure, and run->ending, kept for a later try that resumes in ROLLBACK or at the end.
 * `name`: "failure", "undone". */
int run_keep_failure(const struct run *run, const char *name, enum step step,
		     const struct err *failure, struct err *err) MUST_CHECK;
/** False when there is none. */
bool run_recall_failure(struct run *run, const char *name, enum step *step, struct err *failure);

/** Run a command of the project in the service's folder, its output told line by line. */
int run_command(struct run *run, const char *const *argv, const char *const *env, int64_t timeout,
		struct err *err) MUST_CHECK;

/** Does its build make an image, with the engine? */
bool run_makes_image(const struct run *run);

/** ERR_USAGE when an image has to be built and there is no engine to do it. */
int run_check_engine(const struct run *run, struct err *err) MUST_CHECK;

/** Build the service's image: artifact.image. */
int run_build_image(struct run *run, struct err *err) MUST_CHECK;

enum {
	IMAGE_WORKSPACE = 1
}; /* with the checkout, as the user who owns it, where that can be done */

/** Run a command of the project in a container of artifact.image, its output told line by line. The
 * container is gone when this returns. */
int run_in_image(struct run *run, const struct project_command *command, const char *const *env,
		 int flags, struct err *err) MUST_CHECK;

/** Remove the containers that such a command of this job left, also under an earlier worker. */
void run_remove_containers(struct run *run);

/** Is the image that an earlier try built gone from the engine? */
bool run_image_is_gone(const struct run *run);

/** What the engine says, and its tick: `self` is the run. */
void run_engine_say(void *self, const char *line, size_t size);
int run_engine_tick(void *self);

/** argv as a person would type it, redacted, cut at 120 bytes; a shell script is shown without its
 * shell. In the arena. */
const char *run_command_text(const struct run *run, const char *const *argv);

#endif

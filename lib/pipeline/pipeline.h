#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "base/redact.h"
#include "pipeline/project.h"
#include "pipeline/source.h"
#include "target/target.h"

enum step {
	STEP_FETCH,
	STEP_BUILD,
	STEP_TEST,
	STEP_RELEASE,
	STEP_PUBLISH,
	STEP_SHIFT,
	STEP_VERIFY,
	STEP_ROLLBACK,
	STEP_RETIRE,
	STEP_DONE,   /* live */
	STEP_FAILED, /* not live */
	STEP_COUNT
};

/** How a run ended. Maps to exit codes and to the states of the API. */
enum outcome {
	OUTCOME_LIVE,        /* 0 succeeded */
	OUTCOME_FAILED,      /* 1 failed: nothing was switched */
	OUTCOME_ROLLED_BACK, /* 1 rolled_back: the version before serves again (or nothing, if there
				was none) */
	OUTCOME_USAGE,       /* 2 failed: the settings are wrong, nothing was touched */
	OUTCOME_UNKNOWN,     /* 3 failed: time ran out or the rollback failed, state unknown */
	OUTCOME_CANCELLED,   /* 4 cancelled */
	OUTCOME_SUPERSEDED,  /* 5 superseded */
	OUTCOME_LOST,        /* the deployment is another worker's now: say and store nothing */
	OUTCOME_COUNT
};

/** What to do: all that a deployment is made of, before anything has happened. */
struct plan {
	const struct project *project; /* NULL until FETCH has read it, in the service */
	const char *repository;        /* NULL by hand */
	const char *service, *environment;
	const char *commit, *ref;
	bool revive;         /* a rollback: no fetch, build, test or release */
	const char *version; /* revive: which; NULL: the last good one before the live one */
	const char *config;  /* path of slipway.yml within the source: "slipway.yml" */
	const struct field_pair *secrets; /* values that this deployment may have, by name */
	const char *work;    /* folder of this deployment's own, absolute: HOME, TMPDIR, marks */
	const char *abandon; /* don't try the step to go on with: it fails with this; or NULL */
	/** "SLIPWAY_JOB=…#17": marks its children; the same for every try. What stands after the
	 * last '#' is the deployment's key, which names its version. */
	const char *job;
};

/** What is kept between steps, so that another worker can go on: a JSON text. */
struct progress {
	const char *version, *previous, *url, *memo, *folder;
	const char *target; /* its name, once FETCH has read the project */
	const char *built;  /* the engine's id of the image that BUILD made; NULL */
	const char *image;  /* what was published; NULL */
	const char *facts;  /* the target's, a JSON object; NULL */
};

/** Who is told. action/ prints, service/ writes the store. */
struct observer {
	void (*began)(struct observer *observer, enum step step);
	/** A line, already redacted. */
	void (*said)(struct observer *observer, enum step step, const char *line, size_t size);
	/** Called before the next step begins; a durable observer has stored it when this returns
	 * 0. >0: the deployment is another worker's now. */
	int (*ended)(struct observer *observer, enum step step, enum step next,
		     const struct progress *progress, struct err *err);
	/** At least twice a second. Not 0: stop (OBSERVER_CANCEL, OBSERVER_LOST). */
	int (*alive)(struct observer *observer);
	/** A secret, before anything could show it: mask it where lines go. May be NULL. */
	void (*secret)(struct observer *observer, const char *secret);
};
enum { OBSERVER_CANCEL = 1, OBSERVER_LOST = 2 };

/** What a run needs from outside, so that a test can give it something else. */
struct world {
	struct http *http;
	struct clock *clock;
	struct source *source;
	struct observer *observer;
	struct redactor *redactor;
	const char *data;       /* see struct site */
	const char *path;       /* PATH of build and test children */
	const char *docker;     /* the engine's socket; NULL: none may be used */
	const char *const *env; /* see struct site */
	/** See struct site; NULL: none to be had. */
	int (*id_token)(void *self, const char *audience, char **token, struct err *err);
	void *id_token_self;
	/** Words before such a child's own: "launcher… --show FOLDER… -- program argument…",
	 * where the folders are all of ours that it may have. NULL: none. */
	const char *const *launcher;
};

struct result {
	enum outcome outcome;
	enum step failed;         /* the step that failed; STEP_DONE when live */
	struct progress progress; /* in the arena */
	struct err err;           /* why not live; kind ERR_NONE when live */
};

/**
 * Run the plan from `first` (STEP_FETCH, or where a dead worker left it, with `saved` as it was
 * last stored, NULL for none). Never fails itself: *result says how it went, after any rollback.
 */
void pipeline_run(const struct plan *plan, enum step first, const struct progress *saved,
		  int64_t fence, struct world *world, struct arena *arena, struct result *result);

/** What would be done, a line each; reads only. plan->project must be set; the world needs no
 * source and no observer. */
int pipeline_explain(const struct plan *plan, struct world *world, struct buf *out,
		     struct err *err) MUST_CHECK;

const char *step_name(enum step step);           /* "build" */
int step_find(const char *name);                 /* -1 when there is none */
const char *outcome_state(enum outcome outcome); /* "succeeded", … as in the API */
int outcome_exit(enum outcome outcome);

#endif

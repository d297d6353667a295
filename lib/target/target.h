#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fields.h"
#include "base/mem.h"
#include "image/engine.h"
#include "net/http.h"

/** What to look at to know that a version serves. */
struct health {
	const char *path; /* "/healthz" */
	int64_t status;   /* 200 */
	int64_t timeout;  /* seconds until it must have answered so */
	int64_t settle;   /* seconds that it must go on answering after the switch */
};

/** The app, as the project file and the server's secrets describe it. */
struct app {
	const char *repository, *service,
		*environment;       /* repository NULL: deployed by hand from a folder */
	const char *const *start;   /* argv; NULL when the image knows */
	const char *const *env;     /* "NAME=value", NULL-ended, secrets included */
	const char *const *secrets; /* which of them are secrets: names, NULL-ended; or NULL */
	const struct health *health;
	bool image; /* its build makes an image */
};

/** What build made and publish ships: a folder, an image reference with its digest, or both. */
struct artifact {
	const char *folder; /* the built checkout of the service */
	const char *image; /* the engine's id of the built one, "sha256:…"; NULL if there is none */
	const char *commit;
};

enum probe {
	PROBE_WAITING, /* look again */
	PROBE_GOOD,    /* our version was seen serving */
	PROBE_BAD      /* it won't come: the reason is in *err */
};

/** How a call that failed left things. */
enum ending {
	ENDING_OPEN,       /* rollback() finds out, and gives the traffic back */
	ENDING_AS_BEFORE,  /* nothing went live, and there is nothing to take back */
	ENDING_REVERTED,   /* the platform went back by itself to what was live before */
	ENDING_GOES_ON,    /* we look no longer, the platform works on: nobody knows the end */
	ENDING_SUPERSEDED, /* somebody else's newer version is live, or on its way */
};

/** What a target may use of the world outside. */
struct site {
	const char *data; /* a folder of Slipway's own that outlives the deployment, absolute */
	struct http *http;
	struct clock *clock;
	struct engine *engine;  /* where images are built; NULL: there is none */
	const char *const *env; /* "NAME=value": what clouds may look up; NULL: nothing */
	/** GitHub's OIDC token for an audience, new each time; the caller frees. NULL: none to be
	 * had here. */
	int (*id_token)(void *self, const char *audience, char **token, struct err *err);
	/** It must not appear in any log from now on. May be NULL. */
	void (*mask)(void *self, const char *secret);
	/** Tell whoever follows the deployment. */
	void (*say)(void *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
	/** Not 0: stop waiting, we are cancelled or the deployment isn't ours any more. */
	int (*tick)(void *self);
	void *self;
};

/** One deployment under way. The pipeline fills the first half, the target the second. */
struct deploy {
	const struct app *app;
	const void *settings; /* of the target's own table */
	struct artifact *artifact;
	const char *key; /* the same for every try of this deployment: name things by it */
	int64_t fence;   /* grows with every claim: an older one must not change what's live */
	const struct site *site;
	struct arena *arena;

	const char *version;  /* set by publish (or named by a rollback, for revive) */
	const char *previous; /* set by publish: what was live before; NULL if nothing */
	const char *url;      /* set by publish or shift */
	const char *memo;     /* whatever the target must know again after a crash; may be NULL */
	const char *image;    /* what was published, "registry/name@sha256:…"; NULL */
	json_t *facts;        /* names and texts for the outputs ("service-arn"); target_fact() */

	enum ending ending;         /* set by a call that failed; not OPEN: rollback isn't called */
	void *held;                 /* what the target keeps between calls (a login), and … */
	void (*let_go)(void *held); /* … how it is freed; whoever made the deploy calls it. NULL */
};

/**
 * A place to deploy to. The pipeline calls check, folder, publish (or revive), then shift, then
 * probe until it is good, then retire; when that ends badly after publish began, rollback. A worker
 * may die between (or within) any two calls: each must be safe to make again with the same key.
 */
struct target {
	const char *name; /* "server" */
	const char *summary;
	const struct field *fields;
	size_t settings_size;
	bool here; /* it serves from the machine that it is called on */

	/** What the table can't say about settings and app. No network. May be NULL. */
	int (*check)(const void *settings, const struct app *app, struct err *err);

	/** Could it work here: are its programs there, can it use the data folder? Reads only;
	 * called before a deployment begins. May be NULL. */
	int (*ready)(const struct site *site, struct err *err);

	/** Where the checkout should be made, when the target serves from it; NULL (or a NULL
	 * member): a passing folder of the pipeline's. In deploy->arena. */
	const char *(*folder)(const struct deploy *deploy);

	/** Make the artifact a version that takes no traffic yet (or as little as the platform
	 * allows), and wait until it is healthy where that can be seen before traffic. */
	int (*publish)(struct deploy *deploy, struct err *err);

	/** The same for deploy->version, which was good once; NULL version: the last good one
	 * before the live one. ERR_ABSENT when it is gone. May be NULL. */
	int (*revive)(struct deploy *deploy, struct err *err);

	/** Give that version the traffic. */
	int (*shift)(struct deploy *deploy, struct err *err);

	/** Look once. PROBE_GOOD only when our own version, not the one before it, was seen
	 * serving. */
	int (*probe)(struct deploy *deploy, enum probe *probe, struct err *err);

	/** Give the traffic back to `previous` (to nothing when it's NULL) and stop ours. Also
	 * right after a publish that failed half-way. */
	int (*rollback)(struct deploy *deploy, struct err *err);

	/** Our version is good now: remember that, and remove what no rollback needs. May be NULL.
	 */
	int (*retire)(struct deploy *deploy, struct err *err);

	/** The last lines that the version logged, for a failure's report. May be NULL. */
	int (*logs)(struct deploy *deploy, struct buf *out, struct err *err);

	/** What would be done, a line each; reads only. May be NULL. */
	int (*plan)(const struct deploy *deploy, struct buf *out, struct err *err);

	/** Bring back everything that should be live and isn't; cheap when all is well. May be
	 * NULL. */
	int (*restore)(const struct site *site, struct err *err);

	/** Stop all that restore would bring back, without forgetting it. May be NULL. */
	int (*down)(const struct site *site, struct err *err);
};

extern const struct target *const targets[]; /* NULL ends it: registry.c */

/** Add to deploy->facts, or replace. */
void target_fact(struct deploy *deploy, const char *name, const char *value);

/** Free what the target kept between the calls of this deployment. */
void target_let_go(struct deploy *deploy);

/** The target of that name, or NULL. */
const struct target *target_find(const char *name);

#endif

#ifndef TARGET_SERVER_RELEASE_H
#define TARGET_SERVER_RELEASE_H

#include "base/err.h"
#include "target/server/place.h"
#include "target/server/slot.h"
#include "target/server/state.h"

/* A version on disk: its folder, and how it is started. */

struct release {
	const char *folder;       /* where its process starts */
	const char *const *start; /* argv; NULL: the image's own */
	const char *const *env;   /* "NAME=value" */
	const char *image;        /* the engine's name of it; NULL: a process */
	const char *limits;       /* of a container: "port memory cpus pids confined" */
};

/** The name of the version that this deployment makes: the commit's first 12 digits and the key. */
const char *release_version(const struct deploy *deploy);

/** A version by that name can be a file's name. */
bool release_is_version(const char *text);

/**
 * Have the artifact in the release's folder (copied there unless the checkout was made there) and
 * note how it is started. *out lives in the place's arena.
 */
int release_make(struct release *out, const struct place *place, const char *version,
		 const struct deploy *deploy, struct err *err) MUST_CHECK;

/** Fill in what only a container has. */
void release_limits(const struct release *release, struct slot_command *command);

/** Note how it is started, from now on. */
int release_note(const struct release *release, const struct place *place, const char *version,
		 struct err *err) MUST_CHECK;

/** What was noted. ERR_ABSENT when the version is gone. */
int release_load(struct release *out, const struct place *place, const char *version,
		 struct err *err) MUST_CHECK;

/** Remove its folder and how it is started; its log only if `log`. */
int release_remove(const struct place *place, const char *version, bool log,
		   struct err *err) MUST_CHECK;

/** Remove a version (but not its log) unless the state names it. Fine when it isn't there. */
int release_forget(const struct place *place, const struct state *state, const char *version,
		   struct err *err) MUST_CHECK;

/** Remove what none of the state's lists names and is older than a day: left by a deployment that
 * came to no end. */
int release_sweep(const struct place *place, const struct state *state, struct err *err) MUST_CHECK;

#endif

#ifndef TARGET_SERVER_PLACE_H
#define TARGET_SERVER_PLACE_H

#include "base/err.h"
#include "base/mem.h"
#include "target/target.h"

/*
 * Where things lie below the data folder:
 *
 *   server/nginx/               the gateway: its configuration, pid, temporary files, log
 *   server/nginx/live/          marker files that say which slot of which app is live
 *   server/apps/<app>/app.json  what is live, what was good (state.h), under the lock beside it
 *   server/apps/<app>/slots/a   a service folder of runsv; b is the other one
 *   server/apps/<app>/releases  a folder for each version that is kept
 *   server/apps/<app>/runs      how each of them is started
 *   server/apps/<app>/logs      what each of them wrote
 */
struct place {
	const struct site *site;
	const char *root; /* <data>/server */
	const char *app;  /* the app's folder name: "acme+shop+web+production" */
	const char *dir;  /* <data>/server/apps/<app> */
	const char *id;   /* 16 hex digits made from the name: names in nginx's configuration */
	struct arena *arena;
};

/** Is the data folder's path one that nginx and scripts can be given? ERR_USAGE when it is
 * relative, too long, or has unusual characters. */
int place_check(const struct site *site, struct err *err) MUST_CHECK;

/** The place of an app. -1 as place_check(). */
int place_of(struct place *out, const struct site *site, const struct app *app, struct arena *arena,
	     struct err *err) MUST_CHECK;

/** The same by the name of the app's folder. */
int place_named(struct place *out, const struct site *site, const char *name, struct arena *arena,
		struct err *err) MUST_CHECK;

/** Names of all apps' folders, NULL-ended, in the arena; empty when there are none. */
const char *const *place_apps(const struct site *site, struct arena *arena);

/* Paths, in the arena. */
const char *place_gateway(const struct site *site, struct arena *arena); /* server/nginx */
const char *place_slot(const struct place *place, char slot);            /* 'a' or 'b' */
const char *place_release(const struct place *place, const char *version);
const char *place_run(const struct place *place, const char *version);
const char *place_log(const struct place *place, const char *version);

/** Make the folders of the app and of the gateway. */
int place_make(const struct place *place, struct err *err) MUST_CHECK;

#endif

#ifndef ACTION_INIT_APP_H
#define ACTION_INIT_APP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/* What kind of app lies in a folder, as far as its files tell. */

enum init_kind {
	INIT_UNKNOWN, /* nothing that we know */
	INIT_FLASK,
	INIT_GO,
	INIT_IMAGE /* it has a Dockerfile, and that is all that need be known */
};

struct init_app {
	enum init_kind kind;
	const char *name;      /* of the service: the folder's, or the Go module's last part */
	const char *entry;     /* Flask: "shop:app"; Go: the main package, "." or "./cmd/shop" */
	const char *health;    /* "/healthz" when the code names it; "/" */
	bool has_dockerfile;   /* kept as it is */
	bool has_requirements; /* Flask: requirements.txt */
	bool has_tests;
};

/** Look at the folder; nothing is run. ERR_ABSENT when there is none. All in the arena. */
int init_app_find(struct init_app *out, const char *folder, struct arena *arena,
		  struct err *err) MUST_CHECK;

/** "Flask app shop:app" and the like, for a person; in the arena. */
const char *init_app_text(const struct init_app *app, struct arena *arena);

#endif

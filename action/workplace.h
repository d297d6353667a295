#ifndef ACTION_WORKPLACE_H
#define ACTION_WORKPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* Where a workflow has put us: what the runner, or whoever plays it, says in our environment. */
struct workplace {
	const char *workspace; /* absolute */
	const char *prefix;    /* of the current folder in it; "." */
	bool contained;        /* in the container of the action */
	bool sibling;          /* in the container that the action started on the host: respawn.h */
	const char *temp;      /* RUNNER_TEMP; NULL */
	const char *files;     /* the folder of the command files; NULL */
	const char *output, *state, *summary; /* command files; NULL: none */
	const char *data;                     /* ours; absolute */
	bool passing;                         /* data goes away with the job */
	const char *docker;                   /* the engine's socket; NULL: there is none */
	bool debug;
};

/** Where the sibling keeps what serves, on the host and in the container, when nobody says. */
#define WORKPLACE_SIBLING_DATA "/var/lib/slipway"

/** `data`: as an earlier step of ours chose it; NULL: choose one. All in the arena. */
int workplace_find(struct workplace *out, const char *data, bool sibling, struct arena *arena,
		   struct err *err) MUST_CHECK;

/** Give back what root made in the workspace and in HOME since `since` (seconds since 1970). Does
 * nothing outside of the container. Returns how much that was. */
unsigned workplace_give_back(const struct workplace *workplace, int64_t since);

#endif

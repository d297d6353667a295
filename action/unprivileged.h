#ifndef ACTION_UNPRIVILEGED_H
#define ACTION_UNPRIVILEGED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * How the project's own commands are kept from what the action may do. They are started through
 *     slipway confined --user UID:GID --within FOLDER --hide PATH … --show PATH … -- program …
 * which gives the folders after --show to that user, hides the others, and becomes the program as
 * that user without any other right: no group, no capability, no way back.
 */
struct unprivileged {
	uid_t uid;
	gid_t gid;
	bool drop;                 /* to that user; we must be root for it */
	const char *within;        /* ours; the user may pass through it to what is shown */
	const char *const *hidden; /* NULL-ended */
};

/** The user for the project's commands: the workspace's owner; root's files are nobody's business,
 * so in the place of root it is 65534. */
void unprivileged_user(struct unprivileged *out, const char *workspace);

/** The words before "--show", as struct world wants them; in the arena. NULL with *err when our own
 * program can't be found. */
const char *const *unprivileged_launcher(const struct unprivileged *to, struct arena *arena,
					 struct err *err);

/** The words after "confined". Does not return when the program could be started. */
int unprivileged_exec(char **words, struct err *err) MUST_CHECK;

#endif

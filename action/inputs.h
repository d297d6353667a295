#ifndef ACTION_INPUTS_H
#define ACTION_INPUTS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/fields.h"

/* The caller's environment: the only place that looks at it. */

/** The values of these names (NULL-ended, may be NULL) that are set, as NAME or as a file in
 * NAME_FILE; ended by a NULL name; in the arena. A file that can't be read is an error. */
int inputs_secrets(const struct field_pair **out, const char *const *names, struct arena *arena,
		   struct err *err) MUST_CHECK;

/** Where state lives when --data isn't given; in the arena. ERR_USAGE when no variable tells. */
int inputs_data(const char **out, struct arena *arena, struct err *err) MUST_CHECK;

/** An input of the action, by its name in action.yml; NULL when it is unset or empty. The runner's
 * name for it is INPUT_ and the name in capitals, ' ' as '_'. */
const char *inputs_action(const char *name);

bool inputs_in_action_container(void); /* we are the container of a Docker container action */

/** Any variable ("GITHUB_SHA", "STATE_data"); NULL when it is unset or empty. */
const char *inputs_variable(const char *name);

/** All of them: "NAME=value", NULL-ended. */
const char *const *inputs_environment(void);

const char *inputs_home(void);        /* NULL when unset */
const char *inputs_docker_host(void); /* DOCKER_HOST; NULL when unset */
bool inputs_terminal_can_draw(void);
bool inputs_want_colour(void);

#endif

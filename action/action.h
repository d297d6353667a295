#ifndef ACTION_ACTION_H
#define ACTION_ACTION_H

#include "base/buf.h"
#include "base/fields.h"

/* What action.yml, its documentation and slipway action itself are made from. */

struct action_settings {
	const char *config, *service, *environment;
	const char *target, *settings;
	const char *token;
	const char *data; /* of the sibling */
	bool dry_run, allow_forks;
	int report;           /* enum tell_what */
	int64_t wait_timeout; /* seconds; 0: no limit */
};

/** The inputs: what the workflow's `with:` may say. */
extern const struct field action_inputs[];

struct action_output {
	const char *name, *help;
};

/** The outputs; ended by a NULL name. */
extern const struct action_output action_outputs[];

/** Read INPUT_…; every mistake goes into *mistakes. */
int action_settings_read(struct action_settings *out, struct arena *arena,
			 struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** The text of action.yml. */
void action_yml(struct buf *out);

/** Inputs and outputs as Markdown. */
void action_markdown(struct buf *out);

#endif

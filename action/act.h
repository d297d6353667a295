#ifndef ACTION_ACT_H
#define ACTION_ACT_H

#include <stdio.h>

#include "action/action.h"
#include "action/command.h"
#include "action/reporter.h"
#include "action/setup.h"
#include "action/tell.h"
#include "action/unprivileged.h"
#include "action/workplace.h"

/* One step of the action, main or post: what its parts share. */
struct act {
	struct arena *arena;
	struct workplace place;
	struct action_settings settings;
	struct workflow *workflow;
	FILE *stream; /* texts into it */
	struct annotations *annotations;
	struct summary *summary;
	struct reporter *reporter;
	struct http *http;
	struct tell *tell;
	int64_t began;      /* seconds since 1970 */
	int64_t deployment; /* GitHub's number; 0: none */
	const char *headline;
	const char *internal; /* words that another of our processes gave us; NULL */
	const char *notes;    /* folder of this step's own, for its post step; NULL: not made yet */
	bool guarded;         /* see guard.h */
};

/** `data`: the folder that an earlier step chose; NULL: a new one. */
int act_begin(struct act *act, const struct call *call, const char *data,
	      struct err *err) MUST_CHECK;

/** Refuse what strangers sent. *text: the project file to use instead of the checkout's; NULL. */
int act_trust(struct act *act, const char **text, struct err *err) MUST_CHECK;

/** Make the data folder, tell the post step of it, get ready to report. */
int act_prepare(struct act *act, const struct setup *setup, struct err *err) MUST_CHECK;

/** Who tells GitHub; NULL: nobody. The caller frees. */
struct tell *act_tell(const struct act *act, bool several);

/** What the project's commands may be and see. In act's arena. */
void act_confine(struct act *act, struct unprivileged *out);

/** As in struct world; self is the act. */
int act_id_token(void *self, const char *audience, char **token, struct err *err);

/** Nothing could be begun: say why, everywhere. The exit status. */
int act_refuse(struct act *act, const struct err *err);

/** Annotations, summary, ownership; then frees. */
void act_end(struct act *act);

#endif

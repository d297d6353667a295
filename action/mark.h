#ifndef ACTION_MARK_H
#define ACTION_MARK_H

#include "github/api.h"
#include "pipeline/pipeline.h"

/* What a commit shows of its deployment: a commit status or a check run. */

enum mark_kind { MARK_STATUS, MARK_CHECK };

struct mark {
	enum mark_kind kind;
	const char *repository;
	const struct plan *plan;     /* its commit, service and environment */
	const struct result *result; /* NULL: it begins */
	const char *url;             /* of the job; NULL */
	const char *key;             /* the same for the whole job: finds the check run again */
};

/** Show it, or change what is shown. ERR_AUTH: the token may not. */
int mark_show(struct github *github, const struct mark *mark, struct err *err) MUST_CHECK;

#endif

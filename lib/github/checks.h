#ifndef GITHUB_CHECKS_H
#define GITHUB_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "github/api.h"

/*
 * Check runs, which an App may make (and a job's GITHUB_TOKEN), and commit statuses, which any
 * token may that has "statuses: write". https://docs.github.com/rest/checks,
 * …/rest/commits/statuses
 */

enum checks_level { CHECKS_NOTICE, CHECKS_WARNING, CHECKS_FAILURE };

struct checks_annotation {
	const char *path;                 /* within the repository */
	int64_t start_line, end_line;     /* from 1; end_line 0: the same line */
	int64_t start_column, end_column; /* from 1, on one line only; 0: unknown */
	enum checks_level level;
	const char *title, *message; /* title may be NULL */
};

struct checks_run {
	const char *repository, *commit;
	const char *name;        /* "slipway / production" */
	const char *external_id; /* finds it again; NULL */
	const char *details_url; /* NULL */
	const char *status;      /* "queued", "in_progress", "completed" */
	const char *conclusion;  /* of a completed one: success failure neutral cancelled … */
	const char *title, *summary, *text; /* title NULL: no output; summary and text (NULL) are
					       Markdown and cut to 65,535 bytes with a line that
					       says so */
	const struct checks_annotation *annotations; /* any number: sent 50 at a time */
	size_t annotation_count;
};

/** Make one. ERR_AUTH when this login may not: checks_post_status() instead. */
int checks_create(struct github *github, const struct checks_run *run, int64_t *id,
		  struct err *err) MUST_CHECK;

/** Change it: what `run` says replaces what was there, but annotations are added to the ones sent
 * before. */
int checks_update(struct github *github, int64_t id, const struct checks_run *run,
		  struct err *err) MUST_CHECK;

/** The one of this commit and name with this external_id; *id is 0 when there is none. */
int checks_find(struct github *github, const struct checks_run *like, int64_t *id,
		struct err *err) MUST_CHECK;

struct checks_commit_status {
	const char *repository, *commit;
	const char *state;       /* "pending", "success", "failure", "error" */
	const char *context;     /* "slipway/production"; case doesn't matter to GitHub */
	const char *description; /* NULL; cut to 140 characters */
	const char *target_url;  /* NULL */
};

/** Set the context's status; the newest counts. */
int checks_post_status(struct github *github, const struct checks_commit_status *status,
		       struct err *err) MUST_CHECK;

/** Is the context's newest status this state and description? */
int checks_status_is(struct github *github, const struct checks_commit_status *status, bool *is,
		     struct err *err) MUST_CHECK;

#endif

#ifndef PIPELINE_GIT_H
#define PIPELINE_GIT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "pipeline/source.h"

/*
 * The git program, kept from doing more than it is told: no configuration but ours, no hooks, no
 * prompts, no transport but file, git, http, https and ssh, an environment made from nothing.
 */
struct git {
	const char *home;       /* a folder of ours, absolute or not: HOME, and its configuration */
	const char *repository; /* the bare repository; NULL for none */
	const char *url;        /* of the remote, for the login; may be NULL */
	const char *user, *password; /* for http and https; password NULL: none */
};

/** Is it a URL or path that we give to git? No option, no "ext::", no login within it. */
int git_check_url(const char *url, struct err *err) MUST_CHECK;

/** Write the configuration into `home` (made if missing). Once before git_run(). */
int git_prepare(const struct git *git, struct err *err) MUST_CHECK;

/**
 * Run `git <args>` (NULL-ended, at most 16) and collect its output. On failure *err has what git
 * complained about and, in code, its exit status; ERR_TRANSIENT when the remote can't be reached or
 * took more than `timeout` seconds, ERR_AUTH when it wants another login, ERR_ABSENT when it hasn't
 * what we asked for, ERR_CANCELLED after the tick said so, ERR_REMOTE otherwise. `tick` may be
 * NULL.
 */
int git_run(const struct git *git, const char *const *args, int64_t timeout,
	    const struct source_tick *tick, struct buf *out, struct err *err) MUST_CHECK;

#endif

#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

/*
 * Children: never through a shell of ours, never with our environment, never with our descriptors
 * (stdin is /dev/null). Each is the leader of a process group of its own.
 */
struct child {
	const char *const *argv; /* argv[0] without '/' is looked up in the PATH of `env` */
	const char *const *env;  /* the whole environment, "NAME=value", NULL-ended */
	const char *dir;         /* NULL: where we are */
	int64_t timeout;         /* seconds; 0: none */
	int64_t grace;           /* seconds between SIGTERM and SIGKILL; 0 means 5 */

	/** stdout and stderr, by line without its end; lines over 64 KiB come in pieces. May be
	 * NULL. */
	void (*output)(void *self, const char *line, size_t size);
	/** Called at least twice a second while it runs; not 0: stop it. May be NULL. */
	int (*tick)(void *self);
	void *self;
};

/**
 * Run it to its end. 0 with *status its exit status (128 + n after signal n). On time-out
 * (ERR_LIMIT) or when tick asked to stop (ERR_CANCELLED) its group gets SIGTERM, then SIGKILL.
 * Whatever of its group is left when it ends is killed too, and an open pipe held by a daemon that
 * left the group does not keep us waiting. ERR_ABSENT when the program isn't there.
 */
int child_run(const struct child *child, int *status, struct err *err) MUST_CHECK;

/** Run it and collect its stdout alone (stderr's last line goes into *err when it fails, with
 * ERR_REMOTE and code = exit status). `output`, `tick` and `self` as above but for stderr only. */
int child_capture(const struct child *child, struct buf *out, struct err *err) MUST_CHECK;

/** Start it in a session of its own and don't wait: it outlives us. stdout and stderr are appended
 * to `log` (NULL: /dev/null). When it ends before us, it is ours to wait for. */
int child_detach(const struct child *child, const char *log, pid_t *pid,
		 struct err *err) MUST_CHECK;

/**
 * Kill every process of ours whose environment has exactly this entry ("SLIPWAY_JOB=17"): what a
 * build left behind, also when it daemonised or its worker was killed (but not what cleared its
 * environment). Returns how many there were.
 */
unsigned child_kill_marked(const char *entry);

/**
 * Start one of our own roles and don't wait: our environment, stdin /dev/null, our stdout and
 * stderr, all signals at their defaults and unblocked. keep[i] becomes its descriptor 3 + i; no
 * other is inherited.
 */
int child_start(const char *const *argv, const int *keep, size_t count, pid_t *pid,
		struct err *err) MUST_CHECK;

#endif

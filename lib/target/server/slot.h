#ifndef TARGET_SERVER_SLOT_H
#define TARGET_SERVER_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

/*
 * One supervised process: a service folder with a runsv of its own. runsv starts the process again
 * when it ends, and outlives us. That a runsv is there is seen by its fifo's reader, so nothing
 * left over from before a reboot is taken for one.
 */

struct slot_command {
	const char *const *argv;
	const char *const *env; /* "NAME=value"; values may hold any byte but NUL */
	const char *folder;     /* where it starts */
	const char *log;        /* folder for what it writes */
	int port;               /* PORT in its environment */
};

struct slot_status {
	bool supervised; /* a runsv is there */
	pid_t pid;       /* of the process; 0: not running at the moment */
	unsigned exits;  /* how often it ended since slot_start() */
	char last[64];   /* how it last did: "exited with status 3", "was killed by signal 9" */
};

/** Are the programs there (runsv, svlogd)? The message names the package. */
int slot_check(struct err *err) MUST_CHECK;

/** Is `text` a NAME=value whose name a shell can export? */
bool slot_env_is_valid(const char *text);

/**
 * Have it running under runsv in `dir`. 0 also when the same command runs there already; another
 * one is stopped first, and whatever it left behind is killed.
 */
int slot_start(const char *dir, const struct slot_command *command, struct clock *clock,
	       struct err *err) MUST_CHECK;

/** Start what was last given to slot_start, when no runsv is there. >0 (SLOT_EMPTY): nothing was.
 */
int slot_resume(const char *dir, struct clock *clock, struct err *err) MUST_CHECK;
enum { SLOT_EMPTY = 1 };

/** SIGTERM, SIGKILL after `grace` seconds, runsv ends too; kills what is left. Fine when none runs.
 */
int slot_stop(const char *dir, int64_t grace, struct clock *clock, struct err *err) MUST_CHECK;

/** How it is just now. */
struct slot_status slot_look(const char *dir);

/** Append the last lines that were written to the log folder, without their time stamps. */
void slot_tail(const char *log, unsigned lines, struct buf *out);

#endif

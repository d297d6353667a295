#ifndef TARGET_SERVER_PROCESS_H
#define TARGET_SERVER_PROCESS_H

#include "target/server/slot.h"

/*
 * A slot that holds a process: a service folder with a runsv of its own. runsv starts the process
 * again when it ends, and outlives us. That a runsv is there is seen by its fifo's reader, so
 * nothing left over from before a reboot is taken for one.
 */

/** Are the programs there (runsv, svlogd)? The message names the package. */
int process_check(struct err *err) MUST_CHECK;

/**
 * Have it running under runsv in `dir`. 0 also when the same command runs there already; another
 * one is stopped first, and whatever it left behind is killed.
 */
int process_start(const char *dir, const struct slot_command *command, struct clock *clock,
		  struct err *err) MUST_CHECK;

/** Start what was last given to process_start, when no runsv is there. >0 (SLOT_EMPTY): nothing
 * was.
 */
int process_resume(const char *dir, struct clock *clock, struct err *err) MUST_CHECK;

/** SIGTERM, SIGKILL after `grace` seconds, runsv ends too; kills what is left. Fine when none runs.
 */
int process_stop(const char *dir, int64_t grace, struct clock *clock, struct err *err) MUST_CHECK;

/** How it is just now. */
struct slot_status process_look(const char *dir);

/** Append the last lines that were written to the log folder, without their time stamps. */
void process_tail(const char *log, unsigned lines, struct buf *out);

#endif

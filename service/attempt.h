#ifndef SERVICE_ATTEMPT_H
#define SERVICE_ATTEMPT_H

#include "service/store.h"

/*
 * Which delivery the router is at, noted in a file, so that one whose content kills the process
 * (a bug of ours) can't kill every next one too and stand in the way of all others. The note
 * survives the process, not a power cut: that is all it is for.
 */
struct attempt {
	int fd;
	int deaths; /* with `guid` at hand, in a row */
	char guid[72];
};

/** Open the note below `folder`; what an earlier process left in it is in `guid`, "" for nothing.
 */
int attempt_open(struct attempt *attempt, const char *folder, struct err *err) MUST_CHECK;

/** This delivery is next. Failing to note it is no reason not to go on, so nothing is reported. */
void attempt_begin(struct attempt *attempt, const char *guid);

/** It was settled, one way or the other. */
void attempt_end(struct attempt *attempt);

void attempt_close(struct attempt *attempt); /* for cleanup(attempt_close) */

/** What an earlier process died of is put off, or, after ten deaths, given up. */
int attempt_settle(struct attempt *attempt, struct store *store, struct clock *clock,
		   struct err *err) MUST_CHECK;

#endif

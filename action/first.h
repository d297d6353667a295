#ifndef ACTION_FIRST_H
#define ACTION_FIRST_H

/*
 * The first process of a container has duties: it gets the engine's signals, which do nothing
 * unless it asks for them, and it must wait for every orphan. It does that and nothing else; the
 * action itself runs as its child.
 */

/** Run ourselves once more with these arguments and "--internal init", pass signals on and wait for
 * everybody. When that child hasn't ended 9 seconds after the first signal, everything is
 * killed. Returns the exit status. */
int first_run(char *const *argv);

/** Kill every process of the container but the first and ourselves. Does nothing unless `internal`
 * (the value of --internal; may be NULL) says that there is such a first process. */
void first_kill_others(const char *internal);

#endif

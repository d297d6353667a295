#ifndef ACTION_GUARD_H
#define ACTION_GUARD_H

#include <stdbool.h>

/*
 * Keeps the runner's files from the project's commands where Landlock can't: while such a command
 * may run, the folder of the command files and the credentials that checkout left are root's alone.
 * What the files were before is noted in the data folder, so that any later run of ours can put it
 * back.
 */

/** Shut them, or put all back as it was; both may be called again. `data`: our own folder.
 * `temp`: /github/runner_temp; `files`: /github/file_commands; NULL: not there. */
void guard_shut(const char *data, const char *temp, const char *files);
void guard_open(const char *data);

#endif

#ifndef ACTION_COMMAND_FILES_H
#define ACTION_COMMAND_FILES_H

#include <stddef.h>

#include "base/err.h"

/*
 * The files that the runner reads when we have ended: GITHUB_OUTPUT, GITHUB_STATE,
 * GITHUB_STEP_SUMMARY. Only appended to; a link, a folder or a file with a second name is refused
 * (ERR_CONFLICT).
 * https://docs.github.com/actions (workflow commands, environment files)
 */

/** The runner drops a summary of more bytes, and says so in red. */
#define COMMAND_FILES_SUMMARY 1048576

/** Append a name and a value, whatever is in it; NULL: the empty one. Nobody who writes the value
 * can know what ends it. ERR_LIMIT over 256 KiB, or when the file would have over 1 MiB. */
int command_files_set(const char *file, const char *name, const char *value,
		      struct err *err) MUST_CHECK;

/** Append a text, as far as `limit` bytes in the file allow; ERR_LIMIT when it was too long for
 * that and nothing was added. */
int command_files_append(const char *file, const char *text, size_t size, size_t limit,
			 struct err *err) MUST_CHECK;

#endif

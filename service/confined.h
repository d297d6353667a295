#ifndef SERVICE_CONFINED_H
#define SERVICE_CONFINED_H

#include "service/settings.h"

/*
 * How a build child is kept from what the worker may read: it is started through slipwayd itself,
 *     slipwayd confined --hide PATH … --show PATH … -- program argument …
 * which hides the files with secrets and the data folder from itself and then becomes the program.
 */

/** The words before "--show", NULL-ended, in the arena: our own program and everything to hide.
 * NULL with *err when our own program can't be found. */
const char *const *confined_launcher(const struct settings *settings, struct arena *arena,
				     struct err *err);

/** The words after "confined". Does not return when the program could be started; -1 with *err
 * otherwise. */
int confined_exec(char **words, struct err *err) MUST_CHECK;

#endif

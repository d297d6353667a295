#ifndef ACTION_OPTIONS_H
#define ACTION_OPTIONS_H

#include "action/command.h"

/** It was --help or -h: say it and end. */
enum { OPTIONS_HELP = 1 };

/** Read "--name value" and "--name=value" and the operand; `args` are what follows the command's
 * name, NULL-ended. */
int options_read(struct options *out, const struct command *command, char *const *args,
		 struct err *err) MUST_CHECK;

#endif

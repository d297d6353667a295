#ifndef ACTION_HELP_H
#define ACTION_HELP_H

#include "action/command.h"

/** The manual of the program, or of one sub-command, in a manual page's sections. */
void help_program(FILE *out);
void help_command(FILE *out, const struct command *command);

#endif

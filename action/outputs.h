#ifndef ACTION_OUTPUTS_H
#define ACTION_OUTPUTS_H

#include "base/err.h"

/** Append an output to the file that the runner named (GITHUB_OUTPUT), whatever is in the value:
 * https://docs.github.com/actions (workflow commands, multiline strings). NULL: an empty value. */
int outputs_add(const char *file, const char *name, const char *value, struct err *err) MUST_CHECK;

#endif

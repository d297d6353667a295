#include "action/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"

#define MOST 16

static int unknown(const struct command *command, const char *typed, size_t length, struct err *err)
{
	const char *names[MOST];
	char name[64];
	const char *near;
	size_t count = 0;

	for (; command->options && command->options[count].name && count < MOST; count++)
		names[count] = command->options[count].name;
	snprintf(name, sizeof name, "%.*s", (int)length, typed);
	near = text_nearest(name, names, count);
	if (near)
		return err_set(err, ERR_USAGE, 0,
			       "%s: there is no option '--%s'; did you mean '--%s'?", command->name,
			       name, near);
	return err_set(err, ERR_USAGE, 0, "%s: there is no option '--%s'; see slipway %s --help",
		       command->name, name, command->name);
}

static const struct option *find(const struct command *command, const char *name, size_t length)
{
	for (const struct option *o = command->options; o && o->name; o++)
		if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
			return o;
	return NULL;
}

/* One "--name[=value]"; *args moves on to the last argument that was used. */
static int read_option(struct options *out, const struct command *command, char *const **args,
		       struct err *err)
{
	const char *name = **args + 2, *value = strchr(name, '=');
	size_t length = value ? (size_t)(value - name) : strlen(name);
	const struct option *option = find(command, name, length);

	if (!option)
		return unknown(command, name, length, err);
	if (value)
		value++;
	else if ((*args)[1])
		value = *++*args;
	if (!value || !*value)
		return err_set(err, ERR_USAGE, 0, "%s: --%s needs a value: --%s %s", command->name,
			       option->name, option->name, option->value);
	*(const char **)(void *)((char *)out + option->at) = value;
	return 0;
}

static int read_operand(struct options *out, const struct command *command, const char *arg,
			struct err *err)
{
	if (!command->operand)
		return err_set(err, ERR_USAGE, 0,
			       "%s: '%s' is neither an option nor expected; see slipway %s --help",
			       command->name, arg, command->name);
	if (out->operand)
		return err_set(err, ERR_USAGE, 0,
			       "%s: one file at a time: '%s' and '%s' were given", command->name,
			       out->operand, arg);
	out->operand = arg;
	return 0;
}

int options_read(struct options *out, const struct command *command, char *const *args,
		 struct err *err)
{
	bool literal = false;

	*out = (struct options){0};
	for (; *args; args++) {
		bool option = !literal && (*args)[0] == '-' && (*args)[1];

		if (option && (strcmp(*args, "--help") == 0 || strcmp(*args, "-h") == 0))
			return OPTIONS_HELP;
		if (option && strcmp(*args, "--") == 0) {
			literal = true;
			continue;
		}
		if (option && (*args)[1] != '-')
			return err_set(err, ERR_USAGE, 0,
				       "%s: there is no option '%s'; options are written --name",
				       command->name, *args);
		if (option ? read_option(out, command, &args, err)
			   : read_operand(out, command, *args, err))
			return -1;
	}
	return 0;
}

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "action/first.h"
#include "action/help.h"
#include "action/options.h"
#include "action/unprivileged.h"
#include "base/log.h"
#include "base/text.h"

#define VERSION "0.1.0"

const struct command *const commands[] = {
	&command_deploy, &command_plan, &command_check,  &command_rollback, &command_down,
	&command_schema, &command_init, &command_action, &command_post,     NULL};
#define COMMAND_COUNT (sizeof commands / sizeof *commands - 1)

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int unknown(const char *typed)
{
	const char *names[COMMAND_COUNT];
	const char *near;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i]->name;
	near = text_nearest(typed, names, COMMAND_COUNT);
	if (near)
		fprintf(stderr, "slipway: there is no command '%s'; did you mean '%s'?\n", typed,
			near);
	else
		fprintf(stderr, "slipway: there is no command '%s'; see slipway --help\n", typed);
	return 2;
}

static int status_of(const struct err *err)
{
	switch (err->kind) {
	case ERR_USAGE:
	case ERR_ABSENT:
		return 2;
	case ERR_CANCELLED:
		return 4;
	default:
		return 1;
	}
}

static int run(const struct command *command, char *const *args)
{
	struct call call = {.out = stdout, .report = stderr};
	struct err err = ERR_INIT;
	int result = options_read(&call.options, command, args, &err);

	if (result == OPTIONS_HELP) {
		help_command(stdout, command);
		result = 0;
	} else if (result == 0) {
		result = command->run(&call, &err);
	}
	if (result >= 0 && fflush(stdout) != 0)
		result = err_errno(&err, "write the output");
	if (result >= 0)
		return result;
	fprintf(stderr, "slipway: %s\n", err.text);
	return status_of(&err);
}

static int help(const char *about)
{
	const struct command *command = about ? find(about) : NULL;

	if (about && !command)
		return unknown(about);
	if (command)
		help_command(stdout, command);
	else
		help_program(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

static int run_confined(char **words)
{
	struct err err = ERR_INIT;

	if (unprivileged_exec(words, &err))
		fprintf(stderr, "slipway: %s\n", err.text);
	return 126;
}

int main(int argc, char **argv)
{
	static char post[] = "post";
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	const char *name = argc > 1 ? argv[1] : NULL;
	char **args = argv + 2;

	sigaction(SIGPIPE, &ignore, NULL);
	log_setup("slipway", LOG_LEVEL_WARN, false);
	if (!name) {
		fputs("slipway: say what to do: slipway deploy, plan, check, rollback, down, "
		      "schema or init; see slipway --help\n",
		      stderr);
		return 2;
	}
	/* The runner hands the same arguments to every entry point: the name says which it is. */
	if (text_ends(argv[0], "/slipway-post") && strcmp(name, "action") == 0)
		name = argv[1] = post;
	if (strcmp(name, "confined") == 0)
		return run_confined(args);
	if (getpid() == 1 && (strcmp(name, "action") == 0 || strcmp(name, "post") == 0))
		return first_run(argv);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help(NULL);
	if (strcmp(name, "help") == 0)
		return help(argv[2]);
	if (strcmp(name, "--version") == 0)
		return fputs("slipway " VERSION "\n", stdout) < 0 || fflush(stdout) ? 1 : 0;
	return find(name) ? run(find(name), args) : unknown(name);
}

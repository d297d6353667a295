#include <stddef.h>

#include "action/launch.h"

static int rollback(const struct call *call, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct launch launch = {.revive = true, .version = call->options.to};
	struct setup setup;

	if (setup_load(&setup, call, arena, err))
		return -1;
	if (call->options.to && setup.services[1])
		return err_set(err, ERR_USAGE, 0,
			       "--to names a version of one service; say which with --service");
	return launch_all(&setup, &launch, call, arena, err);
}

static const struct option options[] = {
	{"to", "VERSION", offsetof(struct options, to),
	 "A version that was good. Default: the last good one before the live one."},
	OPTION_CONFIG,
	OPTION_SERVICE,
	OPTION_ENVIRONMENT,
	OPTION_DATA,
	OPTION_DOCKER,
	{0}};

const struct command command_rollback = {
	.name = "rollback",
	.summary = "put an older version live again",
	.description =
		"Starts a version that was good before, gives it the traffic and watches it, as a "
		"deploy does from publish on: nothing is fetched, built or tested, and the release "
		"command doesn't run. If it isn't healthy, the version that is live now stays.\n"
		"\n"
		"The version runs with today's settings, environment and secrets.",
	.options = options,
	.examples =
		" slipway rollback\n slipway rollback --service shop --to 3f2a9c81d04e-h1b2c3d4e5",
	.run = rollback,
};

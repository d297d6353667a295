#include <stddef.h>

#include "action/commit.h"
#include "action/launch.h"

static int plan(const struct call *call, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct launch launch = {0};
	struct commit commit;
	struct setup setup;

	if (setup_load(&setup, call, arena, err))
		return -1;
	commit_of(&commit, setup.folder, arena);
	launch.commit = commit.id;
	return launch_explain(&setup, &launch, call, arena, err);
}

static const struct option options[] = {OPTION_CONFIG, OPTION_SERVICE, OPTION_ENVIRONMENT,
					OPTION_DATA,   OPTION_DOCKER,  {0}};

const struct command command_plan = {
	.name = "plan",
	.summary = "say what a deploy would do, step by step; reads only",
	.description =
		"Checks the same things that deploy checks before it begins, the secrets' values "
		"among them, and prints what each step would do. Nothing is written, started or "
		"sent.",
	.options = options,
	.examples = " slipway plan --environment production",
	.run = plan,
};

#include <stddef.h>

#include "action/commit.h"
#include "action/launch.h"

static int deploy(const struct call *call, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct launch launch = {0};
	struct commit commit;
	struct setup setup;

	if (setup_load(&setup, call, arena, err))
		return -1;
	commit_of(&commit, setup.folder, arena);
	launch.commit = commit.id;
	if (!commit.known)
		fprintf(call->report,
			"note: %s is not a git checkout; the version gets a made-up commit\n",
			setup.folder);
	else if (commit.dirty)
		fprintf(call->report,
			"note: %s differs from commit %.12s; it is deployed as it stands\n",
			setup.folder, commit.id);
	return launch_all(&setup, &launch, call, arena, err);
}

static const struct option options[] = {OPTION_CONFIG, OPTION_SERVICE, OPTION_ENVIRONMENT,
					OPTION_DATA,   OPTION_DOCKER,  {0}};

const struct command command_deploy = {
	.name = "deploy",
	.summary = "build, test and put live what is in a folder",
	.description = "Takes the folder of slipway.yml as it stands (without .git) through all "
		       "steps: fetch, "
		       "build, test, release, publish, shift, verify, retire. On a terminal it "
		       "shows what runs "
		       "and for how long; elsewhere it prints every line.\n"
		       "\n"
		       "It ends with 0 only when the new version was seen serving. When a step "
		       "fails after "
		       "publish began, the version before gets the traffic back. Several services "
		       "are deployed "
		       "one after the other; the first that isn't live ends it.\n"
		       "\n"
		       "The first SIGINT (Ctrl-C) or SIGTERM stops in order: commands are ended "
		       "and what was "
		       "published is rolled back. The second leaves at once, and the state is then "
		       "unknown.\n"
		       "\n"
		       "The release command runs once per deployment, after the tests and before "
		       "any traffic.",
	.options = options,
	.examples = " slipway deploy\n"
		    " slipway deploy --environment staging --service shop\n"
		    " TOKEN_FILE=/run/secrets/token slipway deploy --config shop/slipway.yml",
	.run = deploy,
};

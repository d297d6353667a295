#include "base/file.h"
#include "pipeline/steps.h"

/* From a commit to something that may be published. */

int step_fetch(struct run *run, struct err *err)
{
	const struct plan *plan = run->plan;
	const struct target *target = run->environment->target;
	struct source *source = run->world->source;
	const struct source_tick tick = {.tick = run_tick, .self = run};
	const char *folder = target->folder ? target->folder(&run->deploy) : NULL;

	if (!folder)
		folder = arena_printf(run->arena, "%s/checkout", plan->work);
	run->folder = folder;
	if (file_remove_tree(folder, err) || file_make_dirs(folder, 0755, err)
	    || source->fetch(source, plan->commit, folder, &tick, err))
		return -1;
	return run_set_folder(run, folder, err);
}

int step_build(struct run *run, struct err *err)
{
	const struct project_build *build = run->service->build;

	if (!build) {
		run_say(run, "nothing to build");
		return 0;
	}
	if (build->dockerfile)
		return run_build_image(run, err);
	return run_command(run, build->run, run->child_env, build->timeout, err);
}

int step_test(struct run *run, struct err *err)
{
	const struct project_command *test = run->service->test;

	if (!test) {
		run_say(run, "no tests");
		return 0;
	}
	return run_makes_image(run)
		       ? run_in_image(run, test, run->child_env, IMAGE_WORKSPACE, err)
		       : run_command(run, test->run, run->child_env, test->timeout, err);
}

/* Where the app's code is: in its image, as its user, or in the checkout. */
static int migrate(struct run *run, const struct project_command *release, struct err *err)
{
	return run_makes_image(run)
		       ? run_in_image(run, release, run->release_env, 0, err)
		       : run_command(run, release->run, run->release_env, release->timeout, err);
}

int step_release(struct run *run, struct err *err)
{
	const struct project_command *release = run->service->release;

	if (!release) {
		run_say(run, "no release command");
		return 0;
	}
	if (run_marked(run, "release-ended")) {
		run_say(run, "an earlier try ran it already");
		return 0;
	}
	/* A migration that was cut off may not bear a second start; only a person can tell. */
	if (run_marked(run, "release-began"))
		return err_set(
			err, ERR_CONFLICT, 0,
			"the worker died while `%s` ran; it isn't started a second time: look at "
			"what it left behind, then deploy again",
			run_command_text(run, release->run));
	if (run_mark(run, "release-began", "", err) || migrate(run, release, err))
		return -1;
	return run_mark(run, "release-ended", "", err);
}

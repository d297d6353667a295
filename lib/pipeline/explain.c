#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/run.h"

static void explain_command(const struct run *run, struct buf *out, enum step step,
			    const char *const *argv, int64_t timeout)
{
	if (!argv) {
		buf_addf(out, "%-9s nothing to do\n", step_name(step));
		return;
	}
	buf_addf(out, "%-9s `%s`, for at most %lld s\n", step_name(step),
		 run_command_text(run, argv), (long long)timeout);
}

static void explain_code(const struct run *run, struct buf *out)
{
	const struct plan *plan = run->plan;
	const struct project_service *service = run->service;
	const struct project_command none = {0};
	const struct project_command *test = service->test ? service->test : &none;
	const struct project_command *release = service->release ? service->release : &none;

	if (plan->repository)
		buf_addf(out, "%-9s commit %s of %s\n", step_name(STEP_FETCH), plan->commit,
			 plan->repository);
	else
		buf_addf(out, "%-9s the folder as it stands\n", step_name(STEP_FETCH));
	if (run_makes_image(run))
		buf_addf(out,
			 "%-9s an image from %s, for at most %lld s; what follows runs in it\n",
			 step_name(STEP_BUILD), service->build->dockerfile,
			 (long long)service->build->timeout);
	else
		explain_command(run, out, STEP_BUILD, service->build ? service->build->run : NULL,
				service->build ? service->build->timeout : 0);
	explain_command(run, out, STEP_TEST, test->run, test->timeout);
	explain_command(run, out, STEP_RELEASE, release->run, release->timeout);
}

static int explain_target(const struct run *run, struct buf *out, struct err *err)
{
	const struct target *target = run->environment->target;
	const struct health *health = &run->service->health;
	cleanup(buf_free) struct buf text = BUF_INIT(64 * 1024);

	buf_addf(out, "%-9s %s target '%s'\n", step_name(STEP_PUBLISH),
		 run->plan->revive ? "an older version, on" : "to", target->name);
	if (target->plan && target->plan(&run->deploy, &text, err))
		return -1;
	for (const char *line = text.data; line && *line;) {
		int length = (int)strcspn(line, "\n");

		buf_addf(out, "%-9s %.*s\n", "", length, line);
		line += length + (line[length] == '\n');
	}
	buf_addf(out, "%-9s the traffic goes to the new version\n", step_name(STEP_SHIFT));
	buf_addf(out, "%-9s %s must answer %lld within %lld s", step_name(STEP_VERIFY),
		 health->path, (long long)health->status, (long long)health->timeout);
	if (health->settle > 0)
		buf_addf(out, ", and go on for %lld s", (long long)health->settle);
	buf_addf(out, "; if not, %s\n", step_name(STEP_ROLLBACK));
	return 0;
}

int pipeline_explain(const struct plan *plan, struct world *world, struct buf *out, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct run run;
	int result;

	assert(plan->project);
	run_begin(&run, plan, NULL, 0, world, arena);
	result = run_check(&run, err);
	if (result == 0 && !plan->revive)
		explain_code(&run, out);
	if (result == 0)
		result = explain_target(&run, out, err);
	run_end(&run);
	return result;
}

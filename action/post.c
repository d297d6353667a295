#include <stdio.h>
#include <string.h>

#include "action/act.h"
#include "action/guard.h"
#include "action/inputs.h"
#include "action/launch.h"
#include "action/respawn.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

/* The post step: ends in order what the main step was cut off in. */

static const char *read_text(const struct act *act)
{
	autofree char *path = file_join(act->notes, "project.yml");
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	struct err err = ERR_INIT;

	if (file_read(path, &text, &err))
		return NULL;
	return arena_memdup(act->arena, buf_text(&text), text.size);
}

static void begin(void *self, const struct plan *plan, const struct project_service *service,
		  int64_t fence)
{
	struct act *act = self;

	reporter_begin(act->reporter, plan, service, NULL, fence);
}

static void end(void *self, const struct plan *plan, struct result *result)
{
	struct act *act = self;
	bool undone = result->outcome != OUTCOME_UNKNOWN && result->outcome != OUTCOME_LOST;

	reporter_end(act->reporter, result);
	tell_end(act->tell, plan, act->deployment, result, reporter_gone_by(act->reporter));
	summary_result(act->summary, result, plan->commit,
		       "The job was cancelled; its post step did this.");
	act->headline = arena_printf(act->arena, "%s in %s: %s", plan->service, plan->environment,
				     result->outcome == OUTCOME_LIVE ? "it is live after all"
				     : undone ? "what the cancelled step had begun is undone"
					      : result->err.text);
	annotations_add(
		act->annotations,
		&(struct workflow_annotation){.kind = undone ? WORKFLOW_WARNING : WORKFLOW_ERROR,
					      .title = "Slipway's post step",
					      .message = act->headline});
}

/* Nothing takes traffic before publish: the work folder is all there is to tidy. */
static int forget(struct act *act, const struct unfinished *left, struct err *err)
{
	struct result result = {.outcome = OUTCOME_CANCELLED, .failed = left->step};
	const struct plan plan = {
		.service = left->service, .environment = left->environment, .commit = left->commit};

	err_set(&result.err, ERR_CANCELLED, 0, "%s: cancelled", step_name(left->step));
	workflow_say(act->workflow, "%s in %s was cut off in %s: nothing had been switched",
		     left->service, left->environment, step_name(left->step));
	tell_end(act->tell, &plan, left->deployment, &result, 0);
	respawn_tidy_tasks(act, left->job);
	unfinished_forget(act->notes);
	return file_remove_tree(left->work, err);
}

static int resume(struct act *act, const struct unfinished *left, const struct call *call,
		  struct err *err)
{
	struct plan plan = {.service = left->service,
			    .environment = left->environment,
			    .commit = left->commit,
			    .revive = left->revive,
			    .config = left->config,
			    .work = left->work,
			    .job = left->job};
	const struct setup_change change = {.text = read_text(act),
					    .target = act->settings.target,
					    .settings = act->settings.settings};
	struct call with = *call;
	struct result result = {0};
	struct launch_stage stage = {
		.env = inputs_environment(), .begin = begin, .end = end, .self = act};
	const struct launch launch = {.stage = &stage, .last = &result};
	struct setup setup;

	with.out = with.report = act->stream;
	with.options = (struct options){.config = left->config,
					.service = left->service,
					.environment = left->environment,
					.data = act->place.data};
	if (setup_load_changed(&setup, &with, &change, act->arena, err)
	    || act_prepare(act, &setup, err))
		return -1;
	if (inputs_variable("ACTIONS_ID_TOKEN_REQUEST_URL"))
		stage.id_token = act_id_token;
	stage.observer = reporter_observer(act->reporter);
	/* A rollback that was begun goes on; a version that wasn't seen serving goes away. */
	if (left->step >= STEP_PUBLISH && left->step <= STEP_VERIFY)
		plan.abandon = "the step was cancelled";
	act->deployment = left->deployment;
	return launch_resume(&setup, &plan, left->step, &left->progress, &launch, &with, act->arena,
			     err);
}

static int finish(struct act *act, const struct call *call, struct err *err)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("inputs");
	struct unfinished left;
	int status;

	if (action_settings_read(&act->settings, act->arena, &mistakes, err))
		return -1;
	if (act->settings.token)
		workflow_mask(act->workflow, act->settings.token);
	guard_open(act->notes);
	status = unfinished_read(&left, act->notes, act->arena, err);
	if (status == UNFINISHED_NONE) {
		workflow_say(act->workflow, "nothing is left to do");
		return 0;
	}
	if (status < 0)
		return -1;
	act->tell = act_tell(act, false);
	if (left.step < STEP_PUBLISH || left.step >= STEP_DONE)
		return forget(act, &left, err);
	workflow_say(act->workflow, "%s in %s was cut off in %s: ending that in order",
		     left.service, left.environment, step_name(left.step));
	status = resume(act, &left, call, err);
	/* Undone is what we are here for. */
	return status == 1 ? 0 : status;
}

/* The data folder is one of the machine's: only the sibling's container has it. */
static int finish_beside(struct act *act, struct err *err)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("inputs");

	act->notes = NULL;
	act->place.passing = false;
	if (action_settings_read(&act->settings, act->arena, &mistakes, err))
		return -1;
	respawn_tidy(act);
	return respawn(act, "post", err);
}

static int post(const struct call *call, struct err *err)
{
	const char *data = inputs_variable("STATE_data"), *began = inputs_variable("STATE_began");
	struct err ignored = ERR_INIT;
	int64_t since;
	struct act act;
	int status;

	if (act_begin(&act, call, data, err))
		return -1;
	act.notes = inputs_variable("STATE_notes");
	if (began && text_number(began, 1, INT64_MAX, &since, &ignored) == 0)
		act.began = since;
	if (!data || !act.notes || inputs_variable("STATE_done")) {
		act.notes = NULL;
		act.place.passing = false;
		workflow_say(act.workflow, "nothing is left to do");
		status = 0;
	} else if (act.place.contained && !act.place.sibling && inputs_variable("STATE_sibling")) {
		status = finish_beside(&act, err);
	} else {
		status = finish(&act, call, err);
	}
	if (status < 0)
		status = act_refuse(&act, err);
	act_end(&act);
	return status;
}

static const struct option options[] = {OPTION_INTERNAL, {0}};

const struct command command_post = {
	.name = "post",
	.summary = "what the action's post step runs",
	.options = options,
	.description = "Ends in order what slipway action was cut off in when its job was "
		       "cancelled: a rollback that was begun goes on, what was not yet seen "
		       "serving is undone, and what root made in the workspace gets its owner. It "
		       "finds what to do through STATE_data, STATE_notes and STATE_began, which "
		       "slipway action left in GITHUB_STATE. Without them it does nothing.",
	.examples = " slipway-post action",
	.run = post,
};

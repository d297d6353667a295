#include "action/action.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "action/act.h"
#include "action/command_files.h"
#include "action/commit.h"
#include "action/inputs.h"
#include "action/launch.h"
#include "action/respawn.h"
#include "action/stop.h"
#include "action/unprivileged.h"
#include "base/json.h"
#include "base/text.h"

static int read_inputs(struct act *act, struct err *err)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("inputs");

	if (action_settings_read(&act->settings, act->arena, &mistakes, err)) {
		if (mistakes.count > 0)
			fputs(buf_text(&mistakes.text), act->stream);
		return -1;
	}
	if (act->settings.token)
		workflow_mask(act->workflow, act->settings.token);
	return 0;
}

/* What runs in the action's container ends with it: it would be seen live, and be gone. */
static const struct project_service *serves_from_here(const struct setup *setup)
{
	for (size_t i = 0; setup->services[i]; i++)
		if (project_environment(setup->services[i], setup->environment)->target->here)
			return setup->services[i];
	return NULL;
}

/* A process would end with the container; an image is started by the engine, and stays. */
static int check_stays(const struct setup *setup, struct err *err)
{
	for (size_t i = 0; setup->services[i]; i++) {
		const struct project_service *service = setup->services[i];

		if (!project_environment(service, setup->environment)->target->here
		    || (service->build && service->build->dockerfile))
			continue;
		return err_set(
			err, ERR_USAGE, 0,
			"services.%s: from the action, target 'server' runs images only, since "
			"a process would end with the action's container: say "
			"`build: {dockerfile: Dockerfile}`, or let a slipwayd on the server "
			"deploy this",
			service->name);
	}
	return 0;
}

static int refuse_here(const struct setup *setup, const struct project_service *service,
		       struct err *err)
{
	return err_set(err, ERR_USAGE, 0,
		       "target '%s' of service '%s' serves from the machine that slipway runs on, "
		       "which here is the action's container and ends with it; on a runner of your "
		       "own with Docker it is started beside it; else let a slipwayd on the server "
		       "deploy this, or set dry-run: true",
		       project_environment(service, setup->environment)->target->name,
		       service->name);
}

static const char *commit_to_deploy(const struct act *act, const struct setup *setup)
{
	const char *head = commit_head(setup->folder, act->place.workspace, act->arena);
	const char *sha = inputs_variable("GITHUB_SHA");
	struct commit commit;

	if (head)
		return head;
	if (sha && text_is_commit(sha))
		return sha;
	commit_of(&commit, setup->folder, act->arena);
	return commit.id;
}

static void begin(void *self, const struct plan *plan, const struct project_service *service,
		  int64_t fence)
{
	struct act *act = self;
	const struct project_environment *environment =
		project_environment(service, plan->environment);

	reporter_begin(act->reporter, plan, service, environment->target->name, fence);
	act->deployment = tell_begin(act->tell, plan);
	if (act->deployment)
		reporter_deployment(act->reporter, act->deployment);
}

static const char *headline(const struct act *act, const struct plan *plan,
			    const struct result *result)
{
	if (result->outcome == OUTCOME_LIVE)
		return arena_printf(act->arena, "%s is live in %s: %s (version %s)", plan->service,
				    plan->environment,
				    result->progress.url ? result->progress.url : "no URL",
				    result->progress.version ? result->progress.version : "?");
	return arena_printf(act->arena, "%s is not live in %s: %s", plan->service,
			    plan->environment, result->err.text);
}

static void end(void *self, const struct plan *plan, struct result *result)
{
	struct act *act = self;
	const char *title;

	reporter_end(act->reporter, result);
	act->headline = headline(act, plan, result);
	if (result->outcome != OUTCOME_LOST)
		tell_end(act->tell, plan, act->deployment, result, reporter_gone_by(act->reporter));
	summary_result(act->summary, result, plan->commit,
		       result->outcome == OUTCOME_LOST
			       ? "The post step of this job goes on with it."
			       : NULL);
	if (result->outcome == OUTCOME_LIVE)
		return;
	title = arena_printf(act->arena, "%s is not live in %s", plan->service, plan->environment);
	annotations_add(act->annotations,
			&(struct workflow_annotation){.kind = WORKFLOW_ERROR,
						      .title = title,
						      .message = result->err.text});
}

/* Of the service that came last: with several, those before it are live. */
static int write_outputs(const struct act *act, const struct result *result, const char *commit,
			 struct err *err)
{
	const struct progress *progress = &result->progress;
	json_auto json_t *facts = progress->facts ? json_loads(progress->facts, 0, NULL) : NULL;
	char number[24];
	const struct {
		const char *name, *value;
	} outputs[] = {
		{"state",
		 result->outcome == OUTCOME_LOST ? "cancelled" : outcome_state(result->outcome)},
		{"url", progress->url},
		{"version", progress->version},
		{"previous-version", progress->previous},
		{"commit", commit},
		{"image", progress->image},
		{"deployment-id", act->deployment ? number : NULL},
		{"summary", act->headline},
	};
	const char *name;
	json_t *value;

	snprintf(number, sizeof number, "%lld", (long long)act->deployment);
	if (!act->place.output)
		return 0;
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		if (command_files_set(act->place.output, outputs[i].name, outputs[i].value, err))
			return -1;
	json_object_foreach(facts, name, value) if (json_is_string(value)
						    && command_files_set(act->place.output, name,
									 json_string_value(value),
									 err)) return -1;
	return 0;
}

static int run_here(struct act *act, const struct setup *setup, const struct call *call,
		    struct err *err)
{
	struct unprivileged confined = {0};
	struct err unwritten = ERR_INIT;
	struct result result = {0};
	struct launch launch = {.commit = commit_to_deploy(act, setup), .last = &result};
	struct launch_stage stage = {.observer = reporter_observer(act->reporter),
				     .env = inputs_environment(),
				     .begin = begin,
				     .end = end,
				     .self = act};
	int status;

	act_confine(act, &confined);
	stage.launcher =
		act->place.contained ? unprivileged_launcher(&confined, act->arena, err) : NULL;
	if (act->place.contained && !stage.launcher)
		return -1;
	if (inputs_variable("ACTIONS_ID_TOKEN_REQUEST_URL"))
		stage.id_token = act_id_token;
	launch.stage = &stage;
	status = launch_all(setup, &launch, call, act->arena, err);
	if (status >= 0 && write_outputs(act, &result, launch.commit, &unwritten))
		workflow_annotate(act->workflow,
				  &(struct workflow_annotation){.kind = WORKFLOW_WARNING,
								.title = "Outputs are missing",
								.message = unwritten.text});
	return status;
}

static int run(struct act *act, const struct call *call, struct err *err)
{
	struct call with = *call;
	struct setup_change change = {0};
	const struct project_service *here;
	struct setup setup;

	if (read_inputs(act, err) || act_trust(act, &change.text, err))
		return -1;
	with.out = with.report = act->stream;
	with.options = (struct options){.config = act->settings.config,
					.service = act->settings.service,
					.environment = act->settings.environment,
					.data = act->place.data};
	change.target = act->settings.target;
	change.settings = act->settings.settings;
	if (setup_load_changed(&setup, &with, &change, act->arena, err))
		return -1;
	if (act->settings.dry_run) {
		const struct launch launch = {.commit = commit_to_deploy(act, &setup)};

		return launch_explain(&setup, &launch, &with, act->arena, err);
	}
	here = serves_from_here(&setup);
	if (here && act->place.contained && check_stays(&setup, err))
		return -1;
	if (here && act->place.contained && !act->place.sibling)
		return act->place.docker ? respawn(act, "action", err)
					 : refuse_here(&setup, here, err);
	if (act_prepare(act, &setup, err))
		return -1;
	return run_here(act, &setup, &with, err);
}

static int action(const struct call *call, struct err *err)
{
	struct act act;
	int status;

	if (act_begin(&act, call, NULL, err))
		return -1;
	status = run(&act, call, err);
	if (status < 0)
		status = act_refuse(&act, err);
	act_end(&act);
	return status;
}

static const struct option options[] = {OPTION_INTERNAL, {0}};

const struct command command_action = {
	.name = "action",
	.summary = "what the Docker container action runs",
	.options = options,
	.description =
		"Deploys as slipway deploy does, told by a workflow: reads the action's inputs "
		"from INPUT_CONFIG, INPUT_SERVICE, INPUT_DRY-RUN … (empty is as good as unset; "
		"action.yml has them all), speaks to the runner on stdout, and appends outputs, "
		"the summary and what the post step must know to the files that GITHUB_OUTPUT, "
		"GITHUB_STEP_SUMMARY and GITHUB_STATE name. The commit is what is checked out, "
		"else GITHUB_SHA.\n"
		"\n"
		"In the action's container the project's own commands run as the owner of the "
		"workspace and see neither the runner's files nor its tokens. A target that "
		"serves from this machine is started in a container of its own beside the "
		"action's; without the engine's socket it is refused.\n"
		"\n"
		"SIGINT or SIGTERM stops in order. What can't be undone within seven seconds is "
		"left to slipway-post, the action's post step.",
	.examples = " env INPUT_CONFIG=shop/slipway.yml INPUT_DRY-RUN=true slipway action",
	.run = action,
};

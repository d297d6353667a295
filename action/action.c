#include "action/action.h"

#include <stdbool.h>
#include <stddef.h>

#include "action/commit.h"
#include "action/inputs.h"
#include "action/launch.h"
#include "action/outputs.h"
#include "base/json.h"
#include "base/text.h"

struct action {
	const char *config, *service, *environment;
	bool dry_run;
};

const struct field action_inputs[] = {
	{
		.name = "config",
		.type = FIELD_TEXT,
		.at = offsetof(struct action, config),
		.fallback = "slipway.yml",
		.help = "The project file. Its folder is what is deployed.",
	},
	{
		.name = "service",
		.type = FIELD_TEXT,
		.at = offsetof(struct action, service),
		.help = "Only this service; left out, all that have the environment.",
	},
	{
		.name = "environment",
		.type = FIELD_TEXT,
		.at = offsetof(struct action, environment),
		.help = "Which environment; may be left out when there is just one.",
	},
	{
		.name = "dry-run",
		.type = FIELD_FLAG,
		.at = offsetof(struct action, dry_run),
		.fallback = "false",
		.help = "Check the project file and say what would be done, no more.",
	},
	{0},
};

static int read_inputs(struct action *out, const struct call *call, struct arena *arena,
		       struct err *err)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("inputs");
	const struct fields_reader reader = {.arena = arena, .mistakes = &mistakes};
	json_auto json_t *given = json_object();

	for (const struct field *input = action_inputs; input->name; input++) {
		const char *value = inputs_action(input->name);

		/* The runner sets what a workflow doesn't to the empty text. */
		if (value && json_object_set_new(given, input->name, json_string(value)))
			return err_set(err, ERR_USAGE, 0, "input '%s' is not UTF-8 text",
				       input->name);
	}
	fields_read(&reader, &(struct fields_part){action_inputs, out}, 1, given, "");
	if (mistakes.count == 0)
		return 0;
	fputs(buf_text(&mistakes.text), call->report);
	return err_set(err, ERR_USAGE, 0, "the action's inputs are wrong; nothing was touched");
}

/* What runs in the action's container ends with it: it would be seen live, and be gone. */
static int check_targets(const struct setup *setup, struct err *err)
{
	if (!inputs_in_action_container())
		return 0;
	for (size_t i = 0; setup->services[i]; i++) {
		const struct project_environment *environment =
			project_environment(setup->services[i], setup->environment);

		if (environment->target->here)
			return err_set(err, ERR_USAGE, 0,
				       "target '%s' of service '%s' serves from the machine that "
				       "slipway runs on, which here is the action's container and "
				       "ends with it; let a slipwayd on the server deploy this, or "
				       "set dry-run: true",
				       environment->target->name, setup->services[i]->name);
	}
	return 0;
}

/* Of the service that came last: with several, those before it are live. */
static int write_outputs(const struct result *result, const char *commit, struct err *err)
{
	const char *file = inputs_output_file();

	if (!file)
		return 0;
	if (outputs_add(file, "state", outcome_state(result->outcome), err)
	    || outputs_add(file, "url", result->progress.url, err)
	    || outputs_add(file, "version", result->progress.version, err)
	    || outputs_add(file, "previous-version", result->progress.previous, err))
		return -1;
	return outputs_add(file, "commit", commit, err);
}

static const char *commit_to_deploy(const struct setup *setup, struct arena *arena)
{
	const char *sha = inputs_commit();
	struct commit commit;

	/* git speaks about no folder that belongs to another user, as the container's does. */
	if (sha && text_is_commit(sha))
		return sha;
	commit_of(&commit, setup->folder, arena);
	return commit.id;
}

static int action(const struct call *call, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct result result = {0};
	struct launch launch = {.last = &result};
	struct action inputs = {0};
	struct call with = *call;
	struct setup setup;
	int status;

	if (read_inputs(&inputs, call, arena, err))
		return -1;
	with.options.config = inputs.config;
	with.options.service = inputs.service;
	with.options.environment = inputs.environment;
	if (setup_load(&setup, &with, arena, err))
		return -1;
	launch.commit = commit_to_deploy(&setup, arena);
	if (inputs.dry_run)
		return launch_explain(&setup, &launch, &with, arena, err);
	if (check_targets(&setup, err))
		return -1;
	status = launch_all(&setup, &launch, &with, arena, err);
	return status < 0 || write_outputs(&result, launch.commit, err) ? -1 : status;
}

const struct command command_action = {
	.name = "action",
	.summary = "what the Docker container action runs",
	.description =
		"Deploys as slipway deploy does, told by a workflow: reads the action's inputs "
		"from "
		"INPUT_CONFIG, INPUT_SERVICE, INPUT_ENVIRONMENT and INPUT_DRY-RUN (empty is as "
		"good "
		"as unset), and appends state, url, version, previous-version and commit to the "
		"file that GITHUB_OUTPUT names. The commit is GITHUB_SHA.\n"
		"\n"
		"In the action's container a target that serves from this machine is refused: what "
		"it started would end with the container.",
	.examples = " env INPUT_CONFIG=shop/slipway.yml INPUT_DRY-RUN=true slipway action",
	.run = action,
};

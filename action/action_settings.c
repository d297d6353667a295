#include <stddef.h>
#include <string.h>

#include "action/action.h"
#include "action/inputs.h"
#include "action/workplace.h"
#include "base/json.h"

/* What the runner fills in by itself, so that nobody has to. */
#define JOB_TOKEN "${{ github.token }}"

static int is_folder(const char *text, struct err *err)
{
	if (*text == '/' && text[1] && !strstr(text, "/../") && !strchr(text, ':'))
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected an absolute path, found '%.100s'", text);
}

/* In the order of enum tell_what. */
static const char *const reports[] = {"deployments", "statuses", "checks", "none", NULL};

const struct field action_inputs[] = {
	{
		.name = "config",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, config),
		.fallback = "slipway.yml",
		.help = "The project file. Its folder is what is deployed.",
	},
	{
		.name = "service",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, service),
		.help = "Only this service; left out, all that have the environment.",
	},
	{
		.name = "environment",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, environment),
		.help = "Which environment; may be left out when there is just one.",
	},
	{
		.name = "target",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, target),
		.help = "Where to, in the place of the environment's own target.",
	},
	{
		.name = "settings",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, settings),
		.help = "Settings of the target as YAML, a `name: value` a line; they replace the "
			"environment's of the same name.",
	},
	{
		.name = "token",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, token),
		.fallback = JOB_TOKEN,
		.help = "For GitHub's API. With `deployments: write` the deployment is shown "
			"there.",
	},
	{
		.name = "report",
		.type = FIELD_CHOICE,
		.at = offsetof(struct action_settings, report),
		.choices = reports,
		.fallback = "deployments",
		.help = "What GitHub shows: deployments; statuses: these and a status on the "
			"commit "
			"(`statuses: write`); checks: these and a check run with a summary "
			"(`checks: write`); none.",
	},
	{
		.name = "dry-run",
		.type = FIELD_FLAG,
		.at = offsetof(struct action_settings, dry_run),
		.fallback = "false",
		.help = "Check the project file and say what would be done, no more.",
	},
	{
		.name = "wait-timeout",
		.type = FIELD_SECONDS,
		.at = offsetof(struct action_settings, wait_timeout),
		.max = 24 * 3600,
		.fallback = "0",
		.help = "How long all of it may take (`90`, `15m`, `2h`); then it is stopped and "
			"rolled back. 0: as long as the job may.",
	},
	{
		.name = "data",
		.type = FIELD_TEXT,
		.at = offsetof(struct action_settings, data),
		.fallback = WORKPLACE_SIBLING_DATA,
		.valid = is_folder,
		.help = "For target server: the folder of the runner's machine that keeps what is "
			"served, from one job to the next.",
	},
	{
		.name = "allow-forks",
		.type = FIELD_FLAG,
		.at = offsetof(struct action_settings, allow_forks),
		.fallback = "false",
		.help = "Also deploy for pull requests from forks and for pull_request_target; the "
			"project file is taken from the base branch then.",
	},
	{0},
};

const struct action_output action_outputs[] = {
	{"state", "succeeded, failed, rolled_back or cancelled: of the service that came last"},
	{"url", "Where it is reached"},
	{"version", "The version that was deployed"},
	{"previous-version", "The version that was live before"},
	{"commit", "The commit that was deployed"},
	{"image", "The image that was published, with its digest"},
	{"deployment-id", "The number of GitHub's deployment"},
	{"summary", "One line that says how it went"},
	{"service-arn", "Of the service in AWS"},
	{"service-id", "Its id, as App Runner's logs are named by"},
	{"service-url", "Where AWS serves it"},
	{"operation-id", "What App Runner was asked to do, by its id"},
	{"operation-status", "How that ended, in App Runner's words"},
	{"image-digest", "The digest of the image that was deployed"},
	{"rolled-back", "true when the version before was put back"},
	{NULL, NULL},
};

int action_settings_read(struct action_settings *out, struct arena *arena,
			 struct mistakes *mistakes, struct err *err)
{
	const struct fields_reader reader = {.arena = arena, .mistakes = mistakes};
	json_auto json_t *given = json_object();

	*out = (struct action_settings){0};
	for (const struct field *input = action_inputs; input->name; input++) {
		const char *value = inputs_action(input->name);

		/* The runner sets what a workflow doesn't to the empty text. */
		if (value && json_object_set_new(given, input->name, json_string(value)))
			return err_set(err, ERR_USAGE, 0, "input '%s' is not UTF-8 text",
				       input->name);
	}
	fields_read(&reader, &(struct fields_part){action_inputs, out}, 1, given, "");
	if (mistakes->count > 0)
		return err_set(err, ERR_USAGE, 0,
			       "the action's inputs are wrong; nothing was touched");
	/* The expression is for action.yml; elsewhere nobody fills it in. */
	if (out->token && strcmp(out->token, JOB_TOKEN) == 0)
		out->token = NULL;
	return 0;
}

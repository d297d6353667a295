#include "action/tell.h"

#include <stdio.h>
#include <string.h>

#include "action/inputs.h"
#include "action/mark.h"
#include "github/api.h"
#include "github/deployments.h"

struct tell {
	struct tell_options options;
	struct github *github;
	char *run_url;
	int64_t own;   /* the one that we made; 0: the job's, or none */
	bool refused;  /* we may not: say it once */
	bool unmarked; /* the same of the commit */
};

static const char *variable(const char *name, const char *otherwise)
{
	const char *value = inputs_variable(name);

	return value ? value : otherwise;
}

static void complain(struct tell *tell, const struct err *err)
{
	if (err->kind == ERR_AUTH || err->kind == ERR_ABSENT) {
		tell->refused = true;
		workflow_say(tell->options.workflow,
			     "not shown as a deployment on GitHub: the token may not; that needs "
			     "`permissions: {deployments: write}` in the workflow");
		workflow_debug(tell->options.workflow, "%s", err->text);
		return;
	}
	workflow_say(tell->options.workflow, "warning: %s", err->text);
}

static void status(struct tell *tell, int64_t id, const struct deployments_status *status)
{
	struct err err = ERR_INIT;

	if (deployments_tell(tell->github, tell->options.repository, id, status, &err))
		complain(tell, &err);
}

static int create(struct tell *tell, const struct deployments_new *new, int64_t *id,
		  struct err *err)
{
	const char *run = inputs_variable("GITHUB_RUN_ID");

	tell->own = 0;
	if (run && deployments_find_job(tell->github, new, run, id, err))
		return -1;
	if (run && *id)
		return 0;
	if (deployments_create(tell->github, new, &tell->own, err)) {
		/* It may have come through before the connection was lost. */
		if (err->kind != ERR_TRANSIENT
		    || deployments_find(tell->github, new, &tell->own, err))
			return -1;
	}
	*id = tell->own;
	return 0;
}

static int64_t begin_deployment(struct tell *tell, const struct plan *plan)
{
	const char *event = variable("GITHUB_EVENT_NAME", "");
	autofree char *key = xprintf("%s.%s.%s.%s", variable("GITHUB_RUN_ID", "0"),
				     variable("GITHUB_RUN_ATTEMPT", "1"),
				     variable("GITHUB_ACTION", "slipway"), plan->service);
	const struct deployments_new new = {
		.repository = tell->options.repository,
		.commit = plan->commit,
		.environment = plan->environment,
		.key = key,
		.service = plan->service,
		.transient = strncmp(event, "pull_request", strlen("pull_request")) == 0,
	};
	struct err err = ERR_INIT;
	int64_t id = 0;

	if (tell->refused || !plan->commit)
		return 0;
	if (create(tell, &new, &id, &err)) {
		complain(tell, &err);
		return 0;
	}
	if (tell->own)
		status(tell, tell->own,
		       &(struct deployments_status){.state = DEPLOYMENTS_IN_PROGRESS,
						    .log_url = tell->run_url});
	return id;
}

/* The commit's own status or check run; `result` NULL: it begins. */
static void mark(struct tell *tell, const struct plan *plan, const struct result *result)
{
	bool check = tell->options.what == TELL_CHECKS;
	autofree char *key =
		xprintf("%s.%s.%s.%s", variable("GITHUB_RUN_ID", "0"),
			variable("GITHUB_RUN_ATTEMPT", "1"), plan->service, plan->environment);
	const struct mark mark = {.kind = check ? MARK_CHECK : MARK_STATUS,
				  .repository = tell->options.repository,
				  .plan = plan,
				  .result = result,
				  .url = tell->run_url,
				  .key = key};
	struct err err = ERR_INIT;

	if (!plan->commit || tell->unmarked || (!check && tell->options.what != TELL_STATUSES)
	    || mark_show(tell->github, &mark, &err) == 0)
		return;
	tell->unmarked = err.kind == ERR_AUTH || err.kind == ERR_ABSENT;
	if (tell->unmarked)
		workflow_say(tell->options.workflow,
			     "no %s on the commit: the token may not; that needs `permissions: "
			     "{%s: write}` in the workflow",
			     check ? "check run" : "status", check ? "checks" : "statuses");
	else
		workflow_say(tell->options.workflow, "warning: %s", err.text);
}

static enum deployments_state state_of(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_LIVE:
		return DEPLOYMENTS_SUCCESS;
	case OUTCOME_UNKNOWN:
	case OUTCOME_CANCELLED:
	case OUTCOME_LOST:
		return DEPLOYMENTS_ERROR;
	default:
		return DEPLOYMENTS_FAILURE;
	}
}

int64_t tell_begin(struct tell *tell, const struct plan *plan)
{
	int64_t id;

	if (!tell)
		return 0;
	id = begin_deployment(tell, plan);
	mark(tell, plan, NULL);
	return id;
}

void tell_end(struct tell *tell, const struct plan *plan, int64_t id, const struct result *result,
	      int64_t gone_by)
{
	const bool live = result->outcome == OUTCOME_LIVE;
	const struct github_patience patience = {.seconds = gone_by ? -1 : 30, .deadline = gone_by};

	if (!tell)
		return;
	github_be_patient(tell->github, &patience);
	mark(tell, plan, result);
	if (tell->refused || !id)
		return;
	status(tell, id,
	       &(struct deployments_status){.state = state_of(result->outcome),
					    .description = live ? NULL : result->err.text,
					    .log_url = tell->run_url,
					    .environment_url = live ? result->progress.url : NULL,
					    .auto_inactive = !tell->options.several});
}

struct tell *tell_new(const struct tell_options *options)
{
	const struct github_login login = {
		.api = variable("GITHUB_API_URL", "https://api.github.com"),
		.token = options->token};
	const struct github_patience patience = {.seconds = 10};
	const char *run = inputs_variable("GITHUB_RUN_ID");
	struct tell *tell;

	if (!options->token || !options->repository || options->what == TELL_NOTHING)
		return NULL;
	tell = xalloc(sizeof *tell);
	tell->options = *options;
	tell->github = github_new(&login, options->http, options->clock);
	github_be_patient(tell->github, &patience);
	if (run)
		tell->run_url = xprintf("%s/%s/actions/runs/%s",
					variable("GITHUB_SERVER_URL", "https://github.com"),
					options->repository, run);
	return tell;
}

void tell_free(struct tell *tell)
{
	if (!tell)
		return;
	github_free(tell->github);
	free(tell->run_url);
	free(tell);
}

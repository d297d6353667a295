/* The ways in which GitHub is told about a deployment. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "github/checks.h"
#include "github/deployments.h"
#include "service/outbox_within.h"

/* How each state of a deployment is called in each of them. NULL: nothing is said. */
static const struct words {
	const char *state, *status, *conclusion, *sentence;
	enum deployments_state deployment;
} all_words[] = {
	{"queued", NULL, NULL, "Queued", DEPLOYMENTS_QUEUED},
	{"running", "pending", NULL, "Deploying", DEPLOYMENTS_IN_PROGRESS},
	{"succeeded", "success", "success", "Live", DEPLOYMENTS_SUCCESS},
	{"failed", "failure", "failure", "Failed", DEPLOYMENTS_FAILURE},
	{"rolled_back", "failure", "failure", "Rolled back", DEPLOYMENTS_FAILURE},
	{"superseded", "error", "neutral", "Superseded", DEPLOYMENTS_INACTIVE},
	{"cancelled", "error", "cancelled", "Cancelled", DEPLOYMENTS_ERROR},
};

static const struct words *words_of(const struct report *report)
{
	for (size_t i = 0; i < sizeof all_words / sizeof *all_words; i++)
		if (text_same(all_words[i].state, report->state))
			return &all_words[i];
	return &all_words[0];
}

/* "Deploying: build", "Live: version 6113728f27ae-12", "Rolled back: health: …" */
static const char *sentence(const struct telling *telling, bool with_step)
{
	const struct report *report = telling->report;
	const char *begin = words_of(report)->sentence;

	if (report->error)
		return arena_printf(telling->arena, "%s: %s", begin, report->error);
	if (text_same(report->state, "succeeded") && report->version)
		return arena_printf(telling->arena, "%s: version %s", begin, report->version);
	if (text_same(report->state, "running") && with_step)
		return arena_printf(telling->arena, "%s: %s", begin, report->step);
	return begin;
}

/* Does it end without ever having been announced? Then there is nothing to take back. */
static bool never_began(const struct report *report, const json_t *memo)
{
	return (text_same(report->state, "superseded") || text_same(report->state, "cancelled"))
	       && json_integer_at(memo, "id", 0) == 0 && !json_text(memo, "said")
	       && !json_text(memo, "saying") && !json_flag(memo, "begun");
}

/* It stands there: with this the memo says so. */
static int was_said(json_t *memo, const char *text)
{
	json_object_set_new(memo, "said", json_string(text));
	json_object_del(memo, "saying");
	return PART_CALLED;
}

/* Kept before it is sent. 1: it was about to be sent before (by a process that died, or an answer
 * was lost): look first. */
static int about_to_say(struct telling *telling, json_t *memo, const char *text, struct err *err)
{
	if (text_same(json_text(memo, "saying"), text))
		return 1;
	json_object_set_new(memo, "saying", json_string(text));
	return outbox_keep(telling, err);
}

/* The same for what is made only once. */
static int about_to_begin(struct telling *telling, json_t *memo, struct err *err)
{
	if (json_flag(memo, "begun"))
		return 1;
	json_object_set_new(memo, "begun", json_true());
	return outbox_keep(telling, err);
}

static struct deployments_new deployment_of(const struct telling *telling)
{
	const struct report *report = telling->report;

	return (struct deployments_new){
		.repository = report->repository,
		.commit = report->commit,
		.environment = report->environment,
		.key = telling->key,
		.service = report->service,
		.description = arena_printf(telling->arena, "%s, by Slipway", report->service),
	};
}

/* One that a deployment of GitHub's asked for is told there. */
static int64_t asked_for(const struct report *report)
{
	json_auto json_t *cause = report->cause ? json_loads(report->cause, 0, NULL) : NULL;

	return json_integer_at(cause, "github_deployment", 0);
}

static int make_deployment(struct telling *telling, json_t *memo, struct err *err)
{
	const struct deployments_new new = deployment_of(telling);
	struct github *github = telling->outbox->github;
	int64_t id = asked_for(telling->report);
	int again;

	if (id > 0) {
		json_object_set_new(memo, "id", json_integer(id));
		return PART_QUIET;
	}
	again = about_to_begin(telling, memo, err);
	if (again < 0 || (again && deployments_find(github, &new, &id, err) < 0))
		return -1;
	if (id == 0 && deployments_create(github, &new, &id, err) < 0)
		return -1;
	json_object_set_new(memo, "id", json_integer(id));
	return PART_CALLED;
}

static int tell_deployment(struct telling *telling, json_t *memo, int64_t id, struct err *err)
{
	const struct report *report = telling->report;
	struct github *github = telling->outbox->github;
	struct deployments_status status = {
		.state = words_of(report)->deployment,
		.description = sentence(telling, true),
		.log_url = telling->log,
		.environment_url = report->url,
	};
	const char *text = arena_printf(telling->arena, "%s %s", report->state, report->step);
	bool told = false;
	int again;

	if (text_same(json_text(memo, "said"), text))
		return PART_QUIET;
	again = about_to_say(telling, memo, text, err);
	if (again < 0
	    || (again
		&& deployments_was_told(github, report->repository, id, &status, &told, err) < 0))
		return -1;
	if (!told && deployments_tell(github, report->repository, id, &status, err) < 0)
		return -1;
	return was_said(memo, text);
}

static int advance_deployment(struct telling *telling, json_t *memo, struct err *err)
{
	const struct report *report = telling->report;
	int64_t id = json_integer_at(memo, "id", 0);
	int rc;

	if (!report->commit || never_began(report, memo))
		return PART_QUIET;
	if (id == 0) {
		rc = make_deployment(telling, memo, err);
		id = json_integer_at(memo, "id", 0);
		if (rc != PART_QUIET)
			return rc;
	}
	if (text_same(report->state, "queued"))
		return PART_QUIET; /* which is what a new one is */
	return tell_deployment(telling, memo, id, err);
}

const struct outbox_part outbox_deployment = {"deployment", advance_deployment};

/* The one that was live before is so no more. GitHub would do that by itself for the whole
 * environment, but other services may live there too. */
static int advance_retire(struct telling *telling, json_t *memo, struct err *err)
{
	const struct report *report = telling->report;
	json_auto json_t *last = report->last ? json_loads(report->last, 0, NULL) : NULL;
	int64_t id = json_integer_at(last, "deployment.id", 0);
	const struct deployments_status status = {
		.state = DEPLOYMENTS_INACTIVE,
		.description = "Replaced",
	};
	bool told = false;
	int again;

	if (!text_same(report->state, "succeeded") || id == 0 || json_text(memo, "said")
	    || id == json_integer_at(telling->memo, "deployment.id", 0))
		return PART_QUIET;
	again = about_to_say(telling, memo, "inactive", err);
	if (again < 0
	    || (again
		&& deployments_was_told(telling->outbox->github, report->repository, id, &status,
					&told, err)
			   < 0))
		return -1;
	if (!told
	    && deployments_tell(telling->outbox->github, report->repository, id, &status, err) < 0)
		return -1;
	return was_said(memo, "inactive");
}

const struct outbox_part outbox_retire = {"retire", advance_retire};

static int advance_status(struct telling *telling, json_t *memo, struct err *err)
{
	const struct report *report = telling->report;
	struct github *github = telling->outbox->github;
	const struct checks_commit_status status = {
		.repository = report->repository,
		.commit = report->commit,
		.state = words_of(report)->status,
		.context = arena_printf(telling->arena, "slipway/%s/%s", report->environment,
					report->service),
		.description = sentence(telling, false),
		.target_url = telling->log ? telling->log : report->url,
	};
	bool is = false;
	int again;

	if (!status.state || !report->commit || never_began(report, memo)
	    || text_same(json_text(memo, "said"), report->state))
		return PART_QUIET;
	again = about_to_say(telling, memo, report->state, err);
	if (again < 0 || (again && checks_status_is(github, &status, &is, err) < 0))
		return -1;
	if (!is && checks_post_status(github, &status, err) < 0)
		return -1;
	return was_said(memo, report->state);
}

const struct outbox_part outbox_status = {"status", advance_status};

static void add_row(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(out, "| %s | ", name);
	buf_add_html(out, value);
	buf_adds(out, " |\n");
}

static void add_time(struct buf *out, const char *name, int64_t seconds)
{
	char text[CLOCK_TEXT_SIZE];

	if (seconds == 0)
		return;
	clock_text(seconds, text);
	add_row(out, name, text);
}

static const char *summary(const struct telling *telling)
{
	const struct report *report = telling->report;
	cleanup(buf_free) struct buf out = BUF_INIT(16 * 1024);

	buf_adds(&out, "| | |\n|---|---|\n");
	add_row(&out, "Service", report->service);
	add_row(&out, "Environment", report->environment);
	add_row(&out, "Commit", report->commit);
	add_row(&out, "Step", report->step);
	add_row(&out, "Version", report->version);
	add_row(&out, "Before it", report->previous);
	add_row(&out, "URL", report->url);
	add_time(&out, "Queued", report->created_at);
	add_time(&out, "Started", report->started_at);
	add_time(&out, "Ended", report->finished_at);
	add_row(&out, "Error", report->error);
	return arena_strdup(telling->arena, buf_text(&out));
}

static int send_check(struct telling *telling, json_t *memo, const struct checks_run *run,
		      struct err *err)
{
	struct github *github = telling->outbox->github;
	int64_t id = json_integer_at(memo, "id", 0);
	int again;

	if (id > 0)
		return checks_update(github, id, run, err);
	again = about_to_begin(telling, memo, err);
	if (again < 0 || (again && checks_find(github, run, &id, err) < 0))
		return -1;
	if (id > 0 ? checks_update(github, id, run, err) < 0
		   : checks_create(github, run, &id, err) < 0)
		return -1;
	json_object_set_new(memo, "id", json_integer(id));
	return 0;
}

static int advance_check(struct telling *telling, json_t *memo, struct err *err)
{
	const struct report *report = telling->report;
	const struct words *words = words_of(report);
	const struct checks_run run = {
		.repository = report->repository,
		.commit = report->commit,
		.name = arena_printf(telling->arena, "slipway/%s/%s", report->environment,
				     report->service),
		.external_id = telling->key,
		.details_url = telling->log,
		.status = words->conclusion ? "completed" : "in_progress",
		.conclusion = words->conclusion,
		.title = words->sentence,
		.summary = summary(telling),
	};

	if (!words->status || !report->commit || never_began(report, memo)
	    || text_same(json_text(memo, "said"), report->state))
		return PART_QUIET;
	if (send_check(telling, memo, &run, err) < 0)
		return -1;
	return was_said(memo, report->state);
}

const struct outbox_part outbox_check = {"check", advance_check};

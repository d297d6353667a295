#include "action/mark.h"

#include "base/buf.h"
#include "github/checks.h"

#define SUMMARY_LIMIT (16 * 1024)

static const char *status_state(const struct result *result)
{
	if (!result)
		return "pending";
	switch (result->outcome) {
	case OUTCOME_LIVE:
		return "success";
	case OUTCOME_UNKNOWN:
	case OUTCOME_CANCELLED:
	case OUTCOME_LOST:
		return "error";
	default:
		return "failure";
	}
}

static const char *conclusion(const struct result *result)
{
	switch (result->outcome) {
	case OUTCOME_LIVE:
		return "success";
	case OUTCOME_CANCELLED:
	case OUTCOME_LOST:
		return "cancelled";
	case OUTCOME_SUPERSEDED:
		return "neutral";
	default:
		return "failure";
	}
}

static int show_status(struct github *github, const struct mark *mark, struct err *err)
{
	const struct result *result = mark->result;
	autofree char *context =
		xprintf("slipway/%s/%s", mark->plan->service, mark->plan->environment);
	const struct checks_commit_status status = {
		.repository = mark->repository,
		.commit = mark->plan->commit,
		.state = status_state(result),
		.context = context,
		.description = !result                           ? "being deployed"
			       : result->outcome == OUTCOME_LIVE ? "live"
								 : result->err.text,
		.target_url = mark->url,
	};

	return checks_post_status(github, &status, err);
}

/* Code, so that nothing in it is Markdown: what an app said may be in an error's text. */
static void add_code(struct buf *out, const char *text)
{
	buf_adds(out, "\n    ");
	for (; *text; text++)
		buf_addc(out, *text == '\n' || *text == '\r' ? ' ' : *text);
	buf_adds(out, "\n");
}

static void add_summary(const struct mark *mark, struct buf *out)
{
	const struct result *result = mark->result;

	if (!result) {
		buf_adds(out, "It is being deployed.");
		return;
	}
	if (result->outcome == OUTCOME_LIVE) {
		buf_adds(out, "The new version was seen serving.\n");
		if (result->progress.url)
			add_code(out, result->progress.url);
		if (result->progress.version)
			add_code(out, result->progress.version);
		return;
	}
	buf_adds(out, result->outcome == OUTCOME_ROLLED_BACK
			      ? "It isn't live; the version before serves again.\n"
			      : "It isn't live.\n");
	add_code(out, result->err.text);
}

static int show_check(struct github *github, const struct mark *mark, struct err *err)
{
	cleanup(buf_free) struct buf summary = BUF_INIT(SUMMARY_LIMIT);
	autofree char *name =
		xprintf("slipway / %s / %s", mark->plan->service, mark->plan->environment);
	struct checks_run run = {
		.repository = mark->repository,
		.commit = mark->plan->commit,
		.name = name,
		.external_id = mark->key,
		.details_url = mark->url,
		.status = mark->result ? "completed" : "in_progress",
		.conclusion = mark->result ? conclusion(mark->result) : NULL,
		.title = !mark->result                           ? "Being deployed"
			 : mark->result->outcome == OUTCOME_LIVE ? "Live"
								 : "Not live",
	};
	int64_t id = 0;

	add_summary(mark, &summary);
	run.summary = buf_text(&summary);
	if (checks_find(github, &run, &id, err))
		return -1;
	return id ? checks_update(github, id, &run, err) : checks_create(github, &run, &id, err);
}

int mark_show(struct github *github, const struct mark *mark, struct err *err)
{
	return mark->kind == MARK_CHECK ? show_check(github, mark, err)
					: show_status(github, mark, err);
}

#include "action/reporter.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

struct reporter {
	struct observer observer;
	struct reporter_options options;
	struct unfinished unfinished;
	const char *path;          /* of the service, in the project's folder */
	int64_t began, stop_began; /* ticks */
	enum reporter_stop stopped;
};

#define REPORTER(observer) ((struct reporter *)(observer))

static void keep(struct reporter *reporter)
{
	struct err err = ERR_INIT;

	if (unfinished_write(reporter->options.data, &reporter->unfinished, &err))
		workflow_say(reporter->options.workflow, "warning: %s", err.text);
}

/* Build, test and release print lines of the project's own tools. */
static bool runs_tools(enum step step)
{
	return step == STEP_BUILD || step == STEP_TEST || step == STEP_RELEASE;
}

static void began(struct observer *observer, enum step step)
{
	struct reporter *reporter = REPORTER(observer);

	reporter->unfinished.step = step;
	if (step >= STEP_PUBLISH)
		keep(reporter);
	if (reporter->options.around)
		reporter->options.around(reporter->options.self, step, true);
	reporter->began = clock_ticks(reporter->options.clock);
	workflow_group(reporter->options.workflow, step_name(step));
	summary_step(reporter->options.summary, step);
}

static void said(struct observer *observer, enum step step, const char *line, size_t size)
{
	struct reporter *reporter = REPORTER(observer);

	workflow_text(reporter->options.workflow, line, size);
	summary_line(reporter->options.summary, line, size);
	if (runs_tools(step))
		annotations_line(reporter->options.annotations, line, size);
}

/* Tools run in the service's folder; absolute paths name what lies below that or beside it. */
static void note_folder(struct reporter *reporter, const char *folder)
{
	annotations_from(reporter->options.annotations, folder, reporter->options.prefix,
			 reporter->path);
}

static int ended(struct observer *observer, enum step step, enum step next,
		 const struct progress *progress, struct err *err)
{
	struct reporter *reporter = REPORTER(observer);
	const struct reporter_options *options = &reporter->options;
	bool failed = step != STEP_ROLLBACK && (next == STEP_ROLLBACK || next == STEP_FAILED);
	int64_t took = (clock_ticks(options->clock) - reporter->began) / 100;

	if (options->around)
		options->around(options->self, step, false);
	annotations_step(options->annotations, failed && runs_tools(step));
	summary_step_end(options->summary, failed);
	workflow_group_end(options->workflow);
	workflow_say(options->workflow, "%-8s %s after %lld.%lld s", step_name(step),
		     failed ? "failed" : "done", (long long)took / 10, (long long)took % 10);
	if (step == STEP_FETCH && progress->folder)
		note_folder(reporter, progress->folder);
	reporter->unfinished.step = next;
	reporter->unfinished.progress = *progress;
	return unfinished_write(options->data, &reporter->unfinished, err);
}

static void note_stop(struct reporter *reporter, enum reporter_stop why, int64_t now)
{
	struct workflow *workflow = reporter->options.workflow;

	if (reporter->stopped != REPORTER_NOT)
		return;
	reporter->stopped = why;
	reporter->stop_began = now;
	if (why == REPORTER_TIME_UP)
		workflow_say(workflow, "the time of input 'wait-timeout' is up; stopping in order");
	else
		workflow_say(
			workflow,
			"the runner asked us to stop; stopping in order: what can't be done in "
			"%lld s is left to the post step",
			(long long)(reporter->options.budget / 1000));
}

static int alive(struct observer *observer)
{
	struct reporter *reporter = REPORTER(observer);
	const struct reporter_options *options = &reporter->options;
	int64_t now = clock_ticks(options->clock);
	int stop = options->stop ? *options->stop : 0;

	if (stop > 0 && reporter->stopped == REPORTER_TIME_UP) {
		reporter->stopped = REPORTER_NOT;
		note_stop(reporter, REPORTER_CANCELLED, now);
	}
	if (stop > 0)
		note_stop(reporter, REPORTER_CANCELLED, now);
	else if (options->deadline > 0 && now >= options->deadline)
		note_stop(reporter, REPORTER_TIME_UP, now);
	if (stop > 0
	    && (stop > 1 || now - reporter->stop_began >= options->budget
		|| reporter->stopped == REPORTER_HANDED_OVER)) {
		reporter->stopped = REPORTER_HANDED_OVER;
		return OBSERVER_LOST;
	}
	return reporter->stopped == REPORTER_NOT ? 0 : OBSERVER_CANCEL;
}

static void secret(struct observer *observer, const char *value)
{
	workflow_mask(REPORTER(observer)->options.workflow, value);
}

void reporter_begin(struct reporter *reporter, const struct plan *plan,
		    const struct project_service *service, const char *target, int64_t fence)
{
	const struct reporter_options *options = &reporter->options;

	reporter->unfinished =
		(struct unfinished){.service = plan->service,
				    .environment = plan->environment,
				    .commit = plan->commit,
				    .config = plan->config,
				    .work = plan->work,
				    .job = plan->job,
				    .fence = fence,
				    .revive = plan->revive,
				    .step = plan->revive ? STEP_PUBLISH : STEP_FETCH};
	reporter->path = service->path ? service->path : ".";
	summary_service(options->summary, plan->service, plan->environment, target);
	keep(reporter);
}

void reporter_deployment(struct reporter *reporter, int64_t deployment)
{
	reporter->unfinished.deployment = deployment;
	keep(reporter);
}

/* It was stopped because time was up, and everything is known: that isn't somebody's wish. */
static void put_right(struct result *result)
{
	bool touched = result->progress.version && result->failed >= STEP_PUBLISH;

	if (result->outcome != OUTCOME_CANCELLED)
		return;
	result->outcome = touched ? OUTCOME_ROLLED_BACK : OUTCOME_FAILED;
	err_set(&result->err, ERR_LIMIT, 0, "%s: the time of input 'wait-timeout' is up",
		step_name(result->failed));
}

void reporter_end(struct reporter *reporter, struct result *result)
{
	const struct reporter_options *options = &reporter->options;

	if (reporter->stopped == REPORTER_TIME_UP)
		put_right(result);
	if (result->outcome == OUTCOME_LOST) {
		workflow_group_end(options->workflow);
		err_set(&result->err, ERR_CANCELLED, 0,
			"%s: cancelled before it could end in order; the post step goes on with it",
			step_name(result->failed));
	} else {
		unfinished_forget(options->data);
	}
}

enum reporter_stop reporter_stopped(const struct reporter *reporter)
{
	return reporter->stopped;
}

int64_t reporter_gone_by(const struct reporter *reporter)
{
	bool asked = reporter->stopped == REPORTER_CANCELLED
		     || reporter->stopped == REPORTER_HANDED_OVER;

	return asked ? reporter->stop_began + reporter->options.budget : 0;
}

struct reporter *reporter_new(const struct reporter_options *options)
{
	struct reporter *reporter = xalloc(sizeof *reporter);

	reporter->observer = (struct observer){
		.began = began, .said = said, .ended = ended, .alive = alive, .secret = secret};
	reporter->options = *options;
	return reporter;
}

struct observer *reporter_observer(struct reporter *reporter)
{
	return &reporter->observer;
}

void reporter_free(struct reporter *reporter)
{
	free(reporter);
}

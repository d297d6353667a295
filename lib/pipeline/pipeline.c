#include "pipeline/pipeline.h"

#include <ctype.h>
#include <string.h>

#include "base/child.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "pipeline/steps.h"

static const struct {
	const char *name;
	int (*function)(struct run *run, struct err *err);
	enum step next, otherwise;
} table[STEP_COUNT] = {
	[STEP_FETCH] = {"fetch", step_fetch, STEP_BUILD, STEP_FAILED},
	[STEP_BUILD] = {"build", step_build, STEP_TEST, STEP_FAILED},
	[STEP_TEST] = {"test", step_test, STEP_RELEASE, STEP_FAILED},
	[STEP_RELEASE] = {"release", step_release, STEP_PUBLISH, STEP_FAILED},
	[STEP_PUBLISH] = {"publish", step_publish, STEP_SHIFT, STEP_ROLLBACK},
	[STEP_SHIFT] = {"shift", step_shift, STEP_VERIFY, STEP_ROLLBACK},
	[STEP_VERIFY] = {"verify", step_verify, STEP_RETIRE, STEP_ROLLBACK},
	[STEP_ROLLBACK] = {"rollback", step_rollback, STEP_FAILED, STEP_FAILED},
	[STEP_RETIRE] = {"retire", step_retire, STEP_DONE, STEP_DONE},
	[STEP_DONE] = {"done", NULL, STEP_DONE, STEP_DONE},
	[STEP_FAILED] = {"failed", NULL, STEP_FAILED, STEP_FAILED},
};

const char *step_name(enum step step)
{
	return table[step].name;
}

int step_find(const char *name)
{
	for (int i = 0; i < STEP_COUNT; i++)
		if (text_same(table[i].name, name))
			return i;
	return -1;
}

/* A text that was cut at its end may end with the beginning of a secret: that is left out. */
static void redact_cut(const struct redactor *redactor, const char *text, size_t size,
		       struct buf *clean)
{
	cleanup(buf_free) struct buf beginning = BUF_INIT(SIZE_MAX);
	struct redact_stream stream;

	redact_stream_begin(&stream, redactor);
	redact_stream_add(&stream, text, size, clean);
	redact_stream_end(&stream, &beginning);
}

/* Without secrets, on one line, and UTF-8 even when a child's output wasn't. */
static void clean_text(const struct run *run, struct err *err)
{
	cleanup(buf_free) struct buf clean = BUF_INIT(4 * sizeof err->text);
	size_t size = strlen(err->text);
	bool utf8;

	if (size < sizeof err->text - 1)
		redactor_apply(run->world->redactor, err->text, size, &clean);
	else
		redact_cut(run->world->redactor, err->text, size, &clean);
	utf8 = text_is_utf8(buf_text(&clean), clean.size);
	for (char *at = clean.data; at && *at; at++)
		if (iscntrl((unsigned char)*at) || (!utf8 && (unsigned char)*at >= 128))
			*at = utf8 ? ' ' : '?';
	err_set(err, err->kind, err->code, "%s", buf_text(&clean));
}

static void say_logs(struct run *run)
{
	cleanup(buf_free) struct buf text = BUF_INIT(64 * 1024);
	const struct target *target = run->environment->target;
	struct err err = ERR_INIT;

	if (!target->logs || !run->deploy.version || target->logs(&run->deploy, &text, &err))
		return;
	if (text.size > 0) {
		run_say(run, "the last lines that the app logged:");
		run_say_lines(run, text.data, text.size);
	}
}

/* Where a failure leads to, after it was told and kept. */
static enum step fail(struct run *run, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (run->stop && run->step < STEP_ROLLBACK)
		err_set(err, ERR_CANCELLED, 0, "cancelled");
	err_within(err, "%s", step_name(run->step));
	clean_text(run, err);
	if (run->step == STEP_RETIRE) {
		run_say(run, "warning: it is live, but tidying up failed: %s", err->text);
		return STEP_DONE;
	}
	run_say(run, "%s", err->text);
	if (run->step == STEP_ROLLBACK) {
		run->undone = *err;
	} else {
		run->failed = run->step;
		run->failure = *err;
		run->ending = run->deploy.ending;
		if (run->touched && run->ready && !run->stop)
			say_logs(run);
	}
	if (run_keep_failure(run, run->step == STEP_ROLLBACK ? "undone" : "failure", run->step, err,
			     &ignored))
		run_say(run, "warning: %s", ignored.text);
	return run->touched && run->ending == ENDING_OPEN ? table[run->step].otherwise
							  : STEP_FAILED;
}

static const char *facts_text(const struct run *run)
{
	cleanup(buf_free) struct buf text = BUF_INIT(64 * 1024);

	if (json_object_size(run->deploy.facts) == 0)
		return NULL;
	buf_add_json(&text, run->deploy.facts);
	return arena_strdup(run->arena, buf_text(&text));
}

static struct progress progress_of(const struct run *run)
{
	const struct deploy *deploy = &run->deploy;

	return (struct progress){.version = deploy->version,
				 .previous = deploy->previous,
				 .url = deploy->url,
				 .memo = deploy->memo,
				 .built = run->artifact.image,
				 .image = deploy->image,
				 .facts = facts_text(run),
				 .folder = run->folder,
				 .target = run->ready ? run->environment->target->name : NULL};
}

static enum step keep(struct run *run, enum step next)
{
	const struct progress progress = progress_of(run);
	struct err err = ERR_INIT;
	int result =
		run->world->observer->ended(run->world->observer, run->step, next, &progress, &err);

	if (result > 0)
		run->stop = OBSERVER_LOST;
	if (result >= 0)
		return next;
	err_within(&err, "store the progress");
	/* Nothing takes traffic while what a rollback needs isn't stored. */
	if (next <= STEP_SHIFT)
		return fail(run, &err);
	run_say(run, "warning: %s", err.text);
	return next;
}

/* What the plan says of the first step of this run. */
static int check_abandoned(const char **why, struct err *err)
{
	const char *text = *why;

	*why = NULL;
	return text ? err_set(err, ERR_SYSTEM, 0, "%s", text) : 0;
}

static void go_on(struct run *run)
{
	struct observer *observer = run->world->observer;
	const char *abandon = run->plan->abandon;

	while (run->step < STEP_DONE) {
		struct err err = ERR_INIT;
		enum step next = table[run->step].next;
		bool failed;

		observer->began(observer, run->step);
		failed = run_tick(run) || check_abandoned(&abandon, &err) || run_check(run, &err)
			 || table[run->step].function(run, &err);
		if (run->stop == OBSERVER_LOST)
			return;
		if (failed)
			next = fail(run, &err);
		next = keep(run, next);
		if (run->stop == OBSERVER_LOST)
			return;
		run->step = next;
	}
}

static enum step first_step(const struct run *run, enum step first)
{
	if (run->plan->revive && first < STEP_PUBLISH)
		return STEP_PUBLISH;
	/* The checkout of an earlier try may be gone: a new machine, a cleaned disk. */
	if (first > STEP_FETCH && first < STEP_PUBLISH
	    && (!run->folder || !file_exists(run->folder)))
		return STEP_FETCH;
	/* The same of its image, when nothing was published of it yet. */
	if (first > STEP_BUILD && first < STEP_PUBLISH && run_image_is_gone(run))
		return STEP_BUILD;
	return first;
}

static void recall(struct run *run)
{
	enum step ignored;

	run->touched =
		run_marked(run, "publish") || (run->step >= STEP_SHIFT && run->step <= STEP_RETIRE);
	if (run->step != STEP_ROLLBACK && run->step != STEP_FAILED)
		return;
	if (!run_recall_failure(run, "failure", &run->failed, &run->failure))
		err_set(&run->failure, ERR_SYSTEM, 0,
			"an earlier try failed, and what it noted about it is gone");
	if (run->step == STEP_FAILED)
		(void)run_recall_failure(run, "undone", &ignored, &run->undone);
}

static enum outcome outcome_of(const struct run *run)
{
	if (run->stop == OBSERVER_LOST)
		return OUTCOME_LOST;
	if (run->step == STEP_DONE)
		return OUTCOME_LIVE;
	if (run->undone.kind != ERR_NONE)
		return OUTCOME_UNKNOWN;
	if (run->failure.kind == ERR_CANCELLED)
		return OUTCOME_CANCELLED;
	if (run->failure.kind == ERR_USAGE && (!run->touched || run->ending == ENDING_AS_BEFORE))
		return OUTCOME_USAGE;
	switch (run->ending) {
	case ENDING_GOES_ON:
		return OUTCOME_UNKNOWN;
	case ENDING_SUPERSEDED:
		return OUTCOME_SUPERSEDED;
	case ENDING_REVERTED:
		return OUTCOME_ROLLED_BACK;
	case ENDING_AS_BEFORE:
		return OUTCOME_FAILED;
	case ENDING_OPEN:
		break;
	}
	return run_marked(run, "shift") ? OUTCOME_ROLLED_BACK : OUTCOME_FAILED;
}

static void conclude(struct run *run, struct result *result)
{
	struct err ignored = ERR_INIT;

	*result = (struct result){.outcome = outcome_of(run),
				  .failed = run->step == STEP_DONE ? STEP_DONE : run->failed,
				  .progress = progress_of(run)};
	if (result->outcome == OUTCOME_LIVE)
		return;
	result->err = run->failure;
	if (result->outcome == OUTCOME_LOST) {
		result->failed = run->step;
		err_set(&result->err, ERR_CONFLICT, 0, "%s: the deployment isn't ours any more",
			step_name(run->step));
		return;
	}
	if (run->undone.kind != ERR_NONE)
		err_set(&result->err, run->failure.kind, run->failure.code, "%.230s; then %.230s",
			run->failure.text, run->undone.text);
	if (!run->touched && run->folder && file_remove_tree(run->folder, &ignored))
		run_say(run, "warning: %s", ignored.text);
}

void pipeline_run(const struct plan *plan, enum step first, const struct progress *saved,
		  int64_t fence, struct world *world, struct arena *arena, struct result *result)
{
	struct run run;

	run_begin(&run, plan, saved, fence, world, arena);
	run.step = first_step(&run, first);
	if (run.step == STEP_FETCH)
		run.folder = NULL;
	recall(&run);
	/* Of an earlier try whose worker was killed: no step might come to it, when this one fails
	 * before it runs anything. */
	child_kill_marked(plan->job);
	if (run.artifact.image)
		run_remove_containers(&run);
	go_on(&run);
	conclude(&run, result);
	run_end(&run);
}

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/api.h"
#include "target/app_runner/follow.h"
#include "target/app_runner/shape.h"
#include "target/app_runner/steps.h"
#include "target/app_runner/submit.h"
#include "target/app_runner/wish.h"
#include "target/aws/live.h"
#include "target/aws/open.h"

#define PROBE_SECONDS    10
#define LOOK_GOOD_MS     1000
#define LOOK_BAD_MS      10000
#define ROLLBACK_SECONDS 1800
#define RETIRE_SECONDS   300

json_t *wish_of(const struct job *job)
{
	const char *image = job_recall(job, "image");

	return shape_wish(job->settings, job->deploy->app, job->settings->code ? NULL : image,
			  job_recall(job, "scaling"));
}

static int64_t later(const struct job *job, int64_t seconds)
{
	return clock_ticks(job->site->clock) + 1000 * seconds;
}

/* ---- shift ---- */

static int not_submitted(struct job *job, struct err *err)
{
	bool sent = job_recall(job, "sent") != NULL;

	/* Nobody knows whether App Runner took it. */
	job_ends(job, sent ? ENDING_GOES_ON : ENDING_AS_BEFORE);
	if (sent)
		job_say(job, "App Runner may have begun with it; look at %s", job_console(job));
	else if (err->kind == ERR_CANCELLED)
		job_say(job, "stopped before anything was changed");
	return -1;
}

static int shift(struct job *job, struct err *err)
{
	json_auto json_t *wish = wish_of(job);
	int result = 0;

	if (!job_recall(job, "operation"))
		result = submit(job, wish, err);
	if (result < 0)
		return not_submitted(job, err);
	/* The waiting for others isn't App Runner's time for ours. */
	job->deadline = later(job, job->settings->wait_timeout);
	if (result != SUBMIT_NOTHING)
		return follow(job, wish, err);
	job_note(job, "status", "UNCHANGED");
	job_save(job);
	return follow_judge(job, wish, err);
}

int app_runner_shift(struct deploy *deploy, struct err *err)
{
	cleanup(job_close) struct job job;

	if (job_open(&job, deploy, err))
		return -1;
	job.deadline = later(&job, job.settings->wait_timeout + job.settings->busy_timeout);
	return shift(&job, err);
}

/* ---- probe ---- */

/* Does our version run, by AWS's word? Not asked with every look of the pipeline's, which come four
 * times a second. */
static int is_ours(struct job *job, bool answers, struct err *err)
{
	int64_t now = clock_ticks(job->site->clock), *looked = aws_open_looked(job->deploy);
	json_auto json_t *wish = NULL;

	if (*looked && now - *looked < (answers ? LOOK_GOOD_MS : LOOK_BAD_MS))
		return 0;
	wish = wish_of(job);
	job->deadline = later(job, PROBE_SECONDS * 3);
	if (api_describe(job, err))
		return -1;
	if (api_status(job) == API_BUSY)
		return err_set(err, ERR_TRANSIENT, 0, "the service is busy");
	if (follow_check(job, wish, err))
		return -1;
	*looked = now ? now : 1;
	return 0;
}

static void say_private(struct job *job)
{
	if (job_recall(job, "private"))
		return;
	job_say(job, "the service is private: its URL can't be looked at from here");
	job_note(job, "private", "true");
	job_save(job);
}

int app_runner_probe(struct deploy *deploy, enum probe *probe, struct err *err)
{
	cleanup(job_close) struct job job;
	struct err unanswered = ERR_INIT;
	int asked = 0;

	*probe = PROBE_WAITING;
	if (job_open(&job, deploy, err))
		return -1;
	if (!job_recall(&job, "sent") && !job_recall(&job, "status"))
		return 0; /* not asked for yet */
	if (deploy->url)
		asked = aws_live_ask(job.site, deploy->app->health, deploy->url, &unanswered);
	if (is_ours(&job, asked == 0, err)) {
		*probe = deploy->ending == ENDING_OPEN ? PROBE_WAITING : PROBE_BAD;
		return *probe == PROBE_BAD ? 0 : -1;
	}
	if (asked) {
		*err = unanswered;
		return -1;
	}
	if (!deploy->url)
		say_private(&job);
	*probe = PROBE_GOOD;
	return 0;
}

/* ---- rollback ---- */

/* There was nothing before: the service stays, with its URL, and serves nothing. */
static int to_nothing(struct job *job, struct err *err)
{
	json_auto json_t *answer = NULL;

	if (api_status(job) != API_RUNNING)
		return 0;
	job_say(job, "nothing was live before: pausing the service");
	if (api_read(job, "PauseService", json_pack("{s:s}", "ServiceArn", job->arn), &answer, err))
		return -1;
	job->looks = 0;
	do {
		if (job_pause(job, job->deadline, err) || api_describe(job, err))
			return -1;
	} while (api_status(job) == API_BUSY);
	if (api_status(job) == API_PAUSED || api_status(job) == API_GONE)
		return 0;
	return err_set(err, ERR_REMOTE, 0, "the service couldn't be paused; look at %s",
		       job_console(job));
}

/* What was live. When its tag was moved by our push, its image is there still, by its digest. */
static json_t *goal_of(const struct job *job, const json_t *wish)
{
	const json_t *previous = json_object_get(job->memo, "previous");
	const char *digest = job_recall(job, "before-digest");
	json_t *goal = previous ? json_deep_copy(previous) : NULL;

	if (goal && digest && shape_same_source(previous, wish))
		json_object_set_new(json_at(goal, "SourceConfiguration.ImageRepository"),
				    "ImageIdentifier", json_string(digest));
	return goal;
}

static int send_back(struct job *job, const json_t *goal, json_t *change, struct err *err)
{
	int result;

	job_say(job, "going back to %s", shape_runs(goal));
	json_object_set_new(change, "ServiceArn", json_string(job->arn));
	job_note(job, "lost", NULL);
	result = submit_change(job, "UPDATE_SERVICE", change, err);
	if (result == SUBMIT_AGAIN)
		return err_set(err, ERR_TRANSIENT, 0, "App Runner took no change");
	if (result)
		return -1;
	job_note(job, "undoing", "true");
	job_save(job);
	return follow(job, goal, err);
}

static int to_previous(struct job *job, const json_t *wish, const json_t *goal, struct err *err)
{
	bool went_live = text_same(job_recall(job, "status"), "SUCCEEDED");
	json_auto json_t *live = shape_live(job->service), *change = shape_change(live, goal);

	if (json_object_size(change) == 0 && (!went_live || !shape_same_source(goal, wish)))
		return 0;
	if (!shape_same_source(live, wish)) {
		job_say(job, "the service runs %s by now, which isn't ours to take back",
			shape_runs(live));
		return 0;
	}
	if (json_object_size(change) > 0)
		return send_back(job, goal, take(change), err);
	return err_set(
		err, ERR_REMOTE, 0,
		"the version before had the same image name, %s: App Runner can't be told to "
		"go back to it; push the old image again, and deploy",
		shape_runs(goal));
}

static int rollback(struct job *job, struct err *err)
{
	json_auto json_t *wish = wish_of(job), *goal = goal_of(job, wish);

	job->deadline = later(job, ROLLBACK_SECONDS);
	if (job_recall(job, "undoing"))
		return follow(job, goal, err);
	if (!job_recall(job, "sent"))
		return 0;
	if (api_find(job, err) || submit_wait(job, err))
		return -1;
	if (!job->service)
		return 0;
	return goal ? to_previous(job, wish, goal, err) : to_nothing(job, err);
}

int app_runner_rollback(struct deploy *deploy, struct err *err)
{
	cleanup(job_close) struct job job;

	if (job_open(&job, deploy, err))
		return -1;
	*err = (struct err)ERR_INIT;
	if (rollback(&job, err))
		return -1;
	if (job_recall(&job, "sent"))
		target_fact(deploy, "rolled-back", "true");
	return 0;
}

/* ---- retire ---- */

static bool has_tag(const json_t *tags, const struct field_pair *tag)
{
	json_t *item;
	size_t i;

	json_array_foreach((json_t *)tags, i, item)
	{
		if (text_same(json_text(item, "Key"), tag->name))
			return text_same(json_text(item, "Value"), tag->value);
	}
	return false;
}

static int set_tags(struct job *job, struct err *err)
{
	json_auto json_t *there = NULL, *answer = NULL;
	json_t *missing = json_array();

	if (api_read(job, "ListTagsForResource", json_pack("{s:s}", "ResourceArn", job->arn),
		     &there, err)) {
		json_decref(missing);
		return -1;
	}
	for (const struct field_pair *tag = job->settings->tags; tag && tag->name; tag++)
		if (!has_tag(json_object_get(there, "Tags"), tag))
			json_array_append_new(missing, json_pack("{s:s,s:s}", "Key", tag->name,
								 "Value", tag->value));
	if (json_array_size(missing) == 0) {
		json_decref(missing);
		return 0;
	}
	return api_read(job, "TagResource",
			json_pack("{s:s,s:o}", "ResourceArn", job->arn, "Tags", missing), &answer,
			err);
}

static int pause_after(struct job *job, struct err *err)
{
	json_auto json_t *answer = NULL;

	job_say(job, "pausing the service (pause-after)");
	if (api_read(job, "PauseService", json_pack("{s:s}", "ServiceArn", job->arn), &answer, err))
		return err_within(err, "pause-after");
	return 0;
}

int app_runner_retire(struct deploy *deploy, struct err *err)
{
	cleanup(job_close) struct job job;
	struct err tags = ERR_INIT;

	if (job_open(&job, deploy, err))
		return -1;
	job.deadline = later(&job, RETIRE_SECONDS);
	if (job.settings->tags && job.arn && set_tags(&job, &tags))
		job_say(&job, "warning: it is live, but its tags couldn't be set: %s", tags.text);
	return job.settings->pause_after && job.arn ? pause_after(&job, err) : 0;
}

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/live.h"
#include "target/aws/open.h"
#include "target/ecs_express/api.h"
#include "target/ecs_express/follow.h"
#include "target/ecs_express/shape.h"
#include "target/ecs_express/steps.h"
#include "target/ecs_express/submit.h"

#define PROBE_SECONDS  30
#define LOOK_GOOD_MS   1000
#define LOOK_BAD_MS    10000
#define RETIRE_SECONDS 300

static json_t *wish_of(const struct express *job)
{
	return express_shape_wish(job->settings, job->deploy->app, express_recall(job, "image"));
}

/* ---- shift ---- */

static int not_submitted(struct express *job, struct err *err)
{
	bool sent = express_recall(job, "sent") != NULL;

	/* Nobody knows whether ECS took it. */
	express_ends(job, sent ? ENDING_GOES_ON : ENDING_AS_BEFORE);
	if (sent)
		express_say(job, "ECS may have begun with it; look at %s", express_console(job));
	else if (err->kind == ERR_CANCELLED)
		express_say(job, "stopped before anything was changed");
	return -1;
}

static int shift(struct express *job, struct err *err)
{
	json_auto json_t *wish = wish_of(job);
	bool known = express_recall(job, "deployment") || express_recall(job, "revision");
	int result = 0;

	if (!known)
		result = express_submit(job, wish, err);
	else if (express_find(job, err))
		return -1;
	if (result < 0)
		return not_submitted(job, err);
	/* The waiting for others isn't ECS's time for ours. */
	job->deadline = express_later(job, job->settings->wait_timeout);
	if (express_recall(job, "sent"))
		return express_follow(job, wish, err);
	express_note(job, "status", "UNCHANGED");
	express_save(job);
	return express_judge(job, wish, err);
}

int express_shift(struct deploy *deploy, struct err *err)
{
	cleanup(express_close) struct express job;

	if (express_open(&job, deploy, err))
		return -1;
	job.deadline = express_later(&job, job.settings->wait_timeout + job.settings->busy_timeout);
	return shift(&job, err);
}

/* ---- probe ---- */

/* Is it our revision that runs, by AWS's word? Not asked with every look of the pipeline's, which
 * come four times a second. */
static int is_ours(struct express *job, bool answers, struct err *err)
{
	int64_t now = clock_ticks(job->site->clock), *looked = aws_open_looked(job->deploy);
	json_auto json_t *wish = NULL;

	if (*looked && now - *looked < (answers ? LOOK_GOOD_MS : LOOK_BAD_MS))
		return 0;
	wish = wish_of(job);
	job->deadline = express_later(job, PROBE_SECONDS);
	if (express_find(job, err) || express_judge_now(job, wish, err))
		return -1;
	*looked = now ? now : 1;
	return 0;
}

/* No URL: because it is private, or because it isn't told yet. */
static int without_url(struct express *job, enum probe *probe, struct err *err)
{
	const json_t *active = express_active(job->service, express_recall(job, "revision"));

	if (!express_recall(job, "private") && !express_is_private(active)) {
		*aws_open_looked(job->deploy) = 0;
		return err_set(err, ERR_TRANSIENT, 0, "ECS hasn't told the service's URL yet");
	}
	if (!express_recall(job, "private"))
		express_say(job, "the service is private: its URL can't be looked at from here");
	express_note(job, "private", "true");
	express_save(job);
	*probe = PROBE_GOOD;
	return 0;
}

int express_probe(struct deploy *deploy, enum probe *probe, struct err *err)
{
	cleanup(express_close) struct express job;
	struct err unanswered = ERR_INIT;
	int asked = 0;

	*probe = PROBE_WAITING;
	if (express_open(&job, deploy, err))
		return -1;
	if (!express_recall(&job, "status"))
		return 0; /* not shifted yet */
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
		return without_url(&job, probe, err);
	*probe = PROBE_GOOD;
	return 0;
}

/* ---- rollback ---- */

/* There was nothing before: what we made goes again. */
static int to_nothing(struct express *job, struct err *err)
{
	json_auto json_t *answer = NULL;

	if (!text_same(express_recall(job, "sent"), "create"))
		return err_set(err, ERR_REMOTE, 0,
			       "nothing was live before, and the service isn't ours to delete: it "
			       "runs the version that failed; look at %s",
			       express_console(job));
	express_say(job, "nothing was live before: deleting the service that we made");
	if (express_read(job, "DeleteExpressGatewayService",
			 json_pack("{s:s}", "serviceArn", job->arn), &answer, err)
	    && !aws_error_is(aws_last(job->aws), "ServiceNotActiveException"))
		return -1;
	return 0;
}

/* 1: there is something to take back. 0: somebody else's is there by now, or ECS went back itself.
 */
static int is_ours_to_take_back(struct express *job, struct err *err)
{
	json_auto json_t *newest = NULL;
	const char *deployment = express_recall(job, "deployment");

	if (express_newest(job, &newest, err))
		return -1;
	if (deployment && !text_same(json_text(newest, "serviceDeploymentArn"), deployment)) {
		express_say(job, "a newer deployment is there by now, which isn't ours to take "
				 "back");
		return 0;
	}
	return express_state(job, json_text(newest, "status")) != EXPRESS_ROLLED_BACK;
}

static void begin_undoing(struct express *job)
{
	static const char *const parts[] = {"sent",     "lost",       "before",
					    "revision", "deployment", "status"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		express_note(job, parts[i], NULL);
	express_note(job, "undoing", "true");
	express_save(job);
}

/* A tag that both versions are named by may stand for ours by now. */
static int is_certain(struct express *job, const json_t *goal, struct err *err)
{
	const char *image = express_shape_image(goal);

	if (!image || strchr(image, '@') || !text_same(image, express_recall(job, "image")))
		return 1;
	return err_set(err, ERR_REMOTE, 0,
		       "the settings are those of before, but the version before had the same "
		       "image name, %.150s, which may stand for the one that failed: push the old "
		       "image again and deploy, or use image-by-digest",
		       image);
}

/* 1: it went back. */
static int rollback(struct express *job, struct err *err)
{
	json_t *goal = json_object_get(job->memo, "previous");
	int mine;

	job->deadline = express_later(job, job->settings->wait_timeout);
	if (!express_recall(job, "undoing")) {
		if (!express_recall(job, "sent"))
			return 0;
		if (express_find(job, err))
			return -1;
		if (express_status(job) != EXPRESS_ACTIVE)
			return 0;
		mine = is_ours_to_take_back(job, err);
		if (mine <= 0)
			return mine;
		if (!goal)
			return to_nothing(job, err) ? -1 : 1;
		express_say(job, "going back to %s", express_shape_image(goal));
		begin_undoing(job);
	}
	if (!express_recall(job, "revision") && express_submit_back(job, goal, err))
		return -1;
	if (express_find(job, err))
		return -1;
	return express_follow(job, goal, err) ? -1 : is_certain(job, goal, err);
}

int express_rollback(struct deploy *deploy, struct err *err)
{
	cleanup(express_close) struct express job;
	int result;

	if (express_open(&job, deploy, err))
		return -1;
	*err = (struct err)ERR_INIT;
	result = rollback(&job, err);
	if (result > 0)
		target_fact(deploy, "rolled-back", "true");
	return result < 0 ? -1 : 0;
}

/* ---- retire ---- */

static bool has_tag(const json_t *tags, const struct field_pair *tag)
{
	json_t *item;
	size_t i;

	json_array_foreach((json_t *)tags, i, item)
	{
		if (text_same(json_text(item, "key"), tag->name))
			return text_same(json_text(item, "value"), tag->value);
	}
	return false;
}

static int set_tags(struct express *job, struct err *err)
{
	json_auto json_t *there = NULL, *answer = NULL, *missing = json_array();

	if (express_find(job, err)
	    || express_read(job, "ListTagsForResource", json_pack("{s:s}", "resourceArn", job->arn),
			    &there, err))
		return -1;
	for (const struct field_pair *tag = job->settings->tags; tag->name; tag++)
		if (!has_tag(json_object_get(there, "tags"), tag))
			json_array_append_new(missing, json_pack("{s:s,s:s}", "key", tag->name,
								 "value", tag->value));
	if (json_array_size(missing) == 0)
		return 0;
	return express_read(job, "TagResource",
			    json_pack("{s:s,s:O}", "resourceArn", job->arn, "tags", missing),
			    &answer, err);
}

int express_retire(struct deploy *deploy, struct err *err)
{
	cleanup(express_close) struct express job;
	struct err tags = ERR_INIT;

	if (express_open(&job, deploy, err))
		return -1;
	job.deadline = express_later(&job, RETIRE_SECONDS);
	if (job.settings->tags && set_tags(&job, &tags))
		express_say(&job, "warning: it is live, but its tags couldn't be set: %s",
			    tags.text);
	return 0;
}

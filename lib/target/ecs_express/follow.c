#include "target/ecs_express/follow.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/ecs_express/api.h"
#include "target/ecs_express/shape.h"
#include "target/ecs_express/submit.h"

#define SAY_EVERY_MS   30000
#define ACTIVE_SECONDS 60 /* a description may be late by so much */

struct watch {
	const char *said, *stage; /* what was told last */
	int64_t began, told;
	const char *status, *reason; /* as it was last seen; status "" when nothing was yet */
};

static const char *short_of(const char *arn)
{
	const char *slash = arn ? strrchr(arn, '/') : NULL;

	return slash ? slash + 1 : "(not in the list yet)";
}

static const char *deployment_of(const struct express *job)
{
	return short_of(express_recall(job, "deployment"));
}

static void fact(struct express *job, const char *name, const char *value)
{
	if (!express_recall(job, "undoing"))
		target_fact(job->deploy, name, value);
}

/* ---- looking ---- */

static void tell(struct express *job, struct watch *watch, const char *stage)
{
	int64_t now = clock_ticks(job->site->clock);

	if (text_same(watch->said, watch->status) && text_same(watch->stage, stage)
	    && now - watch->told < SAY_EVERY_MS)
		return;
	watch->said = watch->status;
	watch->stage = stage;
	watch->told = now;
	express_say(job, "deployment: %s%s%s, %lld s of at most %lld s",
		    *watch->status ? watch->status : "not in the list yet", stage ? ", " : "",
		    stage ? stage : "", (long long)(now - watch->began) / 1000,
		    (long long)job->settings->wait_timeout);
}

/* One look at our deployment. */
static int look(struct express *job, const json_t *wish, struct watch *watch, struct err *err)
{
	json_auto json_t *row = NULL;
	const char *arn = express_recall(job, "deployment"), *status, *reason;

	if (!arn && express_find_sent(job, express_shape_image(wish), err) < 0)
		return -1;
	arn = express_recall(job, "deployment");
	if (!arn) {
		tell(job, watch, NULL);
		return 0;
	}
	if (express_deployment(job, arn, &row, err))
		return -1;
	status = json_text(row, "status");
	reason = json_text(row, "rollback.reason");
	if (!reason)
		reason = json_text(row, "statusReason");
	if (status)
		watch->status = arena_strdup(job->arena, status);
	if (reason && !text_same(reason, watch->reason))
		watch->reason = arena_strdup(job->arena, reason);
	if (!express_recall(job, "revision") && json_text(row, "targetServiceRevision.arn")) {
		express_note(job, "revision", json_text(row, "targetServiceRevision.arn"));
		express_save(job);
	}
	tell(job, watch, arena_strdup(job->arena, json_text(row, "lifecycleStage")));
	return 0;
}

/* ---- how it ended ---- */

static int gone(struct express *job, struct err *err)
{
	express_ends(job, ENDING_AS_BEFORE);
	return err_set(err, ERR_CONFLICT, 0,
		       "the service was deleted by somebody else while deployment %s was under way",
		       deployment_of(job));
}

static int timed_out(struct express *job, const char *status, struct err *err)
{
	express_ends(job, ENDING_GOES_ON);
	return err_set(
		err, ERR_LIMIT, 0,
		"ECS hasn't ended deployment %s within %lld s (wait-timeout): %s; it goes on "
		"without us, and may yet go live or be rolled back: look at %s",
		deployment_of(job), (long long)job->settings->wait_timeout,
		*status ? status : "not in the list", express_console(job));
}

/* What goes wrong while we look doesn't change what ECS does. */
static int lost_sight(struct express *job, struct err *err)
{
	express_ends(job, ENDING_GOES_ON);
	if (err->kind == ERR_CANCELLED) {
		express_say(
			job,
			"stopped waiting; ECS goes on with deployment %s: look at %s, or end it "
			"by aws ecs stop-service-deployment",
			deployment_of(job), express_console(job));
		return -1;
	}
	return err_within(err, "deployment %s goes on, but we can't look at it any more",
			  deployment_of(job));
}

/* The newest deployment, when it isn't ours: its ARN. */
static const char *newer_than_ours(struct express *job)
{
	json_auto json_t *newest = NULL;
	struct err ignored = ERR_INIT;
	const char *arn;

	if (express_newest(job, &newest, &ignored))
		return NULL;
	arn = json_text(newest, "serviceDeploymentArn");
	return arn && !text_same(arn, express_recall(job, "deployment"))
		       ? arena_strdup(job->arena, arn)
		       : NULL;
}

static int superseded(struct express *job, const char *newer, struct err *err)
{
	const char *runs = json_text(express_active(job->service, NULL), "primaryContainer.image");

	express_ends(job, ENDING_SUPERSEDED);
	return err_set(err, ERR_CONFLICT, 0,
		       "superseded by deployment %s: it came while ours (%s) was under way; the "
		       "service runs %.150s",
		       short_of(newer), deployment_of(job), runs ? runs : "(nothing)");
}

static int stopped(struct express *job, const struct watch *watch, struct err *err)
{
	const char *newer = newer_than_ours(job);
	struct err ignored = ERR_INIT;

	if (express_describe(job, &ignored) == 0 && express_status(job) != EXPRESS_ACTIVE)
		return gone(job, err);
	if (newer)
		return superseded(job, newer, err);
	return err_set(err, ERR_REMOTE, 0, "somebody stopped deployment %s in ECS%s%.200s",
		       deployment_of(job), watch->reason ? ": " : "",
		       watch->reason ? watch->reason : "");
}

static int rolled_back(struct express *job, const struct watch *watch, struct err *err)
{
	const char *reason = watch->reason ? watch->reason : "ECS gives no reason";

	if (!json_object_get(job->memo, "previous")) {
		express_ends(job, ENDING_AS_BEFORE);
		return err_set(err, ERR_REMOTE, 0,
			       "ECS couldn't deploy the service's first version (%s, %s): %.250s",
			       deployment_of(job), watch->status, reason);
	}
	express_ends(job, ENDING_REVERTED);
	fact(job, "rolled-back", "true");
	return err_set(
		err, ERR_REMOTE, 0,
		"ECS couldn't deploy it and went back to the version before (%s, %s): %.250s",
		deployment_of(job), watch->status, reason);
}

static int stuck_back(struct express *job, const struct watch *watch, struct err *err)
{
	const char *reason = watch->reason ? watch->reason : "ECS gives no reason";

	if (!json_object_get(job->memo, "previous"))
		return rolled_back(job, watch, err);
	express_ends(job, ENDING_GOES_ON);
	return err_set(err, ERR_REMOTE, 0,
		       "ECS couldn't deploy it, and couldn't go back to the version before either "
		       "(%s, %s): %.180s; the service may be down: look at %s",
		       deployment_of(job), watch->status, reason, express_console(job));
}

static int failed(struct express *job, enum express_state state, const struct watch *watch,
		  struct err *err)
{
	if (state == EXPRESS_STOPPED)
		return stopped(job, watch, err);
	return state == EXPRESS_STUCK_BACK ? stuck_back(job, watch, err)
					   : rolled_back(job, watch, err);
}

/* Is there anything left to wait for? */
static int still_there(struct express *job, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (express_describe(job, &ignored) || express_status(job) == EXPRESS_ACTIVE)
		return 0;
	if (job->service && express_status(job) == EXPRESS_DRAINING && job->odd_said)
		return 0;
	return gone(job, err);
}

static int wait_for_end(struct express *job, const json_t *wish, struct err *err)
{
	struct watch watch = {.began = clock_ticks(job->site->clock), .status = ""};

	job->looks = 0;
	for (;;) {
		enum express_state state;

		if (look(job, wish, &watch, err) && err->kind != ERR_TRANSIENT
		    && err->kind != ERR_LIMIT)
			return lost_sight(job, err);
		state = express_state(job, watch.status);
		fact(job, "deployment-status", *watch.status ? watch.status : "PENDING");
		if (state == EXPRESS_SUCCESSFUL)
			return 0;
		if (state != EXPRESS_UNDERWAY)
			return failed(job, state, &watch, err);
		if (still_there(job, err))
			return -1;
		if (express_pause(job, job->deadline, err) == 0)
			continue;
		return err->kind == ERR_LIMIT ? timed_out(job, watch.status, err)
					      : lost_sight(job, err);
	}
}

/* ---- is it ours that serves? ---- */

int express_judge_now(struct express *job, const json_t *wish, struct err *err)
{
	const char *revision = express_recall(job, "revision"), *newer;
	const char *image = express_shape_image(wish), *runs;

	if (express_status(job) != EXPRESS_ACTIVE)
		return gone(job, err);
	express_facts(job);
	if (!revision || !express_is_active(job->service, revision)) {
		newer = newer_than_ours(job);
		if (newer && express_recall(job, "deployment"))
			return superseded(job, newer, err);
		return err_set(err, ERR_TRANSIENT, 0,
			       "deployment %s is SUCCESSFUL, but its revision isn't active",
			       deployment_of(job));
	}
	runs = json_text(express_active(job->service, revision), "primaryContainer.image");
	if (text_same(runs, image))
		return 0;
	express_ends(job, ENDING_SUPERSEDED);
	return err_set(err, ERR_CONFLICT, 0, "our revision runs %.150s, not %.150s",
		       runs ? runs : "(nothing)", image);
}

int express_judge(struct express *job, const json_t *wish, struct err *err)
{
	int64_t until = express_later(job, ACTIVE_SECONDS);

	if (until > job->deadline)
		until = job->deadline;
	job->looks = 0;
	for (;;) {
		struct err pause = ERR_INIT;
		int unseen = express_describe(job, err);

		if (unseen && err->kind != ERR_TRANSIENT)
			return lost_sight(job, err);
		if (!unseen) {
			int result = express_judge_now(job, wish, err);

			if (result == 0 || err->kind != ERR_TRANSIENT)
				return result;
		}
		if (express_pause(job, until, &pause) == 0)
			continue;
		if (pause.kind == ERR_LIMIT) {
			err->kind = ERR_REMOTE;
			return express_ends(job, ENDING_GOES_ON);
		}
		*err = pause;
		return lost_sight(job, err);
	}
}

int express_follow(struct express *job, const json_t *wish, struct err *err)
{
	if (job->service)
		express_facts(job);
	if (wait_for_end(job, wish, err))
		return -1;
	express_note(job, "status", "SUCCESSFUL");
	express_save(job);
	return express_judge(job, wish, err);
}

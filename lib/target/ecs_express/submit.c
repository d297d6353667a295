#include "target/ecs_express/submit.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/open.h"
#include "target/ecs_express/api.h"
#include "target/ecs_express/hint.h"
#include "target/ecs_express/shape.h"

#define AGAIN 2 /* not done, and worth another look */

#define ROLE_PAUSE_MS 5000
#define ROLE_TRIES    24 /* two minutes */
#define LOST_LOOKS    5

/* ---- waiting for others ---- */

static int busy_for_long(struct express *job, const char *what, struct err *err)
{
	return err_set(err, ERR_LIMIT, 0,
		       "the service was busy for %lld s (busy-timeout): %s; nothing was changed; "
		       "look at %s",
		       (long long)job->settings->busy_timeout, what, express_console(job));
}

static int busy_pause(struct express *job, const char *what, struct err *err)
{
	if (!job->busy_deadline) {
		job->busy_deadline = express_later(job, job->settings->busy_timeout);
		job->looks = 0;
		if (job->settings->on_busy == EXPRESS_BUSY_FAIL)
			return err_set(err, ERR_CONFLICT, 0,
				       "the service is busy (%s), and on-busy is 'fail'; nothing "
				       "was changed",
				       what);
		express_say(job, "the service is busy (%s): waiting, for at most %lld s", what,
			    (long long)job->settings->busy_timeout);
	}
	if (express_pause(job, job->busy_deadline, err) == 0)
		return 0;
	return err->kind == ERR_LIMIT ? busy_for_long(job, what, err) : -1;
}

/* What it is busy with, NULL when with nothing. In the arena. */
static int busy_with(struct express *job, const char **what, struct err *err)
{
	json_auto json_t *newest = NULL;
	const char *arn, *status;

	*what = NULL;
	if (express_status(job) == EXPRESS_GONE)
		return 0;
	if (express_status(job) == EXPRESS_DRAINING) {
		*what = "it is being deleted";
		return 0;
	}
	if (express_newest(job, &newest, err))
		return -1;
	arn = json_text(newest, "serviceDeploymentArn");
	status = json_text(newest, "status");
	if (arn && express_state(job, status) == EXPRESS_UNDERWAY)
		*what = arena_printf(job->arena, "deployment %s is %s", strrchr(arn, '/') + 1,
				     status);
	return 0;
}

int express_wait(struct express *job, struct err *err)
{
	for (;;) {
		const char *what;

		if (busy_with(job, &what, err))
			return -1;
		if (!what)
			return 0;
		if (busy_pause(job, what, err))
			return -1;
		if (express_describe(job, err) && err->kind != ERR_TRANSIENT)
			return -1;
	}
}

/* ---- one change ---- */

static void take_back(struct express *job)
{
	express_note(job, "sent", NULL);
	express_note(job, "lost", NULL);
	express_save(job);
}

static void accepted(struct express *job, const json_t *answer)
{
	const json_t *service = json_object_get(answer, "service");
	const json_t *made = json_array_get(json_object_get(service, "activeConfigurations"), 0);
	const char *revision = json_text(service, "targetConfiguration.serviceRevisionArn");

	if (!revision && text_same(express_recall(job, "sent"), "create"))
		revision = json_text(made, "serviceRevisionArn");
	express_note(job, "revision", revision);
	express_note(job, "lost", NULL);
	express_save(job);
	target_fact(job->deploy, "service-arn", job->arn);
}

/* The role was made a moment ago, or it doesn't trust ECS: only time tells the two apart. */
static int role_refused(struct express *job, struct err *err)
{
	const char *text = aws_last(job->aws)->message;
	struct err refusal = *err;

	if (job->refusals++ < ROLE_TRIES) {
		if (job->refusals == 1)
			express_say(job, "ECS can't use the role yet (%s); trying again", text);
		return aws_pause(job->site, ROLE_PAUSE_MS, job->deadline, err) ? -1 : AGAIN;
	}
	return err_set(err, ERR_AUTH, refusal.code,
		       "%.280s; execution-role and task-role must trust ecs-tasks.amazonaws.com, "
		       "infrastructure-role ecs.amazonaws.com",
		       refusal.text);
}

static bool is_there(const struct aws_error *last)
{
	return strstr(last->message, "not idempotent") || strstr(last->message, "already exists");
}

static bool is_busy(const struct aws_error *last)
{
	return aws_error_is(last, "ServiceNotActiveException")
	       || aws_error_is(last, "ServiceNotFoundException")
	       || aws_error_is(last, "ResourceNotFoundException")
	       || aws_error_is(last, "ConflictException")
	       || aws_error_is(last, "UpdateInProgressException")
	       || strstr(last->message, "in progress");
}

static int refused(struct express *job, struct err *err)
{
	const struct aws_error *last = aws_last(job->aws);

	/* Asked a second time because the first answer was lost: this refusal may be that one's
	 * doing. */
	if (!express_recall(job, "lost") || !(is_there(last) || is_busy(last)))
		take_back(job);
	if (err->kind == ERR_CANCELLED)
		return -1;
	if (is_there(last)) {
		express_say(job, "a service '%s' is there by now: taking that one", job->name);
		return express_pause(job, job->deadline, err) ? -1 : AGAIN;
	}
	if (is_busy(last))
		return busy_pause(job, arena_strdup(job->arena, last->message), err) ? -1 : AGAIN;
	if (strstr(last->message, "nable to assume") || strstr(last->message, "be assumed"))
		return role_refused(job, err);
	express_hint(job, err);
	return -1;
}

/* `kind`: "create", "update". The body is taken over. */
static int send(struct express *job, const char *kind, json_t *body, struct err *err)
{
	bool create = strcmp(kind, "create") == 0;
	json_auto json_t *answer = NULL, *newest = NULL, *own = body;
	const char *before;
	int result;

	if (!express_recall(job, "lost")) {
		if (job->service && express_newest(job, &newest, err))
			return -1;
		before = json_text(newest, "serviceDeploymentArn");
		express_note(job, "before", before ? before : "");
	}
	express_note(job, "sent", kind);
	express_note(job, "revision", NULL);
	express_note(job, "deployment", NULL);
	express_save(job);
	result = express_change(
		job, create ? "CreateExpressGatewayService" : "UpdateExpressGatewayService",
		json_incref(own), &answer, err);
	if (result == 0) {
		accepted(job, answer);
		return 0;
	}
	if (result < 0)
		return refused(job, err);
	express_say(job, "nobody knows whether ECS took it (%s): looking", err->text);
	express_note(job, "lost", "true");
	express_save(job);
	return AGAIN;
}

/* ---- what is ours already ---- */

static void adopt(struct express *job, const json_t *row)
{
	const char *arn = json_text(row, "serviceDeploymentArn");

	express_note(job, "deployment", arn);
	express_note(job, "revision", json_text(row, "targetServiceRevisionArn"));
	express_save(job);
	if (express_recall(job, "undoing"))
		return;
	target_fact(job->deploy, "deployment-arn", arn);
	target_fact(job->deploy, "service-arn", job->arn);
}

static int is_ours(struct express *job, const json_t *row, const char *image, bool *ours,
		   struct err *err)
{
	const char *revision = json_text(row, "targetServiceRevisionArn"), *runs;
	const char *known = express_recall(job, "revision");

	*ours = known && text_same(revision, known);
	if (known || !revision || !json_text(row, "serviceDeploymentArn"))
		return 0;
	if (express_revision_image(job, revision, &runs, err))
		return -1;
	*ours = text_same(runs, image);
	return 0;
}

int express_find_sent(struct express *job, const char *image, struct err *err)
{
	json_auto json_t *rows = NULL;

	if (express_after(job, express_recall(job, "before"), &rows, err))
		return -1;
	/* The oldest that fits: a later one with the same image is somebody else's. */
	for (size_t i = json_array_size(rows); i > 0; i--) {
		const json_t *row = json_array_get(rows, i - 1);
		bool ours;

		if (is_ours(job, row, image, &ours, err))
			return -1;
		if (!ours)
			continue;
		adopt(job, row);
		return 1;
	}
	return 0;
}

/* An earlier request of ours whose answer we never read: 1 when its deployment is there, 0 when it
 * surely wasn't done. */
static int look_for_sent(struct express *job, const char *image, struct err *err)
{
	for (unsigned look = 0; look < LOST_LOOKS; look++) {
		int found;

		if (look > 0
		    && (aws_pause(job->site, aws_poll(job->site, look * 2), job->deadline, err)
			|| express_describe(job, err)))
			return -1;
		if (!job->service)
			continue;
		found = express_find_sent(job, image, err);
		if (found < 0)
			return -1;
		if (found) {
			express_say(job, "ECS has it: deployment %s",
				    express_recall(job, "deployment"));
			return 1;
		}
	}
	take_back(job);
	return 0;
}

/* ---- by the service's state ---- */

static json_t *tags_of(const struct express_settings *settings)
{
	json_t *tags = json_array();

	for (const struct field_pair *tag = settings->tags; tag && tag->name; tag++)
		json_array_append_new(
			tags, json_pack("{s:s,s:s}", "key", tag->name, "value", tag->value));
	return tags;
}

static int create(struct express *job, const json_t *wish, struct err *err)
{
	json_auto json_t *merged = express_shape_merge(NULL, wish, false);
	json_t *body = express_shape_send(merged), *tags = tags_of(job->settings);

	json_object_set_new(body, "serviceName", json_string(job->name));
	json_object_set_new(body, "cluster", json_string(job->cluster));
	json_object_set_new(body, "infrastructureRoleArn",
			    json_string(job->settings->infrastructure_role));
	if (json_array_size(tags) > 0)
		json_object_set(body, "tags", tags);
	json_decref(tags);
	express_say(job, "creating service '%s' in cluster '%s'", job->name, job->cluster);
	return send(job, "create", body, err);
}

static int update(struct express *job, const json_t *change, struct err *err)
{
	json_t *body = express_shape_send(change);

	json_object_set_new(body, "serviceArn", json_string(job->arn));
	return send(job, "update", body, err);
}

/* ECS lays a change upon the newest revision. When that isn't the one that serves (its deployment
 * failed), what isn't sent would come from there. */
static int is_base_live(struct express *job, const json_t *live, bool *is, struct err *err)
{
	json_auto json_t *newest = NULL;
	const char *revision;

	if (express_newest(job, &newest, err))
		return -1;
	revision = json_text(newest, "targetServiceRevisionArn");
	*is = !revision || text_same(json_text(live, "serviceRevisionArn"), revision);
	return 0;
}

static int deploy_active(struct express *job, const json_t *wish, struct err *err)
{
	const json_t *active = express_active(job->service, NULL), *group;
	json_auto json_t *live = active ? express_shape_live(active) : NULL;
	json_auto json_t *merged =
		express_shape_merge(live, wish, job->settings->env_mode == EXPRESS_ENV_REPLACE);
	json_auto json_t *change = express_shape_change(live, merged);
	const char *name;
	bool whole;

	if (is_base_live(job, active, &whole, err))
		return -1;
	if (!whole || !live)
		return update(job, merged, err);
	json_object_foreach(change, name, group) express_say(job, "changing %s", name);
	if (json_object_size(change) > 0)
		return update(job, change, err);
	if (job->settings->skip_if_unchanged) {
		express_say(job, "image and settings are what runs already: nothing to do");
		express_note(job, "revision", json_text(active, "serviceRevisionArn"));
		express_save(job);
		return EXPRESS_NOTHING;
	}
	express_say(job, "image and settings are as they were: deploying it anew");
	json_object_set(change, "primaryContainer", json_object_get(merged, "primaryContainer"));
	return update(job, change, err);
}

static int once(struct express *job, const json_t *wish, struct err *err)
{
	if (express_find(job, err))
		return -1;
	if (express_recall(job, "sent") && !express_recall(job, "revision")) {
		int found = look_for_sent(job, express_shape_image(wish), err);

		if (found)
			return found < 0 ? -1 : 0;
		if (express_find(job, err))
			return -1;
	}
	if (express_wait(job, err))
		return -1;
	return express_status(job) == EXPRESS_GONE ? create(job, wish, err)
						   : deploy_active(job, wish, err);
}

int express_submit(struct express *job, const json_t *wish, struct err *err)
{
	int result;

	do
		result = once(job, wish, err);
	while (result == AGAIN);
	return result;
}

static int back(struct express *job, const json_t *goal, struct err *err)
{
	if (express_find(job, err))
		return -1;
	if (express_recall(job, "sent") && !express_recall(job, "revision")) {
		int found = look_for_sent(job, express_shape_image(goal), err);

		if (found)
			return found < 0 ? -1 : 0;
	}
	if (express_status(job) != EXPRESS_ACTIVE)
		return err_set(err, ERR_CONFLICT, 0, "the service was deleted by somebody else");
	return update(job, goal, err);
}

int express_submit_back(struct express *job, const json_t *goal, struct err *err)
{
	int result;

	do
		result = back(job, goal, err);
	while (result == AGAIN);
	return result;
}

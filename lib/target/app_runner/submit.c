#include "target/app_runner/submit.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/api.h"
#include "target/app_runner/hint.h"
#include "target/app_runner/shape.h"
#include "target/aws/open.h"

#define ROLE_PAUSE_MS 5000
#define ROLE_TRIES    24 /* two minutes */
#define LOST_LOOKS    4
#define AUTO_LOOKS    4

static const struct {
	const char *type, *call;
} changes[] = {
	{"CREATE_SERVICE", "CreateService"},     {"UPDATE_SERVICE", "UpdateService"},
	{"START_DEPLOYMENT", "StartDeployment"}, {"PAUSE_SERVICE", "PauseService"},
	{"RESUME_SERVICE", "ResumeService"},     {"DELETE_SERVICE", "DeleteService"},
};

static const char *call_of(const char *type)
{
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		if (strcmp(changes[i].type, type) == 0)
			return changes[i].call;
	return type;
}

/* ---- one change ---- */

static void take_back(struct job *job)
{
	job_note(job, "sent", NULL);
	job_save(job);
}

static int accepted(struct job *job, const json_t *answer, struct err *err)
{
	const char *id = json_text(answer, "OperationId");
	const char *arn = json_text(answer, "Service.ServiceArn");

	if (arn && !job->arn)
		job->arn = arena_strdup(job->arena, arn);
	job_note(job, "arn", job->arn);
	job_note(job, "operation", id && *id ? id : NULL);
	job_save(job);
	if (id && *id)
		target_fact(job->deploy, "operation-id", id);
	if (arn)
		target_fact(job->deploy, "service-arn", arn);
	if (!job->arn)
		return err_set(err, ERR_REMOTE, 0, "App Runner: an answer without ServiceArn");
	return 0;
}

/* The role was made a moment ago, or it doesn't trust App Runner: only time tells the two apart. */
static int role_refused(struct job *job, struct err *err)
{
	const char *text = aws_last(job->aws)->message;
	bool instance = strstr(text, "instance role") != NULL;
	struct err refusal = *err;

	if (job->refusals++ < ROLE_TRIES) {
		if (job->refusals == 1)
			job_say(job, "App Runner can't use the role yet (%s); trying again", text);
		return aws_pause(job->site, ROLE_PAUSE_MS, job->deadline, err) ? -1 : SUBMIT_AGAIN;
	}
	return err_set(err, ERR_AUTH, refusal.code,
		       "%.300s; its trust policy must name %s.apprunner.amazonaws.com",
		       refusal.text, instance ? "tasks" : "build");
}

static int refused(struct job *job, const char *type, struct err *err)
{
	const struct aws_error *last = aws_last(job->aws);
	bool there = strstr(last->message, "already exists") != NULL;

	/* Asked a second time because the first answer was lost: this refusal may be that one's
	 * doing. */
	if (!job_recall(job, "lost") || !(there || api_is_busy(job)))
		take_back(job);
	if (err->kind == ERR_CANCELLED)
		return -1;
	if (api_is_busy(job)) {
		job_say(job, "App Runner takes no change now (%s)", last->message);
		return SUBMIT_AGAIN;
	}
	if (there) {
		job_say(job, "a service '%s' is there by now: taking that one", job->name);
		job->arn = NULL;
		return SUBMIT_AGAIN;
	}
	if (strstr(last->message, "assuming access role") || strstr(last->message, "instance role"))
		return role_refused(job, err);
	hint_add(job, type, err);
	return -1;
}

int submit_change(struct job *job, const char *type, json_t *body, struct err *err)
{
	json_auto json_t *answer = NULL, *own = body;
	const char *before = "";
	int result;

	if (job_recall(job, "lost"))
		before = job_recall(job, "before");
	else if (job->arn && api_newest(job, &before, err))
		return -1;
	job_note(job, "sent", type);
	job_note(job, "before", before ? before : "");
	job_note(job, "operation", NULL);
	job_save(job);
	result = api_change(job, call_of(type), json_incref(own), &answer, err);
	if (result == 0)
		return accepted(job, answer, err);
	if (result < 0)
		return refused(job, type, err);
	job_say(job, "nobody knows whether App Runner took it (%s): looking", err->text);
	job_note(job, "lost", "true");
	job_save(job);
	return SUBMIT_AGAIN;
}

/* ---- waiting for others ---- */

static int busy_for_long(struct job *job, struct err *err)
{
	const char *id = NULL;
	struct err ignored = ERR_INIT;

	if (!job->arn || api_newest(job, &id, &ignored))
		id = NULL;
	return err_set(err, ERR_LIMIT, 0,
		       "the service was busy for %lld s (busy-timeout)%s%s; nothing was changed; "
		       "look at %s",
		       (long long)job->settings->busy_timeout,
		       id && *id ? "; its newest operation is " : "", id && *id ? id : "",
		       job_console(job));
}

static int busy_pause(struct job *job, struct err *err)
{
	int64_t now = clock_ticks(job->site->clock);

	if (!job->busy_deadline) {
		job->busy_deadline = now + 1000 * job->settings->busy_timeout;
		job->looks = 0;
		if (job->settings->on_busy == ON_BUSY_FAIL)
			return err_set(err, ERR_CONFLICT, 0,
				       "the service is busy with another operation, and on-busy is "
				       "'fail'; nothing was changed");
		job_say(job, "the service is busy: waiting, for at most %lld s",
			(long long)job->settings->busy_timeout);
	}
	if (job_pause(job, job->busy_deadline, err) == 0)
		return 0;
	return err->kind == ERR_LIMIT ? busy_for_long(job, err) : -1;
}

int submit_wait(struct job *job, struct err *err)
{
	for (;;) {
		if (api_status(job) != API_BUSY)
			return 0;
		if (busy_pause(job, err))
			return -1;
		if (api_describe(job, err) && err->kind != ERR_TRANSIENT)
			return -1;
	}
}

/* ---- what is ours already ---- */

static void adopt(struct job *job, const char *id)
{
	job_note(job, "operation", id);
	job_note(job, "arn", job->arn);
	job_save(job);
	target_fact(job->deploy, "operation-id", id);
}

/* An earlier request of ours whose answer we never read: 1 when its operation is there, 0 when it
 * surely wasn't done. */
static int find_sent(struct job *job, struct err *err)
{
	const char *sent = job_recall(job, "sent"), *id = NULL;

	for (int look = 0; look < LOST_LOOKS; look++) {
		if (look > 0
		    && (aws_pause(job->site, aws_poll(job->site, (unsigned)look * 2), job->deadline,
				  err)
			|| api_find(job, err)))
			return -1;
		if (!job->service)
			continue;
		if (api_after(job, job_recall(job, "before"), sent, &id, err))
			return -1;
		if (!id)
			continue;
		job_say(job, "App Runner has it: operation %s", id);
		adopt(job, id);
		return 1;
	}
	take_back(job);
	return 0;
}

/* What App Runner began by itself when our push moved the tag. */
static int find_auto(struct job *job, struct err *err)
{
	const char *before = job_recall(job, "auto"), *id = NULL;

	for (unsigned look = 0; before && look < AUTO_LOOKS; look++) {
		if (look > 0 && aws_pause(job->site, aws_poll(job->site, look), job->deadline, err))
			return -1;
		if (api_after(job, before, "START_DEPLOYMENT", &id, err))
			return -1;
		if (!id)
			continue;
		job_say(job, "App Runner has begun to deploy the image by itself: operation %s",
			id);
		job_note(job, "sent", "START_DEPLOYMENT");
		adopt(job, id);
		return 1;
	}
	return 0;
}

/* ---- by the service's state ---- */

static int create(struct job *job, const json_t *wish, struct err *err)
{
	json_t *merged = NULL, *body;

	if (shape_merge(&merged, NULL, wish, false, err))
		return -1;
	body = shape_create(job->settings, merged);
	json_decref(merged);
	json_object_set_new(body, "ServiceName", json_string(job->name));
	job_say(job, "creating service '%s'", job->name);
	return submit_change(job, "CREATE_SERVICE", body, err);
}

static int update(struct job *job, json_t *change, struct err *err)
{
	const char *name;
	json_t *group;

	json_object_foreach(change, name, group) job_say(job, "changing %s", name);
	json_object_set_new(change, "ServiceArn", json_string(job->arn));
	return submit_change(job, "UPDATE_SERVICE", change, err);
}

static int start(struct job *job, struct err *err)
{
	job_say(job, "image and settings are as they were: deploying it anew");
	return submit_change(job, "START_DEPLOYMENT", json_pack("{s:s}", "ServiceArn", job->arn),
			     err);
}

static int deploy_running(struct job *job, const json_t *wish, struct err *err)
{
	json_auto json_t *live = shape_live(job->service), *merged = NULL, *change = NULL;
	int found;

	if (shape_merge(&merged, live, wish, job->settings->env_mode == ENV_REPLACE, err))
		return -1;
	change = shape_change(live, merged);
	if (json_object_size(change) > 0)
		return update(job, take(change), err);
	found = find_auto(job, err);
	if (found)
		return found < 0 ? -1 : 0;
	if (job->settings->skip_if_unchanged) {
		job_say(job, "image and settings are what runs already: nothing to do");
		return SUBMIT_NOTHING;
	}
	return start(job, err);
}

static int resume(struct job *job, struct err *err)
{
	json_auto json_t *answer = NULL;

	if (job->settings->on_paused == ON_PAUSED_FAIL)
		return err_set(
			err, ERR_CONFLICT, 0,
			"the service is paused, and on-paused is 'fail'; nothing was changed");
	if (job->resumed)
		return err_set(
			err, ERR_REMOTE, 0,
			"the service is paused, and App Runner couldn't resume it; look at %s",
			job_console(job));
	job_say(job, "the service is paused: resuming it first");
	job->resumed = true;
	/* Twice does no harm, and there may be no operation to track. */
	if (api_read(job, "ResumeService", json_pack("{s:s}", "ServiceArn", job->arn), &answer, err)
	    && !api_is_busy(job))
		return -1;
	/* The description may be late. */
	return aws_pause(job->site, aws_poll(job->site, 0), job->deadline, err) ? -1 : SUBMIT_AGAIN;
}

static int delete_failed(struct job *job, struct err *err)
{
	return err_set(
		err, ERR_REMOTE, 0,
		"App Runner couldn't delete the service (DELETE_FAILED), and can't change one "
		"that is so; delete it at %s, then deploy again",
		job_console(job));
}

static int recreate(struct job *job, struct err *err)
{
	json_auto json_t *answer = NULL;

	job_say(job, "deleting the service whose creation failed");
	if (api_read(job, "DeleteService", json_pack("{s:s}", "ServiceArn", job->arn), &answer, err)
	    && !api_is_busy(job) && err->kind != ERR_ABSENT)
		return -1;
	job->looks = 0;
	do {
		if (job_pause(job, job->deadline, err) || api_describe(job, err))
			return -1;
	} while (api_status(job) == API_BUSY);
	if (api_status(job) == API_DELETE_FAILED)
		return delete_failed(job, err);
	if (api_status(job) == API_GONE)
		job->arn = NULL;
	return SUBMIT_AGAIN;
}

static int rebuild(struct job *job, const json_t *wish, struct err *err)
{
	json_auto json_t *live = shape_live(job->service), *merged = NULL;
	int result;

	if (job->settings->on_create_failed == ON_CREATE_FAILED_FAIL)
		return err_set(err, ERR_CONFLICT, 0,
			       "the service's creation failed earlier, and on-create-failed is "
			       "'fail'; nothing was changed");
	if (job->recreate || job->settings->on_create_failed == ON_CREATE_FAILED_RECREATE)
		return recreate(job, err);
	if (shape_merge(&merged, live, wish, job->settings->env_mode == ENV_REPLACE, err))
		return -1;
	job_say(job, "the service's creation failed earlier: rebuilding it, which keeps its URL");
	result = update(job, take(merged), err);
	if (result == SUBMIT_AGAIN && !job_recall(job, "sent")
	    && strstr(aws_last(job->aws)->message, "CREATE_FAILED")) {
		job_say(job, "App Runner won't rebuild it");
		job->recreate = true;
	}
	return result;
}

static int by_state(struct job *job, const json_t *wish, struct err *err)
{
	switch (api_status(job)) {
	case API_GONE:
		return create(job, wish, err);
	case API_RUNNING:
		return deploy_running(job, wish, err);
	case API_PAUSED:
		return resume(job, err);
	case API_CREATE_FAILED:
		return rebuild(job, wish, err);
	case API_DELETE_FAILED:
		return delete_failed(job, err);
	case API_BUSY:
		break;
	}
	return SUBMIT_AGAIN;
}

/* While it is busy: with what our own push began? */
static int busy(struct job *job, struct err *err)
{
	int found = 0;

	if (job_recall(job, "auto"))
		found = find_auto(job, err);
	if (found)
		return found < 0 ? -1 : 0;
	return submit_wait(job, err) ? -1 : SUBMIT_AGAIN;
}

static int once(struct job *job, const json_t *wish, struct err *err)
{
	int found;

	if (api_find(job, err))
		return -1;
	if (job_recall(job, "sent") && !job_recall(job, "operation")) {
		found = find_sent(job, err);
		if (found)
			return found < 0 ? -1 : 0;
		if (api_find(job, err))
			return -1;
	}
	return api_status(job) == API_BUSY ? busy(job, err) : by_state(job, wish, err);
}

int submit(struct job *job, const json_t *wish, struct err *err)
{
	for (;;) {
		int result = once(job, wish, err);

		if (result != SUBMIT_AGAIN)
			return result;
		/* Refused as busy though it was described as ready: the two don't agree for a
		 * while. */
		if (!job_recall(job, "sent") && api_is_busy(job) && busy_pause(job, err))
			return -1;
	}
}

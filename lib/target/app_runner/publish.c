#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/api.h"
#include "target/app_runner/image.h"
#include "target/app_runner/scaling.h"
#include "target/app_runner/shape.h"
#include "target/app_runner/steps.h"
#include "target/app_runner/submit.h"
#include "target/app_runner/wish.h"
#include "target/aws/live.h"

#define PUBLISH_SECONDS 600
#define MANY_VARIABLES  50

/* A connection whose handshake nobody finished in the console builds nothing. */
static int check_connection(struct job *job, struct err *err)
{
	const struct app_runner_code *code = job->settings->code;
	json_auto json_t *answer = NULL;
	json_t *item;
	size_t i;

	if (!code || !code->connection)
		return 0;
	if (api_read(job, "ListConnections", json_object(), &answer, err))
		return err->kind == ERR_AUTH ? 0 : -1;
	json_array_foreach(json_object_get(answer, "ConnectionSummaryList"), i, item)
	{
		const char *status = json_text(item, "Status");

		if (!text_same(json_text(item, "ConnectionArn"), code->connection)
		    || text_same(status, "AVAILABLE"))
			continue;
		return err_set(
			err, ERR_USAGE, 0,
			"code.connection: %s is %s; finish its handshake in the console (App "
			"Runner, connections), nobody can do that for you",
			json_text(item, "ConnectionName"), status ? status : "broken");
	}
	return 0;
}

static int check_fixed(struct job *job, struct err *err)
{
	const char *key = json_text(job->service, "EncryptionConfiguration.KmsKey");
	const char *name = json_text(job->service, "ServiceName");

	if (!job->service)
		return 0;
	if (job->settings->service_arn && job->settings->service_name
	    && !text_same(name, job->settings->service_name))
		return err_set(
			err, ERR_USAGE, 0,
			"service-name: '%s', but service-arn is of '%s', and a service can't "
			"be renamed",
			job->settings->service_name, name);
	if (job->settings->kms_key && !text_same(key, job->settings->kms_key))
		return err_set(err, ERR_USAGE, 0,
			       "kms-key: the service is encrypted with %s, and that can't be "
			       "changed: delete the service, or give another service-name",
			       key ? key : "AWS's own key");
	return 0;
}

static void warn(struct job *job)
{
	const char *const *entry = job->deploy->app->env;
	size_t count = 0;

	while (entry && entry[count])
		count++;
	if (count > MANY_VARIABLES)
		job_say(job, "warning: %zu variables; App Runner is known to refuse more than %d",
			count, MANY_VARIABLES);
	for (size_t i = 0; i < count; i++)
		if (text_starts(entry[i], "AWSAPPRUNNER"))
			job_say(job, "warning: env: App Runner may keep names beginning with "
				     "AWSAPPRUNNER to itself");
}

/* Would it be refused? Said now, before anything has changed. */
static int check_whole(struct job *job, const json_t *wish, struct err *err)
{
	json_auto json_t *live = job->service ? shape_live(job->service) : NULL, *merged = NULL;

	if (shape_merge(&merged, live, wish, job->settings->env_mode == ENV_REPLACE, err)
	    || shape_check(merged, aws_region(job->aws), err))
		return -1;
	warn(job);
	return 0;
}

/* What a rollback needs: the service as it was when our deployment first saw it. */
static void remember(struct job *job)
{
	bool live = api_status(job) == API_RUNNING || api_status(job) == API_PAUSED
		    || api_status(job) == API_BUSY;
	json_auto json_t *shape = job->service && live ? shape_live(job->service) : NULL;

	if (job_recall(job, "seen"))
		return;
	job_note(job, "seen", "true");
	job_note(job, "arn", job->arn);
	if (shape)
		json_object_set(job->memo, "previous", shape);
}

static int remember_operations(struct job *job, struct err *err)
{
	const char *newest;

	if (!json_flag(json_object_get(job->memo, "previous"),
		       "SourceConfiguration.AutoDeploymentsEnabled")
	    || job_recall(job, "auto"))
		return 0;
	if (api_newest(job, &newest, err))
		return -1;
	job_note(job, "auto", newest);
	return 0;
}

static int publish(struct job *job, struct err *err)
{
	json_auto json_t *wish = NULL;
	const char *image = NULL, *digest = NULL, *scaling = NULL;

	if (check_connection(job, err) || api_find(job, err) || check_fixed(job, err))
		return -1;
	/* Only what stands still can be gone back to. */
	if (!job_recall(job, "seen") && api_status(job) == API_BUSY && submit_wait(job, err))
		return -1;
	remember(job);
	if (remember_operations(job, err))
		return -1;
	job_save(job);
	if (!job->settings->code && image_publish(job, &image, &digest, err))
		return -1;
	if (scaling_choose(job, true, &scaling, err))
		return -1;
	job_note(job, "image", image);
	job_note(job, "digest", digest);
	job_note(job, "scaling", scaling);
	job_save(job);
	wish = wish_of(job);
	return check_whole(job, wish, err);
}

int app_runner_publish(struct deploy *deploy, struct err *err)
{
	cleanup(job_close) struct job job;
	const json_t *previous;

	deploy->ending = ENDING_AS_BEFORE;
	deploy->version = aws_live_version(deploy);
	if (job_open(&job, deploy, err))
		return -1;
	job.deadline = clock_ticks(job.site->clock)
		       + 1000 * (PUBLISH_SECONDS + job.settings->busy_timeout);
	if (publish(&job, err))
		return -1;
	previous = json_object_get(job.memo, "previous");
	deploy->previous =
		previous ? arena_strdup(deploy->arena, aws_live_label(shape_runs(previous))) : NULL;
	deploy->image = arena_strdup(deploy->arena, job_recall(&job, "stored"));
	if (!deploy->image)
		deploy->image = arena_strdup(deploy->arena, job_recall(&job, "image"));
	if (job_recall(&job, "digest"))
		target_fact(deploy, "image-digest", job_recall(&job, "digest"));
	job_facts(&job);
	deploy->ending = ENDING_OPEN;
	return 0;
}

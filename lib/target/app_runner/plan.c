#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/api.h"
#include "target/app_runner/scaling.h"
#include "target/app_runner/shape.h"
#include "target/app_runner/steps.h"
#include "target/aws/open.h"

#define PLAN_SECONDS 120

/* The name that the image would have, as far as it's known before it is built. */
static const char *image_of(const struct job *job)
{
	const struct app_runner_settings *settings = job->settings;

	if (settings->image)
		return settings->image;
	return arena_printf(job->arena, "ECR, repository %s",
			    settings->repository ? settings->repository
						 : job->deploy->app->service);
}

static void plan_how(struct job *job, const json_t *live, const json_t *merged, struct buf *out)
{
	json_auto json_t *change = live ? shape_change(live, merged) : NULL;

	switch (api_status(job)) {
	case API_GONE:
		buf_addf(out, "there is no service '%s' in %s: create it\n", job->name,
			 aws_region(job->aws));
		return;
	case API_BUSY:
		buf_addf(out, "service %s is busy: wait for it (on-busy), then update it\n",
			 job->arn);
		return;
	case API_PAUSED:
		buf_addf(out, "service %s is paused: resume it (on-paused), then update it\n",
			 job->arn);
		return;
	case API_CREATE_FAILED:
		buf_addf(out, "service %s is CREATE_FAILED: rebuild it (on-create-failed)\n",
			 job->arn);
		return;
	case API_DELETE_FAILED:
		buf_addf(out, "service %s is DELETE_FAILED: that is in the way, delete it\n",
			 job->arn);
		return;
	case API_RUNNING:
		break;
	}
	if (json_object_size(change) > 0)
		buf_addf(out, "update service %s\n", job->arn);
	else if (job->settings->skip_if_unchanged)
		buf_addf(out, "service %s is as it should be: do nothing\n", job->arn);
	else
		buf_addf(out, "service %s has these settings already: deploy its image anew\n",
			 job->arn);
}

static int plan(struct job *job, struct buf *out, struct err *err)
{
	json_auto json_t *live = NULL, *merged = NULL, *wish = NULL;
	const char *scaling;

	if (api_find(job, err) || scaling_choose(job, false, &scaling, err))
		return -1;
	wish = shape_wish(job->settings, job->deploy->app,
			  job->settings->code ? NULL : image_of(job), scaling);
	live = job->service ? shape_live(job->service) : NULL;
	if (shape_merge(&merged, live, wish, job->settings->env_mode == ENV_REPLACE, err)
	    || shape_check(merged, aws_region(job->aws), err))
		return -1;
	plan_how(job, live, merged, out);
	shape_diff(live, merged, out);
	return 0;
}

int app_runner_plan(const struct deploy *deploy, struct buf *out, struct err *err)
{
	cleanup(aws_open_freep) struct aws_holder *holder = NULL;
	cleanup(job_close) struct job job = {
		.deploy = (struct deploy *)deploy,
		.settings = deploy->settings,
		.site = deploy->site,
		.arena = deploy->arena,
		.memo = json_object(),
	};

	job.name = app_runner_name(job.settings, deploy->app, job.arena);
	if (aws_open_alone(&holder, job.site, &job.settings->aws, err))
		return -1;
	job.aws = aws_holder_aws(holder);
	job.deadline = clock_ticks(job.site->clock) + 1000 * PLAN_SECONDS;
	return plan(&job, out, err);
}

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/image.h"
#include "target/aws/open.h"
#include "target/ecs_express/api.h"
#include "target/ecs_express/shape.h"
#include "target/ecs_express/steps.h"

#define PLAN_SECONDS 120

/* The name that the image would have, as far as it's known before it is built. */
static const char *image_of(const struct express *job)
{
	const struct express_settings *settings = job->settings;
	const struct app *app = job->deploy->app;

	if (settings->image)
		return settings->image;
	return arena_printf(job->arena, "(the built one, in ECR, repository %s)",
			    settings->repository ? settings->repository
						 : aws_image_repository(app->repository,
									app->service, job->arena));
}

static void plan_how(struct express *job, const json_t *live, const json_t *merged, struct buf *out)
{
	json_auto json_t *change = express_shape_change(live, merged), *newest = NULL;
	struct err ignored = ERR_INIT;

	if (express_status(job) == EXPRESS_GONE) {
		buf_addf(out, "there is no service '%s' in cluster '%s' of %s: create it\n",
			 job->name, job->cluster, aws_region(job->aws));
		return;
	}
	if (express_status(job) == EXPRESS_DRAINING) {
		buf_addf(out,
			 "service %s is being deleted: wait for that (on-busy), then create "
			 "it\n",
			 job->arn);
		return;
	}
	if (express_newest(job, &newest, &ignored) == 0 && newest
	    && express_state(job, json_text(newest, "status")) == EXPRESS_UNDERWAY)
		buf_addf(out, "a deployment is under way: wait for it (on-busy)\n");
	if (json_object_size(change) > 0)
		buf_addf(out, "update service %s\n", job->arn);
	else if (job->settings->skip_if_unchanged)
		buf_addf(out, "service %s is as it should be: do nothing\n", job->arn);
	else
		buf_addf(out, "service %s has these settings already: deploy its image anew\n",
			 job->arn);
}

/* An image that is named by its tag is sent by its digest; only ECR could tell whether it's the
 * same. */
static void plan_image(struct express *job, const json_t *live, json_t *wish)
{
	struct aws_image image = {0};
	const struct aws_image_job how = {
		.aws = job->aws,
		.settings = &job->settings->aws,
		.site = job->site,
		.arena = job->arena,
		.deadline = job->deadline,
		.platform = text_same(json_text(live, "cpuArchitecture"), "ARM64")
					    || job->settings->architecture == EXPRESS_ARM
				    ? "linux/arm64"
				    : "linux/amd64",
		.runner = "ECS",
	};
	struct err err = ERR_INIT;

	if (!job->settings->image || !job->settings->image_by_digest
	    || !express_is_ecr(job->settings->image))
		return;
	if (aws_image_find(&image, &how, job->settings->image, &err))
		express_say(job, "%s", err.text);
	else if (image.by_digest)
		json_object_set_new(json_object_get(wish, "primaryContainer"), "image",
				    json_string(image.by_digest));
}

static int plan(struct express *job, struct buf *out, struct err *err)
{
	json_auto json_t *live = NULL, *merged = NULL, *wish = NULL;
	const json_t *active;

	if (express_find(job, err))
		return -1;
	active = express_status(job) == EXPRESS_ACTIVE ? express_active(job->service, NULL) : NULL;
	live = active ? express_shape_live(active) : NULL;
	wish = express_shape_wish(job->settings, job->deploy->app, image_of(job));
	plan_image(job, live, wish);
	merged = express_shape_merge(live, wish, job->settings->env_mode == EXPRESS_ENV_REPLACE);
	if (express_shape_check(merged, aws_region(job->aws), err))
		return -1;
	plan_how(job, live, merged, out);
	express_shape_diff(live, merged, out);
	return 0;
}

int express_plan(const struct deploy *deploy, struct buf *out, struct err *err)
{
	cleanup(aws_open_freep) struct aws_holder *holder = NULL;
	cleanup(express_close) struct express job = {
		.deploy = (struct deploy *)deploy,
		.settings = deploy->settings,
		.site = deploy->site,
		.arena = deploy->arena,
		.memo = json_object(),
	};

	job.name = express_name(job.settings, deploy->app, job.arena);
	if (aws_open_alone(&holder, job.site, &job.settings->aws, err))
		return -1;
	job.aws = aws_holder_aws(holder);
	job.deadline = express_later(&job, PLAN_SECONDS);
	return plan(&job, out, err);
}

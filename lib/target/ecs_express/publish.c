#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/image.h"
#include "target/aws/live.h"
#include "target/ecs_express/api.h"
#include "target/ecs_express/shape.h"
#include "target/ecs_express/steps.h"
#include "target/ecs_express/submit.h"

#define PUBLISH_SECONDS 900

/* ---- the image ---- */

static const char *platform_of(const struct express *job)
{
	const char *live = json_text(express_active(job->service, NULL), "cpuArchitecture");
	bool arm = job->settings->architecture == EXPRESS_ARM
		   || (job->settings->architecture < 0 && text_same(live, "ARM64"));

	return arm ? "linux/arm64" : "linux/amd64";
}

static int of_ecr(struct express *job, struct aws_image *image, struct err *err)
{
	const struct express_settings *settings = job->settings;
	const struct app *app = job->deploy->app;
	const char *commit = job->deploy->artifact->commit;
	const struct aws_image_job how = {
		.aws = job->aws,
		.settings = &settings->aws,
		.site = job->site,
		.arena = job->arena,
		.deadline = job->deadline,
		.platform = platform_of(job),
		.runner = "ECS",
	};
	const struct aws_image_push push = {
		.image = job->deploy->artifact->image,
		.repository = settings->repository ? settings->repository
						   : aws_image_repository(app->repository,
									  app->service, job->arena),
		.tag = commit ? commit : job->deploy->version,
	};

	if (settings->image)
		return aws_image_find(image, &how, settings->image, err);
	return aws_image_publish(image, &how, &push, err);
}

static int choose_image(struct express *job, const char **name, const char **digest,
			struct err *err)
{
	const struct express_settings *settings = job->settings;
	struct aws_image image = {0};

	if (settings->image && !express_is_ecr(settings->image)) {
		*name = settings->image;
		*digest = strstr(settings->image, "@sha256:");
		*digest = *digest ? *digest + 1 : NULL;
		return 0;
	}
	if (of_ecr(job, &image, err))
		return -1;
	*digest = image.digest;
	*name = (settings->image_by_digest && image.by_digest) || !image.by_tag ? image.by_digest
										: image.by_tag;
	return 0;
}

/* ---- before anything is changed ---- */

static int check_fixed(struct express *job, struct err *err)
{
	const char *role = json_text(job->service, "infrastructureRoleArn");
	const char *wanted = job->settings->infrastructure_role;

	if (express_status(job) != EXPRESS_ACTIVE || !role || !wanted || text_same(role, wanted))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "infrastructure-role: the service has %s, and that can't be changed: delete "
		       "the service, or give another service-name",
		       role);
}

/* What a rollback needs: the service as it was when our deployment first saw it. */
static void remember(struct express *job)
{
	const json_t *active = express_active(job->service, NULL);

	if (express_recall(job, "seen"))
		return;
	express_note(job, "seen", "true");
	if (active && express_status(job) == EXPRESS_ACTIVE)
		json_object_set_new(job->memo, "previous", express_shape_live(active));
}

static int check_whole(struct express *job, struct err *err)
{
	const json_t *previous = json_object_get(job->memo, "previous");
	json_auto json_t *wish =
		express_shape_wish(job->settings, job->deploy->app, express_recall(job, "image"));
	json_auto json_t *merged =
		express_shape_merge(previous, wish, job->settings->env_mode == EXPRESS_ENV_REPLACE);

	return express_shape_check(merged, aws_region(job->aws), err);
}

static int publish(struct express *job, struct err *err)
{
	const char *image, *digest;

	if (express_find(job, err) || check_fixed(job, err))
		return -1;
	/* Only what stands still can be gone back to. */
	if (!express_recall(job, "seen") && express_wait(job, err))
		return -1;
	remember(job);
	express_note(job, "arn", job->arn);
	express_note(job, "cluster", job->cluster);
	express_save(job);
	if (choose_image(job, &image, &digest, err))
		return -1;
	express_note(job, "image", image);
	express_note(job, "digest", digest);
	express_save(job);
	return check_whole(job, err);
}

int express_publish(struct deploy *deploy, struct err *err)
{
	cleanup(express_close) struct express job;
	const json_t *previous;

	deploy->ending = ENDING_AS_BEFORE;
	deploy->version = aws_live_version(deploy);
	if (express_open(&job, deploy, err))
		return -1;
	job.deadline = express_later(&job, PUBLISH_SECONDS + job.settings->busy_timeout);
	if (publish(&job, err))
		return -1;
	previous = json_object_get(job.memo, "previous");
	deploy->previous = previous ? arena_strdup(deploy->arena,
						   aws_live_label(express_shape_image(previous)))
				    : NULL;
	deploy->image = arena_strdup(deploy->arena, express_recall(&job, "image"));
	if (express_recall(&job, "digest"))
		target_fact(deploy, "image-digest", express_recall(&job, "digest"));
	express_facts(&job);
	deploy->ending = ENDING_OPEN;
	return 0;
}

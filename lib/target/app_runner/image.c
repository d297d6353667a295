#include "target/app_runner/image.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/shape.h"
#include "target/aws/image.h"

/* App Runner runs no other. https://github.com/aws/apprunner-roadmap/issues/46 */
#define PLATFORM "linux/amd64"

static const char *repository_of(const struct job *job)
{
	const struct app *app = job->deploy->app;

	return job->settings->repository
		       ? job->settings->repository
		       : aws_image_repository(app->repository, app->service, job->arena);
}

/* The tag will be moved: what it stands for now is all that a rollback could go back to. */
static int remember_tag(struct job *job, const struct aws_image_job *how, const char *repository,
			const char *tag, struct err *err)
{
	const char *runs = shape_runs(json_object_get(job->memo, "previous"));
	const char *end = arena_printf(job->arena, "/%s:%s", repository, tag);
	struct aws_image before = {0};

	if (!runs || !text_ends(runs, end) || job_recall(job, "before-digest"))
		return 0;
	if (aws_image_find(&before, how, runs, err) == 0)
		job_note(job, "before-digest", before.by_digest);
	else if (err->kind != ERR_ABSENT)
		return -1;
	return 0;
}

static int push(struct job *job, const struct aws_image_job *how, struct aws_image *image,
		struct err *err)
{
	const struct artifact *artifact = job->deploy->artifact;
	const struct aws_image_push wanted = {
		.image = artifact->image,
		.repository = repository_of(job),
		.tag = artifact->commit ? artifact->commit : job->deploy->key,
	};

	if (!wanted.image)
		return err_set(err, ERR_USAGE, 0,
			       "image: is missing, and nothing was built: say `build: {dockerfile: "
			       "…}`, or name an image that is in ECR");
	if (remember_tag(job, how, wanted.repository, wanted.tag, err))
		return -1;
	job_save(job);
	return aws_image_publish(image, how, &wanted, err);
}

int image_publish(struct job *job, const char **name, const char **digest, struct err *err)
{
	const struct app_runner_settings *settings = job->settings;
	const struct aws_image_job how = {
		.aws = job->aws,
		.settings = &settings->aws,
		.site = job->site,
		.arena = job->arena,
		.deadline = job->deadline,
		.platform = PLATFORM,
		.runner = "App Runner",
	};
	struct aws_image image = {0};

	*name = *digest = NULL;
	if (settings->image ? aws_image_find(&image, &how, settings->image, err)
			    : push(job, &how, &image, err))
		return -1;
	if (image.foreign && settings->auto_deployments)
		return err_set(err, ERR_USAGE, 0,
			       "auto-deployments: the image is in another account (%s): App Runner "
			       "can't then",
			       image.account);
	if (settings->image_by_digest && !image.by_digest)
		return err_set(err, ERR_USAGE, 0,
			       "image-by-digest: nobody could say the digest of %s: allow "
			       "ecr:DescribeImages",
			       image.by_tag);
	*name = settings->image_by_digest || !image.by_tag ? image.by_digest : image.by_tag;
	*digest = image.digest;
	job_note(job, "stored", image.by_digest);
	return 0;
}

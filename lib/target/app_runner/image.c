#include "target/app_runner/image.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "image/reference.h"
#include "target/app_runner/api.h"

/* ACCOUNT.dkr.ecr.REGION.amazonaws.com */
static void registry_parts(const char *registry, struct arena *arena, const char **account,
			   const char **region)
{
	const char *at = strstr(registry, ".dkr.ecr.");
	const char *from = at ? at + strlen(".dkr.ecr.") : "";

	*account = arena_memdup(arena, registry, at ? (size_t)(at - registry) : 0);
	*region = arena_memdup(arena, from, strcspn(from, "."));
}

static int describe(struct job *job, const struct image_reference *image, const char *account,
		    json_t **answer, struct err *err)
{
	json_auto json_t *body =
		json_pack("{s:s,s:s,s:[{s:s}]}", "registryId", account, "repositoryName",
			  image->name, "imageIds", image->digest ? "imageDigest" : "imageTag",
			  image->digest ? image->digest : (image->tag ? image->tag : "latest"));
	const struct aws_call call = {
		.service = &aws_ecr,
		.operation = "DescribeImages",
		.body = body,
		.deadline = job->deadline,
	};

	return aws_call(job->aws, &call, answer, err);
}

/* The digest of an image that should be there; NULL when we may not look. */
static int look_up(struct job *job, const struct image_reference *image, const char **digest,
		   struct err *err)
{
	json_auto json_t *answer = NULL;
	const char *account, *region, *found;

	registry_parts(image->registry, job->arena, &account, &region);
	if (!text_same(region, aws_region(job->aws))) {
		job_say(job,
			"warning: the image is in region %s, the service in %s: App Runner may "
			"not be able to pull it",
			region, aws_region(job->aws));
		return 0;
	}
	if (describe(job, image, account, &answer, err)) {
		const struct aws_error *last = aws_last(job->aws);

		if (aws_error_is(last, "ImageNotFoundException")
		    || aws_error_is(last, "RepositoryNotFoundException"))
			return err_set(err, ERR_ABSENT, err->code,
				       "image: there is no %.200s in ECR: %.150s",
				       image_reference_text(image, job->arena), last->message);
		if (err->kind != ERR_AUTH)
			return -1;
		job_say(job, "we may not ask ECR about the image (%s); going on without",
			last->code);
		return 0;
	}
	found = json_text(json_array_get(json_object_get(answer, "imageDetails"), 0),
			  "imageDigest");
	*digest = arena_strdup(job->arena, found);
	return 0;
}

static int named(struct job *job, const char **name, const char **digest, struct err *err)
{
	const struct app_runner_settings *settings = job->settings;
	struct image_reference image;

	if (image_reference_parse(&image, settings->image, job->arena, err))
		return -1;
	*digest = image.digest;
	if (!image.tag && !image.digest) {
		job_say(job, "warning: image '%s' has no tag: taking 'latest'", settings->image);
		image.tag = "latest";
	}
	/* A name with both would be read by App Runner as nobody knows. */
	if (image.digest)
		image.tag = NULL;
	if (app_runner_is_ecr(settings->image) && look_up(job, &image, digest, err))
		return -1;
	if (settings->image_by_digest && *digest) {
		image.digest = *digest;
		image.tag = NULL;
	}
	*name = image_reference_text(&image, job->arena);
	return 0;
}

int image_publish(struct job *job, const char **name, const char **digest, struct err *err)
{
	*name = *digest = NULL;
	if (job->settings->image)
		return named(job, name, digest, err);
	return err_set(err, ERR_USAGE, 0, "image: is missing: name one that is in ECR");
}

#ifndef TARGET_AWS_IMAGE_H
#define TARGET_AWS_IMAGE_H

#include "cloud/aws/aws.h"
#include "target/target.h"

/*
 * Images in Amazon's registries, for the targets that run them there.
 */

/** An image that is in ECR or ECR Public, as it was seen there. Texts lie in the arena. */
struct aws_image {
	const char *by_tag;    /* "123….dkr.ecr.eu-west-1.amazonaws.com/shop:1a2b3c"; NULL: named
				  by its digest only */
	const char *by_digest; /* "…/shop@sha256:…"; NULL when nobody could say the digest */
	const char *digest;    /* "sha256:…"; NULL likewise */
	const char *account, *region; /* of its registry; NULL in ECR Public */
	bool is_public;
	bool foreign;   /* of another account than ours: no automatic deployments */
	bool far;       /* of another region than the service's; warned about */
	bool created;   /* the repository was made for it just now */
	bool was_there; /* the tag had it already: nothing was sent */
};

/** What both need. Everything is borrowed. */
struct aws_image_job {
	struct aws *aws;
	const struct aws_settings *settings;
	const struct site *site;
	struct arena *arena;
	int64_t deadline;     /* ticks; 0: none */
	const char *platform; /* what it must run on: "linux/amd64" */
	const char *runner;   /* who runs it, for messages: "App Runner" */
};

/** How to publish what was built. */
struct aws_image_push {
	const char *image;       /* the engine's id, "sha256:…" */
	const char *repository;  /* "acme/shop"; made when it isn't there */
	const char *tag;         /* the commit */
	bool immutable, scan;    /* of a new repository */
	const char *const *tags; /* "key=value" of a new repository; NULL */
	bool straight;           /* past the engine: save it, and push it ourselves */
};

/**
 * Push it to ECR: through the engine, or straight when asked to or when the engine can't; then ask
 * ECR what it stored. Safe to call again: a tag that has this image already is enough. ERR_USAGE:
 * it doesn't run on that platform, or there is no engine; ERR_CONFLICT: the tag can't be changed
 * and has another image, or somebody else's push of the same tag won.
 */
int aws_image_publish(struct aws_image *out, const struct aws_image_job *job,
		      const struct aws_image_push *push, struct err *err) MUST_CHECK;

/**
 * Look for an image that is there already, by its full name. A name with both tag and digest is
 * taken by its digest; one with neither is "latest", with a warning. ERR_ABSENT: there is none;
 * ERR_USAGE: another registry's, or another platform's. Where we may not look, it is believed, and
 * that is said.
 */
int aws_image_find(struct aws_image *out, const struct aws_image_job *job, const char *reference,
		   struct err *err) MUST_CHECK;

/** A name for a repository from "Acme/Shop" and a service's name, by ECR's rules: "acme/shop",
 * "acme/shop-web" when the service is called otherwise. In the arena. `repository` may be NULL. */
const char *aws_image_repository(const char *repository, const char *service, struct arena *arena);

#endif

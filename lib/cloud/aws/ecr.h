#ifndef CLOUD_AWS_ECR_H
#define CLOUD_AWS_ECR_H

#include "cloud/aws/aws.h"

/*
 * Amazon's Elastic Container Registry: its control operations. What speaks to the registry itself
 * is image/registry.h.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/
 */

/** The name of an image in ECR. All parts lie in the arena. */
struct ecr_name {
	const char *registry; /* "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws" */
	const char *account;  /* "123456789012"; NULL in ECR Public */
	const char *region;   /* "eu-west-1"; NULL in ECR Public */
	const char *repository; /* "acme/shop"; in ECR Public with the alias before it */
	const char *tag;        /* NULL: none given */
	const char *digest;     /* "sha256:…"; NULL */
	bool is_public;
};

/** ecr_name_parse: it's in another registry. *err says so. */
#define ECR_ELSEWHERE 1

/** ERR_USAGE with what is wrong. */
int ecr_name_parse(struct ecr_name *out, const char *text, struct arena *arena,
		   struct err *err) MUST_CHECK;

/** ECR in the region of `aws`, for one account. Both are borrowed. Not for two threads at once. */
struct ecr;
struct ecr *ecr_new(struct aws *aws, const struct cloud_site *site);
void ecr_free(struct ecr *ecr); /* wipes */
DEFINE_FREEP(struct ecr, ecr_free);

/** What the registry wants of us: Basic. */
struct ecr_login {
	const char *username, *password;
	/** Where it is: "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com", as ECR says. Plain
	 * http is for loopback only: a test's stand-in. */
	const char *endpoint;
	int64_t expires; /* seconds since 1970 */
};

/** Kept until an hour before its end (it lives for 12). Masked. Borrowed until the next call of
 * this or of ecr_forget(). */
int ecr_login(struct ecr *ecr, int64_t deadline, const struct ecr_login **out,
	      struct err *err) MUST_CHECK;

/** The registry refused it: the next ecr_login() asks for another. */
void ecr_forget(struct ecr *ecr);

struct ecr_repository {
	const char *name;        /* "acme/shop" */
	bool immutable, scan;    /* what a new one gets */
	const char *const *tags; /* "key=value" for a new one, NULL-ended; NULL */
};

/** Make sure that it is there. *uri ("123…amazonaws.com/acme/shop"), *created and *immutable (as it
 * is, not as wanted) may be NULL. In the arena. */
int ecr_ensure(struct ecr *ecr, const struct ecr_repository *wanted, int64_t deadline,
	       struct arena *arena, const char **uri, bool *created, bool *immutable,
	       struct err *err) MUST_CHECK;

/** The digest of an image that is there, by its digest when it has one, else by its tag (none:
 * latest). ERR_ABSENT: no such image or repository. In the arena. */
int ecr_digest(struct ecr *ecr, const struct ecr_name *name, int64_t deadline, struct arena *arena,
	       const char **digest, struct err *err) MUST_CHECK;

/** Is it a repository's name by ECR's rules? ERR_USAGE with them. */
int ecr_valid_repository(const char *text, struct err *err);

#endif

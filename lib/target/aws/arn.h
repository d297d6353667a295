#ifndef TARGET_AWS_ARN_H
#define TARGET_AWS_ARN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * The names of AWS's things: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
struct arn {
	const char *partition, *service, *region, *account, *resource; /* "" where it has none */
};

/** In the arena. ERR_USAGE when it isn't one. */
int arn_parse(struct arn *out, const char *text, struct arena *arena, struct err *err) MUST_CHECK;

/** Is it an ARN of that service whose resource begins so? ERR_USAGE with the form expected. */
int arn_check(const char *text, const char *service, const char *resource, struct err *err);

/** What a secret may be named by: Secrets Manager (also with ":key:stage:version" behind), or a
 * parameter of SSM. */
bool arn_is_secret(const char *text);

#endif

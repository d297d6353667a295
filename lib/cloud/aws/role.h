#ifndef CLOUD_AWS_ROLE_H
#define CLOUD_AWS_ROLE_H

#include "cloud/aws/sts.h"

/** Acting as a role: tried again while that may help, and explained when it's refused. */
struct role {
	struct sts_role sts; /* session_name NULL: AWS_ROLE_SESSION_NAME, else "GitHubActions" */
	const struct aws_settings *settings;
	const struct cloud_site *site;
	const char *region;   /* of STS; NULL: the global one */
	int64_t deadline;     /* ticks; 0: none */
	const char *file;     /* the identity token's, read at each attempt; NULL: site->id_token */
	const char *audience; /* NULL: sts.amazonaws.com */
};

/** With an identity token, a fresh one at each attempt. 12 attempts for "not authorized" (it comes
 * and goes under parallel jobs) would be GitHub's own action; here 5 in all. */
int role_assume_with_token(const struct role *role, struct credential *out,
			   struct err *err) MUST_CHECK;

/** As `who`. */
int role_assume(const struct role *role, const struct credential *who, struct credential *out,
		struct err *err) MUST_CHECK;

#endif

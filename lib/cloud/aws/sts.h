#ifndef CLOUD_AWS_STS_H
#define CLOUD_AWS_STS_H

#include "cloud/aws/error.h"
#include "cloud/aws/settings.h"
#include "cloud/cloud.h"

/** AWS's Security Token Service, in one region (NULL: the global one). Query protocol, XML. */
struct sts {
	const struct cloud_site *site;
	const struct aws_settings *settings; /* for endpoint-url; may be NULL */
	const char *region;
	int64_t deadline;       /* ticks; 0: none */
	struct aws_error error; /* set when a call was refused */
	int64_t skew;           /* seconds to add to our clock; corrected when it's refused */
};

/** A role to act as. */
struct sts_role {
	const char *arn, *session_name, *external_id; /* external_id may be NULL */
	int64_t duration;                             /* seconds */
};

/** One attempt each; who calls decides about another. The credential is masked before it is given
 * out. Clear *out before. */

/** AssumeRoleWithWebIdentity: unsigned. */
int sts_assume_with_token(struct sts *sts, const struct sts_role *role, const char *token,
			  struct credential *out, struct err *err) MUST_CHECK;

/** AssumeRole, as `who`. */
int sts_assume(struct sts *sts, const struct sts_role *role, const struct credential *who,
	       struct credential *out, struct err *err) MUST_CHECK;

struct sts_identity {
	char account[16]; /* "123456789012" */
	char arn[512];
};

/** GetCallerIdentity. */
int sts_identity(struct sts *sts, const struct credential *who, struct sts_identity *out,
		 struct err *err) MUST_CHECK;

#endif

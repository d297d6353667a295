#ifndef CLOUD_AWS_CREDENTIALS_H
#define CLOUD_AWS_CREDENTIALS_H

#include "cloud/aws/settings.h"
#include "cloud/cloud.h"

/**
 * Look for a credential, in this order; the first place that has something decides, and when that
 * doesn't work it's an error, not a reason to look further:
 *  1. settings: keys; role-to-assume with GitHub's OIDC token (or AWS_WEB_IDENTITY_TOKEN_FILE);
 *     profile;
 *  2. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN;
 *  3. the profile's role_arn with source_profile or credential_source;
 *  4. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, or the profile's web_identity_token_file;
 *  5. the profile's keys;
 *  6. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS);
 *  7. the instance's role (IMDSv2).
 * role-to-assume where no token is to be had is assumed with what 2 to 7 gave. What it finds is
 * masked. Bounded by `deadline` (ticks; 0: none) and by each place's own time-outs.
 * ERR_AUTH when nothing was found (with the places that were looked at and what to do) or it was
 * refused (with hints), ERR_USAGE for half a setting, ERR_CANCELLED.
 */
int aws_credentials_find(struct credential *out, const struct aws_settings *settings,
			 const char *region, const struct cloud_site *site, int64_t deadline,
			 struct err *err) MUST_CHECK;

#endif

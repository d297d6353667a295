#ifndef CLOUD_AWS_SETTINGS_H
#define CLOUD_AWS_SETTINGS_H

#include <stddef.h>

#include "base/fields.h"
#include "base/secret.h"

/** How to reach AWS, and as whom. What is left out comes from the environment and the shared
 * files, in AWS's own order (credentials.h, region.h). */
struct aws_settings {
	const char *region;
	const char *role_to_assume; /* ARN */
	const char *role_session_name;
	int64_t role_duration;
	const char *role_external_id;
	const char *audience; /* of GitHub's OIDC token */
	const char *const *allowed_account_ids;
	bool mask_account_id;
	const char *profile;
	struct secret access_key_id, secret_access_key, session_token;
	const char *endpoint_url; /* of every service; a test's stand-in or a VPC endpoint */
};

/** What the table's `valid` members check. ERR_USAGE with the form that is expected. */
int aws_valid_region(const char *text, struct err *err);
int aws_valid_role(const char *text, struct err *err);
int aws_valid_session_name(const char *text, struct err *err);
int aws_valid_external_id(const char *text, struct err *err);
int aws_valid_account(const char *text, struct err *err);
int aws_valid_endpoint(const char *text, struct err *err);

/** What the table can't say: a session token without keys, one key without the other. */
int aws_settings_check(const struct aws_settings *settings, struct err *err) MUST_CHECK;

/**
 * The rows for a target's own table, whose struct `type` has a struct aws_settings `member`:
 *     static const struct field fields[] = { …, AWS_FIELDS(struct x_settings, aws), {0} };
 */
#define AWS_FIELD(type_, member_, field_, kind_) \
	.type = (kind_), .at = offsetof(type_, member_) + offsetof(struct aws_settings, field_)
/* clang-format off */
#define AWS_FIELDS(type_, member_)                                                             \
	{                                                                                      \
		.name = "region", AWS_FIELD(type_, member_, region, FIELD_TEXT),               \
		.valid = aws_valid_region,                                                     \
		.help = "AWS region, as eu-west-1; left out: AWS_REGION, AWS_DEFAULT_REGION, " \
			"the profile's",                                                       \
	},                                                                                     \
	{                                                                                      \
		.name = "role-to-assume",                                                      \
		AWS_FIELD(type_, member_, role_to_assume, FIELD_TEXT),                         \
		.valid = aws_valid_role,                                                       \
		.help = "ARN of the IAM role to act as: through GitHub's OIDC token where "    \
			"there is one, else with the credentials that were found",             \
	},                                                                                     \
	{                                                                                      \
		.name = "role-session-name",                                                   \
		AWS_FIELD(type_, member_, role_session_name, FIELD_TEXT),                      \
		.valid = aws_valid_session_name,                                               \
		.help = "name of the role's session, seen in CloudTrail; left out: "           \
			"AWS_ROLE_SESSION_NAME, else GitHubActions",                           \
	},                                                                                     \
	{                                                                                      \
		.name = "role-duration-seconds",                                               \
		AWS_FIELD(type_, member_, role_duration, FIELD_SECONDS), .fallback = "3600",   \
		.min = 900, .max = 43200,                                                      \
		.help = "how long the role's credentials live; they are renewed while we wait", \
	},                                                                                     \
	{                                                                                      \
		.name = "role-external-id",                                                    \
		AWS_FIELD(type_, member_, role_external_id, FIELD_TEXT),                       \
		.valid = aws_valid_external_id,                                                \
		.help = "external id that the role's trust policy asks for",                   \
	},                                                                                     \
	{                                                                                      \
		.name = "audience", AWS_FIELD(type_, member_, audience, FIELD_TEXT),           \
		.fallback = "sts.amazonaws.com",                                               \
		.help = "audience of GitHub's OIDC token",                                     \
	},                                                                                     \
	{                                                                                      \
		.name = "allowed-account-ids",                                                 \
		AWS_FIELD(type_, member_, allowed_account_ids, FIELD_LIST),                    \
		.valid = aws_valid_account,                                                    \
		.help = "AWS accounts that may be touched; left out: any",                     \
	},                                                                                     \
	{                                                                                      \
		.name = "mask-aws-account-id",                                                 \
		AWS_FIELD(type_, member_, mask_account_id, FIELD_FLAG), .fallback = "false",   \
		.help = "hide the account's id in logs",                                       \
	},                                                                                     \
	{                                                                                      \
		.name = "profile", AWS_FIELD(type_, member_, profile, FIELD_TEXT),             \
		.help = "profile of the shared files (~/.aws); left out: AWS_PROFILE",         \
	},                                                                                     \
	{                                                                                      \
		.name = "aws-access-key-id",                                                   \
		AWS_FIELD(type_, member_, access_key_id, FIELD_SECRET),                        \
		.help = "access key, where a role is out of reach",                            \
	},                                                                                     \
	{                                                                                      \
		.name = "aws-secret-access-key",                                               \
		AWS_FIELD(type_, member_, secret_access_key, FIELD_SECRET),                    \
		.help = "its secret",                                                          \
	},                                                                                     \
	{                                                                                      \
		.name = "aws-session-token",                                                   \
		AWS_FIELD(type_, member_, session_token, FIELD_SECRET),                        \
		.help = "its session token, when it has one",                                  \
	},                                                                                     \
	{                                                                                      \
		.name = "endpoint-url", AWS_FIELD(type_, member_, endpoint_url, FIELD_TEXT),   \
		.valid = aws_valid_endpoint,                                                   \
		.help = "where to send every call: an https address within AWS's own domains " \
			"(a VPC endpoint) or loopback; others by AWS_ENDPOINT_URL only",       \
	}
/* clang-format on */

#endif

#include "cloud/aws/role.h"

#include <ctype.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"

#define TRIES       5
#define PAUSE       1000 /* milliseconds, doubled with every attempt */
#define DURATION    3600
#define TOKEN_LIMIT ((size_t)64 * 1024)
#define AUDIENCE    "sts.amazonaws.com"

static struct sts_role sts_role(const struct role *role)
{
	struct sts_role out = role->sts;

	if (!out.session_name)
		out.session_name = cloud_env(role->site, "AWS_ROLE_SESSION_NAME");
	if (!out.session_name)
		out.session_name = "GitHubActions";
	if (out.duration <= 0)
		out.duration = DURATION;
	return out;
}

static void say(const struct role *role, const char *line)
{
	if (role->site->say)
		role->site->say(role->site->self, "%s", line);
}

static int read_file(const char *path, char **out, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(TOKEN_LIMIT);
	size_t start, size;

	if (file_read(path, &text, err) < 0) {
		err->kind = ERR_USAGE;
		return err_within(err, "read the web identity token");
	}
	start = strspn(buf_text(&text), " \t\r\n");
	size = strlen(buf_text(&text)) - start;
	while (size > 0 && isspace((unsigned char)text.data[start + size - 1]))
		size--;
	*out = xmemdup(buf_text(&text) + start, size);
	if (text.data)
		crypto_wipe(text.data, text.size);
	if (size == 0) {
		free(take(*out));
		return err_set(err, ERR_USAGE, 0, "the web identity token file '%.200s' is empty",
			       path);
	}
	return 0;
}

static int get_token(const struct role *role, char **out, struct err *err)
{
	const char *audience = role->audience ? role->audience : AUDIENCE;

	*out = NULL;
	if (role->file)
		return read_file(role->file, out, err);
	if (role->site->id_token(role->site->self, audience, out, err) < 0)
		return err_within(err, "get GitHub's OIDC token for %s", audience);
	return 0;
}

/* Once. *refused: STS said no. */
static int attempt_with_token(const struct role *role, struct sts *sts, struct credential *out,
			      struct err *err)
{
	const struct sts_role wanted = sts_role(role);
	char *token;
	int rc;

	sts->error = (struct aws_error){0};
	if (get_token(role, &token, err) < 0)
		return -1;
	cloud_mask(role->site, token);
	rc = sts_assume_with_token(sts, &wanted, token, out, err);
	crypto_wipe_text(token);
	free(token);
	return rc;
}

/* "Not authorized to perform sts:AssumeRoleWithWebIdentity" comes and goes when many jobs ask at
 * once; an identity token may have ended just now: the next attempt has a new one. */
static bool may_pass(const struct sts *sts, const struct err *err, bool with_token)
{
	if (err->kind == ERR_TRANSIENT)
		return true;
	return with_token
	       && (aws_error_is(&sts->error, "AccessDenied")
		   || aws_error_is(&sts->error, "ExpiredToken"));
}

static int wait_for_next(const struct role *role, unsigned attempt, struct err *err)
{
	int64_t pause = (int64_t)PAUSE << (attempt - 1);
	int64_t until = clock_ticks(role->site->clock) + pause;
	struct err cancelled = ERR_INIT;

	if (attempt >= TRIES || (role->deadline && until >= role->deadline))
		return -1;
	if (cloud_wait(role->site, until, &cancelled) < 0) {
		*err = cancelled;
		return -1;
	}
	return 0;
}

static struct sts sts_of(const struct role *role)
{
	return (struct sts){
		.site = role->site,
		.settings = role->settings,
		.region = role->region,
		.deadline = role->deadline,
	};
}

/* What people find at last, said at first. */
static void explain_token(const struct role *role, const struct sts *sts)
{
	if (!aws_error_is(&sts->error, "AccessDenied")
	    && !aws_error_is(&sts->error, "InvalidIdentityToken")
	    && !aws_error_is(&sts->error, "IDPRejectedClaim"))
		return;
	say(role,
	    "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the "
	    "provider token.actions.githubusercontent.com (for a token file: to its issuer),");
	say(role, "with the condition token.actions.githubusercontent.com:aud equal to "
		  "sts.amazonaws.com (or to the setting audience),");
	say(role, "and :sub like repo:OWNER/REPO:ref:refs/heads/BRANCH, "
		  "repo:OWNER/REPO:environment:NAME or repo:OWNER/REPO:pull_request;");
	say(role, "repositories made after 2026-07-15 have repo:OWNER@OWNER_ID/REPO@REPO_ID:… "
		  "there");
}

int role_assume_with_token(const struct role *role, struct credential *out, struct err *err)
{
	struct sts sts = sts_of(role);

	for (unsigned i = 1;; i++) {
		if (attempt_with_token(role, &sts, out, err) == 0)
			break;
		if (!may_pass(&sts, err, true) || wait_for_next(role, i, err) < 0) {
			explain_token(role, &sts);
			return err_within(err, "act as %s", role->sts.arn);
		}
	}
	out->source = role->file ? "the web identity token" : "GitHub's OIDC token";
	return 0;
}

int role_assume(const struct role *role, const struct credential *who, struct credential *out,
		struct err *err)
{
	const struct sts_role wanted = sts_role(role);
	struct sts sts = sts_of(role);

	for (unsigned i = 1;; i++) {
		sts.error = (struct aws_error){0};
		if (sts_assume(&sts, &wanted, who, out, err) == 0)
			break;
		if (!may_pass(&sts, err, false) || wait_for_next(role, i, err) < 0) {
			if (aws_error_is(&sts.error, "AccessDenied"))
				say(role,
				    "the role's trust policy must allow sts:AssumeRole to who "
				    "we are, and our own policy too; role-external-id must be "
				    "the one that it asks for");
			return err_within(err, "act as %s", role->sts.arn);
		}
	}
	out->source = "an assumed role";
	return 0;
}

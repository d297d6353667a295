#include "cloud/aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cloud/aws/machine.h"
#include "cloud/aws/profile.h"
#include "cloud/aws/role.h"

#define CHAIN_LONGEST 5 /* profiles that name each other as their source */

/** There is nothing in this place. */
#define NOTHING 1

struct search {
	const struct aws_settings *settings;
	const struct cloud_site *site;
	const char *region;
	int64_t deadline;
	struct profiles *profiles;
	const char *profile;
	char *machine; /* why the machine had none */
};

static void search_end(struct search *search)
{
	profiles_free(search->profiles);
	free(search->machine);
}

static struct role role_of(const struct search *search, const char *arn)
{
	return (struct role){
		.sts = {.arn = arn},
		.settings = search->settings,
		.site = search->site,
		.region = search->region,
		.deadline = search->deadline,
	};
}

static struct role role_to_assume(const struct search *search)
{
	const struct aws_settings *settings = search->settings;
	struct role role = role_of(search, settings->role_to_assume);

	role.sts.session_name = settings->role_session_name;
	role.sts.external_id = settings->role_external_id;
	role.sts.duration = settings->role_duration;
	role.audience = settings->audience;
	return role;
}

static void set_keys(const struct search *search, struct credential *out, char *id, char *secret,
		     char *token)
{
	out->id = id;
	out->secret = secret;
	out->token = token;
	out->fixed = true;
	cloud_mask(search->site, secret);
	cloud_mask(search->site, token);
}

static int from_settings(const struct search *search, struct credential *out, struct err *err)
{
	const struct aws_settings *settings = search->settings;
	char *id = NULL, *secret = NULL, *token = NULL;
	int rc = 0;

	if (!settings->access_key_id.text && !settings->access_key_id.file)
		return NOTHING;
	if (secret_read(&settings->access_key_id, &id, err) < 0)
		rc = err_within(err, "aws-access-key-id");
	else if (secret_read(&settings->secret_access_key, &secret, err) < 0)
		rc = err_within(err, "aws-secret-access-key");
	else if ((settings->session_token.text || settings->session_token.file)
		 && secret_read(&settings->session_token, &token, err) < 0)
		rc = err_within(err, "aws-session-token");
	set_keys(search, out, id, secret, token);
	out->source = "the settings";
	return rc;
}

static int from_env(const struct search *search, struct credential *out, struct err *err)
{
	const char *id = cloud_env(search->site, "AWS_ACCESS_KEY_ID");
	const char *secret = cloud_env(search->site, "AWS_SECRET_ACCESS_KEY");

	if (!id && !secret)
		return NOTHING;
	if (!id || !secret)
		return err_set(err, ERR_USAGE, 0,
			       "AWS_%s is set, but AWS_%s isn't: an access key has both",
			       id ? "ACCESS_KEY_ID" : "SECRET_ACCESS_KEY",
			       id ? "SECRET_ACCESS_KEY" : "ACCESS_KEY_ID");
	set_keys(search, out, xstrdup(id), xstrdup(secret),
		 xstrdup(cloud_env(search->site, "AWS_SESSION_TOKEN")));
	out->source = "AWS_ACCESS_KEY_ID in the environment";
	return 0;
}

static int from_env_token(const struct search *search, struct credential *out, struct err *err)
{
	const char *file = cloud_env(search->site, "AWS_WEB_IDENTITY_TOKEN_FILE");
	const char *arn = cloud_env(search->site, "AWS_ROLE_ARN");
	struct role role = role_of(search, arn);

	if (!file)
		return NOTHING;
	if (!arn)
		return err_set(err, ERR_USAGE, 0,
			       "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN isn't");
	role.file = file;
	return role_assume_with_token(&role, out, err);
}

static int from_machine(struct search *search, struct credential *out, struct err *err)
{
	int rc = machine_container(out, search->site, search->deadline, err);

	if (rc != MACHINE_NONE)
		return rc;
	rc = machine_instance(out, search->site, search->deadline, err);
	if (rc != MACHINE_NONE)
		return rc;
	free(search->machine);
	search->machine = xstrdup(err->text);
	return NOTHING;
}

static const char *of_profile(const struct search *search, const char *profile, const char *key)
{
	return profiles_get(search->profiles, profile, key);
}

static int profile_keys(const struct search *search, const char *profile, struct credential *out,
			struct err *err)
{
	const char *id = of_profile(search, profile, "aws_access_key_id");
	const char *secret = of_profile(search, profile, "aws_secret_access_key");

	if (!id && !secret)
		return NOTHING;
	if (!id || !secret)
		return err_set(err, ERR_USAGE, 0, "profile '%.60s' has aws_%s, but no aws_%s",
			       profile, id ? "access_key_id" : "secret_access_key",
			       id ? "secret_access_key" : "access_key_id");
	set_keys(search, out, xstrdup(id), xstrdup(secret),
		 xstrdup(of_profile(search, profile, "aws_session_token")));
	out->source = "the shared credentials file";
	return 0;
}

static int profile_unfit(const struct search *search, const char *profile, struct err *err)
{
	static const char *const features[] = {"sso_session", "sso_start_url", "login_session",
					       "credential_process"};

	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		if (of_profile(search, profile, features[i]))
			return err_set(err, ERR_USAGE, 0,
				       "profile '%.60s' logs in by %s, which isn't supported here: "
				       "use a role (role-to-assume), keys in the environment, or "
				       "`aws configure export-credentials`",
				       profile, features[i]);
	return NOTHING;
}

static int from_profile(struct search *search, const char *profile, unsigned depth,
			struct credential *out, struct err *err);

static int from_source(struct search *search, const char *profile, struct credential *out,
		       struct err *err)
{
	const char *source = of_profile(search, profile, "credential_source");
	int rc;

	if (text_same(source, "Environment"))
		rc = from_env(search, out, err);
	else if (text_same(source, "EcsContainer"))
		rc = machine_container(out, search->site, search->deadline, err);
	else if (text_same(source, "Ec2InstanceMetadata"))
		rc = machine_instance(out, search->site, search->deadline, err);
	else
		return err_set(err, ERR_USAGE, 0,
			       "profile '%.60s': credential_source is '%.60s', expected "
			       "Environment, EcsContainer or Ec2InstanceMetadata",
			       profile, source);
	if (rc <= 0)
		return rc;
	return err_set(err, ERR_AUTH, 0, "profile '%.60s': credential_source %s has none", profile,
		       source);
}

/* Who assumes the profile's role. */
static int role_source(struct search *search, const char *profile, unsigned depth,
		       struct credential *out, struct err *err)
{
	const char *named = of_profile(search, profile, "source_profile");
	int rc;

	if (!named && of_profile(search, profile, "credential_source"))
		return from_source(search, profile, out, err);
	if (!named)
		return err_set(err, ERR_USAGE, 0,
			       "profile '%.60s' has role_arn, but neither source_profile nor "
			       "credential_source",
			       profile);
	if (!profiles_has(search->profiles, named))
		return err_set(err, ERR_USAGE, 0,
			       "profile '%.60s': there is no source_profile '%.60s'", profile,
			       named);
	if (depth == CHAIN_LONGEST)
		return err_set(err, ERR_USAGE, 0,
			       "profile '%.60s': over %d profiles name each other as their source",
			       profile, CHAIN_LONGEST);
	/* A profile may be its own source: then its keys are meant. */
	rc = text_same(named, profile) ? profile_keys(search, named, out, err)
				       : from_profile(search, named, depth + 1, out, err);
	if (rc != NOTHING)
		return rc;
	return err_set(err, ERR_AUTH, 0, "profile '%.60s' has no credentials", named);
}

static int profile_role(struct search *search, const char *profile, unsigned depth,
			struct credential *out, struct err *err)
{
	struct role role = role_of(search, of_profile(search, profile, "role_arn"));
	const char *duration = of_profile(search, profile, "duration_seconds");
	struct credential source = {0};
	int rc;

	role.sts.session_name = of_profile(search, profile, "role_session_name");
	role.sts.external_id = of_profile(search, profile, "external_id");
	role.file = of_profile(search, profile, "web_identity_token_file");
	if (!role.sts.arn)
		return NOTHING;
	if (duration && text_number(duration, 900, 43200, &role.sts.duration, err) < 0)
		return err_within(err, "profile '%.60s': duration_seconds", profile);
	if (of_profile(search, profile, "mfa_serial"))
		return err_set(err, ERR_USAGE, 0,
			       "profile '%.60s' asks for a code (mfa_serial): nobody is here to "
			       "type one",
			       profile);
	if (role.file)
		return role_assume_with_token(&role, out, err);
	rc = role_source(search, profile, depth, &source, err);
	if (rc == 0)
		rc = role_assume(&role, &source, out, err);
	credential_clear(&source);
	return rc;
}

static int from_profile(struct search *search, const char *profile, unsigned depth,
			struct credential *out, struct err *err)
{
	int rc = profile_role(search, profile, depth, out, err);

	if (rc == NOTHING)
		rc = profile_keys(search, profile, out, err);
	return rc == NOTHING ? profile_unfit(search, profile, err) : rc;
}

/* A profile that was asked for must be there; "default" needn't. */
static int check_profile(const struct search *search, struct err *err)
{
	bool asked = search->settings->profile || cloud_env(search->site, "AWS_PROFILE")
		     || cloud_env(search->site, "AWS_DEFAULT_PROFILE");

	if (!asked || profiles_has(search->profiles, search->profile))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "there is no profile '%.60s' in AWS's shared files (in a container action "
		       "the runner's ~/.aws isn't there)",
		       search->profile);
}

/* Places 2 to 7. */
static int from_surroundings(struct search *search, struct credential *out, struct err *err)
{
	bool named = search->settings->profile != NULL;
	int rc = named ? NOTHING : from_env(search, out, err);

	if (rc == NOTHING && check_profile(search, err) < 0)
		return -1;
	if (rc == NOTHING && of_profile(search, search->profile, "role_arn"))
		rc = profile_role(search, search->profile, 0, out, err);
	if (rc == NOTHING && !named)
		rc = from_env_token(search, out, err);
	if (rc == NOTHING)
		rc = from_profile(search, search->profile, 0, out, err);
	if (rc == NOTHING && !named)
		rc = from_machine(search, out, err);
	return rc;
}

static int not_found(const struct search *search, struct err *err)
{
	const char *role = search->settings->role_to_assume;
	bool on_github = cloud_env(search->site, "GITHUB_ACTIONS") != NULL;

	return err_set(err, ERR_AUTH, 0,
		       "no AWS credentials: %snone in the environment, in profile '%.60s', in a "
		       "container's or instance's role (%.80s)%s",
		       role && on_github
			       ? "GitHub offers no OIDC token here (the job needs "
				 "`permissions: id-token: write`; pull requests from forks "
				 "get none); "
			       : "",
		       search->profile, search->machine ? search->machine : "not asked",
		       role ? "" : "; set role-to-assume, or AWS_ACCESS_KEY_ID and its secret");
}

static int assume_from(struct search *search, struct credential *out, struct err *err)
{
	struct role role = role_to_assume(search);
	struct credential source = {0};
	int rc = from_settings(search, &source, err);

	if (rc == NOTHING && !search->settings->profile && search->site->id_token)
		return role_assume_with_token(&role, out, err);
	if (rc == NOTHING && !search->settings->profile) {
		role.file = cloud_env(search->site, "AWS_WEB_IDENTITY_TOKEN_FILE");
		if (role.file)
			return role_assume_with_token(&role, out, err);
	}
	if (rc == NOTHING)
		rc = from_surroundings(search, &source, err);
	if (rc == NOTHING)
		rc = not_found(search, err);
	if (rc == 0)
		rc = role_assume(&role, &source, out, err);
	credential_clear(&source);
	return rc;
}

static int find(struct search *search, struct credential *out, struct err *err)
{
	int rc;

	if (search->settings->role_to_assume)
		return assume_from(search, out, err);
	rc = from_settings(search, out, err);
	if (rc == NOTHING)
		rc = from_surroundings(search, out, err);
	return rc == NOTHING ? not_found(search, err) : rc;
}

int aws_credentials_find(struct credential *out, const struct aws_settings *settings,
			 const char *region, const struct cloud_site *site, int64_t deadline,
			 struct err *err)
{
	cleanup(search_end) struct search search = {
		.settings = settings,
		.site = site,
		.region = region,
		.deadline = deadline,
		.profile = profiles_chosen(settings->profile, site),
	};

	*out = (struct credential){0};
	if (aws_settings_check(settings, err) < 0 || profiles_load(&search.profiles, site, err) < 0
	    || find(&search, out, err) < 0) {
		credential_clear(out);
		return -1;
	}
	return 0;
}

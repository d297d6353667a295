#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cloud/aws/credentials.h"
#include "cloud_play.h"
#include "scratch.h"

#define ROLE  "arn:aws:iam::123456789012:role/deploy"
#define STS   "https://sts.eu-west-1.amazonaws.com/"
#define IMDS  "http://169.254.169.254/latest/"
#define ROLES "meta-data/iam/security-credentials/"
#define KEYS                                                                                    \
	"{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s/+\",\"Token\":" \
	"\"t+/=\",\"Expiration\":\"2099-01-01T00:00:00Z\",\"Other\":[]}"
#define ASSUMED                                                                                \
	"<R xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><S><Credentials><AccessKeyId>"   \
	"ASIAROLE</AccessKeyId><SecretAccessKey>a&amp;b&lt;&#x2F;</SecretAccessKey>"           \
	"<SessionToken>tok+/=</SessionToken><Expiration>2099-01-01T00:00:00.123Z</Expiration>" \
	"</Credentials></S></R>"
#define DENIED(code)                                                                     \
	"<ErrorResponse><Error><Code>" code "</Code><Message>Not authorized to perform " \
	"sts:AssumeRoleWithWebIdentity</Message></Error><RequestId>r-1</RequestId>"      \
	"</ErrorResponse>"
#define REST        NULL, NULL, NULL, NULL, NULL
#define WANTS(text) NULL, NULL, text, NULL, NULL
#define NO_INSTANCE                                    \
	{                                              \
		"PUT", IMDS "api/token", 0, NULL, REST \
	}

static struct err err;
static struct credential credential;
static struct aws_settings settings;

static int find(void)
{
	credential_clear(&credential);
	return aws_credentials_find(&credential, &settings, "eu-west-1", &site, 0, &err);
}

static void found(const char *id, const char *secret, const char *token, const char *name)
{
	int rc = find();

	if (rc < 0)
		tap_note("%s", err.text);
	ok(rc == 0 && text_same(credential.id, id) && text_same(credential.secret, secret)
		   && text_same(credential.token, token) && was_masked(secret)
		   && (!token || was_masked(token)),
	   name);
	played("its calls");
}

static void fails(enum err_kind kind, const char *text, const char *name)
{
	int rc = find();

	ok(rc < 0 && err.kind == kind && strstr(err.text, text) != NULL, name);
	if (rc == 0 || !strstr(err.text, text))
		tap_note("%s", rc == 0 ? "found" : err.text);
	played("its calls");
}

static void test_env(void)
{
	settings = (struct aws_settings){0};
	play_begin(
		NULL, 0,
		ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec", "AWS_SESSION_TOKEN=a+/="));
	found("AK", "sec", "a+/=", "aws edge 24: keys of the environment");
	ok(credential.fixed && credential.expires == 0, "nobody renews them");
	play_begin(NULL, 0,
		   ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec", "AWS_SESSION_TOKEN="));
	found("AK", "sec", NULL, "aws edge 25: an empty AWS_SESSION_TOKEN is none");
	play_begin(NULL, 0, ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY="));
	fails(ERR_USAGE, "AWS_SECRET_ACCESS_KEY isn't", "half a key");
	settings.access_key_id.text = "SET";
	settings.secret_access_key.text = "set-secret";
	play_begin(NULL, 0, ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec"));
	found("SET", "set-secret", NULL, "keys of the settings go before");
}

static void test_oidc(void)
{
	static const struct step good[] = {
		{"POST", STS, 200, ASSUMED, WANTS("WebIdentityToken=jwt-1-sts.amazonaws.com")}};
	static const struct step again[] = {
		{"POST", STS, 400, DENIED("IDPCommunicationError"), WANTS("jwt-1-")},
		{"POST", STS, 503, "<html>Service Unavailable", WANTS("jwt-2-")},
		{"POST", STS, 0, NULL, WANTS("jwt-3-")},
		{"POST", STS, 403, DENIED("AccessDenied"), WANTS("jwt-4-")},
		{"POST", STS, 200, ASSUMED,
		 WANTS("RoleSessionName=acme-shop-refs-heads-main&DurationSeconds=900")},
	};
	static const struct step denied[] = {
		{"POST", STS, 403, DENIED("AccessDenied"), REST},
		{"POST", STS, 403, DENIED("AccessDenied"), REST},
		{"POST", STS, 403, DENIED("AccessDenied"), REST},
		{"POST", STS, 403, DENIED("AccessDenied"), REST},
		{"POST", STS, 403, DENIED("AccessDenied"), REST},
	};
	static const struct step invalid[] = {
		{"POST", STS, 400, DENIED("InvalidIdentityToken"), REST}};

	settings = (struct aws_settings){.role_to_assume = ROLE};
	PLAY(good, ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec"));
	site.id_token = play_token;
	found("ASIAROLE", "a&b</", "tok+/=", "aws edge 51: GitHub's token, XML entities");
	same_int(credential.expires, 4070908800, "aws edge 51: a fraction in Expiration");
	ok(was_masked("jwt-1-sts.amazonaws.com") && !credential.fixed, "the token is masked");
	ok(!strstr(buf_text(&play.heads), "Authorization"), "the call isn't signed");
	ok(play.redirects == 0, "aws edge 53: redirects are not followed");
	settings.role_session_name = "acme/shop:refs/heads/main";
	settings.role_duration = 900;
	PLAY(again, NULL);
	site.id_token = play_token;
	found("ASIAROLE", "a&b</", "tok+/=",
	      "aws edge 51: IDPCommunicationError, HTML 503, no answer, a denial that passes: a "
	      "fresh "
	      "token each time");
	PLAY(denied, NULL);
	site.id_token = play_token;
	fails(ERR_AUTH, "Not authorized to perform", "denied for good");
	ok(strstr(buf_text(&play.said), "repo:OWNER@OWNER_ID/REPO@REPO_ID:") != NULL
		   && strstr(buf_text(&play.said), ":aud equal to") != NULL,
	   "with what the trust policy must say");
	ok(hand.slept < 60000, "bounded");
	PLAY(invalid, NULL);
	site.id_token = play_token;
	fails(ERR_AUTH, "InvalidIdentityToken", "an invalid token isn't tried again");
}

static void test_fork(void)
{
	static const struct step none[] = {NO_INSTANCE};

	settings = (struct aws_settings){.role_to_assume = ROLE};
	PLAY(none, ENV("GITHUB_ACTIONS=true"));
	fails(ERR_AUTH, "`permissions: id-token: write`",
	      "aws edge 51: no id-token (a fork's pull request): said so");
	ok(strstr(err.text, "forks") != NULL, "aws edge 51: and forks are named");
}

static void test_token_file(void)
{
	static const struct step good[] = {
		{"POST", STS, 200, ASSUMED, WANTS("WebIdentityToken=the.jwt")}};
	autofree char *file = xprintf("AWS_WEB_IDENTITY_TOKEN_FILE=%s", scratch("token"));

	settings = (struct aws_settings){0};
	if (file_write(scratch("token"), " the.jwt\n", 9, 0600, &err) < 0)
		bail_out("write");
	PLAY(good, ENV(file, "AWS_ROLE_ARN=" ROLE));
	found("ASIAROLE", "a&b</", "tok+/=", "AWS_WEB_IDENTITY_TOKEN_FILE");
	play_begin(NULL, 0, ENV(file));
	fails(ERR_USAGE, "AWS_ROLE_ARN isn't", "without a role");
	play_begin(NULL, 0, ENV("AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent", "AWS_ROLE_ARN=" ROLE));
	fails(ERR_USAGE, "web identity token", "a file that isn't there");
}

static void test_role_from_keys(void)
{
	static const struct step good[] = {
		{"POST", STS, 200, ASSUMED, WANTS("&ExternalId=ext%2F1")}};
	static const struct step skewed[] = {
		{"POST", STS, 403, DENIED("SignatureDoesNotMatch"), "Date",
		 "Tue, 24 Nov 2026 17:05:00 GMT", NULL, NULL, NULL},
		{"POST", STS, 200, ASSUMED, WANTS("X-Amz-Date: 20261124T170500Z")},
	};

	settings = (struct aws_settings){.role_to_assume = ROLE, .role_external_id = "ext/1"};
	PLAY(good, ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec"));
	found("ASIAROLE", "a&b</", "tok+/=", "a role assumed with keys");
	ok(strstr(buf_text(&play.heads), "Credential=AK/") != NULL
		   && strstr(buf_text(&play.heads), "/eu-west-1/sts/aws4_request") != NULL,
	   "signed with them");
	PLAY(skewed, ENV("AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec"));
	found("ASIAROLE", "a&b</", "tok+/=", "aws edge 22: STS: signed again by AWS's clock");
}

static const char config[] = "[profile keys]\naws_access_key_id=PK\naws_secret_access_key=psec\n"
			     "[profile role]\nrole_arn=" ROLE "\nsource_profile=keys\n"
			     "duration_seconds=1800\nexternal_id=xx\n"
			     "[profile chain]\nrole_arn=" ROLE "\nsource_profile=role\n"
			     "[profile loop]\nrole_arn=" ROLE "\nsource_profile=loop2\n"
			     "[profile loop2]\nrole_arn=" ROLE "\nsource_profile=loop\n"
			     "[profile env]\nrole_arn=" ROLE "\ncredential_source=Environment\n"
			     "[profile odd]\nrole_arn=" ROLE "\ncredential_source=Moon\n"
			     "[profile bare]\nrole_arn=" ROLE "\n"
			     "[profile self]\nrole_arn=" ROLE "\nsource_profile=self\n"
			     "aws_access_key_id=SK\naws_secret_access_key=ssec\n"
			     "[profile mfa]\nrole_arn=" ROLE "\nsource_profile=keys\nmfa_serial=x\n"
			     "[profile sso]\nsso_session=corp\n"
			     "[profile process]\ncredential_process=/bin/x\n"
			     "[profile half]\naws_access_key_id=PK\n";

static const char *const *profile_env(void)
{
	static char variable[5000];
	static const char *env[4];

	snprintf(variable, sizeof variable, "AWS_CONFIG_FILE=%s", scratch("config"));
	env[0] = variable;
	env[1] = "AWS_ACCESS_KEY_ID=AK";
	env[2] = "AWS_SECRET_ACCESS_KEY=sec";
	return env;
}

static void test_profiles(void)
{
	static const struct step one[] = {
		{"POST", STS, 200, ASSUMED, WANTS("DurationSeconds=1800&ExternalId=xx")}};
	static const struct step two[] = {
		{"POST", STS, 200, ASSUMED, WANTS("Credential=PK/")},
		{"POST", STS, 200, ASSUMED, WANTS("Credential=ASIAROLE/")},
	};
	static const struct step from_env[] = {
		{"POST", STS, 200, ASSUMED, WANTS("Credential=AK/")}};
	static const struct step self[] = {{"POST", STS, 200, ASSUMED, WANTS("Credential=SK/")}};
	static const struct {
		const char *name, *text;
		enum err_kind kind;
	} bad[] = {
		{"loop", "name each other", ERR_USAGE},
		{"odd", "'Moon'", ERR_USAGE},
		{"bare", "neither source_profile nor credential_source", ERR_USAGE},
		{"mfa", "mfa_serial", ERR_USAGE},
		{"sso", "sso_session", ERR_USAGE},
		{"process", "credential_process", ERR_USAGE},
		{"half", "no aws_secret_access_key", ERR_USAGE},
		{"none", "no profile 'none'", ERR_USAGE},
	};

	if (file_write(scratch("config"), config, strlen(config), 0600, &err) < 0)
		bail_out("write");
	settings = (struct aws_settings){.profile = "keys"};
	play_begin(NULL, 0, profile_env());
	found("PK", "psec", NULL, "a profile that is set goes before the environment");
	settings.profile = "role";
	PLAY(one, profile_env());
	found("ASIAROLE", "a&b</", "tok+/=", "a profile's role");
	settings.profile = "chain";
	PLAY(two, profile_env());
	found("ASIAROLE", "a&b</", "tok+/=", "a chain of roles");
	settings.profile = "env";
	PLAY(from_env, profile_env());
	found("ASIAROLE", "a&b</", "tok+/=", "credential_source Environment");
	settings.profile = "self";
	PLAY(self, profile_env());
	found("ASIAROLE", "a&b</", "tok+/=", "a profile that is its own source");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		settings.profile = bad[i].name;
		play_begin(NULL, 0, profile_env());
		fails(bad[i].kind, bad[i].text, bad[i].name);
	}
}

static void test_container(void)
{
	static const struct step relative[] = {
		{"GET", "http://169.254.170.2/v2/x?id=1", 500, "", REST},
		{"GET", "http://169.254.170.2/v2/x?id=1", 0, NULL, REST},
		{"GET", "http://169.254.170.2/v2/x?id=1", 200, KEYS, REST},
	};
	static const struct step full[] = {{"GET", "http://169.254.170.23/v1/credentials", 200,
					    KEYS, WANTS("Authorization: of-file\n")}};
	static const struct step no[] = {
		{"GET", "http://localhost:9/x", 404, "{\"code\":\"no\"}", REST}};
	static const struct step odd[] = {{"GET", "http://localhost:9/x", 200, "<html>", REST}};
	autofree char *file = xprintf("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s", scratch("auth"));

	settings = (struct aws_settings){0};
	PLAY(relative, ENV("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x?id=1"));
	found("ASIA", "s/+", "t+/=", "aws edge 52: a container's role, at the third attempt");
	ok(play.indirect == 0 && play.timeouts == 2, "aws edge 52: no proxy, 2 seconds");
	if (file_write(scratch("auth"), "of-file\n", 8, 0600, &err) < 0)
		bail_out("write");
	PLAY(full, ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials",
		       file, "AWS_CONTAINER_AUTHORIZATION_TOKEN=of-env"));
	found("ASIA", "s/+", "t+/=", "EKS: the file's token wins");
	ok(was_masked("of-file"), "it is masked");
	PLAY(no, ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:9/x"));
	fails(ERR_AUTH, "status 404", "refused");
	PLAY(odd, ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:9/x"));
	fails(ERR_REMOTE, "container's credentials", "an answer that is no JSON");
}

static void test_hostile(void)
{
	static const char *const uris[] = {
		"http://evil.example/x",
		"http://169.254.170.2.evil.example/",
		"http://169.254.169.254/x",
		"http://[fd00:ec2::24]/",
		"http://127.0.0.1@evil.example/",
		"ftp://localhost/",
		"http://10.0.0.1/latest/meta-data/",
		"169.254.170.2/x",
	};

	settings = (struct aws_settings){0};
	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
		autofree char *variable = xprintf("AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", uris[i]);
		autofree char *name = xprintf("aws edge 52: hostile FULL_URI %s", uris[i]);

		play_begin(NULL, 0, ENV(variable));
		fails(ERR_USAGE, "AWS_CONTAINER_CREDENTIALS_FULL_URI", name);
	}
	play_begin(NULL, 0, ENV("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=@evil.example/"));
	fails(ERR_USAGE, "begins with '/'", "aws edge 52: hostile RELATIVE_URI");
	play_begin(NULL, 0,
		   ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost/",
		       "AWS_CONTAINER_AUTHORIZATION_TOKEN=a\r\nX: y"));
	fails(ERR_USAGE, "line break", "aws edge 52: a token with a line break");
}

static void test_instance(void)
{
	static const struct step good[] = {
		{"PUT", IMDS "api/token", 200, "TOK==", WANTS("ttl-seconds: 21600")},
		{"GET", IMDS ROLES, 200, "web\n", WANTS("metadata-token: TOK==")},
		{"GET", IMDS ROLES "web", 200, KEYS, WANTS("metadata-token: TOK==")},
	};
	static const struct step silent[] = {NO_INSTANCE};
	static const struct step azure[] = {{"PUT", IMDS "api/token", 405, "{}", REST}};
	static const struct step portal[] = {{"PUT", IMDS "api/token", 200, "<html>hi", REST}};
	static const struct step roleless[] = {{"PUT", IMDS "api/token", 200, "T", REST},
					       {"GET", IMDS ROLES, 404, "", REST}};
	static const struct step failed[] = {
		{"PUT", IMDS "api/token", 200, "T", REST},
		{"GET", IMDS ROLES, 200, "web", REST},
		{"GET", IMDS ROLES "web", 200,
		 "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume\"}",
		 REST},
	};
	int64_t before;

	settings = (struct aws_settings){0};
	PLAY(good, NULL);
	found("ASIA", "s/+", "t+/=", "aws edge 52: an instance's role");
	ok(play.indirect == 0 && play.timeouts == 1, "aws edge 52: no proxy, a second each");
	PLAY(silent, NULL);
	play.took = 1000;
	before = hand.milliseconds;
	fails(ERR_AUTH, "no AWS credentials", "aws edge 52: nobody answers");
	ok(hand.milliseconds - before <= 2000, "aws edge 52: and that takes 2 seconds at most");
	PLAY(azure, NULL);
	fails(ERR_AUTH, "no EC2 instance", "another cloud's answer");
	PLAY(portal, NULL);
	fails(ERR_AUTH, "no EC2 instance", "an answer that is no token");
	PLAY(roleless, NULL);
	fails(ERR_AUTH, "has no role", "an instance without a role");
	PLAY(failed, NULL);
	fails(ERR_AUTH, "AssumeRoleUnauthorizedAccess: EC2 cannot assume",
	      "aws edge 52: 200 with a code and no keys");
	play_begin(NULL, 0, ENV("AWS_EC2_METADATA_DISABLED=true"));
	fails(ERR_AUTH, "AWS_EC2_METADATA_DISABLED", "switched off");
	play_begin(NULL, 0, ENV("AWS_EC2_METADATA_SERVICE_ENDPOINT=http://169.254.evil.example/"));
	fails(ERR_USAGE, "SERVICE_ENDPOINT", "aws edge 52: a hostile endpoint");
}

static void test_cancelled(void)
{
	static const struct step denied[] = {{"POST", STS, 503, "", REST}};

	settings = (struct aws_settings){.role_to_assume = ROLE};
	PLAY(denied, NULL);
	site.id_token = play_token;
	play.ticks = 1;
	fails(ERR_CANCELLED, "cancelled", "cancelled while it waits");
}

int main(void)
{
	scratch_begin();
	play_begin(NULL, 0, NULL);
	test_env();
	test_oidc();
	test_fork();
	test_token_file();
	test_role_from_keys();
	test_profiles();
	test_container();
	test_hostile();
	test_instance();
	test_cancelled();
	credential_clear(&credential);
	play_end();
	return tap_done();
}

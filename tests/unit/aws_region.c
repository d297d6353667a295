/* Region, endpoint and the settings themselves. */
#include <string.h>

#include "cloud/aws/endpoint.h"
#include "cloud/aws/region.h"
#include "cloud_play.h"

static struct err err;
static char *found;

static const char *region(const char *setting, const char *const *env)
{
	const struct aws_settings settings = {.region = setting};

	play_begin(play.steps, play.count, env);
	free(found);
	found = NULL;
	return aws_region_find(&found, &settings, &site, &err) < 0 ? err.text : found;
}

static void test_region(void)
{
	static const struct step none[] = {{"PUT", "http://169.254.169.254/latest/api/token", 0,
					    NULL, NULL, NULL, NULL, NULL, NULL}};
	static const struct step there[] = {{"PUT", "http://169.254.169.254/latest/api/token", 200,
					     "tok", NULL, NULL, "ttl-seconds: 21600", NULL, NULL},
					    {"GET", "/latest/meta-data/placement/region", 200,
					     "eu-north-1", NULL, NULL, "metadata-token: tok", NULL,
					     NULL}};

	same_str(region("eu-west-1", ENV("AWS_REGION=us-east-1")), "eu-west-1", "the setting");
	same_str(region(" EU-West-1 ", ENV("A=b")), "eu-west-1",
		 "aws edge 26: spaces and upper case");
	same_str(region(NULL, ENV("AWS_REGION=us-east-1")), "us-east-1",
		 "aws edge 26: only AWS_REGION");
	same_str(region(NULL, ENV("AWS_REGION=", "AWS_DEFAULT_REGION=us-east-2")), "us-east-2",
		 "aws edge 26: only AWS_DEFAULT_REGION");
	same_str(region(NULL, ENV("AWS_DEFAULT_REGION=us-east-2", "AWS_REGION=us-east-1")),
		 "us-east-1", "aws edge 26: both: AWS_REGION");
	ok(strstr(buf_text(&play.said), "AWS_DEFAULT_REGION is us-east-2") != NULL,
	   "aws edge 26: and the difference is said");
	ok(strstr(region(NULL, ENV("AWS_REGION=eu west 1")), "expected a region") != NULL,
	   "aws edge 26: a space within");
	ok(strstr(region("evil.example/eu-1", NULL), "expected a region") != NULL,
	   "what would be another host");
	play.steps = none;
	play.count = 1;
	ok(strstr(region(NULL, ENV("AWS_PROFILE=p")), "no AWS region: set region") != NULL
		   && err.kind == ERR_USAGE,
	   "none: never a default");
	play.steps = there;
	play.count = 2;
	same_str(region(NULL, NULL), "eu-north-1", "the instance's");
	play.steps = NULL;
	play.count = 0;
	ok(strstr(region(NULL, ENV("AWS_EC2_METADATA_DISABLED=true")), "no AWS region") != NULL
		   && !play.wrong,
	   "the instance isn't asked when that is switched off");
	same_str(aws_region_domain("cn-north-1"), "amazonaws.com.cn", "China's domain");
	same_str(aws_region_domain("eu-west-1"), "amazonaws.com", "the usual domain");
	same_str(aws_region_partition("us-gov-west-1"), "aws-us-gov", "a partition");
}

static char *address;

static const char *endpoint(const struct aws_service *service, const char *where,
			    const char *setting, const char *const *env)
{
	const struct aws_settings settings = {.endpoint_url = setting};

	site.env = env;
	free(address);
	address = NULL;
	return aws_endpoint(&address, service, where, &settings, &site, &err) < 0 ? err.text
										  : address;
}

static void test_endpoint(void)
{
	same_str(endpoint(&aws_apprunner, "eu-west-1", NULL, NULL),
		 "https://apprunner.eu-west-1.amazonaws.com", "computed");
	same_str(endpoint(&aws_ecr, "cn-north-1", NULL, NULL),
		 "https://api.ecr.cn-north-1.amazonaws.com.cn", "in China");
	same_str(endpoint(&aws_ecr_public, "eu-west-1", NULL, NULL),
		 "https://api.ecr-public.us-east-1.amazonaws.com", "ECR Public is in one region");
	same_str(endpoint(&aws_sts, NULL, NULL, NULL), "https://sts.amazonaws.com", "STS, global");
	same_str(endpoint(&aws_sts, "eu-west-1", NULL, ENV("AWS_USE_FIPS_ENDPOINT=TRUE")),
		 "https://sts-fips.eu-west-1.amazonaws.com", "FIPS");
	ok(strstr(endpoint(&aws_ecr_public, "eu-west-1", NULL, ENV("AWS_USE_FIPS_ENDPOINT=1")),
		  "no FIPS endpoint")
		   != NULL,
	   "no FIPS there");
	ok(strstr(endpoint(&aws_apprunner, "eu-north-1", NULL, NULL),
		  "App Runner is not available in 'eu-north-1'; it is in us-east-1, ")
			   != NULL
		   && err.kind == ERR_USAGE,
	   "aws edge 27: a region without App Runner");
	ok(strstr(endpoint(&aws_apprunner, "us-gov-west-1", NULL, NULL), "not available") != NULL,
	   "aws edge 27: nor in gov");
}

static void test_named(void)
{
	const char *const *both = ENV("AWS_ENDPOINT_URL=http://127.0.0.1:1/",
				      "AWS_ENDPOINT_URL_APPRUNNER=http://localhost:2//");

	same_str(endpoint(&aws_apprunner, "eu-north-1", NULL, both), "http://localhost:2",
		 "the service's own variable, in any region");
	same_str(endpoint(&aws_ecs, "eu-north-1", NULL, both), "http://127.0.0.1:1",
		 "AWS_ENDPOINT_URL");
	same_str(endpoint(&aws_ecs, "eu-north-1", "http://[::1]:3", both), "http://[::1]:3",
		 "the setting goes before AWS_ENDPOINT_URL");
	same_str(endpoint(&aws_ecs, "eu-north-1", NULL,
			  ENV("AWS_ENDPOINT_URL=http://127.0.0.1:1",
			      "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true")),
		 "https://ecs.eu-north-1.amazonaws.com", "variables ignored when that is set");
	ok(strstr(endpoint(&aws_ecs, "eu-north-1", NULL, ENV("AWS_ENDPOINT_URL=http://10.0.0.1")),
		  "expected https://")
		   != NULL,
	   "aws edge 54: http to elsewhere is refused");
	ok(strstr(endpoint(&aws_ecs, "eu-north-1", NULL,
			   ENV("AWS_ENDPOINT_URL=http://127.0.0.1.evil.example")),
		  "expected https://")
		   != NULL,
	   "aws edge 54: also to what looks like loopback");
	same_str(endpoint(&aws_ecs, "eu-north-1", NULL,
			  ENV("AWS_ENDPOINT_URL=https://aws.corp.example")),
		 "https://aws.corp.example", "https to anywhere, from the environment");
	ok(strstr(endpoint(&aws_ecs, "eu-north-1", "https://evil.example", NULL),
		  "within AWS's domains")
		   != NULL,
	   "but not from the settings, which a repository may hold");
	ok(strstr(endpoint(&aws_ecs, "eu-north-1", "https://evilamazonaws.com", NULL),
		  "within AWS's domains")
		   != NULL,
	   "nor what only ends like AWS's domain");
	same_str(endpoint(&aws_ecs, "eu-north-1",
			  "https://vpce-1.ecs.eu-north-1.vpce.amazonaws.com", NULL),
		 "https://vpce-1.ecs.eu-north-1.vpce.amazonaws.com", "a VPC endpoint");
	ok(strstr(endpoint(&aws_ecs, "eu-north-1", NULL,
			   ENV("AWS_ENDPOINT_URL=https://u:secret@x.example")),
		  "without a user")
		   != NULL,
	   "no user in it");
}

static bool good(int (*valid)(const char *, struct err *), const char *text)
{
	return valid(text, &err) == 0;
}

static void test_valid(void)
{
	ok(good(aws_valid_role, "arn:aws:iam::123456789012:role/deploy"), "a role");
	ok(good(aws_valid_role, "arn:aws-cn:iam::123456789012:role/path/to/deploy"), "with a path");
	ok(!good(aws_valid_role, "deploy") && !good(aws_valid_role, "arn:aws:iam::1:role/x")
		   && !good(aws_valid_role, "arn:aws:iam::123456789012:role/")
		   && !good(aws_valid_role, "arn:aws:iam::123456789012:user/x")
		   && !good(aws_valid_role, "arn:aws:iam::123456789012:role/x y"),
	   "what is none");
	ok(good(aws_valid_account, "123456789012") && !good(aws_valid_account, "12345678901")
		   && !good(aws_valid_account, "12345678901x"),
	   "accounts");
	ok(good(aws_valid_external_id, "a:b/c-d_e+f=g,h.i@j") && !good(aws_valid_external_id, "a")
		   && !good(aws_valid_external_id, "a b"),
	   "external ids");
}

static void test_check(void)
{
	struct aws_settings settings = {.access_key_id = {.text = "A"}};

	ok(aws_settings_check(&settings, &err) < 0
		   && strstr(err.text, "aws-secret-access-key isn't") != NULL,
	   "half a key");
	settings.secret_access_key.text = "s";
	ok(aws_settings_check(&settings, &err) == 0, "a whole key");
	settings.profile = "p";
	ok(aws_settings_check(&settings, &err) < 0, "a key and a profile");
	settings = (struct aws_settings){.session_token = {.text = "t"}};
	ok(aws_settings_check(&settings, &err) < 0, "a token without a key");
}

/* The rows, as a target has them within its own. */
struct own {
	int64_t before;
	struct aws_settings aws;
};

static const struct field fields[] = {AWS_FIELDS(struct own, aws), {0}};

static void test_fields(void)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("slipway.yml");
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct own own = {0};
	const struct fields_part part = {fields, &own};
	const struct fields_reader reader = {.arena = arena, .mistakes = &mistakes};
	json_t *json =
		json_pack("{s:s, s:s, s:[s], s:b, s:s}", "region", "eu-west-1", "role-to-assume",
			  "arn:aws:iam::123456789012:role/x", "allowed-account-ids", "123456789012",
			  "mask-aws-account-id", 1, "aws-secret-access-key", "s");

	fields_read(&reader, &part, 1, json, "");
	same_int(mistakes.count, 0, "the rows are read");
	same_str(own.aws.region, "eu-west-1", "a text");
	same_str(own.aws.allowed_account_ids[0], "123456789012", "a list");
	same_int(own.aws.role_duration, 3600, "a default");
	same_str(own.aws.audience, "sts.amazonaws.com", "another");
	same_str(own.aws.secret_access_key.text, "s", "a secret");
	ok(own.aws.mask_account_id, "a flag");
	json_decref(json);
}

int main(void)
{
	play_begin(NULL, 0, NULL);
	test_region();
	test_endpoint();
	test_named();
	test_valid();
	test_check();
	test_fields();
	free(found);
	free(address);
	play_end();
	return tap_done();
}

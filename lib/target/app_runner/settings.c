#include "target/app_runner/settings.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "image/reference.h"
#include "target/aws/arn.h"
#include "target/aws/valid.h"

/* The table. What the members together may not be: check.c. */

static int valid_service_name(const char *text, struct err *err)
{
	size_t size = strlen(text);
	bool good = size >= 4 && size <= 40 && isalnum((unsigned char)*text);

	for (const char *c = text; *c; c++)
		good &= isalnum((unsigned char)*c) || *c == '-' || *c == '_';
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected 4 to 40 letters, digits, '-' and '_', the first a letter or "
		       "digit, found '%.60s'",
		       text);
}

static int valid_service_arn(const char *text, struct err *err)
{
	return arn_check(text, "apprunner", "service/", err);
}

static int valid_image(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct image_reference reference;

	if (image_reference_parse(&reference, text, arena, err))
		return -1;
	if (app_runner_is_ecr(text) || app_runner_is_ecr_public(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "App Runner takes images from ECR and ECR Public only, found one of %.100s; "
		       "expected ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG or "
		       "public.ecr.aws/ALIAS/NAME:TAG",
		       reference.registry);
}

static int valid_cpu(const char *text, struct err *err)
{
	if (app_runner_cpu(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected 0.25, 0.5, 1, 2 or 4 vCPU (or 256 to 4096), found '%.40s'", text);
}

static int valid_memory(const char *text, struct err *err)
{
	if (app_runner_memory(text))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"expected 0.5, 1, 2, 3, 4, 6, 8, 10 or 12 GB (or 512 to 12288), found '%.40s'",
		text);
}

static int valid_line(const char *text, struct err *err)
{
	if (!strpbrk(text, "\r\n"))
		return 0;
	return err_set(err, ERR_USAGE, 0, "App Runner takes a command of one line only");
}

static int valid_directory(const char *text, struct err *err)
{
	if (*text == '/' && strlen(text) <= 4096)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected a path from the repository's root that begins with '/', found "
		       "'%.60s'",
		       text);
}

static int valid_scaling_arn(const char *text, struct err *err)
{
	return arn_check(text, "apprunner", "autoscalingconfiguration/", err);
}

static int valid_scaling_name(const char *text, struct err *err)
{
	size_t size = strlen(text);
	bool good = size >= 4 && size <= 32 && isalnum((unsigned char)*text);

	for (const char *c = text; *c; c++)
		good &= isalnum((unsigned char)*c) || *c == '-' || *c == '_';
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected 4 to 32 letters, digits, '-' and '_', found '%.60s'", text);
}

static int valid_connector(const char *text, struct err *err)
{
	return text_same(text, "none") ? 0 : arn_check(text, "apprunner", "vpcconnector/", err);
}

static int valid_observability(const char *text, struct err *err)
{
	return text_same(text, "none")
		       ? 0
		       : arn_check(text, "apprunner", "observabilityconfiguration/", err);
}

static int valid_connection(const char *text, struct err *err)
{
	return arn_check(text, "apprunner", "connection/", err);
}

static int valid_kms(const char *text, struct err *err)
{
	return arn_check(text, "kms", "key/", err);
}

static int valid_tag(const char *text, struct err *err)
{
	if (*text && strlen(text) <= 128 && !text_starts(text, "aws:"))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.60s' can't be a tag's key: 1 to 128 characters, not beginning with aws:", text);
}

static int valid_code_repository(const char *text, struct err *err)
{
	if (text_starts(text, "https://") && strlen(text) <= 1000 && !strpbrk(text, " \t@"))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the repository's address, as https://github.com/acme/shop, found "
		       "'%.80s'",
		       text);
}

static int valid_branch(const char *text, struct err *err)
{
	if (text_starts(text, "refs/tags/"))
		return err_set(err, ERR_USAGE, 0,
			       "App Runner builds from branches only, found the tag '%.60s'", text);
	if (text_is_ref(text))
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%.60s' is no branch", text);
}

static const char *const protocols[] = {"tcp", "http", NULL};
static const char *const code_sources[] = {"api", "repository", NULL};
static const char *const env_modes[] = {"merge", "replace", NULL};
static const char *const ingresses[] = {"public", "private", NULL};
static const char *const ip_types[] = {"ipv4", "dual-stack", NULL};
static const char *const busy[] = {"wait", "fail", NULL};
static const char *const paused[] = {"resume", "fail", NULL};
static const char *const create_failed[] = {"rebuild", "recreate", "fail", NULL};

/* clang-format off */
#define AT(member_) .at = offsetof(struct app_runner_health, member_)
#define TWENTY .type = FIELD_COUNT, .min = 1, .max = 20
static const struct field health_fields[] = {
	{.name = "protocol", .type = FIELD_CHOICE, AT(protocol), .choices = protocols,
	 .help = "how App Runner looks whether an instance is healthy; http when there is a path"},
	{.name = "path", .type = FIELD_TEXT, AT(path), .valid = valid_path,
	 .help = "what it asks for; / when protocol is http"},
	{.name = "interval", TWENTY, AT(interval), .help = "seconds between two looks"},
	{.name = "timeout", TWENTY, AT(timeout), .help = "seconds to wait for an answer"},
	{.name = "healthy-threshold", TWENTY, AT(healthy),
	 .help = "so many good looks in a row make it healthy"},
	{.name = "unhealthy-threshold", TWENTY, AT(unhealthy),
	 .help = "so many bad ones make it unhealthy"},
	{0},
};
#undef AT

#define AT(member_) .at = offsetof(struct app_runner_scaling, member_)
static const struct field scaling_fields[] = {
	{.name = "name", .type = FIELD_TEXT, AT(name), .valid = valid_scaling_name,
	 .help = "of the configuration; left out: the service's name, cut at 32"},
	{.name = "max-concurrency", .type = FIELD_COUNT, AT(concurrency), .min = 1, .max = 200,
	 .fallback = "100", .help = "requests at once that an instance gets"},
	{.name = "min-size", .type = FIELD_COUNT, AT(min), .min = 1, .max = 25, .fallback = "1",
	 .help = "instances that are always there"},
	{.name = "max-size", .type = FIELD_COUNT, AT(max), .min = 1, .max = 1000, .fallback = "25",
	 .help = "instances at most"},
	{0},
};
#undef AT

#define AT(member_) .at = offsetof(struct app_runner_code, member_)
static const struct field code_fields[] = {
	{.name = "connection", .type = FIELD_TEXT, AT(connection), .valid = valid_connection,
	 .help = "ARN of App Runner's connection to GitHub or Bitbucket"},
	{.name = "repository", .type = FIELD_TEXT, AT(repository), .required = true,
	 .valid = valid_code_repository, .help = "as https://github.com/acme/shop"},
	{.name = "branch", .type = FIELD_TEXT, AT(branch), .fallback = "main",
	 .valid = valid_branch, .help = "what is built"},
	{.name = "directory", .type = FIELD_TEXT, AT(directory), .valid = valid_directory,
	 .help = "the app's folder in the repository, from its root: /shop"},
	{.name = "configuration-source", .type = FIELD_CHOICE, AT(source), .choices = code_sources,
	 .fallback = "api",
	 .help = "api: runtime, build-command, start-command, port and env are these; repository: "
		 "what apprunner.yaml of the repository says"},
	{.name = "runtime", .type = FIELD_TEXT, AT(runtime),
	 .help = "PYTHON_311, NODEJS_22, CORRETTO_11, GO_1, DOTNET_6, PHP_81, RUBY_31, …"},
	{.name = "build-command", .type = FIELD_TEXT, AT(build_command), .valid = valid_line,
	 .help = "what builds it, in one line"},
	{0},
};
#undef AT

#define AT(member_) .at = offsetof(struct app_runner_settings, member_)
const struct field app_runner_fields[] = {
	{.name = "service-name", .type = FIELD_TEXT, AT(service_name), .valid = valid_service_name,
	 .help = "the App Runner service; left out: SERVICE-ENVIRONMENT"},
	{.name = "service-arn", .type = FIELD_TEXT, AT(service_arn), .valid = valid_service_arn,
	 .help = "a service that is there, by its ARN: it isn't looked for, and never made"},
	{.name = "image", .type = FIELD_TEXT, AT(image), .valid = valid_image,
	 .help = "an image that is in ECR or ECR Public already; left out: the one that `build:` "
		 "makes is pushed"},
	{.name = "repository", .type = FIELD_TEXT, AT(repository), .valid = valid_repository,
	 .help = "the ECR repository that the built image goes to, made when it isn't there; left "
		 "out: the service's name"},
	{.name = "image-by-digest", .type = FIELD_FLAG, AT(image_by_digest), .fallback = "false",
	 .help = "name the image by its digest instead of its tag"},
	{.name = "access-role", .type = FIELD_TEXT, AT(access_role), .valid = valid_role,
	 .help = "ARN of the role by which App Runner pulls from ECR; needed for private images"},
	{.name = "instance-role", .type = FIELD_TEXT, AT(instance_role), .valid = valid_role,
	 .help = "ARN of the role that the app has; needed for runtime-secrets"},
	{.name = "code", .type = FIELD_GROUP, AT(code), .fields = code_fields,
	 .size = sizeof(struct app_runner_code),
	 .help = "App Runner builds the app itself from a repository, instead of an image"},
	{.name = "cpu", .type = FIELD_TEXT, AT(cpu), .valid = valid_cpu,
	 .help = "0.25, 0.5, 1, 2 or 4 vCPU; App Runner's default is 1"},
	{.name = "memory", .type = FIELD_TEXT, AT(memory), .valid = valid_memory,
	 .help = "0.5 to 12 GB, by cpu: 0.25 takes 0.5 or 1; 0.5 takes 1; 1 takes 2, 3, 4; 2 takes "
		 "4, 6; 4 takes 8, 10, 12"},
	{.name = "port", .type = FIELD_COUNT, AT(port), .min = 1, .max = 65535,
	 .help = "where the app listens (it is in PORT); App Runner's default is 8080"},
	{.name = "start-command", .type = FIELD_TEXT, AT(start_command), .valid = valid_line,
	 .help = "what starts the app, in one line; left out: what the image says"},
	{.name = "env-mode", .type = FIELD_CHOICE, AT(env_mode), .choices = env_modes,
	 .fallback = "merge",
	 .help = "merge: variables of the service that slipway.yml doesn't name stay; replace: "
		 "they go"},
	{.name = "runtime-secrets", .type = FIELD_MAP, AT(runtime_secrets), .valid = valid_variable,
	 .help = "variables that App Runner fills itself: name to the ARN in Secrets Manager or "
		 "SSM"},
	{.name = "health-check", .type = FIELD_GROUP, AT(health_check), .fields = health_fields,
	 .size = sizeof(struct app_runner_health),
	 .help = "App Runner's own look at each instance; `health:` is Slipway's look at the URL"},
	{.name = "auto-scaling-configuration", .type = FIELD_TEXT, AT(scaling_arn),
	 .valid = valid_scaling_arn,
	 .help = "ARN of an auto-scaling configuration (without a revision: its newest)"},
	{.name = "auto-scaling", .type = FIELD_GROUP, AT(scaling), .fields = scaling_fields,
	 .size = sizeof(struct app_runner_scaling),
	 .help = "or its values: a revision with these is used, or made"},
	{.name = "vpc-connector", .type = FIELD_TEXT, AT(vpc_connector), .valid = valid_connector,
	 .help = "ARN of the VPC connector that the app's requests leave by; none: by App "
		 "Runner's own network"},
	{.name = "ingress", .type = FIELD_CHOICE, AT(ingress), .choices = ingresses,
	 .help = "public, or private (reached from VPCs only: no URL to look at)"},
	{.name = "ip-address-type", .type = FIELD_CHOICE, AT(ip_address_type), .choices = ip_types,
	 .help = "of a public service"},
	{.name = "observability", .type = FIELD_TEXT, AT(observability),
	 .valid = valid_observability,
	 .help = "ARN of an observability configuration (tracing); none: off"},
	{.name = "tags", .type = FIELD_MAP, AT(tags), .max = 50, .valid = valid_tag,
	 .help = "the service's tags; others that it has stay"},
	{.name = "kms-key", .type = FIELD_TEXT, AT(kms_key), .valid = valid_kms,
	 .help = "ARN of the key that App Runner's copy is encrypted with; for a new service only"},
	{.name = "auto-deployments", .type = FIELD_FLAG, AT(auto_deployments), .fallback = "false",
	 .help = "App Runner deploys by itself when the tag or the branch moves"},
	{.name = "on-busy", .type = FIELD_CHOICE, AT(on_busy), .choices = busy, .fallback = "wait",
	 .help = "when another operation is under way"},
	{.name = "busy-timeout", .type = FIELD_SECONDS, AT(busy_timeout), .fallback = "15m",
	 .min = 1, .max = 86400, .help = "for how long"},
	{.name = "on-paused", .type = FIELD_CHOICE, AT(on_paused), .choices = paused,
	 .fallback = "resume", .help = "when the service is paused"},
	{.name = "on-create-failed", .type = FIELD_CHOICE, AT(on_create_failed),
	 .choices = create_failed, .fallback = "rebuild",
	 .help = "when an earlier creation failed: rebuild keeps the URL, recreate deletes first"},
	{.name = "wait-timeout", .type = FIELD_SECONDS, AT(wait_timeout), .fallback = "30m",
	 .min = 1, .max = 86400,
	 .help = "how long App Runner may take; after that the end isn't known: exit 3"},
	{.name = "skip-if-unchanged", .type = FIELD_FLAG, AT(skip_if_unchanged),
	 .fallback = "false",
	 .help = "do nothing when image and settings are what runs already; otherwise the same "
		 "image is deployed anew"},
	{.name = "pause-after", .type = FIELD_FLAG, AT(pause_after), .fallback = "false",
	 .help = "pause the service once it was good"},
	AWS_FIELDS(struct app_runner_settings, aws),
	{0},
};
#undef AT
/* clang-format on */

#include "target/ecs_express/settings.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "image/reference.h"
#include "target/aws/arn.h"
#include "target/aws/valid.h"

/* The table. What the members together may not be: check.c. */

/* Letters, digits, '-' and '_', as ECS names things. */
static bool is_name(const char *text, size_t most)
{
	bool good = *text && strlen(text) <= most;

	for (const char *c = text; *c; c++)
		good &= isalnum((unsigned char)*c) || *c == '-' || *c == '_';
	return good;
}

static int valid_service_name(const char *text, struct err *err)
{
	if (is_name(text, 255))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected at most 255 letters, digits, '-' and '_', found '%.60s'", text);
}

static int valid_service_arn(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *slash;
	struct arn arn;

	if (arn_check(text, "ecs", "service/", err) || arn_parse(&arn, text, arena, err))
		return -1;
	slash = strchr(arn.resource + strlen("service/"), '/');
	if (slash && slash[1] && !strchr(slash + 1, '/'))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME, found '%.120s'",
		       text);
}

static int valid_cluster(const char *text, struct err *err)
{
	if (is_name(text, 255))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the name of a cluster (not its ARN), found '%.60s'", text);
}

static int valid_image(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct image_reference reference;

	return image_reference_parse(&reference, text, arena, err);
}

static int valid_credentials(const char *text, struct err *err)
{
	return arn_check(text, "secretsmanager", "secret:", err);
}

static int valid_cpu(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();

	if (express_cpu(text, arena))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected 0.25, 0.5, 1, 2, 4, 8 or 16 vCPU (or 256 to 16384), found '%.40s'",
		       text);
}

static int valid_memory(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();

	if (express_memory(text, arena))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected 0.5 GB, or 1 to 120 GB (or 512 to 122880), found '%.40s'", text);
}

static int valid_id(const char *text, const char *prefix, struct err *err)
{
	size_t size = strlen(prefix);
	bool good = text_starts(text, prefix) && text[size];

	for (const char *c = text; *c; c++)
		good &= isalnum((unsigned char)*c) || *c == '-';
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected an id as %s0a1b2c3d, found '%.60s'", prefix,
		       text);
}

static int valid_subnet(const char *text, struct err *err)
{
	return valid_id(text, "subnet-", err);
}

static int valid_group(const char *text, struct err *err)
{
	return valid_id(text, "sg-", err);
}

static int valid_log(const char *text, struct err *err)
{
	bool good = strlen(text) <= 512;

	for (const char *c = text; *c; c++)
		good &= isalnum((unsigned char)*c) || strchr("-_/.#", *c);
	if (good && *text)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected letters, digits and any of - _ / . #, found '%.60s'", text);
}

static int valid_tag(const char *text, struct err *err)
{
	if (*text && strlen(text) <= 128 && !text_starts(text, "aws:"))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.60s' can't be a tag's key: 1 to 128 characters, not beginning with aws:", text);
}

static const char *const env_modes[] = {"merge", "replace", NULL};
static const char *const busy[] = {"wait", "fail", NULL};
static const char *const architectures[] = {"x86-64", "arm64", NULL};
static const char *const metrics[] = {"average-cpu", "average-memory", "request-count", NULL};
const char *const express_metrics[] = {"AVERAGE_CPU", "AVERAGE_MEMORY", "REQUEST_COUNT_PER_TARGET",
				       NULL};

/* clang-format off */
#define AT(member_) .at = offsetof(struct express_scaling, member_)
static const struct field scaling_fields[] = {
	{.name = "min", .type = FIELD_COUNT, AT(min), .min = 1, .max = 5000,
	 .help = "tasks that are always there; a new service gets 1"},
	{.name = "max", .type = FIELD_COUNT, AT(max), .min = 1, .max = 5000,
	 .help = "tasks at most; a new service gets 20"},
	{.name = "metric", .type = FIELD_CHOICE, AT(metric), .choices = metrics,
	 .help = "what decides how many there are; a new service gets average-cpu"},
	{.name = "target", .type = FIELD_COUNT, AT(target), .min = 1, .max = 1000000,
	 .help = "the metric's value that is aimed at: percent, or requests for each task; a new "
		 "service gets 60"},
	{0},
};
#undef AT

#define AT(member_) .at = offsetof(struct express_settings, member_)
const struct field express_fields[] = {
	{.name = "service-name", .type = FIELD_TEXT, AT(service_name), .valid = valid_service_name,
	 .help = "the ECS service; left out: SERVICE-ENVIRONMENT"},
	{.name = "cluster", .type = FIELD_TEXT, AT(cluster), .valid = valid_cluster,
	 .help = "the ECS cluster it is in; left out: default"},
	{.name = "service-arn", .type = FIELD_TEXT, AT(service_arn), .valid = valid_service_arn,
	 .help = "a service that is there, by its ARN: it is never made"},
	{.name = "image", .type = FIELD_TEXT, AT(image), .valid = valid_image,
	 .help = "an image that is there already, in any registry; left out: the one that "
		 "`build:` makes is pushed to ECR"},
	{.name = "repository", .type = FIELD_TEXT, AT(repository), .valid = valid_repository,
	 .help = "the ECR repository that the built image goes to, made when it isn't there; left "
		 "out: the repository's and the service's name"},
	{.name = "image-by-digest", .type = FIELD_FLAG, AT(image_by_digest), .fallback = "true",
	 .help = "name an image of ECR by its digest, which never means another one; false: by "
		 "its tag"},
	{.name = "repository-credentials", .type = FIELD_TEXT, AT(repository_credentials),
	 .valid = valid_credentials,
	 .help = "ARN of the secret (Secrets Manager) that opens a private registry (not ECR)"},
	{.name = "execution-role", .type = FIELD_TEXT, AT(execution_role), .valid = valid_role,
	 .help = "ARN of the role by which ECS pulls the image, reads runtime-secrets and writes "
		 "logs; needed for a new service"},
	{.name = "infrastructure-role", .type = FIELD_TEXT, AT(infrastructure_role),
	 .valid = valid_role,
	 .help = "ARN of the role by which ECS makes load balancer and scaling; needed for a new "
		 "service, and can't be changed later"},
	{.name = "task-role", .type = FIELD_TEXT, AT(task_role), .valid = valid_role,
	 .help = "ARN of the role that the app has"},
	{.name = "cpu", .type = FIELD_TEXT, AT(cpu), .valid = valid_cpu,
	 .help = "0.25, 0.5, 1, 2, 4, 8 or 16 vCPU; a new service gets 0.25"},
	{.name = "memory", .type = FIELD_TEXT, AT(memory), .valid = valid_memory,
	 .help = "0.5 to 120 GB, by cpu: 0.25 takes 0.5, 1, 2; 0.5 takes 1 to 4; 1 takes 2 to 8; "
		 "2 takes 4 to 16; 4 takes 8 to 30; 8 takes 16 to 60; 16 takes 32 to 120; a new "
		 "service gets 0.5"},
	{.name = "architecture", .type = FIELD_CHOICE, AT(architecture), .choices = architectures,
	 .help = "of the machines that run it; ECS's default is x86-64"},
	{.name = "port", .type = FIELD_COUNT, AT(port), .min = 1, .max = 65535,
	 .help = "where the app listens (it is in PORT); a new service gets 8080"},
	{.name = "health-check-path", .type = FIELD_TEXT, AT(health_check_path),
	 .valid = valid_path,
	 .help = "what the load balancer asks each task for; left out: `health:` path"},
	{.name = "command", .type = FIELD_LIST, AT(command), .max = 100,
	 .help = "what the container runs, word by word; left out: what the image says"},
	{.name = "env-mode", .type = FIELD_CHOICE, AT(env_mode), .choices = env_modes,
	 .fallback = "merge",
	 .help = "merge: variables of the service that slipway.yml doesn't name stay; replace: "
		 "they go"},
	{.name = "runtime-secrets", .type = FIELD_MAP, AT(runtime_secrets), .valid = valid_variable,
	 .help = "variables that ECS fills itself: name to the ARN in Secrets Manager or SSM"},
	{.name = "subnets", .type = FIELD_LIST, AT(subnets), .max = 16, .valid = valid_subnet,
	 .help = "where the tasks are; public ones make a public service, private ones a private "
		 "one; left out: the default VPC's"},
	{.name = "security-groups", .type = FIELD_LIST, AT(security_groups), .max = 5,
	 .valid = valid_group, .help = "of the tasks; left out: ECS makes one"},
	{.name = "scaling", .type = FIELD_GROUP, AT(scaling), .fields = scaling_fields,
	 .size = sizeof(struct express_scaling), .help = "how many tasks there are"},
	{.name = "log-group", .type = FIELD_TEXT, AT(log_group), .valid = valid_log,
	 .help = "the group in CloudWatch Logs that the app's output goes to; left out: ECS makes "
		 "one"},
	{.name = "log-prefix", .type = FIELD_TEXT, AT(log_prefix), .valid = valid_log,
	 .help = "what its streams' names begin with; ecs when log-group is given"},
	{.name = "tags", .type = FIELD_MAP, AT(tags), .max = 50, .valid = valid_tag,
	 .help = "the service's tags; others that it has stay"},
	{.name = "on-busy", .type = FIELD_CHOICE, AT(on_busy), .choices = busy, .fallback = "wait",
	 .help = "when another deployment is under way, which ours would stop"},
	{.name = "busy-timeout", .type = FIELD_SECONDS, AT(busy_timeout), .fallback = "30m",
	 .min = 1, .max = 86400, .help = "for how long"},
	{.name = "wait-timeout", .type = FIELD_SECONDS, AT(wait_timeout), .fallback = "45m",
	 .min = 1, .max = 86400,
	 .help = "how long ECS may take (a good update takes more than 6 minutes); after that the "
		 "end isn't known: exit 3"},
	{.name = "skip-if-unchanged", .type = FIELD_FLAG, AT(skip_if_unchanged),
	 .fallback = "false",
	 .help = "do nothing when image and settings are what runs already; otherwise the same "
		 "image is deployed anew"},
	AWS_FIELDS(struct express_settings, aws),
	{0},
};
#undef AT
/* clang-format on */

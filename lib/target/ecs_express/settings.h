#ifndef TARGET_ECS_EXPRESS_SETTINGS_H
#define TARGET_ECS_EXPRESS_SETTINGS_H

#include <stdint.h>

#include "base/fields.h"
#include "cloud/aws/settings.h"
#include "target/target.h"

/* The settings of target ecs-express in slipway.yml. What is left out (NULL, 0, -1) keeps what the
 * service has; a new one gets the values below, which are always sent: ECS's documents and its
 * model don't agree on its own defaults. */

#define EXPRESS_PORT    8080
#define EXPRESS_CPU     "256"
#define EXPRESS_MEMORY  "512"
#define EXPRESS_CLUSTER "default"
#define EXPRESS_PREFIX  "ecs"

enum { EXPRESS_ENV_MERGE, EXPRESS_ENV_REPLACE };
enum { EXPRESS_BUSY_WAIT, EXPRESS_BUSY_FAIL };
enum { EXPRESS_X86, EXPRESS_ARM };

struct express_scaling {
	int64_t min, max, target;
	int metric; /* index into the choices; -1 */
};

struct express_settings {
	struct aws_settings aws;

	const char *service_name, *service_arn, *cluster;
	const char *image;      /* one that is there already, of any registry */
	const char *repository; /* of ECR, for the image that was built */
	bool image_by_digest;
	const char *repository_credentials; /* ARN */
	const char *execution_role, *infrastructure_role, *task_role;

	const char *cpu, *memory;
	int architecture;
	int64_t port;
	const char *health_check_path;
	const char *const *command;
	int env_mode;
	const struct field_pair *runtime_secrets; /* name to ARN */
	const char *const *subnets, *const *security_groups;
	const struct express_scaling *scaling;
	const char *log_group, *log_prefix;
	const struct field_pair *tags;

	int on_busy;
	int64_t busy_timeout, wait_timeout;
	bool skip_if_unchanged;
};

extern const struct field express_fields[];

/** What the table can't say: every mistake, one after the other, in one text. */
int express_check(const void *settings, const struct app *app, struct err *err) MUST_CHECK;

/** The name of the service: the setting, or made of service and environment. In the arena. */
const char *express_name(const struct express_settings *settings, const struct app *app,
			 struct arena *arena);

/** "1 vCPU", "1vcpu", "1", "1024" as ECS has it: "1024"; NULL when it's none. In the arena. */
const char *express_cpu(const char *text, struct arena *arena);

/** "2 GB", "2gb", "2", "2048": "2048"; NULL. */
const char *express_memory(const char *text, struct arena *arena);

/** Do they go together? Both as ECS has them. */
bool express_is_pair(const char *cpu, const char *memory);

/** Is the image in a private registry of ECR, or in ECR Public? */
bool express_is_ecr(const char *image);

/** What AVERAGE_CPU and its like are called. */
extern const char *const express_metrics[];

#endif

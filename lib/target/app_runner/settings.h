#ifndef TARGET_APP_RUNNER_SETTINGS_H
#define TARGET_APP_RUNNER_SETTINGS_H

#include <stdint.h>

#include "base/fields.h"
#include "cloud/aws/settings.h"
#include "target/target.h"

/* The settings of target app-runner in slipway.yml. What is left out (NULL, 0, -1) isn't sent: a
 * new service gets App Runner's own default, one that is there keeps what it has. */

enum { ENV_MERGE, ENV_REPLACE };
enum { ON_BUSY_WAIT, ON_BUSY_FAIL };
enum { ON_PAUSED_RESUME, ON_PAUSED_FAIL };
enum { ON_CREATE_FAILED_REBUILD, ON_CREATE_FAILED_RECREATE, ON_CREATE_FAILED_FAIL };
enum { INGRESS_PUBLIC, INGRESS_PRIVATE };
enum { CODE_SOURCE_API, CODE_SOURCE_REPOSITORY };

struct app_runner_health {
	int protocol; /* index into app_runner_protocols; -1 */
	const char *path;
	int64_t interval, timeout, healthy, unhealthy;
};

struct app_runner_scaling {
	const char *name;
	int64_t concurrency, min, max;
};

struct app_runner_code {
	const char *connection; /* ARN */
	const char *repository; /* "https://github.com/acme/shop" */
	const char *branch;     /* "main" */
	const char *directory;  /* "/" */
	int source;             /* CODE_SOURCE_… */
	const char *runtime, *build_command;
};

struct app_runner_settings {
	struct aws_settings aws;

	const char *service_name, *service_arn;
	const char *image;      /* one that is there already */
	const char *repository; /* of ECR, for the image that was built */
	bool image_by_digest;
	const char *access_role, *instance_role;
	const struct app_runner_code *code;

	const char *cpu, *memory;
	int64_t port;
	const char *start_command;
	int env_mode;
	const struct field_pair *runtime_secrets; /* name to ARN */
	const struct app_runner_health *health_check;
	const char *scaling_arn;
	const struct app_runner_scaling *scaling;
	const char *vpc_connector; /* ARN, "none" */
	int ingress, ip_address_type;
	const char *observability; /* ARN, "none" */
	const struct field_pair *tags;
	const char *kms_key;
	bool auto_deployments;

	int on_busy, on_paused, on_create_failed;
	int64_t busy_timeout, wait_timeout;
	bool skip_if_unchanged, pause_after;
};

extern const struct field app_runner_fields[];

/** What the table can't say: every mistake, one after the other, in one text. */
int app_runner_check(const void *settings, const struct app *app, struct err *err) MUST_CHECK;

/** The name of the service: the setting, or made of service and environment. In the arena. */
const char *app_runner_name(const struct app_runner_settings *settings, const struct app *app,
			    struct arena *arena);

/** "1 vCPU", "1vcpu", "1", "1024" as App Runner gives it back: "1024"; NULL when it's none. */
const char *app_runner_cpu(const char *text);

/** "2 GB", "2gb", "2", "2048": "2048"; NULL. */
const char *app_runner_memory(const char *text);

/** The branch alone: "refs/heads/feature/a" is "feature/a". Borrowed from text. */
const char *app_runner_branch(const char *text);

/** Is the image in a private registry of ECR; or in ECR Public? */
bool app_runner_is_ecr(const char *image);
bool app_runner_is_ecr_public(const char *image);

#endif

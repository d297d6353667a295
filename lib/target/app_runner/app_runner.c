/* Target app-runner: an AWS App Runner service, from an image in ECR or from a repository. */

#include "target/app_runner/settings.h"
#include "target/app_runner/steps.h"

extern const struct target target_app_runner;

const struct target target_app_runner = {
	.name = "app-runner",
	.summary = "a service of AWS App Runner, from an image in ECR or from a code repository",
	.fields = app_runner_fields,
	.settings_size = sizeof(struct app_runner_settings),
	.check = app_runner_check,
	.publish = app_runner_publish,
	.shift = app_runner_shift,
	.probe = app_runner_probe,
	.rollback = app_runner_rollback,
	.retire = app_runner_retire,
	.logs = app_runner_logs,
	.plan = app_runner_plan,
};

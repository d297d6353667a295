#include "target/aws/diff.h"

#include "target/ecs_express/shape.h"

/* Names as slipway.yml has them. */
static const struct diff_name names[] = {
	{"primaryContainer.image", "image"},
	{"primaryContainer.containerPort", "port"},
	{"primaryContainer.command", "command"},
	{"primaryContainer.awsLogsConfiguration.logGroup", "log-group"},
	{"primaryContainer.awsLogsConfiguration.logStreamPrefix", "log-prefix"},
	{"primaryContainer.repositoryCredentials.credentialsParameter", "repository-credentials"},
	{"executionRoleArn", "execution-role"},
	{"taskRoleArn", "task-role"},
	{"cpu", "cpu"},
	{"memory", "memory"},
	{"cpuArchitecture", "architecture"},
	{"healthCheckPath", "health-check-path"},
	{"networkConfiguration.subnets", "subnets"},
	{"networkConfiguration.securityGroups", "security-groups"},
	{"scalingTarget.minTaskCount", "scaling.min"},
	{"scalingTarget.maxTaskCount", "scaling.max"},
	{"scalingTarget.autoScalingMetric", "scaling.metric"},
	{"scalingTarget.autoScalingTargetValue", "scaling.target"},
	{0},
};

void express_shape_diff(const json_t *live, const json_t *merged, struct buf *out)
{
	static const struct diff_kind kind = {
		.names = names,
		.env = "environment",
		.secrets = "secrets",
	};

	diff_print(&kind, live, merged, out);
}

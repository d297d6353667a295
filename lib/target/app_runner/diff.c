#include "target/aws/diff.h"

#include "target/app_runner/shape.h"

/* Names as slipway.yml has them. */
static const struct diff_name names[] = {
	{"SourceConfiguration.ImageRepository.ImageIdentifier", "image"},
	{"SourceConfiguration.ImageRepository.ImageConfiguration.Port", "port"},
	{"SourceConfiguration.ImageRepository.ImageConfiguration.StartCommand", "start-command"},
	{"SourceConfiguration.AuthenticationConfiguration.AccessRoleArn", "access-role"},
	{"SourceConfiguration.AuthenticationConfiguration.ConnectionArn", "code.connection"},
	{"SourceConfiguration.AutoDeploymentsEnabled", "auto-deployments"},
	{"SourceConfiguration.CodeRepository.RepositoryUrl", "code.repository"},
	{"SourceConfiguration.CodeRepository.SourceCodeVersion.Value", "code.branch"},
	{"SourceConfiguration.CodeRepository.SourceDirectory", "code.directory"},
	{"SourceConfiguration.CodeRepository.CodeConfiguration.ConfigurationSource",
	 "code.configuration-source"},
	{"InstanceConfiguration.Cpu", "cpu"},
	{"InstanceConfiguration.Memory", "memory"},
	{"InstanceConfiguration.InstanceRoleArn", "instance-role"},
	{"HealthCheckConfiguration.Protocol", "health-check.protocol"},
	{"HealthCheckConfiguration.Path", "health-check.path"},
	{"HealthCheckConfiguration.Interval", "health-check.interval"},
	{"HealthCheckConfiguration.Timeout", "health-check.timeout"},
	{"HealthCheckConfiguration.HealthyThreshold", "health-check.healthy-threshold"},
	{"HealthCheckConfiguration.UnhealthyThreshold", "health-check.unhealthy-threshold"},
	{"NetworkConfiguration.EgressConfiguration.EgressType", "vpc-connector"},
	{"NetworkConfiguration.EgressConfiguration.VpcConnectorArn", "vpc-connector"},
	{"NetworkConfiguration.IngressConfiguration.IsPubliclyAccessible", "ingress.public"},
	{"NetworkConfiguration.IpAddressType", "ip-address-type"},
	{"ObservabilityConfiguration.ObservabilityEnabled", "observability.on"},
	{"ObservabilityConfiguration.ObservabilityConfigurationArn", "observability"},
	{"AutoScalingConfigurationArn", "auto-scaling-configuration"},
	{"*.Runtime", "code.runtime"},
	{"*.BuildCommand", "code.build-command"},
	{"*.StartCommand", "start-command"},
	{"*.Port", "port"},
	{0},
};

void shape_diff(const json_t *live, const json_t *merged, struct buf *out)
{
	static const struct diff_kind kind = {
		.names = names,
		.env = "RuntimeEnvironmentVariables",
		.secrets = "RuntimeEnvironmentSecrets",
	};

	diff_print(&kind, live, merged, out);
}

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/shape.h"

/* Two shapes, setting by setting. */

/* Names as slipway.yml has them. */
static const struct {
	const char *path, *setting;
} names[] = {
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
};

struct diff {
	struct buf *out;
	char path[600];
};

static const char *last_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static const char *setting_of(const char *path)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].path, path) == 0)
			return names[i].setting;
	return text_same(last_of(path), "Runtime")        ? "code.runtime"
	       : text_same(last_of(path), "BuildCommand") ? "code.build-command"
	       : text_same(last_of(path), "StartCommand") ? "start-command"
	       : text_same(last_of(path), "Port")         ? "port"
							  : path;
}

static void add_value(struct buf *out, const json_t *value)
{
	if (!value)
		buf_adds(out, "(nothing)");
	else if (json_is_string(value))
		buf_adds(out, json_string_value(value));
	else
		buf_add_json(out, value);
}

/* The values of variables may be anything; the names say enough. */
static void diff_env(struct diff *diff, const char *word, const json_t *old, const json_t *new)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)new, name, value)
	{
		const json_t *before = json_object_get(old, name);

		if (!before)
			buf_addf(diff->out, "%s %s: added\n", word, name);
		else if (!json_equal((json_t *)before, value))
			buf_addf(diff->out, "%s %s: changed\n", word, name);
	}
	json_object_foreach((json_t *)old, name, value)
	{
		if (!json_object_get(new, name))
			buf_addf(diff->out, "%s %s: removed\n", word, name);
	}
}

static void diff_value(struct diff *diff, const json_t *old, const json_t *new)
{
	if (json_equal((json_t *)old, (json_t *)new))
		return;
	buf_addf(diff->out, "%s: ", setting_of(diff->path));
	if (old) {
		add_value(diff->out, old);
		buf_adds(diff->out, " -> ");
	}
	add_value(diff->out, new);
	buf_addc(diff->out, '\n');
}

static void walk(struct diff *diff, const json_t *old, const json_t *new, unsigned depth);

static void step(struct diff *diff, const char *name, const json_t *old, const json_t *new,
		 unsigned depth)
{
	size_t size = strlen(diff->path);

	snprintf(diff->path + size, sizeof diff->path - size, "%s%s", size ? "." : "", name);
	if (text_same(name, "RuntimeEnvironmentVariables"))
		diff_env(diff, "env", old, new);
	else if (text_same(name, "RuntimeEnvironmentSecrets"))
		diff_env(diff, "runtime-secrets", old, new);
	else if (depth > 0 && (json_is_object(old) || json_is_object(new)))
		walk(diff, old, new, depth - 1);
	else
		diff_value(diff, old, new);
	diff->path[size] = '\0';
}

static void walk(struct diff *diff, const json_t *old, const json_t *new, unsigned depth)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)new, name, value)
		step(diff, name, json_object_get(old, name), value, depth);
	json_object_foreach((json_t *)old, name, value)
	{
		if (!json_object_get(new, name))
			step(diff, name, value, NULL, depth);
	}
}

void shape_diff(const json_t *live, const json_t *merged, struct buf *out)
{
	struct diff diff = {.out = out};

	walk(&diff, live, merged, 8);
}

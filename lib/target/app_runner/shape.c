#include "target/app_runner/shape.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "image/reference.h"
#include "target/aws/arn.h"
#include "target/aws/valid.h"

#define IMAGE     "SourceConfiguration.ImageRepository"
#define CODE      "SourceConfiguration.CodeRepository"
#define PLAIN     "RuntimeEnvironmentVariables"
#define SECRETS   "RuntimeEnvironmentSecrets"
#define CODE_CONF CODE ".CodeConfiguration"

static void set_text(json_t *object, const char *name, const char *value)
{
	if (value)
		json_object_set_new(object, name, json_string(value));
}

static void set_count(json_t *object, const char *name, int64_t value)
{
	if (value)
		json_object_set_new(object, name, json_integer(value));
}

/* Takes the part over; an empty one isn't worth a name. */
static void set_part(json_t *object, const char *name, json_t *part)
{
	if (json_object_size(part) > 0)
		json_object_set(object, name, part);
	json_decref(part);
}

/* ---- the wish ---- */

static void wish_env(const struct app_runner_settings *settings, const struct app *app, json_t *out)
{
	json_t *plain = json_object(), *secrets = json_object();

	for (const char *const *entry = app->env; entry && *entry; entry++) {
		size_t size = strcspn(*entry, "=");
		autofree char *name = xmemdup(*entry, size);
		bool secret = valid_is_secret(app, *entry);

		json_object_set_new(secret ? secrets : plain, name, json_string(*entry + size + 1));
	}
	for (const struct field_pair *pair = settings->runtime_secrets; pair && pair->name; pair++)
		json_object_set_new(secrets, pair->name, json_string(pair->value));
	set_part(out, PLAIN, plain);
	set_part(out, SECRETS, secrets);
}

/* What an image's configuration and a code's have in common. */
static json_t *wish_run(const struct app_runner_settings *settings, const struct app *app)
{
	json_t *run = json_object();

	if (settings->port)
		json_object_set_new(run, "Port", json_sprintf("%lld", (long long)settings->port));
	set_text(run, "StartCommand", settings->start_command);
	wish_env(settings, app, run);
	return run;
}

static json_t *wish_image(const struct app_runner_settings *settings, const struct app *app,
			  const char *image)
{
	json_t *source = json_object(), *repository = json_object(), *access = json_object();
	bool ecr = app_runner_is_ecr(image);

	set_text(repository, "ImageIdentifier", image);
	set_text(repository, "ImageRepositoryType", ecr ? "ECR" : "ECR_PUBLIC");
	set_part(repository, "ImageConfiguration", wish_run(settings, app));
	json_object_set_new(source, "ImageRepository", repository);
	/* One given for a public image is left out: App Runner refuses it. */
	if (ecr)
		set_text(access, "AccessRoleArn", settings->access_role);
	set_part(source, "AuthenticationConfiguration", access);
	return source;
}

static json_t *wish_code(const struct app_runner_settings *settings, const struct app *app)
{
	const struct app_runner_code *code = settings->code;
	bool by_file = code->source == CODE_SOURCE_REPOSITORY;
	json_t *source = json_object(), *repository = json_object(), *access = json_object();
	json_t *configuration = json_object(), *values = wish_run(settings, app);

	set_text(configuration, "ConfigurationSource", by_file ? "REPOSITORY" : "API");
	set_text(values, "Runtime", code->runtime);
	set_text(values, "BuildCommand", code->build_command);
	if (by_file)
		json_object_clear(values);
	set_part(configuration, "CodeConfigurationValues", values);
	set_text(repository, "RepositoryUrl", code->repository);
	json_object_set_new(
		repository, "SourceCodeVersion",
		json_pack("{s:s,s:s}", "Type", "BRANCH", "Value", app_runner_branch(code->branch)));
	set_text(repository, "SourceDirectory", code->directory);
	set_part(repository, "CodeConfiguration", configuration);
	json_object_set_new(source, "CodeRepository", repository);
	set_text(access, "ConnectionArn", code->connection);
	set_part(source, "AuthenticationConfiguration", access);
	return source;
}

static json_t *wish_health(const struct app_runner_health *health)
{
	json_t *out = json_object();
	bool http = health->protocol == 1 || (health->protocol < 0 && health->path);

	if (health->protocol >= 0 || health->path)
		set_text(out, "Protocol", http ? "HTTP" : "TCP");
	if (http)
		set_text(out, "Path", health->path);
	set_count(out, "Interval", health->interval);
	set_count(out, "Timeout", health->timeout);
	set_count(out, "HealthyThreshold", health->healthy);
	set_count(out, "UnhealthyThreshold", health->unhealthy);
	return out;
}

static json_t *wish_network(const struct app_runner_settings *settings)
{
	json_t *out = json_object(), *egress = json_object();
	bool none = text_same(settings->vpc_connector, "none");

	if (settings->vpc_connector) {
		set_text(egress, "EgressType", none ? "DEFAULT" : "VPC");
		set_text(egress, "VpcConnectorArn", none ? NULL : settings->vpc_connector);
	}
	set_part(out, "EgressConfiguration", egress);
	if (settings->ingress >= 0)
		json_object_set_new(out, "IngressConfiguration",
				    json_pack("{s:b}", "IsPubliclyAccessible",
					      settings->ingress == INGRESS_PUBLIC));
	if (settings->ip_address_type >= 0)
		set_text(out, "IpAddressType", settings->ip_address_type ? "DUAL_STACK" : "IPV4");
	return out;
}

static json_t *wish_observability(const char *setting)
{
	json_t *out = json_object();
	bool none = text_same(setting, "none");

	if (setting)
		json_object_set_new(out, "ObservabilityEnabled", json_boolean(!none));
	set_text(out, "ObservabilityConfigurationArn", none ? NULL : setting);
	return out;
}

json_t *shape_wish(const struct app_runner_settings *settings, const struct app *app,
		   const char *image, const char *scaling)
{
	json_t *wish = json_object(), *instance = json_object(), *source;

	source = image ? wish_image(settings, app, image) : wish_code(settings, app);
	/* Left out it would be true for ECR of the same account, and the push alone would deploy.
	 */
	json_object_set_new(source, "AutoDeploymentsEnabled",
			    json_boolean(settings->auto_deployments));
	json_object_set_new(wish, "SourceConfiguration", source);
	if (settings->cpu)
		set_text(instance, "Cpu", app_runner_cpu(settings->cpu));
	if (settings->memory)
		set_text(instance, "Memory", app_runner_memory(settings->memory));
	set_text(instance, "InstanceRoleArn", settings->instance_role);
	set_part(wish, "InstanceConfiguration", instance);
	if (settings->health_check)
		set_part(wish, "HealthCheckConfiguration", wish_health(settings->health_check));
	set_part(wish, "NetworkConfiguration", wish_network(settings));
	set_part(wish, "ObservabilityConfiguration", wish_observability(settings->observability));
	set_text(wish, "AutoScalingConfigurationArn", scaling);
	return wish;
}

/* ---- one spelling ---- */

/* Without members that are null or hold nothing; their absence says the same. */
static void tidy(json_t *object)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		if (json_is_object(value))
			tidy(value);
		if (json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0))
			json_object_del(object, name);
	}
}

static void set_default(json_t *object, const char *name, const char *value)
{
	if (object && !json_object_get(object, name))
		json_object_set_new(object, name, json_string(value));
}

static void tidy_source(json_t *source)
{
	json_t *image = json_object_get(source, "ImageRepository");
	json_t *configuration = json_object_get(image, "ImageConfiguration");

	if (image && !configuration) {
		configuration = json_object();
		json_object_set_new(image, "ImageConfiguration", configuration);
	}
	set_default(configuration, "Port", "8080");
	if (!json_object_get(source, "AutoDeploymentsEnabled"))
		json_object_set_new(source, "AutoDeploymentsEnabled", json_false());
}

static void tidy_health(json_t *health)
{
	if (text_same(json_text(health, "Protocol"), "TCP"))
		json_object_del(health, "Path");
	else if (text_same(json_text(health, "Protocol"), "HTTP"))
		set_default(health, "Path", "/");
}

static void tidy_instance(json_t *instance)
{
	const char *cpu = json_text(instance, "Cpu"), *memory = json_text(instance, "Memory");

	if (cpu && app_runner_cpu(cpu))
		set_text(instance, "Cpu", app_runner_cpu(cpu));
	if (memory && app_runner_memory(memory))
		set_text(instance, "Memory", app_runner_memory(memory));
}

static void tidy_shape(json_t *shape)
{
	json_t *egress, *observability = json_object_get(shape, "ObservabilityConfiguration");

	tidy(shape);
	tidy_source(json_object_get(shape, "SourceConfiguration"));
	tidy_health(json_object_get(shape, "HealthCheckConfiguration"));
	tidy_instance(json_object_get(shape, "InstanceConfiguration"));
	egress = json_at(shape, "NetworkConfiguration.EgressConfiguration");
	if (text_same(json_text(egress, "EgressType"), "DEFAULT"))
		json_object_del(egress, "VpcConnectorArn");
	if (observability && !json_flag(observability, "ObservabilityEnabled"))
		json_object_del(observability, "ObservabilityConfigurationArn");
}

json_t *shape_live(const json_t *service)
{
	static const char *const groups[] = {
		"SourceConfiguration",  "InstanceConfiguration",      "HealthCheckConfiguration",
		"NetworkConfiguration", "ObservabilityConfiguration",
	};
	json_t *live = json_object();

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		json_t *group = json_object_get(service, groups[i]);

		if (json_is_object(group))
			json_object_set_new(live, groups[i], json_deep_copy(group));
	}
	set_text(live, "AutoScalingConfigurationArn",
		 json_text(service, "AutoScalingConfigurationSummary.AutoScalingConfigurationArn"));
	tidy_shape(live);
	return live;
}

/* ---- the wish upon what is there ---- */

/* A copy: what is merged is changed later, the wish isn't. */
static void overlay(json_t *onto, const json_t *wish)
{
	json_auto json_t *copy = json_deep_copy(wish);

	json_object_update_recursive(onto, copy);
}

/* Where the variables stand: of the image, or of the code. */
static json_t *env_of(const json_t *shape)
{
	json_t *image = json_at(shape, IMAGE ".ImageConfiguration");

	return image ? image : json_at(shape, CODE_CONF ".CodeConfigurationValues");
}

/* A variable that became a secret, or the other way round, is one of them only. */
static void move_names(json_t *merged, const json_t *wish, const char *to, const char *from)
{
	json_t *wished = json_object_get(env_of(wish), to), *value;
	const char *name;

	json_object_foreach(wished, name, value)
		json_object_del(json_object_get(env_of(merged), from), name);
}

static bool is_code(const json_t *shape)
{
	return json_at(shape, CODE) != NULL;
}

static void drop_unfit(json_t *merged, const json_t *wish)
{
	json_t *code = json_at(merged, CODE_CONF);

	if (text_same(json_text(wish, IMAGE ".ImageRepositoryType"), "ECR_PUBLIC"))
		json_object_del(json_object_get(merged, "SourceConfiguration"),
				"AuthenticationConfiguration");
	if (text_same(json_text(code, "ConfigurationSource"), "REPOSITORY"))
		json_object_del(code, "CodeConfigurationValues");
	move_names(merged, wish, SECRETS, PLAIN);
	move_names(merged, wish, PLAIN, SECRETS);
}

int shape_merge(json_t **out, const json_t *live, const json_t *wish, bool replace_env,
		struct err *err)
{
	json_t *merged = live ? json_deep_copy(live) : json_object();

	if (live && is_code(live) != is_code(wish)) {
		json_decref(merged);
		return err_set(
			err, ERR_USAGE, 0,
			"the service runs %s and can't be changed to %s: App Runner has no way "
			"between the two; give another service-name, or delete the service",
			is_code(live) ? "code" : "an image", is_code(live) ? "an image" : "code");
	}
	if (replace_env) {
		json_object_del(env_of(merged), PLAIN);
		json_object_del(env_of(merged), SECRETS);
	}
	overlay(merged, wish);
	drop_unfit(merged, wish);
	tidy_shape(merged);
	*out = merged;
	return 0;
}

json_t *shape_change(const json_t *live, const json_t *merged)
{
	json_t *change = json_object(), *group;
	const char *name;

	json_object_foreach((json_t *)merged, name, group)
	{
		if (!json_equal(json_object_get(live, name), group))
			json_object_set(change, name, group);
	}
	return change;
}

json_t *shape_create(const struct app_runner_settings *settings, const json_t *merged)
{
	json_t *body = json_deep_copy(merged), *tags = json_array();

	for (const struct field_pair *tag = settings->tags; tag && tag->name; tag++)
		json_array_append_new(
			tags, json_pack("{s:s,s:s}", "Key", tag->name, "Value", tag->value));
	if (json_array_size(tags) > 0)
		json_object_set(body, "Tags", tags);
	json_decref(tags);
	if (settings->kms_key)
		json_object_set_new(body, "EncryptionConfiguration",
				    json_pack("{s:s}", "KmsKey", settings->kms_key));
	return body;
}

/* ---- questions ---- */

const char *shape_runs(const json_t *shape)
{
	const char *image = json_text(shape, IMAGE ".ImageIdentifier");

	return image ? image : json_text(shape, CODE ".SourceCodeVersion.Value");
}

bool shape_same_source(const json_t *a, const json_t *b)
{
	return is_code(a) == is_code(b) && text_same(shape_runs(a), shape_runs(b))
	       && text_same(json_text(a, CODE ".RepositoryUrl"),
			    json_text(b, CODE ".RepositoryUrl"));
}

bool shape_is_public(const json_t *shape)
{
	return !json_is_false(
		json_at(shape, "NetworkConfiguration.IngressConfiguration.IsPubliclyAccessible"));
}

static int check_secret_regions(const json_t *secrets, const char *region, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)secrets, name, value)
	{
		struct err ignored = ERR_INIT;
		struct arn arn;

		if (json_is_string(value)
		    && arn_parse(&arn, json_string_value(value), arena, &ignored) == 0
		    && !text_same(arn.region, region))
			return err_set(
				err, ERR_USAGE, 0,
				"runtime-secrets: '%s' is in region %s, the service in %s: App "
				"Runner reads secrets of its own region only",
				name, arn.region, region);
	}
	return 0;
}

int shape_check(const json_t *merged, const char *region, struct err *err)
{
	const json_t *secrets = json_object_get(env_of(merged), SECRETS);

	if (secrets && !json_text(merged, "InstanceConfiguration.InstanceRoleArn"))
		return err_set(err, ERR_USAGE, 0,
			       "instance-role: is missing: App Runner reads the secrets with it "
			       "(trusted service: tasks.apprunner.amazonaws.com)");
	return check_secret_regions(secrets, region, err);
}

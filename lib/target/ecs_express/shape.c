#include "target/ecs_express/shape.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/arn.h"
#include "target/aws/valid.h"

#define CONTAINER "primaryContainer"
#define PLAIN     "environment"
#define SECRETS   "secrets"

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
	bool empty = json_is_array(part) ? json_array_size(part) == 0 : json_object_size(part) == 0;

	if (!empty)
		json_object_set(object, name, part);
	json_decref(part);
}

static json_t *list_of(const char *const *texts)
{
	json_t *list = json_array();

	for (; texts && *texts; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(json_string_value(*(json_t *const *)a),
		      json_string_value(*(json_t *const *)b));
}

/* New reference, of texts only. */
static json_t *sorted(const json_t *list)
{
	json_t **items = xalloc((json_array_size(list) + 1) * sizeof *items), *item, *out;
	size_t count = 0, i;

	json_array_foreach((json_t *)list, i, item)
	{
		if (json_is_string(item))
			items[count++] = item;
	}
	qsort(items, count, sizeof *items, by_text);
	out = json_array();
	for (i = 0; i < count; i++)
		json_array_append(out, items[i]);
	free(items);
	return out;
}

/* ---- the wish ---- */

static void wish_env(const struct express_settings *settings, const struct app *app, json_t *out)
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

static json_t *wish_container(const struct express_settings *settings, const struct app *app,
			      const char *image)
{
	json_t *out = json_object(), *logs = json_object(), *credentials = json_object();

	set_text(out, "image", image);
	set_count(out, "containerPort", settings->port);
	if (settings->log_group) {
		set_text(logs, "logGroup", settings->log_group);
		set_text(logs, "logStreamPrefix",
			 settings->log_prefix ? settings->log_prefix : EXPRESS_PREFIX);
	}
	set_part(out, "awsLogsConfiguration", logs);
	set_text(credentials, "credentialsParameter", settings->repository_credentials);
	set_part(out, "repositoryCredentials", credentials);
	set_part(out, "command", list_of(settings->command));
	wish_env(settings, app, out);
	return out;
}

static json_t *wish_scaling(const struct express_scaling *scaling)
{
	json_t *out = json_object();

	if (!scaling)
		return out;
	set_count(out, "minTaskCount", scaling->min);
	set_count(out, "maxTaskCount", scaling->max);
	if (scaling->metric >= 0)
		set_text(out, "autoScalingMetric", express_metrics[scaling->metric]);
	set_count(out, "autoScalingTargetValue", scaling->target);
	return out;
}

json_t *express_shape_wish(const struct express_settings *settings, const struct app *app,
			   const char *image)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	json_t *wish = json_object(), *network = json_object(), *list;
	const char *path = settings->health_check_path;

	if (!path && app->health)
		path = app->health->path;
	set_text(wish, "executionRoleArn", settings->execution_role);
	set_text(wish, "taskRoleArn", settings->task_role);
	set_text(wish, "healthCheckPath", path);
	if (settings->cpu)
		set_text(wish, "cpu", express_cpu(settings->cpu, arena));
	if (settings->memory)
		set_text(wish, "memory", express_memory(settings->memory, arena));
	if (settings->architecture >= 0)
		set_text(wish, "cpuArchitecture",
			 settings->architecture == EXPRESS_ARM ? "ARM64" : "X86_64");
	json_object_set_new(wish, CONTAINER, wish_container(settings, app, image));
	list = list_of(settings->subnets);
	set_part(network, "subnets", sorted(list));
	json_decref(list);
	list = list_of(settings->security_groups);
	set_part(network, "securityGroups", sorted(list));
	json_decref(list);
	set_part(wish, "networkConfiguration", network);
	set_part(wish, "scalingTarget", wish_scaling(settings->scaling));
	return wish;
}

/* ---- one spelling ---- */

static json_t *as_object(const json_t *pairs, const char *value)
{
	json_t *out = json_object(), *pair;
	size_t i;

	json_array_foreach((json_t *)pairs, i, pair)
	{
		const char *name = json_text(pair, "name"), *text = json_text(pair, value);

		if (name && text)
			json_object_set_new(out, name, json_string(text));
	}
	return out;
}

static json_t *as_pairs(const json_t *object, const char *value)
{
	json_t *out = json_array(), *text;
	const char *name;

	json_object_foreach((json_t *)object, name, text)
		json_array_append_new(out, json_pack("{s:s,s:O}", "name", name, value, text));
	return out;
}

/* Members that are null or hold nothing say the same as their absence. */
static void copy_part(json_t *to, const json_t *from, const char *name)
{
	json_t *part = json_object_get(from, name);

	if (json_is_object(part) || json_is_array(part))
		set_part(to, name, json_deep_copy(part));
	else if (part && !json_is_null(part) && !text_same(json_string_value(part), ""))
		json_object_set(to, name, part);
}

static json_t *live_container(const json_t *container)
{
	static const char *const members[] = {"image", "containerPort", "awsLogsConfiguration",
					      "repositoryCredentials", "command"};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		copy_part(out, container, members[i]);
	set_part(out, PLAIN, as_object(json_object_get(container, PLAIN), "value"));
	set_part(out, SECRETS, as_object(json_object_get(container, SECRETS), "valueFrom"));
	return out;
}

json_t *express_shape_live(const json_t *configuration)
{
	static const char *const members[] = {
		"executionRoleArn", "taskRoleArn",     "cpu",          "memory",
		"cpuArchitecture",  "healthCheckPath", "scalingTarget"};
	json_t *live = json_object(), *network = json_object(), *there;

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		copy_part(live, configuration, members[i]);
	set_part(live, CONTAINER, live_container(json_object_get(configuration, CONTAINER)));
	there = json_object_get(configuration, "networkConfiguration");
	set_part(network, "subnets", sorted(json_object_get(there, "subnets")));
	set_part(network, "securityGroups", sorted(json_object_get(there, "securityGroups")));
	set_part(live, "networkConfiguration", network);
	return live;
}

/* ---- the wish upon what is there ---- */

/* A copy: what is merged is changed later, the wish isn't. */
static void overlay(json_t *onto, const json_t *wish)
{
	json_auto json_t *copy = json_deep_copy(wish);

	json_object_update_recursive(onto, copy);
}

/* A variable that became a secret, or the other way round, is one of them only. */
static void move_names(json_t *merged, const json_t *wish, const char *to, const char *from)
{
	json_t *wished = json_object_get(json_object_get(wish, CONTAINER), to), *value;
	json_t *container = json_object_get(merged, CONTAINER);
	json_t *others = json_object_get(container, from);
	const char *name;

	json_object_foreach(wished, name, value) json_object_del(others, name);
	if (others && json_object_size(others) == 0)
		json_object_del(container, from);
}

static json_t *part_of(json_t *object, const char *name)
{
	json_t *part = json_object_get(object, name);

	if (part)
		return part;
	json_object_set_new(object, name, json_object());
	return json_object_get(object, name);
}

static void set_default(json_t *object, const char *name, json_t *value)
{
	if (!json_object_get(object, name))
		json_object_set(object, name, value);
	json_decref(value);
}

static void fill_in(json_t *merged)
{
	json_t *container = part_of(merged, CONTAINER), *scaling = part_of(merged, "scalingTarget");
	long long port;

	/* One without the other was of ECS's choice. */
	if (!json_object_get(merged, "cpu") || !json_object_get(merged, "memory")) {
		set_text(merged, "cpu", EXPRESS_CPU);
		set_text(merged, "memory", EXPRESS_MEMORY);
	}
	set_default(merged, "healthCheckPath", json_string("/"));
	set_default(container, "containerPort", json_integer(EXPRESS_PORT));
	set_default(scaling, "minTaskCount", json_integer(1));
	set_default(scaling, "maxTaskCount", json_integer(20));
	set_default(scaling, "autoScalingMetric", json_string("AVERAGE_CPU"));
	set_default(scaling, "autoScalingTargetValue", json_integer(60));
	/* ECS doesn't tell the app; every other target does. */
	port = json_integer_at(container, "containerPort", EXPRESS_PORT);
	json_object_set_new(part_of(container, PLAIN), "PORT", json_sprintf("%lld", port));
}

json_t *express_shape_merge(const json_t *live, const json_t *wish, bool replace_env)
{
	json_t *merged = live ? json_deep_copy(live) : json_object();

	if (replace_env) {
		json_object_del(json_object_get(merged, CONTAINER), PLAIN);
		json_object_del(json_object_get(merged, CONTAINER), SECRETS);
	}
	overlay(merged, wish);
	move_names(merged, wish, SECRETS, PLAIN);
	move_names(merged, wish, PLAIN, SECRETS);
	fill_in(merged);
	return merged;
}

json_t *express_shape_change(const json_t *live, const json_t *merged)
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

json_t *express_shape_send(const json_t *shape)
{
	json_t *body = json_deep_copy(shape), *container = json_object_get(body, CONTAINER);

	if (!container)
		return body;
	json_object_set_new(container, PLAIN, as_pairs(json_object_get(container, PLAIN), "value"));
	json_object_set_new(container, SECRETS,
			    as_pairs(json_object_get(container, SECRETS), "valueFrom"));
	return body;
}

/* ---- questions ---- */

const char *express_shape_image(const json_t *shape)
{
	return json_text(shape, CONTAINER ".image");
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
			return err_set(err, ERR_USAGE, 0,
				       "runtime-secrets: '%s' is in region %s, the service in %s: "
				       "ECS reads secrets of its own region only",
				       name, arn.region, region);
	}
	return 0;
}

int express_shape_check(const json_t *merged, const char *region, struct err *err)
{
	const char *cpu = json_text(merged, "cpu"), *memory = json_text(merged, "memory");
	int64_t min = json_integer_at(merged, "scalingTarget.minTaskCount", 1);
	int64_t max = json_integer_at(merged, "scalingTarget.maxTaskCount", 1);

	if (cpu && memory && !express_is_pair(cpu, memory))
		return err_set(
			err, ERR_USAGE, 0,
			"cpu and memory: %s and %s, as the service would have them, don't go "
			"together",
			cpu, memory);
	if (min > max)
		return err_set(err, ERR_USAGE, 0,
			       "scaling: min %lld is over max %lld, as the service would have them",
			       (long long)min, (long long)max);
	return check_secret_regions(json_at(merged, CONTAINER "." SECRETS), region, err);
}

/* ---- a service ---- */

static const json_t *find_active(const json_t *service, const char *revision)
{
	json_t *list = json_object_get(service, "activeConfigurations"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (revision && text_same(json_text(item, "serviceRevisionArn"), revision))
			return item;
	}
	return NULL;
}

const json_t *express_active(const json_t *service, const char *revision)
{
	const json_t *found = find_active(service, revision);

	return found ? found : json_array_get(json_object_get(service, "activeConfigurations"), 0);
}

bool express_is_active(const json_t *service, const char *revision)
{
	return find_active(service, revision) != NULL;
}

static const char *path_of(const json_t *configuration, const char *access)
{
	json_t *list = json_object_get(configuration, "ingressPaths"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *endpoint = json_text(item, "endpoint");

		if (endpoint && *endpoint && text_same(json_text(item, "accessType"), access))
			return endpoint;
	}
	return NULL;
}

const char *express_url(const json_t *configuration)
{
	return path_of(configuration, "PUBLIC");
}

bool express_is_private(const json_t *configuration)
{
	return !path_of(configuration, "PUBLIC") && path_of(configuration, "PRIVATE");
}

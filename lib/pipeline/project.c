#include "pipeline/project.h"

#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "pipeline/project_fields.h"

enum { MAX_SIZE = 1024 * 1024 };

/* Everything that reading one file needs. */
struct reading {
	struct fields_reader fields;
	struct mistakes *mistakes;
	struct arena *arena;
	struct project *project;
};

/* "./web//app/" is "web/app"; the folder itself is ".". */
static const char *normal_path(const char *path, struct arena *arena)
{
	char *out = arena_strdup(arena, path), *end = out;

	while (*path) {
		size_t size = strcspn(path, "/");

		if (size > 0 && !(size == 1 && *path == '.')) {
			if (end > out)
				*end++ = '/';
			memmove(end, path, size);
			end += size;
		}
		path += size + (path[size] == '/');
	}
	*end = '\0';
	return *out ? out : ".";
}

static const char *const *env_list(const struct project_service *service, struct arena *arena)
{
	const char **list;
	size_t count = 0;

	while (service->env && service->env[count].name)
		count++;
	list = arena_alloc(arena, (count + 1) * sizeof *list);
	for (size_t i = 0; i < count; i++)
		list[i] = arena_printf(arena, "%s=%s", service->env[i].name, service->env[i].value);
	return list;
}

static void check_build(struct reading *reading, const struct project_service *service,
			const char *pointer)
{
	const struct project_build *build = service->build;
	autofree char *at = xprintf("%s/build", pointer);

	if (build && build->run && build->dockerfile)
		mistakes_add(reading->mistakes, at,
			     "'build': expected 'run' or 'dockerfile', found both");
	if (build && !build->run && !build->dockerfile)
		mistakes_add(
			reading->mistakes, at,
			"'build': expected 'run' or 'dockerfile', found neither; leave 'build' out "
			"when there is nothing to build");
	if (build && !build->dockerfile && (build->target || build->platform || build->args))
		mistakes_add(reading->mistakes, at,
			     "'build': 'target', 'platform' and 'args' belong to 'dockerfile'");
}

static bool is_listed(const char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

static void check_secrets(struct reading *reading, const struct project_service *service,
			  const char *pointer)
{
	const char *const *names = service->secrets;

	for (size_t i = 0; names && names[i]; i++) {
		autofree char *at = xprintf("%s/secrets/%zu", pointer, i);

		if (is_listed(names, i, names[i]))
			mistakes_add(reading->mistakes, at, "'secrets': '%s' is here a second time",
				     names[i]);
		for (size_t j = 0; service->env && service->env[j].name; j++)
			if (strcmp(service->env[j].name, names[i]) == 0)
				mistakes_add(reading->mistakes, at,
					     "'secrets': '%s' is in 'env' too; keep one of them",
					     names[i]);
	}
}

static size_t index_of(const struct project *project, const char *name)
{
	size_t i = 0;

	while (i < project->service_count && strcmp(project->services[i].name, name) != 0)
		i++;
	return i;
}

static void check_needs(struct reading *reading, const struct project_service *service,
			const char *pointer)
{
	const struct project *project = reading->project;
	const char *names[PROJECT_MAX_SERVICES], *near;

	for (size_t i = 0; i < project->service_count; i++)
		names[i] = project->services[i].name;
	for (size_t i = 0; service->needs && service->needs[i]; i++) {
		autofree char *at = xprintf("%s/needs/%zu", pointer, i);
		const char *need = service->needs[i];

		if (index_of(project, need) < project->service_count)
			continue;
		near = text_nearest(need, names, project->service_count);
		mistakes_add(reading->mistakes, at, "'needs': there is no service '%.60s'%s%s%s",
			     need, near ? "; did you mean '" : "", near ? near : "",
			     near ? "'?" : "");
	}
}

/* A walk along `needs`: the services on the way, and those that are done. */
struct walk {
	const struct project *project;
	size_t way[PROJECT_MAX_SERVICES + 1], depth;
	bool done[PROJECT_MAX_SERVICES];
};

/* Does the way come back to a service that is on it? Then the way ends with that service. */
static bool walk_finds_cycle(struct walk *walk, size_t index)
{
	const struct project_service *service = &walk->project->services[index];

	walk->way[walk->depth++] = index;
	for (size_t i = 0; i + 1 < walk->depth; i++)
		if (walk->way[i] == index)
			return true;
	for (size_t i = 0; service->needs && service->needs[i]; i++) {
		size_t next = index_of(walk->project, service->needs[i]);

		if (next < walk->project->service_count && !walk->done[next]
		    && walk_finds_cycle(walk, next))
			return true;
	}
	walk->done[index] = true;
	walk->depth--;
	return false;
}

static void add_cycle(struct reading *reading, const struct walk *walk)
{
	const struct project_service *services = reading->project->services;
	cleanup(buf_free) struct buf text = BUF_INIT(4096);
	size_t last = walk->way[walk->depth - 1], start = 0;
	autofree char *at = xprintf("/services/%s/needs", services[last].name);

	while (walk->way[start] != last)
		start++;
	for (size_t i = start; i < walk->depth; i++)
		buf_addf(&text, "%s%s", i > start ? " needs " : "", services[walk->way[i]].name);
	mistakes_add(reading->mistakes, at, "'needs' goes in a circle: %s", buf_text(&text));
}

static void check_cycles(struct reading *reading)
{
	struct walk walk = {.project = reading->project};

	for (size_t i = 0; i < reading->project->service_count; i++) {
		if (walk.done[i] || !walk_finds_cycle(&walk, i))
			continue;
		add_cycle(reading, &walk);
		return;
	}
}

/* What only the target knows. Not asked when there are mistakes already: it would see their
 * results. */
static void check_target(struct reading *reading, const struct project_service *service,
			 const struct project_environment *environment, const char *pointer)
{
	struct app app = {
		.service = service->name,
		.environment = environment->name,
		.start = service->start,
		.env = env_list(service, reading->arena),
		.health = &service->health,
		.image = service->build && service->build->dockerfile,
	};
	struct err err = ERR_INIT;

	if (environment->target->check
	    && environment->target->check(environment->settings, &app, &err) < 0)
		mistakes_add(reading->mistakes, pointer, "%s", err.text);
}

static void read_environment(struct reading *reading, struct project_environment *environment,
			     json_t *value, const char *pointer)
{
	struct project_target_name named = {0};
	struct field fields[PROJECT_TARGET_FIELDS];
	struct fields_part parts[] = {{fields, &named}, {NULL, NULL}};
	const char *name = json_text(value, "target");

	project_target_fields(fields, reading->arena);
	if (!json_is_object(value)) {
		mistakes_add(reading->mistakes, pointer,
			     "'%s': expected a mapping with 'target', found something else",
			     environment->name);
		return;
	}
	environment->target = name ? target_find(name) : NULL;
	if (!environment->target) {
		/* Without its target nobody knows what the other keys should be. */
		json_auto json_t *alone = json_object();

		if (json_object_get(value, "target"))
			json_object_set(alone, "target", json_object_get(value, "target"));
		fields_read(&reading->fields, parts, 1, alone, pointer);
		return;
	}
	environment->settings = arena_alloc(reading->arena, environment->target->settings_size);
	parts[1] = (struct fields_part){environment->target->fields, environment->settings};
	fields_read(&reading->fields, parts, 2, value, pointer);
}

static void read_environments(struct reading *reading, struct project_service *service,
			      json_t *environments, const char *pointer, bool good)
{
	autofree char *within = xprintf("%s/environments", pointer);
	const char *name;
	json_t *value;

	if (!environments)
		return;
	if (!json_is_object(environments) || json_object_size(environments) == 0) {
		mistakes_add(reading->mistakes, within,
			     "'environments': expected a mapping with at least one environment");
		return;
	}
	service->environments = arena_alloc(
		reading->arena, json_object_size(environments) * sizeof *service->environments);
	json_object_foreach(environments, name, value)
	{
		autofree char *at = yaml_pointer(within, name);
		struct project_environment *environment =
			&service->environments[service->environment_count++];
		unsigned before = reading->mistakes->count;

		environment->name = arena_strdup(reading->arena, name);
		if (!text_is_name(name))
			mistakes_add_key(reading->mistakes, at,
					 "'environments': '%.60s' is not a name: up to 63 letters, "
					 "digits, '.', '_' and '-', the first a letter or digit",
					 name);
		read_environment(reading, environment, value, at);
		if (good && reading->mistakes->count == before)
			check_target(reading, service, environment, at);
	}
}

static void finish_service(struct reading *reading, struct project_service *service,
			   struct project_service_text *text, bool good)
{
	autofree char *pointer = yaml_pointer("/services", service->name);
	unsigned before = reading->mistakes->count;

	if (service->path)
		service->path = normal_path(service->path, reading->arena);
	if (service->build && service->build->dockerfile)
		service->build->dockerfile =
			normal_path(service->build->dockerfile, reading->arena);
	check_build(reading, service, pointer);
	check_secrets(reading, service, pointer);
	check_needs(reading, service, pointer);
	read_environments(reading, service, text->environments, pointer,
			  good && reading->mistakes->count == before);
}

static void read_project(struct reading *reading, json_t *json)
{
	struct project *project = reading->project;
	struct project_text text = {0};
	struct project_service_text *texts;
	unsigned before = reading->mistakes->count;
	bool good;

	if (!json_is_object(json)) {
		mistakes_add(reading->mistakes, "",
			     "expected 'version: 1' and 'services:', found %s",
			     json_is_null(json) ? "nothing" : "something else");
		return;
	}
	fields_read(&reading->fields, &(struct fields_part){project_fields, &text}, 1, json, "");
	good = reading->mistakes->count == before;
	texts = text.services.items;
	project->service_count = text.services.count;
	project->services =
		arena_alloc(reading->arena, text.services.count * sizeof *project->services);
	for (size_t i = 0; i < project->service_count; i++) {
		project->services[i] = texts[i].service;
		if (texts[i].health)
			project->services[i].health = *texts[i].health;
		else
			project_health_default(&reading->fields, &project->services[i].health);
	}
	for (size_t i = 0; i < project->service_count; i++)
		finish_service(reading, &project->services[i], &texts[i], good);
	check_cycles(reading);
}

int project_read(struct project **out, const char *name, const char *text, size_t size,
		 struct arena *arena, struct mistakes *mistakes, struct err *err)
{
	cleanup(yaml_marks_freep) struct yaml_marks *marks = NULL;
	json_auto json_t *json = NULL;
	struct reading reading = {
		.fields = {.arena = arena, .mistakes = mistakes},
		.mistakes = mistakes,
		.arena = arena,
		.project = arena_alloc(arena, sizeof *reading.project),
	};

	*out = NULL;
	mistakes->file = name;
	if (yaml_parse(&json, &marks, text, size, mistakes, err) < 0)
		return -1;
	mistakes->marks = marks;
	read_project(&reading, json);
	mistakes->marks = NULL;
	if (mistakes_result(mistakes, err) < 0)
		return -1;
	*out = reading.project;
	return 0;
}

int project_load(struct project **out, const char *path, struct arena *arena,
		 struct mistakes *mistakes, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(MAX_SIZE);

	*out = NULL;
	if (file_read(path, &text, err) < 0)
		return -1;
	return project_read(out, path, buf_text(&text), text.size, arena, mistakes, err);
}

/* The environment as slipway.yml has it, or nothing; a new reference. */
static json_t *environment_text(json_t *project, const char *service, const char *environment)
{
	json_t *at = json_object_get(json_object_get(project, "services"), service);

	at = json_object_get(json_object_get(at, "environments"), environment);
	return json_is_object(at) ? json_copy(at) : json_object();
}

static struct project_environment *add_environment(struct project_service *service,
						   const char *name, struct arena *arena)
{
	size_t count = service->environment_count++;
	struct project_environment *items = arena_alloc(arena, (count + 1) * sizeof *items);

	if (count > 0)
		memcpy(items, service->environments, count * sizeof *items);
	service->environments = items;
	items[count].name = arena_strdup(arena, name);
	return &items[count];
}

/* Which services it is about: the one named; else those that have it; else, with a target, all. */
static bool overridden(const struct project *project, const struct project_service *service,
		       const struct project_override *override)
{
	bool anywhere = false;

	if (override->service)
		return strcmp(override->service, service->name) == 0;
	for (size_t i = 0; i < project->service_count; i++)
		anywhere |=
			project_environment(&project->services[i], override->environment) != NULL;
	return !anywhere || project_environment(service, override->environment) != NULL;
}

static void override_one(struct reading *reading, struct project_service *service, json_t *text,
			 const struct project_override *override, json_t *settings)
{
	struct project_environment *environment =
		(struct project_environment *)project_environment(service, override->environment);
	json_auto json_t *merged = environment_text(text, service->name, override->environment);
	const char *before = json_text(merged, "target");
	unsigned mistakes = reading->mistakes->count;

	if (!environment && !override->target)
		return;
	if (override->target && before && strcmp(before, override->target) != 0)
		json_object_clear(merged);
	json_object_update(merged, settings);
	if (override->target)
		json_object_set_new(merged, "target", json_string(override->target));
	if (!environment)
		environment = add_environment(service, override->environment, reading->arena);
	read_environment(reading, environment, merged, "");
	if (reading->mistakes->count == mistakes && environment->target)
		check_target(reading, service, environment, "");
}

int project_override(struct project *project, const char *text, size_t size,
		     const struct project_override *override, struct arena *arena,
		     struct mistakes *mistakes, struct err *err)
{
	cleanup(yaml_marks_freep) struct yaml_marks *marks = NULL, *ignored = NULL;
	json_auto json_t *settings = NULL, *whole = NULL;
	const char *given = override->settings ? override->settings : "{}";
	struct reading reading = {
		.fields = {.arena = arena, .mistakes = mistakes},
		.mistakes = mistakes,
		.arena = arena,
		.project = project,
	};

	if (yaml_parse(&whole, &ignored, text, size, mistakes, err) < 0)
		return -1;
	mistakes->file = override->name;
	if (yaml_parse(&settings, &marks, given, strlen(given), mistakes, err) < 0)
		return -1;
	mistakes->marks = marks;
	if (!json_is_object(settings))
		mistakes_add(mistakes, "", "expected settings of the target, 'name: value' a line");
	else
		for (size_t i = 0; i < project->service_count; i++)
			if (overridden(project, &project->services[i], override))
				override_one(&reading, &project->services[i], whole, override,
					     settings);
	mistakes->marks = NULL;
	return mistakes_result(mistakes, err);
}

const struct project_service *project_service(const struct project *project, const char *name)
{
	size_t i = index_of(project, name);

	return i < project->service_count ? &project->services[i] : NULL;
}

const struct project_environment *project_environment(const struct project_service *service,
						      const char *name)
{
	for (size_t i = 0; i < service->environment_count; i++)
		if (strcmp(service->environments[i].name, name) == 0)
			return &service->environments[i];
	return NULL;
}

/* Is it the folder (or file) itself, or something below it? */
static bool is_within(const char *folder, const char *path)
{
	size_t size = strlen(folder);

	if (strcmp(folder, ".") == 0)
		return true;
	return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool is_watched(const struct project_service *service, const char *path)
{
	for (size_t i = 0; service->watch && service->watch[i]; i++) {
		const char *watch = service->watch[i];

		watch += text_starts(watch, "./") ? 2 : 0;
		if (is_within(watch, path) || text_matches(watch, path))
			return true;
	}
	return false;
}

bool project_concerns(const struct project_service *service, const char *const *paths)
{
	if (!paths)
		return true;
	for (; *paths; paths++)
		if (is_within(service->path, *paths) || is_watched(service, *paths)
		    || strcmp(*paths, "slipway.yml") == 0)
			return true;
	return false;
}

#include "pipeline/project_fields.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static int valid_name(const char *text, struct err *err)
{
	if (text_is_name(text))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.60s' is not a name: up to 63 letters, digits, '.', '_' and '-', the first "
		"a letter or digit",
		text);
}

/* A path below the repository's root. */
static int valid_path(const char *text, struct err *err)
{
	if (*text == '/')
		return err_set(err, ERR_USAGE, 0,
			       "expected a path within the repository, found the absolute '%.60s'",
			       text);
	for (const char *part = text; *part; part += *part == '/') {
		size_t size = strcspn(part, "/");

		if (size == 2 && part[0] == '.' && part[1] == '.')
			return err_set(
				err, ERR_USAGE, 0,
				"expected a path within the repository, found '..' in '%.60s'",
				text);
		part += size;
	}
	for (const char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			return err_set(err, ERR_USAGE, 0, "control characters in '%.60s'", text);
	return 0;
}

static int valid_url_path(const char *text, struct err *err)
{
	bool good = *text == '/' && strlen(text) <= 1000;

	for (const char *c = text; *c; c++)
		good &= *c > ' ' && *c < 0x7f && *c != '#';
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected a path such as /healthz, without spaces or '#', found '%.60s'",
		       text);
}

static int valid_variable(const char *text, struct err *err)
{
	if (!text_is_variable(text))
		return err_set(
			err, ERR_USAGE, 0,
			"'%.60s' is no name of a variable: expected letters, digits and '_', "
			"the first not a digit",
			text);
	if (strcmp(text, "PORT") == 0 || text_starts(text, "SLIPWAY_"))
		return err_set(err, ERR_USAGE, 0, "'%.60s' is set by Slipway; leave it out", text);
	return 0;
}

static int valid_argument(const char *text, struct err *err)
{
	if (text_is_variable(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.60s' is no name of a build argument: expected letters, digits and '_', "
		       "the first not a digit",
		       text);
}

static int valid_word(const char *text, struct err *err)
{
	if (*text && strspn(text, LETTERS "0123456789._-") == strlen(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.60s' is no name of a stage: expected letters, digits, '.', '_' and '-'",
		       text);
}

/* "linux/amd64", "linux/arm64/v8". */
static int valid_platform(const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');

	if (slash && slash > text && slash[1] && !text_ends(text, "/")
	    && strspn(text, LETTERS "0123456789._-/") == strlen(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.60s' is no platform: expected one such as linux/amd64 or linux/arm64",
		       text);
}

static const struct field build_fields[] = {
	{.name = "run",
	 .type = FIELD_COMMAND,
	 .at = offsetof(struct project_build, run),
	 .help = "The command that builds it, in the service's folder."},
	{.name = "dockerfile",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct project_build, dockerfile),
	 .valid = valid_path,
	 .help = "Build an image from this file instead (path from the service's folder, which is "
		 "the build context). Tests run in the image."},
	{.name = "target",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct project_build, target),
	 .valid = valid_word,
	 .help = "The stage of the Dockerfile to build; without it the last."},
	{.name = "platform",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct project_build, platform),
	 .valid = valid_platform,
	 .help = "What the image is for, as in `linux/amd64`; without it, what the engine runs "
		 "on."},
	{.name = "args",
	 .type = FIELD_MAP,
	 .at = offsetof(struct project_build, args),
	 .valid = valid_argument,
	 .help = "Build arguments (`ARG` in the Dockerfile). They can be read in the image: no "
		 "secrets."},
	{.name = "timeout",
	 .type = FIELD_SECONDS,
	 .at = offsetof(struct project_build, timeout),
	 .fallback = "30m",
	 .min = 1,
	 .max = 86400,
	 .help = "A build that takes longer is stopped and has failed."},
	{0},
};

static const struct field test_fields[] = {
	{.name = "run",
	 .type = FIELD_COMMAND,
	 .at = offsetof(struct project_command, run),
	 .required = true,
	 .help = "The command that tests it, in the service's folder; not 0 stops the deployment."},
	{.name = "timeout",
	 .type = FIELD_SECONDS,
	 .at = offsetof(struct project_command, timeout),
	 .fallback = "30m",
	 .min = 1,
	 .max = 86400,
	 .help = "A test that takes longer is stopped and has failed."},
	{0},
};

static const struct field release_fields[] = {
	{.name = "run",
	 .type = FIELD_COMMAND,
	 .at = offsetof(struct project_command, run),
	 .required = true,
	 .help = "The command, in the service's folder, with the app's env and secrets."},
	{.name = "timeout",
	 .type = FIELD_SECONDS,
	 .at = offsetof(struct project_command, timeout),
	 .fallback = "10m",
	 .min = 1,
	 .max = 86400,
	 .help = "A release command that takes longer is stopped and has failed."},
	{0},
};

static const struct field health_fields[] = {
	{.name = "path",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct health, path),
	 .fallback = "/",
	 .valid = valid_url_path,
	 .help = "What is asked for with GET."},
	{.name = "status",
	 .type = FIELD_COUNT,
	 .at = offsetof(struct health, status),
	 .fallback = "200",
	 .min = 200,
	 .max = 599,
	 .help = "The HTTP status that it must answer with."},
	{.name = "timeout",
	 .type = FIELD_SECONDS,
	 .at = offsetof(struct health, timeout),
	 .fallback = "60s",
	 .min = 1,
	 .max = 3600,
	 .help = "How long a new version may take until it answers so."},
	{.name = "settle",
	 .type = FIELD_SECONDS,
	 .at = offsetof(struct health, settle),
	 .fallback = "3s",
	 .min = 0,
	 .max = 600,
	 .help = "How long it must go on answering so once it has the traffic."},
	{0},
};

#define AT(member) offsetof(struct project_service_text, member)
static const struct field service_fields[] = {
	{.name = "path",
	 .type = FIELD_TEXT,
	 .at = AT(service.path),
	 .fallback = ".",
	 .valid = valid_path,
	 .help = "The folder it lives in, from the repository's root. A push that changes nothing "
		 "in it (nor slipway.yml, nor `watch`) doesn't deploy it."},
	{.name = "watch",
	 .type = FIELD_LIST,
	 .at = AT(service.watch),
	 .max = 100,
	 .valid = valid_path,
	 .help = "More folders or patterns (`libs/**`), from the repository's root, whose changes "
		 "deploy it."},
	{.name = "needs",
	 .type = FIELD_LIST,
	 .at = AT(service.needs),
	 .max = 100,
	 .help = "Services of this file that must be live, at the same commit, before this one is "
		 "deployed."},
	{.name = "build",
	 .type = FIELD_GROUP,
	 .at = AT(service.build),
	 .fields = build_fields,
	 .size = sizeof(struct project_build),
	 .help = "How it is built: `run` or `dockerfile`. Leave it out when there is nothing to "
		 "build."},
	{.name = "test",
	 .type = FIELD_GROUP,
	 .at = AT(service.test),
	 .fields = test_fields,
	 .size = sizeof(struct project_command),
	 .help = "How it is tested, after the build."},
	{.name = "release",
	 .type = FIELD_GROUP,
	 .at = AT(service.release),
	 .fields = release_fields,
	 .size = sizeof(struct project_command),
	 .help = "A command such as a migration: once per deployment, after the tests and before "
		 "any traffic."},
	{.name = "start",
	 .type = FIELD_COMMAND,
	 .at = AT(service.start),
	 .help = "The command that serves. It listens on 127.0.0.1 (or everywhere) at the port in "
		 "`PORT`."},
	{.name = "health",
	 .type = FIELD_GROUP,
	 .at = AT(health),
	 .fields = health_fields,
	 .size = sizeof(struct health),
	 .help = "How to tell that it works."},
	{.name = "env",
	 .type = FIELD_MAP,
	 .at = AT(service.env),
	 .valid = valid_variable,
	 .help = "Variables for the app. `PORT` and `SLIPWAY_*` are Slipway's own."},
	{.name = "secrets",
	 .type = FIELD_LIST,
	 .at = AT(service.secrets),
	 .max = 100,
	 .valid = valid_variable,
	 .help = "Names of secrets that the app gets as variables; the values come from the "
		 "workflow or from slipwayd.yml."},
	{.name = "environments",
	 .type = FIELD_ANY,
	 .at = AT(environments),
	 .required = true,
	 .help = "Where it is deployed to: see below."},
	{0},
};

const struct field project_fields[] = {
	{.name = "version",
	 .type = FIELD_COUNT,
	 .at = offsetof(struct project_text, version),
	 .required = true,
	 .min = 1,
	 .max = 1,
	 .help = "The version of this format."},
	{.name = "services",
	 .type = FIELD_NAMED,
	 .at = offsetof(struct project_text, services),
	 .required = true,
	 .min = 1,
	 .max = PROJECT_MAX_SERVICES,
	 .valid = valid_name,
	 .fields = service_fields,
	 .size = sizeof(struct project_service_text),
	 .help = "The services of this repository, by name."},
	{0},
};

void project_target_fields(struct field fields[PROJECT_TARGET_FIELDS], struct arena *arena)
{
	const char **names;
	size_t count = 0;

	while (targets[count])
		count++;
	names = arena_alloc(arena, (count + 1) * sizeof *names);
	for (size_t i = 0; i < count; i++)
		names[i] = targets[i]->name;
	fields[0] = (struct field){
		.name = "target",
		.type = FIELD_TEXT,
		.at = offsetof(struct project_target_name, target),
		.required = true,
		.choices = names,
		.help = "What kind of place it is; the other settings depend on it.",
	};
	fields[1] = (struct field){0};
}

void project_health_default(const struct fields_reader *reader, struct health *health)
{
	json_auto json_t *nothing = json_object();

	fields_read(reader, &(struct fields_part){health_fields, health}, 1, nothing, "");
}

/* {if: {target: name}, then: all of that target's settings}. */
static json_t *schema_target(const struct target *target, const struct field *own)
{
	const struct field *const tables[] = {own, target->fields};

	return json_pack("{s:{s:{s:{s:s}},s:[s]},s:o}", "if", "properties", "target", "const",
			 target->name, "required", "target", "then", fields_schema(tables, 2));
}

static json_t *schema_environments(json_t *before)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct field own[PROJECT_TARGET_FIELDS];
	const struct field *const tables[] = {own};
	json_t *environment, *all = json_array();

	project_target_fields(own, arena);
	environment = fields_schema(tables, 1);
	json_object_del(environment, "additionalProperties");
	for (size_t i = 0; targets[i]; i++)
		json_array_append_new(all, schema_target(targets[i], own));
	json_object_set_new(environment, "allOf", all);
	return json_pack("{s:s,s:O,s:i,s:o}", "type", "object", "description",
			 json_object_get(before, "description"), "minProperties", 1,
			 "additionalProperties", environment);
}

static void set_name_pattern(json_t *schema, const char *pattern)
{
	json_object_set_new(schema, "propertyNames", json_pack("{s:s}", "pattern", pattern));
}

/* What the tables say by functions only. */
static void add_rest(json_t *schema)
{
	static const char name[] = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
	json_t *services = json_at(schema, "properties.services");
	json_t *service = json_at(services, "additionalProperties.properties");
	json_t *environments = schema_environments(json_object_get(service, "environments"));

	set_name_pattern(services, name);
	set_name_pattern(environments, name);
	json_object_set_new(service, "environments", environments);
	json_object_set_new(
		json_object_get(service, "build"), "oneOf",
		json_pack("[{s:[s]},{s:[s]}]", "required", "run", "required", "dockerfile"));
	set_name_pattern(json_object_get(service, "env"), "^[A-Za-z_][A-Za-z0-9_]*$");
}

json_t *project_schema(void)
{
	const struct field *const tables[] = {project_fields};
	json_t *schema =
		json_pack("{s:s,s:s}", "$schema", "http://json-schema.org/draft-07/schema#",
			  "title", "slipway.yml");
	json_auto json_t *rest = fields_schema(tables, 1);

	json_object_update(schema, rest);
	add_rest(schema);
	return schema;
}

static const char example[] = "```yaml\n"
			      "version: 1\n"
			      "services:\n"
			      "  shop:\n"
			      "    path: .\n"
			      "    build: {run: [make, all]}\n"
			      "    test: {run: [python3, -m, pytest, -q]}\n"
			      "    release: {run: [python3, manage.py, migrate]}\n"
			      "    start: [gunicorn, shop:app]\n"
			      "    health: {path: /healthz, status: 200, timeout: 60s}\n"
			      "    env: {LOG_LEVEL: info}\n"
			      "    secrets: [DATABASE_URL]\n"
			      "    environments:\n"
			      "      production:\n"
			      "        target: server\n"
			      "        url: http://shop.localhost:8080\n"
			      "```\n";

void project_markdown(struct buf *out)
{
	buf_adds(out,
		 "# slipway.yml\n\n"
		 "This file stands in the app's repository and says how each service is built, "
		 "tested, started\nand where it is deployed to. This page is made from the "
		 "tables that the parser uses: `make docs`.\n\n");
	buf_adds(out, example);
	buf_adds(
		out,
		"\nCheck one with `slipway check`; `slipway schema` prints its JSON Schema for "
		"editors.\n\n"
		"- A **command** is a list (program and arguments, no shell) or one text, which is "
		"run as a script\n  by `/bin/sh`.\n"
		"- A **time** is `90`, `90s`, `15m` or `2h`.\n"
		"- A list with one entry may be written as that entry.\n"
		"- Anchors, aliases, tags, merge keys, duplicate keys and further documents are "
		"refused; so is\n  a file over 1 MiB.\n\n## Settings\n\n");
	fields_markdown(project_fields, out);
	buf_adds(out, "\n## Environments\n\nEach entry of `environments` has `target`, and the "
		      "settings of that target beside it.\n");
	for (size_t i = 0; targets[i]; i++) {
		buf_addf(out, "\n### target: %s\n\n%s\n\n", targets[i]->name,
			 targets[i]->summary ? targets[i]->summary : "");
		if (targets[i]->fields)
			fields_markdown(targets[i]->fields, out);
	}
}

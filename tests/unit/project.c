#include "pipeline/project.h"

#include "base/json.h"
#include "scratch.h"

/* A registry of the test's own, so that it doesn't change with the targets that there are. */
struct place {
	const char *url;
	int64_t copies;
};

static const struct field near_fields[] = {
	{.name = "url", .type = FIELD_TEXT, .at = offsetof(struct place, url), .help = "The URL."},
	{0},
};
static const struct field far_fields[] = {
	{.name = "region", .type = FIELD_TEXT, .at = offsetof(struct place, url), .required = true},
	{.name = "copies",
	 .type = FIELD_COUNT,
	 .at = offsetof(struct place, copies),
	 .fallback = "2",
	 .min = 1,
	 .max = 9},
	{0},
};

static char seen[200];

static int check_near(const void *settings, const struct app *app, struct err *err)
{
	const struct place *place = settings;

	snprintf(seen, sizeof seen, "%s %s %s %s %s", app->service, app->environment,
		 place->url ? place->url : "-", app->env[0] ? app->env[0] : "-", app->health->path);
	if (!app->start)
		return err_set(err, ERR_USAGE, 0, "the target needs 'start'");
	return 0;
}

static const struct target near_target = {
	.name = "near",
	.summary = "Here.",
	.fields = near_fields,
	.settings_size = sizeof(struct place),
	.check = check_near,
};
static const struct target far_target = {
	.name = "far",
	.fields = far_fields,
	.settings_size = sizeof(struct place),
};
const struct target *const targets[] = {&near_target, &far_target, NULL};

const struct target *target_find(const char *name)
{
	for (size_t i = 0; targets[i]; i++)
		if (strcmp(targets[i]->name, name) == 0)
			return targets[i];
	return NULL;
}

static struct arena *arena;

/* All mistakes, "" for none. */
static const char *read(const char *yaml, struct project **project)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(NULL);
	struct err err = ERR_INIT;
	int failed = project_read(project, "s.yml", yaml, strlen(yaml), arena, &mistakes, &err);

	ok(failed ? !*project && err.kind == ERR_USAGE : *project != NULL,
	   "a result, or an error of the settings");
	return arena_strdup(arena, buf_text(&mistakes.text));
}

static void says(const char *yaml, const char *want, const char *name)
{
	struct project *project;

	same_str(read(yaml, &project), want, name);
}

#define HEAD "version: 1\nservices:\n"
#define ENDS "    start: [x]\n    environments: {live: {target: near}}\n"

static void whole(void)
{
	const struct project_environment *environment;
	const struct project_service *service;
	struct project *project;

	same_str(read("version: 1\n"
		      "services:\n"
		      "  shop:\n"
		      "    path: ./web/\n"
		      "    watch: [libs/**, ./shared]\n"
		      "    build: {run: [make, all]}\n"
		      "    test: {run: \"make check | tee log\", timeout: 5m}\n"
		      "    release: {run: [migrate]}\n"
		      "    start: [gunicorn, shop:app]\n"
		      "    health: {path: /healthz, status: 204, timeout: 10s}\n"
		      "    env: {LOG_LEVEL: info}\n"
		      "    secrets: [DATABASE_URL]\n"
		      "    needs: [db]\n"
		      "    environments:\n"
		      "      staging: {target: near, url: 'http://shop.localhost'}\n"
		      "      production:\n"
		      "        target: far\n"
		      "        region: eu\n"
		      "  db:\n"
		      "    build:\n"
		      "      dockerfile: ./Dockerfile\n"
		      "      target: last\n"
		      "      platform: linux/arm64\n"
		      "      args: {VERSION: '1.2'}\n" ENDS,
		      &project),
		 "", "everything reads");
	if (!project)
		bail_out("no project");
	service = project_service(project, "shop");
	same_str(service->path, "web", "path, in its shortest form");
	same_str(service->build->run[1], "all", "build");
	same_int(service->build->timeout, 1800, "build's time limit");
	same_str(service->test->run[1], "-c", "test is a script");
	same_str(service->test->run[2], "make check | tee log", "the script");
	same_int(service->test->timeout, 300, "test's time limit");
	same_int(service->release->timeout, 600, "release's time limit");
	same_int(service->health.status, 204, "health");
	same_int(service->health.settle, 3, "health's default");
	same_str(service->env[0].value, "info", "env");
	same_str(service->secrets[0], "DATABASE_URL", "secrets");
	environment = project_environment(service, "production");
	ok(environment->target == &far_target, "target");
	same_str(((const struct place *)environment->settings)->url, "eu", "its settings");
	same_int(((const struct place *)environment->settings)->copies, 2, "its defaults");
	ok(!project_environment(service, "nowhere"), "no such environment");
	ok(!project_service(project, "nothing"), "no such service");
	service = project_service(project, "db");
	same_str(service->path, ".", "the default path");
	same_str(service->build->dockerfile, "Dockerfile", "an image's build");
	same_str(service->build->target, "last", "its stage");
	same_str(service->build->platform, "linux/arm64", "its platform");
	same_str(service->build->args[0].value, "1.2", "its arguments");
	same_int(service->health.timeout, 60, "health when nothing is said");
	same_str(service->health.path, "/", "and its path");
	same_str(seen, "db live - - /", "the target is asked for each environment");
}

static void top(void)
{
	says("", "s.yml:1:1: expected 'version: 1' and 'services:', found nothing\n", "empty");
	says("- a\n", "s.yml:1:1: expected 'version: 1' and 'services:', found something else\n",
	     "a list");
	says("version: 2\nservice: {}\n",
	     "s.yml:1:10: 'version': expected the number 1, found '2'\n"
	     "s.yml:2:1: no such setting 'service'; did you mean 'services'?\n"
	     "s.yml:1:1: 'services' is missing; expected a mapping of names to settings\n",
	     "version and names");
	says("version: 1\nservices: {}\n",
	     "s.yml:2:11: 'services': expected at least 1, found none\n", "no service");
	says("version: 1\nservices: {}\n---\n",
	     "s.yml:3:1: a second document ('---'); only one is read\n", "YAML's own");
	says(HEAD "  a/b:\n" ENDS,
	     "s.yml:3:3: 'services': 'a/b' is not a name: up to 63 letters, digits, '.', '_' and "
	     "'-', the first a letter or digit\n",
	     "a service's name");
}

static void paths(void)
{
	says(HEAD "  a:\n    path: /srv\n    watch: [../x, a/../b]\n"
		  "    build: {dockerfile: ../Dockerfile}\n" ENDS,
	     "s.yml:4:11: 'path': expected a path within the repository, found the absolute "
	     "'/srv'\n"
	     "s.yml:5:13: 'watch': expected a path within the repository, found '..' in '../x'\n"
	     "s.yml:5:19: 'watch': expected a path within the repository, found '..' in 'a/../b'\n"
	     "s.yml:6:25: 'dockerfile': expected a path within the repository, found '..' in "
	     "'../Dockerfile'\n",
	     "paths that leave");
	says(HEAD "  a:\n    path: ..hidden/a..b\n" ENDS, "", "dots within a name are fine");
	says(HEAD "  a:\n    health: {path: healthz, status: 700}\n" ENDS,
	     "s.yml:4:20: 'path': expected a path such as /healthz, without spaces or '#', found "
	     "'healthz'\n"
	     "s.yml:4:37: 'status': expected a whole number from 200 to 599, found '700'\n",
	     "health");
}

static void builds(void)
{
	says(HEAD "  a:\n    build: {run: x, target: y}\n" ENDS,
	     "s.yml:4:12: 'build': 'target', 'platform' and 'args' belong to 'dockerfile'\n",
	     "a stage of nothing");
	says(HEAD "  a:\n    build: {dockerfile: x, platform: amd64, target: a b}\n" ENDS,
	     "s.yml:4:38: 'platform': 'amd64' is no platform: expected one such as linux/amd64 or "
	     "linux/arm64\n"
	     "s.yml:4:53: 'target': 'a b' is no name of a stage: expected letters, digits, '.', "
	     "'_' and '-'\n",
	     "a platform and a stage that are none");
	says(HEAD "  a:\n    build: {run: x, dockerfile: y}\n" ENDS,
	     "s.yml:4:12: 'build': expected 'run' or 'dockerfile', found both\n", "both");
	says(HEAD "  a:\n    build: {timeout: 1h}\n    test: {}\n" ENDS,
	     "s.yml:5:11: 'run' is missing; expected a command: a list of texts (program and "
	     "arguments), or one text (a shell script)\n"
	     "s.yml:4:12: 'build': expected 'run' or 'dockerfile', found neither; leave 'build' "
	     "out "
	     "when there is nothing to build\n",
	     "neither");
	says(HEAD "  a:\n    build: make\n" ENDS,
	     "s.yml:4:12: 'build': expected a mapping, found 'make'\n", "a text");
}

static void variables(void)
{
	says(HEAD
	     "  a:\n    env: {PORT: 1, SLIPWAY_X: 1, 1A: x, OK: y}\n    secrets: [OK, S, S, a-b, "
	     "PORT]\n" ENDS,
	     "s.yml:4:11: 'env': 'PORT' is set by Slipway; leave it out\n"
	     "s.yml:4:20: 'env': 'SLIPWAY_X' is set by Slipway; leave it out\n"
	     "s.yml:4:34: 'env': '1A' is no name of a variable: expected letters, digits and '_', "
	     "the first not a digit\n"
	     "s.yml:5:25: 'secrets': 'a-b' is no name of a variable: expected letters, digits and "
	     "'_', the first not a digit\n"
	     "s.yml:5:30: 'secrets': 'PORT' is set by Slipway; leave it out\n",
	     "names of variables");
	says(HEAD "  a:\n    env: {OK: y}\n    secrets: [OK, S, S]\n" ENDS,
	     "s.yml:5:15: 'secrets': 'OK' is in 'env' too; keep one of them\n"
	     "s.yml:5:22: 'secrets': 'S' is here a second time\n",
	     "one value each");
}

static void needs(void)
{
	says(HEAD "  shop:\n    needs: [dbb, zzzzzz]\n" ENDS "  db:\n" ENDS,
	     "s.yml:4:13: 'needs': there is no service 'dbb'; did you mean 'db'?\n"
	     "s.yml:4:18: 'needs': there is no service 'zzzzzz'\n",
	     "unknown services");
	says(HEAD "  a:\n    needs: a\n" ENDS, "s.yml:4:12: 'needs' goes in a circle: a needs a\n",
	     "itself");
	says(HEAD "  x:\n    needs: [a]\n" ENDS "  a:\n    needs: [b]\n" ENDS
		  "  b:\n    needs: [c]\n" ENDS "  c:\n    needs: [x0, a]\n" ENDS "  x0:\n" ENDS,
	     "s.yml:8:12: 'needs' goes in a circle: a needs b needs c needs a\n", "a circle");
	says(HEAD "  a:\n    needs: [b, c]\n" ENDS "  b:\n    needs: [c]\n" ENDS "  c:\n" ENDS, "",
	     "a diamond is none");
}

static void environments(void)
{
	says(HEAD "  a:\n    start: x\n",
	     "s.yml:4:5: 'environments' is missing; expected a mapping\n", "none");
	says(HEAD "  a:\n    environments: {}\n",
	     "s.yml:4:19: 'environments': expected a mapping with at least one environment\n",
	     "an empty mapping");
	says(HEAD "  a:\n    start: x\n    environments:\n      one: {target: nera}\n"
		  "      two: {url: x}\n      three: x\n      -x: {target: near}\n",
	     "s.yml:6:21: 'target': expected one of near, far, found 'nera'; did you mean 'near'?\n"
	     "s.yml:7:12: 'target' is missing; expected one of near, far\n"
	     "s.yml:8:14: 'three': expected a mapping with 'target', found something else\n"
	     "s.yml:9:7: 'environments': '-x' is not a name: up to 63 letters, digits, '.', '_' "
	     "and "
	     "'-', the first a letter or digit\n",
	     "targets");
	says(HEAD "  a:\n    start: x\n    environments:\n      one: {target: near, region: eu}\n"
		  "      two: {target: far, copies: 10}\n",
	     "s.yml:6:27: no such setting 'region'; known here: target, url\n"
	     "s.yml:7:34: 'copies': expected a whole number from 1 to 9, found '10'\n"
	     "s.yml:7:12: 'region' is missing; expected a text\n",
	     "each target's own settings");
	says(HEAD "  a:\n    environments:\n      one: {target: near}\n      two: {target: near}\n",
	     "s.yml:5:12: the target needs 'start'\ns.yml:6:12: the target needs 'start'\n",
	     "what the target's check says");
}

static void concerns(void)
{
	static const char *const watch[] = {"libs/**/*.py", "./shared", NULL};
	struct project_service service = {.path = "web", .watch = watch};
	static const struct {
		const char *file;
		bool concerns;
	} rows[] = {
		{"web/a.py", true},       {"web", true},         {"website/a", false},
		{"a/web/b", false},       {"libs/x/y.py", true}, {"libs/x/y.c", false},
		{"shared/a", true},       {"shared2/a", false},  {"slipway.yml", true},
		{"x/slipway.yml", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *const files[] = {"README.md", rows[i].file, NULL};

		same_int(project_concerns(&service, files), rows[i].concerns, rows[i].file);
	}
	ok(project_concerns(&service, NULL), "unknown files may concern it");
	service.path = ".";
	ok(project_concerns(&service, (const char *const[]){"any", NULL}),
	   "the root is everything");
	ok(!project_concerns(&service, (const char *const[]){NULL}), "no file, no concern");
}

static void loads(void)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("x");
	static const char yaml[] = HEAD "  a:\n" ENDS;
	struct project *project;
	struct err err = ERR_INIT;

	same_int(project_load(&project, scratch("none.yml"), arena, &mistakes, &err), -1,
		 "missing");
	same_int(err.kind, ERR_ABSENT, "is absent");
	same_int(file_write(scratch("s.yml"), yaml, sizeof yaml - 1, 0600, &err), 0, "a file");
	same_int(project_load(&project, scratch("s.yml"), arena, &mistakes, &err), 0, "loads");
}

static void documents(void)
{
	cleanup(buf_free) struct buf out = BUF_INIT(65536);
	json_auto json_t *schema = project_schema();
	json_t *service, *environment;

	project_markdown(&out);
	ok(strstr(buf_text(&out), "| `services.<name>.health.timeout` | time, 1s to 1h | `60s` |"),
	   "a row of the reference");
	ok(strstr(buf_text(&out), "### target: far\n"), "each target's settings");
	same_str(json_text(schema, "$schema"), "http://json-schema.org/draft-07/schema#",
		 "draft-07");
	service = json_at(schema, "properties.services.additionalProperties");
	ok(json_is_false(json_object_get(service, "additionalProperties")), "closed");
	environment = json_at(service, "properties.environments.additionalProperties");
	same_int((int64_t)json_array_size(json_object_get(environment, "allOf")), 2,
		 "a branch for each target");
	same_str(json_text(json_array_get(json_object_get(environment, "allOf"), 1),
			   "if.properties.target.const"),
		 "far", "chosen by target");
}

int main(void)
{
	scratch_begin();
	arena = arena_new();
	whole();
	top();
	paths();
	builds();
	variables();
	needs();
	environments();
	concerns();
	loads();
	documents();
	arena_free(arena);
	return tap_done();
}

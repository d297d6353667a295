#include "pipeline/run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define CONFIG_LIMIT (1024 * 1024)

static void run_mask(void *self, const char *secret)
{
	struct run *run = self;
	struct observer *observer = run->world->observer;

	redactor_add(run->world->redactor, secret);
	if (observer && observer->secret) /* there is none for a plan */
		observer->secret(observer, secret);
}

static int run_id_token(void *self, const char *audience, char **token, struct err *err)
{
	struct run *run = self;

	if (run->world->id_token(run->world->id_token_self, audience, token, err))
		return -1;
	run_mask(run, *token);
	return 0;
}

void run_begin(struct run *run, const struct plan *plan, const struct progress *saved,
	       int64_t fence, struct world *world, struct arena *arena)
{
	static const struct progress none;
	const char *job = plan->job + strlen("SLIPWAY_JOB="), *key = strrchr(job, '#');

	assert(text_starts(plan->job, "SLIPWAY_JOB=") && *job);
	*run = (struct run){.plan = plan, .world = world, .arena = arena};
	if (!saved)
		saved = &none;
	for (const struct field_pair *secret = plan->secrets; secret && secret->name; secret++)
		run_mask(run, secret->value);
	run->folder = arena_strdup(arena, saved->folder);
	if (world->docker)
		run->engine =
			engine_new(world->docker, &(struct engine_site){.http = world->http,
									.clock = world->clock,
									.say = run_engine_say,
									.tick = run_engine_tick,
									.self = run});
	run->site = (struct site){.data = world->data,
				  .http = world->http,
				  .clock = world->clock,
				  .engine = run->engine,
				  .env = world->env,
				  .id_token = world->id_token ? run_id_token : NULL,
				  .mask = run_mask,
				  .say = run_say,
				  .tick = run_tick,
				  .self = run};
	run->artifact.commit = plan->commit;
	run->deploy = (struct deploy){
		.app = &run->app,
		.artifact = &run->artifact,
		.key = key ? key + 1 : job,
		.fence = fence,
		.site = &run->site,
		.arena = arena,
		.version = arena_strdup(arena, saved->version ? saved->version : plan->version),
		.previous = arena_strdup(arena, saved->previous),
		.url = arena_strdup(arena, saved->url),
		.memo = arena_strdup(arena, saved->memo),
		.image = arena_strdup(arena, saved->image),
		.facts = saved->facts ? json_loads(saved->facts, 0, NULL) : json_object()};
	if (!run->deploy.facts)
		run->deploy.facts = json_object();
	run->artifact.image = arena_strdup(arena, saved->built);
}

void run_end(struct run *run)
{
	target_let_go(&run->deploy);
	json_decref(run->deploy.facts);
	run->deploy.facts = NULL;
	engine_free(run->engine);
	run->engine = NULL;
}

void run_say_lines(struct run *run, const char *text, size_t size)
{
	cleanup(buf_free) struct buf clean = BUF_INIT(4 * 1024 * 1024);
	struct observer *observer = run->world->observer;

	if (!observer)
		return;
	redactor_apply(run->world->redactor, text, size, &clean);
	for (const char *at = clean.data, *end = at ? at + clean.size : at; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline : end) - at);

		observer->said(observer, run->step, at, length);
		at += length + 1;
	}
}

void run_say(void *self, const char *fmt, ...)
{
	autofree char *text = NULL;
	va_list args, again;
	int size;

	va_start(args, fmt);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	/* All of it: the beginning of a secret at the end of a text that was cut isn't found. */
	text = xalloc(size > 0 ? (size_t)size + 1 : 1);
	vsnprintf(text, size > 0 ? (size_t)size + 1 : 1, fmt, again);
	va_end(again);
	run_say_lines(self, text, strlen(text));
}

int run_tick(void *self)
{
	struct run *run = self;
	struct observer *observer = run->world->observer;
	int stop = observer ? observer->alive(observer) : 0;

	if (stop > run->stop)
		run->stop = stop;
	return run->stop == OBSERVER_CANCEL && run->step >= STEP_ROLLBACK ? 0 : run->stop;
}

static char *mark_path(const struct run *run, const char *name)
{
	return xprintf("%s/mark-%s", run->plan->work, name);
}

int run_mark(const struct run *run, const char *name, const char *text, struct err *err)
{
	autofree char *path = mark_path(run, name);

	if (file_make_dirs(run->plan->work, 0700, err)
	    || file_write(path, text, strlen(text), 0600, err))
		return err_within(err, "note what this step begins");
	return 0;
}

bool run_marked(const struct run *run, const char *name)
{
	autofree char *path = mark_path(run, name);

	return file_exists(path);
}

int run_keep_failure(const struct run *run, const char *name, enum step step,
		     const struct err *failure, struct err *err)
{
	int kind = (int)failure->kind, ending = (int)run->ending;
	json_auto json_t *json =
		json_pack("{s:i, s:i, s:i, s:i, s:s}", "step", (int)step, "kind", kind, "code",
			  failure->code, "ending", ending, "text", failure->text);
	cleanup(buf_free) struct buf text = BUF_INIT(8 * 1024);

	/* Not UTF-8: the kind still matters to a later try. */
	if (!json)
		json = json_pack("{s:i, s:i, s:i, s:i, s:s}", "step", (int)step, "kind", kind,
				 "code", failure->code, "ending", ending, "text", "failed");
	buf_add_json(&text, json);
	return run_mark(run, name, buf_text(&text), err);
}

bool run_recall_failure(struct run *run, const char *name, enum step *step, struct err *failure)
{
	autofree char *path = mark_path(run, name);
	cleanup(buf_free) struct buf text = BUF_INIT(8 * 1024);
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;
	int64_t kind, at;

	if (!file_exists(path) || file_read(path, &text, &err)
	    || json_parse(&json, text.data, text.size, &err))
		return false;
	kind = json_integer_at(json, "kind", ERR_SYSTEM);
	at = json_integer_at(json, "step", STEP_FETCH);
	if (kind <= ERR_NONE || kind >= ERR_KIND_COUNT || at < 0 || at >= STEP_COUNT)
		return false;
	*step = (enum step)at;
	at = json_integer_at(json, "ending", ENDING_OPEN);
	if (at >= ENDING_OPEN && at <= ENDING_SUPERSEDED)
		run->ending = (enum ending)at;
	err_set(failure, (enum err_kind)kind, (int)json_integer_at(json, "code", 0), "%s",
		json_text(json, "text") ? json_text(json, "text") : "failed");
	return true;
}

/* The text of slipway.yml: from the source the first time, from plan->work in a later try. */
static int read_config(struct run *run, struct buf *text, struct err *err)
{
	const struct plan *plan = run->plan;
	struct source *source = run->world->source;
	autofree char *kept = file_join(plan->work, "slipway.yml");

	if (file_exists(kept))
		return file_read(kept, text, err);
	if (source->read(source, plan->commit, plan->config, text, err)) {
		if (err->kind == ERR_ABSENT)
			err->kind = ERR_USAGE;
		return err_within(err, "read %s at commit %s", plan->config, plan->commit);
	}
	if (file_make_dirs(plan->work, 0700, err))
		return -1;
	return file_write(kept, buf_text(text), text->size, 0600, err);
}

static int find_project(struct run *run, const struct project **out, struct err *err)
{
	const struct plan *plan = run->plan;
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(plan->config);
	cleanup(buf_free) struct buf text = BUF_INIT(CONFIG_LIMIT);
	struct project *project = NULL;

	*out = plan->project;
	if (*out)
		return 0;
	if (read_config(run, &text, err))
		return -1;
	if (project_read(&project, plan->config, buf_text(&text), text.size, run->arena, &mistakes,
			 err)) {
		if (mistakes.count > 1)
			run_say_lines(run, buf_text(&mistakes.text), mistakes.text.size);
		return -1;
	}
	*out = project;
	return 0;
}

static int no_environment(const struct run *run, struct err *err)
{
	const struct project_service *service = run->service;
	cleanup(buf_free) struct buf names = BUF_INIT(300);

	for (size_t i = 0; i < service->environment_count; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", service->environments[i].name);
	return err_set(err, ERR_USAGE, 0, "service '%s' has no environment '%s' in %s; it has: %s",
		       service->name, run->plan->environment, run->plan->config, buf_text(&names));
}

static int find_service(struct run *run, const struct project *project, struct err *err)
{
	const struct plan *plan = run->plan;

	run->service = project_service(project, plan->service);
	if (!run->service)
		return err_set(err, ERR_USAGE, 0, "there is no service '%s' in %s", plan->service,
			       plan->config);
	run->environment = project_environment(run->service, plan->environment);
	return run->environment ? 0 : no_environment(run, err);
}

/* A NULL-ended list of "NAME=value" in which a name stands once. */
struct list {
	const char **items;
	size_t count, room;
};

static void list_set(struct list *list, struct arena *arena, const char *name, const char *value)
{
	const char *entry = arena_printf(arena, "%s=%s", name, value);
	size_t prefix = strlen(name) + 1, at = 0;

	while (at < list->count && strncmp(list->items[at], entry, prefix) != 0)
		at++;
	assert(at < list->room);
	list->items[at] = entry;
	if (at == list->count)
		list->count++;
}

static struct list list_new(struct arena *arena, const struct project_service *service)
{
	size_t room = 16;

	for (const struct field_pair *pair = service->env; pair && pair->name; pair++)
		room++;
	for (const char *const *name = service->secrets; name && *name; name++)
		room++;
	return (struct list){.items = arena_alloc(arena, (room + 1) * sizeof(char *)),
			     .room = room};
}

static const char *secret_value(const struct plan *plan, const char *name)
{
	for (const struct field_pair *secret = plan->secrets; secret && secret->name; secret++)
		if (strcmp(secret->name, name) == 0)
			return secret->value;
	return NULL;
}

static int check_secrets(const struct run *run, struct err *err)
{
	cleanup(buf_free) struct buf missing = BUF_INIT(300);
	unsigned count = 0;

	for (const char *const *name = run->service->secrets; name && *name; name++)
		if (!secret_value(run->plan, *name))
			buf_addf(&missing, "%s%s", count++ ? ", " : "", *name);
	if (count == 0)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "service '%s' names the secret%s %s in %s, and no value was given: slipway "
		       "takes it from a variable of that name, slipwayd from `secrets:` of the "
		       "repository in slipwayd.yml",
		       run->service->name, count > 1 ? "s" : "", buf_text(&missing),
		       run->plan->config);
}

static void set_secrets(const struct run *run, struct list *list)
{
	for (const char *const *name = run->service->secrets; name && *name; name++)
		list_set(list, run->arena, *name, secret_value(run->plan, *name));
}

static void set_env(const struct run *run, struct list *list)
{
	for (const struct field_pair *pair = run->service->env; pair && pair->name; pair++)
		list_set(list, run->arena, pair->name, pair->value);
}

/* The app's environment: what the service's `env:` says, and its secrets. */
static const char *const *app_env(const struct run *run)
{
	struct list list = list_new(run->arena, run->service);

	set_env(run, &list);
	set_secrets(run, &list);
	return list.items;
}

/* A child's, from nothing. Build and test run code of everybody who sent a pull request that was
 * merged, so they get no secrets. */
static const char *const *child_env(const struct run *run, bool secrets)
{
	const struct plan *plan = run->plan;
	struct arena *arena = run->arena;
	struct list list = list_new(arena, run->service);

	list_set(&list, arena, "PATH", run->world->path);
	list_set(&list, arena, "HOME", arena_printf(arena, "%s/home", plan->work));
	list_set(&list, arena, "TMPDIR", arena_printf(arena, "%s/tmp", plan->work));
	list_set(&list, arena, "LANG", "C.UTF-8");
	list_set(&list, arena, "CI", "true");
	set_env(run, &list);
	if (secrets)
		set_secrets(run, &list);
	list_set(&list, arena, "SLIPWAY_COMMIT", plan->commit ? plan->commit : "");
	list_set(&list, arena, "SLIPWAY_SERVICE", plan->service);
	list_set(&list, arena, "SLIPWAY_ENVIRONMENT", plan->environment);
	list_set(&list, arena, "SLIPWAY_JOB", plan->job + strlen("SLIPWAY_JOB="));
	return list.items;
}

static int check_target(const struct run *run, struct err *err)
{
	const struct target *target = run->environment->target;

	if (run_check_engine(run, err))
		return -1;
	if (target->check && target->check(run->environment->settings, &run->app, err))
		return err_within(err, "services.%s.environments.%s", run->service->name,
				  run->environment->name);
	/* Later it would be in the way of a rollback. */
	return target->ready && run->step <= STEP_PUBLISH ? target->ready(&run->site, err) : 0;
}

int run_check(struct run *run, struct err *err)
{
	const struct plan *plan = run->plan;
	const struct project *project = NULL;

	if (run->ready)
		return 0;
	if (find_project(run, &project, err) || find_service(run, project, err)
	    || check_secrets(run, err))
		return -1;
	run->app = (struct app){.repository = plan->repository,
				.service = plan->service,
				.environment = plan->environment,
				.start = run->service->start,
				.env = app_env(run),
				.secrets = run->service->secrets,
				.health = &run->service->health,
				.image = run_makes_image(run)};
	if (check_target(run, err))
		return -1;
	run->child_env = child_env(run, false);
	run->release_env = child_env(run, true);
	run->deploy.settings = run->environment->settings;
	if (run->folder && run_set_folder(run, run->folder, err))
		return -1;
	run->ready = true;
	return 0;
}

int run_set_folder(struct run *run, const char *folder, struct err *err)
{
	autofree char *within = file_join(folder, run->service->path);
	autofree char *root = realpath(folder, NULL), *real = realpath(within, NULL);

	run->folder = folder;
	/* A later try finds out with publish whether the target still has it. */
	if (!root && run->step >= STEP_PUBLISH) {
		run->artifact.folder = arena_strdup(run->arena, within);
		return 0;
	}
	if (!real || !root)
		return err_set(err, ERR_USAGE, 0,
			       "services.%s.path: there is no folder '%s' in the repository",
			       run->service->name, run->service->path);
	if (!text_starts(real, root) || (real[strlen(root)] != '/' && real[strlen(root)] != '\0'))
		return err_set(err, ERR_USAGE, 0,
			       "services.%s.path: '%s' is a link that leaves the repository",
			       run->service->name, run->service->path);
	run->artifact.folder = arena_strdup(run->arena, real);
	return 0;
}

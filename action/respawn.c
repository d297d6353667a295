#include "action/respawn.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "action/inputs.h"
#include "action/stop.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "image/engine.h"

enum { MOST_MOUNTS = 32, LONGEST = 24 * 3600 };

/* One for the log, which is read until the end; one for signals meanwhile. */
struct sibling {
	struct act *act;
	struct http *http;
	struct engine *engine, *signals;
	const char *id;
	int passed; /* signals */
};

/* It speaks to the runner itself. */
static void say(void *self, const char *line, size_t size)
{
	const struct sibling *sibling = self;

	workflow_raw(sibling->act->workflow, line, size);
}

static int tick(void *self)
{
	struct sibling *sibling = self;
	struct err ignored = ERR_INIT;

	while (sibling->passed < stop_count) {
		const char *name = sibling->passed++ == 0 ? "SIGINT" : "SIGTERM";

		if (engine_signal(sibling->signals, sibling->id, name, &ignored))
			workflow_debug(sibling->act->workflow, "%s", ignored.text);
	}
	return 0;
}

static const char *label(const struct act *act)
{
	const char *run = inputs_variable("GITHUB_RUN_ID"), *job = inputs_variable("GITHUB_JOB");

	return arena_printf(act->arena, "slipway.sibling=%s.%s", run ? run : "0", job ? job : "0");
}

static const char *const *env_of(const json_t *self, struct arena *arena)
{
	const json_t *list = json_at(self, "Config.Env");
	const char **env = arena_alloc(arena, (json_array_size(list) + 1) * sizeof *env);
	size_t count = 0, i;
	json_t *one;

	json_array_foreach(list, i, one) if (json_is_string(one)) env[count++] =
		arena_strdup(arena, json_string_value(one));
	return env;
}

static size_t mounts_of(const json_t *self, struct engine_mount *mounts, const char *data,
			struct arena *arena)
{
	size_t count = 0, i;
	json_t *one;

	json_array_foreach(json_object_get(self, "Mounts"), i, one)
	{
		const char *source = json_text(one, "Source");
		const char *target = json_text(one, "Destination");

		if (!source || !target || count == MOST_MOUNTS - 1 || strcmp(target, data) == 0)
			continue;
		mounts[count++] = (struct engine_mount){
			.source = arena_strdup(arena, source),
			.target = arena_strdup(arena, target),
			.read_only = !json_is_true(json_object_get(one, "RW"))};
	}
	mounts[count++] = (struct engine_mount){.source = data, .target = data, .make = true};
	return count;
}

static int create(struct sibling *sibling, const char *command, struct err *err)
{
	struct arena *arena = sibling->act->arena;
	const char *self = engine_self(sibling->engine, arena);
	struct engine_mount mounts[MOST_MOUNTS];
	char program[PATH_MAX], suffix[9];
	ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
	const char *labels[] = {label(sibling->act), NULL};
	const char *argv[] = {command, "--internal", "sibling", NULL};
	const char *entrypoint[] = {program, NULL};
	struct engine_container container = {.entrypoint = entrypoint,
					     .argv = argv,
					     .labels = labels,
					     .mounts = mounts,
					     .network = "host"};
	json_auto json_t *json = NULL;

	if (!self)
		return err_set(
			err, ERR_ABSENT, 0,
			"find our own container: the engine behind the socket doesn't run it");
	if (size < 0)
		return err_errno(err, "find our own program");
	program[size] = '\0';
	if (engine_container(sibling->engine, self, &json, err))
		return -1;
	crypto_random_hex(suffix, sizeof suffix - 1);
	container.name = arena_printf(arena, "slipway-%s", suffix);
	container.image = json_text(json, "Image");
	container.workdir = json_text(json, "Config.WorkingDir");
	container.env = env_of(json, arena);
	container.mount_count = mounts_of(json, mounts, sibling->act->settings.data, arena);
	return engine_create(sibling->engine, &container, arena, &sibling->id, err);
}

static int run(struct sibling *sibling, const char *command, struct err *err)
{
	struct err ignored = ERR_INIT;
	int status = 0, result;

	if (create(sibling, command, err))
		return -1;
	workflow_say(sibling->act->workflow,
		     "what serves from this machine can't end with this container: going on in one "
		     "beside it, with %s of the machine",
		     sibling->act->settings.data);
	workflow_pause(sibling->act->workflow);
	result = engine_follow(sibling->engine, sibling->id, LONGEST, &status, err);
	if (engine_remove(sibling->signals, sibling->id, &ignored))
		workflow_say(sibling->act->workflow, "warning: %s", ignored.text);
	return result ? -1 : status;
}

int respawn(struct act *act, const char *command, struct err *err)
{
	struct sibling sibling = {.act = act};
	struct engine_site site = {.http = act->http,
				   .clock = &clock_system,
				   .say = say,
				   .tick = tick,
				   .self = &sibling};
	cleanup(http_freep) struct http *http = NULL;
	struct engine_site quiet = {.clock = &clock_system};
	int result;

	if (http_curl_new(&http, "slipway", err))
		return -1;
	quiet.http = http;
	sibling.engine = engine_new(act->place.docker, &site);
	sibling.signals = engine_new(act->place.docker, &quiet);
	result = run(&sibling, command, err);
	engine_free(sibling.engine);
	engine_free(sibling.signals);
	if (result < 0)
		return err_within(err, "start a container beside the action's");
	return result;
}

static void remove_all(struct act *act, const char *labelled)
{
	const struct engine_site site = {.http = act->http, .clock = &clock_system};
	struct engine *engine;
	json_auto json_t *list = NULL;
	struct err err = ERR_INIT;
	json_t *one;
	size_t i;

	if (!act->place.docker)
		return;
	engine = engine_new(act->place.docker, &site);
	if (engine_list(engine, labelled, &list, &err) == 0)
		json_array_foreach(list, i, one)
		{
			const char *id = json_text(one, "Id");

			if (id && engine_stop(engine, id, 2, &err) == 0
			    && engine_remove(engine, id, &err) == 0)
				workflow_say(act->workflow, "removed a container that was left");
		}
	engine_free(engine);
}

void respawn_tidy(struct act *act)
{
	remove_all(act, label(act));
}

void respawn_tidy_tasks(struct act *act, const char *job)
{
	if (text_starts(job, "SLIPWAY_JOB="))
		remove_all(act, arena_printf(act->arena, "slipway.task=%s",
					     job + strlen("SLIPWAY_JOB=")));
}

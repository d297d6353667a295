#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "pipeline/output.h"

/* More than any test needs, and less than a machine has. */
#define PIDS 8192

void run_engine_say(void *self, const char *line, size_t size)
{
	struct run *run = self;

	if (run->speaking)
		output_line(run->speaking, line, size);
	else
		run_say_lines(run, line, size);
}

int run_engine_tick(void *self)
{
	struct run *run = self;

	return run->speaking ? output_tick(run->speaking) : run_tick(run);
}

bool run_makes_image(const struct run *run)
{
	return run->service->build && run->service->build->dockerfile;
}

int run_check_engine(const struct run *run, struct err *err)
{
	if (!run_makes_image(run) || run->engine || run->plan->revive || run->step > STEP_RELEASE)
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"services.%s.build.dockerfile: '%s' is built by Docker's engine, and no "
		"socket of one was given: `docker:` in slipwayd.yml, --docker or DOCKER_HOST "
		"for slipway, /var/run/docker.sock in the action; or build in place with "
		"`build: {run: …}`",
		run->service->name, run->service->build->dockerfile);
}

/* ---- build ---- */

/* "shop", of a name that images may have: lower case, single separators. */
static const char *image_name(const struct run *run)
{
	char *name = arena_strdup(run->arena, run->service->name), *to = name;

	for (const char *at = name; *at; at++)
		if (isalnum((unsigned char)*at))
			*to++ = (char)tolower((unsigned char)*at);
		else if (to > name && isalnum((unsigned char)to[-1]) && at[1])
			*to++ = *at;
	while (to > name && !isalnum((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return name;
}

static const char *image_tag(const struct run *run)
{
	const char *commit = run->plan->commit;

	return arena_printf(run->arena, "slipway/%s:%.12s", image_name(run),
			    commit && *commit ? commit : run->deploy.key);
}

/* Containers have the labels of their image: none of these is looked for among containers. */
static const char *const *image_labels(const struct run *run)
{
	const struct plan *plan = run->plan;
	const char **labels = arena_alloc(run->arena, 6 * sizeof *labels);
	size_t count = 0;

	labels[count++] = arena_printf(run->arena, "slipway.service=%s", plan->service);
	labels[count++] = arena_printf(run->arena, "slipway.environment=%s", plan->environment);
	if (plan->repository)
		labels[count++] =
			arena_printf(run->arena, "slipway.repository=%s", plan->repository);
	if (plan->commit && *plan->commit)
		labels[count++] = arena_printf(run->arena, "slipway.commit=%s", plan->commit);
	return labels;
}

static const char *const *build_args(const struct run *run)
{
	const struct field_pair *pairs = run->service->build->args;
	size_t count = 0;
	const char **args;

	while (pairs && pairs[count].name)
		count++;
	args = arena_alloc(run->arena, (count + 1) * sizeof *args);
	for (size_t i = 0; i < count; i++)
		args[i] = arena_printf(run->arena, "%s=%s", pairs[i].name, pairs[i].value);
	return args;
}

/* What a person can do about an engine that isn't there. */
static int not_there(const struct run *run, struct err *err)
{
	if (err->kind != ERR_ABSENT && err->kind != ERR_AUTH)
		return -1;
	return err_set(err, ERR_USAGE, err->code,
		       "`build: {dockerfile: %s}` asks for Docker: %s; or build in place with "
		       "`build: {run: …}`",
		       run->service->build->dockerfile, err->text);
}

static int build(struct run *run, struct output *output, const char **id, struct err *err)
{
	const struct project_build *settings = run->service->build;
	const struct engine_build build = {
		.folder = run->artifact.folder,
		.dockerfile = settings->dockerfile,
		.target = settings->target,
		.platform = settings->platform,
		.args = build_args(run),
		.labels = image_labels(run),
		.tag = image_tag(run),
		.timeout = settings->timeout,
	};
	int result;

	run->speaking = output;
	result = engine_build(run->engine, &build, run->arena, id, err);
	run->speaking = NULL;
	return result;
}

/* A server that builds for years must not fill up; a day, for another environment may be about to
 * publish what it built. What serves has a name of its target's own. */
static void forget_old_images(struct run *run)
{
	const char *name = arena_printf(run->arena, "slipway/%s", image_name(run));
	struct err err = ERR_INIT;

	if (engine_untag_old(run->engine, name, clock_now(run->world->clock) - 86400,
			     image_tag(run), &err))
		run_say(run, "warning: %s", err.text);
}

int run_build_image(struct run *run, struct err *err)
{
	const struct project_build *settings = run->service->build;
	const char *what = arena_printf(run->arena, "docker build %s%s%s", settings->dockerfile,
					settings->target ? " --target " : "",
					settings->target ? settings->target : "");
	const char *id = NULL;
	struct output output;
	int result;

	if (engine_ping(run->engine, NULL, NULL, NULL, err))
		return not_there(run, err);
	output_begin(&output, run, what, settings->timeout);
	result = build(run, &output, &id, err);
	output_end(&output);
	if (result)
		return output_failed(&output, err);
	run->artifact.image = id;
	forget_old_images(run);
	run_say(run, "image %s, %s", image_tag(run), id);
	return 0;
}

bool run_image_is_gone(const struct run *run)
{
	json_auto json_t *image = NULL;
	struct err err = ERR_INIT;

	return run->engine && run->artifact.image
	       && engine_image(run->engine, run->artifact.image, &image, &err)
	       && err.kind == ERR_ABSENT && err.code == 404;
}

/* ---- run ---- */

static const char *task_label(const struct run *run)
{
	return arena_printf(run->arena, "slipway.task=%s", run->plan->job + strlen("SLIPWAY_JOB="));
}

void run_remove_containers(struct run *run)
{
	json_auto json_t *list = NULL;
	struct err err = ERR_INIT;
	const json_t *container;
	size_t i;

	if (!run->engine)
		return;
	if (engine_list(run->engine, task_label(run), &list, &err)) {
		run_say(run, "warning: %s", err.text);
		return;
	}
	json_array_foreach(list, i, container)
	{
		const char *id = json_text(container, "Id");

		if (id && engine_remove(run->engine, id, &err))
			run_say(run, "warning: %s", err.text);
	}
}

/* Without what belongs to our own machine: the image has its own. */
static const char *const *image_env(const struct run *run, const char *const *env, bool homeless)
{
	static const char *const ours[] = {"PATH=", "HOME=", "TMPDIR=", "LANG="};
	size_t count = 0, kept = 0;
	const char **items;

	while (env[count])
		count++;
	items = arena_alloc(run->arena, (count + 2) * sizeof *items);
	for (size_t i = 0; i < count; i++) {
		bool ours_alone = false;

		for (size_t j = 0; j < sizeof ours / sizeof *ours; j++)
			ours_alone |= text_starts(env[i], ours[j]);
		if (!ours_alone)
			items[kept++] = env[i];
	}
	/* The user may have no entry in the image's passwd: "/" would be its home. */
	if (homeless)
		items[kept++] = "HOME=/tmp";
	return items;
}

/* The checkout in the container, at the place where it has it here; not when the engine's machine
 * doesn't have it. */
static int add_workspace(struct run *run, struct engine_container *container,
			 struct engine_mount *mount, struct err *err)
{
	const char *self = engine_self(run->engine, run->arena);
	struct stat owner;

	if (engine_host_path(run->engine, self, run->folder, run->arena, &mount->source, err))
		return -1;
	if (!mount->source || stat(run->folder, &owner)) {
		run_say(run, "the checkout isn't on the engine's machine: the command runs in the "
			     "image alone");
		return 0;
	}
	mount->target = run->folder;
	container->mounts = mount;
	container->mount_count = 1;
	container->workdir = run->artifact.folder;
	container->user =
		arena_printf(run->arena, "%u:%u", (unsigned)owner.st_uid, (unsigned)owner.st_gid);
	return 0;
}

static int create(struct run *run, struct engine_container *container, const char **id,
		  struct err *err)
{
	if (engine_create(run->engine, container, run->arena, id, err) == 0)
		return 0;
	/* An engine elsewhere, behind a socket that was passed on. */
	if (!container->mount_count || !strstr(err->text, "bind source path does not exist"))
		return -1;
	run_say(run, "the engine's machine has no %s: the command runs in the image alone",
		run->folder);
	container->mount_count = 0;
	container->workdir = container->user = NULL;
	return engine_create(run->engine, container, run->arena, id, err);
}

static int follow(struct run *run, const char *id, const char *what, int64_t timeout,
		  struct err *err)
{
	struct output output;
	int status = 0, result;

	output_begin(&output, run, what, timeout);
	run->speaking = &output;
	result = engine_follow(run->engine, id, timeout, &status, err);
	run->speaking = NULL;
	output_end(&output);
	return result ? output_failed(&output, err) : output_judge(&output, status, err);
}

int run_in_image(struct run *run, const struct project_command *command, const char *const *env,
		 int flags, struct err *err)
{
	const char *const labels[] = {task_label(run), NULL};
	struct engine_mount mount = {0};
	struct engine_container container = {.image = run->artifact.image,
					     .entrypoint = command->run,
					     .labels = labels,
					     .pids = PIDS};
	const char *id = NULL;
	int result;

	if (!run->artifact.image)
		return err_set(err, ERR_ABSENT, 0, "the image that was built isn't known any more");
	run_remove_containers(run);
	if (flags & IMAGE_WORKSPACE && add_workspace(run, &container, &mount, err))
		return -1;
	container.env = image_env(run, env, container.user != NULL);
	if (create(run, &container, &id, err))
		return -1;
	result = follow(run, id, run_command_text(run, command->run), command->timeout, err);
	run_remove_containers(run);
	return result;
}

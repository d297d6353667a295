#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "image/engine_attach.h"
#include "net/url.h"

#define FOLLOW_GRACE 3 /* seconds: a runner that is cancelled gives us seven in all */

/* "/containers/<name>", then `rest`. The caller frees. */
static char *container_path(const char *container, const char *rest)
{
	cleanup(buf_free) struct buf path = BUF_INIT(8 * 1024);

	buf_adds(&path, "/containers/");
	url_encode(&path, container, false);
	buf_adds(&path, rest);
	return buf_take(&path);
}

/* ---- create ---- */

static void set(json_t *json, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(json, name, value);
}

static json_t *text(const char *value)
{
	return value ? json_string(value) : NULL;
}

static json_t *number(int64_t value)
{
	return value ? json_integer(value) : NULL;
}

static json_t *list(const char *const *items)
{
	json_t *json = items ? json_array() : NULL;

	for (; items && *items; items++)
		json_array_append_new(json, json_string(*items));
	return json;
}

static json_t *pairs(const char *const *items)
{
	json_t *json = json_object();

	for (; items && *items; items++) {
		const char *equals = strchr(*items, '=');
		autofree char *name =
			xmemdup(*items, equals ? (size_t)(equals - *items) : strlen(*items));

		json_object_set_new(json, name, json_string(equals ? equals + 1 : ""));
	}
	return json;
}

static json_t *mounts(const struct engine_container *container)
{
	json_t *json = json_array();

	for (size_t i = 0; i < container->mount_count; i++) {
		const struct engine_mount *mount = &container->mounts[i];

		if (mount->make)
			continue;
		json_array_append_new(json, json_pack("{s:s, s:s, s:s, s:b}", "Type", "bind",
						      "Source", mount->source, "Target",
						      mount->target, "ReadOnly", mount->read_only));
	}
	return json;
}

/* The older way to say a mount: with it the engine makes a source that isn't there. */
static json_t *binds(const struct engine_container *container)
{
	json_t *json = json_array();

	for (size_t i = 0; i < container->mount_count; i++) {
		const struct engine_mount *mount = &container->mounts[i];
		autofree char *bind = xprintf("%s:%s%s", mount->source, mount->target,
					      mount->read_only ? ":ro" : "");

		if (mount->make)
			json_array_append_new(json, json_string(bind));
	}
	return json;
}

/* Logs that can't fill the disk. */
static json_t *log_settings(void)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "Type", "json-file", "Config", "max-size", "20m",
			 "max-file", "3");
}

static json_t *host_settings(const struct engine_container *container, const char *port)
{
	json_t *json = json_object();
	char host_port[16];

	set(json, "Mounts", mounts(container));
	set(json, "Binds", binds(container));
	set(json, "NetworkMode", text(container->network));
	if (container->restart)
		set(json, "RestartPolicy", json_pack("{s:s}", "Name", container->restart));
	snprintf(host_port, sizeof host_port, "%d", container->host_port);
	if (container->port)
		set(json, "PortBindings",
		    json_pack("{s:[{s:s, s:s}]}", port, "HostIp", "127.0.0.1", "HostPort",
			      container->host_port ? host_port : ""));
	set(json, "Memory", number(container->memory));
	/* The same again: no swap. */
	set(json, "MemorySwap", number(container->memory));
	set(json, "NanoCpus", number(container->cpus * 1000000));
	set(json, "PidsLimit", number(container->pids));
	if (container->confined) {
		set(json, "SecurityOpt", json_pack("[s]", "no-new-privileges"));
		set(json, "CapDrop", json_pack("[s]", "ALL"));
	}
	if (container->init)
		set(json, "Init", json_true());
	set(json, "LogConfig", log_settings());
	return json;
}

static json_t *settings(const struct engine_container *container)
{
	json_t *json = json_object();
	char port[16];

	snprintf(port, sizeof port, "%d/tcp", container->port);
	set(json, "Image", text(container->image));
	set(json, "Entrypoint", list(container->entrypoint));
	set(json, "Cmd", list(container->argv));
	set(json, "Env", list(container->env));
	set(json, "Labels", pairs(container->labels));
	set(json, "WorkingDir", text(container->workdir));
	set(json, "User", text(container->user));
	if (container->port)
		set(json, "ExposedPorts", json_pack("{s:{}}", port));
	set(json, "HostConfig", host_settings(container, port));
	return json;
}

int engine_create(struct engine *engine, const struct engine_container *container,
		  struct arena *arena, const char **id, struct err *err)
{
	cleanup(buf_free) struct buf path = BUF_INIT(8 * 1024);
	json_auto json_t *body = settings(container), *made = NULL;

	buf_adds(&path, "/containers/create");
	if (container->name) {
		buf_adds(&path, "?name=");
		url_encode(&path, container->name, false);
	}
	if (engine_post(engine, buf_text(&path), body, &made, err))
		return err_within(err, "make a container of %s", container->image);
	*id = arena_strdup(arena, json_text(made, "Id"));
	return *id ? 0 : err_set(err, ERR_REMOTE, 0, "the engine made a container without an id");
}

/* ---- its life ---- */

int engine_start(struct engine *engine, const char *container, struct err *err)
{
	autofree char *path = container_path(container, "/start");

	if (engine_post(engine, path, NULL, NULL, err) == 0)
		return 0;
	if (strstr(err->text, "port is already allocated")
	    || strstr(err->text, "address already in use"))
		err->kind = ERR_CONFLICT;
	return err_within(err, "start container %.12s", container);
}

int engine_stop(struct engine *engine, const char *container, int64_t grace, struct err *err)
{
	autofree char *rest = xprintf("/stop?t=%lld", (long long)grace);
	autofree char *path = container_path(container, rest);
	const struct engine_call call = {.method = "POST", .path = path, .timeout = grace + 60};

	if (engine_call(engine, &call, NULL, err) == 0 || err->kind == ERR_ABSENT)
		return 0;
	return err_within(err, "stop container %.12s", container);
}

int engine_signal(struct engine *engine, const char *container, const char *signal, struct err *err)
{
	autofree char *rest = xprintf("/kill?signal=%s", signal);
	autofree char *path = container_path(container, rest);

	if (engine_post(engine, path, NULL, NULL, err))
		return err_within(err, "send %s to container %.12s", signal, container);
	return 0;
}

int engine_remove(struct engine *engine, const char *container, struct err *err)
{
	autofree char *path = container_path(container, "?force=1&v=1");
	const struct engine_call call = {.method = "DELETE", .path = path};

	/* 409: somebody else removes it just now. */
	if (engine_call(engine, &call, NULL, err) == 0 || err->kind == ERR_ABSENT
	    || err->kind == ERR_CONFLICT)
		return 0;
	return err_within(err, "remove container %.12s", container);
}

int engine_container(struct engine *engine, const char *container, json_t **out, struct err *err)
{
	autofree char *path = container_path(container, "/json");

	if (engine_get(engine, path, out, err))
		return err_within(err, "look at container %.64s", container);
	return 0;
}

int engine_list(struct engine *engine, const char *label, json_t **out, struct err *err)
{
	json_auto json_t *filters = json_pack("{s:[s]}", "label", label);
	cleanup(buf_free) struct buf path = BUF_INIT(16 * 1024), json = BUF_INIT(8 * 1024);

	buf_add_json(&json, filters);
	buf_adds(&path, "/containers/json?all=1&filters=");
	url_encode(&path, buf_text(&json), false);
	if (engine_get(engine, buf_text(&path), out, err))
		return err_within(err, "list the containers with the label %s", label);
	return 0;
}

/* ---- output ---- */

static int take_frames(void *self, const void *bytes, size_t size, struct err *err)
{
	return log_frames_add(self, bytes, size, err);
}

static void append_line(void *self, const char *line, size_t size)
{
	buf_add(self, line, size);
	buf_addc(self, '\n');
}

int engine_logs(struct engine *engine, const char *container, unsigned lines, struct buf *out,
		struct err *err)
{
	autofree char *rest = xprintf("/logs?stdout=1&stderr=1&tail=%u", lines);
	autofree char *path = container_path(container, rest);
	struct log_frames frames;
	const struct engine_call call = {
		.method = "GET", .path = path, .on_body = take_frames, .self = &frames};
	int result;

	log_frames_begin(&frames, append_line, out);
	result = engine_call(engine, &call, NULL, err);
	log_frames_end(&frames);
	return result ? err_within(err, "read the log of container %.12s", container) : 0;
}

static void say_line(void *self, const char *line, size_t size)
{
	engine_say(self, line, size);
}

/* Also when its output ended before it did. */
static int wait_for(struct engine *engine, const char *container, int64_t timeout, int *status,
		    struct err *err)
{
	autofree char *path = container_path(container, "/wait");
	cleanup(http_response_free) struct http_response response = {0};
	const struct engine_call call = {
		.method = "POST", .path = path, .timeout = timeout, .long_running = true};
	json_auto json_t *answer = NULL;

	if (engine_call(engine, &call, &response, err)
	    || json_parse(&answer, buf_text(&response.body), response.body.size, err))
		return -1;
	*status = (int)json_integer_at(answer, "StatusCode", -1);
	return 0;
}

/* Started, told and ended. */
static int follow(struct engine *engine, const char *container, int fd, int64_t timeout,
		  int *status, struct err *err)
{
	struct clock *clock = engine->site.clock;
	int64_t left, deadline = clock_ticks(clock) + timeout * 1000;
	struct log_frames frames;
	int result;

	log_frames_begin(&frames, say_line, engine);
	result = engine_attached_read(engine, fd, deadline, &frames, err);
	log_frames_end(&frames);
	left = (deadline - clock_ticks(clock)) / 1000;
	if (result == 0)
		result = wait_for(engine, container, left > 1 ? left : 1, status, err);
	if (result && err->kind == ERR_LIMIT)
		err_set(err, ERR_LIMIT, 0, "it took longer than %lld s", (long long)timeout);
	return result;
}

int engine_follow(struct engine *engine, const char *container, int64_t timeout, int *status,
		  struct err *err)
{
	cleanup(file_close_at) int fd = -1;
	struct err ignored = ERR_INIT;

	if (engine_attach(engine, container, &fd, err) || engine_start(engine, container, err))
		return -1;
	if (follow(engine, container, fd, timeout, status, err) == 0)
		return 0;
	if (engine_stop(engine, container, FOLLOW_GRACE, &ignored))
		engine_sayf(engine, "warning: %s", ignored.text);
	return -1;
}

static int start_exec(struct engine *engine, const char *id, struct log_frames *frames,
		      struct err *err)
{
	autofree char *path = xprintf("/exec/%s/start", id);
	json_auto json_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", 0);
	const struct engine_call call = {.method = "POST",
					 .path = path,
					 .body = body,
					 .long_running = true,
					 .on_body = take_frames,
					 .self = frames};

	return engine_call(engine, &call, NULL, err);
}

static int run_exec(struct engine *engine, const char *id, struct buf *out, int *status,
		    struct err *err)
{
	autofree char *path = xprintf("/exec/%s/json", id);
	json_auto json_t *ended = NULL;
	struct log_frames frames;
	int result;

	log_frames_begin(&frames, append_line, out);
	result = start_exec(engine, id, &frames, err);
	log_frames_end(&frames);
	if (result || engine_get(engine, path, &ended, err))
		return -1;
	*status = (int)json_integer_at(ended, "ExitCode", -1);
	return 0;
}

int engine_exec(struct engine *engine, const char *container, const char *const *argv,
		struct buf *out, int *status, struct err *err)
{
	autofree char *path = container_path(container, "/exec");
	json_auto json_t *body = json_pack("{s:b, s:b, s:o}", "AttachStdout", 1, "AttachStderr", 1,
					   "Cmd", list(argv)),
			 *made = NULL;
	const char *id;

	assert(argv && argv[0]);
	if (engine_post(engine, path, body, &made, err))
		return err_within(err, "run %s in container %.12s", argv[0], container);
	id = json_text(made, "Id");
	if (!id)
		return err_set(err, ERR_REMOTE, 0, "the engine gave no id for %s", argv[0]);
	if (run_exec(engine, id, out, status, err))
		return err_within(err, "run %s in container %.12s", argv[0], container);
	return 0;
}

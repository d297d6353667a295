#include "target/server/container.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define MADE_LIMIT (8 << 20)
#define NAME_SIZE  40

int container_check(const struct site *site, struct err *err)
{
	if (!site->engine)
		return err_set(err, ERR_USAGE, 0,
			       "run: container needs a Docker engine, and none is named: set "
			       "docker: in slipwayd.yml, or DOCKER_HOST for slipway "
			       "(docs/targets/server.md)");
	return engine_ping(site->engine, NULL, NULL, NULL, err);
}

/* ---- what it is made of: container.json in the slot's folder ---- */

static char *made_path(const char *dir)
{
	return file_join(dir, "container.json");
}

bool container_is(const char *dir)
{
	autofree char *path = made_path(dir);

	return file_exists(path);
}

int container_forget(const char *dir, struct err *err)
{
	autofree char *path = made_path(dir);

	return file_remove_tree(path, err);
}

/* One name for one slot of one data folder: two Slipways may share an engine. */
static void name_of(const char *dir, char name[NAME_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(dir, strlen(dir), hex);
	snprintf(name, NAME_SIZE, "slipway-%.20s", hex);
}

static json_t *texts(const char *const *list)
{
	json_t *json = list ? json_array() : json_null();

	for (; list && *list; list++)
		json_array_append_new(json, json_string(*list));
	return json;
}

/* NULL when a value isn't UTF-8: the engine's interface has no way to say it. */
static json_t *made_of(const struct slot_command *command)
{
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b}", "image", command->image,
			 "argv", texts(command->argv), "env", texts(command->env), "port",
			 (json_int_t)command->port, "inside", (json_int_t)command->inside, "memory",
			 (json_int_t)command->memory, "cpus", (json_int_t)command->cpus, "pids",
			 (json_int_t)command->pids, "confined", command->confined);
}

static const char *const *list_of(json_t *array, const char *more, struct arena *arena)
{
	size_t count = json_array_size(array), i;
	const char **list = arena_alloc(arena, (count + 2) * sizeof *list);

	for (i = 0; i < count; i++)
		list[i] = json_string_value(json_array_get(array, i));
	list[i++] = more;
	list[more ? i : i - 1] = NULL;
	return list;
}

static int load(const char *dir, json_t **made, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(MADE_LIMIT);
	autofree char *path = made_path(dir);
	int result = file_read(path, &text, err) == -1
				     || json_parse(made, text.data, text.size, err) == -1
			     ? -1
			     : 0;

	if (text.data)
		crypto_wipe(text.data, text.size); /* it holds the app's secrets */
	return result;
}

static int save(const char *dir, const json_t *made, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(MADE_LIMIT);
	autofree char *path = made_path(dir);
	int result;

	buf_add_json(&text, made);
	if (buf_full(&text))
		return err_set(err, ERR_LIMIT, 0,
			       "the app's command and environment are larger than %d MiB",
			       MADE_LIMIT >> 20);
	result = file_write(path, text.data, text.size, 0600, err);
	crypto_wipe(text.data, text.size);
	return result;
}

/* ---- its life ---- */

static int create(const struct site *site, const char *dir, json_t *made, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	json_t *argv = json_object_get(made, "argv");
	int64_t inside = json_integer_at(made, "inside", 0);
	const char *port = arena_printf(arena, "PORT=%lld", (long long)inside);
	const char *const labels[] = {arena_printf(arena, "slipway.slot=%s", dir), NULL};
	char name[NAME_SIZE];
	struct engine_container container = {
		.name = name,
		.image = json_text(made, "image"),
		.argv = json_is_array(argv) ? list_of(argv, NULL, arena) : NULL,
		.env = list_of(json_object_get(made, "env"), port, arena),
		.labels = labels,
		.restart = "unless-stopped",
		.port = (int)inside,
		.host_port = (int)json_integer_at(made, "port", 0),
		.memory = json_integer_at(made, "memory", 0),
		.cpus = json_integer_at(made, "cpus", 0),
		.pids = json_integer_at(made, "pids", 0),
		.confined = json_is_true(json_object_get(made, "confined")),
		.init = true,
	};
	const char *id;

	name_of(dir, name);
	if (engine_remove(site->engine, name, err) == -1
	    || engine_create(site->engine, &container, arena, &id, err) == -1)
		return -1;
	return engine_start(site->engine, id, err);
}

static bool is_running(const struct site *site, const char *dir)
{
	return container_look(site, dir).supervised;
}

int container_start(const struct site *site, const char *dir, const struct slot_command *command,
		    struct err *err)
{
	json_auto json_t *made = made_of(command), *before = NULL;
	struct err ignored = ERR_INIT;

	if (container_check(site, err) == -1)
		return -1;
	if (!made)
		return err_set(err, ERR_USAGE, 0,
			       "a variable's value isn't UTF-8, which a container can't be given");
	if (container_is(dir) && load(dir, &before, &ignored) == 0 && json_equal(made, before)
	    && is_running(site, dir))
		return 0;
	if (container_stop(site, dir, 10, err) == -1 || file_make_dirs(dir, 0700, err) == -1
	    || save(dir, made, err) == -1)
		return -1;
	return create(site, dir, made, err);
}

int container_resume(const struct site *site, const char *dir, struct err *err)
{
	json_auto json_t *made = NULL;

	if (container_check(site, err) == -1)
		return -1;
	if (is_running(site, dir))
		return 0;
	if (load(dir, &made, err) == -1)
		return -1;
	return create(site, dir, made, err);
}

int container_stop(const struct site *site, const char *dir, int64_t grace, struct err *err)
{
	char name[NAME_SIZE];

	if (container_check(site, err) == -1)
		return -1;
	name_of(dir, name);
	if (engine_stop(site->engine, name, grace, err) == -1)
		return -1;
	return engine_remove(site->engine, name, err);
}

/* ---- what it is like ---- */

/* New reference; NULL when there is none. */
static json_t *inspect(const struct site *site, const char *dir)
{
	json_t *json = NULL;
	struct err ignored = ERR_INIT;
	char name[NAME_SIZE];

	name_of(dir, name);
	if (!site->engine || engine_container(site->engine, name, &json, &ignored) == -1)
		return NULL;
	return json;
}

static void how_it_ended(const json_t *state, struct slot_status *out)
{
	int64_t code = json_integer_at(state, "ExitCode", 0);

	if (json_is_true(json_object_get(state, "OOMKilled")))
		snprintf(out->last, sizeof out->last, "was killed: out of its memory limit");
	else if (code > 128)
		snprintf(out->last, sizeof out->last, "was killed by signal %lld",
			 (long long)code - 128);
	else
		snprintf(out->last, sizeof out->last, "exited with status %lld", (long long)code);
}

struct slot_status container_look(const struct site *site, const char *dir)
{
	json_auto json_t *json = inspect(site, dir);
	json_t *state = json_object_get(json, "State");
	const char *status = json_text(state, "Status");
	struct slot_status out = {0};

	if (!json)
		return out;
	out.supervised = text_same(status, "running") || text_same(status, "restarting");
	out.exits = (unsigned)json_integer_at(json, "RestartCount", 0);
	if (!text_same(status, "running") && !text_same(status, "created"))
		out.exits++;
	if (out.exits > 0)
		how_it_ended(state, &out);
	return out;
}

static bool has_port(json_t *json, int port)
{
	json_t *ports = json_at(json, "NetworkSettings.Ports"), *bindings;
	const char *name;
	char text[16];

	snprintf(text, sizeof text, "%d", port);
	json_object_foreach(ports, name, bindings)
	{
		if (text_same(json_text(json_array_get(bindings, 0), "HostPort"), text))
			return true;
	}
	return false;
}

/* The engine's word that this container runs and has the port is the proof: whoever listens on the
 * machine's side of it is the engine's own proxy. */
enum portcheck container_listener(const struct site *site, const char *dir, int port,
				  struct portcheck_who *who)
{
	json_auto json_t *json = inspect(site, dir);
	json_t *state = json_object_get(json, "State");

	if (json && text_same(json_text(state, "Status"), "running") && has_port(json, port))
		return PORTCHECK_OURS;
	return portcheck_listener(port, 0, who);
}

void container_tail(const struct site *site, const char *dir, unsigned lines, struct buf *out)
{
	struct err ignored = ERR_INIT;
	char name[NAME_SIZE];

	name_of(dir, name);
	if (site->engine && engine_logs(site->engine, name, lines, out, &ignored) == -1)
		buf_addf(out, "%s\n", ignored.text);
}

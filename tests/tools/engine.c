/* lib/image's calls, one at a time, for the tests with a real engine. A result goes to stdout, what
 * the engine says to stderr; status 1 with "<kind>: <text>" on stdout for an error. */
#include "image/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "image/context.h"

static void say(void *self, const char *line, size_t size)
{
	(void)self;
	fwrite(line, 1, size, stderr);
	fputc('\n', stderr);
}

/* "TICKS=3": stop at the third look. */
static int tick(void *self)
{
	int *left = self;

	if (*left > 1)
		--*left;
	return *left == 1;
}

static const char *opt(char **args, const char *name)
{
	size_t size = strlen(name);

	for (; *args; args++)
		if (strncmp(*args, name, size) == 0 && (*args)[size] == '=')
			return *args + size + 1;
	return NULL;
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	json_decref(json);
}

static int build(struct engine *engine, char **args, struct arena *arena, struct err *err)
{
	const char *one_arg[2] = {opt(args, "arg"), NULL},
		   *one_label[2] = {opt(args, "label"), NULL};
	const char *timeout = opt(args, "timeout");
	const struct engine_build build = {
		.folder = args[0],
		.dockerfile = opt(args, "dockerfile"),
		.target = opt(args, "target"),
		.platform = opt(args, "platform"),
		.tag = opt(args, "tag"),
		.args = one_arg,
		.labels = one_label,
		.timeout = timeout ? strtol(timeout, NULL, 10) : 60,
	};
	const char *id = NULL;

	if (engine_build(engine, &build, arena, &id, err))
		return -1;
	puts(id);
	return 0;
}

/* run IMAGE [name=] [user=] [env=] [label=] [mount=SOURCE:TARGET] [timeout=] -- ARGV… */
static int run(struct engine *engine, char **args, struct arena *arena, struct err *err)
{
	const char *one_env[2] = {opt(args, "env"), NULL},
		   *one_label[2] = {opt(args, "label"), NULL};
	const char *timeout = opt(args, "timeout"), *mounted = opt(args, "mount"), *id = NULL;
	struct engine_mount mount = {0};
	struct engine_container container = {.image = args[0],
					     .name = opt(args, "name"),
					     .user = opt(args, "user"),
					     .env = one_env,
					     .labels = one_label,
					     .confined = opt(args, "confined") != NULL,
					     .init = opt(args, "init") != NULL,
					     .mounts = &mount};
	int status = 0, result;

	for (char **at = args; *at; at++)
		if (strcmp(*at, "--") == 0)
			container.entrypoint = (const char *const *)(at + 1);
	if (mounted) {
		const char *colon = strchr(mounted, ':');

		mount.source = arena_memdup(arena, mounted, (size_t)(colon - mounted));
		mount.target = colon + 1;
		container.mount_count = 1;
	}
	if (engine_create(engine, &container, arena, &id, err))
		return -1;
	result = engine_follow(engine, id, timeout ? strtol(timeout, NULL, 10) : 60, &status, err);
	if (result == 0)
		printf("%d\n", status);
	if (!opt(args, "keep")) {
		struct err ignored = ERR_INIT;

		(void)!engine_remove(engine, id, &ignored);
	}
	return result;
}

static int create(struct engine *engine, char **args, struct arena *arena, struct err *err)
{
	const char *port = opt(args, "port"), *one_label[2] = {opt(args, "label"), NULL},
		   *id = NULL;
	const struct engine_container container = {
		.image = args[0],
		.name = opt(args, "name"),
		.labels = one_label,
		.restart = opt(args, "restart"),
		.port = port ? (int)strtol(port, NULL, 10) : 0,
		.host_port =
			opt(args, "host-port") ? (int)strtol(opt(args, "host-port"), NULL, 10) : 0,
		.memory = 64 << 20,
		.cpus = 500,
		.pids = 50,
	};

	if (engine_create(engine, &container, arena, &id, err))
		return -1;
	puts(id);
	return 0;
}

static int push(struct engine *engine, char **args, struct arena *arena, struct err *err)
{
	const struct engine_auth auth = {opt(args, "user"), opt(args, "password"),
					 opt(args, "server")};
	const char *digest = NULL;

	if (engine_push(engine, args[0], &auth, arena, &digest, err))
		return -1;
	puts(digest);
	return 0;
}

static int ping(struct engine *engine, struct arena *arena, struct err *err)
{
	const char *arch, *version;

	if (engine_ping(engine, arena, &arch, &version, err))
		return -1;
	printf("%s %s\n", arch, version);
	return 0;
}

static int look(struct engine *engine, const char *what, char **args, struct arena *arena,
		struct err *err)
{
	json_t *json = NULL;
	const char *path = NULL;

	if (text_same(what, "self")) {
		const char *self = engine_self(engine, arena);

		puts(self ? self : "none");
		return 0;
	}
	if (text_same(what, "host-path")) {
		if (engine_host_path(engine, engine_self(engine, arena), args[0], arena, &path,
				     err))
			return -1;
		puts(path ? path : "none");
		return 0;
	}
	if (text_same(what, "image")  ? engine_image(engine, args[0], &json, err)
	    : text_same(what, "list") ? engine_list(engine, args[0], &json, err)
				      : engine_container(engine, args[0], &json, err))
		return -1;
	print_json(json);
	return 0;
}

static int output(struct engine *engine, const char *what, char **args, struct err *err)
{
	cleanup(buf_free) struct buf out = BUF_INIT(1024 * 1024);
	int status = 0;

	if (text_same(what, "logs") ? engine_logs(engine, args[0], 100, &out, err)
				    : engine_exec(engine, args[0], (const char *const *)(args + 1),
						  &out, &status, err))
		return -1;
	printf("%s", buf_text(&out));
	if (text_same(what, "exec"))
		printf("%d\n", status);
	return 0;
}

/* The context's tar on stdout, its note on stderr. */
static int context(char **args, struct err *err)
{
	cleanup(context_freep) struct context *context = NULL;
	char piece[1000]; /* no multiple of a block */
	ssize_t size;

	if (context_open(&context, args[0], args[1] ? args[1] : "Dockerfile", err))
		return -1;
	while ((size = context_read(context, piece, sizeof piece, err)) > 0)
		fwrite(piece, 1, (size_t)size, stdout);
	if (context_note(context))
		fprintf(stderr, "%s\n", context_note(context));
	return size < 0 ? -1 : 0;
}

static int call(struct engine *engine, const char *what, char **args, struct arena *arena,
		struct err *err)
{
	static const struct {
		const char *name;
		int (*function)(struct engine *engine, const char *name, struct err *err);
	} simple[] = {{"start", engine_start},
		      {"remove", engine_remove},
		      {"untag", engine_untag},
		      {"pull", engine_pull}};

	for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
		if (text_same(what, simple[i].name))
			return simple[i].function(engine, args[0], err);
	if (text_same(what, "build"))
		return build(engine, args, arena, err);
	if (text_same(what, "run"))
		return run(engine, args, arena, err);
	if (text_same(what, "create"))
		return create(engine, args, arena, err);
	if (text_same(what, "push"))
		return push(engine, args, arena, err);
	if (text_same(what, "ping"))
		return ping(engine, arena, err);
	if (text_same(what, "tag"))
		return engine_tag(engine, args[0], args[1], err);
	if (text_same(what, "untag-old"))
		return engine_untag_old(engine, args[0], strtoll(args[1], NULL, 10), args[2], err);
	if (text_same(what, "stop"))
		return engine_stop(engine, args[0], 1, err);
	if (text_same(what, "signal"))
		return engine_signal(engine, args[0], args[1], err);
	if (text_same(what, "save"))
		return engine_save(engine, args[0], STDOUT_FILENO, err);
	if (text_same(what, "logs") || text_same(what, "exec"))
		return output(engine, what, args, err);
	if (text_same(what, "context"))
		return context(args, err);
	return look(engine, what, args, arena, err);
}

int main(int argc, char **argv)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(http_freep) struct http *http = NULL;
	cleanup(engine_freep) struct engine *engine = NULL;
	struct err err = ERR_INIT;
	char **args = argv + 3;
	int ticks;
	struct engine_site site = {
		.clock = &clock_system, .say = say, .tick = tick, .self = &ticks};

	if (argc < 3)
		return 2;
	ticks = opt(args, "ticks") ? (int)strtol(opt(args, "ticks"), NULL, 10) : 0;
	if (http_curl_new(&http, "test", &err))
		return 2;
	site.http = http;
	engine = engine_new(argv[1], &site);
	if (call(engine, argv[2], args, arena, &err) == 0)
		return 0;
	printf("%s: %s\n", err_kind_name(err.kind), err.text);
	return 1;
}

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "target/server/nginx_runner.h"

/* https://hub.docker.com/_/nginx */
#define IMAGE        "nginx:stable"
#define POLL_MS      100
#define TEST_SECONDS 30
#define NAME_SIZE    48

static void name_of(const struct nginx *nginx, const char *what, char name[NAME_SIZE])
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(nginx->dir, strlen(nginx->dir), hex);
	snprintf(name, NAME_SIZE, "slipway-%s-%.20s", what, hex);
}

/* New reference; NULL when there is none. */
static json_t *inspect(const struct nginx *nginx, const char *what)
{
	json_t *json = NULL;
	struct err ignored = ERR_INIT;
	char name[NAME_SIZE];

	name_of(nginx, what, name);
	return engine_container(nginx->engine, name, &json, &ignored) == 0 ? json : NULL;
}

static bool is_running(const struct nginx *nginx)
{
	json_auto json_t *json = nginx->engine ? inspect(nginx, "gateway") : NULL;

	return json_flag(json, "State.Running");
}

static int send_signal(const struct nginx *nginx, int number, struct err *err)
{
	char name[NAME_SIZE], text[16];

	name_of(nginx, "gateway", name);
	snprintf(text, sizeof text, "%d", number);
	if (!is_running(nginx))
		return 0;
	/* Or it would be started again. */
	if (number != SIGHUP && number != SIGUSR1)
		return engine_stop(nginx->engine, name, number == SIGQUIT ? 10 : 0, err);
	return engine_signal(nginx->engine, name, text, err);
}

static int pull_when_missing(const struct nginx *nginx, struct err *err)
{
	json_auto json_t *image = NULL;

	if (engine_image(nginx->engine, IMAGE, &image, err) == 0)
		return 0;
	return err->kind == ERR_ABSENT ? engine_pull(nginx->engine, IMAGE, err) : -1;
}

/* With our folder, at its own path, and as its owner: then markers, sockets and logs are the same
 * for a process and for a container. */
static int run(const struct nginx *nginx, const char *what, const char *const *argv,
	       const char *restart, struct err *err)
{
	static const char *const entrypoint[] = {"nginx", NULL};
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct engine_mount mount = {.target = nginx->dir};
	char name[NAME_SIZE];
	struct engine_container container = {
		.name = name,
		.image = IMAGE,
		.entrypoint = entrypoint,
		.argv = argv,
		.mounts = &mount,
		.mount_count = 1,
		.network = "host",
		.restart = restart,
	};
	struct stat info;
	const char *id;

	name_of(nginx, what, name);
	if (stat(nginx->dir, &info) == -1)
		return err_errno(err, "%s", nginx->dir);
	container.user = arena_printf(arena, "%u:%u", info.st_uid, info.st_gid);
	if (engine_host_path(nginx->engine, engine_self(nginx->engine, arena), nginx->dir, arena,
			     &mount.source, err)
	    == -1)
		return -1;
	if (!mount.source)
		return err_set(err, ERR_USAGE, 0,
			       "%s is no folder of the machine that the Docker engine is on, so "
			       "the gateway can't be given it",
			       nginx->dir);
	if (pull_when_missing(nginx, err) == -1 || engine_remove(nginx->engine, name, err) == -1
	    || engine_create(nginx->engine, &container, arena, &id, err) == -1)
		return -1;
	return engine_start(nginx->engine, id, err);
}

static int start(const struct nginx *nginx, struct err *err)
{
	autofree char *conf = file_join(nginx->dir, "nginx.conf");
	autofree char *log = file_join(nginx->dir, "error.log");
	autofree char *socket = file_join(nginx->dir, "control.sock");
	const char *const argv[] = {"-p", nginx->dir, "-e", log, "-c", conf, NULL};

	/* nginx doesn't take over one that was left behind. */
	if (file_remove_tree(socket, err) == -1)
		return -1;
	if (run(nginx, "gateway", argv, "unless-stopped", err) == -1)
		return err_within(err, "start the gateway's container");
	return 0;
}

static int wait_test(const struct nginx *nginx, int *status, struct err *err)
{
	int64_t end = clock_ticks(nginx->clock) + TEST_SECONDS * 1000;

	for (;;) {
		json_auto json_t *json = inspect(nginx, "test");

		if (json && !json_flag(json, "State.Running")) {
			*status = (int)json_integer_at(json, "State.ExitCode", 1);
			return 0;
		}
		if (!json || clock_ticks(nginx->clock) >= end)
			return err_set(err, ERR_TRANSIENT, 0, "no answer within %d s",
				       TEST_SECONDS);
		clock_sleep(nginx->clock, POLL_MS);
	}
}

static int test(const struct nginx *nginx, const char *conf, struct buf *said, int *status,
		struct err *err)
{
	autofree char *log = file_join(nginx->dir, "error.log");
	const char *const argv[] = {"-p", nginx->dir, "-t", "-q", "-e", log, "-c", conf, NULL};
	char name[NAME_SIZE];
	struct err ignored;
	int result;

	name_of(nginx, "test", name);
	result = run(nginx, "test", argv, NULL, err);
	if (result == 0)
		result = wait_test(nginx, status, err);
	if (result == 0)
		result = engine_logs(nginx->engine, name, 100, said, err);
	if (engine_remove(nginx->engine, name, &ignored) == -1 && result == 0)
		*err = ignored;
	return result;
}

static int clear(const struct nginx *nginx, struct err *err)
{
	char name[NAME_SIZE];

	name_of(nginx, "gateway", name);
	return engine_remove(nginx->engine, name, err);
}

const struct nginx_runner nginx_container = {
	.running = is_running,
	.signal = send_signal,
	.start = start,
	.test = test,
	.clear = clear,
};

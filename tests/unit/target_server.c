/* What becomes of apps that start, and of those that don't. */
#include "base/json.h"
#include "target/bench.h"

static const struct target *server;

static void deploy_good(struct bench *bench, struct arena *arena, const char *key, int64_t fence)
{
	struct err err = ERR_INIT;
	enum probe probe = PROBE_WAITING;
	struct try try;

	bench_built(bench, &try, arena, key, fence, "ok");
	if (server->publish(&try.deploy, &err) == -1 || server->shift(&try.deploy, &err) == -1
	    || server->probe(&try.deploy, &probe, &err) == -1 || probe != PROBE_GOOD
	    || server->retire(&try.deploy, &err) == -1) {
		tap_note("%s", err.text);
		ok(false, key);
	}
}

/* Publish something that can't be healthy: not live, told why, and what was live still serves. */
static void fails(struct bench *bench, struct arena *arena, const char *mode, const char *why,
		  int64_t timeout)
{
	struct err err = ERR_INIT;
	struct try try;

	bench->health.timeout = timeout;
	bench_built(bench, &try, arena, mode, 10, mode);
	same_int(server->publish(&try.deploy, &err), -1, mode);
	if (!ok(strstr(err.text, why) != NULL, why))
		tap_note("%s", err.text);
	same_str(bench_get(bench, "/"), "200: one", "the version before still serves");
	err.text[0] = '\0';
	same_int(server->rollback(&try.deploy, &err), 0, "roll back");
	same_str(err.text, "", "without an error");
	same_str(bench_get(bench, "/"), "200: one", "the version before goes on serving");
	ok(!file_exists(try.artifact.folder), "its folder is removed");
	bench->health.timeout = 20;
}

static void stranger(struct bench *bench, struct arena *arena)
{
	struct err err = ERR_INIT;
	struct try try;

	/* The slot's port: a first try finds it, a stranger takes it, a second moves away. */
	bench_built(bench, &try, arena, "moved", 20, "ok");
	same_int(server->publish(&try.deploy, &err), 0,
		 "publish, before a stranger takes the port");
	const char *line = strstr(bench->said, "starting version 0123456789ab-moved");
	int port = 0;
	ok(line && sscanf(strstr(line, "on port"), "on port %d", &port) == 1, "it says its port");
	same_int(server->rollback(&try.deploy, &err), 0, "roll back");

	fflush(stdout); /* or the child has it too */
	pid_t pid = fork();
	if (pid == 0) {
		char text[16];
		snprintf(text, sizeof text, "%d", port);
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execl("/usr/bin/python3", "python3", "-m", "http.server", "-b", "127.0.0.1", text,
		      (char *)NULL);
		_exit(127);
	}
	while (portcheck_can_bind(port))
		usleep(50000);
	bench->said[0] = '\0';
	bench_built(bench, &try, arena, "moved2", 21, "ok");
	int result = server->publish(&try.deploy, &err);
	if (!same_int(result, 0, "publish, a stranger has the port"))
		tap_note("%s", err.text);
	int other = 0;
	line = strstr(bench->said, "on port");
	ok(line && sscanf(line, "on port %d", &other) == 1 && other != port, "on another port");
	same_int(server->shift(&try.deploy, &err), 0, "shift");
	same_str(bench_get(bench, "/"), "200: moved2", "and it serves");
	same_int(server->rollback(&try.deploy, &err), 0, "roll back");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void environment(struct bench *bench, struct arena *arena)
{
	static const char hard[] = "it's \"$HOME\" `id` \\ $(id)\n\ttwo lines\n'";
	struct err err = ERR_INIT;
	struct try try;
	json_auto json_t *env = NULL;

	bench_built(bench, &try, arena, "env", 30, "ok");
	try.env[2] = arena_printf(arena, "HARD=%s", hard);
	try.env[3] = "EMPTY=";
	same_int(server->publish(&try.deploy, &err), 0, "publish with hard values");
	same_int(server->shift(&try.deploy, &err), 0, "shift");
	const char *text = bench_get(bench, "/env");
	ok(json_parse(&env, text + 5, strlen(text + 5), &err) == 0, "read its environment");
	same_str(json_text(env, "HARD"), hard, "quotes, dollars, backticks and newlines arrive");
	same_str(json_text(env, "EMPTY"), "", "an empty value arrives");
	ok(json_text(env, "PORT") && !json_text(env, "PWD"), "PORT, and nothing of ours");
	const char *headers = json_text(env, "HEADERS");
	ok(headers && strstr(headers, "X-Forwarded-For: 127.0.0.1") && !strstr(headers, "6.6.6.6"),
	   "X-Forwarded-For is the gateway's own");
	ok(headers && strstr(headers, bench->url + 7), "Host is the url's");
	same_int(server->rollback(&try.deploy, &err), 0, "roll back");
}

/* Healthy, in traffic, and then it ends. */
static void ends_later(struct bench *bench, struct arena *arena)
{
	struct err err = ERR_INIT;
	enum probe probe = PROBE_GOOD;
	struct try try;

	bench_built(bench, &try, arena, "later", 40, "ok");
	same_int(server->publish(&try.deploy, &err), 0, "publish one that will end");
	same_int(server->shift(&try.deploy, &err), 0, "shift");
	same_int(server->probe(&try.deploy, &probe, &err), 0, "probe");
	same_int(probe, PROBE_GOOD, "good at first");
	(void)bench_get(bench, "/die");
	usleep(1500000);
	same_int(server->probe(&try.deploy, &probe, &err), 0, "probe again");
	same_int(probe, PROBE_BAD, "bad, though runsv started it again");
	ok(strstr(err.text, "exited with status 4") != NULL, "with its exit status");
	same_int(server->rollback(&try.deploy, &err), 0, "roll back");
	same_str(bench_get(bench, "/"), "200: one", "the version before serves again");
}

/* A request that takes its time, and one whose body does, while the version changes under them. */
static void long_requests(struct bench *bench, struct arena *arena)
{
	struct err err = ERR_INIT;
	enum probe probe = PROBE_WAITING;
	struct try try;
	int status;

	bench_built(bench, &try, arena, "two", 60, "ok");
	same_int(server->publish(&try.deploy, &err), 0, "publish the next");
	fflush(stdout); /* or the child has it too */
	pid_t pid = fork();
	if (pid == 0) {
		char port[16];

		snprintf(port, sizeof port, "%d", bench->port);
		execl("/usr/bin/python3", "python3", "tests/target/slow.py", port, (char *)NULL);
		_exit(127);
	}
	usleep(1000000);
	bench->said[0] = '\0';
	same_int(server->shift(&try.deploy, &err), 0, "shift under long requests");
	same_int(server->probe(&try.deploy, &probe, &err), 0, "probe");
	int64_t before = clock_ticks(&clock_system);
	same_int(server->retire(&try.deploy, &err), 0, "retire");
	ok(clock_ticks(&clock_system) - before < 8000,
	   "the old version gets its time, and no more");
	ok(strstr(bench->said, "still open after 3 s: cut") != NULL, "the log says what was cut");
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	   "what ends in time ends well; a slow body reaches the live version; the rest is cut");
}

/* Workers without a master still answer, and hold the ports. */
static void master_killed(struct bench *bench)
{
	cleanup(buf_free) struct buf text = BUF_INIT(64);
	autofree char *path = xprintf("%s/server/nginx/nginx.pid", bench->dir);
	struct err err = ERR_INIT;

	ok(file_read(path, &text, &err) == 0, "nginx's master has a pid file");
	kill((pid_t)strtol(buf_text(&text), NULL, 10), SIGKILL);
	int result = server->restore(&bench->site, &err);
	if (!same_int(result, 0, "restore after its master was killed"))
		tap_note("%s", err.text);
	same_str(bench_get(bench, "/"), "200: one", "it serves");
	buf_clear(&text);
	ok(file_read(path, &text, &err) == 0
		   && kill((pid_t)strtol(buf_text(&text), NULL, 10), 0) == 0,
	   "with a master");
}

static void kill_everything(struct bench *bench)
{
	char command[64];

	/* Every process whose command line or folder is in our data folder. */
	snprintf(command, sizeof command, "%s", bench->dir);
	fflush(stdout); /* or the child has it too */
	pid_t pid = fork();
	if (pid == 0) {
		execl("/usr/bin/python3", "python3", "tests/target/killall.py", command,
		      (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static void restores(struct bench *bench)
{
	struct err err = ERR_INIT;
	int result;

	same_int(server->restore(&bench->site, &err), 0, "restore when all is well");
	kill_everything(bench);
	ok(strncmp(bench_get(bench, "/"), "200", 3) != 0, "nothing answers after a kill");
	result = server->restore(&bench->site, &err);
	if (!same_int(result, 0, "restore"))
		tap_note("%s", err.text);
	for (int i = 0; i < 50 && strcmp(bench_get(bench, "/"), "200: one") != 0; i++)
		usleep(100000);
	same_str(bench_get(bench, "/"), "200: one", "what was live serves again");
	same_int(server->down(&bench->site, &err), 0, "down");
	ok(strncmp(bench_get(bench, "/"), "200", 3) != 0, "nothing answers after down");
	same_int(server->restore(&bench->site, &err), 0, "restore after down");
	for (int i = 0; i < 50 && strcmp(bench_get(bench, "/"), "200: one") != 0; i++)
		usleep(100000);
	same_str(bench_get(bench, "/"), "200: one", "what was live serves again");
}

static void gateway_port_taken(struct bench *bench, struct arena *arena)
{
	struct err err = ERR_INIT;
	struct try try;
	int port = portcheck_pick((unsigned)getpid() * 11, NULL, NULL);
	char url[64];

	fflush(stdout); /* or the child has it too */
	pid_t pid = fork();
	if (pid == 0) {
		char text[16];
		snprintf(text, sizeof text, "%d", port);
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execl("/usr/bin/python3", "python3", "-m", "http.server", "-b", "127.0.0.1", text,
		      (char *)NULL);
		_exit(127);
	}
	while (portcheck_can_bind(port))
		usleep(50000);
	snprintf(url, sizeof url, "http://shop.localhost:%d", port);
	bench->settings.url = url;
	bench_built(bench, &try, arena, "taken", 50, "ok");
	same_int(server->publish(&try.deploy, &err), -1, "the gateway can't have its port");
	if (!ok(strstr(err.text, "in use") != NULL, "and says so"))
		tap_note("%s", err.text);
	same_str(bench_get(bench, "/"), "200: one", "what is live still serves");
	same_int(server->rollback(&try.deploy, &err), 0, "roll back");
	same_str(bench_get(bench, "/"), "200: one", "and goes on");
	bench->settings.url = bench->url;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct bench bench;

	server = target_find("server");
	bench_open(&bench);
	deploy_good(&bench, arena, "one", 1);
	same_str(bench_get(&bench, "/"), "200: one", "the first version serves");
	fails(&bench, arena, "exit3", "exited with status 3", 20);
	fails(&bench, arena, "never", "nothing listens", 2);
	fails(&bench, arena, "500", "answers 500, expected 200", 2);
	fails(&bench, arena, "hang", "not healthy after 2 s", 2);
	fails(&bench, arena, "elsewhere", "instead", 2);

	stranger(&bench, arena);
	environment(&bench, arena);
	ends_later(&bench, arena);
	gateway_port_taken(&bench, arena);
	master_killed(&bench);
	restores(&bench);
	long_requests(&bench, arena);
	bench_close(&bench);
	return tap_done();
}

/* Deployments of tests/target/app.py to target server, for tests in C. Run from the top of the
 * tree. */
#ifndef TESTS_TARGET_BENCH_H
#define TESTS_TARGET_BENCH_H

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "net/http.h"
#include "tap.h"
#include "target/server/portcheck.h"
#include "target/server/settings.h"
#include "target/target.h"

struct bench {
	char dir[64];
	struct site site;
	struct server_settings settings;
	struct health health;
	struct app app;
	struct artifact artifact;
	char url[64], said[4096];
	int port, stop;
};

/* One deployment: built anew for each call that is to know nothing of those before it. */
struct
try {
	struct deploy deploy;
	struct app app;
	struct artifact artifact;
	char mode[64], version[64];
	const char *env[8];
};

static inline void bench_say(void *self, const char *fmt, ...)
{
	struct bench *bench = self;
	size_t used = strlen(bench->said);
	va_list args;

	va_start(args, fmt);
	vsnprintf(bench->said + used, sizeof bench->said - used, fmt, args);
	va_end(args);
	used = strlen(bench->said);
	snprintf(bench->said + used, sizeof bench->said - used, "\n");
}

static inline int bench_tick(void *self)
{
	return ((struct bench *)self)->stop;
}

static inline void bench_open(struct bench *bench)
{
	static const char *const start[] = {"/usr/bin/python3", "app.py", NULL};
	struct err err;

	*bench = (struct bench){.dir = "/tmp/slipway-target-XXXXXX"};
	if (!mkdtemp(bench->dir))
		bail_out("mkdtemp");
	if (http_curl_new(&bench->site.http, "slipway-test", &err) == -1)
		bail_out(err.text);
	bench->port = portcheck_pick((unsigned)getpid() * 7, NULL, NULL);
	snprintf(bench->url, sizeof bench->url, "http://shop.localhost:%d", bench->port);
	bench->settings = (struct server_settings){
		.url = bench->url, .max_body = "25m", .drain = 3, .keep = 5};
	bench->health =
		(struct health){.path = "/healthz", .status = 200, .timeout = 20, .settle = 0};
	bench->site.data = bench->dir;
	bench->site.clock = &clock_system;
	bench->site.say = bench_say;
	bench->site.tick = bench_tick;
	bench->site.self = bench;
	bench->app = (struct app){.repository = "acme/shop",
				  .service = "web",
				  .environment = "production",
				  .start = start};
}

/* A checkout as the pipeline makes it: in the folder that the target asks for. */
static inline void bench_checkout(struct try *try)
{
	struct err err;
	const char *folder = try->artifact.folder;
	autofree char *path = file_join(folder, "app.py");
	struct buf text = BUF_INIT(65536);

	if (file_exists(path))
		return;
	if (file_make_dirs(folder, 0700, &err) == -1
	    || file_read("tests/target/app.py", &text, &err) == -1
	    || file_write(path, text.data, text.size, 0600, &err) == -1)
		bail_out(err.text);
	buf_free(&text);
}

static inline void bench_try(struct bench *bench, struct try *try, struct arena *arena,
			     const char *key, int64_t fence, const char *mode)
{
	*try = (struct try){.app = bench->app};
	try->app.health = &bench->health;
	snprintf(try->mode, sizeof try->mode, "MODE=%s", mode);
	snprintf(try->version, sizeof try->version, "VERSION=%s", key);
	try->env[0] = try->mode;
	try->env[1] = try->version;
	try->app.env = try->env;
	try->artifact.commit = "0123456789abcdef0123456789abcdef01234567";
	try->deploy = (struct deploy){.app = &try->app,
				      .settings = &bench->settings,
				      .artifact = &try->artifact,
				      .key = key,
				      .fence = fence,
				      .site = &bench->site,
				      .arena = arena};
	try->artifact.folder = target_find("server")->folder(&try->deploy);
}

/* The same, with its checkout made. */
static inline void bench_built(struct bench *bench, struct try *try, struct arena *arena,
			       const char *key, int64_t fence, const char *mode)
{
	bench_try(bench, try, arena, key, fence, mode);
	bench_checkout(try);
}

/* What the gateway answers at a path; "status: body". */
static inline const char *bench_get(struct bench *bench, const char *path)
{
	static char text[16384];
	struct http_request request = {.method = "GET", .timeout = 10};
	struct http_response response = {0};
	struct err err;

	request.url = xprintf("http://127.0.0.1:%d%s", bench->port, path);
	http_request_header(&request, "Host", bench->url + 7);
	http_request_header(&request, "X-Forwarded-For", "6.6.6.6");
	if (http_send(bench->site.http, &request, &response, &err) == -1)
		snprintf(text, sizeof text, "%s", err.text);
	else
		snprintf(text, sizeof text, "%d: %s", response.status, buf_text(&response.body));
	http_request_free(&request);
	http_response_free(&response);
	return text;
}

static inline void bench_close(struct bench *bench)
{
	struct err err;

	if (target_find("server")->down(&bench->site, &err) == -1)
		tap_note("down: %s", err.text);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	http_free(bench->site.http);
	if (file_remove_tree(bench->dir, &err) == -1)
		tap_note("%s", err.text);
}

#endif

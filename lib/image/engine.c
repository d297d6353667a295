#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "image/engine_call.h"

/* 1.41 came with Docker 20.10; 1.44 is the oldest that Docker 29 still takes. */
enum { MINOR_LEAST = 41, MINOR_MOST = 44 };

#define TIMEOUT 60

struct engine *engine_new(const char *socket, const struct engine_site *site)
{
	struct engine *engine = xalloc(sizeof *engine);

	engine->socket = xstrdup(socket);
	engine->site = *site;
	return engine;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	free(engine->socket);
	free(engine);
}

void engine_say(struct engine *engine, const char *line, size_t size)
{
	if (engine->site.say)
		engine->site.say(engine->site.self, line, size);
}

void engine_sayf(struct engine *engine, const char *fmt, ...)
{
	char line[1000];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	engine_say(engine, line, strlen(line));
}

int engine_connect(const struct engine *engine, int *out, struct err *err)
{
	cleanup(file_close_at) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fd < 0)
		return err_errno(err, "make a socket");
	if (strlen(engine->socket) >= sizeof address.sun_path)
		return err_set(err, ERR_USAGE, 0,
			       "Docker's socket '%.120s': its path is over %zu bytes",
			       engine->socket, sizeof address.sun_path - 1);
	memcpy(address.sun_path, engine->socket, strlen(engine->socket));
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		*out = file_take(&fd);
		return 0;
	}
	if (errno == EACCES || errno == EPERM)
		return err_set(
			err, ERR_AUTH, errno,
			"user %u may not use Docker's socket %s: run as root, or as a user of "
			"the socket's group (which is as mighty as root)",
			(unsigned)geteuid(), engine->socket);
	if (errno == ECONNREFUSED || errno == ENOTSOCK)
		return err_set(err, ERR_ABSENT, errno,
			       "nobody answers at Docker's socket %s: is the engine running?",
			       engine->socket);
	return err_set(err, ERR_ABSENT, errno, "there is no Docker engine at %s: %s",
		       engine->socket, strerror(errno));
}

/* Why nobody answered, as the kernel says it; 0 when somebody does. */
static int reach(const struct engine *engine, struct err *err)
{
	cleanup(file_close_at) int fd = -1;

	return engine_connect(engine, &fd, err);
}

struct exchange {
	struct engine *engine;
	const struct engine_call *call;
	int64_t deadline; /* ticks */
	bool late;
};

static ssize_t read_body(void *self, void *out, size_t room, struct err *err)
{
	struct exchange *exchange = self;

	return exchange->call->body_read(exchange->call->self, out, room, err);
}

static int take_body(void *self, const void *bytes, size_t size, struct err *err)
{
	struct exchange *exchange = self;

	return exchange->call->on_body(exchange->call->self, bytes, size, err);
}

/* A short call is never broken off: stopping and removing is what is done when we are cancelled. */
static int tick(void *self)
{
	struct exchange *exchange = self;
	const struct engine_site *site = &exchange->engine->site;
	int stop = site->tick ? site->tick(site->self) : 0;

	if (!exchange->call->long_running)
		return 0;
	exchange->late = clock_ticks(site->clock) >= exchange->deadline;
	return stop || exchange->late;
}

static enum err_kind kind_of(int status)
{
	switch (status) {
	case 400:
		return ERR_USAGE;
	case 401:
	case 403:
		return ERR_AUTH;
	case 404:
		return ERR_ABSENT;
	case 409:
		return ERR_CONFLICT;
	default:
		return ERR_REMOTE;
	}
}

static int refused(const struct http_response *response, struct err *err)
{
	struct err ignored = ERR_INIT;
	json_auto json_t *json = NULL;
	const char *message = NULL;

	if (response->body.size > 0
	    && json_parse(&json, response->body.data, response->body.size, &ignored) == 0)
		message = json_text(json, "message");
	return err_set(err, kind_of(response->status), response->status,
		       "Docker's engine answered %d: %.400s", response->status,
		       message ? message : buf_text(&response->body));
}

static int failed(const struct exchange *exchange, const struct http_response *response,
		  struct err *err)
{
	struct err why = ERR_INIT;

	if (exchange->late)
		return err_set(err, ERR_LIMIT, 0, "it took longer than %lld s",
			       (long long)exchange->call->timeout);
	if (err->kind == ERR_CANCELLED)
		return err_set(err, ERR_CANCELLED, 0, "cancelled");
	if (err->kind == ERR_TRANSIENT && response->status == 0 && reach(exchange->engine, &why))
		*err = why;
	return -1;
}

/* `path` with its version before it. */
static int exchange_with(struct engine *engine, const struct engine_call *call, const char *path,
			 struct http_response *response, struct err *err)
{
	int64_t timeout = call->timeout > 0 ? call->timeout : TIMEOUT;
	struct exchange exchange = {.engine = engine,
				    .call = call,
				    .deadline = clock_ticks(engine->site.clock) + timeout * 1000};
	cleanup(buf_free) struct buf body = BUF_INIT(16 * 1024 * 1024);
	cleanup(http_request_free) struct http_request request = {
		.method = call->method,
		.url = xprintf("http://localhost%s", path),
		/* The deadline is told apart from a lost connection. */
		.timeout = call->long_running ? timeout + 30 : timeout,
		.unix_socket = engine->socket,
		.body_read = call->body_read ? read_body : NULL,
		.on_body = call->on_body ? take_body : NULL,
		.response_file = call->file,
		.response_limit = call->limit,
		.tick = tick,
		.self = &exchange};

	if (call->body) {
		buf_add_json(&body, call->body);
		request.body = buf_text(&body);
		request.body_size = body.size;
	}
	if (call->body || call->type)
		http_request_header(&request, "Content-Type",
				    call->body ? "application/json" : call->type);
	if (call->auth)
		http_request_header(&request, "X-Registry-Auth", call->auth);
	if (http_send(engine->site.http, &request, response, err))
		return failed(&exchange, response, err);
	if ((response->status < 200 || response->status > 299) && response->status != 304)
		return refused(response, err);
	return 0;
}

int engine_greet(struct engine *engine, struct err *err)
{
	const struct engine_call call = {.method = "GET"};
	cleanup(http_response_free) struct http_response response = {0};
	struct err ignored = ERR_INIT;
	const char *version;
	int64_t minor = MINOR_LEAST;

	if (engine->minor)
		return 0;
	if (exchange_with(engine, &call, "/_ping", &response, err))
		return -1;
	version = http_response_header(&response, "Api-Version");
	if (version && text_starts(version, "1.")
	    && text_number(version + 2, 0, 9999, &minor, &ignored))
		minor = MINOR_LEAST;
	if (minor < MINOR_LEAST)
		return err_set(
			err, ERR_REMOTE, 0,
			"the Docker engine at %s speaks version %.20s of its interface; 1.%d "
			"(Docker 20.10) or later is needed",
			engine->socket, version, MINOR_LEAST);
	engine->minor = minor > MINOR_MOST ? MINOR_MOST : (int)minor;
	return 0;
}

int engine_call(struct engine *engine, const struct engine_call *call,
		struct http_response *response, struct err *err)
{
	cleanup(http_response_free) struct http_response own = {0};
	autofree char *path = NULL;

	if (engine_greet(engine, err))
		return -1;
	path = xprintf("/v1.%d%s", engine->minor, call->path);
	return exchange_with(engine, call, path, response ? response : &own, err);
}

static int call_json(struct engine *engine, const struct engine_call *call, json_t **out,
		     struct err *err)
{
	cleanup(http_response_free) struct http_response response = {0};

	if (engine_call(engine, call, &response, err))
		return -1;
	if (!out)
		return 0;
	if (json_parse(out, buf_text(&response.body), response.body.size, err))
		return err_within(err, "read the engine's answer");
	return 0;
}

int engine_get(struct engine *engine, const char *path, json_t **out, struct err *err)
{
	return call_json(engine, &(struct engine_call){.method = "GET", .path = path}, out, err);
}

int engine_post(struct engine *engine, const char *path, const json_t *body, json_t **out,
		struct err *err)
{
	return call_json(engine,
			 &(struct engine_call){.method = "POST", .path = path, .body = body}, out,
			 err);
}

int engine_ping(struct engine *engine, struct arena *arena, const char **arch, const char **version,
		struct err *err)
{
	json_auto json_t *about = NULL;

	engine->minor = 0;
	if (engine_greet(engine, err))
		return -1;
	if (!arch && !version)
		return 0;
	if (engine_get(engine, "/version", &about, err))
		return err_within(err, "ask for the engine's version");
	if (arch)
		*arch = arena_strdup(arena, json_text(about, "Arch"));
	if (version)
		*version = arena_strdup(arena, json_text(about, "Version"));
	return 0;
}

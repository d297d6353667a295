/* What the HTTP server under test serves, and what it has seen. */
#ifndef TESTS_SERVER_APP_H
#define TESTS_SERVER_APP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service/server.h"
#include "tap.h"
#include "wire.h"

#define LIMIT 100000U

struct seen {
	atomic_uint handled, begun, ended;
	atomic_size_t received;
	atomic_bool hold;
};

static void say(void *self, const struct call *call, struct reply *reply)
{
	struct seen *seen = self;

	(void)call;
	atomic_fetch_add(&seen->handled, 1);
	reply->status = 200;
	reply->type = "text/plain; charset=utf-8";
	buf_adds(&reply->body, "hello\n");
}

static void echo(void *self, const struct call *call, struct reply *reply)
{
	struct seen *seen = self;
	const char *q = call_query(call->request, "q");

	atomic_fetch_add(&seen->handled, 1);
	reply->status = 200;
	buf_addf(&reply->body, "%s %s %s %zu %s", call->method, call->path, call->peer, call->size,
		 q ? q : "-");
	buf_add(&reply->body, call->body, call->size);
}

static void *begin(void *self, const struct call *call, struct reply *reply)
{
	struct seen *seen = self;

	if (call_header(call->request, "X-Refuse")) {
		reply_problem(reply, 415, "Unsupported Media Type", "no");
		return NULL;
	}
	atomic_fetch_add(&seen->begun, 1);
	return seen;
}

static void receive(void *state, const void *bytes, size_t size)
{
	struct seen *seen = state;

	(void)bytes;
	atomic_fetch_add(&seen->received, size);
}

static void end(void *state)
{
	struct seen *seen = state;

	atomic_fetch_add(&seen->ended, 1);
}

static void hold(void *self, const struct call *call, struct reply *reply)
{
	struct seen *seen = self;

	while (atomic_load(&seen->hold) && !call_is_over(call->request))
		clock_sleep(&clock_system, 10);
	reply->status = 200;
	buf_adds(&reply->body, atomic_load(&seen->hold) ? "over\n" : "let go\n");
}

static int tick(void *state, struct buf *out)
{
	int *left = state;

	if (*left == 0)
		return 1;
	buf_addf(out, "data: %d\n\n", (*left)--);
	return 0;
}

static void tick_free(void *state)
{
	free(state);
}

static void stream(void *self, const struct call *call, struct reply *reply)
{
	int *left = xalloc(sizeof *left);

	(void)self;
	(void)call;
	*left = 3;
	reply->status = 200;
	reply->type = "text/event-stream";
	reply->stream = tick;
	reply->stream_free = tick_free;
	reply->stream_state = left;
}

static bool may(void *self, const struct server_request *request, enum right right,
		struct reply *reply)
{
	(void)self;
	if (right == RIGHT_READ && call_header(request, "Authorization"))
		return true;
	reply_problem(reply, 401, "Unauthorized", "who are you?");
	return false;
}

static const struct route routes[] = {
	{.method = "GET", .path = "/", .right = RIGHT_OPEN, .handle = say},
	{.method = "POST",
	 .path = "/echo",
	 .right = RIGHT_OPEN,
	 .body_limit = LIMIT,
	 .handle = echo},
	{.method = "GET", .path = "/below/", .right = RIGHT_OPEN, .handle = echo},
	{.method = "POST",
	 .path = "/take",
	 .right = RIGHT_SIGNED,
	 .body_limit = LIMIT,
	 .begin = begin,
	 .receive = receive,
	 .end = end,
	 .handle = say},
	{.method = "GET", .path = "/secret", .right = RIGHT_READ, .handle = say},
	{.method = "POST",
	 .path = "/secret",
	 .right = RIGHT_READ,
	 .body_limit = LIMIT,
	 .handle = say},
	{.method = "GET", .path = "/hold", .right = RIGHT_OPEN, .handle = hold},
	{.method = "GET", .path = "/stream", .right = RIGHT_OPEN, .handle = stream},
};
#define ROUTES (sizeof routes / sizeof *routes)

static struct server *start(struct server_options options, struct seen *seen)
{
	struct server *server = NULL;
	struct err err = ERR_INIT;

	options.address = "127.0.0.1:0";
	options.may = may;
	if (server_start(&server, &options, routes, ROUTES, seen, &err) < 0)
		bail_out(err.text);
	return server;
}

static int ask(const struct server *server, const char *text, char *out, size_t room)
{
	return wire_ask(server_port(server), text, strlen(text), out, room);
}

static void check(const struct server *server, const char *name, const char *text, int status)
{
	char out[65536];

	if (!same_int(ask(server, text, out, sizeof out), status, name))
		tap_note("%s", out);
}

#define CLOSE "Connection: close\r\n"

#endif

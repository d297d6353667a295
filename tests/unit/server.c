/* The HTTP server against clients that misbehave, one test a row of the table of rude requests. */
#include "server_app.h"

static void test_plain(const struct server *server)
{
	char out[65536];

	check(server, "a plain request is served", "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n",
	      200);
	check(server, "HTTP/1.0 without Host is served", "GET / HTTP/1.0\r\n\r\n", 200);
	check(server, "an unknown path is 404", "GET /nothing HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n",
	      404);
	same_int(ask(server, "DELETE /echo HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", out, sizeof out),
		 405, "a wrong method is 405");
	ok(strstr(out, "\r\nAllow: POST\r\n"), "with Allow");
	ok(strstr(out, "application/problem+json"), "as a problem document");
	same_int(ask(server, "HEAD / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", out, sizeof out), 200,
		 "HEAD is GET");
	ok(!strstr(out, "hello"), "without its body");
	ask(server, "GET /below/a%20b?q=x%26y HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", out,
	    sizeof out);
	ok(strstr(out, "GET /below/a b 127.0.0.1 0 x&y"), "path and query are decoded");
	check(server, "a path ending in '/' isn't its own child",
	      "GET /below/ HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", 404);
	check(server, "a right that is lacking is 401",
	      "GET /secret HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", 401);
	check(server, "and one that is there serves",
	      "GET /secret HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n" CLOSE "\r\n", 200);
	check(server, "a target that is no path is 400",
	      "GET http://a/ HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", 400);
	check(server, "a NUL in the target is 400", "GET /%00 HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n",
	      400);
	check(server, "a space in the target is 400",
	      "GET /a b HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", 400);
}

static void test_rows(const struct server *server, struct seen *seen)
{
	static const char nul[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n" CLOSE "\r\n";
	static const char nul_last[] = "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "X-A: b\0c\r\n\r\n";
	static const char nul_first[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: \0c\r\n" CLOSE "\r\n";
	unsigned before = atomic_load(&seen->handled);
	char out[65536];

	check(server, "Content-Length and Transfer-Encoding",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
	      "chunked\r\n"
	      "\r\n0\r\n\r\n",
	      400);
	check(server, "Transfer-Encoding and Content-Length",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
	      "5\r\n"
	      "\r\n0\r\n\r\n",
	      400);
	check(server, "two different Content-Lengths",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: "
	      "6\r\n\r\nhello!",
	      400);
	check(server, "two equal Content-Lengths",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: "
	      "5\r\n\r\nhello",
	      400);
	check(server, "two Transfer-Encodings",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
	      "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	      400);
	check(server, "a Transfer-Encoding that isn't chunked",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400);
	check(server, "Content-Length: +5",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400);
	check(server, "Content-Length: 5, 5",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400);
	check(server, "a Content-Length over 64 bits",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	      413);
	check(server, "space before the colon",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400);
	same_int(wire_ask(server_port(server), nul, sizeof nul - 1, out, sizeof out), 400,
		 "NUL in a header");
	same_int(wire_ask(server_port(server), nul_last, sizeof nul_last - 1, out, sizeof out), 400,
		 "NUL in the last header");
	same_int(wire_ask(server_port(server), nul_first, sizeof nul_first - 1, out, sizeof out),
		 400, "NUL at the start of a header");
	check(server, "a control byte in a header",
	      "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\001c\r\n" CLOSE "\r\n", 400);
	check(server, "a bare carriage return in a header",
	      "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rX-B: c\r\n" CLOSE "\r\n", 400);
	check(server, "a bare line feed after a header",
	      "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\n" CLOSE "\r\n", 400);
	check(server, "a bare line feed at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n",
	      400);
	check(server, "a folded header",
	      "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n" CLOSE "\r\n", 400);
	check(server, "a header without a name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400);
	check(server, "HTTP/1.1 without Host", "GET / HTTP/1.1\r\n" CLOSE "\r\n", 400);
	check(server, "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" CLOSE "\r\n", 400);
	check(server, "two Authorizations",
	      "GET /secret HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nauthorization: b\r\n\r\n",
	      400);
	check(server, "two delivery ids",
	      "POST /take HTTP/1.1\r\nHost: a\r\nX-GitHub-Delivery: a\r\nX-GitHub-Delivery: a\r\n"
	      "Content-Length: 0\r\n\r\n",
	      400);
	check(server, "two Content-Types",
	      "POST /take HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: a\r\n"
	      "Content-Length: 0\r\n\r\n",
	      400);
	same_int(atomic_load(&seen->handled), before, "none of them reached a handler");
}

static void test_bodies(const struct server *server, struct seen *seen)
{
	char out[65536];
	int fd;

	same_int(ask(server,
		     "POST /echo HTTP/1.1\r\nHost: a\r\n" CLOSE
		     "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
		     out, sizeof out),
		 200, "chunked body");
	ok(strstr(out, "5 -hello"), "is put together");
	check(server, "a malformed chunk is 400",
	      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhel\r\n",
	      400);

	fd = wire_open(server_port(server));
	wire_says(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: "
		      "100-continue\r\n" CLOSE "\r\n");
	same_int(recv(fd, out, 25, MSG_WAITALL), 25, "Expect: 100-continue");
	ok(strncmp(out, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 0, "is told to go on");
	wire_says(fd, "hello");
	wire_read_to_end(fd, out, sizeof out);
	same_int(wire_status(out), 200, "and served");
	close(fd);

	fd = wire_open(server_port(server));
	wire_says(fd, "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n");
	wire_read_to_end(fd, out, sizeof out);
	same_int(wire_status(out), 413, "declares 30 MB: told before any body");
	close(fd);
	same_int(atomic_load(&seen->begun), 0, "and no body was begun");
}

static void test_growing_body(const struct server *server, struct seen *seen)
{
	static char chunk[8192 + 8], out[65536];
	size_t sent = 0;
	int fd = wire_open(server_port(server));

	atomic_store(&seen->received, 0);
	memset(chunk, 'x', sizeof chunk);
	memcpy(chunk, "2000\r\n", 6);
	memcpy(chunk + 6 + 8192, "\r\n", 2);
	wire_says(fd, "POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (sent < 4U * 1024 * 1024 && wire_send(fd, chunk, sizeof chunk))
		sent += sizeof chunk;
	wire_read_to_end(fd, out, sizeof out);
	same_int(wire_status(out), 413, "a chunked body that grows too long is cut with 413");
	ok(atomic_load(&seen->received) <= LIMIT, "at its limit");
	close(fd);
	for (int i = 0; i < 300 && atomic_load(&seen->ended) != atomic_load(&seen->begun); i++)
		clock_sleep(&clock_system, 10);
	same_int(atomic_load(&seen->ended), atomic_load(&seen->begun),
		 "and what was begun is ended");
}

static void test_large_heads(const struct server *server)
{
	static char text[70000], out[65536];
	int used = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX-A: ");

	memset(text + used, 'x', 65000);
	snprintf(text + used + 65000, 100, "\r\n\r\n");
	check(server, "64 KB of headers is 431", text, 431);
	memset(text + 5, 'x', 65000);
	same_int(ask(server, text, out, sizeof out), 414, "a target of 64 KB is 414");
}

static void test_keep_alive(const struct server *server)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	char out[65536];
	int fd = wire_open(server_port(server));
	bool fine = true;

	for (int i = 0; i < 50 && fine; i++)
		fine = wire_says(fd, get) && wire_read_answer(fd, out, sizeof out) > 0
		       && wire_status(out) == 200;
	ok(fine, "50 requests on one connection");
	wire_says(fd, "POST /secret HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	wire_read_answer(fd, out, sizeof out);
	same_int(wire_status(out), 401, "a refused request with a short body");
	wire_says(fd, get);
	wire_read_answer(fd, out, sizeof out);
	same_int(wire_status(out), 200, "leaves the connection in order");
	wire_says(fd,
		  "POST /take HTTP/1.1\r\nHost: a\r\nX-Refuse: 1\r\nContent-Length: 90000\r\n\r\n");
	wire_read_to_end(fd, out, sizeof out);
	same_int(wire_status(out), 415, "one with a long body is answered at once, and closed");
	close(fd);
}

/* Closing with bytes unread resets the connection, and the client then may not see why. */
static void test_linger(const struct server *server)
{
	static char text[95000], out[65536];
	int used = snprintf(text, sizeof text,
			    "POST /secret HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
	unsigned told = 0;

	memset(text + used, 'x', 90000);
	for (int i = 0; i < 20; i++) {
		int fd = wire_open(server_port(server));

		if (wire_send(fd, text, (size_t)used))
			clock_sleep(&clock_system, 5);
		for (int piece = 0; piece < 9; piece++)
			(void)wire_send(fd, text + used + piece * 10000, 10000);
		clock_sleep(&clock_system, 5);
		wire_read_to_end(fd, out, sizeof out);
		told += wire_status(out) == 401;
		close(fd);
	}
	same_int(told, 20, "who still sends a body that was refused gets the answer");
}

static void test_stream(const struct server *server)
{
	char out[65536];

	same_int(ask(server, "GET /stream HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", out, sizeof out),
		 200, "a stream");
	ok(strstr(out, "data: 3") && strstr(out, "data: 1"), "is sent to its end");
}

/* A byte every 100 ms: an idle time-out would never see it. */
static int64_t drip(const struct server *server, const char *head)
{
	int64_t began = clock_ticks(&clock_system);
	int fd = wire_open(server_port(server));

	wire_says(fd, head);
	for (int i = 0; i < 100; i++) {
		char byte;

		if (!wire_says(fd, "x") || recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
			break;
		clock_sleep(&clock_system, 100);
	}
	close(fd);
	return clock_ticks(&clock_system) - began;
}

static void test_slow(void)
{
	struct seen seen = {0};
	struct server *server =
		start((struct server_options){.head_seconds = 1, .body_seconds = 2}, &seen);
	int64_t took = drip(server, "GET / HTTP/1.1\r\nX-A: ");
	char out[4096];
	int fd;

	ok(took >= 800 && took < 2500, "a head that drips is cut at its deadline");
	took = drip(server, "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n");
	ok(took >= 1800 && took < 4000, "a body that drips is cut at its deadline");
	for (int i = 0; i < 300 && atomic_load(&seen.ended) != atomic_load(&seen.begun); i++)
		clock_sleep(&clock_system, 10);
	same_int(atomic_load(&seen.ended), atomic_load(&seen.begun), "and what was begun is ended");
	fd = wire_open(server_port(server));
	took = clock_ticks(&clock_system);
	same_int(wire_read_to_end(fd, out, sizeof out), 0, "a silent connection is closed");
	took = clock_ticks(&clock_system) - took;
	ok(took < 2500, "at the head's deadline");
	close(fd);
	server_stop(server);
}

static void test_caps(void)
{
	struct seen seen = {0};
	struct server *server = start(
		(struct server_options){.connections = 10, .connections_per_address = 3}, &seen);
	int fds[10], extra;
	char out[4096];

	for (int i = 0; i < 10; i++)
		fds[i] = wire_open(server_port(server));
	for (int i = 0; i < 200 && server_connections(server) < 10; i++)
		clock_sleep(&clock_system, 10);
	same_int(server_connections(server), 10, "loopback isn't counted per address");
	extra = wire_open(server_port(server));
	wire_says(extra, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	wire_read_to_end(extra, out, sizeof out);
	same_int(wire_status(out), 503, "one connection too many is told so");
	ok(strstr(out, "Retry-After:"), "and when to come again");
	close(extra);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
	for (int i = 0; i < 300 && server_connections(server) > 0; i++)
		clock_sleep(&clock_system, 10);
	same_int(server_connections(server), 0, "all are gone");
	check(server, "and there is room again", "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", 200);
	server_stop(server);
}

static void *release_later(void *self)
{
	struct seen *seen = self;

	clock_sleep(&clock_system, 300);
	atomic_store(&seen->hold, false);
	return NULL;
}

static void test_drain(void)
{
	struct seen seen = {0};
	struct server *server = start((struct server_options){0}, &seen);
	int port = server_port(server), busy = wire_open(port), idle = wire_open(port);
	char out[4096];
	pthread_t thread;

	atomic_store(&seen.hold, true);
	wire_says(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	wire_read_answer(idle, out, sizeof out);
	wire_says(busy, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
	pthread_create(&thread, NULL, release_later, &seen);
	clock_sleep(&clock_system, 50);
	wire_says(busy, "llo");
	server_drain(server, 5);
	pthread_join(thread, NULL);
	same_int(wire_read_to_end(idle, out, sizeof out), 0, "draining closes idle connections");
	wire_read_to_end(busy, out, sizeof out);
	same_int(wire_status(out), 200, "and lets open requests end");
	close(idle);
	close(busy);
	server_stop(server);
}

static void test_gone(void)
{
	struct seen seen = {0};
	struct server *server = start((struct server_options){0}, &seen);
	int fd = wire_open(server_port(server));

	atomic_store(&seen.hold, true);
	wire_says(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	clock_sleep(&clock_system, 100);
	close(fd);
	for (int i = 0; i < 300 && server_connections(server) > 0; i++)
		clock_sleep(&clock_system, 10);
	same_int(server_connections(server), 0,
		 "a handler that waits learns that the client is gone");
	server_stop(server);
}

static void test_rights(void)
{
	static const struct route forgotten[] = {{.method = "GET", .path = "/x", .handle = say}};
	const struct server_options options = {.address = "127.0.0.1:0"};
	const struct server_options bad = {.address = "localhost"};
	struct server *server;
	struct err err = ERR_INIT;

	same_int(server_start(&server, &options, forgotten, 1, NULL, &err), -1,
		 "a route that declares no right is refused at start");
	ok(strstr(err.text, "/x"), "and named");
	same_int(server_start(&server, &bad, routes, ROUTES, NULL, &err), -1,
		 "an address without a port is refused");
	ok(strstr(err.text, "127.0.0.1:8080"), "with an example");
}

/* Bursts of 256 connections on servers that have just started. */
static void test_bursts(int starts)
{
	enum { BURST = 256 };
	static int fds[BURST];
	unsigned answered = 0;
	char out[4096];

	for (int n = 0; n < starts; n++) {
		struct seen seen = {0};
		struct server *server = start((struct server_options){0}, &seen);

		for (int i = 0; i < BURST; i++) {
			fds[i] = wire_open(server_port(server));
			wire_says(fds[i],
				  "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" CLOSE
				  "\r\nhello");
		}
		for (int i = 0; i < BURST; i++) {
			wire_read_to_end(fds[i], out, sizeof out);
			answered += wire_status(out) == 200;
			close(fds[i]);
		}
		server_stop(server);
		if (starts > 100 && n % 100 == 99)
			tap_note("%d starts, %u of %d answered", n + 1, answered, (n + 1) * BURST);
	}
	same_int(answered, (intmax_t)starts * BURST, "every connection of every burst is answered");
}

int main(int argc, char **argv)
{
	struct rlimit files = {4096, 4096};
	struct seen seen = {0};
	struct server *server;

	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (argc > 1) {
		test_bursts((int)strtol(argv[1], NULL, 10));
		return tap_done();
	}
	server = start((struct server_options){0}, &seen);
	test_plain(server);
	test_bodies(server, &seen);
	test_rows(server, &seen);
	test_growing_body(server, &seen);
	test_large_heads(server);
	test_keep_alive(server);
	test_linger(server);
	test_stream(server);
	server_stop(server);
	test_slow();
	test_caps();
	test_drain();
	test_gone();
	test_rights();
	test_bursts(40);
	return tap_done();
}

/*
 * Post signed deliveries to a server on this machine as fast as it answers, over a number of
 * connections of which each has one request under way, and say in one line of JSON how it went:
 *     {"requests": 81234, "seconds": 5.001, "p50": 0.0011, "p99": 0.0042, "max": 0.0501,
 *      "statuses": {"202": 81234}, "failed": 0, "prefix": "5f0c9a31"}
 *
 * The bodies come from a file with a JSON object per line. No two requests are the same: each gets
 * a last member with a serial number of its own, and a GUID that begins with "prefix". The HMAC of
 * what is before that member is computed before the clock starts, so that signing takes next to
 * nothing of what the server could use.
 *
 * A latency is the time from the start of a request (with --close: from its connect()) to the last
 * byte of the answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/text.h"

#define REPLY_MAX   16384
#define REQUEST_MAX (1U * 1024 * 1024)
#define SECOND      INT64_C(1000000)
/* How long answers may still come when nothing more is sent. */
#define GRACE (10 * SECOND)

struct body {
	char *text; /* without the last brace */
	size_t size;
	EVP_MAC_CTX *before; /* the HMAC of text */
};

struct connection {
	int fd; /* -1: none */
	bool busy;
	int64_t began;
	struct buf out;
	size_t sent;
	char reply[REPLY_MAX + 1];
	size_t got;
};

struct load {
	/* what was asked for */
	int port;
	const char *path, *event, *secret, *file;
	int64_t seconds, connections;
	bool close;

	struct body *bodies;
	size_t count;
	struct connection *all;
	int epoll;
	char prefix[9];
	uint64_t serial;
	int64_t until, last; /* in microseconds; last: when the latest answer came */

	int32_t *latencies;
	size_t answers, room;
	unsigned statuses[600];
	unsigned failed;
	char why[100]; /* the first failure */
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static EVP_MAC_CTX *mac_new(const char *secret)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_MAC_init(context, (const unsigned char *)secret, strlen(secret), params) != 1)
		die("HMAC");
	EVP_MAC_free(mac);
	return context;
}

static void read_bodies(struct load *load)
{
	FILE *file = fopen(load->file, "re");
	EVP_MAC_CTX *fresh = mac_new(load->secret);
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	if (!file)
		die(load->file);
	while ((size = getline(&line, &room, file)) > 0) {
		struct body body = {.before = EVP_MAC_CTX_dup(fresh)};

		while (size > 0 && line[size - 1] != '}')
			size--;
		if (size < 3)
			continue;
		body.size = (size_t)size - 1;
		body.text = xmemdup(line, body.size);
		EVP_MAC_update(body.before, (unsigned char *)body.text, body.size);
		load->bodies = xresize(load->bodies, load->count + 1, sizeof *load->bodies);
		load->bodies[load->count++] = body;
	}
	free(line);
	fclose(file);
	EVP_MAC_CTX_free(fresh);
	if (load->count == 0) {
		fprintf(stderr, "load: no body in %s\n", load->file);
		exit(1);
	}
}

static void sign(const struct body *body, const char *tail, char hex[SHA256_HEX_SIZE])
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup(body->before);
	unsigned char digest[SHA256_SIZE];
	size_t size;

	EVP_MAC_update(context, (const unsigned char *)tail, strlen(tail));
	EVP_MAC_final(context, digest, &size, sizeof digest);
	EVP_MAC_CTX_free(context);
	hex_encode(digest, sizeof digest, hex);
}

static void write_request(struct load *load, struct buf *out)
{
	uint64_t serial = load->serial++;
	const struct body *body = &load->bodies[serial % load->count];
	char tail[64], hex[SHA256_HEX_SIZE];

	snprintf(tail, sizeof tail, ",\"serial\":\"%016llx\"}", (unsigned long long)serial);
	sign(body, tail, hex);
	buf_clear(out);
	buf_addf(out,
		 "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: GitHub-Hookshot/044aadd\r\n"
		 "Accept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: %s\r\n"
		 "X-GitHub-Delivery: %s-0000-4000-8000-%012llx\r\n"
		 "X-Hub-Signature-256: sha256=%s\r\nContent-Length: %zu\r\n%s\r\n",
		 load->path, load->port, load->event, load->prefix, (unsigned long long)serial, hex,
		 body->size + strlen(tail), load->close ? "Connection: close\r\n" : "");
	buf_add(out, body->text, body->size);
	buf_adds(out, tail);
}

static void hang_up(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	connection->busy = false;
}

static void fail(struct load *load, struct connection *connection, const char *what)
{
	if (load->failed++ == 0)
		snprintf(load->why, sizeof load->why, "%s", what);
	hang_up(connection);
}

static void dial(struct load *load, struct connection *connection)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)load->port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};

	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0)
		die("socket");
	if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0
	    && errno != EINPROGRESS) {
		fail(load, connection, strerror(errno));
		return;
	}
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		die("epoll_ctl");
}

static void push_out(struct load *load, struct connection *connection)
{
	const struct buf *out = &connection->out;

	while (connection->sent < out->size) {
		ssize_t sent = send(connection->fd, out->data + connection->sent,
				    out->size - connection->sent, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN))
			return;
		if (sent < 0) {
			fail(load, connection, strerror(errno));
			return;
		}
		connection->sent += (size_t)sent;
	}
}

static void begin(struct load *load, struct connection *connection)
{
	write_request(load, &connection->out);
	connection->sent = 0;
	connection->got = 0;
	connection->busy = true;
	connection->began = now();
	if (connection->fd < 0)
		dial(load, connection);
	if (connection->fd >= 0)
		push_out(load, connection);
}

/* Of a head's field; NULL. */
static const char *field(const char *head, const char *name)
{
	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, strlen(name)) == 0)
			return line + 2 + strlen(name);
	return NULL;
}

/* Is the whole answer there? */
static bool is_whole(const struct connection *connection, bool ended)
{
	const char *body = strstr(connection->reply, "\r\n\r\n");
	const char *length = body ? field(connection->reply, "Content-Length: ") : NULL;

	if (!body)
		return false;
	if (!length)
		return ended;
	return connection->got - (size_t)(body + 4 - connection->reply)
	       >= strtoul(length, NULL, 10);
}

static void note(struct load *load, struct connection *connection)
{
	unsigned long status = strtoul(connection->reply + strlen("HTTP/1.1 "), NULL, 10);
	const char *fate = field(connection->reply, "Connection: ");

	load->last = now();
	load->statuses[status < 600 ? status : 0]++;
	if (load->answers == load->room) {
		load->room = load->room ? load->room * 2 : 1 << 20;
		load->latencies = xresize(load->latencies, load->room, sizeof *load->latencies);
	}
	load->latencies[load->answers++] = (int32_t)(load->last - connection->began);
	connection->busy = false;
	if (load->close || (fate && strncasecmp(fate, "close", 5) == 0))
		hang_up(connection);
}

static void pull_in(struct load *load, struct connection *connection)
{
	while (connection->fd >= 0) {
		ssize_t got = recv(connection->fd, connection->reply + connection->got,
				   REPLY_MAX - connection->got, 0);

		if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (got < 0) {
			fail(load, connection, strerror(errno));
			return;
		}
		connection->got += (size_t)got;
		connection->reply[connection->got] = '\0';
		if (!connection->busy) {
			hang_up(connection); /* an idle one that the server closed */
			return;
		}
		if (is_whole(connection, got == 0)) {
			note(load, connection);
			return;
		}
		if (got == 0 || connection->got == REPLY_MAX) {
			fail(load, connection, got ? "answer too long" : "closed without answer");
			return;
		}
	}
}

static size_t under_way(const struct load *load)
{
	size_t count = 0;

	for (int64_t i = 0; i < load->connections; i++)
		count += load->all[i].busy;
	return count;
}

static void serve(struct load *load, struct connection *connection)
{
	if (connection->fd >= 0 && connection->sent < connection->out.size)
		push_out(load, connection);
	pull_in(load, connection);
	if (!connection->busy && now() < load->until)
		begin(load, connection);
}

static void run(struct load *load)
{
	struct epoll_event events[64];
	int64_t start = now();

	load->until = start + load->seconds * SECOND;
	load->last = start;
	for (int64_t i = 0; i < load->connections; i++)
		begin(load, &load->all[i]);
	while (now() < load->until || (under_way(load) > 0 && now() < load->until + GRACE)) {
		int count = epoll_wait(load->epoll, events, 64, 100);

		for (int i = 0; i < count; i++)
			serve(load, events[i].data.ptr);
		for (int64_t i = 0; i < load->connections && now() < load->until; i++)
			if (!load->all[i].busy) /* its connect() failed at once */
				begin(load, &load->all[i]);
	}
	for (int64_t i = 0; i < load->connections; i++)
		if (load->all[i].busy)
			fail(load, &load->all[i], "no answer");
	load->last -= start;
}

static int compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static double latency(const struct load *load, size_t percent)
{
	if (load->answers == 0)
		return 0;
	return load->latencies[(load->answers - 1) * percent / 100] / 1e6;
}

static void print(struct load *load)
{
	const char *comma = "";

	if (load->answers)
		qsort(load->latencies, load->answers, sizeof *load->latencies, compare);
	printf("{\"requests\": %zu, \"seconds\": %.3f, \"p50\": %.6f, \"p99\": %.6f, "
	       "\"max\": %.6f, \"statuses\": {",
	       load->answers, (double)load->last / 1e6, latency(load, 50), latency(load, 99),
	       latency(load, 100));
	for (unsigned i = 0; i < 600; i++)
		if (load->statuses[i]) {
			printf("%s\"%u\": %u", comma, i, load->statuses[i]);
			comma = ", ";
		}
	printf("}, \"failed\": %u, \"why\": \"%s\", \"prefix\": \"%s\"}\n", load->failed, load->why,
	       load->prefix);
}

static int64_t number(const char *text, int64_t max)
{
	int64_t value;
	struct err err;

	if (text_number(text, 1, max, &value, &err) == 0)
		return value;
	fprintf(stderr, "load: %s\n", err.text);
	exit(2);
}

static void read_options(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"path", required_argument, NULL, 'P'},
		{"event", required_argument, NULL, 'e'},
		{"secret", required_argument, NULL, 's'},
		{"bodies", required_argument, NULL, 'b'},
		{"seconds", required_argument, NULL, 't'},
		{"connections", required_argument, NULL, 'c'},
		{"close", no_argument, NULL, 'C'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'p':
			load->port = (int)number(optarg, 65535);
			break;
		case 'P':
			load->path = optarg;
			break;
		case 'e':
			load->event = optarg;
			break;
		case 's':
			load->secret = optarg;
			break;
		case 'b':
			load->file = optarg;
			break;
		case 't':
			load->seconds = number(optarg, 3600);
			break;
		case 'c':
			load->connections = number(optarg, 1000);
			break;
		case 'C':
			load->close = true;
			break;
		default:
			exit(2);
		}
	if (load->port && load->secret && load->file && optind == argc)
		return;
	fputs("usage: load --port N --secret S --bodies F [--path P] [--event E] [--seconds N]\n"
	      "            [--connections N] [--close]\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct load load = {.path = "/hooks/github", .event = "push", .seconds = 5};

	load.connections = 64;
	read_options(&load, argc, argv);
	read_bodies(&load);
	crypto_random_hex(load.prefix, 8);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	load.all = xalloc((size_t)load.connections * sizeof *load.all);
	for (int64_t i = 0; i < load.connections; i++) {
		load.all[i].fd = -1;
		load.all[i].out = (struct buf)BUF_INIT(REQUEST_MAX);
	}
	run(&load);
	print(&load);
	return load.answers ? 0 : 1;
}

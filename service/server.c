#include "service/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "service/bind.h"
#include "service/connections.h"
#include "service/head.h"

#define CONNECTIONS            256
#define CONNECTIONS_OF_ADDRESS 64
#define HEAD_SECONDS           10
#define BODY_SECONDS           60
/* Above the limit, so many more are accepted to be told so. */
#define REFUSED_AT_ONCE 64
/* The memory of one connection, which holds its head. More than 32 KiB would be mapped anew each
 * time. */
#define CONNECTION_MEMORY ((size_t)32 * 1024)
#define STACK_SIZE        ((size_t)1024 * 1024)
#define STREAM_BLOCK      ((size_t)16 * 1024)
#define REPLY_MAX         ((size_t)16 * 1024 * 1024)
#define STREAM_PENDING    ((size_t)256 * 1024)
/* A refused request's body up to this size is read and thrown away, so that the client surely gets
 * the answer and may go on; closing with unread bytes would reset the connection. */
#define DISCARD_MAX ((size_t)64 * 1024)
#define LINGER_MS   1000

struct server {
	struct MHD_Daemon *daemon;
	const struct route *routes;
	size_t count;
	void *self;
	struct server_options options;
	struct connections *connections;
	int fd;
	bool contiguous; /* see head.h */
	atomic_bool draining;
};

struct server_request {
	struct server *server;
	struct MHD_Connection *connection;
	struct connection *link;
	const struct route *route;
	struct call call;
	struct reply reply;
	struct buf body;
	size_t received;
	bool begun, target_is_fine;
	bool linger; /* answered before all of the body was read */
};

struct streaming {
	struct server *server;
	struct connection *link;
	struct reply reply; /* only its stream members */
	struct buf pending;
	size_t sent; /* of pending */
	bool ended;
};

const char *call_header(const struct server_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct counting {
	const char *name;
	unsigned count;
};

static enum MHD_Result count_header(void *self, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct counting *counting = self;

	(void)kind;
	(void)value;
	counting->count += strcasecmp(name, counting->name) == 0;
	return MHD_YES;
}

unsigned call_header_count(const struct server_request *request, const char *name)
{
	struct counting counting = {.name = name};

	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_header, &counting);
	return counting.count;
}

const char *call_query(const struct server_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

unsigned call_connections(const struct server_request *request)
{
	return connections_count(request->server->connections);
}

bool call_is_over(const struct server_request *request)
{
	int fd = connection_fd(request->link);
	char byte;
	ssize_t got;

	if (atomic_load(&request->server->draining))
		return true;
	got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void streaming_free(void *self)
{
	struct streaming *streaming = self;

	buf_free(&streaming->pending);
	reply_free(&streaming->reply);
	free(streaming);
}

static ssize_t streaming_read(void *self, uint64_t position, char *out, size_t room)
{
	struct streaming *streaming = self;
	struct buf *pending = &streaming->pending;
	size_t size;

	(void)position;
	if (streaming->sent == pending->size && !streaming->ended) {
		buf_clear(pending);
		streaming->sent = 0;
		streaming->ended =
			atomic_load(&streaming->server->draining)
			|| streaming->reply.stream(streaming->reply.stream_state, pending) != 0;
		connection_deadline(streaming->link, CONNECTION_BUSY,
				    streaming->server->options.body_seconds * 1000);
	}
	size = pending->size - streaming->sent;
	if (size == 0)
		return streaming->ended ? MHD_CONTENT_READER_END_OF_STREAM : 0;
	if (size > room)
		size = room;
	memcpy(out, pending->data + streaming->sent, size);
	streaming->sent += size;
	return (ssize_t)size;
}

static struct MHD_Response *response_of(struct server_request *request)
{
	struct reply *reply = &request->reply;
	size_t size = reply->body.size;
	struct streaming *streaming;

	if (!reply->stream)
		return MHD_create_response_from_buffer(size, buf_take(&reply->body),
						       MHD_RESPMEM_MUST_FREE);
	streaming = xalloc(sizeof *streaming);
	streaming->server = request->server;
	streaming->link = request->link;
	streaming->pending = (struct buf)BUF_INIT(STREAM_PENDING);
	streaming->reply.stream = reply->stream;
	streaming->reply.stream_free = take(reply->stream_free);
	streaming->reply.stream_state = reply->stream_state;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, streaming_read,
						 streaming, streaming_free);
}

/* Hand the reply to the library. */
static enum MHD_Result answer(struct server_request *request)
{
	struct reply *reply = &request->reply;
	unsigned status = (unsigned)reply->status;
	struct MHD_Response *response;
	enum MHD_Result queued;

	assert(reply->status >= 200);
	response = response_of(request);
	if (!response)
		return MHD_NO;
	if (reply->type)
		MHD_add_response_header(response, "Content-Type", reply->type);
	for (size_t i = 0; i < 8 && reply->headers[i][0]; i++)
		MHD_add_response_header(response, reply->headers[i][0], reply->headers[i][1]);
	if (reply->retry_after[0])
		MHD_add_response_header(response, "Retry-After", reply->retry_after);
	if (reply->location[0])
		MHD_add_response_header(response, "Location", reply->location);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (atomic_load(&request->server->draining))
		MHD_add_response_header(response, "Connection", "close");
	connection_deadline(request->link, CONNECTION_BUSY,
			    request->server->options.body_seconds * 1000);
	queued = MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
	return queued;
}

/* The library takes an answer before a body or after it, but not amidst it: say it ourselves. */
static void cut_too_long(struct server_request *request)
{
	reply_problem(&request->reply, 413, "Content Too Large",
		      "the body is longer than the %zu bytes that this path takes",
		      request->route->body_limit);
	connection_say(request->link, 413, "Content Too Large", "", buf_text(&request->reply.body));
	connection_linger(request->link, LINGER_MS);
}

static bool path_matches(const struct route *route, const char *path)
{
	size_t size = strlen(route->path);

	if (size > 1 && route->path[size - 1] == '/')
		return strncmp(route->path, path, size) == 0 && path[size];
	return strcmp(route->path, path) == 0;
}

static void find_route(struct server_request *request)
{
	const struct server *server = request->server;
	const char *method = request->call.method;
	const char *allowed = NULL;

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; i < server->count; i++) {
		if (!path_matches(&server->routes[i], request->call.path))
			continue;
		allowed = server->routes[i].method;
		if (strcmp(allowed, method) != 0)
			continue;
		request->route = &server->routes[i];
		return;
	}
	if (!allowed) {
		reply_problem(&request->reply, 404, "Not Found", "there is nothing at this path");
		return;
	}
	reply_problem(&request->reply, 405, "Method Not Allowed", "this path takes %s", allowed);
	request->reply.headers[0][0] = "Allow";
	request->reply.headers[0][1] = allowed;
}

static void *self_of(const struct server_request *request)
{
	return request->route->self ? request->route->self : request->server->self;
}

struct head_reading {
	struct head head;
	bool contiguous;
};

static enum MHD_Result read_header(void *self, enum MHD_ValueKind kind, const char *name,
				   size_t name_size, const char *value, size_t value_size)
{
	struct head_reading *reading = self;

	(void)kind;
	head_add(&reading->head, name, name_size, value ? value : "", value_size,
		 reading->contiguous && value);
	return MHD_YES;
}

/* Everything about a request that its head decides. A reply that is filled in refuses it. */
static struct head judge_head(struct server_request *request, const char *version)
{
	struct head_reading reading = {.contiguous = request->server->contiguous};
	struct reply *reply = &request->reply;
	const struct server_options *options = &request->server->options;

	MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, read_header, &reading);
	head_end(&reading.head, version, reading.contiguous);
	if (!request->target_is_fine)
		reading.head.reason = "the request's target is not a plain path";
	if (reading.head.reason) {
		reply_problem(reply, 400, "Bad Request", "%s", reading.head.reason);
		reply->headers[0][0] = "Connection";
		reply->headers[0][1] = "close";
		return reading.head;
	}
	find_route(request);
	if (!request->route)
		return reading.head;
	if (reading.head.length > request->route->body_limit) {
		reply_problem(reply, 413, "Content Too Large",
			      "the body has %llu bytes; this path takes %zu",
			      (unsigned long long)reading.head.length, request->route->body_limit);
		return reading.head;
	}
	if (request->route->right > RIGHT_SIGNED
	    && !options->may(options->self, request, request->route->right, reply))
		assert(reply->status);
	return reading.head;
}

/* Refused by its head: answer now, or when a short body has been thrown away. */
static enum MHD_Result refuse(struct server_request *request, const struct head *head)
{
	bool empty = !head->chunked && head->length == 0;

	if (!empty && !head->reason && !head->chunked && head->length <= DISCARD_MAX
	    && !call_header(request, "Expect"))
		return MHD_YES;
	request->linger = !empty;
	return answer(request);
}

static enum MHD_Result begin(struct server_request *request, const char *method, const char *path,
			     const char *version)
{
	struct head head;

	request->begun = true;
	request->call = (struct call){.method = method,
				      .path = path,
				      .request = request,
				      .peer = connection_peer(request->link)};
	connection_deadline(request->link, CONNECTION_BUSY,
			    request->server->options.body_seconds * 1000);
	head = judge_head(request, version);
	if (!request->reply.status && request->route->begin) {
		request->call.state =
			request->route->begin(self_of(request), &request->call, &request->reply);
		assert(request->call.state || request->reply.status);
	}
	if (request->reply.status)
		return refuse(request, &head);
	if (!request->route->begin)
		request->body = (struct buf)BUF_INIT(request->route->body_limit);
	return MHD_YES;
}

static enum MHD_Result receive(struct server_request *request, const char *bytes, size_t size)
{
	request->received += size;
	if (request->reply.status)
		return request->received > DISCARD_MAX ? MHD_NO : MHD_YES;
	if (request->received > request->route->body_limit) {
		cut_too_long(request);
		return MHD_NO;
	}
	if (request->route->begin)
		request->route->receive(request->call.state, bytes, size);
	else
		buf_add(&request->body, bytes, size);
	return MHD_YES;
}

static enum MHD_Result finish(struct server_request *request)
{
	if (request->reply.status)
		return answer(request);
	connection_deadline(request->link, CONNECTION_BUSY, 0);
	if (!request->route->begin) {
		request->call.body = buf_text(&request->body);
		request->call.size = request->body.size;
	}
	request->route->handle(self_of(request), &request->call, &request->reply);
	return answer(request);
}

static struct connection *link_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

/* When the request line is there: what follows is made in the connection's own memory. */
static void *on_target(void *self, const char *target, struct MHD_Connection *connection)
{
	struct server_request *request = xalloc(sizeof *request);

	request->server = self;
	request->connection = connection;
	request->link = link_of(connection);
	request->target_is_fine = head_target_is_fine(target);
	request->reply.body = (struct buf)BUF_INIT(REPLY_MAX);
	return request;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *bytes,
				  size_t *size, void **state)
{
	struct server_request *request = *state;
	size_t given = *size;

	(void)self;
	(void)connection;
	if (connection_is_refused(request->link))
		return MHD_NO;
	if (!request->begun)
		return begin(request, method, path, version);
	*size = 0;
	return given ? receive(request, bytes, given) : finish(request);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode how)
{
	struct server_request *request = *state;
	struct server *server = self;

	(void)connection;
	if (!request)
		return;
	if (request->linger && how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		connection_linger(request->link, LINGER_MS);
	if (request->call.state)
		request->route->end(request->call.state);
	connection_deadline(request->link, CONNECTION_IDLE, server->options.head_seconds * 1000);
	reply_free(&request->reply);
	buf_free(&request->body);
	free(request);
	*state = NULL;
}

static void on_connection(void *self, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *server = self;
	enum connection_verdict verdict;
	struct connection *link;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		connections_remove(server->connections, *context);
		return;
	}
	link = connections_add(
		server->connections,
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
			->client_addr,
		&verdict);
	*context = link;
	if (verdict == CONNECTION_FINE) {
		connection_deadline(link, CONNECTION_FRESH, server->options.head_seconds * 1000);
		return;
	}
	connection_deadline(link, CONNECTION_IDLE, LINGER_MS);
	connection_turn_away(link, verdict);
}

static int check_routes(const struct route *routes, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (routes[i].right <= RIGHT_MISSING || routes[i].right >= RIGHT_COUNT)
			return err_set(err, ERR_USAGE, 0, "route %s %s declares no right",
				       routes[i].method, routes[i].path);
		if (routes[i].path[0] != '/')
			return err_set(err, ERR_USAGE, 0, "route '%s' does not begin with '/'",
				       routes[i].path);
	}
	return 0;
}

static void set_defaults(struct server_options *options)
{
	if (!options->connections)
		options->connections = CONNECTIONS;
	if (!options->connections_per_address)
		options->connections_per_address = CONNECTIONS_OF_ADDRESS;
	if (!options->head_seconds)
		options->head_seconds = HEAD_SECONDS;
	if (!options->body_seconds)
		options->body_seconds = BODY_SECONDS;
}

/* The threads start with every signal blocked: they are for the thread that waits for them. */
static struct MHD_Daemon *start_daemon(struct server *server)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD
			 | MHD_USE_POLL | MHD_USE_ITC;

	return MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, server->fd,
		MHD_OPTION_CONNECTION_LIMIT, server->options.connections + REFUSED_AT_ONCE,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
}

/* Up to 0.9.75 a value ends at its first NUL; later ones refuse it themselves. */
static bool library_cuts_at_nul(void)
{
	const char *version = MHD_get_version();

	return text_starts(version, "0.9.") && strtoul(version + 4, NULL, 10) <= 75;
}

int server_start(struct server **out, const struct server_options *options,
		 const struct route *routes, size_t count, void *self, struct err *err)
{
	struct server *server;
	sigset_t all, before;
	int fd = options->listen_fd;

	if (check_routes(routes, count, err) < 0)
		return -1;
	if (fd <= 0)
		fd = bind_listen(options->address, err);
	/* Another process may be quicker to accept; waiting there would hold up everything. */
	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	server = xalloc(sizeof *server);
	*server = (struct server){.routes = routes, .count = count, .self = self, .fd = fd};
	server->options = *options;
	server->contiguous = library_cuts_at_nul();
	set_defaults(&server->options);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	server->connections = connections_new(server->options.connections,
					      server->options.connections_per_address);
	server->daemon = start_daemon(server);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (server->daemon) {
		*out = server;
		return 0;
	}
	connections_free(server->connections);
	close(fd);
	free(server);
	return err_set(err, ERR_SYSTEM, 0, "start the HTTP server on %s: libmicrohttpd refused",
		       options->address);
}

int server_port(const struct server *server)
{
	return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

unsigned server_connections(const struct server *server)
{
	return connections_count(server->connections);
}

/* Quiescing leaves the socket itself alone: another process may listen on it too. */
static void stop_accepting(struct server *server)
{
	if (atomic_exchange(&server->draining, true))
		return;
	(void)MHD_quiesce_daemon(server->daemon);
}

void server_drain(struct server *server, int64_t seconds)
{
	int64_t until = clock_ticks(&clock_system) + seconds * 1000;

	stop_accepting(server);
	/* First a moment: one that was just accepted may not have been counted. */
	do {
		clock_sleep(&clock_system, 20);
		connections_cut(server->connections, false);
	} while (connections_count(server->connections) > 0 && clock_ticks(&clock_system) < until);
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	stop_accepting(server);
	connections_cut(server->connections, true);
	MHD_stop_daemon(server->daemon);
	connections_free(server->connections);
	close(server->fd);
	free(server);
}

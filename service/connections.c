#include "service/connections.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define REAP_EVERY_MS 200

struct connection {
	struct connection *next, *previous;
	int fd;
	bool refused, counted;    /* counted: against its address */
	_Atomic int64_t deadline; /* in ticks; 0: none */
	atomic_int phase;
	struct in6_addr address;
	char peer[INET6_ADDRSTRLEN];
};

struct connections {
	pthread_mutex_t mutex; /* guards the list */
	struct connection *first;
	atomic_uint count;
	unsigned total, per_address;
	pthread_t reaper;
	int wake; /* eventfd: the reaper ends */
};

static void cut(const struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
}

static void reap(struct connections *connections)
{
	int64_t now = clock_ticks(&clock_system);

	pthread_mutex_lock(&connections->mutex);
	for (struct connection *c = connections->first; c; c = c->next) {
		int64_t deadline = atomic_load(&c->deadline);

		if (deadline && deadline <= now)
			cut(c);
	}
	pthread_mutex_unlock(&connections->mutex);
}

static void *reaper(void *self)
{
	struct connections *connections = self;
	struct pollfd wake = {.fd = connections->wake, .events = POLLIN};

	while (poll(&wake, 1, REAP_EVERY_MS) <= 0)
		reap(connections);
	return NULL;
}

struct connections *connections_new(unsigned total, unsigned per_address)
{
	struct connections *connections = xalloc(sizeof *connections);
	int rc;

	pthread_mutex_init(&connections->mutex, NULL);
	connections->total = total;
	connections->per_address = per_address;
	connections->wake = eventfd(0, EFD_CLOEXEC);
	rc = pthread_create(&connections->reaper, NULL, reaper, connections);
	assert(connections->wake >= 0 && rc == 0);
	return connections;
}

void connections_free(struct connections *connections)
{
	const uint64_t one = 1;
	ssize_t written;

	if (!connections)
		return;
	assert(!connections->first);
	written = write(connections->wake, &one, sizeof one);
	assert(written == sizeof one);
	pthread_join(connections->reaper, NULL);
	close(connections->wake);
	pthread_mutex_destroy(&connections->mutex);
	free(connections);
}

/* IPv4 as its mapped IPv6 address, so that there is one form to compare. */
static struct in6_addr address_of(const struct sockaddr *address)
{
	struct in6_addr out = IN6ADDR_ANY_INIT;

	if (address->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	out.s6_addr[10] = out.s6_addr[11] = 0xff;
	memcpy(&out.s6_addr[12], &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	return out;
}

static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address)
	       || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

static unsigned count_of_address(const struct connections *connections,
				 const struct in6_addr *address)
{
	unsigned count = 0;

	for (const struct connection *c = connections->first; c; c = c->next)
		count += c->counted && memcmp(&c->address, address, sizeof *address) == 0;
	return count;
}

static enum connection_verdict judge(const struct connections *connections,
				     const struct connection *connection)
{
	if (atomic_load(&connections->count) >= connections->total)
		return CONNECTION_TOO_MANY;
	if (connection->counted
	    && count_of_address(connections, &connection->address) >= connections->per_address)
		return CONNECTION_TOO_MANY_OF_ADDRESS;
	return CONNECTION_FINE;
}

struct connection *connections_add(struct connections *connections, int fd,
				   const struct sockaddr *address, enum connection_verdict *verdict)
{
	struct connection *connection = xalloc(sizeof *connection);
	const struct in6_addr *in6 = &connection->address;

	connection->fd = fd;
	connection->address = address_of(address);
	if (IN6_IS_ADDR_V4MAPPED(in6))
		inet_ntop(AF_INET, &in6->s6_addr[12], connection->peer, sizeof connection->peer);
	else
		inet_ntop(AF_INET6, in6, connection->peer, sizeof connection->peer);
	connection->counted = !is_loopback(in6);

	pthread_mutex_lock(&connections->mutex);
	*verdict = judge(connections, connection);
	connection->refused = *verdict != CONNECTION_FINE;
	connection->counted = connection->counted && !connection->refused;
	connection->next = connections->first;
	if (connection->next)
		connection->next->previous = connection;
	connections->first = connection;
	if (!connection->refused)
		atomic_fetch_add(&connections->count, 1);
	pthread_mutex_unlock(&connections->mutex);
	return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
	pthread_mutex_lock(&connections->mutex);
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connections->first = connection->next;
	if (!connection->refused)
		atomic_fetch_sub(&connections->count, 1);
	pthread_mutex_unlock(&connections->mutex);
	free(connection);
}

void connection_deadline(struct connection *connection, enum connection_phase phase,
			 int64_t milliseconds)
{
	atomic_store(&connection->phase, (int)phase);
	atomic_store(&connection->deadline,
		     milliseconds ? clock_ticks(&clock_system) + milliseconds : 0);
}

int connection_fd(const struct connection *connection)
{
	return connection->fd;
}

const char *connection_peer(const struct connection *connection)
{
	return connection->peer;
}

bool connection_is_refused(const struct connection *connection)
{
	return connection->refused;
}

void connection_say(const struct connection *connection, int status, const char *title,
		    const char *more, const char *body)
{
	char text[1024];
	int size = snprintf(text, sizeof text,
			    "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n%s"
			    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			    status, title, more, strlen(body), body);

	assert(size > 0 && (size_t)size < sizeof text);
	(void)!send(connection->fd, text, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void connection_turn_away(const struct connection *connection, enum connection_verdict verdict)
{
	if (verdict == CONNECTION_TOO_MANY)
		connection_say(connection, 503, "Service Unavailable", "Retry-After: 5\r\n",
			       "{\"type\":\"about:blank\",\"title\":\"Service "
			       "Unavailable\",\"status\":503,"
			       "\"detail\":\"too many connections are open\"}\n");
	else
		connection_say(
			connection, 429, "Too Many Requests", "Retry-After: 5\r\n",
			"{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,"
			"\"detail\":\"too many connections are open from your address\"}\n");
	(void)shutdown(connection->fd, SHUT_WR);
}

void connection_linger(const struct connection *connection, int64_t milliseconds)
{
	int64_t until = clock_ticks(&clock_system) + milliseconds, left;
	struct pollfd wait = {.fd = connection->fd, .events = POLLIN};
	char bin[4096];

	(void)shutdown(connection->fd, SHUT_WR);
	while ((left = until - clock_ticks(&clock_system)) > 0)
		if (poll(&wait, 1, (int)left) > 0
		    && recv(connection->fd, bin, sizeof bin, MSG_DONTWAIT) <= 0)
			return;
}

unsigned connections_count(const struct connections *connections)
{
	return atomic_load(&connections->count);
}

void connections_cut(struct connections *connections, bool all)
{
	pthread_mutex_lock(&connections->mutex);
	for (struct connection *c = connections->first; c; c = c->next)
		if (all || atomic_load(&c->phase) == CONNECTION_IDLE)
			cut(c);
	pthread_mutex_unlock(&connections->mutex);
}

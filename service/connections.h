#ifndef SERVICE_CONNECTIONS_H
#define SERVICE_CONNECTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The open connections: how many there may be, and by when each must have got on. A thread shuts
 * down the sockets of those that didn't, however busily they drip bytes.
 */
struct connections;
struct connection;

enum connection_verdict { CONNECTION_FINE, CONNECTION_TOO_MANY, CONNECTION_TOO_MANY_OF_ADDRESS };

/** What it is at: decides who is cut when the server drains. */
enum connection_phase { CONNECTION_FRESH, CONNECTION_BUSY, CONNECTION_IDLE };

/** Loopback addresses aren't counted per address: a proxy's connections all come from there. */
struct connections *connections_new(unsigned total, unsigned per_address);

/** After all were removed. */
void connections_free(struct connections *connections);

/** Also when the verdict is bad: the caller removes it like any other. */
struct connection *connections_add(struct connections *connections, int fd,
				   const struct sockaddr *address,
				   enum connection_verdict *verdict);
void connections_remove(struct connections *connections, struct connection *connection);

/** Cut it in so many milliseconds; 0: never. Any thread. */
void connection_deadline(struct connection *connection, enum connection_phase phase,
			 int64_t milliseconds);

/** What it is, as it was added. */
int connection_fd(const struct connection *connection);
const char *connection_peer(const struct connection *connection); /* numeric address */
bool connection_is_refused(const struct connection *connection);

/** Send a whole answer with a problem document as its body. `more`: further header lines. What
 * doesn't fit at once is lost. */
void connection_say(const struct connection *connection, int status, const char *title,
		    const char *more, const char *body);

/** Say why it may not stay, and send no more. */
void connection_turn_away(const struct connection *connection, enum connection_verdict verdict);

/** Send no more, and wait until the client has read what was sent and closes, or until the time is
 * over: closing earlier, with bytes of it unread, could take the answer away from it. */
void connection_linger(const struct connection *connection, int64_t milliseconds);

/** How many there are, without those that were turned away. */
unsigned connections_count(const struct connections *connections);

/** Cut those that wait for another request; with `all`, the others too. */
void connections_cut(struct connections *connections, bool all);

#endif

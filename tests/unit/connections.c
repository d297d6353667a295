/* How many connections there may be, in all and from one address, and by when they must get on. */
#include "service/connections.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"
#include "wire.h"

struct link {
	struct connection *connection;
	enum connection_verdict verdict;
	int ours, theirs;
};

static struct link add(struct connections *connections, int family, const char *text)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct link link = {0};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		bail_out("socketpair");
	inet_pton(family, text,
		  family == AF_INET6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr);
	link.ours = pair[0];
	link.theirs = pair[1];
	link.connection = connections_add(connections, pair[0],
					  family == AF_INET6 ? (struct sockaddr *)&six
							     : (struct sockaddr *)&four,
					  &link.verdict);
	return link;
}

static void drop(struct connections *connections, struct link *link)
{
	connections_remove(connections, link->connection);
	close(link->ours);
	close(link->theirs);
}

static void test_caps(void)
{
	struct connections *connections = connections_new(5, 2);
	struct link links[] = {
		add(connections, AF_INET, "192.0.2.1"),
		add(connections, AF_INET, "192.0.2.1"),
		add(connections, AF_INET, "192.0.2.1"),
		add(connections, AF_INET6, "::ffff:192.0.2.1"),
		add(connections, AF_INET6, "2001:db8::1"),
		add(connections, AF_INET, "127.0.0.1"),
		add(connections, AF_INET6, "::1"),
		add(connections, AF_INET, "127.0.0.1"),
	};
	char out[1000];

	same_int(links[1].verdict, CONNECTION_FINE, "two from an address");
	same_int(links[2].verdict, CONNECTION_TOO_MANY_OF_ADDRESS, "the third is one too many");
	same_int(links[3].verdict, CONNECTION_TOO_MANY_OF_ADDRESS, "also by its other name");
	same_int(links[4].verdict, CONNECTION_FINE, "another address may");
	same_int(links[6].verdict, CONNECTION_FINE, "so may this machine");
	same_int(links[7].verdict, CONNECTION_TOO_MANY, "until there are too many in all");
	same_int(connections_count(connections), 5, "those that were turned away don't count");
	same_str(connection_peer(links[3].connection), "192.0.2.1", "an address is told plainly");
	ok(connection_is_refused(links[2].connection), "who is turned away");
	connection_turn_away(links[2].connection, links[2].verdict);
	wire_read_to_end(links[2].theirs, out, sizeof out);
	same_int(wire_status(out), 429, "is told 429");
	connection_turn_away(links[7].connection, links[7].verdict);
	wire_read_to_end(links[7].theirs, out, sizeof out);
	same_int(wire_status(out), 503, "or 503");
	ok(strstr(out, "\r\nRetry-After: 5\r\n") != NULL, "and when to come again");
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		drop(connections, &links[i]);
	same_int(connections_count(connections), 0, "all are gone");
	links[0] = add(connections, AF_INET, "192.0.2.1");
	same_int(links[0].verdict, CONNECTION_FINE, "and the address may come again");
	drop(connections, &links[0]);
	connections_free(connections);
}

static void test_deadlines(void)
{
	struct connections *connections = connections_new(5, 5);
	struct link soon = add(connections, AF_INET, "192.0.2.1");
	struct link never = add(connections, AF_INET, "192.0.2.1");
	int64_t began = clock_ticks(&clock_system);
	char byte;

	connection_deadline(soon.connection, CONNECTION_BUSY, 300);
	connection_deadline(never.connection, CONNECTION_BUSY, 0);
	same_int(recv(soon.theirs, &byte, 1, 0), 0, "one that doesn't get on is cut");
	ok(clock_ticks(&clock_system) - began >= 300, "at its deadline");
	ok(recv(never.theirs, &byte, 1, MSG_DONTWAIT) < 0, "one without a deadline isn't");
	connections_cut(connections, false);
	ok(recv(never.theirs, &byte, 1, MSG_DONTWAIT) < 0, "nor a busy one when the idle are");
	connection_deadline(never.connection, CONNECTION_IDLE, 0);
	connections_cut(connections, false);
	same_int(recv(never.theirs, &byte, 1, 0), 0, "but an idle one");
	drop(connections, &soon);
	drop(connections, &never);
	connections_free(connections);
}

int main(void)
{
	test_caps();
	test_deadlines();
	return tap_done();
}

#ifndef TARGET_SERVER_PORTCHECK_H
#define TARGET_SERVER_PORTCHECK_H

#include <stdbool.h>
#include <sys/types.h>

/* Who has a TCP port of this machine, as /proc tells it. */

enum portcheck {
	PORTCHECK_FREE,    /* nobody listens there */
	PORTCHECK_OURS,    /* the process `root` or one that descends from it */
	PORTCHECK_STRANGER /* somebody else, or one that we may not look at */
};

struct portcheck_who {
	pid_t pid; /* 0: not known */
	char name[32];
	int elsewhere; /* nobody listens there, but `root` does on this port; 0: on none */
};

/**
 * Who answers a connection to 127.0.0.1:port? The listener on 127.0.0.1 goes before one on 0.0.0.0,
 * and that before one on ::, as in the kernel. `root` 0: none of the processes is ours. `who` may
 * be NULL.
 */
enum portcheck portcheck_listener(int port, pid_t root, struct portcheck_who *who);

/** How many connections to the port (of any local address) are established. */
unsigned portcheck_connections(int port);

/** Could a process listen at "address:port" now (IPv4, IPv6 in [], or * for all of IPv4)? 0, or
 * errno. */
int portcheck_listen(const char *listen);

/** Could a process listen on all addresses at this port now? */
bool portcheck_can_bind(int port);

/**
 * A port that portcheck_can_bind() now and that `taken` (may be NULL) doesn't say yes to; below the
 * kernel's range for outgoing connections, so that none of these is in the way later. `seed` says
 * where the search begins. 0 when there is none.
 */
int portcheck_pick(unsigned seed, bool (*taken)(const void *self, int port), const void *self);

#endif

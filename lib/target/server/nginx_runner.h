#ifndef TARGET_SERVER_NGINX_RUNNER_H
#define TARGET_SERVER_NGINX_RUNNER_H

#include "target/server/nginx.h"

/* How nginx is run: as a process of this machine, or as a container. Private to nginx*.c. */

struct nginx_runner {
	/** Does its master live? */
	bool (*running)(const struct nginx *nginx);

	/** Send it a signal. 0 also when it isn't there. */
	int (*signal)(const struct nginx *nginx, int signal, struct err *err);

	/** Start it with DIR/nginx.conf, the way clear of what one before left. */
	int (*start)(const struct nginx *nginx, struct err *err);

	/** nginx -t of another configuration: what it says goes to `said`, and *status. */
	int (*test)(const struct nginx *nginx, const char *conf, struct buf *said, int *status,
		    struct err *err);

	/** It has ended: end what it left. */
	int (*clear)(const struct nginx *nginx, struct err *err);
};

extern const struct nginx_runner nginx_process, nginx_container;

/** The program; NULL when it isn't installed. */
const char *nginx_program(void);

#endif

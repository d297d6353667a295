#include "service/roles.h"

#include <stddef.h>

volatile sig_atomic_t role_stopping;

static void stop(int number)
{
	(void)number;
	role_stopping = 1;
}

void role_catch_signals(void)
{
	/* No SA_RESTART: a wait should end. */
	const struct sigaction stopping = {.sa_handler = stop};
	const struct sigaction ignored = {.sa_handler = SIG_IGN};

	sigaction(SIGTERM, &stopping, NULL);
	sigaction(SIGINT, &stopping, NULL);
	sigaction(SIGPIPE, &ignored, NULL);
	/* SIGHUP is the supervisor's: a terminal that closes doesn't end a role by itself. */
	sigaction(SIGHUP, &ignored, NULL);
}

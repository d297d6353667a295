#include "action/stop.h"

#include <stddef.h>

volatile sig_atomic_t stop_count;

static void on_signal(int number)
{
	const struct sigaction otherwise = {.sa_handler = SIG_DFL};

	if (++stop_count >= 2)
		sigaction(number, &otherwise, NULL);
}

void stop_install(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

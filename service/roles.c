#include "service/roles.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/text.h"

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

int role_stay_under(const char *pid, struct err *err)
{
	int64_t number;

	if (text_number(pid, 1, INT32_MAX, &number, err) < 0)
		return err_within(err, "--supervisor");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_errno(err, "ask to end with the supervisor");
	if (getppid() != (pid_t)number)
		return err_set(err, ERR_CONFLICT, 0, "the supervisor, process %s, is gone", pid);
	return 0;
}

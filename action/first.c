#include "action/first.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/confine.h"

enum { MOST_WORDS = 16, PATIENCE = 9000 };

static int start(char *const *argv, pid_t *pid, struct err *err)
{
	const char *words[MOST_WORDS + 3];
	const char *internal = "init";
	size_t count = 0;

	/* --internal sibling: what is left of it at the end are our apps. */
	for (size_t i = 0; argv[i] && count < MOST_WORDS; i++)
		if (strcmp(argv[i], "--internal") == 0 && argv[i + 1])
			internal = argv[++i];
		else
			words[count++] = argv[i];
	words[0] = "/proc/self/exe";
	words[count++] = "--internal";
	words[count++] = internal;
	words[count] = NULL;
	return child_start(words, NULL, 0, pid, err);
}

/* Wait for all that ended; *status of ours. False once ours did. */
static bool reap(pid_t ours, int *status)
{
	bool running = true;
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
		if (pid != ours)
			continue;
		running = false;
		*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	}
	return running;
}

int first_run(char *const *argv)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
	const struct timespec second = {.tv_sec = 0, .tv_nsec = 500000000};
	struct err err = ERR_INIT;
	int64_t asked = 0;
	int status = 1;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (start(argv, &pid, &err)) {
		fprintf(stderr, "slipway: %s\n", err.text);
		return 1;
	}
	/* Our environment has the job's tokens. */
	confine_memory();
	while (reap(pid, &status)) {
		int number = sigtimedwait(&set, NULL, &second);

		if (number > 0 && number != SIGCHLD) {
			asked = asked ? asked : clock_ticks(&clock_system);
			kill(pid, number == SIGINT ? SIGINT : SIGTERM);
		}
		if (asked && clock_ticks(&clock_system) - asked > PATIENCE)
			kill(-1, SIGKILL);
	}
	kill(-1, SIGKILL);
	return status;
}

void first_kill_others(const char *internal)
{
	if (internal && strcmp(internal, "init") == 0 && getppid() == 1)
		kill(-1, SIGKILL);
}

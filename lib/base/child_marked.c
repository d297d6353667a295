/* child_kill_marked(): what is left of a child is found by what is in its environment. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"

/* Rounds: while some are killed, others may be started. Milliseconds for a killed one to be gone.
 */
enum { ROUNDS = 100, PATIENCE = 1000, LARGEST_ENVIRONMENT = 8 << 20 };

static void close_dir_at(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_ours(const char *pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%.20s", pid);
	return stat(path, &st) == 0 && st.st_uid == geteuid();
}

static bool has_entry(const char *pid, const char *entry)
{
	cleanup(buf_free) struct buf env = BUF_INIT(LARGEST_ENVIRONMENT);
	struct err ignored = ERR_INIT;
	char path[48];

	snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
	if (file_read(path, &env, &ignored) < 0)
		return false;
	for (size_t at = 0; at < env.size; at += strlen(env.data + at) + 1)
		if (text_same(env.data + at, entry))
			return true;
	return false;
}

static void wait_until_gone(int pidfd)
{
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		clock_sleep(&clock_system, 20);
	else
		poll(&fd, 1, PATIENCE);
}

/* The descriptor is opened before we look, so that the signal can't meet another process that got
 * the same number meanwhile. */
static bool kill_if_marked(const char *name, const char *entry)
{
	struct err ignored = ERR_INIT;
	cleanup(file_close_at) int pidfd = -1;
	int64_t pid;
	int failed;

	if (text_number(name, 1, INT32_MAX, &pid, &ignored) < 0 || pid == getpid())
		return false;
	if (!is_ours(name))
		return false;
	pidfd = pidfd_open((pid_t)pid, 0);
	if (pidfd < 0 && errno != ENOSYS && errno != EPERM)
		return false;
	if (!has_entry(name, entry))
		return false;
	failed = pidfd < 0 ? kill((pid_t)pid, SIGKILL) : pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	if (failed)
		return false;
	wait_until_gone(pidfd);
	return true;
}

unsigned child_kill_marked(const char *entry)
{
	unsigned killed = 0, before;
	int round = 0;

	do {
		cleanup(close_dir_at) DIR *proc = opendir("/proc");
		struct dirent *process;

		before = killed;
		while (proc && (process = readdir(proc)))
			killed += kill_if_marked(process->d_name, entry);
	} while (killed > before && ++round < ROUNDS);
	return killed;
}

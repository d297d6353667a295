#include "service/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "pipeline/work.h"

enum { WAIT_MS = 5000, LOOK_MS = 20 };

static char *path_of(const struct hold *hold)
{
	autofree char *name = xprintf("%lld.lock", (long long)hold->claim->deployment);

	return work_folder(hold->data, name);
}

/* 0 ours, 1 another's: *holder, -1. A POSIX lock, since there the kernel tells whose it is. */
static int try_lock(int fd, pid_t *holder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return -1;
	if (fcntl(fd, F_GETLK, &lock) < 0)
		return -1;
	*holder = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
	return 1;
}

/* It may be we who stood still, since before we could lock: the store knows. */
static int kill_holder(const struct hold *hold, pid_t holder, struct err *err)
{
	int64_t until = clock_ticks(&clock_system) + hold->lease;
	int ours = hold->store->renew(hold->store, hold->claim, until, err);
	char id[24];

	if (ours != 0)
		return ours;
	snprintf(id, sizeof id, "%lld", (long long)hold->claim->deployment);
	log_warn("a worker that lost its deployment is still there: killing it", "id", id);
	kill(holder, SIGKILL);
	return 0;
}

static int wait_for_lock(const struct hold *hold, const char *path, struct err *err)
{
	int64_t until = clock_ticks(&clock_system) + WAIT_MS;
	pid_t holder = 0, killed = 0;
	int got;

	while ((got = try_lock(hold->fd, &holder)) > 0) {
		if (holder > 0 && holder != killed) {
			int ours = kill_holder(hold, holder, err);

			if (ours != 0)
				return ours;
			killed = holder;
		}
		if (clock_ticks(&clock_system) > until)
			return err_set(err, ERR_TRANSIENT, 0,
				       "%s: process %ld has it still, %d s after it was killed",
				       path, (long)killed, WAIT_MS / 1000);
		clock_sleep(&clock_system, LOOK_MS);
	}
	return got == 0 ? 0 : err_errno(err, "lock %s", path);
}

int hold_take(struct hold *hold, struct err *err)
{
	autofree char *path = path_of(hold), *folder = file_join(hold->data, "work");
	int got;

	hold->fd = -1;
	if (file_make_dirs(folder, 0700, err) < 0)
		return -1;
	hold->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (hold->fd < 0)
		return err_errno(err, "open %s", path);
	got = wait_for_lock(hold, path, err);
	if (got != 0)
		hold_drop(hold, false);
	return got;
}

void hold_drop(struct hold *hold, bool ended)
{
	autofree char *path = path_of(hold);

	if (hold->fd < 0)
		return;
	if (ended)
		unlink(path);
	file_close_at(&hold->fd);
}

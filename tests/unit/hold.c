/* Who takes a deployment over kills the one that still holds it; and isn't killed by it. */
#include "service/hold.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "scratch.h"
#include "tap.h"

static int renewed; /* what the store says of our claim */

static int fake_renew(struct store *store, const struct claim *claim, int64_t until,
		      struct err *err)
{
	(void)store;
	(void)claim;
	(void)until;
	return renewed < 0 ? err_set(err, ERR_SYSTEM, 0, "no store") : renewed;
}

static struct store store = {.renew = fake_renew};
static const struct claim claim = {.deployment = 17};

static struct hold hold_of(const char *data)
{
	return (struct hold){data, &store, &claim, 30000, -1};
}

/* A process that has the lock and stands still. */
static pid_t stuck_holder(const char *data)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		bail_out("no pipe");
	pid = fork();
	if (pid == 0) {
		struct hold hold = hold_of(data);
		struct err err;

		if (hold_take(&hold, &err) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		bail_out("no other process");
	close(ready[0]);
	waitpid(pid, NULL, WUNTRACED);
	return pid;
}

static bool lock_is_there(const char *data)
{
	autofree char *path = file_join(data, "work/17.lock");

	return file_exists(path);
}

static void test_alone(const char *data)
{
	struct hold hold = hold_of(data);
	struct err err;

	hold_drop(&hold, true);
	ok(hold_take(&hold, &err) == 0 && hold.fd >= 0, "nobody has it: it is ours");
	hold_drop(&hold, false);
	ok(hold.fd < 0 && lock_is_there(data), "let go for another try, the file stays");
	ok(hold_take(&hold, &err) == 0, "and it can be had again");
	hold_drop(&hold, true);
	ok(!lock_is_there(data), "after the end nothing is left");
}

static void test_killed(const char *data)
{
	struct hold hold = hold_of(data);
	pid_t pid = stuck_holder(data);
	struct err err;
	int status = 0;

	renewed = 0;
	same_int(hold_take(&hold, &err), 0, "one that stands still: it is ours all the same");
	same_int(waitpid(pid, &status, 0), pid, "since that one has ended");
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "by SIGKILL");
	hold_drop(&hold, true);
}

static void test_late(const char *data)
{
	struct hold hold = hold_of(data);
	pid_t pid = stuck_holder(data);
	struct err err;

	renewed = STORE_LOST;
	same_int(hold_take(&hold, &err), STORE_LOST, "the claim is another's by now: it says so");
	ok(hold.fd < 0, "holds nothing");
	same_int(kill(pid, 0), 0, "and kills nobody");
	renewed = -1;
	same_int(hold_take(&hold, &err), -1, "nor does it without an answer of the store");
	same_int(kill(pid, 0), 0, "which isn't a reason to kill");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	scratch_begin();
	test_alone(scratch_folder);
	test_killed(scratch_folder);
	test_late(scratch_folder);
	return tap_done();
}

#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tap.h"

/* Each case runs in a process of its own: what it gives up is given up for good. The exit status
 * counts the answers that were wrong; 99: not supported here. */
static int in_child(int (*run)(const char *dir), const char *dir)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run(dir));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int readable(const char *dir, const char *name)
{
	autofree char *path = file_join(dir, name);
	cleanup(file_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

static void *thread(void *at)
{
	*(int *)at = 1;
	return NULL;
}

static int no_children(const char *dir)
{
	struct err err = ERR_INIT;
	char *const argv[] = {(char *)"/bin/true", NULL};
	pthread_t id;
	int ran = 0, wrong = 0;

	(void)dir;
	if (confine_no_children(&err) < 0)
		return 90;
	wrong += fork() != -1 || errno != EPERM;
	wrong += execv("/bin/true", argv) != -1 || errno != EPERM;
	wrong += pthread_create(&id, NULL, thread, &ran) != 0 || pthread_join(id, NULL) != 0;
	wrong += ran != 1;
	return wrong;
}

static int only_there(const char *dir)
{
	autofree char *inside = file_join(dir, "open");
	const char *const folders[] = {inside, NULL};
	struct err err = ERR_INIT;
	int got = confine_to(folders, &err);

	if (got != 0)
		return got > 0 ? 99 : 90;
	return !readable(dir, "open/file") + readable(dir, "closed/file")
	       + readable("/etc", "passwd");
}

static int hidden(const char *dir)
{
	autofree char *closed = file_join(dir, "closed"), *shown = file_join(dir, "closed/shown"),
		      *key = file_join(dir, "key");
	const char *const hide[] = {closed, key, NULL}, *const show[] = {shown, NULL};
	struct err err = ERR_INIT;
	int got = confine_hide(hide, show, &err);

	if (got != 0)
		return got > 0 ? 99 : 90;
	return readable(dir, "closed/file") + readable(dir, "key")
	       + !readable(dir, "closed/shown/file") + !readable(dir, "open/file")
	       + !readable("/etc", "passwd") + (system("/bin/true") != 0); /* programs still run */
}

/* Which programs of root may look into others, mount, or make devices? */
static int less_root(const char *dir)
{
	static const unsigned long gone[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_PERFMON, CAP_MKNOD,
					     CAP_SYS_MODULE};
	int wrong = 0;

	(void)dir;
	confine_root();
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		wrong += prctl(PR_CAPBSET_READ, gone[i], 0, 0, 0) != 0;
	wrong += prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) != 1;
	return geteuid() == 0 ? wrong : 99;
}

static void make(const char *dir, const char *folder, const char *name)
{
	autofree char *where = file_join(dir, folder), *path = file_join(where, name);
	struct err err = ERR_INIT;

	if (file_make_dirs(where, 0700, &err) < 0 || file_write(path, "x", 1, 0600, &err) < 0)
		bail_out("can't make the files");
}

static void check(int (*run)(const char *dir), const char *dir, const char *name)
{
	int wrong = in_child(run, dir);

	if (wrong == 99)
		skip(name, "this kernel has no Landlock, or we aren't root");
	else
		same_int(wrong, 0, name);
}

int main(void)
{
	char made[] = "/tmp/slipway-confine-XXXXXX";
	autofree char *dir = realpath(mkdtemp(made), NULL);
	struct err err = ERR_INIT;

	make(dir, "open", "file");
	make(dir, "closed", "file");
	make(dir, "closed/shown", "file");
	make(dir, ".", "key");
	check(no_children, dir, "no fork, no exec, but threads");
	check(only_there, dir, "only the named folder can be read");
	check(hidden, dir, "what is hidden can't be read, all beside it can");
	check(less_root, dir, "root can't look into others or make devices");
	ok(file_remove_tree(dir, &err) == 0, "nothing is left behind");
	return tap_done();
}

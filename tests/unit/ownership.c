/* Files get their owner back, and nothing else does. */
#include "action/ownership.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"

static const struct ownership to = {.uid = 12345, .gid = 12346};

static void make(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 || fchmod(fd, mode) < 0)
		bail_out("no file");
	close(fd);
}

static bool given(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_uid == to.uid && st.st_gid == to.gid;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_tree(void)
{
	struct stat st;

	mkdir(scratch("ws"), 0755);
	mkdir(scratch("ws/deep"), 0755);
	make(scratch("ws/deep/file"), 0400);
	make(scratch("outside"), 0600);
	make(scratch("ws/suid"), 04755);
	make(scratch("ws/one"), 0600);
	if (symlink(scratch("outside"), scratch("ws/link")) < 0
	    || symlink(scratch(""), scratch("ws/up")) < 0
	    || link(scratch("outside"), scratch("ws/hard")) < 0
	    || link(scratch("ws/one"), scratch("ws/deep/two")) < 0
	    || mkfifo(scratch("ws/fifo"), 0600) < 0)
		bail_out("no links");
	chmod(scratch("ws/deep"), 0500);
	ok(ownership_give(scratch("ws"), &to) > 0, "a folder is given");
	ok(given(scratch("ws")) && given(scratch("ws/deep")) && given(scratch("ws/deep/file")),
	   "with all in it");
	same_int(mode_of(scratch("ws/deep")), 0700, "its owner can enter and empty its folders");
	same_int(mode_of(scratch("ws/deep/file")), 0400, "files keep their mode");
	same_int(mode_of(scratch("ws/suid")) & 06000, 0, "but never root's rights");
	ok(given(scratch("ws/link")) && given(scratch("ws/fifo")), "links and pipes themselves");
	ok(!given(scratch("outside")) && lstat(scratch("outside"), &st) == 0 && st.st_uid == 0,
	   "what a link leads to is left alone");
	ok(!given(scratch("ws/hard")), "and a file that has a name outside");
	ok(given(scratch("ws/one")), "one with all its names inside is given");
	same_int(ownership_give(scratch("ws"), &to), 0, "a second time there is nothing to do");
}

static void test_since(void)
{
	struct ownership later = to;
	struct stat st;

	mkdir(scratch("old"), 0755);
	make(scratch("old/file"), 0600);
	if (stat(scratch("old/file"), &st) < 0)
		bail_out("no file");
	later.since = st.st_ctim.tv_sec + 1;
	same_int(ownership_give(scratch("old"), &later), 0, "what is older isn't ours to give");
	later.since = st.st_ctim.tv_sec;
	same_int(ownership_give(scratch("old"), &later), 2, "what isn't is");
}

static void test_deep(void)
{
	int fd = open(scratch_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 3000; i++) {
		int next;

		if (mkdirat(fd, "d", 0700) < 0)
			bail_out("not deep");
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	ok(ownership_give(scratch("d"), &to) >= 3000, "3,000 folders in one another");
}

int main(void)
{
	if (geteuid() != 0)
		skip_all("only root can give files away");
	scratch_begin();
	test_tree();
	test_since();
	test_deep();
	ok(ownership_give(scratch("nowhere"), &to) == 0, "no folder: nothing happens");
	return tap_done();
}

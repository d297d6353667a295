#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

static void put(const char *path, const char *text, mode_t mode)
{
	struct err err = ERR_INIT;

	if (file_write(path, text, strlen(text), mode, &err) < 0)
		tap_note("%s", err.text);
}

static void folder(const char *name)
{
	struct err err = ERR_INIT;

	if (file_make_dirs(scratch(name), 0700, &err) < 0)
		tap_note("%s", err.text);
}

/* The file's text, or the kind of the error that stopped us. */
static const char *get(const char *path, size_t limit)
{
	static char text[64];
	cleanup(buf_free) struct buf buf = BUF_INIT(limit);
	struct err err = ERR_INIT;

	if (file_read(path, &buf, &err) < 0)
		return err_kind_name(err.kind);
	snprintf(text, sizeof text, "%s", buf_text(&buf));
	return text;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void reads_and_writes(void)
{
	struct err err = ERR_INIT;

	put(scratch("a"), "one", 0640);
	same_str(get(scratch("a"), 100), "one", "what was written is read");
	same_int(mode_of(scratch("a")), 0640, "the mode is the one asked for");
	put(scratch("a"), "two", 0600);
	same_str(get(scratch("a"), 3), "two",
		 "a file is replaced; just as long as the limit is fine");
	same_str(get(scratch("a"), 2), "limit", "longer than the limit is ERR_LIMIT");
	same_str(get(scratch("none"), 9), "absent", "a missing file is ERR_ABSENT");
	same_str(get(scratch("a/b"), 9), "absent", "so is one below a file");
	same_str(get(scratch("."), 9), "system", "a folder is ERR_SYSTEM");
	ok(file_write(scratch("no/where"), "", 0, 0600, &err) < 0 && err.kind == ERR_ABSENT,
	   "writing into a missing folder is ERR_ABSENT");
	same_int(entries(scratch(".")), 1, "no temporary file is left");
	ok(symlink("a", scratch("link")) == 0, "a link is made");
	put(scratch("link"), "three", 0600);
	same_str(get(scratch("a"), 9), "two", "a link is replaced, not written through");
}

static void disk_full(void)
{
	struct rlimit small = {4096, RLIM_INFINITY}, old;
	static char large[20000];
	struct err err = ERR_INIT;
	int before = entries(scratch("."));

	put(scratch("kept"), "old", 0600);
	getrlimit(RLIMIT_FSIZE, &old);
	sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	setrlimit(RLIMIT_FSIZE, &small);
	same_int(file_write(scratch("kept"), large, sizeof large, 0600, &err), -1,
		 "a write that runs out of room fails");
	setrlimit(RLIMIT_FSIZE, &old);
	same_str(get(scratch("kept"), 9), "old", "and leaves the old file");
	same_int(entries(scratch(".")), before + 1, "and no temporary file");
}

static void folders(void)
{
	struct err err = ERR_INIT;

	same_int(file_make_dirs(scratch("x/y//z/"), 0750, &err), 0, "folders are made");
	same_int(mode_of(scratch("x/y")), 0750, "with the mode");
	same_int(file_make_dirs(scratch("x/y"), 0700, &err), 0, "being there is fine");
	same_int(mode_of(scratch("x/y")), 0750, "and keeps its mode");
	put(scratch("x/file"), "", 0600);
	ok(file_make_dirs(scratch("x/file/z"), 0700, &err) < 0, "not below a file");
	ok(file_make_dirs(scratch("x/file"), 0700, &err) < 0 && err.kind == ERR_CONFLICT,
	   "a file of that name is ERR_CONFLICT");
}

static void removes(void)
{
	struct err err = ERR_INIT;
	int at, deep = 0;

	put(scratch("outside"), "stay", 0600);
	folder("t/closed/in");
	put(scratch("t/closed/in/f"), "", 0400);
	ok(symlink(scratch_folder, scratch("t/away")) == 0, "a link out");
	ok(chmod(scratch("t/closed/in"), 0) == 0 && chmod(scratch("t/closed"), 0500) == 0,
	   "closed");

	at = open(scratch("t"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; deep < 3000 && mkdirat(at, "d", 0700) == 0; deep++) {
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		close(at);
		at = next;
	}
	close(at);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){512, 4096});
	same_int(deep, 3000, "a tree deeper than descriptors and path names go");
	if (!ok(file_remove_tree(scratch("t"), &err) == 0, "is removed"))
		tap_note("%s", err.text);
	ok(!file_exists(scratch("t")), "and gone");
	same_str(get(scratch("outside"), 9), "stay", "nothing behind a link was touched");
	same_int(file_remove_tree(scratch("t"), &err), 0, "missing is fine");
	ok(symlink(scratch("x"), scratch("to-x")) == 0, "a link to a folder");
	same_int(file_remove_tree(scratch("to-x/"), &err), 0, "is removed");
	ok(file_exists(scratch("x/y")) && !file_exists(scratch("to-x")), "but not its folder");
}

static void copies(void)
{
	static const char *const skip[] = {".git", NULL};
	struct stat st;
	struct err err = ERR_INIT;
	struct timespec times[2] = {{1000, 0}, {1000, 0}};
	char target[32] = "";

	folder("c/.git");
	folder("c/sub/.git");
	put(scratch("c/run"), "#!", 0755);
	put(scratch("c/sub/f"), "text", 0440);
	utimensat(AT_FDCWD, scratch("c/run"), times, 0);
	ok(symlink("../../etc/passwd", scratch("c/sub/link")) == 0, "a link");
	ok(chmod(scratch("c/sub"), 0555) == 0, "a read-only folder");
	if (!ok(file_copy_tree(scratch("c"), scratch("copy/of"), skip, &err) == 0, "a copy"))
		tap_note("%s", err.text);
	same_str(get(scratch("copy/of/sub/f"), 9), "text", "files");
	same_int(mode_of(scratch("copy/of/run")), 0755, "their modes");
	ok(stat(scratch("copy/of/run"), &st) == 0 && st.st_mtime == 1000, "their times");
	same_int(mode_of(scratch("copy/of/sub")), 0555, "folders' modes");
	ok(readlink(scratch("copy/of/sub/link"), target, sizeof target - 1) > 0
		   && strcmp(target, "../../etc/passwd") == 0,
	   "links stay links");
	ok(!file_exists(scratch("copy/of/.git")), "skipped at the top");
	ok(file_exists(scratch("copy/of/sub/.git")), "and only there");
	put(scratch("victim"), "safe", 0600);
	unlink(scratch("copy/of/run"));
	ok(symlink(scratch("victim"), scratch("copy/of/run")) == 0, "a link in the way");
	same_int(file_copy_tree(scratch("c"), scratch("copy/of"), skip, &err), 0, "a second copy");
	same_str(get(scratch("victim"), 9), "safe", "does not write through it");
	ok(file_copy_tree(scratch("gone"), scratch("d"), NULL, &err) < 0, "nothing to copy: fails");
}

/* The first word of what opening it below "in" says. */
static const char *beneath(const char *path, int flags)
{
	struct err err = ERR_INIT;
	cleanup(file_close_at) int fd = file_open_beneath(scratch("in"), path, flags, 0600, &err);

	return fd < 0 ? err_kind_name(err.kind) : "open";
}

static void stays_beneath(const char *which)
{
	tap_note("%s", which);
	same_str(beneath("sub/f", O_RDONLY), "open", "a file below");
	same_str(beneath("sub//./f", O_RDONLY), "open", "by a crooked way");
	same_str(beneath("new", O_WRONLY | O_CREAT), "open", "a new file");
	same_str(beneath("none", O_RDONLY), "absent", "a missing one");
	same_str(beneath("../outside", O_RDONLY), "usage", "not above");
	same_str(beneath("sub/../../outside", O_RDONLY), "usage", "not above in between");
	same_str(beneath("/etc/passwd", O_RDONLY), "usage", "not absolute");
	same_str(beneath("out", O_RDONLY), "usage", "not through a link");
	ok(strcmp(beneath("up/outside", O_RDONLY), "open") != 0, "not through a folder's link");
	ok(strcmp(beneath("out", O_WRONLY | O_CREAT | O_TRUNC), "open") != 0, "nor to write");
	ok(strcmp(beneath("proc/cwd", O_RDONLY), "open") != 0, "nor through /proc");
	same_str(get(scratch("outside"), 9), "stay", "what is outside is as it was");
}

static void forbid_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		tap_note("no seccomp: the fallback is not tested");
}

static void beneath_both_ways(void)
{
	folder("in/sub");
	put(scratch("in/sub/f"), "", 0600);
	ok(symlink("../outside", scratch("in/out")) == 0 && symlink("..", scratch("in/up")) == 0
		   && symlink("/proc/self", scratch("in/proc")) == 0,
	   "links out");
	stays_beneath("openat2");
	forbid_openat2();
	stays_beneath("without openat2");
}

static void locks(void)
{
	struct err err = ERR_INIT;
	cleanup(file_close_at) int held = file_lock(scratch("lock"), false, &err);
	cleanup(file_close_at) int again = -1;

	ok(held >= 0, "a lock is taken");
	again = file_lock(scratch("lock"), false, &err);
	ok(again < 0 && err.kind == ERR_CONFLICT, "a second time is ERR_CONFLICT");
	file_close_at(&held);
	again = file_lock(scratch("lock"), true, &err);
	ok(again >= 0, "closing lets go");
}

static void joins(void)
{
	static const char *const rows[][3] = {
		{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"},
		{"a", "/b", "/b"}, {"", "b", "b"},     {"a//", "b/c", "a/b/c"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		autofree char *got = file_join(rows[i][0], rows[i][1]);

		same_str(got, rows[i][2], "file_join");
	}
}

static void exposed(void)
{
	put(scratch("secret"), "", 0600);
	ok(!file_is_exposed(scratch("secret")), "0600 is not exposed");
	chmod(scratch("secret"), 0640);
	ok(file_is_exposed(scratch("secret")), "0640 is");
}

int main(void)
{
	int before = scratch_descriptors();

	umask(022);
	scratch_begin();
	reads_and_writes();
	disk_full();
	folders();
	removes();
	copies();
	locks();
	joins();
	exposed();
	beneath_both_ways();
	same_int(scratch_descriptors(), before, "no descriptor is left open");
	return tap_done();
}

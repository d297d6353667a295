#include "base/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

/* All of Landlock's first version (Linux 5.13); REFER (5.19) is added where the kernel has it. */
#define ACCESS_V1    ((uint64_t)(LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define ACCESS_REFER ((uint64_t)1 << 13)
#define ACCESS_FILE                                                            \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE \
		    | LANDLOCK_ACCESS_FS_READ_FILE))

#define ARCH_OFFSET     offsetof(struct seccomp_data, arch)
#define CALL_OFFSET     offsetof(struct seccomp_data, nr)
#define ARGUMENT_OFFSET offsetof(struct seccomp_data, args[0])
#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "name this machine's AUDIT_ARCH"
#endif

#define DENY(error)         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF_CALL(call, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, (skip))

int confine_no_children(struct err *err)
{
	/* clone3 passes its flags in memory, which a filter can't read: ENOSYS makes glibc use
	 * clone. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		DENY(EPERM),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CALL_OFFSET),
		IF_CALL(SYS_execve, 1),
		DENY(EPERM),
		IF_CALL(SYS_execveat, 1),
		DENY(EPERM),
#ifdef SYS_fork
		IF_CALL(SYS_fork, 1),
		DENY(EPERM),
		IF_CALL(SYS_vfork, 1),
		DENY(EPERM),
#endif
		IF_CALL(SYS_clone3, 1),
		DENY(ENOSYS),
		IF_CALL(SYS_clone, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
		DENY(EPERM),
		ALLOW,
	};
	const struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
	    || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)
		       != 0)
		return err_errno(err, "give up starting programs");
	return 0;
}

/* Returns the ruleset's descriptor, or -2 without Landlock, and what it can handle. */
static int ruleset_new(uint64_t *access, struct err *err)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = {0};
	int fd;

	if (version < 1)
		return -2;
	*access = version >= 2 ? ACCESS_V1 | ACCESS_REFER : ACCESS_V1;
	attr.handled_access_fs = *access;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	return fd < 0 ? err_errno(err, "make a Landlock ruleset") : fd;
}

bool confine_can_hide(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

/* What isn't there (any more), or can't be opened by us, needs no permission. */
static int allow(int ruleset, const char *path, uint64_t access, int nofollow, struct err *err)
{
	cleanup(file_close_at) int fd = open(path, O_PATH | O_CLOEXEC | nofollow);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))
		return 0;
	rule.allowed_access = S_ISDIR(st.st_mode) ? access : access & ACCESS_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_errno(err, "allow %s", path);
	return 0;
}

static int enforce(int ruleset, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
	    || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_errno(err, "give up access to files");
	return 0;
}

int confine_to(const char *const *folders, struct err *err)
{
	uint64_t access;
	cleanup(file_close_at) int ruleset = ruleset_new(&access, err);

	if (ruleset < 0)
		return ruleset == -2 ? CONFINE_UNSUPPORTED : -1;
	for (size_t i = 0; folders[i]; i++)
		if (allow(ruleset, folders[i], access, 0, err) < 0)
			return -1;
	return enforce(ruleset, err);
}

/* Is `path` one of them, or above one of them? */
static bool named(const char *const *paths, const char *path)
{
	for (size_t i = 0; paths[i]; i++)
		if (strcmp(paths[i], path) == 0)
			return true;
	return false;
}

static bool above(const char *const *paths, const char *path)
{
	size_t size = strcmp(path, "/") == 0 ? 0 : strlen(path);

	for (size_t i = 0; paths[i]; i++)
		if (strncmp(paths[i], path, size) == 0 && paths[i][size] == '/')
			return true;
	return false;
}

struct hiding {
	int ruleset;
	uint64_t access;
	const char *const *hidden;
};

/* A link among the neighbours isn't followed: it may lead to what is hidden.
 * Landlock only allows: so allow every neighbour on the way down to what is hidden. A folder on
 * that way stays listable and its own entries can't be changed. */
static int allow_around(const struct hiding *hiding, const char *folder, struct err *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int done = 0;

	if (!dir)
		return 0;
	while (done == 0 && (entry = readdir(dir))) {
		autofree char *path =
			xprintf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (named(hiding->hidden, path))
			continue;
		done = above(hiding->hidden, path)
			       ? allow_around(hiding, path, err)
			       : allow(hiding->ruleset, path, hiding->access, O_NOFOLLOW, err);
	}
	closedir(dir);
	return done;
}

int confine_hide(const char *const *hidden, const char *const *shown, struct err *err)
{
	struct hiding hiding = {.hidden = hidden};
	cleanup(file_close_at) int ruleset = ruleset_new(&hiding.access, err);

	if (ruleset < 0)
		return ruleset == -2 ? CONFINE_UNSUPPORTED : -1;
	hiding.ruleset = ruleset;
	if (allow_around(&hiding, "/", err) < 0
	    || allow(ruleset, "/", LANDLOCK_ACCESS_FS_READ_DIR, 0, err) < 0)
		return -1;
	for (size_t i = 0; shown[i]; i++)
		if (allow(ruleset, shown[i], hiding.access, 0, err) < 0)
			return -1;
	return enforce(ruleset, err);
}

void confine_root(void)
{
	static const unsigned long kept[] = {
		CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,  CAP_KILL,
		CAP_SETGID, CAP_SETUID,       CAP_SETPCAP, CAP_SETFCAP, CAP_NET_BIND_SERVICE,
	};

	/* What a program started by root gets is what is left in this set. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		bool keep = false;

		for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
			keep |= kept[i] == cap;
		if (!keep)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
}

void confine_memory(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

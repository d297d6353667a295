#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void file_close_at(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static bool is_absent(int code)
{
	return code == ENOENT || code == ENOTDIR;
}

/* err_errno(), but a missing file has the kind ERR_ABSENT. */
static int path_failed(struct err *err, const char *what, const char *path)
{
	bool absent = is_absent(errno);

	err_errno(err, "%s %s", what, path);
	if (absent)
		err->kind = ERR_ABSENT;
	return -1;
}

int file_read(const char *path, struct buf *out, struct err *err)
{
	cleanup(file_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char piece[16384];
	ssize_t got;

	if (fd < 0)
		return path_failed(err, "read", path);
	while ((got = read(fd, piece, sizeof piece)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return path_failed(err, "read", path);
		buf_add(out, piece, (size_t)got);
		if (buf_full(out))
			return err_set(err, ERR_LIMIT, 0, "read %s: it has more than %zu bytes",
				       path, out->limit);
	}
	return 0;
}

static int write_whole(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

/* The folder that holds path; the caller frees. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xmemdup(path, (size_t)(slash - path));
}

static int sync_folder(const char *folder)
{
	cleanup(file_close_at) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	/* Some file systems can't sync a folder and say EINVAL. */
	return fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
}

static int fill_and_rename(int fd, const char *temporary, const char *path, mode_t mode,
			   const char *bytes, size_t size)
{
	if (write_whole(fd, bytes, size) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -1;
	return rename(temporary, path);
}

int file_write(const char *path, const void *bytes, size_t size, mode_t mode, struct err *err)
{
	autofree char *folder = folder_of(path);
	const char *slash = strrchr(path, '/');
	autofree char *name = xprintf(".%s.XXXXXX", slash ? slash + 1 : path);
	autofree char *temporary = file_join(folder, name);
	cleanup(file_close_at) int fd = mkostemp(temporary, O_CLOEXEC);

	if (fd < 0)
		return path_failed(err, "write", path);
	if (fill_and_rename(fd, temporary, path, mode, bytes, size) < 0) {
		path_failed(err, "write", path);
		unlink(temporary);
		return -1;
	}
	if (sync_folder(folder) < 0)
		return path_failed(err, "write: sync the folder of", path);
	return 0;
}

/* One folder: made, or there already. */
static int make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		if (chmod(path, mode) < 0)
			return path_failed(err, "make the folder", path);
		return 0;
	}
	if (errno != EEXIST)
		return path_failed(err, "make the folder", path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFLICT, ENOTDIR,
			       "make the folder %s: something else has that name", path);
	return 0;
}

int file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	autofree char *at = xstrdup(path);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	for (char *slash = strchr(at + (at[0] == '/'), '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* A parent may be one that we can't make anything in, and needn't. */
		if (!file_exists(at) && make_dir(at, mode, err) < 0)
			return -1;
		*slash = '/';
	}
	return make_dir(at, mode, err);
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* The way of openat2() for kernels without it: a component at a time, and no link at all. */
static int open_by_component(int dir, const char *path, int flags, mode_t mode)
{
	cleanup(file_close_at) int at = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	autofree char *parts = xstrdup(path);
	char *part = parts, *slash;

	if (path[0] == '/') {
		errno = EXDEV;
		return -1;
	}
	for (; at >= 0; part = slash + 1) {
		int next;

		slash = strchr(part, '/');
		if (slash)
			*slash = '\0';
		if (strcmp(part, "..") == 0) {
			errno = EXDEV;
			return -1;
		}
		if (!slash)
			return openat(at, *part ? part : ".", flags | O_NOFOLLOW, mode);
		next = openat(at, *part ? part : ".",
			      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	return -1;
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (unsigned long long)(unsigned)flags,
		.mode = makes ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* EAGAIN: something was renamed meanwhile and the kernel could not be sure. */
	for (int tries = 0; tries < 100; tries++) {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	/* Old container runtimes answer EPERM for system calls that they don't know. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_by_component(dir, path, flags, mode);
	return (int)fd;
}

int file_open_beneath(const char *dir, const char *path, int flags, mode_t mode, struct err *err)
{
	cleanup(file_close_at) int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (folder < 0)
		return path_failed(err, "open the folder", dir);
	fd = open_at(folder, path, flags | O_CLOEXEC, mode);
	if (fd >= 0)
		return fd;
	if (errno == EXDEV || errno == ELOOP)
		return err_set(err, ERR_USAGE, errno, "open %s: it leads out of %s", path, dir);
	err_errno(err, "open %s in %s", path, dir);
	if (is_absent(err->code))
		err->kind = ERR_ABSENT;
	return -1;
}

/* The descriptor, which the end of the block now doesn't close. */
static int keep(int *fd)
{
	int kept = *fd;

	*fd = -1;
	return kept;
}

int file_lock(const char *path, bool wait, struct err *err)
{
	cleanup(file_close_at) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0)
		return path_failed(err, "lock", path);
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_CONFLICT, errno,
				       "lock %s: another process holds it", path);
		return path_failed(err, "lock", path);
	}
	return keep(&fd);
}

char *file_join(const char *a, const char *b)
{
	size_t size = strlen(a);

	if (b[0] == '/' || !size)
		return xstrdup(b);
	while (size > 1 && a[size - 1] == '/')
		size--;
	return xprintf("%.*s%s%s", (int)size, a, a[size - 1] == '/' ? "" : "/", b);
}

bool file_is_exposed(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH));
}

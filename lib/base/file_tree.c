/* Whole folders: file_remove_tree() and file_copy_tree(). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

/*
 * A folder may be nested as deep as its author likes: past this depth its parts are moved to the
 * top before they are removed (no descriptor or stack is left otherwise), and are not copied.
 */
enum { DEEPEST = 100, PASSES = 1000 };

static void close_dir_at(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static const char *next_name(DIR *dir)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (text_same(entry->d_name, ".") || text_same(entry->d_name, "..")));
	return entry ? entry->d_name : NULL;
}

/* Open a folder; when `make_ours`, also one that we had shut ourselves out of. */
static int open_folder(int at, const char *name, bool make_ours)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags);
	struct stat st;

	if (fd < 0 && errno == EACCES && make_ours
	    && fchmodat(at, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(at, name, flags);
	if (fd >= 0 && make_ours && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		fchmod(fd, 0700);
	return fd;
}

struct removal {
	int top;
	unsigned moved;
};

static int move_to_top(struct removal *removal, int at, const char *name)
{
	cleanup(file_close_at) int fd = open_folder(at, name, true);
	char moved[40];

	if (fd < 0)
		return -1;
	do {
		snprintf(moved, sizeof moved, ".deep-%u", removal->moved++);
		if (renameat(at, name, removal->top, moved) == 0)
			return 0;
	} while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
	return -1;
}

static int empty_folder(struct removal *removal, int fd, unsigned depth);

static int remove_entry(struct removal *removal, int at, const char *name, unsigned depth)
{
	int fd, failed;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -1;
	if (depth == DEEPEST)
		return move_to_top(removal, at, name);
	fd = open_folder(at, name, true);
	if (fd < 0)
		return -1;
	failed = empty_folder(removal, fd, depth + 1);
	file_close_at(&fd);
	return failed ? -1 : unlinkat(at, name, AT_REMOVEDIR);
}

/* Does not close fd. -1 with errno. */
static int empty_folder(struct removal *removal, int fd, unsigned depth)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup(close_dir_at) DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const char *name;

	if (!dir) {
		file_close_at(&copy);
		return -1;
	}
	/* Again until there is nothing: names may come up while others go. */
	for (int pass = 0; pass < PASSES; pass++) {
		bool any = false;

		rewinddir(dir);
		while ((name = next_name(dir))) {
			any = true;
			if (remove_entry(removal, fd, name, depth) < 0)
				return -1;
		}
		if (errno)
			return -1;
		if (!any)
			return 0;
	}
	errno = ENOTEMPTY;
	return -1;
}

int file_remove_tree(const char *path, struct err *err)
{
	autofree char *name = xstrdup(path);
	cleanup(file_close_at) int fd = -1;
	struct removal removal = {0};

	/* "link/" would follow the link. */
	for (size_t size = strlen(name); size > 1 && name[size - 1] == '/'; size--)
		name[size - 1] = '\0';
	if (unlink(name) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	if (errno != EISDIR)
		return err_errno(err, "remove %s", path);
	fd = open_folder(AT_FDCWD, name, true);
	if (fd < 0)
		return err_errno(err, "remove %s", path);
	removal.top = fd;
	if (empty_folder(&removal, fd, 0) < 0)
		return err_errno(err, "remove what is in %s", path);
	if (rmdir(name) < 0 && errno != ENOENT)
		return err_errno(err, "remove %s", path);
	return 0;
}

/* What a recursive copy needs to know of a folder: where it is on both sides. */
struct pair {
	int from, to;
	const char *const *skip;
	unsigned depth;
};

static int copy_bytes(int from, int to)
{
	char piece[65536];
	ssize_t got, done;

	while ((got = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
		;
	if (got == 0)
		return 0;
	/* Not between these two file systems: nothing was copied yet, or the positions moved on. */
	if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -1;
	while ((got = read(from, piece, sizeof piece)) > 0)
		for (ssize_t at = 0; at < got; at += done) {
			done = write(to, piece + at, (size_t)(got - at));
			if (done < 0)
				return -1;
		}
	return got < 0 ? -1 : 0;
}

static int copy_file(const struct pair *pair, const char *name, const struct stat *st)
{
	const int make = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	/* Seconds matter: build tools and Python compare a file's time with its product's. */
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	cleanup(file_close_at) int from = -1;
	cleanup(file_close_at) int to = -1;

	from = openat(pair->from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (from < 0)
		return -1;
	to = openat(pair->to, name, make, 0600);
	if (to < 0 && errno == EEXIST && unlinkat(pair->to, name, 0) == 0)
		to = openat(pair->to, name, make, 0600);
	if (to < 0 || copy_bytes(from, to) < 0 || fchmod(to, st->st_mode & 0777) < 0)
		return -1;
	return futimens(to, times);
}

static int copy_link(const struct pair *pair, const char *name)
{
	char target[4097];
	ssize_t size = readlinkat(pair->from, name, target, sizeof target - 1);

	if (size < 0)
		return -1;
	target[size] = '\0';
	if (symlinkat(target, pair->to, name) == 0)
		return 0;
	if (errno != EEXIST || unlinkat(pair->to, name, 0) < 0)
		return -1;
	return symlinkat(target, pair->to, name);
}

static int copy_folder(const struct pair *pair, struct err *err);

static int copy_subfolder(const struct pair *pair, const char *name, mode_t mode, struct err *err)
{
	cleanup(file_close_at) int from = open_folder(pair->from, name, false);
	cleanup(file_close_at) int to = -1;
	struct pair below = {.depth = pair->depth + 1};

	if (from < 0)
		return err_errno(err, "%s", name);
	if (below.depth > DEEPEST)
		return err_set(err, ERR_LIMIT, 0, "%s: folders are nested deeper than %d", name,
			       DEEPEST);
	if (mkdirat(pair->to, name, 0700) < 0 && errno != EEXIST)
		return err_errno(err, "%s", name);
	to = open_folder(pair->to, name, true);
	if (to < 0)
		return err_errno(err, "%s", name);
	below.from = from;
	below.to = to;
	if (copy_folder(&below, err) < 0)
		return err_within(err, "%s", name);
	/* Last: what it is read-only for includes us. */
	return fchmod(to, mode & 0777) < 0 ? err_errno(err, "%s", name) : 0;
}

static int copy_entry(const struct pair *pair, const char *name, struct err *err)
{
	struct stat st;
	int failed = 0;

	if (fstatat(pair->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "%s", name);
	if (S_ISDIR(st.st_mode))
		return copy_subfolder(pair, name, st.st_mode, err);
	if (S_ISREG(st.st_mode))
		failed = copy_file(pair, name, &st);
	else if (S_ISLNK(st.st_mode))
		failed = copy_link(pair, name);
	return failed ? err_errno(err, "%s", name) : 0;
}

static bool is_skipped(const struct pair *pair, const char *name)
{
	for (const char *const *skip = pair->skip; skip && *skip; skip++)
		if (text_same(*skip, name))
			return true;
	return false;
}

static int copy_folder(const struct pair *pair, struct err *err)
{
	int copy = fcntl(pair->from, F_DUPFD_CLOEXEC, 3);
	cleanup(close_dir_at) DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const char *name;

	if (!dir) {
		err_errno(err, "open the folder");
		file_close_at(&copy);
		return -1;
	}
	while ((name = next_name(dir)))
		if (!is_skipped(pair, name) && copy_entry(pair, name, err) < 0)
			return -1;
	return errno ? err_errno(err, "list the folder") : 0;
}

int file_copy_tree(const char *from, const char *to, const char *const *skip, struct err *err)
{
	cleanup(file_close_at) int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup(file_close_at) int target = -1;
	struct pair pair = {.skip = skip};

	if (source < 0)
		return err_errno(err, "copy %s", from);
	if (file_make_dirs(to, 0755, err) < 0)
		return err_within(err, "copy %s", from);
	target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target < 0)
		return err_errno(err, "copy %s to %s", from, to);
	pair.from = source;
	pair.to = target;
	if (copy_folder(&pair, err) < 0)
		return err_within(err, "copy %s to %s", from, to);
	return 0;
}

#include "action/ownership.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* Folders in folders; each holds a descriptor while what is below it is looked at. */
enum { DEEPEST = 4000, MOST_LINKED = 20000 };

/* A file with several names: which of them we have met. */
struct linked {
	dev_t device;
	ino_t inode;
	nlink_t seen;
};

struct walk {
	struct ownership to;
	dev_t device;
	struct linked *linked;
	size_t linked_count, linked_room;
	bool counting;
	unsigned changed;
	unsigned depth;
};

static struct linked *find_linked(struct walk *walk, const struct stat *st)
{
	for (size_t i = 0; i < walk->linked_count; i++)
		if (walk->linked[i].inode == st->st_ino && walk->linked[i].device == st->st_dev)
			return &walk->linked[i];
	return NULL;
}

static void count_link(struct walk *walk, const struct stat *st)
{
	struct linked *linked = find_linked(walk, st);

	if (walk->linked_count >= MOST_LINKED)
		return;
	if (linked) {
		linked->seen++;
		return;
	}
	if (walk->linked_count == walk->linked_room) {
		walk->linked_room = walk->linked_room ? 2 * walk->linked_room : 64;
		walk->linked = xresize(walk->linked, walk->linked_room, sizeof *walk->linked);
	}
	walk->linked[walk->linked_count++] = (struct linked){st->st_dev, st->st_ino, 1};
}

/* Ours to change: not the user's, and changed since. */
static bool concerns(const struct walk *walk, const struct stat *st)
{
	if (st->st_ctim.tv_sec < walk->to.since)
		return false;
	return st->st_uid != walk->to.uid || st->st_gid != walk->to.gid;
}

static void give_entry(struct walk *walk, int folder, const char *name, const struct stat *st)
{
	const struct linked *linked;

	if (!concerns(walk, st))
		return;
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		if (walk->counting) {
			count_link(walk, st);
			return;
		}
		linked = find_linked(walk, st);
		if (!linked || linked->seen < st->st_nlink)
			return;
	}
	if (!walk->counting
	    && fchownat(folder, name, walk->to.uid, walk->to.gid, AT_SYMLINK_NOFOLLOW) == 0)
		walk->changed++;
}

static void walk_folder(struct walk *walk, int fd);

/* `fd` is the folder itself. One that its owner can't enter couldn't be removed by them. */
static void give_folder(struct walk *walk, int fd, const struct stat *st)
{
	bool ours = st->st_ctim.tv_sec >= walk->to.since;

	walk_folder(walk, fd);
	if (walk->counting || !ours)
		return;
	if ((st->st_uid != walk->to.uid || st->st_gid != walk->to.gid)
	    && fchown(fd, walk->to.uid, walk->to.gid) == 0)
		walk->changed++;
	if ((st->st_mode & S_IRWXU) != S_IRWXU && fchmod(fd, (st->st_mode & 07777) | S_IRWXU) == 0)
		walk->changed++;
}

static void visit(struct walk *walk, int folder, const char *name)
{
	cleanup(file_close_at) int fd = -1;
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != walk->device)
		return;
	if (!S_ISDIR(st.st_mode)) {
		give_entry(walk, folder, name, &st);
		return;
	}
	if (walk->depth >= DEEPEST)
		return;
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != walk->device)
		return;
	walk->depth++;
	give_folder(walk, fd, &st);
	walk->depth--;
}

static void walk_folder(struct walk *walk, int fd)
{
	DIR *dir = fdopendir(dup(fd));
	const struct dirent *entry;

	if (!dir)
		return;
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			visit(walk, fd, entry->d_name);
	closedir(dir);
}

static void more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < 2 * DEEPEST + 64)
		limit.rlim_cur =
			limit.rlim_max < 2 * DEEPEST + 64 ? limit.rlim_max : 2 * DEEPEST + 64;
	setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned ownership_give(const char *folder, const struct ownership *ownership)
{
	cleanup(file_close_at) int fd =
		open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct walk walk = {.to = *ownership, .counting = true};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	more_descriptors();
	walk.device = st.st_dev;
	give_folder(&walk, fd, &st);
	walk.counting = false;
	give_folder(&walk, fd, &st);
	free(walk.linked);
	return walk.changed;
}

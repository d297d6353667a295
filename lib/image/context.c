#include "image/context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "image/ignore.h"

#define BLOCK        512
#define DEPTH_MAX    200
#define IGNORE_LIMIT (1024 * 1024)

/* A folder that is being gone through: its names in order. */
struct level {
	int fd;
	char **names;
	size_t count, next;
	size_t prefix; /* of context->path: what stands before its names */
};

struct context {
	struct ignore *ignore;
	struct level levels[DEPTH_MAX];
	size_t depth;
	struct buf path; /* of the entry at hand, relative */

	struct buf ready; /* headers and padding that wait to be read */
	size_t given;     /* of `ready` */
	int file;         /* whose bytes come after `ready`; -1 */
	int64_t left;     /* of it */
	bool ended;

	unsigned left_out; /* sockets, devices … */
	char *example;
	char *note;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Why an entry can't be read. */
static int unreadable(const struct context *context, struct err *err)
{
	int cause = errno;

	err_errno(err, "read '%s' for the build context", buf_text(&context->path));
	if (cause == EACCES || cause == EPERM) {
		err->kind = ERR_AUTH;
		return err_set(
			err, ERR_AUTH, cause,
			"read '%.300s' for the build context: %s; make it readable or name it "
			"in .dockerignore",
			buf_text(&context->path), strerror(cause));
	}
	return -1;
}

/* Takes over the descriptor. */
static int enter(struct context *context, int fd, struct err *err)
{
	struct level *level = &context->levels[context->depth];
	DIR *folder = NULL;
	const struct dirent *entry;

	if (context->depth == DEPTH_MAX) {
		close(fd);
		return err_set(err, ERR_LIMIT, 0, "'%.300s' lies more than %d folders deep",
			       buf_text(&context->path), DEPTH_MAX);
	}
	*level = (struct level){.fd = fd, .prefix = context->path.size};
	context->depth++;
	folder = fdopendir(dup(fd));
	if (!folder)
		return unreadable(context, err);
	while ((entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if ((level->count & (level->count - 1)) == 0)
			level->names = xresize(level->names, level->count ? level->count * 2 : 1,
					       sizeof *level->names);
		level->names[level->count++] = xstrdup(entry->d_name);
	}
	closedir(folder);
	if (level->count > 0)
		qsort(level->names, level->count, sizeof *level->names, by_name);
	return 0;
}

static void leave(struct context *context)
{
	struct level *level = &context->levels[--context->depth];

	for (size_t i = 0; i < level->count; i++)
		free(level->names[i]);
	free(level->names);
	close(level->fd);
}

/* ---- headers: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html ---- */

static void octal(char *field, size_t size, uint64_t value)
{
	field[--size] = '\0';
	while (size > 0) {
		field[--size] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

static void add_block(struct buf *out, const char *name, const char *link, char type, int64_t size,
		      const struct stat *info)
{
	char block[BLOCK] = "";
	unsigned sum = 0;

	memcpy(block, name, strnlen(name, 100));
	octal(block + 100, 8, info->st_mode & 07777);
	octal(block + 108, 8, 0);
	octal(block + 116, 8, 0);
	octal(block + 124, 12, (uint64_t)size);
	octal(block + 136, 12, info->st_mtime > 0 ? (uint64_t)info->st_mtime : 0);
	memset(block + 148, ' ', 8);
	block[156] = type;
	if (link)
		memcpy(block + 157, link, strnlen(link, 100));
	memcpy(block + 257, "ustar", 6);
	block[263] = block[264] = '0';
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	octal(block + 148, 7, sum);
	buf_add(out, block, BLOCK);
}

static void pad(struct buf *out, int64_t size)
{
	static const char zeros[BLOCK];

	buf_add(out, zeros, (size_t)((BLOCK - size % BLOCK) % BLOCK));
}

/* "<length> path=…\n", where the length counts itself. */
static void add_record(struct buf *out, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, size = rest + 1;

	while (size != rest + (size_t)snprintf(NULL, 0, "%zu", size))
		size = rest + (size_t)snprintf(NULL, 0, "%zu", size);
	buf_addf(out, "%zu %s=%s\n", size, key, value);
}

/* A header, after a pax one for what doesn't fit into it. */
static void add_header(struct context *context, const char *link, char type, int64_t size,
		       const struct stat *info)
{
	static const int64_t largest = (INT64_C(1) << 33) - 1;
	cleanup(buf_free) struct buf more = BUF_INIT(64 * 1024);
	const char *name = buf_text(&context->path);
	char number[24];

	if (strlen(name) > 100)
		add_record(&more, "path", name);
	if (link && strlen(link) > 100)
		add_record(&more, "linkpath", link);
	snprintf(number, sizeof number, "%lld", (long long)size);
	if (size > largest)
		add_record(&more, "size", number);
	if (more.size > 0) {
		const struct stat plain = {.st_mode = 0644};

		add_block(&context->ready, "pax", NULL, 'x', (int64_t)more.size, &plain);
		buf_add(&context->ready, more.data, more.size);
		pad(&context->ready, (int64_t)more.size);
	}
	add_block(&context->ready, name, link, type, size > largest ? 0 : size, info);
}

/* ---- entries ---- */

static int add_file(struct context *context, int parent, const char *name, struct err *err)
{
	/* O_NONBLOCK: should a pipe stand there now. */
	int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	if (fd < 0)
		return unreadable(context, err);
	if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
		close(fd);
		return err_set(err, ERR_CONFLICT, 0, "'%.300s' changed while it was read",
			       buf_text(&context->path));
	}
	add_header(context, NULL, '0', info.st_size, &info);
	context->file = fd;
	context->left = info.st_size;
	if (context->left == 0)
		file_close_at(&context->file);
	return 0;
}

static int add_link(struct context *context, int parent, const char *name, const struct stat *info,
		    struct err *err)
{
	char target[4097];
	ssize_t size = readlinkat(parent, name, target, sizeof target - 1);

	if (size < 0)
		return unreadable(context, err);
	target[size] = '\0';
	add_header(context, target, '2', 0, info);
	return 0;
}

static int add_folder(struct context *context, int parent, const char *name,
		      const struct stat *info, bool told, struct err *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return unreadable(context, err);
	buf_addc(&context->path, '/');
	if (told)
		add_header(context, NULL, '5', 0, info);
	return enter(context, fd, err);
}

static int add_entry(struct context *context, int parent, const char *name, struct err *err)
{
	const char *path = buf_text(&context->path);
	bool left_out = ignore_matches(context->ignore, path);
	struct stat info;

	if (buf_full(&context->path))
		return err_set(err, ERR_LIMIT, 0, "a path of the build context is too long");
	if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW))
		return unreadable(context, err);
	if (left_out && !(S_ISDIR(info.st_mode) && ignore_looks_into(context->ignore, path)))
		return 0;
	if (S_ISDIR(info.st_mode))
		return add_folder(context, parent, name, &info, !left_out, err);
	if (S_ISLNK(info.st_mode))
		return add_link(context, parent, name, &info, err);
	if (S_ISREG(info.st_mode))
		return add_file(context, parent, name, err);
	if (context->left_out++ == 0)
		context->example = xstrdup(path);
	return 0;
}

/* Fill `ready` or `file`, or come to the end. */
static int advance(struct context *context, struct err *err)
{
	struct level *level = &context->levels[context->depth - 1];
	const char *name;

	if (level->next == level->count) {
		leave(context);
		if (context->depth > 0)
			return 0;
		static const char zeros[2 * BLOCK];

		context->ended = true;
		buf_add(&context->ready, zeros, sizeof zeros);
		return 0;
	}
	name = level->names[level->next++];
	context->path.size = level->prefix;
	buf_adds(&context->path, name);
	return add_entry(context, level->fd, name, err);
}

static ssize_t give_file(struct context *context, void *out, size_t room, struct err *err)
{
	size_t wanted = (int64_t)room < context->left ? room : (size_t)context->left;
	struct stat info;
	ssize_t size;

	do
		size = read(context->file, out, wanted);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return unreadable(context, err);
	if (size == 0)
		return err_set(err, ERR_CONFLICT, 0,
			       "'%.300s' became shorter while it was read for the build context",
			       buf_text(&context->path));
	context->left -= size;
	if (context->left == 0) {
		if (fstat(context->file, &info) == 0)
			pad(&context->ready, info.st_size);
		file_close_at(&context->file);
	}
	return size;
}

ssize_t context_read(struct context *context, void *out, size_t room, struct err *err)
{
	for (;;) {
		size_t waiting = context->ready.size - context->given;

		if (waiting > 0) {
			size_t size = waiting < room ? waiting : room;

			memcpy(out, context->ready.data + context->given, size);
			context->given += size;
			return (ssize_t)size;
		}
		buf_clear(&context->ready);
		context->given = 0;
		if (context->left > 0)
			return give_file(context, out, room, err);
		if (context->ended)
			return 0;
		if (advance(context, err))
			return -1;
	}
}

const char *context_note(struct context *context)
{
	if (!context->left_out)
		return NULL;
	free(context->note);
	context->note =
		xprintf("left out of the build context: %s%s, neither file, folder nor link",
			context->example, context->left_out > 1 ? " and others" : "");
	return context->note;
}

static int read_ignore(struct context *context, const char *folder, const char *name,
		       struct err *err)
{
	cleanup(file_close_at) int fd = file_open_beneath(folder, name, O_RDONLY, 0, err);
	cleanup(buf_free) struct buf text = BUF_INIT(IGNORE_LIMIT);
	char piece[4096];
	ssize_t size = 0;

	if (fd < 0)
		return err->kind == ERR_ABSENT ? 1 : err_within(err, "%s", name);
	while ((size = read(fd, piece, sizeof piece)) > 0)
		buf_add(&text, piece, (size_t)size);
	if (size < 0)
		return err_errno(err, "read %s", name);
	if (buf_full(&text))
		return err_set(err, ERR_LIMIT, 0, "%s is over 1 MiB", name);
	ignore_free(context->ignore);
	context->ignore = NULL;
	if (ignore_parse(&context->ignore, buf_text(&text), text.size, err))
		return err_within(err, "%s", name);
	return 0;
}

static int find_ignore(struct context *context, const char *folder, const char *dockerfile,
		       struct err *err)
{
	static const char common[] = ".dockerignore";
	autofree char *own = xprintf("%s.dockerignore", dockerfile);
	int got = read_ignore(context, folder, own, err);

	if (got > 0)
		got = read_ignore(context, folder, common, err);
	if (got > 0)
		got = ignore_parse(&context->ignore, "", 0, err);
	if (got < 0)
		return -1;
	/* The engine reads both, whatever they say of themselves. */
	if (ignore_matches(context->ignore, common)
	    && ignore_add(context->ignore, common, true, err))
		return -1;
	return ignore_matches(context->ignore, dockerfile)
		       ? ignore_add(context->ignore, dockerfile, true, err)
		       : 0;
}

static int check_dockerfile(const char *folder, const char *dockerfile, struct err *err)
{
	cleanup(file_close_at) int fd =
		file_open_beneath(folder, dockerfile, O_RDONLY | O_NONBLOCK, 0, err);

	if (fd >= 0)
		return 0;
	if (err->kind == ERR_ABSENT)
		return err_set(err, ERR_USAGE, 0, "there is no file '%s' in %s", dockerfile,
			       folder);
	return err_within(err, "read '%s'", dockerfile);
}

int context_open(struct context **out, const char *folder, const char *dockerfile, struct err *err)
{
	cleanup(context_freep) struct context *context = xalloc(sizeof *context);
	int fd;

	context->file = -1;
	context->path = (struct buf){.limit = 64 * 1024};
	context->ready = (struct buf){.limit = 1024 * 1024};
	if (check_dockerfile(folder, dockerfile, err)
	    || find_ignore(context, folder, dockerfile, err))
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "open the build context %s", folder);
	if (enter(context, fd, err))
		return -1;
	*out = take(context);
	return 0;
}

void context_free(struct context *context)
{
	if (!context)
		return;
	while (context->depth > 0)
		leave(context);
	file_close_at(&context->file);
	ignore_free(context->ignore);
	buf_free(&context->path);
	buf_free(&context->ready);
	free(context->example);
	free(context->note);
	free(context);
}

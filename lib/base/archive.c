#include "base/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define BLOCK             (64 * 1024)
#define RATIO_FLOOR       (1024 * 1024)
#define DEPTH_MAX         100
#define HEADERS_PER_ENTRY 4096

const struct archive_limits archive_limits_source = {
	.entries = 100000,
	.bytes = INT64_C(2) << 30,
	.ratio = 200,
	.strip = 1,
};

struct unpacking {
	struct archive *archive;
	int root;
	const struct archive_limits *limits;
	int64_t entries, written;
	char shown[120]; /* the entry's name, printable, for messages */
};

static void archive_free_at(struct archive **at)
{
	archive_read_free(*at);
}

static int refused(const struct unpacking *self, const char *why, struct err *err)
{
	return err_set(err, ERR_USAGE, 0, "unpack '%s': refused: %s", self->shown, why);
}

static void show(struct unpacking *self, const char *name)
{
	size_t used = 0;

	for (; name && *name && used < sizeof self->shown - 1; name++)
		self->shown[used++] = *name < ' ' || *name == 0x7f ? '?' : *name;
	self->shown[used] = '\0';
}

/* Pax names are UTF-8, which the C locale can't say; old names are just bytes. */
static const char *entry_text(const char *utf8, const char *bytes)
{
	return utf8 ? utf8 : bytes;
}

static int check_sizes(const struct unpacking *self, struct err *err)
{
	/* The stream has headers and padding, a sparse file has holes: whichever is more. */
	int64_t stream = archive_filter_bytes(self->archive, 0);
	int64_t packed = archive_filter_bytes(self->archive, -1);
	int64_t unpacked = stream > self->written ? stream : self->written;
	int64_t headers = self->limits->entries * HEADERS_PER_ENTRY + BLOCK;

	if (self->written > self->limits->bytes || stream > self->limits->bytes + headers)
		return err_set(err, ERR_LIMIT, 0,
			       "unpack '%s': the archive holds over %jd bytes (the most allowed)",
			       self->shown, (intmax_t)self->limits->bytes);
	if (unpacked > RATIO_FLOOR && unpacked / self->limits->ratio > packed)
		return err_set(err, ERR_LIMIT, 0,
			       "unpack '%s': the archive unpacks to over %jd times its size",
			       self->shown, (intmax_t)self->limits->ratio);
	return 0;
}

/* The next component of *at, without "." ones: its length in *size, 0 at the end. */
static const char *next_part(const char **at, size_t *size)
{
	const char *from;

	do {
		from = *at + strspn(*at, "/");
		*size = strcspn(from, "/");
		*at = from + *size;
	} while (*size == 1 && *from == '.');
	return from;
}

static bool is_up(const char *part, size_t size)
{
	return size == 2 && part[0] == '.' && part[1] == '.';
}

/* The name's components in *out, one '/' between them, the first `strip` left out. Empty when none
 * is left. *depth: how many. */
static int clean_name(const struct unpacking *self, const char *name, struct buf *out, int *depth,
		      struct err *err)
{
	unsigned skip = self->limits->strip;
	const char *part;
	size_t size;

	*depth = 0;
	if (!name || *name == '\0')
		return refused(self, "it has no name", err);
	if (*name == '/')
		return refused(self, "its name is absolute", err);
	while (part = next_part(&name, &size), size > 0) {
		if (is_up(part, size))
			return refused(self, "its name has '..' in it", err);
		if (skip > 0) {
			skip--;
			continue;
		}
		if (++*depth > DEPTH_MAX)
			return refused(self, "it lies too deep", err);
		if (out->size > 0)
			buf_addc(out, '/');
		buf_add(out, part, size);
	}
	return buf_full(out) ? refused(self, "its name is too long", err) : 0;
}

/* A descriptor of the folder below `parent`, made if it isn't there; never through a link. */
static int enter(const struct unpacking *self, int parent, const char *name, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	if (fd < 0 && errno == ENOENT && mkdirat(parent, name, 0755) == 0)
		fd = openat(parent, name, flags);
	if (fd >= 0)
		return fd;
	/* With O_DIRECTORY a link gives ENOTDIR, as a file does. */
	if (errno == ENOTDIR || errno == ELOOP)
		return refused(self, "its path goes through what is a link or a file", err);
	return err_errno(err, "unpack '%s': make its folder", self->shown);
}

/* Open the folder that holds `name`; *last is what comes after it. name is cut into pieces. */
static int enter_parent(const struct unpacking *self, char *name, const char **last,
			struct err *err)
{
	int fd = fcntl(self->root, F_DUPFD_CLOEXEC, 3);
	char *slash;

	if (fd < 0)
		return err_errno(err, "unpack '%s'", self->shown);
	while ((slash = strchr(name, '/'))) {
		int below;

		*slash = '\0';
		below = enter(self, fd, name, err);
		close(fd);
		if (below < 0)
			return -1;
		fd = below;
		name = slash + 1;
	}
	*last = name;
	return fd;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, bytes, size);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			bytes += done;
			size -= (size_t)done;
		}
	}
	return 0;
}

static int broken(const struct unpacking *self, struct err *err)
{
	const char *why = archive_error_string(self->archive);

	return err_set(err, ERR_USAGE, 0, "unpack%s%s%s: the archive is damaged or no tar: %.200s",
		       *self->shown ? " '" : "", self->shown, *self->shown ? "'" : "",
		       why ? why : "unknown");
}

static int copy_data(struct unpacking *self, int fd, struct err *err)
{
	autofree char *block = xalloc(BLOCK);
	la_ssize_t size;

	/* Holes of a sparse file arrive as zeros, and count. */
	while ((size = archive_read_data(self->archive, block, BLOCK)) > 0) {
		self->written += size;
		if (check_sizes(self, err))
			return -1;
		if (write_all(fd, block, (size_t)size))
			return err_errno(err, "unpack '%s'", self->shown);
	}
	return size < 0 ? broken(self, err) : 0;
}

static int add_file(struct unpacking *self, struct archive_entry *entry, int parent,
		    const char *name, struct err *err)
{
	mode_t mode = archive_entry_perm(entry) & 0111 ? 0755 : 0644;
	cleanup(file_close_at) int fd = -1;

	if (archive_entry_size(entry) > self->limits->bytes - self->written)
		return err_set(err, ERR_LIMIT, 0,
			       "unpack '%s': the archive holds over %jd bytes (the most allowed)",
			       self->shown, (intmax_t)self->limits->bytes);
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0 && errno == EEXIST)
		return refused(self, "there is something of that name already", err);
	if (fd < 0)
		return err_errno(err, "unpack '%s'", self->shown);
	return copy_data(self, fd, err);
}

/*
 * Does a link that lies `depth` folders deep stay inside? Going up is allowed at the target's start
 * alone: there the folders are real ones, since no entry goes through a link, so they can be
 * counted.
 */
static int check_target(const struct unpacking *self, const char *target, int depth,
			struct err *err)
{
	bool down = false;
	const char *part;
	size_t size;

	if (!target || *target == '\0')
		return refused(self, "it is a link to nothing", err);
	if (*target == '/')
		return refused(self, "it is a link to an absolute path", err);
	while (part = next_part(&target, &size), size > 0) {
		if (!is_up(part, size))
			down = true;
		else if (down)
			return refused(self, "it is a link with '..' after a name", err);
		else if (--depth < 0)
			return refused(self, "it is a link that leaves the archive", err);
	}
	return 0;
}

static int add_link(const struct unpacking *self, struct archive_entry *entry, int parent,
		    const char *name, int depth, struct err *err)
{
	const char *target =
		entry_text(archive_entry_symlink_utf8(entry), archive_entry_symlink(entry));

	if (check_target(self, target, depth, err))
		return -1;
	if (symlinkat(target, parent, name) == 0)
		return 0;
	if (errno == EEXIST)
		return refused(self, "there is something of that name already", err);
	return err_errno(err, "unpack '%s'", self->shown);
}

static int check_kind(const struct unpacking *self, struct archive_entry *entry, struct err *err)
{
	mode_t kind = archive_entry_filetype(entry);

	if (archive_entry_hardlink(entry) || archive_entry_hardlink_utf8(entry))
		return refused(self, "it is a hard link", err);
	if (kind != AE_IFREG && kind != AE_IFDIR && kind != AE_IFLNK)
		return refused(self, "it is neither a file, a folder nor a symbolic link", err);
	if (kind != AE_IFLNK && archive_entry_perm(entry) & (S_ISUID | S_ISGID))
		return refused(self, "it has a setuid or setgid bit", err);
	return 0;
}

static int add_entry(struct unpacking *self, struct archive_entry *entry, struct err *err)
{
	cleanup(buf_free) struct buf path = BUF_INIT(4000);
	cleanup(file_close_at) int parent = -1, made = -1;
	const char *last = NULL;
	int depth;

	if (clean_name(
		    self,
		    entry_text(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry)),
		    &path, &depth, err)
	    || check_kind(self, entry, err))
		return -1;
	if (depth == 0)
		return archive_entry_filetype(entry) == AE_IFDIR
			       ? 0
			       : refused(self, "it lies above the folder that is unpacked", err);
	parent = enter_parent(self, path.data, &last, err);
	if (parent < 0)
		return -1;
	assert(last); /* depth isn't 0: the name has a part */
	if (archive_entry_filetype(entry) == AE_IFREG)
		return add_file(self, entry, parent, last, err);
	if (archive_entry_filetype(entry) == AE_IFLNK)
		return add_link(self, entry, parent, last, depth - 1, err);
	made = enter(self, parent, last, err);
	return made < 0 ? -1 : 0;
}

static int unpack_entries(struct unpacking *self, struct err *err)
{
	struct archive_entry *entry;
	int got;

	while ((got = archive_read_next_header(self->archive, &entry)) != ARCHIVE_EOF) {
		/* A warning is about names that the locale can't say; entry_text() has them. */
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return broken(self, err);
		show(self,
		     entry_text(archive_entry_pathname_utf8(entry), archive_entry_pathname(entry)));
		if (++self->entries > self->limits->entries)
			return err_set(err, ERR_LIMIT, 0,
				       "unpack '%s': the archive has over %jd entries (the most "
				       "allowed)",
				       self->shown, (intmax_t)self->limits->entries);
		if (check_sizes(self, err) || add_entry(self, entry, err))
			return -1;
	}
	return check_sizes(self, err);
}

static struct archive *reader_new(void)
{
	struct archive *archive = archive_read_new();

	assert(archive);
	/* ARCHIVE_WARN would mean: by an external program. */
	if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK
	    || archive_read_support_filter_xz(archive) != ARCHIVE_OK
	    || archive_read_support_filter_zstd(archive) != ARCHIVE_OK
	    || archive_read_support_format_tar(archive) != ARCHIVE_OK) {
		archive_read_free(archive);
		return NULL;
	}
	return archive;
}

int archive_unpack(int fd, const char *folder, const struct archive_limits *limits, struct err *err)
{
	cleanup(archive_free_at) struct archive *archive = reader_new();
	cleanup(file_close_at) int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct unpacking self = {.archive = archive, .root = root, .limits = limits};

	if (root < 0)
		return err_errno(err, "open the folder '%s' to unpack into", folder);
	if (!archive)
		return err_set(err, ERR_SYSTEM, 0,
			       "libarchive was built without gzip, xz or zstd: install another");
	if (archive_read_open_fd(archive, fd, BLOCK) != ARCHIVE_OK)
		return broken(&self, err);
	if (unpack_entries(&self, err))
		return -1;
	return self.entries > 0 ? 0 : err_set(err, ERR_USAGE, 0, "unpack: the archive is empty");
}

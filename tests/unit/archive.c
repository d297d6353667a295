#include "base/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tap.h"

struct item {
	const char *name;
	mode_t kind;
	mode_t mode;
	const char *text; /* of a file; the target of a link; a hard link's when kind is 0 */
	size_t repeat;    /* write the text so often */
};

static const struct archive_limits small = {
	.entries = 5, .bytes = 3000000, .ratio = 50, .strip = 1};
static const struct archive_limits bare = {.entries = 5, .bytes = 3000000, .ratio = 50, .strip = 0};

static void write_item(struct archive *archive, const struct item *item)
{
	struct archive_entry *entry = archive_entry_new();
	size_t size = item->text ? strlen(item->text) : 0;

	archive_entry_set_pathname(entry, item->name);
	archive_entry_set_filetype(entry, item->kind ? item->kind : AE_IFREG);
	archive_entry_set_perm(entry, item->mode ? item->mode : 0644);
	if (item->kind == AE_IFLNK)
		archive_entry_set_symlink(entry, item->text);
	if (item->kind == 0)
		archive_entry_set_hardlink(entry, item->text);
	if (item->kind == AE_IFREG)
		archive_entry_set_size(entry,
				       (la_int64_t)(size * (item->repeat ? item->repeat : 1)));
	if (archive_write_header(archive, entry) != ARCHIVE_OK)
		tap_note("%s: %s", item->name, archive_error_string(archive));
	for (size_t i = 0; item->kind == AE_IFREG && size && i < (item->repeat ? item->repeat : 1);
	     i++)
		archive_write_data(archive, item->text, size);
	archive_entry_free(entry);
}

static int packed(const struct item *items, size_t count, int filter)
{
	struct archive *archive = archive_write_new();
	int fd = memfd_create("archive", MFD_CLOEXEC);

	archive_write_set_format_pax_restricted(archive);
	archive_write_add_filter(archive, filter);
	if (fd < 0 || archive_write_open_fd(archive, fd) != ARCHIVE_OK)
		bail_out("no archive to write");
	/* The writer needs it for a pax header in UTF-8; our programs run without a locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	for (size_t i = 0; i < count; i++)
		write_item(archive, &items[i]);
	archive_write_free(archive);
	setlocale(LC_CTYPE, "C");
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static char folder[] = "/tmp/slipway-archive-XXXXXX";

static char *begin(void)
{
	struct err err = ERR_INIT;
	char *into = file_join(folder, "into");

	if (file_remove_tree(into, &err) || file_make_dirs(into, 0700, &err))
		bail_out(err.text);
	return into;
}

static bool holds(const char *name, const char *text, mode_t mode)
{
	autofree char *path = xprintf("%s/into/%s", folder, name);
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct stat info;
	bool same = file_read(path, &out, &err) == 0 && strcmp(buf_text(&out), text) == 0
		    && lstat(path, &info) == 0 && (info.st_mode & 07777) == mode;

	if (!same)
		tap_note("%s: '%s' %s", path, buf_text(&out), err.text);
	return same;
}

static bool links_to(const char *name, const char *target)
{
	autofree char *path = xprintf("%s/into/%s", folder, name);
	char text[200] = "";

	return readlink(path, text, sizeof text - 1) > 0 && strcmp(text, target) == 0;
}

static void check_good(int filter, const char *what)
{
	static const struct item items[] = {
		{"shop-1/", AE_IFDIR, 0775, NULL, 0},
		{"shop-1/a.txt", AE_IFREG, 0664, "hello", 0},
		{"shop-1/bin/deep/run\xc3\xa9", AE_IFREG, 0700, "#!/bin/sh\n", 0},
		{"shop-1/./bin//up", AE_IFLNK, 0, "../a.txt", 0},
		{"shop-1/bin/deep/dir", AE_IFLNK, 0, "./../../bin", 0},
	};
	autofree char *into = begin();
	cleanup(file_close_at) int fd = packed(items, 5, filter);
	struct err err = ERR_INIT;

	if (!ok(archive_unpack(fd, into, &small, &err) == 0, what))
		tap_note("%s", err.text);
	ok(holds("a.txt", "hello", 0644), "  a file, its first folder dropped");
	ok(holds("bin/deep/run\xc3\xa9", "#!/bin/sh\n", 0755), "  a program with a UTF-8 name");
	ok(links_to("bin/up", "../a.txt"), "  a link to a file");
	ok(links_to("bin/deep/dir", "./../../bin"), "  a link to a folder");
}

static void check_bad(const struct item *items, size_t count, const struct archive_limits *limits,
		      const char *want, const char *name)
{
	autofree char *into = begin();
	cleanup(file_close_at) int fd = packed(items, count, ARCHIVE_FILTER_GZIP);
	struct err err = ERR_INIT;

	ok(archive_unpack(fd, into, limits, &err) == -1, name);
	if (!ok(strstr(err.text, want) != NULL, "  and says why"))
		tap_note("%s", err.text);
	ok(err.kind == (strstr(want, "archive ") ? ERR_LIMIT : ERR_USAGE), "  with the right kind");
}

static void check_one(const char *name, mode_t kind, mode_t mode, const char *text,
		      const char *want)
{
	const struct item item = {name, kind, mode, text, 0};

	check_bad(&item, 1, &bare, want, want);
}

/* Dokku CVE-2026-45405: a link, then a file through it, overwrote authorized_keys. */
static void check_security_archive_extraction(void)
{
	autofree char *outside = file_join(folder, "outside");
	autofree char *key = xprintf("%s/outside/authorized_keys", folder);
	const struct item absolute[] = {{"x/.ssh", AE_IFLNK, 0, outside, 0},
					{"x/.ssh/authorized_keys", AE_IFREG, 0, "evil", 0}};
	const struct item relative[] = {{"x/.ssh", AE_IFLNK, 0, "../outside", 0},
					{"x/.ssh/authorized_keys", AE_IFREG, 0, "evil", 0}};
	static const struct item inside[] = {{"x/real/f", AE_IFREG, 0, "good", 0},
					     {"x/link", AE_IFLNK, 0, "real", 0},
					     {"x/link/f2", AE_IFREG, 0, "evil", 0}};
	static const struct item over[] = {{"x/f", AE_IFLNK, 0, "g", 0},
					   {"x/f", AE_IFREG, 0, "evil", 0}};
	static const struct item dir[] = {{"x/d", AE_IFLNK, 0, "e", 0},
					  {"x/d/", AE_IFDIR, 0, NULL, 0}};
	static const struct item climb[] = {{"x/a/b/up", AE_IFLNK, 0, "../..", 0},
					    {"x/esc", AE_IFLNK, 0, "a/b/up/../outside", 0}};
	struct err err = ERR_INIT;

	if (file_make_dirs(outside, 0700, &err))
		bail_out(err.text);
	check_bad(absolute, 2, &small, "'x/.ssh': refused: it is a link to an absolute path",
		  "Dokku CVE-2026-45405: a link out, then a file through it");
	check_bad(relative, 2, &small, "'x/.ssh': refused: it is a link that leaves",
		  "the same with a relative link");
	check_bad(inside, 3, &small, "'x/link/f2': refused: its path goes through what is a link",
		  "nor through a link that stays inside");
	check_bad(over, 2, &small, "something of that name already", "nor over a link");
	check_bad(dir, 2, &small, "goes through what is a link", "nor a folder where a link is");
	check_bad(climb, 2, &small, "'..' after a name", "nor up by way of another link");
	ok(!file_exists(key), "nothing was written outside");
}

static void check_refused(void)
{
	check_one("/etc/x", AE_IFREG, 0, "", "its name is absolute");
	check_one("a/../../x", AE_IFREG, 0, "", "its name has '..' in it");
	check_one("..", AE_IFDIR, 0, NULL, "its name has '..' in it");
	check_one("l", 0, 0, "/etc/passwd", "it is a hard link");
	check_one("d", AE_IFBLK, 0, NULL, "neither a file, a folder nor");
	check_one("d", AE_IFCHR, 0, NULL, "neither a file, a folder nor");
	check_one("d", AE_IFIFO, 0, NULL, "neither a file, a folder nor");
	check_one("s", AE_IFREG, 04755, "", "it has a setuid or setgid bit");
	check_one("s", AE_IFREG, 02755, "", "it has a setuid or setgid bit");
	check_one("l", AE_IFLNK, 0, "..", "a link that leaves");
	check_one("a/l", AE_IFLNK, 0, "../../x", "a link that leaves");
	check_one("a\n\x1b[1m/l", AE_IFLNK, 0, "/", "'a??[1m/l'");
}

static void check_limits(void)
{
	static const struct item six[] = {{"1", AE_IFDIR, 0, NULL, 0}, {"2", AE_IFDIR, 0, NULL, 0},
					  {"3", AE_IFDIR, 0, NULL, 0}, {"4", AE_IFDIR, 0, NULL, 0},
					  {"5", AE_IFDIR, 0, NULL, 0}, {"6", AE_IFDIR, 0, NULL, 0}};
	static const struct item big[] = {{"1", AE_IFREG, 0, "0123456789abcdef", 200000}};
	static const struct item bomb[] = {{"1", AE_IFREG, 0, "0000000000", 250000}};
	static const struct item above[] = {{"f", AE_IFREG, 0, "x", 0}};

	check_bad(six, 6, &bare, "the archive has over 5 entries", "one entry too many");
	check_bad(big, 1, &bare, "the archive holds over 3000000 bytes", "too many bytes");
	check_bad(bomb, 1, &bare, "the archive unpacks to over 50 times", "a bomb");
	check_bad(above, 1, &small, "above the folder", "a file beside the only folder");
}

static void check_damaged(void)
{
	static const struct item items[] = {{"x/a", AE_IFREG, 0, "0123456789abcdef", 5000}};
	autofree char *into = begin();
	cleanup(file_close_at) int fd = packed(items, 1, ARCHIVE_FILTER_GZIP);
	cleanup(file_close_at) int empty = memfd_create("empty", MFD_CLOEXEC);
	cleanup(file_close_at) int text = memfd_create("text", MFD_CLOEXEC);
	struct err err = ERR_INIT;

	if (ftruncate(fd, lseek(fd, 0, SEEK_END) - 30) || lseek(fd, 0, SEEK_SET))
		bail_out("can't cut");
	ok(archive_unpack(fd, into, &small, &err) == -1 && err.kind == ERR_USAGE, "cut short");
	ok(strstr(err.text, "damaged") != NULL, "  and says so");
	ok(archive_unpack(empty, into, &small, &err) == -1, "empty");
	if (write(text, "<html>404</html>", 16) != 16 || lseek(text, 0, SEEK_SET))
		bail_out("can't write");
	ok(archive_unpack(text, into, &small, &err) == -1 && strstr(err.text, "no tar"), "no tar");
	ok(archive_unpack(-1, into, &small, &err) == -1, "no descriptor");
	ok(archive_unpack(fd, "/nonexistent", &small, &err) == -1, "no folder");
}

int main(void)
{
	struct err err = ERR_INIT;

	umask(022);
	if (!mkdtemp(folder))
		bail_out("no folder");
	check_good(ARCHIVE_FILTER_NONE, "a plain tar");
	check_good(ARCHIVE_FILTER_GZIP, "gzip");
	check_good(ARCHIVE_FILTER_XZ, "xz");
	check_good(ARCHIVE_FILTER_ZSTD, "zstd");
	check_security_archive_extraction();
	check_refused();
	check_limits();
	check_damaged();
	if (file_remove_tree(folder, &err))
		tap_note("%s", err.text);
	return tap_done();
}

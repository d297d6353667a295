/* Archives that a stranger made. Whatever they hold, nothing may appear beside the folder. */
#include "base/archive.h"

#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Links may dangle, but what they lead to must be inside: following them can't leave the folder. */
static void check_links(const char *folder, const char *path)
{
	autofree char *here = file_join(folder, path);
	DIR *dir = opendir(here);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		autofree char *name =
			*path ? file_join(path, entry->d_name) : xstrdup(entry->d_name);
		autofree char *whole = file_join(folder, name);
		autofree char *real = entry->d_type == DT_LNK ? realpath(whole, NULL) : NULL;
		size_t length = strlen(folder);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		assert(!real
		       || (strncmp(real, folder, length) == 0
			   && (real[length] == '/' || real[length] == '\0')));
		if (entry->d_type == DT_DIR)
			check_links(folder, name);
	}
	if (dir)
		closedir(dir);
}

static unsigned count_entries(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct archive_limits limits = {
		.entries = 50, .bytes = 1 << 20, .ratio = 200, .strip = 1};
	char top[] = "/dev/shm/slipway-fuzz-XXXXXX";
	autofree char *folder = NULL;
	struct err err = ERR_INIT;
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert(mkdtemp(top) && fd >= 0);
	folder = file_join(top, "into");
	assert(file_make_dirs(folder, 0700, &err) == 0);
	assert(write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	if (archive_unpack(fd, folder, &limits, &err) == 0)
		check_links(folder, "");
	else
		assert(err.kind != ERR_NONE && *err.text && !strchr(err.text, '\n'));
	close(fd);
	assert(count_entries(top) == 3);
	assert(file_remove_tree(top, &err) == 0);
	return 0;
}

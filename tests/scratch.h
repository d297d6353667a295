/* scratch.h: a folder of a test's own, and a count of its open descriptors. */
#ifndef SCRATCH_H
#define SCRATCH_H
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tap.h"

static char scratch_folder[64];

static inline void scratch_remove(void)
{
	struct err err = ERR_INIT;

	if (file_remove_tree(scratch_folder, &err) < 0)
		tap_note("%s", err.text);
}

/** Make the folder; it goes when the program ends. */
static inline void scratch_begin(void)
{
	snprintf(scratch_folder, sizeof scratch_folder, "/tmp/slipway-test-XXXXXX");
	if (!mkdtemp(scratch_folder))
		bail_out("no scratch folder");
	atexit(scratch_remove);
}

/** <folder>/<name>, in one of eight buffers that take turns. */
static inline const char *scratch(const char *name)
{
	static char paths[8][4096];
	static unsigned turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
	return path;
}

/** How many descriptors this process has open. */
static inline int scratch_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count;
}
#endif

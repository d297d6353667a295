#ifndef BASE_ARCHIVE_H
#define BASE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Unpack a tar (plain, gzip, xz, zstd) that a stranger may have made. Regular files, folders and
 * symbolic links that stay inside; links that leave, hard links, devices, setuid bits, absolute
 * names and ".." are refused with ERR_USAGE, naming the entry.
 */
struct archive_limits {
	int64_t entries;
	int64_t bytes;  /* unpacked */
	int64_t ratio;  /* unpacked bytes per packed byte, once over 1 MiB */
	unsigned strip; /* leading path components dropped */
};

/** 100,000 entries, 2 GiB, 200:1, strip 1 (GitHub's "<owner>-<repo>-<short>/"). */
extern const struct archive_limits archive_limits_source;

/** Unpack the open file into `folder`, which must be new and empty. On failure what was unpacked
 * stays there: remove the folder. */
int archive_unpack(int fd, const char *folder, const struct archive_limits *limits,
		   struct err *err) MUST_CHECK;

#endif

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"

enum { MAX_SECRET = 64 * 1024 };

/* All of a secret's file. Its size must not be more than `room`. */
static int read_all(const char *path, char *bytes, size_t room, size_t *size, struct err *err)
{
	cleanup(file_close_at) int fd = -1;
	struct stat found;

	/* Opening a pipe or a device can block, or do something. */
	if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
		return err_set(err, ERR_USAGE, 0, "secret file %s is not a regular file", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_ABSENT, ENOENT, "secret file %s does not exist", path);
	if (fd < 0)
		return err_errno(err, "read secret file %s", path);
	*size = 0;
	while (*size < room) {
		ssize_t got = read(fd, bytes + *size, room - *size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, "read secret file %s", path);
		if (got == 0)
			return 0;
		*size += (size_t)got;
	}
	return err_set(err, ERR_LIMIT, 0, "secret file %s is longer than 64 KiB", path);
}

int secret_read(const struct secret *secret, char **out, struct err *err)
{
	size_t size = 0;
	char *bytes;
	int failed;

	*out = NULL;
	if (!secret->file) {
		if (!secret->text || !*secret->text)
			return err_set(err, ERR_USAGE, 0, "the secret is empty");
		*out = xstrdup(secret->text);
		return 0;
	}
	bytes = xalloc(MAX_SECRET + 2);
	failed = read_all(secret->file, bytes, MAX_SECRET + 1, &size, err);
	if (!failed && size > 0 && bytes[size - 1] == '\n')
		size -= size > 1 && bytes[size - 2] == '\r' ? 2 : 1;
	if (!failed && size == 0)
		failed = err_set(err, ERR_USAGE, 0, "secret file %s is empty", secret->file);
	if (!failed && memchr(bytes, '\0', size))
		failed =
			err_set(err, ERR_USAGE, 0, "secret file %s holds a NUL byte", secret->file);
	if (!failed)
		*out = xmemdup(bytes, size);
	crypto_wipe(bytes, MAX_SECRET + 2);
	free(bytes);
	return failed;
}

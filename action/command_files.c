#include "action/command_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/file.h"

enum { TOKEN = 32, LONGEST_VALUE = 256 * 1024, LONGEST_FILE = 1024 * 1024 };

/* *size is what it has already. */
static int open_file(const char *file, size_t *size, struct err *err)
{
	/* It is the runner's; when there is none, a build can't have put one in its place. */
	cleanup(file_close_at) int fd =
		open(file, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_CONFLICT, ELOOP, "write %s: it is a link", file);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "write %s", file);
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return err_set(err, ERR_CONFLICT, 0, "write %s: it is no file of its own", file);
	*size = (size_t)st.st_size;
	return file_take(&fd);
}

int command_files_append(const char *file, const char *text, size_t size, size_t limit,
			 struct err *err)
{
	size_t before = 0;
	cleanup(file_close_at) int fd = open_file(file, &before, err);

	if (fd < 0)
		return -1;
	if (before > limit || size > limit - before)
		return err_set(err, ERR_LIMIT, 0, "write %s: %zu bytes and %zu more are over %zu",
			       file, before, size, limit);
	while (size > 0) {
		ssize_t done = write(fd, text, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_errno(err, "write %s", file);
		text += done;
		size -= (size_t)done;
	}
	return 0;
}

int command_files_set(const char *file, const char *name, const char *value, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(2 * LONGEST_VALUE);
	char end[TOKEN + 1];

	if (!value)
		value = "";
	if (strlen(value) > LONGEST_VALUE)
		return err_set(err, ERR_LIMIT, 0, "'%.60s': %zu bytes; at most %d are written",
			       name, strlen(value), LONGEST_VALUE);
	crypto_random_hex(end, TOKEN);
	if (!*name || strpbrk(name, "=\r\n") || strstr(name, "<<") || strstr(name, end)
	    || strstr(value, end))
		return err_set(err, ERR_USAGE, 0, "'%.60s' can't be written to %s", name, file);
	buf_addf(&text, "%s<<slipway_%s\n%s\nslipway_%s\n", name, end, value, end);
	return command_files_append(file, text.data, text.size, LONGEST_FILE, err);
}

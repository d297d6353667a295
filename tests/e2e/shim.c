/*
 * Faults that a test can't have otherwise, by LD_PRELOAD into slipwayd:
 *   SHIM_CLOCK=FILE   wall-clock time is off by as many seconds as the file says at that moment
 *   SHIM_DURABLE=DIR  after each sync of a file in DIR it is copied to DIR/durable: what a power
 *                     cut would have left
 *   SHIM_FAIL=FILE    while the file has an errno's number in it, writes to the database fail so
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int clock_fd = -1, fail_fd = -1;
static const char *durable;

/* The function that ours stands before; ours may be called before any constructor. */
#define REAL(name)                     \
	static __typeof__(name) *real; \
	FIND(real, #name)
#define FIND(real, name)                                          \
	do {                                                      \
		if (!real)                                        \
			*(void **)&real = dlsym(RTLD_NEXT, name); \
	} while (0)

static int open_high(const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	return fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 100) : -1;
}

/* Opened before the program gives up the right to. */
static void __attribute__((constructor)) set_up(void)
{
	clock_fd = open_high(getenv("SHIM_CLOCK"));
	fail_fd = open_high(getenv("SHIM_FAIL"));
	durable = getenv("SHIM_DURABLE");
}

static long number_in(int fd)
{
	char text[32] = "";

	if (fd < 0 || pread(fd, text, sizeof text - 1, 0) <= 0)
		return 0;
	return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	REAL(clock_gettime);
	int result = real(clock, out);

	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		out->tv_sec += number_in(clock_fd);
	return result;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}

/* The path of an open file; false when it has none. */
static int path_of(int fd, char path[4096])
{
	char link[64];
	ssize_t size;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	size = readlink(link, path, 4095);
	path[size > 0 ? size : 0] = '\0';
	return size > 0;
}

static void copy(int from, const char *to)
{
	char temporary[4300], bytes[65536];
	off_t at = 0;
	ssize_t got;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", to);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	while ((got = pread(from, bytes, sizeof bytes, at)) > 0
	       && write(fd, bytes, (size_t)got) == got)
		at += got;
	close(fd);
	rename(temporary, to);
}

static void keep(int fd)
{
	char path[4096], to[4200];
	size_t folder = durable ? strlen(durable) : 0;
	int lock;

	if (!durable || !path_of(fd, path) || strncmp(path, durable, folder) != 0
	    || path[folder] != '/' || strchr(path + folder + 1, '/'))
		return;
	/* Removed again after the change to WAL, which no sync of a file tells us. */
	if (strstr(path, "-journal"))
		return;
	snprintf(to, sizeof to, "%.3000s/durable/lock", durable);
	lock = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	flock(lock, LOCK_EX);
	snprintf(to, sizeof to, "%.3000s/durable/%.1000s", durable, path + folder + 1);
	copy(fd, to);
	close(lock);
}

int fsync(int fd)
{
	REAL(fsync);
	int result = real(fd);

	if (result == 0)
		keep(fd);
	return result;
}

int fdatasync(int fd)
{
	REAL(fdatasync);
	int result = real(fd);

	if (result == 0)
		keep(fd);
	return result;
}

static int fails(int fd)
{
	char path[4096];
	long code = number_in(fail_fd);

	if (code == 0 || !path_of(fd, path) || !strstr(path, "/store/slipway.db"))
		return 0;
	errno = (int)code;
	return 1;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	REAL(pwrite);
	return fails(fd) ? -1 : real(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	REAL(pwrite64);
	return fails(fd) ? -1 : real(fd, bytes, size, at);
}

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"
#include "target/server/nginx_runner.h"

#define POLL_MS      100
#define TEST_SECONDS 30
#define ENV_PATH     "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

const char *nginx_program(void)
{
	static const char *const paths[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
					    "/usr/bin/nginx", "/usr/local/bin/nginx"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

/* A process's command line with its arguments apart by spaces; empty for none and for a zombie. */
static void command_line(pid_t pid, struct buf *out)
{
	char path[64];
	struct err ignored;

	buf_clear(out);
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	if (file_read(path, out, &ignored) == -1)
		buf_clear(out);
	for (size_t i = 0; i < out->size; i++)
		if (out->data[i] == '\0')
			out->data[i] = ' ';
}

/* "nginx: master process /usr/sbin/nginx -p DIR …", or before it has set its title the rest of
 * that. A test (-t) of the configuration is none. */
static bool is_master(pid_t pid, const char *dir)
{
	cleanup(buf_free) struct buf line = BUF_INIT(16 << 10);
	autofree char *prefix = xprintf("nginx -p %s ", dir);

	command_line(pid, &line);
	return strstr(buf_text(&line), prefix) && !strstr(buf_text(&line), " -t ");
}

static pid_t pid_in_file(const char *dir)
{
	cleanup(buf_free) struct buf text = BUF_INIT(64);
	autofree char *path = file_join(dir, "nginx.pid");
	struct err ignored;

	if (file_read(path, &text, &ignored) == -1)
		return 0;
	return (pid_t)strtol(buf_text(&text), NULL, 10);
}

/* Does the process work in DIR? Our nginx's workers do: that's how orphaned ones are found. */
static bool works_in(pid_t pid, const char *dir)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
	return stat(path, &theirs) == 0 && stat(dir, &ours) == 0 && theirs.st_dev == ours.st_dev
	       && theirs.st_ino == ours.st_ino;
}

static bool is_worker(pid_t pid, const char *dir)
{
	cleanup(buf_free) struct buf line = BUF_INIT(16 << 10);

	command_line(pid, &line);
	return text_starts(buf_text(&line), "nginx: worker process") && works_in(pid, dir);
}

static pid_t find_process(const char *dir, bool (*wanted)(pid_t pid, const char *dir),
			  int signal_each)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	pid_t found = 0;

	while (folder && (entry = readdir(folder))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || !wanted(pid, dir))
			continue;
		found = pid;
		if (signal_each)
			(void)kill(pid, signal_each);
	}
	if (folder)
		closedir(folder);
	return found;
}

static pid_t master(const char *dir)
{
	pid_t pid = pid_in_file(dir);

	if (pid > 0 && is_master(pid, dir))
		return pid;
	return find_process(dir, is_master, 0);
}

static bool is_running(const struct nginx *nginx)
{
	return master(nginx->dir) > 0;
}

static int send_signal(const struct nginx *nginx, int number, struct err *err)
{
	pid_t pid = master(nginx->dir);

	if (pid > 0 && kill(pid, number) == -1)
		return err_errno(err, "send signal %d to nginx (pid %d)", number, (int)pid);
	return 0;
}

static void add_line(void *self, const char *line, size_t size)
{
	struct buf *said = self;

	buf_add(said, line, size);
	buf_addc(said, '\n');
}

static int test(const struct nginx *nginx, const char *conf, struct buf *said, int *status,
		struct err *err)
{
	autofree char *log = file_join(nginx->dir, "error.log");
	const char *const argv[] = {
		nginx_program(), "-p", nginx->dir, "-t", "-q", "-e", log, "-c", conf, NULL};
	const char *const env[] = {ENV_PATH, NULL};
	struct child child = {.argv = argv,
			      .env = env,
			      .dir = "/",
			      .timeout = TEST_SECONDS,
			      .output = add_line,
			      .self = said};

	return child_run(&child, status, err);
}

/* Workers whose master was killed go on taking connections, and have the ports. */
static void end_orphans(const struct nginx *nginx)
{
	int64_t end = clock_ticks(nginx->clock) + 2000;

	find_process(nginx->dir, is_worker, SIGQUIT);
	while (find_process(nginx->dir, is_worker, 0)) {
		if (clock_ticks(nginx->clock) >= end)
			break; /* they finish requests; their listening sockets are closed */
		clock_sleep(nginx->clock, POLL_MS);
	}
}

static int start(const struct nginx *nginx, struct err *err)
{
	autofree char *conf = file_join(nginx->dir, "nginx.conf");
	autofree char *log = file_join(nginx->dir, "error.log");
	autofree char *out = file_join(nginx->dir, "start.log");
	autofree char *socket = file_join(nginx->dir, "control.sock");
	const char *const argv[] = {nginx_program(), "-p", nginx->dir, "-e", log, "-c", conf, NULL};
	const char *const env[] = {ENV_PATH, NULL};
	struct child child = {.argv = argv, .env = env, .dir = "/"};
	pid_t pid;

	end_orphans(nginx);
	(void)unlink(socket); /* nginx doesn't take over one that was left behind */
	(void)unlink(out);
	if (child_detach(&child, out, &pid, err) == -1)
		return err_within(err, "start nginx");
	return 0;
}

static int clear(const struct nginx *nginx, struct err *err)
{
	(void)err;
	find_process(nginx->dir, is_worker, SIGKILL);
	return 0;
}

const struct nginx_runner nginx_process = {
	.running = is_running,
	.signal = send_signal,
	.start = start,
	.test = test,
	.clear = clear,
};

#include "target/server/nginx.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"

#define CONF_LIMIT    (8 << 20)
#define LOG_LIMIT     (64 << 20)
#define POLL_MS       100
#define TAKE_OVER_MS  15000
#define LOCK_MS       60000
#define LOOKS         3 /* in a row: right after a reload old workers still answer some */
#define TEST_SECONDS  30
#define EMERG         "[emerg] "
#define ENV_PATH      "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
#define ERROR_LOG_MAX (16 << 20)

static const char *program(void)
{
	static const char *const paths[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
					    "/usr/bin/nginx", "/usr/local/bin/nginx"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

int nginx_check(struct err *err)
{
	if (program())
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "/usr/sbin/nginx is missing; target server needs it as its gateway (apt-get "
		       "install nginx-light; it doesn't have to be started)");
}

int nginx_lock(const char *dir, struct clock *clock, struct err *err)
{
	autofree char *path = file_join(dir, "lock");
	int64_t end = clock_ticks(clock) + LOCK_MS;

	for (;;) {
		int fd = file_lock(path, false, err);

		if (fd != -1 || err->kind != ERR_CONFLICT)
			return fd;
		if (clock_ticks(clock) >= end)
			return err_set(err, ERR_TRANSIENT, 0,
				       "the gateway is still locked by another process after %d s",
				       LOCK_MS / 1000);
		clock_sleep(clock, POLL_MS);
	}
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

bool nginx_is_running(const char *dir)
{
	return master(dir) > 0;
}

/* "7#7: *1 bind() to …": what comes after the process's and the connection's number. */
static const char *message(const char *text)
{
	const char *rest = text + strspn(text, "0123456789#");

	if (rest > text && text_starts(rest, ": "))
		text = rest + 2;
	if (text[0] == '*')
		text += strcspn(text, " \n") + (strchr(text, ' ') != NULL);
	return text;
}

/* The first [emerg] that was logged after `from`: those after it follow from it. */
static void first_complaint(const char *dir, size_t from, char *out, size_t size)
{
	static const char *const names[] = {"error.log", "start.log"};

	snprintf(out, size, "no reason in %s/error.log", dir);
	for (size_t i = 0; i < 2; i++) {
		cleanup(buf_free) struct buf text = BUF_INIT(LOG_LIMIT);
		autofree char *path = file_join(dir, names[i]);
		const char *line;
		struct err ignored;

		if (file_read(path, &text, &ignored) == -1)
			continue;
		line = strstr(buf_text(&text) + (i == 0 && from <= text.size ? from : 0), EMERG);
		if (!line)
			continue;
		line = message(line + sizeof EMERG - 1);
		snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
		return;
	}
}

/* After a reload that can't bind, nginx tries for some seconds, then goes on as before. */
static bool gave_up(const char *dir, size_t from)
{
	cleanup(buf_free) struct buf text = BUF_INIT(LOG_LIMIT);
	autofree char *path = file_join(dir, "error.log");
	struct err ignored;

	return file_read(path, &text, &ignored) == 0 && from <= text.size
	       && strstr(buf_text(&text) + from, "still could not bind()");
}

static size_t log_size(const char *dir)
{
	autofree char *path = file_join(dir, "error.log");
	struct stat info;

	return stat(path, &info) == 0 ? (size_t)info.st_size : 0;
}

static bool answers(const struct nginx *nginx, const char *generation)
{
	autofree char *socket = file_join(nginx->dir, "control.sock");
	struct http_request request = {.method = "GET", .timeout = 5, .unix_socket = socket};
	struct http_response response = {0};
	struct err ignored;
	bool same;

	if (!file_exists(socket))
		return false;
	request.url = xstrdup("http://gateway/generation");
	same = http_send(nginx->http, &request, &response, &ignored) == 0 && response.status == 200
	       && text_same(buf_text(&response.body), generation);
	http_request_free(&request);
	http_response_free(&response);
	return same;
}

static bool takes_over(const struct nginx *nginx, const char *generation, size_t from)
{
	int64_t end = clock_ticks(nginx->clock) + TAKE_OVER_MS;
	unsigned looks = 0, gone = 0;

	while (looks < LOOKS) {
		looks = answers(nginx, generation) ? looks + 1 : 0;
		/* While it sets its title its command line is neither the old nor the new one. */
		gone = nginx_is_running(nginx->dir) ? 0 : gone + 1;
		if (clock_ticks(nginx->clock) >= end || gone >= LOOKS
		    || (looks == 0 && gave_up(nginx->dir, from)))
			return false;
		clock_sleep(nginx->clock, POLL_MS);
	}
	return true;
}

/* What to do about it, where that is known. */
static const char *advice(const char *complaint)
{
	if (!strstr(complaint, "bind()"))
		return "";
	if (strstr(complaint, "(13: "))
		return "; ports below 1024 need CAP_NET_BIND_SERVICE (docs/targets/server.md)";
	if (strstr(complaint, "(98: "))
		return "; another program has that port: stop it, or give the app another";
	return "";
}

struct last_line {
	char text[400];
};

/* nginx -t says "… test failed" last; what matters is the line with [emerg] before it. */
static void keep_emerg(void *self, const char *line, size_t size)
{
	struct last_line *last = self;
	autofree char *text = xprintf("%.*s", (int)size, line);
	const char *emerg = strstr(text, EMERG);

	if (emerg)
		snprintf(last->text, sizeof last->text, "%s", message(emerg + sizeof EMERG - 1));
}

static int test(const struct nginx *nginx, const char *conf, struct err *err)
{
	autofree char *log = file_join(nginx->dir, "error.log");
	const char *const argv[] = {program(), "-p", nginx->dir, "-t", "-q",
				    "-e",      log,  "-c",       conf, NULL};
	const char *const env[] = {ENV_PATH, NULL};
	struct last_line last = {"no reason given"};
	struct child child = {.argv = argv,
			      .env = env,
			      .dir = "/",
			      .timeout = TEST_SECONDS,
			      .output = keep_emerg,
			      .self = &last};
	int status;

	if (child_run(&child, &status, err) == -1)
		return err_within(err, "nginx -t");
	if (status != 0)
		return err_set(err, ERR_REMOTE, status,
			       "nginx -t refused the gateway's configuration: %s%s", last.text,
			       advice(last.text));
	return 0;
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
	const char *const argv[] = {program(), "-p", nginx->dir, "-e", log, "-c", conf, NULL};
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

/* Start it, or let it read its configuration again; true when it answers with the new one. */
static int bring_in(const struct nginx *nginx, const char *generation, struct err *err)
{
	pid_t pid = master(nginx->dir);
	size_t from = log_size(nginx->dir);
	char why[300];

	if (pid > 0 && kill(pid, SIGHUP) == -1)
		return err_errno(err, "reload nginx (pid %d)", (int)pid);
	if (pid <= 0 && start(nginx, err) == -1)
		return -1;
	if (takes_over(nginx, generation, from))
		return 0;
	first_complaint(nginx->dir, from, why, sizeof why);
	return err_set(err, ERR_SYSTEM, 0, "nginx doesn't take the configuration: %s%s", why,
		       advice(why));
}

/* Nobody else would: a log grows for as long as the service runs. */
static void rotate_log(const char *dir, pid_t pid)
{
	autofree char *log = file_join(dir, "error.log");
	autofree char *old = file_join(dir, "error.log.1");

	if (pid > 0 && log_size(dir) > ERROR_LOG_MAX && rename(log, old) == 0)
		(void)kill(pid, SIGUSR1);
}

int nginx_run(const struct nginx *nginx, const struct buf *conf, const char *generation,
	      struct err *err)
{
	cleanup(buf_free) struct buf before = BUF_INIT(CONF_LIMIT);
	autofree char *path = file_join(nginx->dir, "nginx.conf");
	autofree char *new_path = file_join(nginx->dir, "nginx.conf.new");
	struct err ignored;
	bool had = file_read(path, &before, &ignored) == 0;
	pid_t pid = master(nginx->dir);
	bool same = had && before.size == conf->size
		    && memcmp(buf_text(&before), buf_text(conf), conf->size) == 0;

	rotate_log(nginx->dir, pid);
	if (same && pid > 0 && answers(nginx, generation))
		return 0;
	if (!same) {
		if (file_write(new_path, conf->data, conf->size, 0600, err) == -1
		    || test(nginx, new_path, err) == -1)
			return -1;
		if (rename(new_path, path) == -1)
			return err_errno(err, "%s", path);
	}
	if (bring_in(nginx, generation, err) == 0)
		return 0;
	if (!same && had && file_write(path, before.data, before.size, 0600, &ignored) == 0) {
		pid = master(nginx->dir);
		if (pid > 0)
			(void)kill(pid, SIGHUP);
	}
	return -1;
}

static bool wait_end(const char *dir, int64_t milliseconds, struct clock *clock)
{
	int64_t end = clock_ticks(clock) + milliseconds;

	while (nginx_is_running(dir)) {
		if (clock_ticks(clock) >= end)
			return false;
		clock_sleep(clock, POLL_MS);
	}
	return true;
}

int nginx_stop(const char *dir, int64_t grace, struct clock *clock, struct err *err)
{
	static const int signals[] = {SIGQUIT, SIGTERM, SIGKILL};

	for (size_t i = 0; i < 3; i++) {
		pid_t pid = master(dir);

		if (pid <= 0)
			break;
		(void)kill(pid, signals[i]);
		(void)wait_end(dir, i == 0 ? grace * 1000 : 5000, clock);
	}
	if (nginx_is_running(dir))
		return err_set(err, ERR_SYSTEM, 0, "nginx (pid %d) does not end", (int)master(dir));
	find_process(dir, is_worker, SIGKILL);
	return 0;
}

#include "target/server/nginx.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "target/server/nginx_runner.h"

#define CONF_LIMIT    (8 << 20)
#define LOG_LIMIT     (64 << 20)
#define POLL_MS       100
#define TAKE_OVER_MS  15000
#define LOCK_MS       60000
#define LOOKS         3 /* in a row: right after a reload old workers still answer some */
#define EMERG         "[emerg] "
#define ERROR_LOG_MAX (16 << 20)

/* What runs goes on as it is; a new one is a process where it can be. */
static const struct nginx_runner *runner(const struct nginx *nginx)
{
	/* First, for a container's process is seen among this machine's own too. */
	if (nginx->engine && nginx_container.running(nginx))
		return &nginx_container;
	return nginx_program() || !nginx->engine || nginx_process.running(nginx) ? &nginx_process
										 : &nginx_container;
}

int nginx_check(const struct nginx *nginx, struct err *err)
{
	if (nginx_program() || nginx->engine)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "/usr/sbin/nginx is missing; target server needs it as its gateway (apt-get "
		       "install nginx-light; it doesn't have to be started), or a Docker engine");
}

bool nginx_is_container(const struct nginx *nginx)
{
	return runner(nginx) == &nginx_container;
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
		gone = runner(nginx)->running(nginx) ? 0 : gone + 1;
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

/* nginx -t says "… test failed" last; what matters is the line with [emerg] before it. */
static const char *reason(struct buf *said)
{
	char *text = (char *)strstr(buf_text(said), EMERG);

	if (!text)
		return "no reason given";
	text[strcspn(text, "\n")] = '\0';
	return message(text + sizeof EMERG - 1);
}

static int test(const struct nginx *nginx, const char *conf, struct err *err)
{
	cleanup(buf_free) struct buf said = BUF_INIT(1 << 20);
	int status = 0;
	const char *why;

	if (runner(nginx)->test(nginx, conf, &said, &status, err) == -1)
		return err_within(err, "nginx -t");
	if (status == 0)
		return 0;
	why = reason(&said);
	return err_set(err, ERR_REMOTE, status,
		       "nginx -t refused the gateway's configuration: %.400s%s", why, advice(why));
}

/* Start it, or let it read its configuration again; true when it answers with the new one. */
static int bring_in(const struct nginx *nginx, const char *generation, struct err *err)
{
	const struct nginx_runner *run = runner(nginx);
	size_t from = log_size(nginx->dir);
	char why[300];

	if ((run->running(nginx) ? run->signal(nginx, SIGHUP, err) : run->start(nginx, err)) == -1)
		return -1;
	if (takes_over(nginx, generation, from))
		return 0;
	first_complaint(nginx->dir, from, why, sizeof why);
	return err_set(err, ERR_SYSTEM, 0, "nginx doesn't take the configuration: %s%s", why,
		       advice(why));
}

/* Nobody else would: a log grows for as long as the service runs. */
static void rotate_log(const struct nginx *nginx)
{
	autofree char *log = file_join(nginx->dir, "error.log");
	autofree char *old = file_join(nginx->dir, "error.log.1");
	struct err ignored;

	if (log_size(nginx->dir) > ERROR_LOG_MAX && rename(log, old) == 0)
		runner(nginx)->signal(nginx, SIGUSR1, &ignored);
}

int nginx_run(const struct nginx *nginx, const struct buf *conf, const char *generation,
	      struct err *err)
{
	cleanup(buf_free) struct buf before = BUF_INIT(CONF_LIMIT);
	autofree char *path = file_join(nginx->dir, "nginx.conf");
	autofree char *new_path = file_join(nginx->dir, "nginx.conf.new");
	struct err ignored;
	bool had = file_read(path, &before, &ignored) == 0;
	const struct nginx_runner *run = runner(nginx);
	bool running = run->running(nginx);
	bool same = had && before.size == conf->size
		    && memcmp(buf_text(&before), buf_text(conf), conf->size) == 0;

	if (running)
		rotate_log(nginx);
	if (same && running && answers(nginx, generation))
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
	if (!same && had && file_write(path, before.data, before.size, 0600, &ignored) == 0
	    && run->signal(nginx, SIGHUP, &ignored) == -1)
		return -1;
	return -1;
}

static bool wait_end(const struct nginx *nginx, const struct nginx_runner *run,
		     int64_t milliseconds)
{
	int64_t end = clock_ticks(nginx->clock) + milliseconds;

	while (run->running(nginx)) {
		if (clock_ticks(nginx->clock) >= end)
			return false;
		clock_sleep(nginx->clock, POLL_MS);
	}
	return true;
}

int nginx_stop(const struct nginx *nginx, int64_t grace, struct err *err)
{
	static const int signals[] = {SIGQUIT, SIGTERM, SIGKILL};
	const struct nginx_runner *run = runner(nginx);

	for (size_t i = 0; i < 3 && run->running(nginx); i++) {
		if (run->signal(nginx, signals[i], err) == -1)
			return -1;
		(void)wait_end(nginx, run, i == 0 ? grace * 1000 : 5000);
	}
	if (run->running(nginx))
		return err_set(err, ERR_SYSTEM, 0, "nginx in %s does not end", nginx->dir);
	return run->clear(nginx, err);
}

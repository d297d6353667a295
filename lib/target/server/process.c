#include "target/server/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#define SCRIPT_LIMIT (4 << 20)
#define LOG_LIMIT    (16 << 20)
#define POLL_MS      50
#define START_MS     10000
#define STAMP_SIZE   26 /* svlogd -tt: "2026-11-24_13:45:00.12345 " */
#define RUNSV        "/usr/bin/runsv"
#define SVLOGD       "/usr/bin/svlogd"
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int check_program(const char *path, struct err *err)
{
	if (access(path, X_OK) == 0)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "%s is missing; target server needs it (apt-get install runit)", path);
}

int process_check(struct err *err)
{
	return check_program(RUNSV, err) == -1 || check_program(SVLOGD, err) == -1 ? -1 : 0;
}

/* 'it'\''s': nothing between single quotes means anything to a shell. */
static void add_quoted(struct buf *out, const char *text)
{
	buf_addc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *text);
	}
	buf_addc(out, '\'');
}

static void add_export(struct buf *out, const char *pair)
{
	size_t name = strcspn(pair, "=");

	buf_adds(out, "export ");
	buf_add(out, pair, name);
	buf_addc(out, '=');
	add_quoted(out, pair[name] ? pair + name + 1 : "");
	buf_addc(out, '\n');
}

static void run_script(const struct slot_command *command, struct buf *out)
{
	buf_adds(out,
		 "#!/bin/sh\n# Written by slipway: a change is lost with the next deployment.\n"
		 "exec 2>&1 </dev/null\ncd ");
	add_quoted(out, command->folder);
	buf_adds(out, " || exit 127\n");
	add_export(out, DEFAULT_PATH);
	add_export(out, "LANG=C.UTF-8");
	buf_adds(out, "export HOME=");
	add_quoted(out, command->folder);
	buf_addc(out, '\n');
	for (size_t i = 0; command->env && command->env[i]; i++)
		add_export(out, command->env[i]);
	buf_addf(out, "export PORT=%d\nunset PWD OLDPWD\nexec", command->port);
	for (size_t i = 0; command->argv[i]; i++) {
		buf_addc(out, ' ');
		add_quoted(out, command->argv[i]);
	}
	buf_addc(out, '\n');
}

/* A process that ends every second for a year must not fill the disk. */
static const char finish_script[] =
	"#!/bin/sh\n"
	"test -f exits && test \"$(wc -c <exits)\" -gt 4096 || echo \"$1 $2\" >>exits\n";

static int write_script(const char *dir, const char *name, const void *text, size_t size,
			struct err *err)
{
	autofree char *path = file_join(dir, name);

	return file_write(path, text, size, 0700, err);
}

/* The bytes are wiped: a script holds the app's secrets. */
static void forget(struct buf *script)
{
	if (script->data)
		crypto_wipe(script->data, script->size);
	buf_free(script);
}

static bool is_written(const char *dir, const char *name, const struct buf *text)
{
	cleanup(forget) struct buf now = BUF_INIT(SCRIPT_LIMIT);
	autofree char *path = file_join(dir, name);
	struct err ignored;

	return file_read(path, &now, &ignored) == 0 && now.size == text->size
	       && memcmp(buf_text(&now), buf_text(text), now.size) == 0;
}

static int write_scripts(const char *dir, const struct buf *run, const struct buf *log,
			 struct err *err)
{
	autofree char *log_dir = file_join(dir, "log");

	if (file_make_dirs(log_dir, 0700, err) == -1
	    || write_script(log_dir, "run", log->data, log->size, err) == -1
	    || write_script(dir, "finish", finish_script, sizeof finish_script - 1, err) == -1)
		return -1;
	return write_script(dir, "run", run->data, run->size, err);
}

/* A descriptor that runsv reads at its other end; -1 when there is no runsv. */
static int open_fifo(const char *dir, const char *name)
{
	autofree char *path = xprintf("%s/supervise/%s", dir, name);

	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static bool is_supervised(const char *dir)
{
	cleanup(file_close_at) int fd = open_fifo(dir, "ok");

	return fd != -1;
}

/* Every process of the slot has this in its environment, from runsv on: so also one that left its
 * parent, and a runsv that was started a moment ago by a worker that died, are found. */
static void kill_all(const char *dir)
{
	autofree char *mark = xprintf("SLIPWAY_SLOT=%s", dir);

	(void)child_kill_marked(mark);
}

static int start_runsv(const char *dir, struct clock *clock, struct err *err)
{
	autofree char *mark = xprintf("SLIPWAY_SLOT=%s", dir);
	const char *const argv[] = {RUNSV, dir, NULL};
	const char *const env[] = {DEFAULT_PATH, mark, NULL};
	struct child child = {.argv = argv, .env = env, .dir = "/"};
	autofree char *log = file_join(dir, "runsv.log");
	int64_t end = clock_ticks(clock) + START_MS;
	pid_t pid;

	if (child_detach(&child, log, &pid, err) == -1)
		return err_within(err, "start runsv");
	while (!is_supervised(dir)) {
		if (clock_ticks(clock) >= end)
			return err_set(err, ERR_SYSTEM, 0,
				       "runsv did not start within %d s in %s; see runsv.log there",
				       START_MS / 1000, dir);
		clock_sleep(clock, POLL_MS);
	}
	return 0;
}

/* What would tell about another command. runsv's lock stays: there is never a second one. */
static int forget_past(const char *dir, struct err *err)
{
	static const char *const names[] = {"exits", "supervise/status", "runsv.log"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		autofree char *path = file_join(dir, names[i]);

		if (file_remove_tree(path, err) == -1)
			return -1;
	}
	return 0;
}

int process_start(const char *dir, const struct slot_command *command, struct clock *clock,
		  struct err *err)
{
	cleanup(forget) struct buf run = BUF_INIT(SCRIPT_LIMIT);
	cleanup(buf_free) struct buf log = BUF_INIT(SCRIPT_LIMIT);

	run_script(command, &run);
	buf_adds(&log, "#!/bin/sh\nexec " SVLOGD " -tt ");
	add_quoted(&log, command->log);
	buf_addc(&log, '\n');
	if (buf_full(&run))
		return err_set(err, ERR_LIMIT, 0,
			       "the app's command and environment are larger than %d MiB",
			       SCRIPT_LIMIT >> 20);
	if (is_supervised(dir) && is_written(dir, "run", &run))
		return 0;
	if (process_stop(dir, 10, clock, err) == -1 || file_make_dirs(dir, 0700, err) == -1
	    || forget_past(dir, err) == -1 || file_make_dirs(command->log, 0700, err) == -1
	    || write_scripts(dir, &run, &log, err) == -1)
		return -1;
	return start_runsv(dir, clock, err);
}

int process_resume(const char *dir, struct clock *clock, struct err *err)
{
	autofree char *run = file_join(dir, "run");

	if (is_supervised(dir))
		return 0;
	if (!file_exists(run))
		return SLOT_EMPTY;
	kill_all(dir);
	if (forget_past(dir, err) == -1)
		return -1;
	return start_runsv(dir, clock, err);
}

/* runsv's commands: x, end and take the process along (SIGTERM); k, SIGKILL to the process. */
static void command_runsv(const char *dir, const char *letter)
{
	cleanup(file_close_at) int fd = open_fifo(dir, "control");

	if (fd != -1 && write(fd, letter, 1) == -1)
		return; /* it ended meanwhile: the caller looks again */
}

static bool wait_gone(const char *dir, int64_t milliseconds, struct clock *clock)
{
	int64_t end = clock_ticks(clock) + milliseconds;

	while (is_supervised(dir)) {
		if (clock_ticks(clock) >= end)
			return false;
		clock_sleep(clock, POLL_MS);
	}
	return true;
}

int process_stop(const char *dir, int64_t grace, struct clock *clock, struct err *err)
{
	if (is_supervised(dir)) {
		command_runsv(dir, "x");
		if (!wait_gone(dir, grace * 1000, clock)) {
			command_runsv(dir, "k");
			/* What it started may hold the log's pipe, and so svlogd and runsv. */
			kill_all(dir);
		}
		if (!wait_gone(dir, START_MS, clock))
			return err_set(err, ERR_SYSTEM, 0, "runsv does not end in %s", dir);
	}
	kill_all(dir);
	return 0;
}

/* supervise/status, 20 bytes: TAI64N, pid (little endian), paused, wanted, got TERM, state. */
static pid_t status_pid(const char *dir)
{
	cleanup(buf_free) struct buf status = BUF_INIT(64);
	autofree char *path = file_join(dir, "supervise/status");
	const unsigned char *bytes;
	struct err ignored;

	if (file_read(path, &status, &ignored) == -1 || status.size != 20)
		return 0;
	bytes = (const unsigned char *)status.data;
	if (bytes[19] != 1)
		return 0;
	return (pid_t)((unsigned)bytes[12] | (unsigned)bytes[13] << 8 | (unsigned)bytes[14] << 16
		       | (unsigned)bytes[15] << 24);
}

static void read_exits(const char *dir, struct slot_status *out)
{
	cleanup(buf_free) struct buf exits = BUF_INIT(64 << 10);
	autofree char *path = file_join(dir, "exits");
	const char *line, *last;
	struct err ignored;
	char *rest;
	long status, signal;

	if (file_read(path, &exits, &ignored) == -1 || exits.size == 0)
		return;
	last = buf_text(&exits);
	for (line = last; *line; line += line[0] == '\n') {
		out->exits++;
		last = line;
		line += strcspn(line, "\n");
	}
	status = strtol(last, &rest, 10);
	signal = strtol(rest, NULL, 10);
	if (status == -1)
		snprintf(out->last, sizeof out->last, "was killed by signal %ld", signal & 0x7f);
	else
		snprintf(out->last, sizeof out->last, "exited with status %ld", status);
}

struct slot_status process_look(const char *dir)
{
	struct slot_status out = {.supervised = is_supervised(dir)};

	if (out.supervised)
		out.pid = status_pid(dir);
	read_exits(dir, &out);
	return out;
}

static bool has_stamp(const char *line, size_t size)
{
	return size >= STAMP_SIZE && isdigit((unsigned char)line[0]) && line[4] == '-'
	       && line[10] == '_' && line[13] == ':' && line[19] == '.'
	       && line[STAMP_SIZE - 1] == ' ';
}

static void add_line(struct buf *out, const char *line, size_t size)
{
	size_t skip = has_stamp(line, size) ? STAMP_SIZE : 0;

	buf_add(out, line + skip, size - skip);
	buf_addc(out, '\n');
}

void process_tail(const char *log, unsigned lines, struct buf *out)
{
	cleanup(buf_free) struct buf text = BUF_INIT(LOG_LIMIT);
	autofree char *path = file_join(log, "current");
	struct err ignored;
	size_t from, end;

	if (file_read(path, &text, &ignored) == -1 || text.size == 0)
		return;
	end = text.size - (text.data[text.size - 1] == '\n');
	for (from = end; from > 0; from--)
		if (text.data[from - 1] == '\n' && lines-- == 1)
			break;
	while (from < end) {
		const char *line = text.data + from;
		const char *stop = memchr(line, '\n', end - from);
		size_t size = stop ? (size_t)(stop - line) : end - from;

		add_line(out, line, size);
		from += size + 1;
	}
}

#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/text.h"

/* Milliseconds. Without pidfd_open() an exit is found by looking. */
enum { TICK_EVERY = 250, LOOK_EVERY = 50 };

/* Descriptors that a child is given follow its stderr. */
enum { FIRST_KEPT = 3, MOST_KEPT = 16 };

/* ---- starting ---- */

static const char *path_of(const char *const *env)
{
	for (; env && *env; env++)
		if (text_starts(*env, "PATH="))
			return *env + strlen("PATH=");
	return "/usr/local/bin:/usr/bin:/bin";
}

/* The program's path; the caller frees. NULL: not in PATH. Only absolute folders of PATH count:
 * what "" or "." would find is up to whoever wrote the folder we run in. */
static char *find_program(const char *name, const char *path)
{
	struct stat st;

	if (strchr(name, '/'))
		return xstrdup(name);
	for (size_t size; *path; path += size + (path[size] == ':')) {
		autofree char *program = NULL;

		size = strcspn(path, ":");
		if (path[0] != '/')
			continue;
		program = xprintf("%.*s/%s", (int)size, path, name);
		if (access(program, X_OK) == 0 && stat(program, &st) == 0 && S_ISREG(st.st_mode))
			return take(program);
	}
	return NULL;
}

/* What a child gets as its stdout and stderr (-1: /dev/null), and from descriptor 3 on. */
struct outputs {
	int out, err;
	bool inherit; /* its stdout and stderr are ours */
	const int *keep;
	size_t count;
};

static void add_output(posix_spawn_file_actions_t *actions, int from, int to)
{
	if (from < 0)
		posix_spawn_file_actions_addopen(actions, to, "/dev/null", O_WRONLY, 0);
	else
		posix_spawn_file_actions_adddup2(actions, from, to);
}

static int spawn_program(const char *program, const struct child *child,
			 const struct outputs *outputs, short session, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int failed;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	if (!outputs->inherit) {
		add_output(&actions, outputs->out, STDOUT_FILENO);
		add_output(&actions, outputs->err, STDERR_FILENO);
	}
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (child->dir)
		posix_spawn_file_actions_addchdir_np(&actions, child->dir);
	for (size_t i = 0; i < outputs->count; i++)
		posix_spawn_file_actions_adddup2(&actions, outputs->keep[i], FIRST_KEPT + (int)i);
	posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_KEPT + (int)outputs->count);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr,
				 (short)(session | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	failed = posix_spawn(pid, program, &actions, &attr, (char *const *)child->argv,
			     (char *const *)child->env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* `session`: POSIX_SPAWN_SETPGROUP or POSIX_SPAWN_SETSID. */
static int spawn(const struct child *child, const struct outputs *outputs, short session,
		 pid_t *pid, struct err *err)
{
	const char *name = child->argv[0], *path = path_of(child->env);
	autofree char *program = find_program(name, path);
	struct stat st;
	int failed;

	if (!program)
		return err_set(err, ERR_ABSENT, ENOENT, "run %s: no such program in PATH (%s)",
			       name, path);
	failed = spawn_program(program, child, outputs, session, pid);
	if (!failed)
		return 0;
	if (child->dir && stat(child->dir, &st) < 0)
		return err_set(err, ERR_ABSENT, errno, "run %s: no such folder: %s", name,
			       child->dir);
	errno = failed;
	err_errno(err, "run %s", name);
	if (failed == ENOENT || failed == ENOTDIR)
		err->kind = ERR_ABSENT;
	return -1;
}

/* ---- watching ---- */

/* One end of a pipe: into `whole`, or cut into lines. */
struct stream {
	int fd;
	struct buf *whole;
	struct lines lines;
};

struct run {
	const struct child *child;
	pid_t pid;
	int pidfd;
	struct stream streams[2];
	int64_t next_tick, stop_at, kill_at; /* in ticks; INT64_MAX: not planned */
	struct err stopped;                  /* why we stopped it; ERR_NONE: we didn't */
};

static void discard(void *self, const char *line, size_t size)
{
	(void)self;
	(void)line;
	(void)size;
}

/* A pipe whose one end is for us (non-blocking), the other for the child. */
static int open_pipe(int *ours, int *theirs, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	*ours = ends[0];
	*theirs = ends[1];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, "make a pipe");
	return 0;
}

static void stop(struct run *run, enum err_kind kind, const char *why)
{
	int64_t grace = run->child->grace ? run->child->grace : 5;

	if (run->stopped.kind != ERR_NONE)
		return;
	err_set(&run->stopped, kind, 0, "%s %s", run->child->argv[0], why);
	run->stop_at = INT64_MAX;
	run->kill_at = clock_ticks(&clock_system) + grace * 1000;
	kill(-run->pid, SIGTERM);
	/* One that was stopped (SIGSTOP) would not see it. */
	kill(-run->pid, SIGCONT);
}

/* Read what is there, at most `limit` bytes. The stream is closed at its end. */
static void read_stream(struct stream *stream, size_t limit)
{
	char piece[16384];

	while (limit && stream->fd >= 0) {
		ssize_t got = read(stream->fd, piece, limit < sizeof piece ? limit : sizeof piece);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			file_close_at(&stream->fd);
			return;
		}
		limit -= (size_t)got;
		if (stream->whole)
			buf_add(stream->whole, piece, (size_t)got);
		else
			lines_add(&stream->lines, piece, (size_t)got);
	}
}

/* What is in the pipe now and no more: a daemon that left the group may write for ever. */
static void drain_stream(struct stream *stream)
{
	int waiting = 0;

	if (stream->fd >= 0 && ioctl(stream->fd, FIONREAD, &waiting) == 0 && waiting > 0)
		read_stream(stream, (size_t)waiting);
}

/* The zombie stays, and with it the group's number, until we have killed the rest of the group. */
static bool has_ended(const struct run *run)
{
	siginfo_t info = {0};

	while (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		if (errno != EINTR)
			return true;
	return info.si_pid == run->pid;
}

static void do_what_is_due(struct run *run, bool interrupted)
{
	const struct child *child = run->child;
	int64_t now = clock_ticks(&clock_system);

	if (now >= run->stop_at) {
		char why[60];

		snprintf(why, sizeof why, "took longer than %lld s", (long long)child->timeout);
		stop(run, ERR_LIMIT, why);
	}
	if (now >= run->kill_at)
		kill(-run->pid, SIGKILL);
	if (!child->tick || (now < run->next_tick && !interrupted))
		return;
	run->next_tick = now + TICK_EVERY;
	if (child->tick(child->self) != 0)
		stop(run, ERR_CANCELLED, "was stopped");
}

static int time_to_wait(const struct run *run)
{
	int64_t now = clock_ticks(&clock_system);
	int64_t most = run->pidfd < 0 ? LOOK_EVERY : TICK_EVERY;

	if (run->stop_at - now < most)
		most = run->stop_at - now;
	if (run->kill_at - now < most)
		most = run->kill_at - now;
	/* Not 0: after SIGKILL one that hangs in the kernel must not keep us spinning. */
	return most < 5 ? 5 : (int)most;
}

/* Until its leader has ended. */
static void watch(struct run *run)
{
	while (!has_ended(run)) {
		struct pollfd fds[3] = {
			{.fd = run->pidfd, .events = POLLIN},
			{.fd = run->streams[0].fd, .events = POLLIN},
			{.fd = run->streams[1].fd, .events = POLLIN},
		};
		bool interrupted = poll(fds, 3, time_to_wait(run)) < 0 && errno == EINTR;

		for (int i = 0; i < 2; i++)
			read_stream(&run->streams[i], 65536);
		if (run->streams[0].whole && buf_full(run->streams[0].whole))
			stop(run, ERR_LIMIT, "printed more than we take");
		do_what_is_due(run, interrupted);
	}
}

static int exit_status(pid_t pid, int *status, struct err *err)
{
	int ended;

	while (waitpid(pid, &ended, 0) < 0)
		if (errno != EINTR)
			return err_errno(err, "wait for process %d", (int)pid);
	*status = WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
	return 0;
}

static int finish(struct run *run, int *status, struct err *err)
{
	int failed;

	kill(-run->pid, SIGKILL);
	failed = exit_status(run->pid, status, err);
	for (int i = 0; i < 2; i++)
		drain_stream(&run->streams[i]);
	if (failed || run->stopped.kind == ERR_NONE)
		return failed;
	*err = run->stopped;
	return -1;
}

static void begin(struct run *run, const struct child *child)
{
	void (*output)(void *, const char *, size_t) = child->output ? child->output : discard;

	assert(child->argv && child->argv[0] && child->env);
	*run = (struct run){.child = child, .pidfd = -1, .kill_at = INT64_MAX};
	for (int i = 0; i < 2; i++) {
		run->streams[i].fd = -1;
		lines_begin(&run->streams[i].lines, output, child->self);
	}
}

static void run_end(struct run *run)
{
	for (int i = 0; i < 2; i++) {
		lines_end(&run->streams[i].lines);
		file_close_at(&run->streams[i].fd);
	}
	file_close_at(&run->pidfd);
}

static int start_and_watch(struct run *run, const struct outputs *outputs, int *theirs,
			   struct err *err)
{
	int64_t timeout = run->child->timeout;

	if (spawn(run->child, outputs, POSIX_SPAWN_SETPGROUP, &run->pid, err) < 0)
		return -1;
	file_close_at(&theirs[0]);
	file_close_at(&theirs[1]);
	run->stop_at = timeout ? clock_ticks(&clock_system) + timeout * 1000 : INT64_MAX;
	run->pidfd = pidfd_open(run->pid, 0);
	watch(run);
	return 0;
}

int child_run(const struct child *child, int *status, struct err *err)
{
	int theirs[2] = {-1, -1};
	cleanup(run_end) struct run run;
	int failed = 0;

	begin(&run, child);
	if (child->output)
		failed = open_pipe(&run.streams[0].fd, &theirs[0], err);
	if (!failed) {
		struct outputs outputs = {.out = theirs[0], .err = theirs[0]};

		failed = start_and_watch(&run, &outputs, theirs, err);
	}
	file_close_at(&theirs[0]);
	return failed ? -1 : finish(&run, status, err);
}

/* ---- capturing ---- */

struct capture {
	const struct child *child;
	struct buf last; /* stderr's last line that wasn't empty */
};

static void keep_last(void *self, const char *line, size_t size)
{
	struct capture *capture = self;

	if (capture->child->output)
		capture->child->output(capture->child->self, line, size);
	if (!size)
		return;
	buf_clear(&capture->last);
	buf_add(&capture->last, line, size < 400 ? size : 400);
}

static int say_failed(const struct capture *capture, int status, struct err *err)
{
	const char *last = buf_text(&capture->last);
	char how[40];

	snprintf(how, sizeof how, status > 128 ? "signal %d" : "exit status %d",
		 status > 128 ? status - 128 : status);
	return err_set(err, ERR_REMOTE, status, "%s: %s%s%s", capture->child->argv[0], how,
		       *last ? ": " : "", last);
}

int child_capture(const struct child *child, struct buf *out, struct err *err)
{
	struct capture capture = {.child = child, .last = {.limit = 512}};
	int theirs[2] = {-1, -1}, status = 0, failed;
	struct run run;

	begin(&run, child);
	run.streams[0].whole = out;
	lines_begin(&run.streams[1].lines, keep_last, &capture);
	failed = open_pipe(&run.streams[0].fd, &theirs[0], err);
	if (!failed)
		failed = open_pipe(&run.streams[1].fd, &theirs[1], err);
	if (!failed) {
		struct outputs outputs = {.out = theirs[0], .err = theirs[1]};

		failed = start_and_watch(&run, &outputs, theirs, err);
	}
	file_close_at(&theirs[0]);
	file_close_at(&theirs[1]);
	if (!failed)
		failed = finish(&run, &status, err);
	run_end(&run); /* before `last` is read: it gives out the last line */
	if (!failed && buf_full(out))
		failed = err_set(err, ERR_LIMIT, 0, "%s printed more than %zu bytes",
				 child->argv[0], out->limit);
	if (!failed && status)
		failed = say_failed(&capture, status, err);
	buf_free(&capture.last);
	return failed;
}

/* ---- leaving alone ---- */

int child_detach(const struct child *child, const char *log, pid_t *pid, struct err *err)
{
	cleanup(file_close_at) int fd = -1;
	struct outputs outputs;

	if (log) {
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return err_errno(err, "run %s: open its log %s", child->argv[0], log);
	}
	outputs = (struct outputs){.out = fd, .err = fd};
	return spawn(child, &outputs, POSIX_SPAWN_SETSID, pid, err);
}

int child_start(const char *const *argv, const int *keep, size_t count, pid_t *pid, struct err *err)
{
	struct child child = {.argv = argv, .env = (const char *const *)environ};
	int high[MOST_KEPT];
	struct outputs outputs = {.inherit = true, .keep = high};
	int failed = 0;

	assert(count <= MOST_KEPT);
	/* Above the places where they go, so that putting one there doesn't close another. */
	for (size_t i = 0; i < count && !failed; i++) {
		high[i] = fcntl(keep[i], F_DUPFD_CLOEXEC, FIRST_KEPT + MOST_KEPT);
		if (high[i] < 0)
			failed = err_errno(err, "run %s: hand on descriptor %d", argv[0], keep[i]);
		else
			outputs.count++;
	}
	if (!failed)
		failed = spawn(&child, &outputs, POSIX_SPAWN_SETPGROUP, pid, err);
	for (size_t i = 0; i < outputs.count; i++)
		close(high[i]);
	return failed;
}

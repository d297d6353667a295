#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "service/bind.h"
#include "service/roles.h"
#include "service/store.h"

#define BACKOFF_FIRST 100   /* milliseconds before a role that died is started again, */
#define BACKOFF_LAST  10000 /* doubled up to this while it goes on dying young */
/* Milliseconds after which a role counts as steady again; or STEADY_LEAST, when that is
 * STEADY_TIMES as long as it had to wait before: what is killed from outside now and then is back
 * soon. */
#define STEADY       10000
#define STEADY_LEAST 1000
#define STEADY_TIMES 4
#define ROLES_MAX    67 /* listener, router, courier, 64 workers */

struct role {
	char name[24]; /* "listener", "router", "worker-1" */
	pid_t pid;     /* 0: not running */
	int64_t started, due, backoff;
	bool leaving; /* told to end and not wanted again */
};

struct supervisor {
	const struct settings *settings;
	struct arena *arena; /* of settings read again; NULL for the first */
	int text, socket;    /* what the roles inherit */
	char *program;
	char pid[24]; /* ours: see roles.h */
	struct role roles[ROLES_MAX];
	size_t count;
	bool stopping;
};

/* A descriptor whose content is the file's text as it was checked. */
static int text_of(const struct settings *settings, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	int fd;

	if (file_read(settings->file, &text, err) < 0)
		return -1;
	fd = memfd_create("slipwayd.yml", MFD_CLOEXEC);
	if (fd < 0 || write(fd, buf_text(&text), text.size) != (ssize_t)text.size) {
		err_errno(err, "keep a copy of %s", settings->file);
		file_close_at(&fd);
		return -1;
	}
	return fd;
}

static int start(struct supervisor *self, struct role *role, struct err *err)
{
	const char *const argv[] = {self->program,        "--role",       role->name, "--config",
				    self->settings->file, "--supervisor", self->pid,  NULL};
	bool listens = strcmp(role->name, "listener") == 0;
	const int keep[] = {self->text, self->socket};

	role->started = clock_ticks(&clock_system);
	return child_start(argv, keep, listens ? 2 : 1, &role->pid, err);
}

static void start_due(struct supervisor *self)
{
	int64_t now = clock_ticks(&clock_system);

	for (size_t i = 0; i < self->count; i++) {
		struct role *role = &self->roles[i];
		struct err err = ERR_INIT;

		if (role->pid || role->leaving || self->stopping || now < role->due)
			continue;
		if (start(self, role, &err) < 0) {
			log_error("can't start a role", "role", role->name, "error", err.text);
			role->due = now + BACKOFF_LAST;
		}
	}
}

static struct role *role_by_pid(struct supervisor *self, pid_t pid)
{
	for (size_t i = 0; i < self->count; i++)
		if (self->roles[i].pid == pid)
			return &self->roles[i];
	return NULL;
}

static bool was_steady(const struct role *role, int64_t now)
{
	int64_t lived = now - role->started;

	return lived > STEADY || (lived > STEADY_LEAST && lived > STEADY_TIMES * role->backoff);
}

/* Ended as it should (a worker after a deployment, anything after SIGTERM): start again at once. */
static void plan_restart(struct role *role, int status)
{
	int64_t now = clock_ticks(&clock_system);
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char text[32];

	if (well || was_steady(role, now))
		role->backoff = 0;
	role->due = now + (well ? 0 : role->backoff);
	role->backoff = !role->backoff                     ? BACKOFF_FIRST
			: role->backoff * 2 < BACKOFF_LAST ? role->backoff * 2
							   : BACKOFF_LAST;
	if (well)
		return;
	snprintf(text, sizeof text, WIFSIGNALED(status) ? "signal %d" : "status %d",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	log_warn("a role ended; it is started again", "role", role->name, "ended", text);
}

/* Orphans come to us too (see PR_SET_CHILD_SUBREAPER): runsv of an app, a daemon of a build. */
static void reap(struct supervisor *self)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct role *role = role_by_pid(self, pid);

		if (!role)
			continue;
		role->pid = 0;
		if (!self->stopping && !role->leaving)
			plan_restart(role, status);
	}
}

static void signal_all(struct supervisor *self, int signal)
{
	for (size_t i = 0; i < self->count; i++)
		if (self->roles[i].pid)
			kill(self->roles[i].pid, signal);
}

static size_t running(const struct supervisor *self)
{
	size_t count = 0;

	for (size_t i = 0; i < self->count; i++)
		count += self->roles[i].pid != 0;
	return count;
}

static struct role *find_or_add(struct supervisor *self, const char *name)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->roles[i].name, name) == 0)
			return &self->roles[i];
	/* A place whose role has left for good can be taken again. */
	for (size_t i = 0; i < self->count; i++)
		if (self->roles[i].leaving && !self->roles[i].pid) {
			self->roles[i] = (struct role){0};
			snprintf(self->roles[i].name, sizeof self->roles[i].name, "%s", name);
			return &self->roles[i];
		}
	if (self->count == ROLES_MAX)
		return NULL;
	snprintf(self->roles[self->count].name, sizeof self->roles[0].name, "%s", name);
	return &self->roles[self->count++];
}

static void want(struct supervisor *self, const char *name)
{
	struct role *role = find_or_add(self, name);

	if (role)
		role->leaving = false;
}

/* The roles that the settings ask for; the others leave when they have finished what they are at.
 */
static void choose_roles(struct supervisor *self)
{
	char name[24];

	for (size_t i = 0; i < self->count; i++)
		self->roles[i].leaving = true;
	if (self->settings->listen)
		want(self, "listener");
	want(self, "router");
	if (courier_is_wanted(self->settings))
		want(self, "courier");
	for (int64_t i = 0; i < self->settings->workers; i++) {
		snprintf(name, sizeof name, "worker-%d", (int)i + 1);
		want(self, name);
	}
}

/* *socket is -1 where no port is wanted. */
static int open_port(const struct settings *settings, int *socket, struct err *err)
{
	*socket = settings->listen ? bind_listen(settings->listen, err) : -1;
	return settings->listen && *socket < 0 ? -1 : 0;
}

/* All or nothing: whatever is wrong with the new file, what runs goes on as it is. */
static int reload(struct supervisor *self, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(self->settings->file);
	cleanup(file_close_at) int text = -1, socket = -1;
	struct settings *settings;

	if (settings_load(&settings, self->settings->file, arena, &mistakes, err) < 0)
		return -1;
	for (size_t i = 0; settings->warnings[i]; i++)
		log_warn(settings->warnings[i]);
	if (strcmp(settings->data, self->settings->data) != 0)
		return err_set(err, ERR_USAGE, 0,
			       "data is %s, was %s: stop slipwayd, move the folder, start it again",
			       settings->data, self->settings->data);
	if ((text = text_of(settings, err)) < 0)
		return -1;
	if (!text_same(settings->listen, self->settings->listen)) {
		if (open_port(settings, &socket, err) < 0)
			return -1;
		file_close_at(&self->socket);
		self->socket = file_take(&socket);
	}
	file_close_at(&self->text);
	self->text = file_take(&text);
	self->settings = settings;
	arena_free(self->arena);
	self->arena = take(arena);
	choose_roles(self);
	signal_all(self, SIGTERM); /* each is started again with the new text */
	return 0;
}

static void handle(struct supervisor *self, int signal)
{
	struct err err = ERR_INIT;

	if (signal == SIGHUP && !self->stopping) {
		if (reload(self, &err) < 0)
			log_error("settings not loaded; the ones before stay", "error", err.text);
		else
			log_info("settings loaded again", "file", self->settings->file);
	} else if (signal == SIGTERM || signal == SIGINT) {
		/* The second time is for those who can't wait: the deployments go on after the next
		 * start. */
		signal_all(self, self->stopping ? SIGKILL : SIGTERM);
		if (!self->stopping)
			log_info("stopping: running deployments end first; again to stop at once");
		self->stopping = true;
	}
}

static void supervise(struct supervisor *self, const sigset_t *signals)
{
	while (!self->stopping || running(self) > 0) {
		const struct timespec wait = {.tv_nsec = 100 * 1000 * 1000};
		int signal;

		start_due(self);
		signal = sigtimedwait(signals, NULL, &wait);
		if (signal > 0)
			handle(self, signal);
		reap(self);
	}
}

static char *own_program(struct err *err)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);

	if (size < 0) {
		err_errno(err, "find our own program");
		return NULL;
	}
	path[size] = '\0';
	return xstrdup(path);
}

/* The data folder is ours alone: two slipwayd on one store would each restart the other's workers.
 */
static int take_data(const struct settings *settings, int *lock, struct err *err)
{
	autofree char *path = file_join(settings->data, "slipwayd.lock"),
		      *store = file_join(settings->data, "store");

	if (file_make_dirs(store, 0700, err) < 0) {
		const struct err cause = *err;

		return err_set(err, cause.kind, cause.code,
			       "data folder: %.380s; make it, and give it to the user that "
			       "slipwayd runs as",
			       cause.text);
	}
	*lock = file_lock(path, false, err);
	if (*lock < 0 && err->kind == ERR_CONFLICT)
		return err_set(err, ERR_CONFLICT, 0,
			       "another slipwayd runs with data folder %s: stop it first",
			       settings->data);
	return *lock < 0 ? -1 : 0;
}

/* What is wrong with the store is told to who starts us, rather than by each role again and again.
 */
static int check_store(const struct settings *settings, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(store_freep) struct store *store = NULL;

	return store_open(&store, settings_store(settings, arena), err);
}

int supervisor_main(const struct settings *settings, struct err *err)
{
	struct supervisor self = {.settings = settings, .text = -1, .socket = -1};
	cleanup(file_close_at) int lock = -1;
	autofree char *program = own_program(err);
	sigset_t signals;

	if (!program || take_data(settings, &lock, err) < 0 || check_store(settings, err) < 0)
		return -1;
	self.program = program;
	snprintf(self.pid, sizeof self.pid, "%ld", (long)getpid());
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if ((self.text = text_of(settings, err)) < 0)
		return -1;
	if (open_port(settings, &self.socket, err) < 0) {
		file_close_at(&self.text);
		return -1;
	}
	for (size_t i = 0; settings->warnings[i]; i++)
		log_warn(settings->warnings[i]);
	if (geteuid() == 0)
		log_warn("running as root: whoever takes over an app or a build has this machine; "
			 "a user of its own is enough (docs/security.md)");
	choose_roles(&self);
	log_info("started", "listen", settings->listen ? settings->listen : "nowhere", "data",
		 settings->data);
	supervise(&self, &signals);
	file_close_at(&self.text);
	file_close_at(&self.socket);
	arena_free(self.arena);
	log_info("stopped");
	return 0;
}

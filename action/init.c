#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "action/command.h"
#include "action/init_files.h"
#include "base/file.h"

#define FILE_LIMIT (64 * 1024)

/** A file that may be written. */
struct product {
	const char *name; /* within the folder */
	void (*text)(const struct init_app *app, struct buf *out);
	bool (*wanted)(const struct init_app *app);
};

static bool lacks_dockerfile(const struct init_app *app)
{
	return !app->has_dockerfile;
}

static const struct product products[] = {
	{"slipway.yml", init_files_project, NULL},
	{"Dockerfile", init_files_dockerfile, lacks_dockerfile},
	{".dockerignore", init_files_ignore, NULL},
	{".github/workflows/deploy.yml", init_files_workflow, NULL},
};

static int write_all(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->size;) {
		ssize_t size = write(fd, text->data + done, text->size - done);

		if (size < 0 && errno != EINTR)
			return -1;
		done += size > 0 ? (size_t)size : 0;
	}
	return 0;
}

/* O_EXCL: what is there is somebody's work, also when it came a moment ago. >0: it is there. */
static int write_new(const char *folder, const char *name, const struct buf *text, struct err *err)
{
	autofree char *path = file_join(folder, name);
	const char *slash = strrchr(path, '/');
	autofree char *parent = xmemdup(path, (size_t)(slash - path));
	cleanup(file_close_at) int fd = -1;

	if (file_make_dirs(parent, 0755, err))
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST ? 1 : err_errno(err, "make %s", path);
	if (write_all(fd, text) == 0)
		return 0;
	err_errno(err, "write %s", path);
	unlink(path); /* half of a file would be kept by the next try */
	return -1;
}

static int produce(const struct call *call, const char *folder, const struct init_app *app,
		   struct err *err)
{
	for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
		cleanup(buf_free) struct buf text = BUF_INIT(FILE_LIMIT);
		int result = 1;

		if (!products[i].wanted || products[i].wanted(app)) {
			products[i].text(app, &text);
			result = write_new(folder, products[i].name, &text, err);
		}
		if (result < 0)
			return -1;
		fprintf(call->out, "  %s  %s\n", result > 0 ? "kept   " : "written",
			products[i].name);
	}
	return 0;
}

static int init(const struct call *call, struct err *err)
{
	const char *folder = call->options.operand ? call->options.operand : ".";
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct init_app app;

	if (init_app_find(&app, folder, arena, err))
		return -1;
	if (app.kind == INIT_UNKNOWN)
		return err_set(err, ERR_USAGE, 0,
			       "init: found %s in '%.200s': expected a Python file with `app = "
			       "Flask(…)`, a go.mod with a main package in it or in cmd/, or a "
			       "Dockerfile; write a Dockerfile, then run slipway init again",
			       init_app_text(&app, arena), folder);
	fprintf(call->out, "found %s\n", init_app_text(&app, arena));
	if (produce(call, folder, &app, err))
		return -1;
	fprintf(call->out,
		"Look them over; then: slipway check, slipway plan, slipway deploy. Or commit and "
		"push them.\n");
	return 0;
}

const struct command command_init = {
	.name = "init",
	.summary = "write slipway.yml, a Dockerfile and a workflow for an app",
	.operand = "[FOLDER]",
	.description = "Looks at the folder (this one when none is named) for a Flask app, a Go "
		       "program or a Dockerfile, and writes what is missing: slipway.yml, "
		       "Dockerfile, .dockerignore and .github/workflows/deploy.yml, with comments. "
		       "It runs nothing and never overwrites: a file that is there is kept.",
	.examples = " slipway init\n slipway init services/shop",
	.run = init,
};

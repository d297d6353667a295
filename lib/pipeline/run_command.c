#include <stdio.h>
#include <string.h>

#include "base/child.h"
#include "base/file.h"
#include "base/lines.h"
#include "pipeline/run.h"

/* A command that says nothing for so long gets a line about itself. */
#define QUIET_TICKS 30000

#define COMMAND_SHOWN 120               /* bytes of it in messages */
#define COMMAND_LIMIT (4 * 1024 * 1024) /* more than slipway.yml can hold */

struct output {
	struct run *run;
	struct redact_stream stream;
	struct buf clean;
	char last[161]; /* of what it said last */
	int64_t began, heard, timeout;
};

/* How much of the text may be kept of so many bytes, without cutting a character in two. */
static int fitting(const char *text, size_t size)
{
	if (strlen(text) <= size)
		return (int)strlen(text);
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	return (int)size;
}

static void tell(struct output *output, bool whole)
{
	struct observer *observer = output->run->world->observer;
	struct buf *clean = &output->clean;

	if (clean->size == 0 && !whole)
		return;
	observer->said(observer, output->run->step, buf_text(clean), clean->size);
	if (clean->size > 0)
		snprintf(output->last, sizeof output->last, "%.*s",
			 fitting(clean->data, sizeof output->last - 1), clean->data);
	buf_clear(clean);
}

static void take_line(void *self, const char *line, size_t size)
{
	struct output *output = self;

	output->heard = clock_ticks(output->run->world->clock);
	redact_stream_add(&output->stream, line, size, &output->clean);
	if (size >= LINES_LONGEST) {
		tell(output, false);
		return;
	}
	redact_stream_end(&output->stream, &output->clean);
	redact_stream_begin(&output->stream, output->run->world->redactor);
	tell(output, true);
}

static int tick(void *self)
{
	struct output *output = self;
	int64_t now = clock_ticks(output->run->world->clock);

	if (now - output->heard >= QUIET_TICKS) {
		output->heard = now;
		run_say(output->run, "still running: %lld s of at most %lld s",
			(long long)(now - output->began) / 1000, (long long)output->timeout);
	}
	return run_tick(output->run);
}

const char *run_command_text(const struct run *run, const char *const *argv)
{
	cleanup(buf_free) struct buf text = BUF_INIT(COMMAND_LIMIT),
				     clean = BUF_INIT(COMMAND_LIMIT);

	if (argv[0] && strcmp(argv[0], "/bin/sh") == 0 && argv[1] && strcmp(argv[1], "-c") == 0
	    && argv[2])
		argv += 2;
	for (size_t i = 0; argv[i]; i++)
		buf_addf(&text, "%s%s", i ? " " : "", argv[i]);
	redactor_apply(run->world->redactor, buf_text(&text), text.size, &clean);
	for (char *at = clean.data; at && *at; at++)
		if (*at == '\n')
			*at = ' ';
	return arena_printf(run->arena, "%.*s%s", fitting(buf_text(&clean), COMMAND_SHOWN),
			    buf_text(&clean), clean.size > COMMAND_SHOWN ? "…" : "");
}

/* The folders that a child may have: its checkout, and what its environment calls HOME and TMPDIR.
 */
static int make_folders(const struct run *run, const char *shown[3], struct err *err)
{
	shown[0] = run->folder;
	shown[1] = arena_printf(run->arena, "%s/home", run->plan->work);
	shown[2] = arena_printf(run->arena, "%s/tmp", run->plan->work);
	return file_make_dirs(shown[1], 0700, err) || file_make_dirs(shown[2], 0700, err) ? -1 : 0;
}

static const char *const *launched(const struct run *run, const char *const *argv,
				   const char *const shown[3])
{
	const char *const *launcher = run->world->launcher;
	size_t before = 0, count = 0, at = 0;
	const char **words;

	if (!launcher)
		return argv;
	while (launcher[before])
		before++;
	while (argv[count])
		count++;
	words = arena_alloc(run->arena, (before + 7 + count + 1) * sizeof *words);
	for (; at < before; at++)
		words[at] = launcher[at];
	for (size_t i = 0; i < 3; i++) {
		words[at++] = "--show";
		words[at++] = shown[i];
	}
	words[at++] = "--";
	for (size_t i = 0; i < count; i++)
		words[at++] = argv[i];
	return words;
}

static int judge(const struct output *output, const char *what, int status, struct err *err)
{
	const char *sep = *output->last ? ": " : "";

	if (status == 0)
		return 0;
	if (status > 128)
		return err_set(err, ERR_REMOTE, status, "`%s` was ended by signal %d%s%s", what,
			       status - 128, sep, output->last);
	return err_set(err, ERR_REMOTE, status, "`%s` ended with status %d%s%s", what, status, sep,
		       output->last);
}

int run_command(struct run *run, const char *const *argv, const char *const *env, int64_t timeout,
		struct err *err)
{
	const char *what = run_command_text(run, argv);
	struct output output = {
		.run = run, .clean = BUF_INIT(4 * LINES_LONGEST), .timeout = timeout};
	struct child child = {.env = env,
			      .dir = run->artifact.folder,
			      .timeout = timeout,
			      .output = take_line,
			      .tick = tick,
			      .self = &output};
	const char *shown[3];
	int status = 0, result;

	if (make_folders(run, shown, err))
		return -1;
	child.argv = launched(run, argv, shown);
	run_say(run, "$ %s", what);
	child_kill_marked(run->plan->job);
	redact_stream_begin(&output.stream, run->world->redactor);
	output.began = output.heard = clock_ticks(run->world->clock);
	result = child_run(&child, &status, err);
	redact_stream_end(&output.stream, &output.clean);
	tell(&output, false);
	buf_free(&output.clean);
	child_kill_marked(run->plan->job);
	/* The child is the launcher, which nobody knows by name. */
	if (result && err->kind == ERR_LIMIT)
		return err_set(err, ERR_LIMIT, 0, "`%s` took longer than %lld s%s%s", what,
			       (long long)timeout, *output.last ? ": " : "", output.last);
	if (result)
		return err_within(err, "`%s`", what);
	return judge(&output, what, status, err);
}

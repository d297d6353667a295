#include "pipeline/output.h"

#include <stdio.h>
#include <string.h>

#include "base/lines.h"

/* A command that says nothing for so long gets a line about itself. */
#define QUIET_TICKS 30000

#define COMMAND_SHOWN 120               /* bytes of it in messages */
#define COMMAND_LIMIT (4 * 1024 * 1024) /* more than slipway.yml can hold */

/* How much of the text may be kept of so many bytes, without cutting a character in two. */
static int fitting(const char *text, size_t size)
{
	if (strlen(text) <= size)
		return (int)strlen(text);
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	return (int)size;
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

void output_line(void *self, const char *line, size_t size)
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

int output_tick(void *self)
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

void output_begin(struct output *output, struct run *run, const char *what, int64_t timeout)
{
	*output = (struct output){
		.run = run, .what = what, .clean = BUF_INIT(4 * LINES_LONGEST), .timeout = timeout};
	run_say(run, "$ %s", what);
	redact_stream_begin(&output->stream, run->world->redactor);
	output->began = output->heard = clock_ticks(run->world->clock);
}

void output_end(struct output *output)
{
	redact_stream_end(&output->stream, &output->clean);
	tell(output, false);
	buf_free(&output->clean);
}

int output_judge(const struct output *output, int status, struct err *err)
{
	const char *sep = *output->last ? ": " : "", *what = output->what;

	if (status == 0)
		return 0;
	if (status > 128)
		return err_set(err, ERR_REMOTE, status, "`%s` was ended by signal %d%s%s", what,
			       status - 128, sep, output->last);
	return err_set(err, ERR_REMOTE, status, "`%s` ended with status %d%s%s", what, status, sep,
		       output->last);
}

int output_failed(const struct output *output, struct err *err)
{
	/* The child is a launcher, which nobody knows by name. */
	if (err->kind == ERR_LIMIT)
		return err_set(err, ERR_LIMIT, 0, "`%s` took longer than %lld s%s%s", output->what,
			       (long long)output->timeout, *output->last ? ": " : "", output->last);
	return err_within(err, "`%s`", output->what);
}

#include "action/workflow.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/lines.h"

enum { LONGEST_LINE = 4096, LONGEST_MESSAGE = 4096, TOKEN = 32, LIMIT = 4 * 1024 * 1024 };

struct workflow {
	int fd;
	bool debug, stopped, grouped;
	char token[TOKEN + 1];
	struct buf out;
	char **masks;
	size_t mask_count;
	struct lines lines; /* of the stream */
	void (*heard)(void *self, const char *line, size_t size);
	void *hearer;
};

static void flush(struct workflow *workflow)
{
	const char *at = buf_text(&workflow->out);
	size_t left = workflow->out.size;

	while (left > 0) {
		ssize_t done = write(workflow->fd, at, left);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			break; /* nobody reads us any more: the deployment goes on */
		at += done;
		left -= (size_t)done;
	}
	buf_clear(&workflow->out);
}

static void stop_commands(struct workflow *workflow)
{
	if (workflow->stopped)
		return;
	crypto_random_hex(workflow->token, TOKEN);
	buf_addf(&workflow->out, "::stop-commands::%s\n", workflow->token);
	workflow->stopped = true;
}

static void allow_commands(struct workflow *workflow)
{
	if (workflow->stopped)
		buf_addf(&workflow->out, "::%s::\n", workflow->token);
	workflow->stopped = false;
}

/* How long an escape sequence that only colours is ("\033[1;31m"); 0 when it isn't one. */
static size_t colour_size(const char *text, size_t size)
{
	size_t i = 2;

	if (size < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (i < size && i < 24 && strchr("0123456789;", text[i]) && text[i])
		i++;
	return i < size && text[i] == 'm' ? i + 1 : 0;
}

/* Any other escape sequence, as far as it can be told. */
static size_t escape_size(const char *text, size_t size)
{
	size_t i = 2;

	if (size < 2 || text[1] != '[')
		return 1;
	while (i < size && (text[i] < 0x40 || text[i] > 0x7e))
		i++;
	return i < size ? i + 1 : size;
}

static void add_plain(struct buf *out, const char *line, size_t size)
{
	size_t i = 0;

	while (i < size) {
		unsigned char c = (unsigned char)line[i];
		size_t colour = c == '\033' ? colour_size(line + i, size - i) : 0;

		if (colour > 0)
			buf_add(out, line + i, colour);
		else if ((c >= 0x20 && c != 0x7f) || c == '\t')
			buf_addc(out, (char)c);
		i += colour > 0 ? colour : c == '\033' ? escape_size(line + i, size - i) : 1;
	}
}

/* No line end is in it. A text that has our token in it (how?) could let commands through. */
static void add_line(struct workflow *workflow, const char *line, size_t size)
{
	cleanup(buf_free) struct buf plain = BUF_INIT(LIMIT);
	const char *at;
	size_t left;

	add_plain(&plain, line, size);
	at = buf_text(&plain);
	if (memmem(at, plain.size, workflow->token, TOKEN)) {
		buf_adds(&workflow->out, "***\n");
		return;
	}
	for (left = plain.size; left > LONGEST_LINE;) {
		size_t piece = LONGEST_LINE;

		while (piece > LONGEST_LINE - 4 && ((unsigned char)at[piece] & 0xc0) == 0x80)
			piece--;
		buf_add(&workflow->out, at, piece);
		buf_addc(&workflow->out, '\n');
		at += piece;
		left -= piece;
	}
	buf_add(&workflow->out, at, left);
	buf_addc(&workflow->out, '\n');
}

/* As the runner reads: "\n", "\r\n" and a "\r" alone end a line. */
static size_t line_size(const char *text, size_t size)
{
	size_t i = 0;

	while (i < size && text[i] != '\n' && text[i] != '\r')
		i++;
	return i;
}

static void add_text(struct workflow *workflow, const char *text, size_t size)
{
	do {
		size_t line = line_size(text, size), end = line;

		add_line(workflow, text, line);
		if (end < size && text[end] == '\r')
			end++;
		if (end < size && text[end] == '\n' && (end == line || text[end - 1] == '\r'))
			end++;
		text += end;
		size -= end;
		if (workflow->out.size > LIMIT / 4)
			flush(workflow);
	} while (size > 0);
	flush(workflow);
}

void workflow_text(struct workflow *workflow, const char *text, size_t size)
{
	stop_commands(workflow);
	add_text(workflow, text, size);
}

/* The runner shows what stops commands: lines of ours in which neither of the marks stands that a
 * command must have are printed without. What is taken out of a line could make one: then it isn't
 * such a line. */
static void add_own(struct workflow *workflow, const char *text, size_t size)
{
	bool harmless = true;

	for (size_t i = 0; i < size; i++)
		harmless &= ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f) || text[i] == '\n';
	if (!harmless || memmem(text, size, "::", 2) || memmem(text, size, "##[", 3))
		stop_commands(workflow);
	add_text(workflow, text, size);
}

void workflow_pause(struct workflow *workflow)
{
	allow_commands(workflow);
	flush(workflow);
}

void workflow_raw(struct workflow *workflow, const char *line, size_t size)
{
	buf_add(&workflow->out, line, size);
	buf_addc(&workflow->out, '\n');
	flush(workflow);
}

void workflow_say(struct workflow *workflow, const char *fmt, ...)
{
	char text[2 * LONGEST_LINE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	add_own(workflow, text, strlen(text));
}

/* Data of a command; in a property ':' and ',' have a meaning too. */
static void add_escaped(struct buf *out, const char *text, size_t size, bool property)
{
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
		else if ((unsigned char)c >= 0x20 || c == '\t')
			buf_addc(out, c);
	}
}

static bool is_masked(const struct workflow *workflow, const char *secret)
{
	for (size_t i = 0; i < workflow->mask_count; i++)
		if (strcmp(workflow->masks[i], secret) == 0)
			return true;
	return false;
}

static void add_mask(struct workflow *workflow, const char *secret, size_t size)
{
	buf_adds(&workflow->out, "::add-mask::");
	add_escaped(&workflow->out, secret, size, false);
	buf_addc(&workflow->out, '\n');
}

void workflow_mask(struct workflow *workflow, const char *secret)
{
	size_t size = strlen(secret);

	/* The runner warns of an empty one. */
	if (strspn(secret, " \t\r\n") == size || is_masked(workflow, secret))
		return;
	workflow->masks = xresize(workflow->masks, workflow->mask_count + 1, sizeof(char *));
	workflow->masks[workflow->mask_count++] = xstrdup(secret);
	allow_commands(workflow);
	add_mask(workflow, secret, size);
	for (const char *at = secret; line_size(secret, size) < size && *at;) {
		size_t line = line_size(at, strlen(at));

		if (strspn(at, " \t") < line)
			add_mask(workflow, at, line);
		at += line + (at[line] != '\0');
	}
	flush(workflow);
}

void workflow_group(struct workflow *workflow, const char *title)
{
	workflow_group_end(workflow);
	allow_commands(workflow);
	buf_adds(&workflow->out, "::group::");
	add_escaped(&workflow->out, title, strlen(title), false);
	buf_addc(&workflow->out, '\n');
	workflow->grouped = true;
	flush(workflow);
}

void workflow_group_end(struct workflow *workflow)
{
	if (!workflow->grouped)
		return;
	allow_commands(workflow);
	buf_adds(&workflow->out, "::endgroup::\n");
	workflow->grouped = false;
	flush(workflow);
}

void workflow_debug(struct workflow *workflow, const char *fmt, ...)
{
	char text[LONGEST_LINE];
	va_list args;

	if (!workflow->debug)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	allow_commands(workflow);
	buf_adds(&workflow->out, "::debug::");
	add_escaped(&workflow->out, text, strlen(text), false);
	buf_addc(&workflow->out, '\n');
	flush(workflow);
}

static void add_property(struct buf *out, const char **sep, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_addf(out, "%s%s=", *sep, name);
	add_escaped(out, value, strlen(value), true);
	*sep = ",";
}

static void add_number(struct buf *out, const char **sep, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof text, "%u", value);
	add_property(out, sep, name, value ? text : NULL);
}

static size_t message_size(const char *message)
{
	size_t size = strnlen(message, LONGEST_MESSAGE + 1);

	if (size <= LONGEST_MESSAGE)
		return size;
	for (size = LONGEST_MESSAGE; size > 0 && ((unsigned char)message[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

void workflow_annotate(struct workflow *workflow, const struct workflow_annotation *annotation)
{
	static const char *const names[] = {"error", "warning", "notice"};
	const char *sep = " ";

	allow_commands(workflow);
	buf_addf(&workflow->out, "::%s", names[annotation->kind]);
	if (annotation->file) {
		add_property(&workflow->out, &sep, "file", annotation->file);
		add_number(&workflow->out, &sep, "line", annotation->line);
		if (annotation->line)
			add_number(&workflow->out, &sep, "col", annotation->column);
	}
	add_property(&workflow->out, &sep, "title", annotation->title);
	buf_adds(&workflow->out, "::");
	add_escaped(&workflow->out, annotation->message, message_size(annotation->message), false);
	buf_addc(&workflow->out, '\n');
	flush(workflow);
}

static void take_line(void *self, const char *line, size_t size)
{
	struct workflow *workflow = self;

	if (workflow->heard)
		workflow->heard(workflow->hearer, line, size);
	add_own(self, line, size);
}

void workflow_listen(struct workflow *workflow,
		     void (*heard)(void *self, const char *line, size_t size), void *self)
{
	workflow->heard = heard;
	workflow->hearer = self;
}

static ssize_t stream_write(void *self, const char *bytes, size_t size)
{
	struct workflow *workflow = self;

	lines_add(&workflow->lines, bytes, size);
	return (ssize_t)size;
}

static int stream_close(void *self)
{
	struct workflow *workflow = self;

	lines_end(&workflow->lines);
	lines_begin(&workflow->lines, take_line, workflow);
	return 0;
}

FILE *workflow_stream(struct workflow *workflow)
{
	const cookie_io_functions_t functions = {.write = stream_write, .close = stream_close};
	FILE *stream = fopencookie(workflow, "w", functions);

	if (stream)
		setvbuf(stream, NULL, _IOLBF, 0);
	return stream;
}

struct workflow *workflow_new(int fd, bool debug)
{
	struct workflow *workflow = xalloc(sizeof *workflow);

	workflow->fd = fd;
	workflow->debug = debug;
	workflow->out = (struct buf)BUF_INIT(LIMIT);
	/* Looked for in every line: never a text of zeros. */
	crypto_random_hex(workflow->token, TOKEN);
	lines_begin(&workflow->lines, take_line, workflow);
	return workflow;
}

void workflow_free(struct workflow *workflow)
{
	if (!workflow)
		return;
	lines_end(&workflow->lines);
	workflow_group_end(workflow);
	allow_commands(workflow);
	flush(workflow);
	for (size_t i = 0; i < workflow->mask_count; i++) {
		crypto_wipe_text(workflow->masks[i]);
		free(workflow->masks[i]);
	}
	free(workflow->masks);
	buf_free(&workflow->out);
	free(workflow);
}

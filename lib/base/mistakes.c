#include "base/mistakes.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* The whole character at s, in bytes; 0 when it isn't one (cut by a precision, most likely). */
static size_t character(const char *s)
{
	for (size_t size = 1; size <= 4 && s[size - 1]; size++)
		if (text_is_utf8(s, size))
			return size;
	return 0;
}

/* Text from a file goes to terminals and CI logs: nothing in it may start a line or move the
 * cursor. */
static void add_visible(struct buf *buf, const char *s)
{
	size_t size;

	for (; *s; s += size ? size : 1) {
		unsigned char byte = (unsigned char)*s;

		size = character(s);
		if (byte == '\n')
			buf_adds(buf, "\\n");
		else if (byte < 0x20 || byte == 0x7f)
			buf_addf(buf, "\\x%02x", byte);
		else if (size == 2 && byte == 0xc2 && (unsigned char)s[1] < 0xa0)
			buf_addf(buf, "\\x%02x", (unsigned char)s[1]);
		else
			buf_add(buf, s, size);
	}
}

static void add(struct mistakes *mistakes, const char *where, const char *fmt, va_list args)
{
	char text[1000];

	vsnprintf(text, sizeof text, fmt, args);
	mistakes->count++;
	if (buf_full(&mistakes->text))
		return;
	buf_addf(&mistakes->text, "%s:%s ", mistakes->file ? mistakes->file : "settings", where);
	add_visible(&mistakes->text, text);
	buf_addc(&mistakes->text, '\n');
}

static void add_at(struct mistakes *mistakes, unsigned line, unsigned column, const char *fmt,
		   va_list args)
{
	char where[40] = "";

	if (line)
		snprintf(where, sizeof where, "%u:%u:", line, column);
	add(mistakes, where, fmt, args);
}

static void add_path(struct mistakes *mistakes, const char *path, bool key, const char *fmt,
		     va_list args)
{
	unsigned line = 0, column = 0;

	/* Finding a place costs a walk: past the limit of the text nobody would see it. */
	if (mistakes->marks && !buf_full(&mistakes->text))
		yaml_mark(mistakes->marks, path, key, &line, &column);
	add_at(mistakes, line, column, fmt, args);
}

void mistakes_add(struct mistakes *mistakes, const char *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_path(mistakes, path, false, fmt, args);
	va_end(args);
}

void mistakes_add_key(struct mistakes *mistakes, const char *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_path(mistakes, path, true, fmt, args);
	va_end(args);
}

void mistakes_add_at(struct mistakes *mistakes, unsigned line, unsigned column, const char *fmt,
		     ...)
{
	va_list args;

	va_start(args, fmt);
	add_at(mistakes, line, column, fmt, args);
	va_end(args);
}

int mistakes_result(const struct mistakes *mistakes, struct err *err)
{
	const char *text = buf_text(&mistakes->text);
	size_t first = strcspn(text, "\n");
	unsigned more = mistakes->count - 1;

	if (mistakes->count == 0)
		return 0;
	if (first > 420)
		for (first = 420; ((unsigned char)text[first] & 0xc0) == 0x80;)
			first--;
	if (more == 0)
		return err_set(err, ERR_USAGE, 0, "%.*s", (int)first, text);
	return err_set(err, ERR_USAGE, 0, "%.*s (and %u more mistake%s)", (int)first, text, more,
		       more == 1 ? "" : "s");
}

void mistakes_free(struct mistakes *mistakes)
{
	buf_free(&mistakes->text);
}

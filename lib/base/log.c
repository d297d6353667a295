#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

/* A write(2) to a pipe is whole up to PIPE_BUF (4096) bytes. */
enum { LINE_LIMIT = 4000, VALUE_LIMIT = 1000 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static struct {
	const char *who;
	enum log_level level;
	bool json;
} settings = {.who = "slipway", .level = LOG_LEVEL_INFO};

void log_setup(const char *who, enum log_level level, bool json)
{
	settings.who = who;
	settings.level = level;
	settings.json = json;
}

/* Bytes of the character at s that may be shown as it is; 0 when it must be escaped. */
static size_t shown(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (size == 1)
		return c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
	/* U+0080 to U+009F are control characters too. */
	if (strnlen(s, size) < size || !text_is_utf8(s, size)
	    || (c == 0xc2 && (unsigned char)s[1] < 0xa0))
		return 0;
	return size;
}

/* `json`: escapes as in JSON, where a byte that isn't UTF-8 can only be shown as its code point. */
static void add_escaped(struct buf *line, const char *s, bool json)
{
	static const char specials[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
	size_t size, start = line->size;

	for (; *s; s += size ? size : 1) {
		const char *special = strchr(specials, *s);

		size = shown(s);
		if (line->size - start >= VALUE_LIMIT) {
			buf_adds(line, "…");
			return;
		}
		if (size)
			buf_add(line, s, size);
		else if (special)
			buf_addf(line, "\\%c", letters[special - specials]);
		else
			buf_addf(line, json ? "\\u%04x" : "\\x%02x", (unsigned)(unsigned char)*s);
	}
}

static void add_pair(struct buf *line, const char *key, const char *value)
{
	bool quote = settings.json || !*value || strpbrk(value, " =");

	for (const char *s = value; *s && !quote; s += shown(s))
		quote = !shown(s);
	buf_addf(line, settings.json ? ",\"%s\":" : " %s=", key);
	if (quote)
		buf_addc(line, '"');
	add_escaped(line, value, settings.json);
	if (quote)
		buf_addc(line, '"');
}

static void add_head(struct buf *line, enum log_level level, const char *what)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(clock_now(&clock_system), at);
	if (settings.json) {
		buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\"", at, level_names[level]);
		add_pair(line, "role", settings.who);
		add_pair(line, "message", what);
		return;
	}
	buf_addf(line, "%s %s %s: ", at, level_names[level], settings.who);
	add_escaped(line, what, false);
}

static void write_whole(const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(STDERR_FILENO, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		bytes += written;
		size -= (size_t)written;
	}
}

void log_write(enum log_level level, const char *what, ...)
{
	cleanup(buf_free) struct buf line = BUF_INIT(SIZE_MAX);
	int saved = errno;
	const char *key, *value;
	va_list args;

	if (level > settings.level)
		return;
	add_head(&line, level, what);
	va_start(args, what);
	while ((key = va_arg(args, const char *))) {
		size_t before = line.size;

		value = va_arg(args, const char *);
		if (!value)
			continue;
		add_pair(&line, key, value);
		if (line.size <= LINE_LIMIT)
			continue;
		line.size = before;
		break;
	}
	va_end(args);
	buf_adds(&line, settings.json ? "}\n" : "\n");
	write_whole(line.data, line.size);
	errno = saved;
}

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Room for `more` bytes and a NUL. False, and full, when that would pass the limit. */
static bool reserve(struct buf *buf, size_t more)
{
	size_t room;

	if (buf->full || more > buf->limit - buf->size) {
		buf->full = true;
		return false;
	}
	if (more < buf->room - buf->size)
		return true;
	room = buf->room > 32 ? buf->room : 32;
	while (room <= buf->size + more && room <= buf->limit / 2)
		room *= 2;
	if (room <= buf->size + more)
		room = buf->size + more + 1;
	buf->data = xresize(buf->data, room, 1);
	buf->room = room;
	return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t size)
{
	if (!reserve(buf, size))
		return;
	if (size)
		memcpy(buf->data + buf->size, bytes, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void buf_adds(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_addc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int size;

	va_start(args, fmt);
	size = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (size < 0) {
		buf->full = true;
		return;
	}
	if (!reserve(buf, (size_t)size))
		return;
	va_start(args, fmt);
	vsnprintf(buf->data + buf->size, (size_t)size + 1, fmt, args);
	va_end(args);
	buf->size += (size_t)size;
}

/* For one of &<>"'. */
static const char *html_name(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return "&#39;";
	}
}

void buf_add_html(struct buf *buf, const char *s)
{
	for (; *s; s++) {
		size_t plain = strcspn(s, "&<>\"'");

		buf_add(buf, s, plain);
		s += plain;
		if (!*s)
			break;
		buf_adds(buf, html_name(*s));
	}
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

void buf_clear(struct buf *buf)
{
	buf->size = 0;
	buf->full = false;
	if (buf->data)
		buf->data[0] = '\0';
}

bool buf_full(const struct buf *buf)
{
	return buf->full;
}

char *buf_take(struct buf *buf)
{
	char *data = buf->data ? take(buf->data) : xstrdup("");

	buf->size = buf->room = 0;
	buf->full = false;
	return data;
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->size = buf->room = 0;
	buf->full = false;
}

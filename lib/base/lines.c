#include "base/lines.h"

#include <string.h>

void lines_begin(struct lines *lines, void (*take)(void *self, const char *line, size_t size),
		 void *self)
{
	/* One more than the longest line: its '\r'. */
	*lines = (struct lines){.take = take, .self = self, .held = {.limit = LINES_LONGEST + 1}};
}

static void give_out(struct lines *lines)
{
	lines->take(lines->self, buf_text(&lines->held), lines->held.size);
	buf_clear(&lines->held);
}

/* Give out all but the byte that is one too many. */
static void give_out_piece(struct lines *lines)
{
	struct buf *held = &lines->held;
	char last = held->data[--held->size];

	held->data[held->size] = '\0';
	give_out(lines);
	buf_addc(held, last);
}

static void end_line(struct lines *lines)
{
	struct buf *held = &lines->held;

	if (held->size && held->data[held->size - 1] == '\r')
		held->data[--held->size] = '\0';
	if (held->size > LINES_LONGEST)
		give_out_piece(lines);
	give_out(lines);
}

/* More of a line whose end is not in these bytes. */
static void hold(struct lines *lines, const char *bytes, size_t size)
{
	struct buf *held = &lines->held;

	while (size) {
		size_t some;

		if (held->size == held->limit)
			give_out_piece(lines);
		some = held->limit - held->size;
		if (some > size)
			some = size;
		buf_add(held, bytes, some);
		bytes += some;
		size -= some;
	}
}

void lines_add(struct lines *lines, const char *bytes, size_t size)
{
	const char *end;

	while (size && (end = memchr(bytes, '\n', size))) {
		size_t line = (size_t)(end - bytes);

		hold(lines, bytes, line);
		end_line(lines);
		bytes += line + 1;
		size -= line + 1;
	}
	hold(lines, bytes, size);
}

void lines_end(struct lines *lines)
{
	if (lines->held.size)
		end_line(lines);
	buf_free(&lines->held);
}

#include "action/watcher.h"

#include <string.h>
#include <sys/ioctl.h>

#include "base/child.h"

#define TAIL        40   /* lines of a failed step that a terminal shows */
#define LINE        2000 /* bytes of a line that are kept */
#define BEFORE_LINE 22   /* columns of a step's line before its text */
#define DRAW_TICKS  200

struct watcher {
	struct observer observer;
	struct watcher_options options;
	enum step step;
	int64_t began, drawn; /* ticks */
	char *tail[TAIL];
	unsigned said; /* lines of this step */
	bool live;     /* a line that will be drawn over stands there */
	bool warned;   /* that it is being cancelled */
};

#define WATCHER(observer) ((struct watcher *)(observer))

/* The line as it may stand on a terminal: no control characters, no escape sequences. */
static char *plain(const char *line, size_t size)
{
	struct buf out = BUF_INIT(LINE);
	size_t i = 0;

	while (i < size) {
		unsigned char c = (unsigned char)line[i++];

		if (c == 0x1b && i < size && line[i] == '[') {
			for (i++; i < size && (line[i] < 0x40 || line[i] > 0x7e); i++)
				;
			i++;
		} else if (c == '\r' && i < size) {
			buf_clear(&out); /* a progress bar draws over itself */
		} else if (c == '\t') {
			buf_addc(&out, ' ');
		} else if (c >= 0x20 && c != 0x7f) {
			buf_addc(&out, (char)c);
		}
	}
	return buf_take(&out);
}

/* How many bytes of text fit into so many columns, taking a code point for one. */
static int fit(const char *text, int columns)
{
	int bytes = 0;

	for (; text[bytes] && columns > 0; columns--)
		do
			bytes++;
		while (((unsigned char)text[bytes] & 0xc0) == 0x80);
	return bytes;
}

static int columns_of(const struct watcher *watcher)
{
	struct winsize size = {0};

	if (watcher->options.columns > 0)
		return watcher->options.columns;
	if (ioctl(fileno(watcher->options.out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

static void clear(struct watcher *watcher)
{
	if (watcher->live)
		fputs("\r\033[K", watcher->options.out);
	watcher->live = false;
}

static const char *last_line(const struct watcher *watcher)
{
	return watcher->said > 0 ? watcher->tail[(watcher->said - 1) % TAIL] : "";
}

static void draw(struct watcher *watcher)
{
	FILE *out = watcher->options.out;
	int64_t now = clock_ticks(watcher->options.clock);
	const char *line = last_line(watcher);
	int room = columns_of(watcher) - 1 - BEFORE_LINE;

	clear(watcher);
	fprintf(out, "> %-9s %6lld s  ", step_name(watcher->step),
		(long long)(now - watcher->began) / 1000);
	if (room > 0)
		fprintf(out, "%.*s", fit(line, room), line);
	fflush(out);
	watcher->live = true;
	watcher->drawn = now;
}

static void forget_tail(struct watcher *watcher)
{
	for (size_t i = 0; i < TAIL; i++)
		free(take(watcher->tail[i]));
	watcher->said = 0;
}

static void show_tail(struct watcher *watcher)
{
	unsigned first = watcher->said > TAIL ? watcher->said - TAIL : 0;

	if (first > 0)
		fprintf(watcher->options.out, "  | (%u lines before)\n", first);
	for (unsigned i = first; i < watcher->said; i++)
		fprintf(watcher->options.out, "  | %s\n", watcher->tail[i % TAIL]);
}

static void watcher_began(struct observer *observer, enum step step)
{
	struct watcher *watcher = WATCHER(observer);

	forget_tail(watcher);
	watcher->step = step;
	watcher->began = clock_ticks(watcher->options.clock);
	if (watcher->options.terminal)
		draw(watcher);
	else
		fprintf(watcher->options.out, "%-8s begins\n", step_name(step));
	fflush(watcher->options.out);
}

static void watcher_said(struct observer *observer, enum step step, const char *line, size_t size)
{
	struct watcher *watcher = WATCHER(observer);
	char **slot = &watcher->tail[watcher->said++ % TAIL];

	free(*slot);
	*slot = plain(line, size);
	if (!watcher->options.terminal) {
		fprintf(watcher->options.out, "%-8s | %s\n", step_name(step), *slot);
		fflush(watcher->options.out);
	} else if (clock_ticks(watcher->options.clock) - watcher->drawn >= DRAW_TICKS) {
		draw(watcher);
	}
}

static void show_end(struct watcher *watcher, bool failed)
{
	const char *name = step_name(watcher->step), *how = failed ? "failed" : "done";
	int64_t took = (clock_ticks(watcher->options.clock) - watcher->began) / 100;
	const char *line = !failed && watcher->said <= 2 ? last_line(watcher) : "";
	const char *colour = "", *plain_again = "";

	if (watcher->options.terminal && watcher->options.colour) {
		colour = failed ? "\033[31m" : "\033[32m";
		plain_again = "\033[0m";
	}
	if (!watcher->options.terminal)
		fprintf(watcher->options.out, "%-8s %s after %lld.%lld s\n", name, how,
			(long long)took / 10, (long long)took % 10);
	else
		fprintf(watcher->options.out, "  %-9s %4lld.%lld s  %s%s%s%s%.*s\n", name,
			(long long)took / 10, (long long)took % 10, colour, how, plain_again,
			*line ? ": " : "", fit(line, columns_of(watcher) - 1 - BEFORE_LINE - 8),
			line);
}

static int watcher_ended(struct observer *observer, enum step step, enum step next,
			 const struct progress *progress, struct err *err)
{
	struct watcher *watcher = WATCHER(observer);
	bool failed = step != STEP_ROLLBACK && (next == STEP_ROLLBACK || next == STEP_FAILED);

	(void)progress;
	(void)err;
	clear(watcher);
	show_end(watcher, failed);
	if (failed && watcher->options.terminal)
		show_tail(watcher);
	fflush(watcher->options.out);
	return 0;
}

static int watcher_alive(struct observer *observer)
{
	struct watcher *watcher = WATCHER(observer);
	int stop = watcher->options.stop ? *watcher->options.stop : 0;

	if (stop >= 2) {
		child_kill_marked(watcher->options.job);
		return OBSERVER_LOST;
	}
	if (stop && !watcher->warned) {
		watcher->warned = true;
		clear(watcher);
		fputs("stopping in order; once more stops at once, without a rollback\n",
		      watcher->options.out);
		fflush(watcher->options.out);
	}
	if (watcher->live && clock_ticks(watcher->options.clock) - watcher->drawn >= DRAW_TICKS)
		draw(watcher);
	return stop ? OBSERVER_CANCEL : 0;
}

struct watcher *watcher_new(const struct watcher_options *options)
{
	struct watcher *watcher = xalloc(sizeof *watcher);

	watcher->observer = (struct observer){.began = watcher_began,
					      .said = watcher_said,
					      .ended = watcher_ended,
					      .alive = watcher_alive};
	watcher->options = *options;
	return watcher;
}

struct observer *watcher_observer(struct watcher *watcher)
{
	return &watcher->observer;
}

void watcher_free(struct watcher *watcher)
{
	if (!watcher)
		return;
	clear(watcher);
	fflush(watcher->options.out);
	forget_tail(watcher);
	free(watcher);
}

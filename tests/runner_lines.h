/* runner_lines.h: how GitHub's runner reads what an action prints, from its sources' behaviour:
 * which lines are commands that it obeys. Shared by the unit test and the fuzz target of the
 * writer. */
#ifndef RUNNER_LINES_H
#define RUNNER_LINES_H
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"

struct runner_lines {
	char token[256]; /* commands are stopped until it comes; "" */
	/** A command that is obeyed: its name, properties and data, the data unescaped. */
	void (*obeyed)(void *self, const char *name, const char *properties, const char *data);
	/** A line that is shown. May be NULL. */
	void (*shown)(void *self, const char *line, size_t size);
	void *self;
};

static inline bool runner_lines_known(const char *name)
{
	static const char *const names[] = {
		"set-env",        "set-output", "save-state",
		"add-path",       "add-mask",   "add-matcher",
		"remove-matcher", "debug",      "warning",
		"error",          "notice",     "group",
		"endgroup",       "echo",       "internal-set-repo-path",
		"stop-commands",  "set-secret", "section",
		"add-issue",      NULL};

	for (size_t i = 0; names[i]; i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

/* White space as .NET's TrimStart() knows it. */
static inline size_t runner_lines_blank(const char *at, size_t left)
{
	static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
					   "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
					   "\xe2\x81\x9f", "\xe3\x80\x80"};

	if (left > 0 && strchr(" \t\v\f", *at) && *at)
		return 1;
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (strlen(wide[i]) <= left && memcmp(at, wide[i], strlen(wide[i])) == 0)
			return strlen(wide[i]);
	if (left >= 3 && memcmp(at, "\xe2\x80", 2) == 0 && (unsigned char)at[2] >= 0x80
	    && (unsigned char)at[2] <= 0x8a)
		return 3;
	return 0;
}

static inline char *runner_lines_unescape(const char *data)
{
	struct buf out = BUF_INIT(1 << 26);

	for (; *data; data++) {
		if (strncmp(data, "%25", 3) == 0)
			buf_addc(&out, '%'), data += 2;
		else if (strncmp(data, "%0D", 3) == 0)
			buf_addc(&out, '\r'), data += 2;
		else if (strncmp(data, "%0A", 3) == 0)
			buf_addc(&out, '\n'), data += 2;
		else
			buf_addc(&out, *data);
	}
	return buf_take(&out);
}

/* "name properties" and data: is it a command, and what becomes of it? */
static inline bool runner_lines_try(struct runner_lines *lines, const char *head, const char *data)
{
	autofree char *name = xstrdup(head);
	autofree char *value = runner_lines_unescape(data);
	char *space = strchr(name, ' ');
	const char *properties = space ? space + 1 : "";

	if (space)
		*space = '\0';
	if (*lines->token) {
		if (strcasecmp(name, lines->token) != 0)
			return false;
		*lines->token = '\0';
		return true;
	}
	if (!runner_lines_known(name))
		return false;
	if (strcasecmp(name, "stop-commands") == 0 && *value) {
		strncpy(lines->token, value, sizeof lines->token - 1);
		return true;
	}
	lines->obeyed(lines->self, name, properties, value);
	return true;
}

static inline void runner_lines_line(struct runner_lines *lines, const char *bytes, size_t size)
{
	autofree char *line = xmemdup(bytes, size);
	char *at = line, *end;
	size_t blank;

	/* .NET's strings may hold NULs; ours end there, so look behind them too. */
	for (size_t i = 0; i < size; i++)
		if (line[i] == '\0')
			line[i] = '\x01';
	while ((blank = runner_lines_blank(at, strlen(at))) > 0)
		at += blank;
	if (strncmp(at, "::", 2) == 0 && (end = strstr(at + 2, "::"))) {
		*end = '\0';
		if (runner_lines_try(lines, at + 2, end + 2))
			return;
		*end = ':';
	}
	at = strstr(line, "##[");
	end = at ? strchr(at, ']') : NULL;
	if (end) {
		*end = '\0';
		if (runner_lines_try(lines, at + 3, end + 1))
			return;
		*end = ']';
	}
	if (lines->shown)
		lines->shown(lines->self, bytes, size);
}

/* The whole output: lines end at "\n", "\r\n" and "\r". */
static inline void runner_lines_read(struct runner_lines *lines, const char *text, size_t size)
{
	while (size > 0) {
		size_t line = 0;

		while (line < size && text[line] != '\n' && text[line] != '\r')
			line++;
		runner_lines_line(lines, text, line);
		if (line + 1 < size && text[line] == '\r' && text[line + 1] == '\n')
			line++;
		line += line < size;
		text += line;
		size -= line;
	}
}
#endif

#include "action/places.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { LONGEST = 2000 };

static void tell(struct places *places, enum place_kind kind, const char *file, unsigned line,
		 unsigned column, const char *message)
{
	const struct place place = {
		.kind = kind, .file = file, .line = line, .column = column, .message = message};

	places->found(places->self, &place);
}

/* Digits at *at, moved behind them; 0 when there are none or too many. */
static unsigned number(const char **at)
{
	unsigned value = 0;
	int digits = 0;

	for (; isdigit((unsigned char)**at) && digits < 8; digits++, (*at)++)
		value = value * 10 + (unsigned)(**at - '0');
	return isdigit((unsigned char)**at) ? 0 : value;
}

static void keep(struct places *places, const char *message)
{
	snprintf(places->message, sizeof places->message, "%.*s", (int)sizeof places->message - 1,
		 message);
}

static void skip_blanks(const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

/* "error: …", "warning: …", "error TS2304: …"; *at moves to what follows. */
static enum place_kind severity(const char **at)
{
	static const struct {
		const char *word;
		enum place_kind kind;
	} words[] = {{"fatal error", PLACE_ERROR}, {"error", PLACE_ERROR},
		     {"Error", PLACE_ERROR},       {"warning", PLACE_WARNING},
		     {"Warning", PLACE_WARNING},   {"note", PLACE_NOTE}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t size = strlen(words[i].word);
		const char *colon = *at + size;

		if (!text_starts(*at, words[i].word))
			continue;
		if (*colon == ' ' && isupper((unsigned char)colon[1]))
			colon += 1 + strcspn(colon + 1, ": ");
		if (*colon != ':')
			continue;
		/* tsc's number says something: it stays. */
		*at = colon == *at + size ? colon + 1 : *at + size;
		skip_blanks(at);
		return words[i].kind;
	}
	return PLACE_UNSURE;
}

static int is_path(const char *text, size_t size)
{
	int dot = 0;

	if (size == 0 || size >= 512)
		return 0;
	for (size_t i = 0; i < size; i++) {
		if (iscntrl((unsigned char)text[i]) || strchr("<>\"'`|*?", text[i]))
			return 0;
		dot |= text[i] == '.' || text[i] == '/';
	}
	return dot || (size >= 8 && strncmp(text, "Makefile", 8) == 0);
}

/* path:line[:column][:] message, and path:line:column - error: message of tsc. */
static int colons(struct places *places, const char *text)
{
	char file[512];
	const char *at = text;
	unsigned line, column = 0;
	enum place_kind kind;

	while ((at = strchr(at, ':')) && !isdigit((unsigned char)at[1]))
		at++;
	if (!at || !is_path(text, (size_t)(at - text)))
		return 0;
	snprintf(file, sizeof file, "%.*s", (int)(at - text), text);
	at++;
	line = number(&at);
	if (*at == ':' && isdigit((unsigned char)at[1])) {
		at++;
		column = number(&at);
	}
	if (*at != ':' && strncmp(at, " - ", 3) != 0)
		return 0;
	at += *at == ':' ? 1 : 3;
	skip_blanks(&at);
	if (line == 0 || !*at)
		return 0;
	kind = severity(&at);
	if (!*at)
		return 0;
	/* pytest: "test_shop.py:12: AssertionError", after the lines with E that say more. */
	if (kind == PLACE_UNSURE && *places->message && strcspn(at, " ") == strlen(at)) {
		tell(places, PLACE_ERROR, file, line, column, places->message);
		*places->message = '\0';
		return 1;
	}
	tell(places, kind, file, line, column, at);
	return 1;
}

/* tsc: path(line,column): error TS2304: message. */
static int brackets(struct places *places, const char *text)
{
	char file[512];
	const char *at = strchr(text, '(');
	enum place_kind kind;
	unsigned line, column;

	if (!at || !is_path(text, (size_t)(at - text)))
		return 0;
	snprintf(file, sizeof file, "%.*s", (int)(at - text), text);
	at++;
	line = number(&at);
	if (line == 0 || *at != ',')
		return 0;
	at++;
	column = number(&at);
	if (strncmp(at, "):", 2) != 0)
		return 0;
	at += 2;
	skip_blanks(&at);
	kind = severity(&at);
	tell(places, kind, file, line, column, at);
	return 1;
}

static void remember(struct places *places, const char *file, size_t size, unsigned line)
{
	if (size == 0 || size >= sizeof places->file || line == 0)
		return;
	snprintf(places->file, sizeof places->file, "%.*s", (int)size, file);
	places->line = line;
}

/* Python: `  File "shop.py", line 12, in page`; the deepest one comes last. */
static int python_frame(struct places *places, const char *text)
{
	const char *end;

	if (!text_starts(text, "File \""))
		return 0;
	text += strlen("File \"");
	end = strstr(text, "\", line ");
	if (!end)
		return 0;
	const char *digits = end + strlen("\", line ");

	/* Deep frames are often a library's: whether the file is ours is found out later. */
	if (*text != '<' && !strstr(text, "site-packages") && !strstr(text, "/lib/python"))
		remember(places, text, (size_t)(end - text), number(&digits));
	return 1;
}

/* node: "/app/shop.js:12" alone, then the code, then the message; or frames below a message:
 * "at page (/app/shop.js:12:5)". */
static int node_place(struct places *places, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *digits = colon ? colon + 1 : NULL;
	unsigned line = digits ? number(&digits) : 0;

	if (line == 0 || *digits || (*text != '/' && !text_starts(text, "file://"))
	    || strchr(text, ' '))
		return 0;
	remember(places, text, (size_t)(colon - text), line);
	return 1;
}

static int node_frame(struct places *places, const char *text)
{
	const char *open, *end, *colon;
	char place[512];
	unsigned line, column;

	if (!text_starts(text, "at "))
		return 0;
	open = strchr(text, '(');
	open = open ? open + 1 : text + 3;
	end = open + strcspn(open, ")");
	snprintf(place, sizeof place, "%.*s", (int)(end - open), open);
	colon = strrchr(place, ':');
	if (!*places->message || !colon || text_starts(place, "node:")
	    || strstr(place, "node_modules/"))
		return 1;
	column = (unsigned)strtoul(colon + 1, NULL, 10);
	place[colon - place] = '\0';
	colon = strrchr(place, ':');
	line = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
	if (line == 0)
		return 1;
	place[colon - place] = '\0';
	tell(places, places->kind, place, line, column, places->message);
	*places->message = '\0';
	return 1;
}

/* rustc: "error[E0425]: message", then " --> src/main.rs:2:5". */
static int rust(struct places *places, const char *text)
{
	const char *colon;
	char place[512];
	unsigned line, column = 0;

	if (!text_starts(text, "--> "))
		return 0;
	snprintf(place, sizeof place, "%s", text + 4);
	colon = strchr(place, ':');
	if (!colon || !*places->message)
		return 1;
	const char *at = colon + 1;

	line = number(&at);
	if (*at == ':') {
		at++;
		column = number(&at);
	}
	place[colon - place] = '\0';
	if (line > 0)
		tell(places, places->kind, place, line, column, places->message);
	*places->message = '\0';
	return 1;
}

/* "ValueError: …", "shop.errors.Broken: …", "error: …", "error[E0425]: …" at the start of a line.
 */
static int is_message(const char *text, enum place_kind *kind)
{
	size_t word =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._");

	*kind = text_starts(text, "warning") ? PLACE_WARNING : PLACE_ERROR;
	if (word == 0)
		return 0;
	if (text[word] == '[' && (text_starts(text, "error[") || text_starts(text, "warning[")))
		return 1;
	if (text[word] != ':' && text[word] != '\0')
		return 0;
	return (word >= 5 && strncmp(text + word - 5, "Error", 5) == 0)
	       || (word >= 9 && strncmp(text + word - 9, "Exception", 9) == 0)
	       || ((word == 5 || word == 7) && text[word] == ':'
		   && (text_starts(text, "error:") || text_starts(text, "warning:")));
}

/* A message goes to the place that was named before it, or waits for one. */
static int message(struct places *places, const char *text)
{
	enum place_kind kind;

	if (!is_message(text, &kind))
		return 0;
	if (places->line > 0) {
		tell(places, PLACE_ERROR, places->file, places->line, 0, text);
		places->line = 0;
		return 1;
	}
	places->kind = kind;
	keep(places, text);
	return 1;
}

void places_line(struct places *places, const char *line, size_t size)
{
	char copy[LONGEST + 1] = {0};
	const char *text = copy;
	size_t used = 0;

	/* Colours would hide what the line begins with. */
	for (size_t i = 0; i < size && used < LONGEST; i++) {
		if (line[i] == '\033') {
			while (i + 1 < size && !isalpha((unsigned char)line[i + 1]))
				i++;
			i++;
		} else if (line[i] != '\0' && line[i] != '\r') {
			copy[used++] = line[i];
		}
	}
	copy[used] = '\0';
	/* pytest: "E   assert 1 == 2"; the first says most. */
	if (text_starts(copy, "E  ") || text_starts(copy, "E\t")) {
		text++;
		skip_blanks(&text);
		if (!*places->message)
			keep(places, text);
		places->kind = PLACE_ERROR;
		return;
	}
	if (message(places, copy))
		return;
	skip_blanks(&text);
	(void)(python_frame(places, text) || node_place(places, text) || node_frame(places, text)
	       || rust(places, text) || brackets(places, text) || colons(places, text));
}

void places_begin(struct places *places, void (*found)(void *self, const struct place *place),
		  void *self)
{
	*places = (struct places){.found = found, .self = self};
}

void places_end(struct places *places)
{
	places->line = 0;
	*places->message = '\0';
}

#include "image/ignore.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

enum kind {
	ONE,  /* this character */
	ANY,  /* '?': one that isn't '/' */
	SET,  /* one of a set */
	RUN,  /* '*': any of them but '/' */
	DEEP, /* "**" before more: nothing, or all up to a '/' */
	REST, /* "**" at the end: anything */
};

struct range {
	unsigned low, high;
};

struct token {
	enum kind kind;
	unsigned character;
	bool negated;
	size_t first, count; /* of the pattern's ranges */
};

struct pattern {
	char *text;
	bool back;
	struct token *tokens;
	size_t count;
	struct range *ranges;
	size_t range_count;
};

struct ignore {
	struct pattern *patterns;
	size_t count;
	bool takes_back;
};

/* One character, as Go reads UTF-8: a byte that begins none is one of its own. */
static unsigned next_character(const char **at)
{
	const unsigned char *bytes = (const unsigned char *)*at;
	unsigned first = bytes[0];
	unsigned size = first >= 0xf0 && first < 0xf8   ? 4
			: first >= 0xe0 && first < 0xf0 ? 3
			: first >= 0xc2 && first < 0xe0 ? 2
							: 1;
	unsigned value = size == 1 ? first : first & (0x7fu >> size);

	for (unsigned i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80) {
			*at += 1;
			return 0x110000 + first;
		}
		value = value << 6 | (bytes[i] & 0x3f);
	}
	*at += size;
	return size == 1 && first >= 0x80 ? 0x110000 + first : value;
}

/* A bound of a range. False for what may not stand there. */
static bool read_bound(const char **at, unsigned *out)
{
	if (**at == '\0' || **at == '-' || **at == ']')
		return false;
	if (**at == '\\' && *++*at == '\0')
		return false;
	*out = next_character(at);
	return true;
}

static bool read_set(struct pattern *pattern, struct token *token, const char **at)
{
	*token = (struct token){.kind = SET, .first = pattern->range_count};
	if (**at == '^') {
		token->negated = true;
		++*at;
	}
	while (**at != ']' || token->count == 0) {
		struct range range;

		if (!read_bound(at, &range.low))
			return false;
		range.high = range.low;
		if (**at == '-') {
			++*at;
			if (!read_bound(at, &range.high) || range.high < range.low)
				return false;
		}
		pattern->ranges = xresize(pattern->ranges, pattern->range_count + 1, sizeof range);
		pattern->ranges[pattern->range_count++] = range;
		token->count++;
	}
	++*at;
	return true;
}

static void read_star(struct token *token, const char **at)
{
	token->kind = RUN;
	if (**at != '*')
		return;
	++*at;
	if (**at == '/')
		++*at;
	token->kind = **at ? DEEP : REST;
}

static bool read_tokens(struct pattern *pattern, const char *at)
{
	pattern->tokens = xalloc((strlen(at) + 1) * sizeof *pattern->tokens);
	while (*at) {
		struct token *token = &pattern->tokens[pattern->count++];

		*token = (struct token){.kind = ONE, .character = next_character(&at)};
		if (token->character == '*') {
			read_star(token, &at);
		} else if (token->character == '?') {
			token->kind = ANY;
		} else if (token->character == '[') {
			if (!read_set(pattern, token, &at))
				return false;
		} else if (token->character == '\\') {
			if (*at == '\0')
				return false;
			token->character = next_character(&at);
		}
	}
	return true;
}

/* Go's filepath.Clean. The caller frees. */
static char *clean(const char *path)
{
	bool rooted = *path == '/';
	cleanup(buf_free) struct buf out = BUF_INIT(1024 * 1024);

	if (rooted)
		buf_addc(&out, '/');
	for (const char *at = path; *at;) {
		size_t size = strcspn(at, "/");
		const char *slash = out.size ? strrchr(out.data, '/') : NULL;
		const char *last = slash ? slash + 1 : buf_text(&out);

		if (size == 2 && memcmp(at, "..", 2) == 0 && *last && strcmp(last, "..") != 0) {
			out.size = (size_t)(last - out.data);
			while (out.size > (rooted ? 1u : 0u) && out.data[out.size - 1] == '/')
				out.size--;
			out.data[out.size] = '\0';
		} else if (size > 0 && !(size == 1 && *at == '.')
			   && !(size == 2 && memcmp(at, "..", 2) == 0 && rooted)) {
			if (out.size > 0 && out.data[out.size - 1] != '/')
				buf_addc(&out, '/');
			buf_add(&out, at, size);
		}
		at += size + (at[size] == '/');
	}
	if (out.size == 0)
		buf_addc(&out, '.');
	return buf_take(&out);
}

static void pattern_free(struct pattern *pattern)
{
	free(pattern->text);
	free(pattern->tokens);
	free(pattern->ranges);
}

int ignore_add(struct ignore *ignore, const char *text, bool back, struct err *err)
{
	struct pattern pattern = {.text = clean(text), .back = back};

	if (strlen(pattern.text) > 1 && pattern.text[0] == '/')
		memmove(pattern.text, pattern.text + 1, strlen(pattern.text));
	if (!read_tokens(&pattern, pattern.text)) {
		pattern_free(&pattern);
		return err_set(err, ERR_USAGE, 0,
			       "'%.100s' is no pattern: a '[' without its ']', a range that runs "
			       "backwards, or '\\' at the end",
			       text);
	}
	ignore->patterns = xresize(ignore->patterns, ignore->count + 1, sizeof pattern);
	ignore->patterns[ignore->count++] = pattern;
	ignore->takes_back |= back;
	return 0;
}

static char *trim(char *text)
{
	size_t size;

	while (isspace((unsigned char)*text))
		text++;
	size = strlen(text);
	while (size > 0 && isspace((unsigned char)text[size - 1]))
		size--;
	text[size] = '\0';
	return text;
}

static int read_line(struct ignore *ignore, char *line, struct err *err)
{
	bool back;

	if (*line == '#')
		return 0;
	line = trim(line);
	if (*line == '\0')
		return 0;
	back = *line == '!';
	if (back)
		line = trim(line + 1);
	if (*line == '\0')
		return err_set(err, ERR_USAGE, 0, "a '!' with no pattern after it");
	return ignore_add(ignore, line, back, err);
}

int ignore_parse(struct ignore **out, const char *text, size_t size, struct err *err)
{
	cleanup(ignore_freep) struct ignore *ignore = xalloc(sizeof *ignore);
	const char *at = text, *end = text + size;

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	for (int number = 1; at < end; number++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		autofree char *line = xmemdup(at, (size_t)(stop - at));

		if (read_line(ignore, line, err))
			return err_within(err, "line %d", number);
		at = stop + 1;
	}
	*out = take(ignore);
	return 0;
}

void ignore_free(struct ignore *ignore)
{
	if (!ignore)
		return;
	for (size_t i = 0; i < ignore->count; i++)
		pattern_free(&ignore->patterns[i]);
	free(ignore->patterns);
	free(ignore);
}

static bool in_set(const struct pattern *pattern, const struct token *token, unsigned character)
{
	for (size_t i = token->first; i < token->first + token->count; i++)
		if (character >= pattern->ranges[i].low && character <= pattern->ranges[i].high)
			return !token->negated;
	return token->negated;
}

/*
 * Where in the pattern one may be: before token i (2i), or in the middle of a "**" (2i + 1). All
 * places at once, so that no pattern takes longer than its length times the path's.
 */
static void enter(const struct pattern *pattern, bool *at, size_t i)
{
	while (!at[2 * i]) {
		at[2 * i] = true;
		if (i == pattern->count || pattern->tokens[i].kind < RUN)
			return;
		i++;
	}
}

static void step(const struct pattern *pattern, const bool *at, bool *next, unsigned c)
{
	for (size_t i = 0; i < pattern->count; i++) {
		const struct token *token = &pattern->tokens[i];
		bool one = at[2 * i]
			   && ((token->kind == ONE && token->character == c)
			       || (token->kind == ANY && c != '/')
			       || (token->kind == SET && in_set(pattern, token, c)));

		if (one)
			enter(pattern, next, i + 1);
		if (at[2 * i] && (token->kind == REST || (token->kind == RUN && c != '/')))
			enter(pattern, next, i);
		if (token->kind != DEEP || !(at[2 * i] || at[2 * i + 1]))
			continue;
		next[2 * i + 1] = true;
		if (c == '/')
			enter(pattern, next, i + 1);
	}
}

static bool matches(const struct pattern *pattern, const char *path, size_t size)
{
	size_t places = 2 * pattern->count + 2;
	autofree bool *at = xalloc(places), *next = xalloc(places);
	const char *end = path + size;

	enter(pattern, at, 0);
	while (path < end) {
		bool *spare = at;

		memset(next, 0, places);
		step(pattern, at, next, next_character(&path));
		at = next;
		next = spare;
	}
	return at[2 * pattern->count];
}

/* The path or a folder above it. */
static bool matches_within(const struct pattern *pattern, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
		if (matches(pattern, path, (size_t)(slash - path)))
			return true;
	return matches(pattern, path, strlen(path));
}

bool ignore_matches(const struct ignore *ignore, const char *path)
{
	bool left_out = false;

	for (size_t i = 0; i < ignore->count; i++)
		if (ignore->patterns[i].back == left_out
		    && matches_within(&ignore->patterns[i], path))
			left_out = !left_out;
	return left_out;
}

bool ignore_looks_into(const struct ignore *ignore, const char *folder)
{
	size_t size = strlen(folder);

	for (size_t i = 0; ignore->takes_back && i < ignore->count; i++) {
		const struct pattern *pattern = &ignore->patterns[i];

		if (pattern->back && strncmp(pattern->text, folder, size) == 0
		    && (pattern->text[size] == '/' || pattern->text[size] == '\0'))
			return true;
	}
	return false;
}

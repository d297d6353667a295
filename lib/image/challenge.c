#include "image/challenge.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

static const char *take_token(const char **at, struct arena *arena)
{
	const char *from = *at, *to = from;

	while (is_token(*to))
		to++;
	*at = to;
	return to == from ? NULL : arena_memdup(arena, from, (size_t)(to - from));
}

static char *lower(char *text)
{
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

/* After the opening quote; NULL when it isn't closed. */
static const char *take_quoted(const char **at, struct arena *arena)
{
	char *out = arena_alloc(arena, strlen(*at) + 1), *to = out;
	const char *from = *at;

	for (; *from != '"'; from++) {
		if (*from == '\\' && from[1])
			from++;
		if (*from == '\0')
			return NULL;
		*to++ = *from;
	}
	*at = from + 1;
	return out;
}

static void set_parameter(struct challenge *challenge, const char *name, const char *value)
{
	const struct {
		const char *name, **value;
	} known[] = {
		{"realm", &challenge->realm},
		{"service", &challenge->service},
		{"scope", &challenge->scope},
		{"error", &challenge->error},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (text_same_nocase(name, known[i].name) && !*known[i].value)
			*known[i].value = value;
}

/* "=value" after a name; false when it isn't one. */
static bool take_value(const char **at, const char **value, struct arena *arena)
{
	const char *from = skip_space(*at);

	if (*from != '=')
		return false;
	from = skip_space(from + 1);
	if (*from == '"') {
		from++;
		*value = take_quoted(&from, arena);
	} else {
		*value = take_token(&from, arena);
	}
	*at = from;
	return *value != NULL;
}

/* "Negotiate dGVzdA==": what may follow a scheme in place of parameters. */
static const char *skip_token68(const char *s)
{
	const char *end = s;

	while (is_token(*end) || *end == '/')
		end++;
	end += strspn(end, "=");
	return *skip_space(end) == ',' || *skip_space(end) == '\0' ? end : s;
}

size_t challenge_parse(const char *text, struct challenge list[CHALLENGES_MAX], struct arena *arena)
{
	struct challenge *now = NULL;
	size_t count = 0;

	for (const char *at = text;;) {
		const char *name, *value = NULL;

		at += strspn(at, " \t,");
		name = take_token(&at, arena);
		if (!name)
			return count;
		if (now && *skip_space(at) == '=') {
			if (!take_value(&at, &value, arena))
				return count;
			set_parameter(now, name, value);
			continue;
		}
		if (count == CHALLENGES_MAX || (*at && !strchr(" \t,", *at)))
			return count;
		now = &list[count++];
		*now = (struct challenge){.scheme = lower(arena_strdup(arena, name))};
		at = skip_token68(skip_space(at));
	}
}

bool challenge_find(const struct http_response *response, const char *scheme, struct challenge *out,
		    struct arena *arena)
{
	for (size_t i = 0; i < response->header_count; i++) {
		struct challenge list[CHALLENGES_MAX];
		size_t count;

		if (!text_same_nocase(response->headers[i].name, "WWW-Authenticate"))
			continue;
		count = challenge_parse(response->headers[i].value, list, arena);
		for (size_t j = 0; j < count; j++) {
			if (!text_same(list[j].scheme, scheme))
				continue;
			*out = list[j];
			return true;
		}
	}
	return false;
}

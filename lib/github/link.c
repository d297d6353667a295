#include "github/link.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* One parameter of a link: `name`, or `name=value`, or `name="value"`. */
struct parameter {
	const char *name, *value;
	size_t name_size, value_size;
};

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* To the end of a quoted text; a backslash takes the next character with it. */
static const char *quoted_end(const char *at)
{
	while (*at && *at != '"')
		at += *at == '\\' && at[1] ? 2 : 1;
	return at;
}

/* Reads one after its ';' and gives where it ends. */
static const char *read_parameter(const char *at, struct parameter *out)
{
	*out = (struct parameter){0};
	at = skip_blanks(at);
	out->name = at;
	out->name_size = strcspn(at, "=;, \t");
	at = skip_blanks(at + out->name_size);
	if (*at != '=')
		return at;
	at = skip_blanks(at + 1);
	if (*at == '"') {
		const char *end = quoted_end(++at);

		out->value = at;
		out->value_size = (size_t)(end - at);
		return *end ? end + 1 : end;
	}
	out->value = at;
	out->value_size = strcspn(at, ";, \t");
	return at + out->value_size;
}

/* Relations stand with blanks between them, in any case. */
static bool has_word(const char *text, size_t size, const char *word)
{
	size_t length = strlen(word);
	const char *end = text + size;

	while (text < end) {
		size_t run = 0;

		while (text + run < end && text[run] != ' ')
			run++;
		if (run == length && strncasecmp(text, word, length) == 0)
			return true;
		text += run + 1;
	}
	return false;
}

/* The parameters of one link; *found when the first `rel` among them has the relation (RFC 8288,
 * 3.3: others are ignored). Gives where the link ends. */
static const char *read_parameters(const char *at, const char *relation, bool *found)
{
	bool seen = false;

	*found = false;
	for (at = skip_blanks(at); *at == ';'; at = skip_blanks(at)) {
		struct parameter parameter;

		at = read_parameter(at + 1, &parameter);
		if (seen || parameter.name_size != 3 || strncasecmp(parameter.name, "rel", 3) != 0)
			continue;
		seen = true;
		*found = parameter.value
			 && has_word(parameter.value, parameter.value_size, relation);
	}
	return at;
}

char *link_find(const char *header, const char *relation)
{
	const char *at = header ? header : "";

	while (*at) {
		const char *url, *end;
		bool found;

		at += strspn(at, " \t,");
		if (*at != '<' || !(end = strchr(at, '>')))
			return NULL;
		url = at + 1;
		at = read_parameters(end + 1, relation, &found);
		if (found)
			return xmemdup(url, (size_t)(end - url));
		if (*at && *at != ',')
			return NULL;
	}
	return NULL;
}

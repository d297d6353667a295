#include "base/json.h"

#include <string.h>

#include "base/text.h"

#define DEPTH_MAX 64
#define TOO_DEEP  "nested deeper than 64 levels"

struct place {
	unsigned line, column; /* column in bytes, from 1 */
};

/* What jansson would let pass: it recurses up to 2048 levels, and skips a NUL between tokens as if
 * it were a space. */
static const char *find_fault(const char *text, size_t size, struct place *at)
{
	bool quoted = false, escaped = false;
	unsigned depth = 0;

	*at = (struct place){1, 0};
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		at->column++;
		if (c == '\0')
			return "a NUL";
		if (escaped)
			escaped = false;
		else if (c == '"')
			quoted = !quoted;
		else if (quoted)
			escaped = c == '\\';
		else if (c == '\n')
			*at = (struct place){at->line + 1, 0};
		else if ((c == '[' || c == '{') && ++depth > DEPTH_MAX)
			return TOO_DEEP;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return NULL;
}

/* jansson quotes the text around the mistake, whatever bytes that has. */
static void make_printable(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (!text_is_utf8(text, strlen(text)))
		for (unsigned char *c = (unsigned char *)text; *c; c++)
			if (*c >= 0x80)
				*c = '?';
}

int json_parse(json_t **out, const char *text, size_t size, struct err *err)
{
	json_error_t error;
	const char *fault;
	struct place at;

	*out = NULL;
	fault = text ? find_fault(text, size, &at) : NULL;
	if (fault)
		return err_set(err, ERR_USAGE, 0, "not valid JSON: line %u, column %u: %s", at.line,
			       at.column, fault);
	*out = json_loadb(text ? text : "", text ? size : 0,
			  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (*out)
		return 0;
	make_printable(error.text);
	return err_set(err, ERR_USAGE, 0, "not valid JSON: line %d, column %d: %s", error.line,
		       error.column, error.text);
}

json_t *json_at(const json_t *json, const char *path)
{
	while (json && *path) {
		size_t length = strcspn(path, ".");

		json = json_object_getn(json, path, length);
		path += length;
		if (*path == '.')
			path++;
	}
	return (json_t *)(uintptr_t)json;
}

const char *json_text(const json_t *json, const char *path)
{
	return json_string_value(json_at(json, path));
}

int64_t json_integer_at(const json_t *json, const char *path, int64_t fallback)
{
	const json_t *value = json_at(json, path);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

bool json_flag(const json_t *json, const char *path)
{
	return json_is_true(json_at(json, path));
}

static int add_piece(const char *bytes, size_t size, void *buf)
{
	buf_add(buf, bytes, size);
	return 0;
}

void buf_add_json(struct buf *buf, const json_t *json)
{
	/* It fails only for a NULL or for want of memory; the text is then visibly cut. */
	(void)json_dump_callback(json, add_piece, buf, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* How many bytes the UTF-8 character at `s` has; 0 when it isn't one. */
static size_t character_size(const char *s)
{
	unsigned char lead = (unsigned char)*s;
	size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	return strnlen(s, size) == size && text_is_utf8(s, size) ? size : 0;
}

void buf_add_json_text(struct buf *buf, const char *s)
{
	buf_addc(buf, '"');
	while (*s) {
		size_t size = character_size(s);
		unsigned char c = (unsigned char)*s;

		if (size == 0)
			buf_adds(buf, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			buf_addf(buf, "\\%c", c);
		else if (c == '\n')
			buf_adds(buf, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_addf(buf, "\\u%04x", c);
		else
			buf_add(buf, s, size);
		s += size ? size : 1;
	}
	buf_addc(buf, '"');
}

#include "cloud/xml.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define LIMIT 1048576

/* A part of the answer. */
struct span {
	const char *at, *end;
};

static bool begins(const struct span *in, const char *text)
{
	size_t size = strlen(text);

	return (size_t)(in->end - in->at) >= size && memcmp(in->at, text, size) == 0;
}

static const char *find(const char *from, const char *end, const char *text)
{
	return memmem(from, (size_t)(end - from), text, strlen(text));
}

/* Behind `text`, or at the end. */
static const char *behind(const struct span *in, const char *text)
{
	const char *found = find(in->at, in->end, text);

	return found ? found + strlen(text) : in->end;
}

/* Behind a tag's '>', passing over quoted values that hold one. */
static const char *tag_end(const struct span *in)
{
	char quote = '\0';

	for (const char *c = in->at; c < in->end; c++) {
		if (quote)
			quote = *c == quote ? '\0' : quote;
		else if (*c == '"' || *c == '\'')
			quote = *c;
		else if (*c == '>')
			return c + 1;
	}
	return in->end;
}

enum part { PART_END, PART_TEXT, PART_RAW, PART_OPEN, PART_CLOSE, PART_EMPTY, PART_OTHER };

/* One tag, or the text up to the next. */
struct token {
	enum part part;
	struct span text; /* of a text; of a tag its local name */
};

static void read_name(struct token *token, const char *at, const char *end)
{
	const char *stop = at;

	while (stop < end && !isspace((unsigned char)*stop) && *stop != '/' && *stop != '>') {
		if (*stop == ':')
			at = stop + 1;
		stop++;
	}
	token->text = (struct span){at, stop};
}

static struct token next_token(struct span *in)
{
	struct token token = {.part = PART_TEXT, .text = *in};
	const char *start = in->at;

	if (start == in->end) {
		token.part = PART_END;
	} else if (*start != '<') {
		const char *tag = memchr(start, '<', (size_t)(in->end - start));

		token.text.end = in->at = tag ? tag : in->end;
	} else if (begins(in, "<![CDATA[")) {
		const char *close = find(in->at, in->end, "]]>");

		token.part = PART_RAW;
		token.text = (struct span){start + strlen("<![CDATA["), close ? close : in->end};
		in->at = close ? close + 3 : in->end;
	} else if (begins(in, "<!--") || begins(in, "<?") || begins(in, "<!")) {
		token.part = PART_OTHER;
		in->at = behind(in, begins(in, "<!--") ? "-->" : begins(in, "<?") ? "?>" : ">");
	} else {
		bool close = in->end - start > 1 && start[1] == '/';

		in->at = tag_end(in);
		token.part = close                                     ? PART_CLOSE
			     : in->at - start > 2 && in->at[-2] == '/' ? PART_EMPTY
								       : PART_OPEN;
		read_name(&token, start + 1 + close, in->at);
	}
	return token;
}

static bool is_named(const struct token *token, const char *name)
{
	size_t size = strlen(name);

	return (size_t)(token->text.end - token->text.at) == size
	       && memcmp(token->text.at, name, size) == 0;
}

/* The contents of the first element of that name; false when there is none that is closed. */
static bool find_element(struct span in, const char *name, struct span *out)
{
	unsigned depth = 0;

	for (;;) {
		const char *start = in.at;
		struct token token = next_token(&in);

		if (token.part == PART_END)
			return false;
		if (token.part < PART_OPEN || token.part == PART_OTHER || !is_named(&token, name))
			continue;
		if (token.part == PART_EMPTY && depth == 0) {
			*out = (struct span){in.at, in.at};
			return true;
		}
		if (token.part == PART_OPEN && depth++ == 0)
			out->at = in.at;
		if (token.part == PART_CLOSE && depth > 0 && --depth == 0) {
			out->end = start;
			return true;
		}
	}
}

static void add_character(struct buf *out, uint32_t code)
{
	char bytes[4];
	size_t size;

	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		code = 0xfffd;
	if (code < 0x80) {
		size = 1;
		bytes[0] = (char)code;
	} else if (code < 0x800) {
		size = 2;
		bytes[0] = (char)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		size = 3;
		bytes[0] = (char)(0xe0 | code >> 12);
	} else {
		size = 4;
		bytes[0] = (char)(0xf0 | code >> 18);
	}
	for (size_t i = size; i-- > 1; code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	buf_add(out, bytes, size);
}

/* &#60; or &#x3c; between '#' and ';'. */
static bool add_number(struct buf *out, const char *digits, const char *end)
{
	bool hex = digits < end && (*digits == 'x' || *digits == 'X');
	uint32_t code = 0;

	digits += hex;
	if (digits == end || end - digits > 8)
		return false;
	for (; digits < end; digits++) {
		int c = tolower((unsigned char)*digits);

		if (!(hex ? isxdigit(c) : isdigit(c)))
			return false;
		code = code * (hex ? 16 : 10) + (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
		if (code > 0x10ffff)
			code = 0x110000;
	}
	add_character(out, code);
	return true;
}

/* The entity that begins at '&'; its size, or 0 when it's none. */
static size_t add_entity(struct buf *out, const char *at, const char *end)
{
	static const struct {
		const char *text;
		char c;
	} known[] = {
		{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
	const char *stop;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t size = strlen(known[i].text);

		if ((size_t)(end - at) >= size && memcmp(at, known[i].text, size) == 0) {
			buf_addc(out, known[i].c);
			return size;
		}
	}
	stop = memchr(at, ';', (size_t)(end - at < 12 ? end - at : 12));
	if (stop && at[1] == '#' && add_number(out, at + 2, stop))
		return (size_t)(stop - at) + 1;
	return 0;
}

static void add_decoded(struct buf *out, const struct span *text)
{
	for (const char *c = text->at; c < text->end;) {
		size_t size = *c == '&' ? add_entity(out, c, text->end) : 0;

		if (size == 0)
			buf_addc(out, *c);
		c += size ? size : 1;
	}
}

static void trim(struct buf *text)
{
	size_t start = 0;

	while (text->size > 0 && isspace((unsigned char)text->data[text->size - 1]))
		text->data[--text->size] = '\0';
	while (start < text->size && isspace((unsigned char)text->data[start]))
		start++;
	if (start > 0) {
		text->size -= start;
		memmove(text->data, text->data + start, text->size + 1);
	}
}

static char *text_of(struct span in)
{
	cleanup(buf_free) struct buf text = BUF_INIT(LIMIT);

	for (;;) {
		struct token token = next_token(&in);

		if (token.part == PART_END)
			break;
		if (token.part == PART_RAW)
			buf_add(&text, token.text.at, (size_t)(token.text.end - token.text.at));
		else if (token.part == PART_TEXT)
			add_decoded(&text, &token.text);
	}
	trim(&text);
	return buf_take(&text);
}

char *xml_text(const char *bytes, size_t size, const char *name)
{
	struct span found;

	return size && find_element((struct span){bytes, bytes + size}, name, &found)
		       ? text_of(found)
		       : NULL;
}

char *xml_text_in(const char *bytes, size_t size, const char *outer, const char *name)
{
	struct span found, inner;

	if (!size || !find_element((struct span){bytes, bytes + size}, outer, &found)
	    || !find_element(found, name, &inner))
		return NULL;
	return text_of(inner);
}

#include "base/redact.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"

enum { SHORTEST = 4 };

struct pattern {
	char *bytes;
	size_t size;
};

/* The patterns that begin with one byte, the longest first. */
struct bucket {
	struct pattern *patterns;
	size_t count;
};

struct redactor {
	struct bucket buckets[256];
	size_t longest;
};

struct redactor *redactor_new(void)
{
	return xalloc(sizeof(struct redactor));
}

void redactor_free(struct redactor *redactor)
{
	if (!redactor)
		return;
	for (int i = 0; i < 256; i++) {
		struct bucket *bucket = &redactor->buckets[i];

		for (size_t j = 0; j < bucket->count; j++) {
			crypto_wipe(bucket->patterns[j].bytes, bucket->patterns[j].size);
			free(bucket->patterns[j].bytes);
		}
		free(bucket->patterns);
	}
	free(redactor);
}

size_t redactor_longest(const struct redactor *redactor)
{
	return redactor->longest;
}

/* ---- the forms in which a secret may show up ---- */

static void add_pattern(struct redactor *redactor, const char *bytes, size_t size)
{
	struct bucket *bucket;
	size_t at = 0;

	if (size < SHORTEST)
		return;
	bucket = &redactor->buckets[(unsigned char)bytes[0]];
	while (at < bucket->count && bucket->patterns[at].size >= size) {
		if (bucket->patterns[at].size == size
		    && memcmp(bucket->patterns[at].bytes, bytes, size) == 0)
			return;
		at++;
	}
	bucket->patterns = xresize(bucket->patterns, bucket->count + 1, sizeof *bucket->patterns);
	memmove(&bucket->patterns[at + 1], &bucket->patterns[at],
		(bucket->count - at) * sizeof *bucket->patterns);
	bucket->patterns[at] = (struct pattern){xmemdup(bytes, size), size};
	bucket->count++;
	if (size > redactor->longest)
		redactor->longest = size;
}

/* A form under construction, in a block that is large enough for any: no copies stay behind. */
struct form {
	char *bytes;
	size_t size, room;
};

static void form_begin(struct form *form, size_t secret_size)
{
	form->room = 6 * secret_size + 16;
	form->bytes = xalloc(form->room);
	form->size = 0;
}

static void form_end(struct form *form)
{
	crypto_wipe(form->bytes, form->room);
	free(form->bytes);
}

/* `shift`: how many bytes stand before the secret in its group of three. What depends on them is
 * left out; what depends on what follows is left out too, and again kept as if nothing followed. */
static void add_base64(struct redactor *redactor, const char *alphabet, const char *secret,
		       size_t size, size_t shift)
{
	cleanup(form_end) struct form form;
	size_t skip = shift ? shift + 1 : 0, whole = (shift + size) * 8 / 6;
	unsigned bits = 0, count = 0;

	form_begin(&form, size);
	for (size_t i = 0; i < shift + size; i++) {
		bits = bits << 8 | (i < shift ? 0 : (unsigned char)secret[i - shift]);
		for (count += 8; count >= 6; count -= 6)
			form.bytes[form.size++] = alphabet[bits >> (count - 6) & 63];
		bits &= 63;
	}
	if (count)
		form.bytes[form.size++] = alphabet[bits << (6 - count) & 63];
	add_pattern(redactor, form.bytes + skip, form.size - skip);
	while (form.size % 4)
		form.bytes[form.size++] = '=';
	if (whole > skip)
		add_pattern(redactor, form.bytes + skip, whole - skip);
	add_pattern(redactor, form.bytes + skip, form.size - skip);
}

/* base64(1) and MIME print lines of 76 characters, PEM and openssl of 64: 57 and 48 bytes each. */
static void add_base64_lines(struct redactor *redactor, const char *alphabet, const char *secret,
			     size_t size)
{
	static const size_t widths[] = {57, 48};

	for (size_t i = 0; i < 2; i++)
		for (size_t at = 0; size > widths[i] && at + SHORTEST <= size; at += widths[i])
			add_base64(redactor, alphabet, secret + at,
				   size - at < widths[i] ? size - at : widths[i], 0);
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* `kept`: what stands for itself beside letters and digits. `space`: what ' ' becomes. */
static void add_url(struct redactor *redactor, const char *secret, const char *digits,
		    const char *kept, char space)
{
	cleanup(form_end) struct form form;

	form_begin(&form, strlen(secret));
	for (const char *s = secret; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (strchr(ALNUM, c) || strchr(kept, c)) {
			form.bytes[form.size++] = *s;
		} else if (c == ' ' && space) {
			form.bytes[form.size++] = space;
		} else {
			form.bytes[form.size++] = '%';
			form.bytes[form.size++] = digits[c >> 4];
			form.bytes[form.size++] = digits[c & 15];
		}
	}
	add_pattern(redactor, form.bytes, form.size);
}

static void form_add_u(struct form *form, unsigned unit)
{
	form->size += (size_t)snprintf(form->bytes + form->size, form->room - form->size, "\\u%04x",
				       unit & 0xffff);
}

/* One character from valid UTF-8; moves *s behind it. */
static unsigned long decode(const char **s)
{
	const unsigned char *at = (const unsigned char *)*s;
	int more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
	unsigned long c = more ? *at & (0x3fU >> more) : *at;

	for (at++; more; more--)
		c = c << 6 | (*at++ & 0x3f);
	*s = (const char *)at;
	return c;
}

/* RFC 8259 §7. `ascii`: also what isn't ASCII (Python does); the secret must then be UTF-8. */
static void add_json(struct redactor *redactor, const char *secret, bool ascii, bool slash)
{
	static const char shorts[] = "\"\\/\b\f\n\r\t", letters[] = "\"\\/bfnrt";
	cleanup(form_end) struct form form;

	form_begin(&form, strlen(secret));
	for (const char *s = secret; *s;) {
		const char *special = *s == '/' && !slash ? NULL : strchr(shorts, *s);
		unsigned long c = ascii ? decode(&s) : (unsigned char)*s++;

		if (special) {
			form.bytes[form.size++] = '\\';
			form.bytes[form.size++] = letters[special - shorts];
		} else if (c >= 0x20 && (c < 0x7f || !ascii)) {
			form.bytes[form.size++] = (char)c;
		} else if (c < 0x10000) {
			form_add_u(&form, (unsigned)c);
		} else {
			form_add_u(&form, (unsigned)(0xd800 + ((c - 0x10000) >> 10)));
			form_add_u(&form, (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
		}
	}
	add_pattern(redactor, form.bytes, form.size);
}

static void add_forms(struct redactor *redactor, const char *secret)
{
	static const char standard[] = ALNUM "+/", for_urls[] = ALNUM "-_";
	static const char upper[] = "0123456789ABCDEF", lower[] = "0123456789abcdef";
	size_t size = strlen(secret);

	if (size < SHORTEST)
		return;
	add_pattern(redactor, secret, size);
	for (size_t shift = 0; shift < 3; shift++) {
		add_base64(redactor, standard, secret, size, shift);
		add_base64(redactor, for_urls, secret, size, shift);
	}
	add_base64_lines(redactor, standard, secret, size);
	/* RFC 3986's unreserved characters; a path or query that keeps '/'; a form (WHATWG). */
	add_url(redactor, secret, upper, "-._~", 0);
	add_url(redactor, secret, lower, "-._~", 0);
	add_url(redactor, secret, upper, "-._~/", 0);
	add_url(redactor, secret, upper, "-._*", '+');
	add_url(redactor, secret, upper, "-_.!~*'()", 0); /* encodeURIComponent */
	add_json(redactor, secret, false, false);
	add_json(redactor, secret, false, true);
	if (text_is_utf8(secret, size))
		add_json(redactor, secret, true, false);
}

/* Its lines, without the '\r' and the blanks around them; a line of blanks is not a secret. */
static void add_lines(struct redactor *redactor, const char *secret)
{
	static const char blanks[] = " \t\r";

	for (const char *line = secret; *line;) {
		size_t length = strcspn(line, "\n"), size = length;
		size_t indent = strspn(line, blanks);

		while (size && strchr(blanks, line[size - 1]))
			size--;
		if (indent < size)
			add_pattern(redactor, line + indent, size - indent);
		line += length + (line[length] == '\n');
	}
}

void redactor_add(struct redactor *redactor, const char *secret)
{
	size_t size = strlen(secret), trimmed = size;
	char *without_end;

	add_forms(redactor, secret);
	/* A secret that was read from a file ends with a line end that a program may cut off. */
	while (trimmed && strchr("\r\n", secret[trimmed - 1]))
		trimmed--;
	if (trimmed < size) {
		without_end = xmemdup(secret, trimmed);
		add_forms(redactor, without_end);
		crypto_wipe(without_end, trimmed);
		free(without_end);
	}
	if (memchr(secret, '\n', trimmed))
		add_lines(redactor, secret);
}

/* ---- looking for them ---- */

/* The size of the longest pattern at the start of text; 0: none. When text isn't the `last` there
 * is and a longer one could still turn up, *more is set instead. */
static size_t find(const struct redactor *redactor, const char *text, size_t size, bool last,
		   bool *more)
{
	const struct bucket *bucket = &redactor->buckets[(unsigned char)text[0]];

	for (size_t i = 0; i < bucket->count; i++) {
		const struct pattern *pattern = &bucket->patterns[i];

		if (pattern->size <= size && memcmp(text, pattern->bytes, pattern->size) == 0)
			return pattern->size;
		if (pattern->size > size && !last && memcmp(text, pattern->bytes, size) == 0) {
			*more = true;
			return 0;
		}
	}
	return 0;
}

/*
 * Append what is certain of text, replaced, and return how many bytes that were. `covered`: see the
 * struct. A secret that begins inside another is found too, so that its end doesn't show. The same
 * bytes give the same result however they are cut: nothing is decided while a longer match could
 * still come.
 */
static size_t scan(const struct redactor *redactor, const char *text, size_t size, bool last,
		   size_t *covered, struct buf *out)
{
	size_t plain = 0, at;

	for (at = 0; at < size; at++) {
		bool more = false;
		size_t found = find(redactor, text + at, size - at, last, &more);

		if (more)
			break;
		if (found && !*covered) {
			buf_add(out, text + plain, at - plain);
			buf_adds(out, "***");
		}
		if (found > *covered)
			*covered = found;
		if (*covered) {
			--*covered;
			plain = at + 1;
		}
	}
	buf_add(out, text + plain, at - plain);
	return at;
}

void redactor_apply(const struct redactor *redactor, const char *text, size_t size, struct buf *out)
{
	size_t covered = 0;

	scan(redactor, text, size, true, &covered, out);
}

void redact_stream_begin(struct redact_stream *stream, const struct redactor *redactor)
{
	*stream = (struct redact_stream){.redactor = redactor, .held = {.limit = SIZE_MAX}};
}

void redact_stream_add(struct redact_stream *stream, const char *bytes, size_t size,
		       struct buf *out)
{
	struct buf *held = &stream->held;
	size_t done;

	buf_add(held, bytes, size);
	if (!held->size)
		return;
	done = scan(stream->redactor, held->data, held->size, false, &stream->covered, out);
	held->size -= done;
	memmove(held->data, held->data + done, held->size);
}

void redact_stream_end(struct redact_stream *stream, struct buf *out)
{
	struct buf *held = &stream->held;

	if (held->size)
		scan(stream->redactor, held->data, held->size, true, &stream->covered, out);
	if (held->data)
		crypto_wipe(held->data, held->room);
	buf_free(held);
	stream->covered = 0;
}

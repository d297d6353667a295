#include "image/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { NAME_MAX_SIZE = 255, TAG_MAX_SIZE = 128 };

bool image_is_digest(const char *text)
{
	return text && text_starts(text, "sha256:") && strlen(text) == 7 + 64
	       && strspn(text + 7, DIGITS "abcdef") == 64;
}

/* "ab", "a.b", "a_b", "a__b", "a--b": letters and digits with single separators between them. */
static bool is_component(const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t word = strspn(text + at, LOWER DIGITS), gap;

		if (word == 0)
			return false;
		at += word;
		if (at >= size)
			break;
		gap = strspn(text + at, "-");
		if (gap == 0)
			gap = strncmp(text + at, "__", 2) == 0     ? 2
			      : text[at] == '.' || text[at] == '_' ? 1
								   : 0;
		if (gap == 0 || at + gap >= size)
			return false;
		at += gap;
	}
	return size > 0;
}

static bool is_name(const char *name)
{
	for (const char *at = name;;) {
		size_t size = strcspn(at, "/");

		if (!is_component(at, size))
			return false;
		if (at[size] == '\0')
			return true;
		at += size + 1;
	}
}

/* "host", "host:port", "[::1]:5000". */
static bool is_host(const char *text)
{
	const char *port = strrchr(text, ':');
	size_t host;

	if (*text == '[') {
		host = strspn(text + 1, DIGITS "abcdefABCDEF:.") + 1;
		if (text[host] != ']')
			return false;
		host++;
		port = text[host] ? text + host : NULL;
	} else {
		host = strspn(text, LOWER UPPER DIGITS ".-");
	}
	if (host == 0 || (text[host] && text + host != port) || text[0] == '.' || text[0] == '-')
		return false;
	return !port || (*port == ':' && port[1] && strspn(port + 1, DIGITS) == strlen(port + 1));
}

static bool is_tag(const char *tag)
{
	size_t size = strspn(tag, LOWER UPPER DIGITS "_.-");

	return size > 0 && tag[size] == '\0' && size <= TAG_MAX_SIZE && *tag != '.' && *tag != '-';
}

/* The part before the first '/' is a registry when it couldn't be a name's. */
static bool names_registry(const char *text, const char *slash)
{
	size_t size = slash ? (size_t)(slash - text) : 0;

	return slash
	       && (memchr(text, '.', size) || memchr(text, ':', size)
		   || (size == 9 && memcmp(text, "localhost", 9) == 0)
		   || strcspn(text, UPPER) < size);
}

static int check(const struct image_reference *out, const char *text, struct err *err)
{
	if (!is_host(out->registry))
		return err_set(
			err, ERR_USAGE, 0,
			"image '%.200s': '%.100s' is no registry: expected host or host:port", text,
			out->registry);
	if (out->tag && !is_tag(out->tag))
		return err_set(err, ERR_USAGE, 0,
			       "image '%.200s': '%.100s' is no tag: up to %d letters, digits, '.', "
			       "'_' and '-', the first not '.' or '-'",
			       text, out->tag, TAG_MAX_SIZE);
	if (out->digest && !image_is_digest(out->digest))
		return err_set(err, ERR_USAGE, 0,
			       "image '%.200s': '%.100s' is no digest: expected sha256: and 64 "
			       "lower-case hex digits",
			       text, out->digest);
	if (strpbrk(out->name, UPPER))
		return err_set(
			err, ERR_USAGE, 0,
			"image '%.200s': capitals in '%.100s'; names of images are lower case",
			text, out->name);
	if (!is_name(out->name) || strlen(out->registry) + strlen(out->name) + 1 > NAME_MAX_SIZE)
		return err_set(
			err, ERR_USAGE, 0,
			"image '%.200s': '%.100s' is no name of an image: lower-case letters "
			"and digits, with '.', '_', '-' or '/' between them, up to %d bytes",
			text, out->name, NAME_MAX_SIZE);
	return 0;
}

int image_reference_parse(struct image_reference *out, const char *text, struct arena *arena,
			  struct err *err)
{
	char *rest = arena_strdup(arena, text), *at = strchr(rest, '@'), *colon, *slash;

	*out = (struct image_reference){.registry = "docker.io"};
	if (at) {
		*at = '\0';
		out->digest = at + 1;
	}
	slash = strchr(rest, '/');
	if (names_registry(rest, slash)) {
		*slash = '\0';
		out->registry = rest;
		rest = slash + 1;
	}
	colon = strrchr(rest, ':');
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		out->tag = colon + 1;
	}
	if (text_same(out->registry, "index.docker.io"))
		out->registry = "docker.io";
	if (text_same(out->registry, "docker.io") && !strchr(rest, '/'))
		rest = arena_printf(arena, "library/%s", rest);
	out->name = rest;
	return check(out, text, err);
}

const char *image_reference_text(const struct image_reference *reference, struct arena *arena)
{
	return arena_printf(arena, "%s/%s%s%s%s%s", reference->registry, reference->name,
			    reference->tag ? ":" : "", reference->tag ? reference->tag : "",
			    reference->digest ? "@" : "",
			    reference->digest ? reference->digest : "");
}

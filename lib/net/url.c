#include "net/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const struct {
	const char *scheme;
	int port;
} schemes[] = {
	{"http", 80}, {"https", 443}, {"ssh", 22}, {"git", 9418}, {"file", 0},
};

static bool is_unreserved(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~", c));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode %XX in place; the new size, or -1. */
static long decode(char *bytes, size_t size, bool form)
{
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		char c = bytes[i];

		if (c == '%') {
			int high = i + 2 < size ? hex_value(bytes[i + 1]) : -1;
			int low = i + 2 < size ? hex_value(bytes[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (form && c == '+') {
			c = ' ';
		}
		bytes[used++] = c;
	}
	return (long)used;
}

long url_form_decode(char *bytes, size_t size)
{
	return decode(bytes, size, true);
}

void url_encode(struct buf *out, const char *text, bool path)
{
	for (; *text; text++)
		if (is_unreserved(*text) || (path && *text == '/'))
			buf_addc(out, *text);
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
}

bool url_is_loopback(const char *host)
{
	size_t length = strlen(host);
	struct in_addr four;
	struct in6_addr six;

	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length >= 9 && strncasecmp(host + length - 9, "localhost", 9) == 0)
		return length == 9 || host[length - 10] == '.';
	/* inet_aton also reads "127.1" and "0x7f000001", as the resolver does. */
	if (!strpbrk(host, " \t\n") && inet_aton(host, &four))
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &six) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

/* The text may hold a password: messages name the part, and show only what can't be one. */
static int bad(struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, 0, "not a URL: %s (expected scheme://host/path)", why);
}

static int check_characters(const char *text, struct err *err)
{
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
			return bad(err,
				   "it has a space, a control or another character that must be "
				   "percent-encoded");
		if (*c == '%' && (hex_value(c[1]) < 0 || hex_value(c[2]) < 0))
			return bad(err, "a '%' is not followed by two hex digits");
	}
	return 0;
}

static int take_scheme(struct url *out, const char **at, struct arena *arena, struct err *err)
{
	const char *end = strstr(*at, "://");
	char *scheme;

	if (!end || !isalpha((unsigned char)**at))
		return bad(err, "it has no scheme");
	scheme = arena_memdup(arena, *at, (size_t)(end - *at));
	for (char *c = scheme; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("+-.", *c))
			return bad(err, "its scheme is not a name");
		*c = (char)tolower((unsigned char)*c);
	}
	out->scheme = scheme;
	*at = end + 3;
	return 0;
}

static const char *decoded(const char *from, size_t size, struct arena *arena)
{
	char *text = arena_memdup(arena, from, size);
	long length = decode(text, size, false);

	if (length < 0 || memchr(text, '\0', (size_t)length))
		return NULL;
	text[length] = '\0';
	return text;
}

static int take_user(struct url *out, const char *from, size_t size, struct arena *arena,
		     struct err *err)
{
	const char *colon = memchr(from, ':', size);
	size_t user = colon ? (size_t)(colon - from) : size;

	out->user = decoded(from, user, arena);
	if (colon)
		out->password = decoded(colon + 1, size - user - 1, arena);
	return out->user && (!colon || out->password) ? 0 : bad(err, "its user has a NUL");
}

static int take_port(struct url *out, const char *text, struct err *err)
{
	struct err ignored = ERR_INIT;
	int64_t port;

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (text_same(out->scheme, schemes[i].scheme))
			out->port = schemes[i].port;
	if (*text == '\0')
		return 0;
	if (text_number(text, 1, 65535, &port, &ignored))
		return bad(err, "its port is not a number from 1 to 65535");
	out->port = (int)port;
	return 0;
}

static bool is_host_name(const char *host)
{
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
			return false;
	return strlen(host) <= 253;
}

static int take_host(struct url *out, const char *from, size_t size, struct arena *arena,
		     struct err *err)
{
	char *host = arena_memdup(arena, from, size);
	char *end;
	struct in6_addr six;

	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (*host == '[') {
		end = strchr(++host, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return bad(err, "its '[' has no ']' before the port");
		*end++ = '\0';
		if (inet_pton(AF_INET6, host, &six) != 1)
			return bad(err, "what stands between '[' and ']' is no IPv6 address");
	} else {
		end = strchrnul(host, ':');
	}
	if (*end == ':')
		*end++ = '\0';
	out->host = host;
	if (*from != '[' && !is_host_name(host))
		return bad(err, "its host has characters that no host name has");
	if (*host == '\0' && !text_same(out->scheme, "file"))
		return bad(err, "it has no host");
	return take_port(out, end, err);
}

int url_parse(struct url *out, const char *text, struct arena *arena, struct err *err)
{
	size_t authority, before = 0, path;

	*out = (struct url){.path = ""};
	if (check_characters(text, err) || take_scheme(out, &text, arena, err))
		return -1;
	authority = strcspn(text, "/?#");
	/* The last '@' ends the user, as curl and browsers read it. */
	for (size_t i = 0; i < authority; i++)
		if (text[i] == '@')
			before = i + 1;
	if (before && take_user(out, text, before - 1, arena, err))
		return -1;
	if (take_host(out, text + before, authority - before, arena, err))
		return -1;
	text += authority;
	path = strcspn(text, "?#");
	out->path = arena_memdup(arena, text, path);
	if (text[path] == '?')
		out->query = arena_memdup(arena, text + path + 1, strcspn(text + path + 1, "#"));
	return 0;
}

#ifndef NET_URL_H
#define NET_URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/** A URL taken apart (RFC 3986); strings live in the arena it was parsed into. */
struct url {
	const char *scheme, *host;   /* lower case; host without [] */
	const char *user, *password; /* NULL when absent; decoded */
	int port;                    /* the scheme's own when it names none; 0 when it has none */
	const char *path;            /* begins with '/' (or empty for none) */
	const char *query;           /* without '?'; NULL when absent */
};

/** Take it apart. ERR_USAGE when it isn't an absolute URL with a host. */
int url_parse(struct url *out, const char *text, struct arena *arena, struct err *err) MUST_CHECK;

/** Append percent-encoded: all but the unreserved characters of RFC 3986 (and '/', when `path`). */
void url_encode(struct buf *out, const char *text, bool path);

/** Decode application/x-www-form-urlencoded bytes in place ('+' is a space); the new size, or -1
 * when malformed. */
long url_form_decode(char *bytes, size_t size);

/** Is it a loopback name or address (localhost, *.localhost, 127/8, ::1)? */
bool url_is_loopback(const char *host);

#endif

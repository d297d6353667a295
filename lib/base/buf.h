#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes that grow, up to a limit given at birth. data is NUL-terminated for convenience (and NULL
 * while nothing was added); size does not count that NUL. Past the limit the buffer is `full`:
 * later adds do nothing, and one check of buf_full() at the end finds it.
 */
struct buf {
	char *data;
	size_t size, room, limit;
	bool full;
};

#define BUF_INIT(max)          \
	{                      \
		.limit = (max) \
	}

/** Append bytes, a text, a character, a formatted text. */
void buf_add(struct buf *buf, const void *bytes, size_t size);
void buf_adds(struct buf *buf, const char *s);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Add text escaped for HTML element content and quoted attributes. */
void buf_add_html(struct buf *buf, const char *s);

/** The text so far, never NULL. Valid until the next add. */
const char *buf_text(const struct buf *buf);

void buf_clear(struct buf *buf); /* keeps the memory */
bool buf_full(const struct buf *buf);
char *buf_take(struct buf *buf); /* the caller frees; never NULL; buf is empty again */
void buf_free(struct buf *buf);  /* the contents; for cleanup(buf_free) */

#endif

#ifndef BASE_REDACT_H
#define BASE_REDACT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"

/*
 * Takes secrets out of text on its way to a log: the exact value, each line of a value of several
 * lines, its base64 at the three alignments and in lines of 76 or 64, URL-encoded and JSON-escaped.
 * Each is replaced by "***"; several that overlap by one "***". Values (and lines) shorter than 4
 * bytes are not looked for: they would blank the log.
 */
struct redactor;

struct redactor *redactor_new(void);
void redactor_add(struct redactor *redactor, const char *secret);
void redactor_free(struct redactor *redactor); /* wipes what it knew */
DEFINE_FREEP(struct redactor, redactor_free);

/** Length in bytes of the longest pattern; 0 when there is none. */
size_t redactor_longest(const struct redactor *redactor);

/** Append text to *out with every secret replaced. The text must be whole: see redact_stream. */
void redactor_apply(const struct redactor *redactor, const char *text, size_t size,
		    struct buf *out);

/**
 * The same for text that arrives in pieces: a secret cut by a chunk border is still found. What
 * can't be decided yet is held back; redact_stream_end() gives it out.
 */
struct redact_stream {
	const struct redactor *redactor;
	struct buf held;
	size_t covered; /* bytes at the start of held that belong to a secret already replaced */
};

/** Begin; add pieces; end. What can be decided is appended to *out each time. */
void redact_stream_begin(struct redact_stream *stream, const struct redactor *redactor);
void redact_stream_add(struct redact_stream *stream, const char *bytes, size_t size,
		       struct buf *out);
void redact_stream_end(struct redact_stream *stream, struct buf *out);

#endif

#ifndef IMAGE_LAYER_H
#define IMAGE_LAYER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIGEST_SIZE 72 /* "sha256:", 64 hex digits, NUL */

/** "sha256:…" of bytes. */
void digest_of(const void *bytes, size_t size, char out[DIGEST_SIZE]);

enum layer_form { LAYER_TAR, LAYER_GZIP, LAYER_ZSTD };

/** Bytes somewhere in an open file, and what they hash to. */
struct layer {
	int fd;
	int64_t offset, size;
	char digest[DIGEST_SIZE];
	enum layer_form form;
	int file;                   /* a passing file that fd is; -1: fd is somebody else's */
	char unpacked[DIGEST_SIZE]; /* of the tar in it; "" when it was compressed before */
};

/** Called now and then; not 0: break off with ERR_CANCELLED. */
typedef int layer_tick(void *self);

/** Hash it as it is. `tick` may be NULL. */
int layer_read(struct layer *out, int fd, int64_t offset, int64_t size, layer_tick *tick,
	       void *self, struct err *err) MUST_CHECK;

/** The same, but a plain tar becomes gzip first, in a file without a name in `folder` (NULL:
 * /var/tmp, else /tmp). The same bytes in give the same bytes out. */
int layer_pack(struct layer *out, int fd, int64_t offset, int64_t size, const char *folder,
	       layer_tick *tick, void *self, struct err *err) MUST_CHECK;

/** Let its file go. */
void layer_close(struct layer *layer);

#endif

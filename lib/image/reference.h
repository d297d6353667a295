#ifndef IMAGE_REFERENCE_H
#define IMAGE_REFERENCE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/*
 * The name of an image: "[registry/]name[:tag][@sha256:…]", as in
 * https://github.com/distribution/reference. All parts lie in the arena.
 */
struct image_reference {
	const char *registry; /* "host[:port]"; "docker.io" when there is none */
	const char *name;     /* "library/nginx", "acme/shop" */
	const char *tag;      /* NULL */
	const char *digest;   /* "sha256:<64 hex>"; NULL */
};

/** ERR_USAGE with what is wrong: capitals in the name, a bad tag, a digest that is none … */
int image_reference_parse(struct image_reference *out, const char *text, struct arena *arena,
			  struct err *err) MUST_CHECK;

/** "registry/name:tag@digest" again, without what is NULL. */
const char *image_reference_text(const struct image_reference *reference, struct arena *arena);

/** Is it "sha256:" and 64 lower-case hex digits? */
bool image_is_digest(const char *text);

#endif

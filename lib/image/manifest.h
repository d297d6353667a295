#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H

#include <jansson.h>

#include "image/layer.h"
#include "image/tar_index.h"

#define MANIFEST_MAX (4 * 1024 * 1024)

/** All kinds of manifests that we can read. */
#define MANIFEST_ACCEPT                                               \
	"application/vnd.docker.distribution.manifest.v2+json, "      \
	"application/vnd.docker.distribution.manifest.list.v2+json, " \
	"application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"

/* ---- `docker save` ---- */

/** The one image of such a tar. */
struct saved {
	int fd;                   /* of the tar; the caller's */
	struct buf config;        /* its bytes */
	char digest[DIGEST_SIZE]; /* of them: the image's id */
	const char **layers;      /* names in the tar */
	const char **diff_ids;    /* what each unpacks to */
	size_t layer_count;
};

/** Read manifest.json and the configuration. ERR_USAGE when they're not what docker writes, or when
 * there are several images. */
int saved_read(struct saved *out, const struct tar_index *tar, struct arena *arena,
	       struct err *err) MUST_CHECK;
void saved_free(struct saved *saved); /* the contents */

struct manifest_layer {
	char digest[DIGEST_SIZE];
	int64_t size;
	enum layer_form form;
};

/** Write the manifest: Docker's schema 2, or OCI's when a layer is zstd, which the other hasn't.
 * Its media type. */
const char *manifest_write(const struct saved *saved, const struct manifest_layer *layers,
			   struct buf *out);

/* ---- OCI layout ---- */

/** What a manifest or an index names. */
struct manifest_part {
	const char *digest, *type;
	bool is_manifest; /* a manifest or an index, not a blob */
};

/** The image of a layout's index.json: the only one, or the one that is named after the tag. */
int manifest_root(struct manifest_part *out, const struct tar_index *tar, const char *tag,
		  struct arena *arena, struct err *err) MUST_CHECK;

/** All that it names, in its order, less what is to be had elsewhere ("urls"). */
int manifest_parts(const struct buf *manifest, struct manifest_part **parts, size_t *count,
		   struct arena *arena, struct err *err) MUST_CHECK;

/** "blobs/sha256/…" */
const char *manifest_blob_path(const char *digest, struct arena *arena);

/** "linux/arm64/v8" from an object with os, architecture and variant; NULL when it names none. */
const char *manifest_platform(const json_t *json, struct arena *arena);

#endif

#ifndef IMAGE_REGISTRY_H
#define IMAGE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "image/engine.h"
#include "image/reference.h"
#include "net/http.h"

/*
 * A registry, spoken to directly: the OCI distribution API.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 */
struct registry {
	struct http *http;
	struct clock *clock;
	const char *host; /* "host[:port]" */
	/** username NULL: anonymous; Basic, or Bearer when it asks for it. Goes to that host, and
	 * to where its challenge says that tokens are to be had; never with a redirect to another.
	 */
	struct engine_auth auth;
	bool plain;              /* http although it isn't loopback; loopback is always http */
	const char *const *from; /* other repositories there that may have layers; NULL */
	const char *folder;      /* for a passing file, the size of a layer; NULL: /var/tmp, /tmp */
	int64_t piece; /* bytes in one request of an upload at most; 0: as many as it takes */
	void (*say)(void *self, const char *line, size_t size); /* may be NULL */
	int (*tick)(void *self);                                /* may be NULL */
	void *self;
};

/**
 * Push an image from a tar (`docker save`, or an OCI layout) that lies in the open file: blobs that
 * are there are skipped (or mounted), others streamed from the file, resumed after a lost
 * connection where the registry can; then the manifest as name:tag. Layers that aren't compressed
 * are, on the way. Nothing is sent when the tag has that image already. *digest: what the registry
 * stored, checked against what was sent. In the arena. ERR_ABSENT: no such repository; ERR_AUTH;
 * ERR_CONFLICT: the tag is immutable and has another image; ERR_USAGE: not such a tar, or one that
 * holds other bytes than it says; ERR_TRANSIENT: the attempts ran out.
 */
int registry_push(const struct registry *registry, int archive, const char *name, const char *tag,
		  struct arena *arena, const char **digest, struct err *err) MUST_CHECK;

/** The digest that a tag (or digest) stands for; ERR_ABSENT. */
int registry_digest(const struct registry *registry, const char *name, const char *reference,
		    struct arena *arena, const char **digest, struct err *err) MUST_CHECK;

/** Which image a tag (or digest) stands for: *id, the digest of its configuration, as engines name
 * images; NULL when it is an index. *digest: of its manifest. ERR_ABSENT. In the arena. */
int registry_image(const struct registry *registry, const char *name, const char *reference,
		   struct arena *arena, const char **id, const char **digest,
		   struct err *err) MUST_CHECK;

/** What it runs on: "linux/amd64", …, NULL-ended, in the arena: of an index each, of a manifest the
 * one in its configuration. */
int registry_platforms(const struct registry *registry, const char *name, const char *reference,
		       struct arena *arena, const char *const **platforms,
		       struct err *err) MUST_CHECK;

#endif

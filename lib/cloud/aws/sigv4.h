#ifndef CLOUD_AWS_SIGV4_H
#define CLOUD_AWS_SIGV4_H

#include "base/err.h"
#include "base/mem.h"
#include "cloud/cloud.h"
#include "net/http.h"

/*
 * AWS Signature Version 4, in headers. Pure: no network, no clock. Not S3's variant: the path is
 * encoded once more than it is on the wire.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */

/** A request as it goes over the wire. */
struct sigv4_request {
	const char *method;
	const char *path;  /* up to the '?', as sent: "/", "/a%20b"; raw bytes are fine too */
	const char *query; /* after the '?', as sent; NULL or "": none */
	const struct http_header *headers; /* in their order; a name may come twice */
	size_t header_count;
	const void *body;
	size_t body_size;
};

/** Who signs what, and when. */
struct sigv4 {
	const struct credential *credential;
	const char *region, *service;
	int64_t now;              /* seconds since 1970 */
	const char *payload_hash; /* instead of the body's own: "UNSIGNED-PAYLOAD"; NULL */
	bool keep_path;   /* leave "//", "/./" and "/../" in it (S3's way); else they're resolved */
	bool hash_header; /* send and sign X-Amz-Content-Sha256 */
	bool token_unsigned; /* send X-Amz-Security-Token, but leave it out of the signature */
};

#define SIGV4_DATE_SIZE 17 /* "20150830T123600Z" */

/** X-Amz-Date for a time. */
void sigv4_date(int64_t now, char out[SIGV4_DATE_SIZE]);

/*
 * The steps. Each takes the request with the headers that sigv4_headers() gives already among its
 * own (but Authorization, which is passed over, as are others that proxies change: Connection,
 * Expect, Transfer-Encoding, Upgrade, User-Agent, X-Amzn-Trace-Id). Texts are in the arena.
 */

/** Method, path, query, headers, their names, the body's hash, on a line each. */
const char *sigv4_canonical(const struct sigv4 *sigv4, const struct sigv4_request *request,
			    struct arena *arena);

/** "content-type;host;x-amz-date" */
const char *sigv4_signed_headers(const struct sigv4 *sigv4, const struct sigv4_request *request,
				 struct arena *arena);

/** Algorithm, date, scope, hash of the canonical request. */
const char *sigv4_string_to_sign(const struct sigv4 *sigv4, const char *canonical,
				 struct arena *arena);

/** 64 hex digits. The derived key is wiped. */
const char *sigv4_signature(const struct sigv4 *sigv4, const char *string_to_sign,
			    struct arena *arena);

/** What to add to the request: X-Amz-Date, X-Amz-Security-Token when the credential has a token,
 * X-Amz-Content-Sha256 when asked for, Authorization. *out: `*count` headers in the arena. The
 * request must hold Host, and none of these. ERR_USAGE when the credential is incomplete or a
 * region or service is missing. */
int sigv4_headers(const struct sigv4 *sigv4, const struct sigv4_request *request,
		  struct http_header **out, size_t *count, struct arena *arena,
		  struct err *err) MUST_CHECK;

/** All of it for a request that is ready to be sent: sets those headers (replacing an earlier
 * attempt's). Host is signed as curl sends it, so without a port that is the scheme's own. */
int sigv4_sign(const struct sigv4 *sigv4, struct http_request *request, struct err *err) MUST_CHECK;

#endif

#include "image/blob.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "net/url.h"

/*
 * Why one request by default, and pieces only when asked for: Amazon's ECR drops every PATCH after
 * the first (https://github.com/aws/containers-roadmap/issues/2831), answers PATCH with 201, and
 * its Range stands still; one PUT is what every registry takes.
 */
#define PIECE_FIRST (INT64_C(16) << 20)
#define PIECE_LEAST (INT64_C(1) << 20)
#define FAILURES    5 /* in a row without a byte more */
#define RESTARTS    3
#define ANSWER_MAX  (INT64_C(1) << 20)

/* One upload under way. */
struct upload {
	struct talk *talk;
	const struct blob *blob;
	const char *location; /* NULL: begin */
	int64_t at;           /* what the registry has */
	int64_t piece;        /* 0: no limit */
	unsigned failures, restarts;
	bool whole; /* pieces and resuming went wrong: nothing but one request */
	struct http_response response;
	enum blob_way way;
	bool done;
};

static int ask(struct upload *upload, const struct talk_request *request, struct err *err)
{
	return talk_ask(upload->talk, request, &upload->response, err);
}

static const char *path(const struct upload *upload, const char *rest)
{
	return arena_printf(upload->talk->arena, "/v2/%s/blobs/%s", upload->talk->name, rest);
}

static int is_there(struct upload *upload, bool *there, struct err *err)
{
	struct talk_request head = {.method = "HEAD", .url = path(upload, upload->blob->digest)};

	if (ask(upload, &head, err))
		return -1;
	*there = upload->response.status == 200;
	if (*there || upload->response.status == 404)
		return 0;
	return talk_refused(upload->talk, &upload->response, "look for a layer", err);
}

/* Location of the upload's next request, from the last answer. */
static int take_location(struct upload *upload, const char *base, struct err *err)
{
	const char *location = http_response_header(&upload->response, "Location");
	const char *absolute;

	if (!location && upload->location)
		return 0;
	absolute = location ? talk_resolve(base, location, upload->talk->arena) : NULL;
	if (!absolute)
		return err_set(err, ERR_REMOTE, upload->response.status,
			       "upload a layer: %s says no place to send it to (Location: %.200s)",
			       upload->talk->registry->host, location ? location : "absent");
	upload->location = absolute;
	return talk_may_send(upload->talk, absolute, err);
}

static int begin(struct upload *upload, const char *from, struct err *err)
{
	struct talk *talk = upload->talk;
	struct talk_request post = {.method = "POST", .url = path(upload, "uploads/")};
	const char *base;

	if (from)
		post.url = arena_printf(talk->arena, "%s?mount=%s&from=%s", post.url,
					upload->blob->digest, from);
	base = arena_printf(talk->arena, "%s%s", talk->origin, post.url);
	if (ask(upload, &post, err))
		return -1;
	upload->location = NULL;
	upload->at = 0;
	if (from && upload->response.status == 201) {
		upload->way = BLOB_MOUNTED;
		upload->done = true;
		return 0;
	}
	if (upload->response.status != 202)
		return talk_refused(talk, &upload->response, "upload a layer", err);
	return take_location(upload, base, err);
}

/* "0-1023" (some say "bytes=0-1023"): 1024; -1 when it can't be read. */
static int64_t range_end(const char *range)
{
	struct err ignored = ERR_INIT;
	int64_t end;

	if (!range)
		return -1;
	if (text_starts(range, "bytes="))
		range += 6;
	if (!text_starts(range, "0-") || text_number(range + 2, 0, INT64_MAX - 1, &end, &ignored))
		return -1;
	/* Nothing yet is "0-0" with most, and so is one byte: sending it again does no harm. */
	return end == 0 ? 0 : end + 1;
}

/* PATCH with a piece, or PUT with the rest. */
static struct talk_request next_request(struct upload *upload, bool *last)
{
	const struct blob *blob = upload->blob;
	struct arena *arena = upload->talk->arena;
	int64_t size = blob->size - upload->at;
	struct talk_request request = {
		.method = "PUT", .url = upload->location, .type = "application/octet-stream"};

	assert(upload->location);
	*last = upload->piece == 0 || upload->whole || size <= upload->piece;
	if (*last) {
		request.url = arena_printf(arena, "%s%cdigest=sha256%%3A%s", upload->location,
					   strchr(upload->location, '?') ? '&' : '?',
					   blob->digest + strlen("sha256:"));
	} else {
		request.method = "PATCH";
		size = upload->piece;
	}
	if (!*last || upload->at > 0)
		request.range = arena_printf(arena, "%jd-%jd", (intmax_t)upload->at,
					     (intmax_t)(upload->at + size - 1));
	if (size == 0)
		request.range = NULL;
	request.size = size;
	if (blob->bytes) {
		request.bytes = (const char *)blob->bytes + upload->at;
	} else {
		request.fd = blob->fd;
		request.offset = blob->offset + upload->at;
	}
	return request;
}

static int restart(struct upload *upload, const char *why, struct err *err)
{
	talk_say(upload->talk, "upload begins again: %s", why);
	if (++upload->restarts > RESTARTS)
		return talk_refused(upload->talk, &upload->response, "upload a layer", err);
	upload->location = NULL;
	return 0;
}

/* The connection was lost, or the registry had trouble: where are we? */
static int recover(struct upload *upload, struct err *err)
{
	struct talk_request get = {.method = "GET", .url = upload->location};
	struct err lost = *err;
	int64_t end;

	if (++upload->failures >= FAILURES)
		return err_within(err,
				  "upload a layer of %jd bytes: no further than byte %jd after "
				  "%u attempts",
				  (intmax_t)upload->blob->size, (intmax_t)upload->at,
				  upload->failures);
	if (talk_pause(upload->talk, upload->failures, &upload->response, err)
	    || is_there(upload, &upload->done, err))
		return -1;
	if (upload->done || upload->whole) {
		upload->location = NULL;
		return 0;
	}
	if (ask(upload, &get, err))
		return -1;
	end = upload->response.status == 204 || upload->response.status == 200
		      ? range_end(http_response_header(&upload->response, "Range"))
		      : -1;
	if (end < 0 || end > upload->blob->size || take_location(upload, upload->location, err)) {
		talk_say(upload->talk, "upload begins again: %s", lost.text);
		upload->location = NULL;
		return 0;
	}
	if (end > upload->at)
		upload->failures = 0;
	upload->at = end;
	talk_say(upload->talk, "upload goes on at %jd of %jd bytes: %s", (intmax_t)end,
		 (intmax_t)upload->blob->size, lost.text);
	return 0;
}

static bool is_too_large(const struct upload *upload)
{
	int status = upload->response.status;

	return status == 413 || (status == 416 && upload->at == 0);
}

/* Smaller pieces; false when they are as small as can be. */
static bool shrink(struct upload *upload)
{
	int64_t piece = upload->piece ? upload->piece / 4 : PIECE_FIRST;

	while (piece >= upload->blob->size)
		piece /= 4;
	if (upload->whole || piece < PIECE_LEAST)
		return false;
	upload->piece = piece;
	upload->location = NULL;
	talk_say(upload->talk, "the registry takes no request that long: in pieces of %jd MiB",
		 (intmax_t)(piece >> 20));
	return true;
}

static int stored(struct upload *upload, struct err *err)
{
	const char *digest = http_response_header(&upload->response, "Docker-Content-Digest");

	if (digest && !text_same(digest, upload->blob->digest))
		return err_set(err, ERR_REMOTE, upload->response.status,
			       "upload a layer: %s stored %.80s (expected %s)",
			       upload->talk->registry->host, digest, upload->blob->digest);
	upload->done = true;
	return 0;
}

static int advance(struct upload *upload, const struct talk_request *sent, struct err *err)
{
	int64_t end = range_end(http_response_header(&upload->response, "Range"));
	int64_t sum = upload->at + sent->size;

	/* A range that stands still is ECR's way to say yes; the digest tells in the end. */
	upload->at = end > upload->at && end < sum ? end : sum;
	upload->failures = 0;
	return take_location(upload, upload->location, err);
}

static int step(struct upload *upload, struct err *err)
{
	bool last;
	struct talk_request request = next_request(upload, &last);
	int status = talk_once(upload->talk, &request, &upload->response, err);
	int answer = upload->response.status;

	if (status && err->kind != ERR_TRANSIENT)
		return err_within(err, "upload a layer");
	if (status == 0 && (answer == 201 || answer == 202 || answer == 204))
		return last ? stored(upload, err) : advance(upload, &request, err);
	if (status || talk_may_pass(&upload->response, err)) {
		if (status == 0)
			talk_refused(upload->talk, &upload->response, "upload a layer", err);
		return recover(upload, err);
	}
	if (is_too_large(upload) && shrink(upload))
		return 0;
	/* Was it because we resumed, or because of the pieces? */
	if (!upload->whole && upload->at > 0) {
		upload->whole = true;
		return restart(upload, "the registry lost count of it", err);
	}
	if (answer == 404 || answer == 416 || talk_says(&upload->response, "DIGEST_INVALID")
	    || talk_says(&upload->response, "BLOB_UPLOAD_UNKNOWN")
	    || talk_says(&upload->response, "BLOB_UPLOAD_INVALID"))
		return restart(upload, "the registry doesn't know it, or has other bytes", err);
	return talk_refused(upload->talk, &upload->response, "upload a layer", err);
}

static int mount(struct upload *upload, struct err *err)
{
	const char *const *from = upload->talk->registry->from;

	/* A registry that doesn't mount begins an upload instead: the first such is used. */
	for (size_t i = 0; from && from[i] && !upload->done && !upload->location; i++)
		if (begin(upload, from[i], err))
			return -1;
	return 0;
}

static int put(struct upload *upload, struct err *err)
{
	bool there;

	if (is_there(upload, &there, err))
		return -1;
	if (there) {
		upload->way = BLOB_THERE;
		return 0;
	}
	upload->way = BLOB_SENT;
	upload->piece = upload->talk->registry->piece;
	if (mount(upload, err))
		return -1;
	while (!upload->done) {
		if (!upload->location && begin(upload, NULL, err))
			return -1;
		if (step(upload, err))
			return -1;
	}
	return 0;
}

int blob_put(struct talk *talk, const struct blob *blob, enum blob_way *way, struct err *err)
{
	struct upload upload = {
		.talk = talk,
		.blob = blob,
		.response = {.body = BUF_INIT(ANSWER_MAX)},
	};
	int status = put(&upload, err);

	if (way)
		*way = upload.way;
	http_response_free(&upload.response);
	return status;
}

/* A deployment's log, as text or as server-sent events that follow it. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "service/api_within.h"

#define PIECE         ((size_t)48 * 1024)
#define FOLLOW_MS     500
#define KEEP_ALIVE_MS 15000
#define LINE_MAX_SIZE ((size_t)64 * 1024)

struct following {
	struct api *api;
	int64_t id, offset; /* of the next byte to read */
	int64_t said;       /* when something was last sent, in ticks */
	struct buf line;    /* the line that isn't whole yet */
};

static int read_piece(struct following *following, struct buf *out, struct err *err)
{
	struct store *store;
	int rc;

	if (store_pool_take(following->api->stores, &store, err) < 0)
		return -1;
	rc = store->log(store, following->id, following->offset, PIECE, out, err);
	store_pool_give(following->api->stores, store);
	if (rc == 0)
		following->offset += (int64_t)out->size;
	return rc;
}

static int text_piece(void *state, struct buf *out)
{
	struct following *following = state;
	struct err err = ERR_INIT;

	return read_piece(following, out, &err) < 0 || out->size == 0;
}

/* The id is where the next line begins: a client that comes again says it as Last-Event-ID. */
static void add_line(struct following *following, int64_t next, struct buf *out)
{
	buf_addf(out, "id: %lld\ndata: ", (long long)next);
	for (size_t i = 0; i < following->line.size; i++)
		if (following->line.data[i] != '\r')
			buf_addc(out, following->line.data[i]);
	buf_adds(out, "\n\n");
	buf_clear(&following->line);
}

static void add_lines(struct following *following, const struct buf *piece, struct buf *out)
{
	int64_t start = following->offset - (int64_t)piece->size;

	for (size_t i = 0; i < piece->size; i++) {
		if (piece->data[i] != '\n')
			buf_addc(&following->line, piece->data[i]);
		if (piece->data[i] == '\n' || following->line.size == LINE_MAX_SIZE)
			add_line(following, start + (int64_t)i + 1, out);
	}
}

static void add_end(struct following *following, const json_t *deployment, struct buf *out)
{
	if (following->line.size > 0)
		add_line(following, following->offset, out);
	buf_adds(out, "event: end\ndata: ");
	buf_add_json(out, deployment);
	buf_adds(out, "\n\n");
}

/* The state is read before the log: what was written before the end is then surely seen. */
static int events(void *state, struct buf *out)
{
	struct following *following = state;
	cleanup(buf_free) struct buf piece = BUF_INIT(PIECE);
	json_auto json_t *deployment = NULL;
	struct reply ignored = {0};
	struct err err = ERR_INIT;
	int64_t now = clock_ticks(following->api->clock);
	bool there = api_deployment(following->api, following->id, &deployment, &ignored);

	reply_free(&ignored);
	if (!there || read_piece(following, &piece, &err) < 0)
		return 1;
	add_lines(following, &piece, out);
	if (piece.size == 0 && api_has_ended(deployment)) {
		add_end(following, deployment, out);
		return 1;
	}
	if (out->size == 0 && now - following->said > KEEP_ALIVE_MS)
		buf_adds(out, ": still here\n\n");
	if (out->size > 0)
		following->said = now;
	else
		clock_sleep(following->api->clock, FOLLOW_MS);
	return 0;
}

static void following_free(void *state)
{
	struct following *following = state;

	buf_free(&following->line);
	free(following);
}

static bool wants_events(const struct call *call)
{
	const char *accept = call_header(call->request, "Accept");

	return accept && strcasestr(accept, "text/event-stream");
}

static int64_t first_offset(const struct call *call)
{
	const char *last = call_header(call->request, "Last-Event-ID");
	struct err err = ERR_INIT;
	int64_t offset = 0;

	return last && text_number(last, 0, INT64_MAX, &offset, &err) == 0 ? offset : 0;
}

void api_log(struct api *api, const struct call *call, int64_t id, struct reply *reply)
{
	bool follow = wants_events(call);
	json_auto json_t *deployment = NULL;
	struct following *following;

	if (!api_deployment(api, id, &deployment, reply))
		return;
	following = xalloc(sizeof *following);
	*following = (struct following){.api = api,
					.id = id,
					.offset = follow ? first_offset(call) : 0,
					.said = clock_ticks(api->clock),
					.line = BUF_INIT(LINE_MAX_SIZE)};
	reply->status = 200;
	reply->type = follow ? "text/event-stream" : "text/plain; charset=utf-8";
	reply->headers[0][0] = "Cache-Control";
	reply->headers[0][1] = "no-store";
	reply->headers[1][0] = "X-Accel-Buffering";
	reply->headers[1][1] = "no";
	reply->stream = follow ? events : text_piece;
	reply->stream_free = following_free;
	reply->stream_state = following;
}

#include "target/aws/logs.h"

#include <string.h>

#include "base/json.h"
#include "target/aws/open.h"

#define CALL_SECONDS 20

static int call(const struct aws_logs *logs, const char *operation, json_t *body, json_t **answer,
		struct err *err)
{
	const struct aws_call call = {
		.service = &aws_logs,
		.operation = operation,
		.body = body,
		.deadline = clock_ticks(logs->site->clock) + 1000 * CALL_SECONDS,
		.timeout = CALL_SECONDS,
		.tries = 3,
	};
	int result = aws_call(logs->aws, &call, answer, err);

	json_decref(body);
	if (result && aws_error_is(aws_last(logs->aws), "ResourceNotFoundException"))
		err->kind = ERR_ABSENT;
	return result;
}

/* The stream that was written to last; NULL when there is none yet. */
static int newest_stream(const struct aws_logs *logs, char **stream, struct err *err)
{
	json_auto json_t *answer = NULL;
	json_t *first;

	*stream = NULL;
	if (call(logs, "DescribeLogStreams",
		 json_pack("{s:s,s:s,s:b,s:i}", "logGroupName", logs->group, "orderBy",
			   "LastEventTime", "descending", 1, "limit", 1),
		 &answer, err))
		return -1;
	first = json_array_get(json_object_get(answer, "logStreams"), 0);
	*stream = xstrdup(json_text(first, "logStreamName"));
	return 0;
}

static void add_lines(const json_t *events, struct buf *out)
{
	json_t *event;
	size_t i;

	json_array_foreach((json_t *)events, i, event)
	{
		const char *message = json_text(event, "message");
		size_t size = message ? strlen(message) : 0;

		while (size > 0 && (message[size - 1] == '\n' || message[size - 1] == '\r'))
			size--;
		if (!size)
			continue;
		buf_add(out, message, size);
		buf_addc(out, '\n');
	}
}

static int tail_once(const struct aws_logs *logs, struct buf *out, struct err *err)
{
	json_auto json_t *answer = NULL;
	autofree char *stream = xstrdup(logs->stream);

	if (!stream && newest_stream(logs, &stream, err))
		return -1;
	if (!stream)
		return 0;
	if (call(logs, "GetLogEvents",
		 json_pack("{s:s,s:s,s:i,s:b}", "logGroupName", logs->group, "logStreamName",
			   stream, "limit", (int)logs->lines, "startFromHead", 0),
		 &answer, err))
		return -1;
	add_lines(json_object_get(answer, "events"), out);
	return 0;
}

int aws_logs_tail(const struct aws_logs *logs, struct buf *out, struct err *err)
{
	int64_t deadline = clock_ticks(logs->site->clock) + 1000 * logs->wait;
	size_t before = out->size;

	for (unsigned look = 2;; look++) {
		struct err ignored = ERR_INIT;
		int result = tail_once(logs, out, err);

		/* A group that isn't there now won't come: the app died before it wrote anything.
		 */
		if (result || out->size > before || logs->wait == 0)
			return result;
		if (aws_pause(logs->site, aws_poll(logs->site, look), deadline, &ignored))
			return 0;
	}
}

/* The console wants '/' as "$252F" in its fragment. */
const char *aws_logs_link(const struct aws_logs *logs, struct arena *arena)
{
	cleanup(buf_free) struct buf link = BUF_INIT(4096);

	for (const char *c = logs->group; *c; c++)
		if (*c == '/')
			buf_adds(&link, "$252F");
		else
			buf_addc(&link, *c);
	return aws_console(logs->aws,
			   arena_printf(arena,
					"/cloudwatch/home?region=%s#logsV2:log-groups/log-group/%s",
					aws_region(logs->aws), buf_text(&link)),
			   arena);
}

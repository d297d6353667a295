#include "service/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"

#define PROBLEM_MAX ((size_t)8 * 1024)
#define JSON_MAX    ((size_t)16 * 1024 * 1024)

static const struct {
	int status;
	const char *title;
} of_kind[ERR_KIND_COUNT] = {
	[ERR_NONE] = {500, "Internal Server Error"},
	[ERR_USAGE] = {400, "Bad Request"},
	[ERR_AUTH] = {403, "Forbidden"},
	[ERR_ABSENT] = {404, "Not Found"},
	[ERR_CONFLICT] = {409, "Conflict"},
	[ERR_LIMIT] = {429, "Too Many Requests"},
	[ERR_TRANSIENT] = {503, "Service Unavailable"},
	[ERR_REMOTE] = {502, "Bad Gateway"},
	[ERR_CANCELLED] = {503, "Service Unavailable"},
	[ERR_SYSTEM] = {503, "Service Unavailable"},
};

void reply_problem(struct reply *reply, int status, const char *title, const char *detail_fmt, ...)
{
	char detail[1024];
	va_list args;

	va_start(args, detail_fmt);
	vsnprintf(detail, sizeof detail, detail_fmt, args);
	va_end(args);
	buf_free(&reply->body);
	reply->body = (struct buf)BUF_INIT(PROBLEM_MAX);
	reply->status = status;
	reply->type = "application/problem+json";
	buf_adds(&reply->body, "{\"type\":\"about:blank\",\"title\":");
	buf_add_json_text(&reply->body, title);
	buf_addf(&reply->body, ",\"status\":%d,\"detail\":", status);
	buf_add_json_text(&reply->body, detail);
	buf_adds(&reply->body, "}\n");
}

void reply_error(struct reply *reply, const struct err *err)
{
	int status = of_kind[err->kind].status;

	if (status < 500) {
		reply_problem(reply, status, of_kind[err->kind].title, "%s", err->text);
		return;
	}
	log_error("a request failed", "why", err->text);
	reply_problem(reply, status, of_kind[err->kind].title,
		      "the server can't do this now; its log says why");
	snprintf(reply->retry_after, sizeof reply->retry_after, "10");
}

void reply_json(struct reply *reply, int status, const json_t *json)
{
	buf_free(&reply->body);
	reply->body = (struct buf)BUF_INIT(JSON_MAX);
	reply->status = status;
	reply->type = "application/json";
	buf_add_json(&reply->body, json);
	buf_addc(&reply->body, '\n');
}

void reply_free(struct reply *reply)
{
	buf_free(&reply->body);
	if (reply->stream_free)
		reply->stream_free(reply->stream_state);
	*reply = (struct reply){0};
}

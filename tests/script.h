/* script.h: an HTTP client that plays a script instead of calling anyone. */
#ifndef SCRIPT_H
#define SCRIPT_H
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "net/http.h"
#include "tap.h"

/** Each call must be the next line of the script. */
struct line {
	const char *method, *url; /* the URL without the API's base */
	int status;               /* 0: the connection fails */
	const char *body;
	const char *header, *value; /* of the answer; may be NULL */
};

struct script {
	struct http http;
	const struct line *lines;
	size_t count, at;
	char authorization[4096], accept[100], version[100], agent[100], etag[100], body[200000];
	bool wrong;
	size_t file_size; /* of a body that goes into a file; 0: its strlen */
};

static inline const char *header_of(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (text_same_nocase(request->headers[i].name, name))
			return request->headers[i].value;
	return "";
}

static inline void note_request(struct script *script, const struct http_request *request)
{
	snprintf(script->authorization, sizeof script->authorization, "%s",
		 header_of(request, "Authorization"));
	snprintf(script->accept, sizeof script->accept, "%s", header_of(request, "Accept"));
	snprintf(script->version, sizeof script->version, "%s",
		 header_of(request, "X-GitHub-Api-Version"));
	snprintf(script->agent, sizeof script->agent, "%s", header_of(request, "User-Agent"));
	snprintf(script->etag, sizeof script->etag, "%s", header_of(request, "If-None-Match"));
	snprintf(script->body, sizeof script->body, "%.*s", (int)request->body_size,
		 request->body ? (const char *)request->body : "");
}

static inline int script_send(struct http *http, const struct http_request *request,
			      struct http_response *response, struct err *err)
{
	struct script *script = (struct script *)http;
	const struct line *line = &script->lines[script->at];

	note_request(script, request);
	if (script->at == script->count || strcmp(line->method, request->method) != 0
	    || !text_ends(request->url, line->url)) {
		script->wrong = true;
		tap_note("unexpected: %s %s", request->method, request->url);
		return err_set(err, ERR_REMOTE, 0, "not in the script");
	}
	script->at++;
	if (line->status == 0)
		return err_set(err, ERR_TRANSIENT, 0, "connection refused");
	response->status = line->status;
	if (request->response_file > 0 && line->status == 200) {
		if (write(request->response_file, line->body,
			  script->file_size ? script->file_size : strlen(line->body))
		    < 0)
			bail_out("write");
	} else {
		buf_adds(&response->body, line->body);
	}
	if (line->header) {
		response->headers = xalloc(sizeof *response->headers);
		response->headers[0].name = xstrdup(line->header);
		response->headers[0].value = xstrdup(line->value);
		response->header_count = 1;
	}
	return 0;
}

#endif

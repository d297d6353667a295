#include "net/http.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/crypto.h"

#define RESPONSE_LIMIT (16 * 1024 * 1024)

static void free_headers(struct http_header **headers, size_t *count)
{
	for (size_t i = 0; i < *count; i++) {
		crypto_wipe_text((*headers)[i].value);
		free((*headers)[i].value);
		free((*headers)[i].name);
	}
	free(*headers);
	*headers = NULL;
	*count = 0;
}

static bool is_line(const char *text)
{
	return strpbrk(text, "\r\n") == NULL;
}

int http_send(struct http *http, const struct http_request *request, struct http_response *response,
	      struct err *err)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (!is_line(request->headers[i].name) || !is_line(request->headers[i].value))
			return err_set(
				err, ERR_USAGE, 0,
				"the header %.40s would have a line break in it (a token with "
				"a newline at its end?)",
				request->headers[i].name);
	http_response_free(response);
	response->body.limit =
		request->response_limit > 0 ? (size_t)request->response_limit : RESPONSE_LIMIT;
	return http->send(http, request, response, err);
}

void http_request_header(struct http_request *request, const char *name, const char *value)
{
	struct http_header *header = NULL;

	assert(name && value);
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			header = &request->headers[i];
	if (!header) {
		request->headers = xresize(request->headers, request->header_count + 1,
					   sizeof *request->headers);
		header = &request->headers[request->header_count++];
		*header = (struct http_header){.name = xstrdup(name)};
	}
	crypto_wipe_text(header->value);
	free(header->value);
	header->value = xstrdup(value);
}

const char *http_response_header(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (strcasecmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	return NULL;
}

void http_request_free(struct http_request *request)
{
	free_headers(&request->headers, &request->header_count);
	free(request->url);
	request->url = NULL;
}

void http_response_free(struct http_response *response)
{
	free_headers(&response->headers, &response->header_count);
	buf_free(&response->body);
	response->status = 0;
}

void http_free(struct http *http)
{
	if (http)
		http->free(http);
}

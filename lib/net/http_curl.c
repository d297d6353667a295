#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "net/http.h"
#include "net/url.h"

#define TIMEOUT         60 /* seconds, when the request names none */
#define CONNECT_TIMEOUT 15000L
#define BODY_LIMIT      (16 * 1024 * 1024) /* of what is kept in memory beside a response_file */
#define HEADERS_LIMIT   (256 * 1024)

struct curl_http {
	struct http base;
	CURL *curl;
	char *user_agent;
};

/* One exchange: the request, and its redirects one after the other. */
struct exchange {
	CURL *curl;
	const struct http_request *request;
	struct http_response *response;
	struct url url;     /* of this hop */
	const char *method; /* of this hop */
	bool with_body;     /* does this hop send the body? */
	bool trusted;       /* still the origin that the person named? */
	off_t body_start, body_at;
	size_t head_size;
	int64_t received, limit;
	struct err *err; /* set by a callback that stopped the transfer; kind ERR_NONE otherwise */
};

static void slist_free_at(struct curl_slist **at)
{
	for (struct curl_slist *item = *at; item; item = item->next)
		crypto_wipe_text(item->data);
	curl_slist_free_all(*at);
}

/* What a request is called in messages: without its query, which may hold a signature. */
static const char *origin_text(const struct url *url, char *out, size_t size)
{
	bool six = strchr(url->host, ':') != NULL;

	snprintf(out, size, "%s://%s%s%s:%d%.200s", url->scheme, six ? "[" : "", url->host,
		 six ? "]" : "", url->port, url->path);
	return out;
}

static bool is_success(const struct exchange *exchange)
{
	return exchange->response->status >= 200 && exchange->response->status <= 299;
}

static void clear_headers(struct http_response *response)
{
	struct buf body = response->body;

	response->body = (struct buf){.limit = body.limit};
	http_response_free(response);
	response->body = body;
	buf_clear(&response->body);
}

/* Every answer begins with a status line: what came before it (100, a redirect) isn't the last. */
static bool begin_answer(struct exchange *exchange, const char *line, size_t size)
{
	const char *space = memchr(line, ' ', size);

	if (size < 5 || memcmp(line, "HTTP/", 5) != 0)
		return false;
	clear_headers(exchange->response);
	exchange->head_size = 0;
	exchange->response->status =
		space && size >= (size_t)(space - line) + 4
			? (space[1] - '0') * 100 + (space[2] - '0') * 10 + (space[3] - '0')
			: 0;
	return true;
}

static void add_header(struct http_response *response, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);
	const char *from = colon ? colon + 1 : NULL, *to = line + size;
	struct http_header *header;

	if (!colon || colon == line)
		return;
	while (from < to && strchr(" \t", *from))
		from++;
	while (to > from && strchr(" \t\r\n", to[-1]))
		to--;
	response->headers =
		xresize(response->headers, response->header_count + 1, sizeof *response->headers);
	header = &response->headers[response->header_count++];
	header->name = xmemdup(line, (size_t)(colon - line));
	header->value = xmemdup(from, (size_t)(to - from));
}

static size_t take_header(char *line, size_t one, size_t size, void *self)
{
	struct exchange *exchange = self;

	(void)one;
	exchange->head_size += size;
	if (exchange->head_size > HEADERS_LIMIT) {
		err_set(exchange->err, ERR_LIMIT, 0, "its headers are over %d KiB",
			HEADERS_LIMIT / 1024);
		return 0;
	}
	if (!begin_answer(exchange, line, size))
		add_header(exchange->response, line, size);
	return size;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, bytes, size);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			bytes += done;
			size -= (size_t)done;
		}
	}
	return 0;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *self)
{
	struct exchange *exchange = self;
	const struct http_request *request = exchange->request;
	bool has_file = request->response_file > 0 || request->on_body;
	bool to_file = has_file && is_success(exchange);
	int64_t limit = exchange->limit;

	(void)one;
	if (has_file && !to_file && limit > BODY_LIMIT)
		limit = BODY_LIMIT;
	exchange->received += (int64_t)size;
	if (exchange->received > limit) {
		err_set(exchange->err, ERR_LIMIT, exchange->response->status,
			"its answer is over %jd bytes", (intmax_t)limit);
		return 0;
	}
	if (!to_file) {
		buf_add(&exchange->response->body, bytes, size);
	} else if (request->on_body) {
		if (request->on_body(request->self, bytes, size, exchange->err))
			return 0;
	} else if (write_all(request->response_file, bytes, size)) {
		err_errno(exchange->err, "write the answer to its file");
		return 0;
	}
	return size;
}

static size_t give_body(char *out, size_t one, size_t room, void *self)
{
	struct exchange *exchange = self;
	const struct http_request *request = exchange->request;
	int fd = request->body_file;
	ssize_t size;

	if (request->body_read) {
		size = request->body_read(request->self, out, one * room, exchange->err);
		exchange->body_at += size;
		return size < 0 ? CURL_READFUNC_ABORT : (size_t)size;
	}
	size = exchange->body_start < 0 ? read(fd, out, one * room)
					: pread(fd, out, one * room, exchange->body_at);

	if (size < 0) {
		err_errno(exchange->err, "read the body from its file");
		return CURL_READFUNC_ABORT;
	}
	exchange->body_at += size;
	return (size_t)size;
}

static int seek_body(void *self, curl_off_t offset, int origin)
{
	struct exchange *exchange = self;

	if (exchange->body_start < 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	exchange->body_at = exchange->body_start + offset;
	return CURL_SEEKFUNC_OK;
}

static int look_in(void *self, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
		   curl_off_t up)
{
	struct exchange *exchange = self;

	(void)down_all, (void)down, (void)up_all, (void)up;
	if (exchange->request->tick(exchange->request->self) == 0)
		return 0;
	if (exchange->err->kind == ERR_NONE)
		err_set(exchange->err, ERR_CANCELLED, 0, "cancelled");
	return 1;
}

/* An option that this libcurl doesn't know would leave a guard off in silence. */
#define SET(curl, option, value)                                             \
	do {                                                                 \
		CURLcode set_ = curl_easy_setopt((curl), (option), (value)); \
		assert(set_ == CURLE_OK);                                    \
	} while (0)

static void set_guards(CURL *curl, struct exchange *exchange, int64_t timeout)
{
	const struct http_request *request = exchange->request;
	bool direct =
		request->unix_socket || request->direct || url_is_loopback(exchange->url.host);

	SET(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
	SET(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	if (exchange->request->ca_file) {
		SET(curl, CURLOPT_CAINFO, exchange->request->ca_file);
		SET(curl, CURLOPT_CAPATH, NULL);
	}
	SET(curl, CURLOPT_NOSIGNAL, 1L);
	SET(curl, CURLOPT_CONNECTTIMEOUT_MS,
	    request->connect_timeout > 0 ? (long)request->connect_timeout : CONNECT_TIMEOUT);
	SET(curl, CURLOPT_TIMEOUT_MS, (long)timeout);
	SET(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	/* A signed path must arrive as it was signed. */
	SET(curl, CURLOPT_PATH_AS_IS, 1L);
	if (direct)
		SET(curl, CURLOPT_PROXY, "");
	if (request->once)
		SET(curl, CURLOPT_FRESH_CONNECT, 1L);
	if (request->unix_socket)
		SET(curl, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	if (request->tick) {
		SET(curl, CURLOPT_NOPROGRESS, 0L);
		SET(curl, CURLOPT_XFERINFOFUNCTION, look_in);
		SET(curl, CURLOPT_XFERINFODATA, exchange);
	}
}

static void set_body(CURL *curl, struct exchange *exchange)
{
	const struct http_request *request = exchange->request;
	bool post = text_same(exchange->method, "POST") || text_same(exchange->method, "PUT")
		    || text_same(exchange->method, "PATCH");
	struct stat info;

	if (exchange->with_body && (request->body_file > 0 || request->body_read)) {
		bool known = !request->body_read && fstat(request->body_file, &info) == 0
			     && S_ISREG(info.st_mode);
		off_t size = known                      ? info.st_size - exchange->body_start
			     : request->body_length > 0 ? request->body_length
							: -1;

		SET(curl, CURLOPT_UPLOAD, 1L);
		SET(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(known && size < 0 ? 0 : size));
		SET(curl, CURLOPT_READFUNCTION, give_body);
		SET(curl, CURLOPT_READDATA, exchange);
		SET(curl, CURLOPT_SEEKFUNCTION, seek_body);
		SET(curl, CURLOPT_SEEKDATA, exchange);
	} else if (exchange->with_body && (post || request->body_size > 0)) {
		SET(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
		SET(curl, CURLOPT_POSTFIELDS, request->body_size ? request->body : "");
	} else if (text_same(exchange->method, "HEAD")) {
		SET(curl, CURLOPT_NOBODY, 1L);
		return;
	}
	SET(curl, CURLOPT_CUSTOMREQUEST, exchange->method);
}

/* What may be told to another origin than the one that the person named. */
static bool is_public(const char *name)
{
	static const char *const names[] = {"Accept", "Accept-Encoding", "Accept-Language",
					    "Content-Type", "Range"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static struct curl_slist *add_line(struct curl_slist *list, const char *line)
{
	struct curl_slist *grown = curl_slist_append(list, line);

	assert(grown);
	return grown;
}

static struct curl_slist *header_lines(const struct exchange *exchange)
{
	const struct http_request *request = exchange->request;
	/* Waiting a second for a "100 Continue" helps nobody; a made-up content type neither. */
	struct curl_slist *list = add_line(NULL, "Expect:");
	bool typed = false;

	for (size_t i = 0; i < request->header_count; i++) {
		const struct http_header *header = &request->headers[i];
		bool empty = *header->value == '\0';
		char *line = xprintf("%s%s%s", header->name, empty ? ";" : ": ", header->value);

		typed |= strcasecmp(header->name, "Content-Type") == 0;
		if (exchange->trusted || is_public(header->name))
			list = add_line(list, line);
		crypto_wipe_text(line);
		free(line);
	}
	return typed ? list : add_line(list, "Content-Type:");
}

static int failure(const struct exchange *exchange, CURLcode code, const char *detail,
		   struct err *err)
{
	enum err_kind kind = ERR_REMOTE;
	char where[600];

	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND: /* a kept connection had died, and the body is a stream */
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_HTTP3:
	case CURLE_AGAIN:
	case CURLE_NO_CONNECTION_AVAILABLE:
		kind = ERR_TRANSIENT;
		break;
	default:
		break;
	}
	origin_text(&exchange->url, where, sizeof where);
	if (exchange->err->kind != ERR_NONE) {
		*err = *exchange->err;
		return err_within(err, "%s %s", exchange->method, where);
	}
	return err_set(err, kind, 0, "%s %s: %s", exchange->method, where,
		       *detail ? detail : curl_easy_strerror(code));
}

/* One hop. Takes what it took from *left (milliseconds). */
static int perform(struct curl_http *self, struct exchange *exchange, const char *url,
		   int64_t *left, struct err *err)
{
	cleanup(slist_free_at) struct curl_slist *headers = header_lines(exchange);
	char detail[CURL_ERROR_SIZE] = "";
	curl_off_t took = 0;
	CURLcode code;

	curl_easy_reset(self->curl);
	exchange->received = 0;
	exchange->body_at = exchange->body_start;
	set_guards(self->curl, exchange, *left);
	set_body(self->curl, exchange);
	SET(self->curl, CURLOPT_URL, url);
	SET(self->curl, CURLOPT_USERAGENT, self->user_agent);
	SET(self->curl, CURLOPT_HTTPHEADER, headers);
	SET(self->curl, CURLOPT_ERRORBUFFER, detail);
	SET(self->curl, CURLOPT_HEADERFUNCTION, take_header);
	SET(self->curl, CURLOPT_HEADERDATA, exchange);
	SET(self->curl, CURLOPT_WRITEFUNCTION, take_body);
	SET(self->curl, CURLOPT_WRITEDATA, exchange);
	code = curl_easy_perform(self->curl);
	SET(self->curl, CURLOPT_ERRORBUFFER, NULL);
	SET(self->curl, CURLOPT_HTTPHEADER, NULL);
	if (curl_easy_getinfo(self->curl, CURLINFO_TOTAL_TIME_T, &took) == CURLE_OK)
		*left -= (int64_t)took / 1000;
	return code == CURLE_OK ? 0 : failure(exchange, code, detail, err);
}

/* Where the answer sends us; NULL when it doesn't. Absolute; the caller frees. */
static char *redirect_target(const struct exchange *exchange)
{
	int status = exchange->response->status;
	char *target = NULL;

	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return NULL;
	if (curl_easy_getinfo(exchange->curl, CURLINFO_REDIRECT_URL, &target) != CURLE_OK)
		return NULL;
	return xstrdup(target);
}

static bool is_stream(const struct http_request *request)
{
	return request->body_file > 0 || request->body_read;
}

static int turn_to(struct exchange *exchange, const char *target, struct arena *arena,
		   struct err *err)
{
	int status = exchange->response->status;
	struct url next;
	const struct url *now = &exchange->url;

	if (url_parse(&next, target, arena, err))
		return err_within(err, "redirected to what is");
	if (!text_same(next.scheme, "https") && !text_same(next.scheme, now->scheme))
		return err_set(err, ERR_REMOTE, status, "redirected from %s to %.20s, refused",
			       now->scheme, next.scheme);
	if (next.user || (url_is_loopback(next.host) && !url_is_loopback(now->host)))
		return err_set(err, ERR_REMOTE, status,
			       "redirected to %s, refused: it has a user in it or is loopback",
			       next.host);
	if (!text_same(next.host, now->host) || next.port != now->port
	    || !text_same(next.scheme, now->scheme))
		exchange->trusted = false;
	if (status == 303
	    || ((status == 301 || status == 302) && text_same(exchange->method, "POST"))) {
		if (!text_same(exchange->method, "HEAD"))
			exchange->method = "GET";
		exchange->with_body = false;
	}
	if (exchange->with_body && is_stream(exchange->request) && exchange->body_start < 0)
		return err_set(err, ERR_REMOTE, status,
			       "redirected, but its body can't be sent a second time");
	exchange->url = next;
	return 0;
}

static int run(struct curl_http *self, struct exchange *exchange, struct arena *arena,
	       struct err *err)
{
	const struct http_request *request = exchange->request;
	int64_t left = (request->timeout > 0 ? request->timeout : TIMEOUT) * 1000;
	autofree char *url = xstrdup(request->url);

	for (unsigned hop = 0;; hop++) {
		char *next;

		if (perform(self, exchange, url, &left, err))
			return -1;
		if (request->redirects == 0)
			return 0;
		next = redirect_target(exchange);
		free(url);
		url = next;
		if (!url)
			return 0;
		if (hop == request->redirects)
			return err_set(err, ERR_REMOTE, exchange->response->status,
				       "%s %s: redirected more than %u times", request->method,
				       exchange->url.host, request->redirects);
		if (turn_to(exchange, url, arena, err))
			return err_within(err, "%s %s", request->method, exchange->url.host);
		if (left <= 0)
			return err_set(err, ERR_TRANSIENT, 0, "%s %s: timed out between redirects",
				       request->method, exchange->url.host);
	}
}

static int send_by_curl(struct http *http, const struct http_request *request,
			struct http_response *response, struct err *err)
{
	struct curl_http *self = (struct curl_http *)http;
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct err stopped = ERR_INIT;
	struct exchange exchange = {
		.curl = self->curl,
		.request = request,
		.response = response,
		.method = request->method ? request->method : "GET",
		.with_body = true,
		.trusted = true,
		.limit = request->response_limit > 0 ? request->response_limit
			 : request->on_body          ? INT64_MAX
						     : BODY_LIMIT,
		.body_start = request->body_read       ? -1
			      : request->body_file > 0 ? lseek(request->body_file, 0, SEEK_CUR)
						       : 0,
		.err = &stopped,
	};

	if (url_parse(&exchange.url, request->url, arena, err))
		return err_within(err, "%s request", exchange.method);
	if (!text_same(exchange.url.scheme, "http") && !text_same(exchange.url.scheme, "https"))
		return err_set(err, ERR_USAGE, 0, "the URL's scheme is %s (expected https or http)",
			       exchange.url.scheme);
	if (exchange.url.user)
		return err_set(err, ERR_USAGE, 0,
			       "the URL of %s has a user or password in it: give it as a secret",
			       exchange.url.host);
	return run(self, &exchange, arena, err);
}

static void free_curl(struct http *http)
{
	struct curl_http *self = (struct curl_http *)http;

	curl_easy_cleanup(self->curl);
	curl_global_cleanup();
	free(self->user_agent);
	free(self);
}

int http_curl_new(struct http **out, const char *user_agent, struct err *err)
{
	struct curl_http *self;
	CURL *curl;

	*out = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_SYSTEM, 0, "start libcurl: it refuses");
	curl = curl_easy_init();
	if (!curl) {
		curl_global_cleanup();
		return err_set(err, ERR_SYSTEM, 0, "start libcurl: it gives no handle");
	}
	self = xalloc(sizeof *self);
	self->base = (struct http){.send = send_by_curl, .free = free_curl};
	self->curl = curl;
	self->user_agent = xstrdup(user_agent);
	*out = &self->base;
	return 0;
}

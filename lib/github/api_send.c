/* One exchange with GitHub: headers, limits, further tries. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "github/api_within.h"
#include "net/url.h"

#define API_VERSION "2022-11-28"
#define JSON_TYPE   "application/vnd.github+json"

/* One call waits no longer than this for a limit to pass: its caller knows better what else to do.
 */
#define WAIT_SECONDS      90
#define SECONDARY_SECONDS 60 /* what GitHub asks for when it names no time */
#define TRIES             4
#define TIMEOUT_SECONDS   60
#define NAP_MS            500 /* between looks whether somebody wants to break off */
#define MOVES             3   /* redirects of one that changes something */

/* A token must not travel in the clear, but for a test's server on this machine. */
static int check_api(const struct github *github, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url;

	if (url_parse(&url, github->api, arena, err) < 0)
		return err_within(err, "github: api");
	if (text_same(url.scheme, "https")
	    || (text_same(url.scheme, "http") && url_is_loopback(url.host)))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "github: api is '%.200s', expected an address that begins with https://",
		       github->api);
}

static int64_t header_number(const struct http_response *response, const char *name)
{
	const char *text = http_response_header(response, name);
	struct err ignored;
	int64_t number;

	if (!text || text_number(text, 0, INT64_MAX / 1000, &number, &ignored) < 0)
		return -1;
	return number;
}

static bool is_limited(const struct http_response *response)
{
	if (response->status == 429)
		return true;
	return response->status == 403
	       && (http_response_header(response, "retry-after")
		   || header_number(response, "x-ratelimit-remaining") == 0
		   || strstr(buf_text(&response->body), "secondary rate limit"));
}

/* How long GitHub asks us to wait, in seconds: retry-after, else until the window's end, else a
 * minute that doubles. https://docs.github.com/rest (rate limits) */
static int64_t limit_wait(const struct github *github, const struct http_response *response,
			  int attempt)
{
	int64_t after = header_number(response, "retry-after");
	int64_t reset = header_number(response, "x-ratelimit-reset");

	if (after >= 0)
		return after > 0 ? after : 1;
	if (header_number(response, "x-ratelimit-remaining") == 0 && reset >= 0) {
		int64_t left = reset - clock_now(github->clock) + 1;

		return left > 0 ? left : 1;
	}
	return (int64_t)SECONDARY_SECONDS << attempt;
}

static enum err_kind status_kind(int status)
{
	switch (status) {
	case 401:
	case 403:
		return ERR_AUTH;
	case 404:
	case 410:
	case 451:
		return ERR_ABSENT;
	case 409:
		return ERR_CONFLICT;
	case 422:
		return ERR_USAGE;
	case 408:
	case 429:
		return ERR_TRANSIENT;
	default:
		return status >= 500 ? ERR_TRANSIENT : ERR_REMOTE;
	}
}

/* GitHub's own sentence about what went wrong, made fit for one line. */
static int refused(const struct ask *ask, const struct http_response *response, struct err *err)
{
	json_auto json_t *json = NULL;
	struct err ignored;
	char message[200] = "";

	if (response->body.size > 0
	    && json_parse(&json, response->body.data, response->body.size, &ignored) == 0
	    && json_text(json, "message"))
		snprintf(message, sizeof message, ": %s", json_text(json, "message"));
	for (char *at = message; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	return err_set(err, status_kind(response->status), response->status,
		       "github: %s: status %d%s", ask->what, response->status, message);
}

static int rewind_file(int file, struct err *err)
{
	if (file > 0 && (lseek(file, 0, SEEK_SET) < 0 || ftruncate(file, 0) < 0))
		return err_errno(err, "github: rewind the download");
	return 0;
}

static bool is_read(const struct ask *ask)
{
	return text_same(ask->method, "GET");
}

/* Does the same, sent twice, change no more than sent once? */
static bool may_be_repeated(const struct ask *ask)
{
	return is_read(ask) || text_same(ask->method, "PATCH") || ask->repeat;
}

/* Seconds until the deadline, rounded up; 0 when it is past. */
static int64_t time_left(const struct github *github)
{
	int64_t left = github->patience.deadline - clock_ticks(github->clock);

	if (github->patience.deadline == 0)
		return INT64_MAX;
	return left > 0 ? (left + 999) / 1000 : 0;
}

static int check_patience(const struct github *github, const struct ask *ask, struct err *err)
{
	const struct github_patience *patience = &github->patience;

	if (patience->tick && patience->tick(patience->self) != 0)
		return err_set(err, ERR_CANCELLED, 0, "github: %s: stopped", ask->what);
	if (time_left(github) <= 0)
		return err_set(err, ERR_TRANSIENT, 0, "github: %s: no time is left for it",
			       ask->what);
	return 0;
}

static void set_headers(struct http_request *request, const struct ask *ask,
			const char *authorization)
{
	http_request_header(request, "Accept", ask->accept ? ask->accept : JSON_TYPE);
	http_request_header(request, "X-GitHub-Api-Version", API_VERSION);
	http_request_header(request, "User-Agent", "slipway");
	if (ask->body)
		http_request_header(request, "Content-Type", "application/json");
	if (ask->etag)
		http_request_header(request, "If-None-Match", ask->etag);
	if (authorization)
		http_request_header(request, "Authorization", authorization);
}

static int send_once(struct github *github, const struct ask *ask, const char *authorization,
		     struct http_response *response, struct err *err)
{
	int64_t timeout = ask->timeout ? ask->timeout : TIMEOUT_SECONDS, left = time_left(github);
	struct http_request request = {
		.method = ask->method,
		.url = xprintf("%s%s", github->api, ask->path),
		.body = ask->body,
		.body_size = ask->body ? strlen(ask->body) : 0,
		.timeout = timeout < left ? timeout : left,
		.response_limit = ask->limit,
		.response_file = ask->file,
		.redirects = is_read(ask) ? 5 : 0,
		.once = !may_be_repeated(ask),
		.tick = github->patience.tick,
		.self = github->patience.self,
	};
	int rc;

	set_headers(&request, ask, authorization);
	rc = rewind_file(ask->file, err);
	if (rc == 0 && http_send(github->http, &request, response, err) < 0)
		rc = err_within(err, "github: %s", ask->what);
	http_request_free(&request);
	return rc;
}

/* A repository that was renamed: GitHub asks to send the same again to its new address. (A client
 * that follows by itself would make a GET of it.) */
static bool is_moved(const struct github *github, const struct ask *ask,
		     const struct http_response *response, char **path)
{
	const char *to = http_response_header(response, "location");
	size_t size = strlen(github->api);

	if (is_read(ask) || !to || !text_starts(to, github->api) || to[size] != '/')
		return false;
	if (response->status != 301 && response->status != 302 && response->status != 307
	    && response->status != 308)
		return false;
	free(*path);
	*path = xstrdup(to + size);
	return true;
}

static int send_moved(struct github *github, const struct ask *ask, const char *authorization,
		      struct http_response *response, struct err *err)
{
	autofree char *path = NULL;
	struct ask now = *ask;
	int rc = send_once(github, &now, authorization, response, err);

	for (int i = 0; i < MOVES && rc == 0 && is_moved(github, &now, response, &path); i++) {
		now.path = path;
		rc = send_once(github, &now, authorization, response, err);
	}
	return rc;
}

static int wait_for(struct github *github, const struct ask *ask, int64_t milliseconds,
		    struct err *err)
{
	while (milliseconds > 0) {
		int64_t nap = milliseconds < NAP_MS ? milliseconds : NAP_MS;

		clock_sleep(github->clock, github->patience.tick ? nap : milliseconds);
		milliseconds -= github->patience.tick ? nap : milliseconds;
		if (check_patience(github, ask, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_good(const struct ask *ask, const struct http_response *response)
{
	return (response->status >= 200 && response->status < 300)
	       || (response->status == 304 && ask->etag);
}

/* Did that fail for a time only, so that the same may be sent again? What it was is in *err. */
static bool may_repeat(const struct ask *ask, bool limited, const struct err *err)
{
	if (limited)
		return true;
	return err->kind == ERR_TRANSIENT && may_be_repeated(ask);
}

static int64_t wait_limit(const struct github *github)
{
	int64_t seconds = github->patience.seconds, left = time_left(github);

	seconds = seconds == 0 ? WAIT_SECONDS : seconds < 0 ? 0 : seconds;
	return seconds < left ? seconds : left;
}

int github_exchange(struct github *github, const struct ask *ask, const char *authorization,
		    struct http_response *response, struct err *err)
{
	int64_t waited = 0, wait;

	github->retry_after = 0;
	if (check_api(github, err) < 0 || check_patience(github, ask, err) < 0)
		return -1;
	for (int attempt = 0;; attempt++) {
		int rc = send_moved(github, ask, authorization, response, err);
		bool limited = rc == 0 && is_limited(response);

		if (rc == 0 && is_good(ask, response))
			return 0;
		if (rc == 0)
			refused(ask, response, err);
		wait = (int64_t)1 << attempt;
		if (limited) {
			wait = limit_wait(github, response, attempt);
			err->kind = ERR_LIMIT;
		}
		github->retry_after = limited ? wait : 0;
		if (!may_repeat(ask, limited, err) || attempt + 1 == TRIES)
			return -1;
		waited += wait;
		if (waited > wait_limit(github))
			return limited ? err_within(
				       err, "rate limit, free again in %" PRId64 " seconds", wait)
				       : -1;
		if (wait_for(github, ask, wait * 1000, err) < 0)
			return -1;
	}
}

int github_read_json(const struct ask *ask, int rc, struct http_response *response, json_t **out,
		     struct err *err)
{
	if (rc == 0 && json_parse(out, buf_text(&response->body), response->body.size, err) < 0) {
		rc = err_within(err, "github: %s: the answer", ask->what);
		err->kind = ERR_REMOTE;
	}
	if (response->body.data)
		crypto_wipe(response->body.data, response->body.size);
	http_response_free(response);
	return rc;
}

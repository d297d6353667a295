#include "github/oidc.h"

#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "net/url.h"

/* What GitHub's own toolkit does (packages/http-client): up to ten retries, 5 ms doubled each time,
 * three minutes for an answer. */
#define RETRIES         10
#define FIRST_MS        5
#define TIMEOUT_SECONDS 180
#define LONGEST_SECONDS 60 /* that a Retry-After is followed */
#define ANSWER_BYTES    (256 * 1024)
#define URL_BYTES       (16 * 1024)
#define NAP_MS          500

static int missing(const struct oidc *oidc, struct err *err)
{
	if (oidc->fork)
		return err_set(err, ERR_AUTH, 0,
			       "the job has no identity token to give: a pull request from a fork "
			       "never gets one; deploy after it is merged (on: push)");
	return err_set(
		err, ERR_AUTH, 0,
		"the job may not have an identity token: ACTIONS_ID_TOKEN_REQUEST_URL is not "
		"set; add 'permissions: {id-token: write, contents: read}' to the job (a "
		"called workflow needs it from its caller too)");
}

/* A bearer token goes there, so nothing but TLS will do, or a test's server on this machine. */
static int check_url(const struct oidc *oidc, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url;

	if (url_parse(&url, oidc->url, arena, err) < 0)
		return err_within(err, "identity token: ACTIONS_ID_TOKEN_REQUEST_URL");
	if (text_same(url.scheme, "https")
	    || (text_same(url.scheme, "http") && url_is_loopback(url.host)))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "identity token: ACTIONS_ID_TOKEN_REQUEST_URL is '%.100s', expected an "
		       "address that begins with https://",
		       oidc->url);
}

static char *address(const struct oidc *oidc, const char *audience)
{
	cleanup(buf_free) struct buf url = BUF_INIT(URL_BYTES);

	buf_adds(&url, oidc->url);
	if (audience && *audience) {
		buf_adds(&url, strchr(oidc->url, '?') ? "&" : "?");
		buf_adds(&url, "audience=");
		url_encode(&url, audience, false);
	}
	return buf_take(&url);
}

static int stopped(const struct oidc *oidc, struct err *err)
{
	if (oidc->tick && oidc->tick(oidc->self) != 0)
		return err_set(err, ERR_CANCELLED, 0, "identity token: stopped");
	if (oidc->deadline && clock_ticks(oidc->clock) >= oidc->deadline)
		return err_set(err, ERR_TRANSIENT, 0, "identity token: no time is left for it");
	return 0;
}

static int ask(const struct oidc *oidc, const char *url, struct http_response *response,
	       struct err *err)
{
	autofree char *bearer = xprintf("Bearer %s", oidc->token);
	struct http_request request = {
		.method = "GET",
		.url = xstrdup(url),
		.timeout = TIMEOUT_SECONDS,
		.response_limit = ANSWER_BYTES,
		.tick = oidc->tick,
		.self = oidc->self,
	};
	int rc;

	http_request_header(&request, "Accept", "application/json");
	http_request_header(&request, "Authorization", bearer);
	http_request_header(&request, "User-Agent", "slipway");
	crypto_wipe_text(bearer);
	rc = http_send(oidc->http, &request, response, err);
	http_request_free(&request);
	return rc < 0 ? err_within(err, "identity token") : 0;
}

/* What GitHub says when it refuses; there may be a token in what it says when it doesn't. */
static int refused(const struct http_response *response, struct err *err)
{
	json_auto json_t *json = NULL;
	struct err ignored;
	char said[120] = "";
	int status = response->status;

	if (response->body.size > 0
	    && json_parse(&json, response->body.data, response->body.size, &ignored) == 0
	    && json_text(json, "message"))
		snprintf(said, sizeof said, ": %s", json_text(json, "message"));
	for (char *at = said; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	if (status == 401 || status == 403)
		return err_set(err, ERR_AUTH, status,
			       "identity token: status %d%s: has the job 'permissions: {id-token: "
			       "write}', and is it still running?",
			       status, said);
	return err_set(err, status == 429 || status >= 500 ? ERR_TRANSIENT : ERR_REMOTE, status,
		       "identity token: status %d%s", status, said);
}

static bool may_repeat(const struct http_response *response, int rc, const struct err *err)
{
	int status = response->status;

	if (rc < 0)
		return err->kind == ERR_TRANSIENT;
	return status == 502 || status == 503 || status == 504 || status == 429;
}

static int64_t pause_after(const struct http_response *response, int attempt)
{
	const char *after = http_response_header(response, "retry-after");
	struct err ignored;
	int64_t seconds;

	if (after && text_number(after, 0, LONGEST_SECONDS, &seconds, &ignored) == 0)
		return seconds * 1000;
	/* A lost network isn't back after five milliseconds, nor is a limit over. */
	if (response->status == 0 || response->status == 429)
		return INT64_C(100) << attempt > 5000 ? 5000 : INT64_C(100) << attempt;
	return (int64_t)FIRST_MS << attempt;
}

static int wait_for(const struct oidc *oidc, int64_t milliseconds, struct err *err)
{
	while (milliseconds > 0) {
		int64_t nap = milliseconds < NAP_MS ? milliseconds : NAP_MS;

		clock_sleep(oidc->clock, nap);
		milliseconds -= nap;
		if (stopped(oidc, err) < 0)
			return -1;
	}
	return 0;
}

static int exchange(const struct oidc *oidc, const char *url, struct http_response *response,
		    struct err *err)
{
	for (int attempt = 0;; attempt++) {
		int rc;

		if (stopped(oidc, err) < 0)
			return -1;
		rc = ask(oidc, url, response, err);
		if (rc == 0 && response->status == 200)
			return 0;
		if (rc == 0)
			refused(response, err);
		if (!may_repeat(response, rc, err))
			return -1;
		if (attempt == RETRIES)
			return err_within(err, "tried %d times", RETRIES + 1);
		if (wait_for(oidc, pause_after(response, attempt), err) < 0)
			return -1;
	}
}

/* Three parts of base64: nothing else belongs into a header or a form. */
static bool is_token(const char *text)
{
	return text && strlen(text) > 4
	       && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
			  == strlen(text);
}

/* Masked before it is looked at: what isn't as expected may still be a secret. */
static int read_token(const struct oidc *oidc, struct http_response *response, char **token,
		      struct err *err)
{
	json_auto json_t *json = NULL;
	const char *value = NULL;

	if (json_parse(&json, buf_text(&response->body), response->body.size, err) == 0)
		value = json_text(json, "value");
	if (value && *value && oidc->mask)
		oidc->mask(oidc->self, value);
	if (!is_token(value))
		return err_set(err, ERR_REMOTE, 200,
			       "identity token: the answer has none (expected {\"value\": \"…\"})");
	*token = xstrdup(value);
	crypto_wipe((char *)(uintptr_t)value, strlen(value));
	return 0;
}

int oidc_token(const struct oidc *oidc, const char *audience, char **token, struct err *err)
{
	struct http_response response = {0};
	autofree char *url = NULL;
	int rc;

	*token = NULL;
	if (!oidc->url || !*oidc->url || !oidc->token || !*oidc->token)
		return missing(oidc, err);
	if (check_url(oidc, err) < 0)
		return -1;
	url = address(oidc, audience);
	rc = exchange(oidc, url, &response, err);
	if (rc == 0)
		rc = read_token(oidc, &response, token, err);
	if (response.body.data)
		crypto_wipe(response.body.data, response.body.size);
	http_response_free(&response);
	return rc;
}

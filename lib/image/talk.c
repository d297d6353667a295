#include "image/talk.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "image/challenge.h"
#include "net/url.h"

#define TRIES       5
#define REDIRECTS   4
#define TOKEN_LIMIT (1024 * 1024)
#define STALLED     60000 /* ms without a byte taken */
#define PAUSE_MAX   120000

int talk_begin(struct talk *talk, const struct registry *registry, const char *name, bool push,
	       struct arena *arena, struct err *err)
{
	/* Docker Hub's own exception. */
	const char *host =
		text_same(registry->host, "docker.io") ? "registry-1.docker.io" : registry->host;
	struct url url;
	const char *origin = arena_printf(arena, "https://%s", host);

	if (url_parse(&url, origin, arena, err) || url.user || *url.path || url.query)
		return err_set(err, ERR_USAGE, 0,
			       "registry '%.200s' (expected a host, or host:port)", host);
	if (registry->plain || url_is_loopback(url.host))
		origin = arena_printf(arena, "http://%s", host);
	*talk = (struct talk){
		.registry = registry,
		.name = name,
		.origin = origin,
		.push = push,
		.basic = registry->auth.username != NULL,
		.arena = arena,
	};
	return 0;
}

void talk_end(struct talk *talk)
{
	crypto_wipe_text(talk->bearer);
	free(talk->bearer);
	talk->bearer = NULL;
}

void talk_say(const struct talk *talk, const char *fmt, ...)
{
	char line[400];
	va_list ap;
	int size;

	if (!talk->registry->say)
		return;
	va_start(ap, fmt);
	size = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (size >= (int)sizeof line)
		size = sizeof line - 1;
	talk->registry->say(talk->registry->self, line, (size_t)size);
}

const char *talk_resolve(const char *base, const char *location, struct arena *arena)
{
	struct err ignored = ERR_INIT;
	struct url url;
	size_t scheme = strcspn(base, ":");
	size_t origin = scheme + 3 + strcspn(base + scheme + 3, "/?#");
	size_t path = origin + strcspn(base + origin, "?#");
	const char *out;

	if (location[strcspn(location, ":/?#")] == ':')
		out = arena_strdup(arena, location);
	else if (text_starts(location, "//"))
		out = arena_printf(arena, "%.*s:%s", (int)scheme, base, location);
	else if (*location == '/')
		out = arena_printf(arena, "%.*s%s", (int)origin, base, location);
	else if (*location == '?')
		out = arena_printf(arena, "%.*s%s", (int)path, base, location);
	else if (*location == '\0' || *location == '#')
		return NULL;
	else {
		while (path > origin && base[path - 1] != '/')
			path--;
		out = arena_printf(arena, "%.*s%s%s", (int)path, base, path == origin ? "/" : "",
				   location);
	}
	if (strpbrk(out, " \t\r\n") || url_parse(&url, out, arena, &ignored) || url.user
	    || (!text_same(url.scheme, "https") && !text_same(url.scheme, "http")))
		return NULL;
	return out;
}

/* Is it the registry itself, whom the password is for? */
static bool is_home(const struct talk *talk, const char *text)
{
	struct err ignored = ERR_INIT;
	struct url home, url;

	return url_parse(&home, talk->origin, talk->arena, &ignored) == 0
	       && url_parse(&url, text, talk->arena, &ignored) == 0
	       && text_same(home.scheme, url.scheme) && text_same(home.host, url.host)
	       && home.port == url.port;
}

/* May we be sent there? Not from https to http, and not from elsewhere into this machine. */
static int may_follow(const struct talk *talk, const char *to, const char *what, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct url home, url;

	if (url_parse(&home, talk->origin, talk->arena, &ignored)
	    || url_parse(&url, to, talk->arena, &ignored))
		return err_set(err, ERR_REMOTE, 0, "the registry's %s can't be read", what);
	if (text_same(home.scheme, "https") && !text_same(url.scheme, "https"))
		return err_set(err, ERR_REMOTE, 0,
			       "the registry's %s leads from https to http at "
			       "%.200s, refused",
			       what, url.host);
	if (url_is_loopback(url.host) && !url_is_loopback(home.host))
		return err_set(err, ERR_REMOTE, 0, "the registry's %s leads to %.200s, refused",
			       what, url.host);
	return 0;
}

int talk_may_send(const struct talk *talk, const char *url, struct err *err)
{
	return may_follow(talk, url, "place for an upload", err);
}

/* ---- one exchange ---- */

/* A body on its way out. */
struct sending {
	const struct talk *talk;
	const struct talk_request *request;
	int64_t at;
	int64_t moved; /* ticks at which the last byte was taken */
	bool stalled;
};

static ssize_t give_body(void *self, void *out, size_t room, struct err *err)
{
	struct sending *sending = self;
	const struct talk_request *request = sending->request;
	int64_t left = request->size - sending->at;
	ssize_t size;

	if ((int64_t)room > left)
		room = (size_t)left;
	do
		size = pread(request->fd, out, room, request->offset + sending->at);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return err_errno(err, "read a layer");
	if (size == 0 && left > 0)
		return err_set(err, ERR_USAGE, 0, "read a layer: its file has shrunk");
	sending->at += size;
	sending->moved = clock_ticks(sending->talk->registry->clock);
	return size;
}

static int look_in(void *self)
{
	struct sending *sending = self;
	const struct registry *registry = sending->talk->registry;

	/* Once all is sent the registry may take its time to store it. */
	if (sending->at < sending->request->size
	    && clock_ticks(registry->clock) - sending->moved > STALLED)
		sending->stalled = true;
	return sending->stalled || (registry->tick && registry->tick(registry->self));
}

static char *basic_header(const struct engine_auth *auth)
{
	autofree char *pair =
		xprintf("%s:%s", auth->username, auth->password ? auth->password : "");
	autofree char *encoded = base64_encode(pair, strlen(pair), false);
	char *header = xprintf("Basic %s", encoded);

	crypto_wipe_text(pair);
	crypto_wipe_text(encoded);
	return header;
}

static void authorize(const struct talk *talk, struct http_request *http)
{
	char *header = NULL;

	if (talk->bearer)
		header = xprintf("Bearer %s", talk->bearer);
	else if (talk->basic)
		header = basic_header(&talk->registry->auth);
	if (header)
		http_request_header(http, "Authorization", header);
	crypto_wipe_text(header);
	free(header);
}

static int64_t time_for(int64_t size)
{
	/* 32 KiB/s at the least; a stalled one is noticed long before. */
	return 120 + size / 32768;
}

static int exchange(struct talk *talk, const struct talk_request *request, const char *url,
		    struct http_response *response, struct err *err)
{
	struct sending sending = {
		.talk = talk, .request = request, .moved = clock_ticks(talk->registry->clock)};
	struct http_request http = {
		.method = request->method,
		.url = xstrdup(url),
		.timeout = time_for(request->size),
		.tick = look_in,
		.self = &sending,
	};
	int status;

	if (request->bytes) {
		http.body = request->bytes;
		http.body_size = (size_t)request->size;
		sending.at = request->size;
	} else if (request->fd > 0) {
		http.body_read = give_body;
		http.body_length = request->size;
	}
	if (request->accept)
		http_request_header(&http, "Accept", request->accept);
	if (request->type)
		http_request_header(&http, "Content-Type", request->type);
	if (request->range)
		http_request_header(&http, "Content-Range", request->range);
	if (is_home(talk, url))
		authorize(talk, &http);
	status = http_send(talk->registry->http, &http, response, err);
	http_request_free(&http);
	if (status && sending.stalled)
		return err_set(err, ERR_TRANSIENT, 0, "%s %s: no byte was taken for %d s",
			       request->method, talk->registry->host, STALLED / 1000);
	return status;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int follow(struct talk *talk, const struct talk_request *request,
		  struct http_response *response, struct err *err)
{
	const char *url = *request->url == '/'
				  ? arena_printf(talk->arena, "%s%s", talk->origin, request->url)
				  : request->url;
	struct talk_request now = *request;

	for (int hop = 0;; hop++) {
		const char *location;

		if (exchange(talk, &now, url, response, err))
			return -1;
		location = http_response_header(response, "Location");
		if (!is_redirect(response->status) || !location)
			return 0;
		if (hop == REDIRECTS)
			return err_set(err, ERR_REMOTE, response->status,
				       "%s %.200s: redirected more than %d times", request->method,
				       request->url, REDIRECTS);
		url = talk_resolve(url, location, talk->arena);
		if (!url)
			return err_set(err, ERR_REMOTE, response->status,
				       "the registry's redirect can't be read");
		if (may_follow(talk, url, "redirect", err))
			return -1;
		if (response->status == 303 && !text_same(now.method, "HEAD"))
			now = (struct talk_request){.method = "GET", .accept = request->accept};
	}
}

/* ---- logging in ---- */

static const char *token_url(const struct talk *talk, const struct challenge *challenge)
{
	struct buf url = BUF_INIT(65536);
	const char *scope = challenge->scope;
	const char *out;

	buf_addf(&url, "%s%cservice=", challenge->realm, strchr(challenge->realm, '?') ? '&' : '?');
	url_encode(&url, challenge->service ? challenge->service : "", false);
	if (!scope)
		scope = arena_printf(talk->arena, "repository:%s:%s", talk->name,
				     talk->push ? "pull,push" : "pull");
	buf_adds(&url, "&scope=");
	url_encode(&url, scope, false);
	for (size_t i = 0; talk->push && talk->registry->from && talk->registry->from[i]; i++) {
		buf_adds(&url, "&scope=repository%3A");
		url_encode(&url, talk->registry->from[i], false);
		buf_adds(&url, "%3Apull");
	}
	out = arena_strdup(talk->arena, buf_text(&url));
	buf_free(&url);
	return out;
}

static int take_token(struct talk *talk, const struct http_response *response, struct err *err)
{
	json_auto json_t *answer = NULL;
	const char *token;

	if (json_parse(&answer, buf_text(&response->body), response->body.size, err))
		return err_within(err, "log in to %s: its token service's answer",
				  talk->registry->host);
	token = json_text(answer, "token");
	if (!token || !*token)
		token = json_text(answer, "access_token");
	if (!token || !*token || strpbrk(token, "\r\n"))
		return err_set(err, ERR_REMOTE, 0, "log in to %s: its token service gave no token",
			       talk->registry->host);
	talk_end(talk);
	talk->bearer = xstrdup(token);
	return 0;
}

static int fetch_token(struct talk *talk, const struct challenge *challenge, struct err *err)
{
	struct http_response response = {.body = BUF_INIT(TOKEN_LIMIT)};
	const struct engine_auth *auth = &talk->registry->auth;
	const char *host = talk->registry->host;
	struct http_request http = {.method = "GET"};
	int status = -1;

	if (!challenge->realm || !talk_resolve(challenge->realm, challenge->realm, talk->arena))
		return err_set(err, ERR_REMOTE, 0,
			       "log in to %s: it names no token service that can be used", host);
	if (may_follow(talk, challenge->realm, "token service", err))
		return -1;
	http.url = xstrdup(token_url(talk, challenge));
	http.tick = talk->registry->tick;
	http.self = talk->registry->self;
	if (auth->username) {
		char *header = basic_header(auth);

		http_request_header(&http, "Authorization", header);
		crypto_wipe_text(header);
		free(header);
	}
	for (unsigned tried = 1;; tried++) {
		status = http_send(talk->registry->http, &http, &response, err);
		if (!talk_may_pass(status ? NULL : &response, err) || tried == TRIES)
			break;
		if (talk_pause(talk, tried, status ? NULL : &response, err)) {
			status = -2;
			break;
		}
	}
	if (status == 0)
		status = response.status == 200
				 ? take_token(talk, &response, err)
				 : talk_refused(talk, &response, "log in for a token", err);
	http_request_free(&http);
	if (response.body.data)
		crypto_wipe(response.body.data, response.body.size);
	http_response_free(&response);
	return status ? -1 : 0;
}

/* Do what the 401 asks for. 1: nothing that we could do differently. */
static int log_in(struct talk *talk, const struct http_response *response, bool fresh,
		  struct err *err)
{
	struct challenge challenge;

	if (fresh)
		return 1;
	if (challenge_find(response, "bearer", &challenge, talk->arena)) {
		talk->basic = false;
		return fetch_token(talk, &challenge, err);
	}
	/* Some say Bearer once and Basic later; the password has gone along already otherwise. */
	if (talk->bearer && talk->registry->auth.username) {
		talk_end(talk);
		talk->basic = true;
		return 0;
	}
	return 1;
}

int talk_once(struct talk *talk, const struct talk_request *request, struct http_response *response,
	      struct err *err)
{
	for (bool fresh = false;; fresh = true) {
		int status = follow(talk, request, response, err);

		if (status || response->status != 401)
			return status;
		status = log_in(talk, response, fresh, err);
		if (status)
			return status < 0 ? -1 : 0;
	}
}

/* ---- again ---- */

bool talk_may_pass(const struct http_response *response, const struct err *err)
{
	if (!response || response->status == 0)
		return err->kind == ERR_TRANSIENT;
	return response->status == 429 || (response->status >= 500 && response->status != 501);
}

int talk_pause(struct talk *talk, unsigned tried, const struct http_response *response,
	       struct err *err)
{
	const struct registry *registry = talk->registry;
	const char *wish =
		response && response->status ? http_response_header(response, "Retry-After") : NULL;
	struct err ignored = ERR_INIT;
	int64_t wait = 500 << (tried < 6 ? tried : 6), seconds;
	uint16_t dice;

	crypto_random(&dice, sizeof dice);
	wait = wait / 2 + wait * dice / 65536 / 2;
	if (wish && text_number(wish, 0, INT32_MAX, &seconds, &ignored) == 0) {
		if (seconds * 1000 > PAUSE_MAX)
			return err_set(err, ERR_TRANSIENT, response->status,
				       "%s is busy (status %d) and asks to be left alone for %jd s",
				       registry->host, response->status, (intmax_t)seconds);
		if (seconds > 0)
			wait = seconds * 1000;
	}
	for (int64_t end = clock_ticks(registry->clock) + wait;;) {
		int64_t left = end - clock_ticks(registry->clock);

		if (registry->tick && registry->tick(registry->self))
			return err_set(err, ERR_CANCELLED, 0, "cancelled");
		if (left <= 0)
			return 0;
		clock_sleep(registry->clock, left < 200 ? left : 200);
	}
}

int talk_ask(struct talk *talk, const struct talk_request *request, struct http_response *response,
	     struct err *err)
{
	for (unsigned tried = 1;; tried++) {
		int status = talk_once(talk, request, response, err);

		if (!talk_may_pass(status ? NULL : response, err) || tried == TRIES)
			return status;
		if (talk_pause(talk, tried, status ? NULL : response, err))
			return -1;
	}
}

/* ---- refusals ---- */

/* The first error of the body; NULL when it has none that can be read. New reference. */
static json_t *first_error(const struct http_response *response)
{
	struct err ignored = ERR_INIT;
	json_t *answer = NULL, *first;

	if (json_parse(&answer, buf_text(&response->body), response->body.size, &ignored))
		return NULL;
	first = json_incref(json_array_get(json_object_get(answer, "errors"), 0));
	json_decref(answer);
	return first;
}

bool talk_says(const struct http_response *response, const char *code)
{
	json_auto json_t *first = first_error(response);
	const char *text = json_text(first, "code");

	return text && text_same(text, code);
}

static enum err_kind kind_of(int status, const char *code)
{
	if (text_same(code, "NAME_UNKNOWN") || text_same(code, "MANIFEST_UNKNOWN"))
		return ERR_ABSENT;
	switch (status) {
	case 401:
	case 403:
		return ERR_AUTH;
	case 404:
		return ERR_ABSENT;
	case 429:
		return ERR_TRANSIENT;
	default:
		return status >= 500 ? ERR_TRANSIENT : ERR_REMOTE;
	}
}

/* One line of what a stranger wrote. */
static const char *one_line(const char *text, struct arena *arena)
{
	char *line = arena_printf(arena, "%.250s", text);

	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return line;
}

int talk_refused(const struct talk *talk, const struct http_response *response, const char *what,
		 struct err *err)
{
	json_auto json_t *first = first_error(response);
	const char *code = json_text(first, "code"), *message = json_text(first, "message");
	const char *hint = "";

	code = one_line(code ? code : "", talk->arena);
	message = one_line(message ? message : "", talk->arena);
	if (response->status == 401)
		hint = talk->registry->auth.username ? ": it refuses the user name or password"
						     : ": it wants a user name and password";
	return err_set(err, kind_of(response->status, code), response->status,
		       "%s: %s at %s: %s%s%s (status %d)%s", what, talk->name, talk->registry->host,
		       code, *code && *message ? ": " : "",
		       *message || *code ? message : "no reason given", response->status, hint);
}

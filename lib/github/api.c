#include "github/api.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "net/jwt.h"
#include "net/url.h"

#define API_VERSION "2022-11-28"
#define JSON_TYPE   "application/vnd.github+json"
#define SHA_TYPE    "application/vnd.github.sha"

/* An installation's token lives an hour; it is renewed this long before its end. */
#define RENEW_SECONDS 300
#define LIFE_SECONDS  3600

/* One call waits no longer than this for a limit to pass: its caller knows better what else to do.
 */
#define WAIT_SECONDS      90
#define SECONDARY_SECONDS 60 /* what GitHub asks for when it names no time */
#define TRIES             4
#define COMPARE_FILES     300 /* GitHub lists no more than these */
#define TARBALL_SECONDS   600
#define TARBALL_BYTES     (INT64_C(2) * 1024 * 1024 * 1024)
#define COMPARE_BYTES     (INT64_C(64) * 1024 * 1024)

struct session {
	struct session *next;
	char *repository, *token;
	int64_t until; /* ticks */
};

struct github {
	char *api, *token, *app_id, *app_key;
	struct http *http;
	struct clock *clock;
	struct session *sessions;
};

/** One call, as the functions below ask for it. */
struct call {
	const char *method, *path, *accept;
	const char *body; /* NULL: none */
	const char *what; /* for messages */
	int64_t limit, timeout;
	int file;
};

struct github *github_new(const struct github_login *login, struct http *http, struct clock *clock)
{
	struct github *github = xalloc(sizeof *github);
	size_t size;

	github->api = xstrdup(login->api);
	size = strlen(github->api);
	while (size > 0 && github->api[size - 1] == '/')
		github->api[--size] = '\0';
	github->token = xstrdup(login->token);
	github->app_id = xstrdup(login->app_id);
	github->app_key = xstrdup(login->app_key);
	github->http = http;
	github->clock = clock;
	return github;
}

static void session_free(struct session *session)
{
	crypto_wipe_text(session->token);
	free(session->token);
	free(session->repository);
	free(session);
}

void github_free(struct github *github)
{
	if (!github)
		return;
	while (github->sessions) {
		struct session *next = github->sessions->next;

		session_free(github->sessions);
		github->sessions = next;
	}
	crypto_wipe_text(github->token);
	crypto_wipe_text(github->app_key);
	free(github->token);
	free(github->app_key);
	free(github->app_id);
	free(github->api);
	free(github);
}

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
static int refused(const struct call *call, const struct http_response *response, struct err *err)
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
		       "github: %s: status %d%s", call->what, response->status, message);
}

static int rewind_file(int file, struct err *err)
{
	if (file > 0 && (lseek(file, 0, SEEK_SET) < 0 || ftruncate(file, 0) < 0))
		return err_errno(err, "github: rewind the download");
	return 0;
}

static int send_once(struct github *github, const struct call *call, const char *authorization,
		     struct http_response *response, struct err *err)
{
	struct http_request request = {
		.method = call->method,
		.url = xprintf("%s%s", github->api, call->path),
		.body = call->body,
		.body_size = call->body ? strlen(call->body) : 0,
		.timeout = call->timeout,
		.response_limit = call->limit,
		.response_file = call->file,
		.redirects = 5,
	};
	int rc;

	http_request_header(&request, "Accept", call->accept ? call->accept : JSON_TYPE);
	http_request_header(&request, "X-GitHub-Api-Version", API_VERSION);
	http_request_header(&request, "User-Agent", "slipway");
	if (call->body)
		http_request_header(&request, "Content-Type", "application/json");
	if (authorization)
		http_request_header(&request, "Authorization", authorization);
	rc = rewind_file(call->file, err);
	if (rc == 0 && http_send(github->http, &request, response, err) < 0)
		rc = err_within(err, "github: %s", call->what);
	http_request_free(&request);
	return rc;
}

/* Send until there is an answer that another try would not change, or the patience for it is spent.
 */
static int exchange(struct github *github, const struct call *call, const char *authorization,
		    struct http_response *response, struct err *err)
{
	int64_t waited = 0, wait;

	for (int attempt = 0;; attempt++) {
		int rc = send_once(github, call, authorization, response, err);
		bool limited = rc == 0 && is_limited(response);

		if (rc == 0 && response->status >= 200 && response->status < 300)
			return 0;
		if (rc == 0)
			refused(call, response, err);
		if (limited) {
			wait = limit_wait(github, response, attempt);
			err->kind = ERR_LIMIT;
		} else {
			wait = (int64_t)1 << attempt;
		}
		if ((!limited && err->kind != ERR_TRANSIENT) || attempt + 1 == TRIES)
			return -1;
		waited += wait;
		if (waited > WAIT_SECONDS)
			return limited ? err_within(
				       err, "rate limit, free again in %" PRId64 " seconds", wait)
				       : -1;
		clock_sleep(github->clock, wait * 1000);
	}
}

/* Frees the response, and wipes it: it may hold a token. */
static int read_answer(const struct call *call, int rc, struct http_response *response,
		       json_t **out, struct err *err)
{
	if (rc == 0 && json_parse(out, buf_text(&response->body), response->body.size, err) < 0) {
		rc = err_within(err, "github: %s: the answer", call->what);
		err->kind = ERR_REMOTE;
	}
	if (response->body.data)
		crypto_wipe(response->body.data, response->body.size);
	http_response_free(response);
	return rc;
}

static int exchange_json(struct github *github, const struct call *call, const char *authorization,
			 json_t **out, struct err *err)
{
	struct http_response response = {0};
	int rc = exchange(github, call, authorization, &response, err);

	return read_answer(call, rc, &response, out, err);
}

/* "Bearer <JWT>" of the App itself; the caller wipes and frees. */
static int app_authorization(struct github *github, char **out, struct err *err)
{
	int64_t now = clock_now(github->clock);
	json_auto json_t *claims = json_pack("{s:I, s:I, s:s}", "iat", (json_int_t)(now - 60),
					     "exp", (json_int_t)(now + 540), "iss", github->app_id);
	char *jwt = NULL;

	if (jwt_sign(&jwt, claims, github->app_key, err) < 0)
		return err_within(err, "github: sign in as App %s", github->app_id);
	*out = xprintf("Bearer %s", jwt);
	crypto_wipe_text(jwt);
	free(jwt);
	return 0;
}

static int find_installation(struct github *github, const char *repository,
			     const char *authorization, int64_t *id, struct err *err)
{
	autofree char *path = xprintf("/repos/%s/installation", repository);
	autofree char *what = xprintf("find the App's installation for %s", repository);
	const struct call call = {.method = "GET", .path = path, .what = what};
	json_auto json_t *answer = NULL;

	if (exchange_json(github, &call, authorization, &answer, err) < 0)
		return -1;
	*id = json_integer_at(answer, "id", 0);
	if (*id <= 0)
		return err_set(err, ERR_REMOTE, 0, "github: %s: the answer has no id", what);
	return 0;
}

/* In seconds. Measured once against our clock and then kept in ticks, so that a clock that jumps
 * can't make a dead token look alive for long. */
static int64_t life_left(struct github *github, const char *expires_at)
{
	struct tm tm = {0};
	int64_t left;

	if (!expires_at || !strptime(expires_at, "%Y-%m-%dT%H:%M:%S", &tm))
		return LIFE_SECONDS;
	left = (int64_t)timegm(&tm) - clock_now(github->clock);
	return left > LIFE_SECONDS ? LIFE_SECONDS : left;
}

static int ask_token(struct github *github, const char *repository, const char *authorization,
		     json_t **answer, struct err *err)
{
	int64_t id;
	autofree char *path = NULL, *body = NULL, *what = NULL;
	struct call call = {.method = "POST"};

	if (find_installation(github, repository, authorization, &id, err) < 0)
		return -1;
	path = xprintf("/app/installations/%" PRId64 "/access_tokens", id);
	body = xprintf("{\"repositories\":[\"%s\"]}", strchr(repository, '/') + 1);
	what = xprintf("log in for %s", repository);
	call.path = path;
	call.body = body;
	call.what = what;
	return exchange_json(github, &call, authorization, answer, err);
}

/* NULL with *err when there is no way in. */
static struct session *session_open(struct github *github, const char *repository, struct err *err)
{
	autofree char *authorization = NULL;
	json_auto json_t *answer = NULL;
	struct session *session;
	const char *token;
	int rc;

	if (app_authorization(github, &authorization, err) < 0)
		return NULL;
	rc = ask_token(github, repository, authorization, &answer, err);
	crypto_wipe_text(authorization);
	if (rc < 0)
		return NULL;
	token = json_text(answer, "token");
	if (!token || !*token) {
		err_set(err, ERR_REMOTE, 0, "github: log in for %s: the answer has no token",
			repository);
		return NULL;
	}
	session = xalloc(sizeof *session);
	session->repository = xstrdup(repository);
	session->token = xstrdup(token);
	session->until =
		clock_ticks(github->clock)
		+ (life_left(github, json_text(answer, "expires_at")) - RENEW_SECONDS) * 1000;
	session->next = github->sessions;
	github->sessions = session;
	crypto_wipe((char *)(uintptr_t)token, strlen(token));
	return session;
}

/* `fresh`: not from what we remember. */
static struct session *session_find(struct github *github, const char *repository, bool fresh,
				    struct err *err)
{
	for (struct session **at = &github->sessions; *at; at = &(*at)->next) {
		struct session *found = *at;

		if (!text_same(found->repository, repository))
			continue;
		if (!fresh && clock_ticks(github->clock) < found->until)
			return found;
		*at = found->next;
		session_free(found);
		break;
	}
	return session_open(github, repository, err);
}

/* *out is NULL without a login; the caller wipes and frees. */
static int authorize(struct github *github, const char *repository, bool fresh, char **out,
		     struct err *err)
{
	struct session *session;

	*out = NULL;
	if (github->token) {
		*out = xprintf("Bearer %s", github->token);
		return 0;
	}
	if (!github->app_id || !github->app_key)
		return 0;
	session = session_find(github, repository, fresh, err);
	if (!session)
		return -1;
	*out = xprintf("Bearer %s", session->token);
	return 0;
}

/* A 401 for a remembered installation token: it was revoked, or GitHub's clock is ahead. Once more
 * with a new one. */
static int call_as(struct github *github, const char *repository, const struct call *call,
		   struct http_response *response, struct err *err)
{
	int rc = check_api(github, err);

	if (rc < 0)
		return -1;
	for (int fresh = 0; fresh < 2; fresh++) {
		char *authorization;

		if (authorize(github, repository, fresh, &authorization, err) < 0)
			return -1;
		rc = exchange(github, call, authorization, response, err);
		crypto_wipe_text(authorization);
		free(authorization);
		if (rc == 0 || response->status != 401 || err->code != 401 || github->token
		    || !github->app_id)
			break;
	}
	return rc;
}

static int call_json(struct github *github, const char *repository, const struct call *call,
		     json_t **out, struct err *err)
{
	struct http_response response = {0};
	int rc = call_as(github, repository, call, &response, err);

	return read_answer(call, rc, &response, out, err);
}

int github_get(struct github *github, const char *repository, const char *path, json_t **out,
	       struct err *err)
{
	autofree char *what = xprintf("get %.200s", path);
	const struct call call = {.method = "GET", .path = path, .what = what};

	*out = NULL;
	return call_json(github, repository, &call, out, err);
}

/* The path of a ref within /commits/: "heads/main" says more clearly than "main" that it's a
 * branch. */
static char *commit_path(const char *repository, const char *ref)
{
	cleanup(buf_free) struct buf path = BUF_INIT(4096);

	if (text_starts(ref, "refs/"))
		ref += strlen("refs/");
	buf_addf(&path, "/repos/%s/commits/", repository);
	url_encode(&path, ref, true);
	return buf_take(&path);
}

int github_resolve(struct github *github, const char *repository, const char *ref, char **commit,
		   struct err *err)
{
	autofree char *path = NULL, *what = NULL;
	struct http_response response = {0};
	struct call call = {.method = "GET", .accept = SHA_TYPE, .limit = 4096};
	int rc;

	*commit = NULL;
	if (!text_is_ref(ref))
		return err_set(err, ERR_USAGE, 0, "github: '%.100s' is not a ref", ref);
	path = commit_path(repository, ref);
	what = xprintf("look up %s of %s", ref, repository);
	call.path = path;
	call.what = what;
	rc = call_as(github, repository, &call, &response, err);
	if (rc == 0 && !text_is_commit(buf_text(&response.body)))
		rc = err_set(err, ERR_REMOTE, 0, "github: %s: the answer is no commit id", what);
	else if (rc == 0)
		*commit = buf_take(&response.body);
	else if (err->kind == ERR_USAGE) /* 422: "No commit found for the ref" */
		err->kind = ERR_ABSENT;
	http_response_free(&response);
	return rc;
}

int github_tarball(struct github *github, const char *repository, const char *commit, int fd,
		   struct err *err)
{
	autofree char *path = xprintf("/repos/%s/tarball/%s", repository, commit);
	autofree char *what = xprintf("download %s at %.12s", repository, commit);
	const struct call call = {
		.method = "GET",
		.path = path,
		.what = what,
		.file = fd,
		.timeout = TARBALL_SECONDS,
		.limit = TARBALL_BYTES,
	};
	struct http_response response = {0};
	int rc;

	assert(text_is_commit(commit) && fd > 0);
	rc = call_as(github, repository, &call, &response, err);
	http_response_free(&response);
	return rc;
}

static int read_relation(const json_t *answer, enum github_relation *relation, struct err *err)
{
	static const char *const names[] = {
		[GITHUB_IDENTICAL] = "identical",
		[GITHUB_AHEAD] = "ahead",
		[GITHUB_BEHIND] = "behind",
		[GITHUB_DIVERGED] = "diverged",
	};
	const char *status = json_text(answer, "status");

	for (int i = 0; i < 4; i++)
		if (text_same(names[i], status)) {
			*relation = (enum github_relation)i;
			return 0;
		}
	return err_set(err, ERR_REMOTE, 0, "github: compare: the answer has no status");
}

/* A renamed file counts under both its names. */
static const char *const *read_files(const json_t *list, struct arena *arena, bool *complete)
{
	size_t count = json_array_size(list), used = 0, i;
	const char **files = arena_alloc(arena, (2 * count + 1) * sizeof *files);
	const json_t *file;

	json_array_foreach(list, i, file)
	{
		const char *name = json_text(file, "filename");
		const char *before = json_text(file, "previous_filename");

		if (name)
			files[used++] = arena_strdup(arena, name);
		if (before)
			files[used++] = arena_strdup(arena, before);
	}
	*complete = json_is_array(list) && count < COMPARE_FILES;
	return files;
}

int github_compare(struct github *github, const char *repository, const char *base,
		   const char *head, struct arena *arena, enum github_relation *relation,
		   const char *const **files, bool *complete, struct err *err)
{
	autofree char *path = NULL, *what = NULL;
	json_auto json_t *answer = NULL;
	struct call call = {.method = "GET", .limit = COMPARE_BYTES};

	assert(text_is_commit(base) && text_is_commit(head));
	path = xprintf("/repos/%s/compare/%s...%s?per_page=1", repository, base, head);
	what = xprintf("compare %.12s with %.12s of %s", base, head, repository);
	call.path = path;
	call.what = what;
	if (call_json(github, repository, &call, &answer, err) < 0
	    || read_relation(answer, relation, err) < 0)
		return -1;
	*files = read_files(json_object_get(answer, "files"), arena, complete);
	return 0;
}

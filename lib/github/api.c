#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "github/api_within.h"
#include "github/link.h"
#include "net/url.h"

#define SHA_TYPE        "application/vnd.github.sha"
#define COMPARE_FILES   300 /* GitHub lists no more than these */
#define TARBALL_SECONDS 600
#define TARBALL_BYTES   (INT64_C(2) * 1024 * 1024 * 1024)
#define COMPARE_BYTES   (INT64_C(64) * 1024 * 1024)
#define ANSWER_BYTES    (INT64_C(64) * 1024 * 1024) /* a delivery has up to 25 MB */

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

void github_free(struct github *github)
{
	if (!github)
		return;
	github_log_out(github);
	crypto_wipe_text(github->token);
	crypto_wipe_text(github->app_key);
	free(github->token);
	free(github->app_key);
	free(github->app_id);
	free(github->api);
	free(github);
}

void github_be_patient(struct github *github, const struct github_patience *patience)
{
	github->patience = patience ? *patience : (struct github_patience){0};
}

int64_t github_retry_after(const struct github *github)
{
	return github->retry_after;
}

bool github_is_app(const struct github *github)
{
	return !github->token && github->app_id && github->app_key;
}

bool github_has_login(const struct github *github)
{
	return github->token || github_is_app(github);
}

void github_answer_free(struct github_answer *answer)
{
	json_decref(answer->json);
	free(answer->etag);
	free(answer->next);
	*answer = (struct github_answer){0};
}

/* A page's URL comes with an answer: our login goes nowhere but to the API. */
static const char *path_of(const struct github *github, const char *path, struct err *err)
{
	size_t size = strlen(github->api);

	if (*path == '/')
		return path;
	if (text_starts(path, github->api) && path[size] == '/')
		return path + size;
	err_set(err, ERR_REMOTE, 0, "github: the next page is at '%.200s', expected it below %s",
		path, github->api);
	return NULL;
}

static void read_headers(const struct http_response *response, struct github_answer *out)
{
	const char *etag = http_response_header(response, "etag");

	out->status = response->status;
	out->etag = xstrdup(etag);
	out->next = link_find(http_response_header(response, "link"), "next");
}

int github_send(struct github *github, const struct github_call *call, struct github_answer *out,
		struct err *err)
{
	autofree char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
	struct http_response response = {0};
	struct ask ask = {.method = call->method,
			  .path = path_of(github, call->path, err),
			  .body = body,
			  .etag = call->etag,
			  .what = call->what,
			  .limit = ANSWER_BYTES};
	int rc;

	*out = (struct github_answer){0};
	if (!ask.path)
		return -1;

	rc = call->as_app ? github_exchange_as_app(github, &ask, &response, err)
			  : github_exchange_as(github, call->repository, &ask, &response, err);
	out->retry_after = github->retry_after;
	if (rc == 0)
		read_headers(&response, out);
	if (rc == 0 && (response.status == 304 || response.body.size == 0)) {
		http_response_free(&response);
		return 0;
	}
	return github_read_json(&ask, rc, &response, &out->json, err);
}

static int call_json(struct github *github, const char *repository, const struct ask *ask,
		     json_t **out, struct err *err)
{
	struct http_response response = {0};
	int rc = github_exchange_as(github, repository, ask, &response, err);

	return github_read_json(ask, rc, &response, out, err);
}

int github_get(struct github *github, const char *repository, const char *path, json_t **out,
	       struct err *err)
{
	autofree char *what = xprintf("get %.200s", path);
	const struct ask ask = {.method = "GET", .path = path, .what = what};

	*out = NULL;
	return call_json(github, repository, &ask, out, err);
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
	struct ask ask = {.method = "GET", .accept = SHA_TYPE, .limit = 4096};
	int rc;

	*commit = NULL;
	if (!text_is_ref(ref))
		return err_set(err, ERR_USAGE, 0, "github: '%.100s' is not a ref", ref);
	path = commit_path(repository, ref);
	what = xprintf("look up %s of %s", ref, repository);
	ask.path = path;
	ask.what = what;
	rc = github_exchange_as(github, repository, &ask, &response, err);
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
	const struct ask ask = {
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
	rc = github_exchange_as(github, repository, &ask, &response, err);
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
	struct ask ask = {.method = "GET", .limit = COMPARE_BYTES};

	assert(text_is_commit(base) && text_is_commit(head));
	path = xprintf("/repos/%s/compare/%s...%s?per_page=1", repository, base, head);
	what = xprintf("compare %.12s with %.12s of %s", base, head, repository);
	ask.path = path;
	ask.what = what;
	if (call_json(github, repository, &ask, &answer, err) < 0
	    || read_relation(answer, relation, err) < 0)
		return -1;
	*files = read_files(json_object_get(answer, "files"), arena, complete);
	return 0;
}

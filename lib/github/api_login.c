#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "github/api_within.h"
#include "net/jwt.h"

/* An installation's token lives an hour; it is renewed this long before its end. */
#define RENEW_SECONDS 300
#define LIFE_SECONDS  3600

static void session_free(struct session *session)
{
	crypto_wipe_text(session->token);
	free(session->token);
	free(session->repository);
	free(session);
}

static int exchange_json(struct github *github, const struct ask *ask, const char *authorization,
			 json_t **out, struct err *err)
{
	struct http_response response = {0};
	int rc = github_exchange(github, ask, authorization, &response, err);

	return github_read_json(ask, rc, &response, out, err);
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
	const struct ask ask = {.method = "GET", .path = path, .what = what};
	json_auto json_t *answer = NULL;

	if (exchange_json(github, &ask, authorization, &answer, err) < 0)
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
	struct ask ask = {.method = "POST", .repeat = true};

	if (find_installation(github, repository, authorization, &id, err) < 0)
		return -1;
	path = xprintf("/app/installations/%" PRId64 "/access_tokens", id);
	body = xprintf("{\"repositories\":[\"%s\"]}", strchr(repository, '/') + 1);
	what = xprintf("log in for %s", repository);
	ask.path = path;
	ask.body = body;
	ask.what = what;
	return exchange_json(github, &ask, authorization, answer, err);
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
	if (!github_is_app(github))
		return 0;
	if (!repository)
		return err_set(err, ERR_USAGE, 0,
			       "github: an App logs in for a repository, and none is named");
	session = session_find(github, repository, fresh, err);
	if (!session)
		return -1;
	*out = xprintf("Bearer %s", session->token);
	return 0;
}

/* A 401 for a remembered installation token: it was revoked, or GitHub's clock is ahead. Once more
 * with a new one. */
int github_exchange_as(struct github *github, const char *repository, const struct ask *ask,
		       struct http_response *response, struct err *err)
{
	int rc = -1;

	for (int fresh = 0; fresh < 2; fresh++) {
		char *authorization;

		if (authorize(github, repository, fresh, &authorization, err) < 0)
			return -1;
		rc = github_exchange(github, ask, authorization, response, err);
		crypto_wipe_text(authorization);
		free(authorization);
		if (rc == 0 || response->status != 401 || err->code != 401 || github->token
		    || !github->app_id)
			break;
	}
	return rc;
}

int github_exchange_as_app(struct github *github, const struct ask *ask,
			   struct http_response *response, struct err *err)
{
	autofree char *authorization = NULL;
	int rc;

	if (!github_is_app(github))
		return err_set(err, ERR_AUTH, 0, "github: %s: only an App may, and none is set up",
			       ask->what);
	if (app_authorization(github, &authorization, err) < 0)
		return -1;
	rc = github_exchange(github, ask, authorization, response, err);
	crypto_wipe_text(authorization);
	return rc;
}

void github_log_out(struct github *github)
{
	while (github->sessions) {
		struct session *next = github->sessions->next;

		session_free(github->sessions);
		github->sessions = next;
	}
}

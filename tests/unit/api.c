#include "github/api.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"
#include "script.h"
#include "tap.h"

#define A "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
#define B "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"

/* A clock that a sleep moves. */
struct hand {
	struct clock clock;
	int64_t now, slept;
};

static int64_t hand_now(struct clock *clock)
{
	return ((struct hand *)clock)->now;
}

static int64_t hand_ticks(struct clock *clock)
{
	return ((struct hand *)clock)->now * 1000;
}

static void hand_sleep(struct clock *clock, int64_t milliseconds)
{
	struct hand *hand = (struct hand *)clock;

	hand->slept += milliseconds;
	hand->now += milliseconds / 1000;
}

static struct hand hand = {{hand_now, hand_ticks, hand_sleep}, 1795527900, 0};

static struct script script = {.http = {.send = script_send}};
static struct err err;

static struct github *begin(const struct line *lines, size_t count, const char *token)
{
	const struct github_login login = {.api = "https://api.github.com/", .token = token};

	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = count};
	hand.slept = 0;
	err = (struct err)ERR_INIT;
	return github_new(&login, &script.http, &hand.clock);
}

#define BEGIN(lines, token) begin(lines, sizeof lines / sizeof lines[0], token)

static void played(const char *name)
{
	ok(script.at == script.count && !script.wrong, name);
}

static void test_get(void)
{
	static const struct line lines[] = {
		{"GET", "api.github.com/repos/acme/shop/x", 200, "{\"a\":\"b\"}", NULL, NULL},
		{"GET", "/missing", 404, "{\"message\":\"Not\\nFound\"}", NULL, NULL},
		{"GET", "/bad", 401, "{\"message\":\"Bad credentials\"}", NULL, NULL},
		{"GET", "/no", 403, "{\"message\":\"Resource not accessible\"}", NULL, NULL},
		{"GET", "/text", 200, "hello", NULL, NULL},
		{"GET", "/odd", 302, "", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines, "ghp_x");
	json_auto json_t *json = NULL;

	same_int(github_get(github, "acme/shop", "/repos/acme/shop/x", &json, &err), 0, "get");
	same_str(json_text(json, "a"), "b", "get: the answer");
	same_str(script.authorization, "Bearer ghp_x", "get: Authorization");
	same_str(script.accept, "application/vnd.github+json", "get: Accept");
	same_str(script.version, "2022-11-28", "get: X-GitHub-Api-Version");
	ok(*script.agent, "get: User-Agent");
	json_decref(json);
	json = NULL;
	ok(github_get(github, "acme/shop", "/missing", &json, &err) < 0 && err.kind == ERR_ABSENT
		   && !strchr(err.text, '\n'),
	   "404 is absent, on one line");
	ok(strstr(err.text, "Not Found") != NULL, "404: GitHub's own words");
	ok(github_get(github, "acme/shop", "/bad", &json, &err) < 0 && err.kind == ERR_AUTH,
	   "401 is about who we are, and isn't tried again with the same token");
	ok(github_get(github, "acme/shop", "/no", &json, &err) < 0 && err.kind == ERR_AUTH,
	   "403 without a sign of a limit is about what we may do");
	ok(github_get(github, "acme/shop", "/text", &json, &err) < 0 && err.kind == ERR_REMOTE,
	   "an answer that isn't JSON");
	ok(github_get(github, "acme/shop", "/odd", &json, &err) < 0 && err.kind == ERR_REMOTE,
	   "a status that nobody expects");
	same_int(hand.slept, 0, "none of these waits");
	played("get: all calls were made");
}

static void test_again(void)
{
	static const struct line lines[] = {
		{"GET", "/a", 502, "<html>", NULL, NULL}, {"GET", "/a", 0, NULL, NULL, NULL},
		{"GET", "/a", 200, "{}", NULL, NULL},     {"GET", "/b", 500, "", NULL, NULL},
		{"GET", "/b", 500, "", NULL, NULL},       {"GET", "/b", 500, "", NULL, NULL},
		{"GET", "/b", 503, "", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines, NULL);
	json_auto json_t *json = NULL;

	same_int(github_get(github, "acme/shop", "/a", &json, &err), 0,
		 "5xx and a lost connection are tried again");
	same_int(hand.slept, 3000, "with growing pauses");
	same_str(script.authorization, "", "anonymous: no Authorization");
	json_decref(json);
	json = NULL;
	ok(github_get(github, "acme/shop", "/b", &json, &err) < 0 && err.kind == ERR_TRANSIENT
		   && err.code == 503,
	   "5xx for ever is transient");
	played("again: all calls were made");
}

static void test_limits(void)
{
	static const struct line lines[] = {
		{"GET", "/a", 429, "{}", "Retry-After", "7"},
		{"GET", "/a", 200, "{}", NULL, NULL},
		{"GET", "/b", 403, "{\"message\":\"You have exceeded a secondary rate limit\"}",
		 NULL, NULL},
		{"GET", "/b", 200, "{}", NULL, NULL},
		{"GET", "/c", 403, "{}", "Retry-After", "3600"},
		{"GET", "/d", 403, "{}", "X-RateLimit-Remaining", "0"},
		{"GET", "/d", 200, "{}", NULL, NULL},
		{"GET", "/e", 403, "{}", "Retry-After", "1"},
		{"GET", "/e", 403, "{}", "Retry-After", "1"},
		{"GET", "/e", 403, "{}", "Retry-After", "1"},
		{"GET", "/e", 403, "{}", "Retry-After", "1"},
		{"GET", "/f", 429, "{}", "Retry-After", "9999999999999999999999"},
		{"GET", "/f", 429, "{}", "Retry-After", "-1"},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines, "t");
	json_t *json = NULL;
	int64_t before;

	same_int(github_get(github, "acme/shop", "/a", &json, &err), 0, "429, then well");
	same_int(hand.slept, 7000, "waits as long as Retry-After says");
	json_decref(json);
	before = hand.slept;
	same_int(github_get(github, "acme/shop", "/b", &json, &err), 0,
		 "secondary limit, then well");
	same_int(hand.slept - before, 60000, "a secondary limit that names no time: a minute");
	json_decref(json);
	before = hand.slept;
	ok(github_get(github, "acme/shop", "/c", &json, &err) < 0 && err.kind == ERR_LIMIT
		   && strstr(err.text, "3600"),
	   "an hour's wait is the caller's: the message says how long");
	same_int(hand.slept, before, "and isn't waited for");
	same_int(github_get(github, "acme/shop", "/d", &json, &err), 0, "remaining 0, then well");
	json_decref(json);
	ok(github_get(github, "acme/shop", "/e", &json, &err) < 0 && err.kind == ERR_LIMIT,
	   "a limit without end: given up");
	ok(github_get(github, "acme/shop", "/f", &json, &err) < 0 && err.kind == ERR_LIMIT,
	   "an absurd Retry-After");
	ok(hand.slept < 600000, "bounded in all");
}

static char *make_key(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long size;

	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	size = BIO_get_mem_data(bio, &text);
	copy = xmemdup(text, (size_t)size + 1);
	copy[size] = '\0';
	BIO_free(bio);
	EVP_PKEY_free(key);
	return copy;
}

/* The claims within "Bearer <header>.<claims>.<signature>". */
static json_t *claims_of(const char *authorization)
{
	autofree char *copy = xstrdup(authorization + strlen("Bearer ")), *bytes = NULL;
	char *claims = strchr(copy, '.') + 1;
	size_t size;

	*strchr(claims, '.') = '\0';
	bytes = base64_decode(claims, &size);
	return json_loadb(bytes, size, 0, NULL);
}

static const char *expires(int64_t in)
{
	static char text[200];
	char when[CLOCK_TEXT_SIZE];

	clock_text(hand.now + in, when);
	snprintf(text, sizeof text,
		 "{\"token\":\"ghs_1_aaaaaaaa.bbb-ccc_ddd\",\"expires_at\":\"%s\"}", when);
	return text;
}

static void test_app(void)
{
	struct line lines[] = {
		{"GET", "/repos/acme/shop/installation", 200, "{\"id\":77}", NULL, NULL},
		{"POST", "/app/installations/77/access_tokens", 201, expires(3600), NULL, NULL},
		{"GET", "/a", 200, "{}", NULL, NULL},
		{"GET", "/a", 200, "{}", NULL, NULL},
		/* five minutes before its end */
		{"GET", "/repos/acme/shop/installation", 200, "{\"id\":77}", NULL, NULL},
		{"POST", "/app/installations/77/access_tokens", 201,
		 "{\"token\":\"second\",\"expires_at\":\"2099-01-01T00:00:00Z\"}", NULL, NULL},
		{"GET", "/a", 200, "{}", NULL, NULL},
		/* revoked */
		{"GET", "/a", 401, "{}", NULL, NULL},
		{"GET", "/repos/acme/shop/installation", 200, "{\"id\":77}", NULL, NULL},
		{"POST", "/app/installations/77/access_tokens", 201, "{\"token\":\"third\"}", NULL,
		 NULL},
		{"GET", "/a", 200, "{}", NULL, NULL},
		/* another repository has a login of its own */
		{"GET", "/repos/acme/other/installation", 404, "{}", NULL, NULL},
		{"GET", "/repos/acme/other/installation", 200, "{}", NULL, NULL},
	};
	autofree char *key = make_key();
	const struct github_login login = {
		.api = "https://api.github.com", .app_id = "Iv1.x", .app_key = key};
	cleanup(github_freep) struct github *github = NULL;
	json_t *json = NULL;

	script = (struct script){.http = {.send = script_send}, .lines = lines};
	script.count = sizeof lines / sizeof lines[0];
	github = github_new(&login, &script.http, &hand.clock);
	same_int(github_get(github, "acme/shop", "/a", &json, &err), 0, "App: log in and call");
	same_str(script.authorization, "Bearer ghs_1_aaaaaaaa.bbb-ccc_ddd",
		 "App: the token is opaque");
	json_decref(json);
	same_int(github_get(github, "acme/shop", "/a", &json, &err), 0, "App: the login is kept");
	json_decref(json);
	hand.now += 3301;
	same_int(github_get(github, "acme/shop", "/a", &json, &err), 0,
		 "App: and renewed five minutes before its end");
	same_str(script.authorization, "Bearer second", "App: with the new token");
	json_decref(json);
	same_int(github_get(github, "acme/shop", "/a", &json, &err), 0,
		 "App: a token that was revoked is replaced at once");
	same_str(script.authorization, "Bearer third", "App: with the third token");
	json_decref(json);
	ok(github_get(github, "acme/other", "/a", &json, &err) < 0 && err.kind == ERR_ABSENT
		   && strstr(err.text, "acme/other"),
	   "App: not installed there");
	ok(github_get(github, "acme/other", "/a", &json, &err) < 0 && err.kind == ERR_REMOTE,
	   "App: an installation without an id");
	played("App: all calls were made");
}

static void test_jwt(void)
{
	static const struct line lines[] = {
		{"GET", "/repos/acme/shop/installation", 403, "{}", NULL, NULL}};
	autofree char *key = make_key();
	const struct github_login login = {
		.api = "https://api.github.com", .app_id = "Iv1.x", .app_key = key};
	cleanup(github_freep) struct github *github = NULL;
	json_auto json_t *claims = NULL;
	json_t *json = NULL;

	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = 1};
	github = github_new(&login, &script.http, &hand.clock);
	ok(github_get(github, "acme/shop", "/a", &json, &err) < 0, "JWT: refused");
	claims = claims_of(script.authorization);
	same_str(json_text(claims, "iss"), "Iv1.x", "JWT: iss");
	same_int(json_integer_at(claims, "iat", 0), hand.now - 60, "JWT: iat a minute ago");
	same_int(json_integer_at(claims, "exp", 0), hand.now + 540, "JWT: exp in nine minutes");
}

static void test_base(void)
{
	static const struct {
		const char *api, *name;
		bool good;
	} bases[] = {
		{"https://github.example/api/v3", "https, with a path", true},
		{"http://127.0.0.1:8000", "http to loopback", true},
		{"http://[::1]:8000", "http to loopback, IPv6", true},
		{"http://api.github.com", "http to elsewhere", false},
		{"http://127.0.0.1.example", "http to a name that looks like loopback", false},
		{"ftp://localhost", "another scheme", false},
		{"api.github.com", "no scheme", false},
	};
	static const struct line lines[] = {{"GET", "/a", 200, "{}", NULL, NULL}};

	for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
		const struct github_login login = {.api = bases[i].api, .token = "t"};
		cleanup(github_freep) struct github *github =
			github_new(&login, &script.http, &hand.clock);
		json_auto json_t *json = NULL;
		char name[100];
		int rc;

		script = (struct script){.http = {.send = script_send}, .lines = lines, .count = 1};
		rc = github_get(github, "acme/shop", "/a", &json, &err);
		snprintf(name, sizeof name, "api: %s", bases[i].name);
		ok(bases[i].good ? rc == 0 && script.at == 1
				 : rc < 0 && err.kind == ERR_USAGE && script.at == 0,
		   name);
	}
}

static void test_resolve(void)
{
	static const struct line lines[] = {
		{"GET", "/repos/acme/shop/commits/heads/a%23b/c", 200, A, NULL, NULL},
		{"GET", "/repos/acme/shop/commits/tags/v1", 422, "{\"message\":\"No commit\"}",
		 NULL, NULL},
		{"GET", "/repos/acme/shop/commits/main", 200, "<html>", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines, "t");
	autofree char *commit = NULL;

	same_int(github_resolve(github, "acme/shop", "refs/heads/a#b/c", &commit, &err), 0,
		 "resolve a branch");
	same_str(commit, A, "resolve: the commit");
	same_str(script.accept, "application/vnd.github.sha", "resolve: Accept");
	free(take(commit));
	ok(github_resolve(github, "acme/shop", "refs/tags/v1", &commit, &err) < 0
		   && err.kind == ERR_ABSENT,
	   "resolve: no such tag");
	ok(github_resolve(github, "acme/shop", "main", &commit, &err) < 0 && err.kind == ERR_REMOTE,
	   "resolve: no commit id in the answer");
	ok(github_resolve(github, "acme/shop", "../../user", &commit, &err) < 0
		   && err.kind == ERR_USAGE,
	   "resolve: not a ref");
	played("resolve: all calls were made");
}

static void test_tarball(void)
{
	static const struct line lines[] = {
		{"GET", "/repos/acme/shop/tarball/" A, 502, "half", NULL, NULL},
		{"GET", "/repos/acme/shop/tarball/" A, 200, "whole", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines, "t");
	char path[] = "/tmp/slipway-api-XXXXXX", text[20] = "";
	int fd = mkstemp(path);

	unlink(path);
	if (write(fd, "rubbish of an earlier try", 25) < 0)
		bail_out("write");
	same_int(github_tarball(github, "acme/shop", A, fd, &err), 0, "tarball");
	ok(pread(fd, text, sizeof text - 1, 0) == 5 && text_same(text, "whole"),
	   "tarball: nothing of an earlier try is left");
	close(fd);
}

static void test_compare(void)
{
	static const struct line lines[] = {
		{"GET", "/repos/acme/shop/compare/" A "..." B "?per_page=1", 200,
		 "{\"status\":\"ahead\",\"files\":[{\"filename\":\"a\"},"
		 "{\"filename\":\"c\",\"previous_filename\":\"b\"}]}",
		 NULL, NULL},
		{"GET", "?per_page=1", 200, "{\"status\":\"behind\"}", NULL, NULL},
		{"GET", "?per_page=1", 200, "{\"status\":\"sideways\"}", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines, "t");
	cleanup(arena_freep) struct arena *arena = arena_new();
	enum github_relation relation;
	const char *const *files;
	bool complete;

	same_int(github_compare(github, "acme/shop", A, B, arena, &relation, &files, &complete,
				&err),
		 0, "compare");
	ok(relation == GITHUB_AHEAD && complete, "compare: ahead");
	ok(text_same(files[0], "a") && text_same(files[1], "c") && text_same(files[2], "b")
		   && !files[3],
	   "compare: the files, renamed ones under both names");
	same_int(github_compare(github, "acme/shop", A, B, arena, &relation, &files, &complete,
				&err),
		 0, "compare: behind");
	ok(relation == GITHUB_BEHIND && !complete, "compare: no list of files");
	ok(github_compare(github, "acme/shop", A, B, arena, &relation, &files, &complete, &err) < 0
		   && err.kind == ERR_REMOTE,
	   "compare: an answer that we don't understand");
}

int main(void)
{
	test_get();
	test_again();
	test_limits();
	test_app();
	test_jwt();
	test_base();
	test_resolve();
	test_tarball();
	test_compare();
	github_free(NULL);
	return tap_done();
}

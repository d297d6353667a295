#include "github/oidc.h"

#include "hand.h"
#include "script.h"
#include "tap.h"

#define URL   "https://pipelines.example/id?api-version=2.0"
#define TOKEN "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl-_"
#define GOOD  "{\"value\":\"" TOKEN "\"}"

static struct hand hand = HAND_INIT;
static struct script script;
static struct err err;
static char masked[200];
static int ticks_left;

static void mask(void *self, const char *secret)
{
	(void)self;
	snprintf(masked, sizeof masked, "%s", secret);
}

static int tick(void *self)
{
	(void)self;
	return ticks_left-- <= 0;
}

static struct oidc begin(const struct line *lines, size_t count)
{
	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = count};
	hand.slept = 0;
	err = (struct err)ERR_INIT;
	masked[0] = '\0';
	return (struct oidc){.url = URL,
			     .token = "request-token",
			     .http = &script.http,
			     .clock = &hand.clock,
			     .mask = mask};
}

#define BEGIN(lines) begin(lines, sizeof lines / sizeof lines[0])

static void test_good(void)
{
	static const struct line lines[] = {
		{"GET", "id?api-version=2.0&audience=sts.amazonaws.com%2Fa%20b%3Ac", 200, GOOD,
		 NULL, NULL},
		{"GET", "id?audience=x", 200, GOOD, NULL, NULL},
		{"GET", "id?api-version=2.0", 200, GOOD, NULL, NULL},
	};
	struct oidc oidc = BEGIN(lines);
	char *token;

	same_int(oidc_token(&oidc, "sts.amazonaws.com/a b:c", &token, &err), 0, "a token");
	same_str(token, TOKEN, "its value");
	same_str(masked, TOKEN, "and it was masked");
	same_str(script.authorization, "Bearer request-token", "Authorization");
	free(token);
	oidc.url = "https://pipelines.example/id";
	same_int(oidc_token(&oidc, "x", &token, &err), 0, "a URL without a query");
	free(token);
	oidc.url = URL;
	same_int(oidc_token(&oidc, NULL, &token, &err), 0, "GitHub's own audience");
	free(token);
	ok(script.at == script.count && !script.wrong, "all calls were made");
}

static void test_missing(void)
{
	struct oidc oidc = begin(NULL, 0);
	char *token;

	oidc.url = "";
	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == ERR_AUTH
		   && strstr(err.text, "permissions: {id-token: write"),
	   "no URL: what to write into the workflow");
	oidc.fork = true;
	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == ERR_AUTH
		   && strstr(err.text, "fork"),
	   "a fork never gets one");
	oidc.url = "http://pipelines.example/id";
	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == ERR_USAGE,
	   "the request's token doesn't travel in the clear");
}

static void test_again(void)
{
	static const struct line lines[] = {
		{"GET", "x", 503, "", NULL, NULL},         {"GET", "x", 502, "", NULL, NULL},
		{"GET", "x", 504, "", NULL, NULL},         {"GET", "x", 0, NULL, NULL, NULL},
		{"GET", "x", 429, "", "Retry-After", "2"}, {"GET", "x", 200, GOOD, NULL, NULL},
	};
	struct oidc oidc = BEGIN(lines);
	char *token;

	same_int(oidc_token(&oidc, "x", &token, &err), 0, "tried again until it is there");
	free(token);
	same_int(hand.slept, 5 + 10 + 20 + 800 + 2000,
		 "with the toolkit's pauses, and Retry-After");
}

static void test_never(void)
{
	static const struct line lines[] = {
		{"GET", "x", 503, "", NULL, NULL}, {"GET", "x", 503, "", NULL, NULL},
		{"GET", "x", 503, "", NULL, NULL}, {"GET", "x", 503, "", NULL, NULL},
		{"GET", "x", 503, "", NULL, NULL}, {"GET", "x", 503, "", NULL, NULL},
		{"GET", "x", 503, "", NULL, NULL}, {"GET", "x", 503, "", NULL, NULL},
		{"GET", "x", 503, "", NULL, NULL}, {"GET", "x", 503, "", NULL, NULL},
		{"GET", "x", 503, "", NULL, NULL},
	};
	struct oidc oidc = BEGIN(lines);
	char *token;

	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == ERR_TRANSIENT && !token,
	   "given up in the end");
	same_int((int64_t)script.at, 11, "after ten retries");
}

static void refuses(const struct line *line, enum err_kind kind, const char *name)
{
	struct oidc oidc = begin(line, 1);
	char *token;

	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == kind && !token, name);
	ok(!strchr(err.text, '\n') && !strstr(err.text, TOKEN), "in one line, without a token");
}

static void test_refused(void)
{
	static const struct line lines[] = {
		{"GET", "x", 401, "{\"message\":\"a\\nb\"}", NULL, NULL},
		{"GET", "x", 403, "", NULL, NULL},
		{"GET", "x", 404, "", NULL, NULL},
		{"GET", "x", 500, "", NULL, NULL},
		{"GET", "x", 200, "{}", NULL, NULL},
		{"GET", "x", 200, "<html>", NULL, NULL},
		{"GET", "x", 200, "{\"value\":7}", NULL, NULL},
		{"GET", "x", 200, "{\"value\":\"\"}", NULL, NULL},
	};
	static const struct line odd = {"GET", "x", 200, "{\"value\":\"a\\r\\nb: c\"}", NULL, NULL};

	refuses(&lines[0], ERR_AUTH, "401");
	refuses(&lines[1], ERR_AUTH, "403");
	refuses(&lines[2], ERR_REMOTE, "404");
	refuses(&lines[3], ERR_TRANSIENT, "500 isn't tried again, as the toolkit doesn't");
	for (int i = 4; i < 8; i++)
		refuses(&lines[i], ERR_REMOTE, "an answer without a token");
	refuses(&odd, ERR_REMOTE, "what can't stand in a header is no token");
	same_str(masked, "a\r\nb: c", "but is masked");
}

static void test_stop(void)
{
	static const struct line lines[] = {{"GET", "x", 429, "", "Retry-After", "50"}};
	struct oidc oidc = BEGIN(lines);
	char *token;

	oidc.tick = tick;
	ticks_left = 3;
	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == ERR_CANCELLED,
	   "somebody breaks it off");
	ok(hand.slept < 3000, "soon");
	oidc = BEGIN(lines);
	oidc.deadline = clock_ticks(&hand.clock) + 4000;
	ok(oidc_token(&oidc, "x", &token, &err) < 0 && err.kind == ERR_TRANSIENT,
	   "or the time is over");
	ok(hand.slept <= 4500, "as it should be");
}

int main(void)
{
	test_good();
	test_missing();
	test_again();
	test_never();
	test_refused();
	test_stop();
	return tap_done();
}

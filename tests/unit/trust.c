/* Whose code may deploy. */
#include "action/trust.h"

#include "base/json.h"
#include "tap.h"

static struct arena *arena;

static const char *stranger(const char *event, const char *payload)
{
	json_auto json_t *json = payload ? json_loads(payload, 0, NULL) : NULL;
	const struct trust trust = {.event = event, .repository = "acme/shop", .payload = json};

	return trust_stranger(&trust, arena);
}

static void test_strangers(void)
{
	ok(!stranger("push", "{\"ref\":\"refs/heads/main\"}"), "a push is ours");
	ok(!stranger(NULL, NULL), "by hand, too");
	ok(!stranger("pull_request",
		     "{\"pull_request\":{\"head\":{\"repo\":{\"full_name\":\"Acme/Shop\"}}}}"),
	   "a pull request from a branch of ours");
	same_str(stranger("pull_request",
			  "{\"pull_request\":{\"head\":{\"repo\":{\"full_name\":\"eve/shop\"}}}}"),
		 "a pull request from the fork eve/shop", "not from a fork");
	same_str(stranger("pull_request", "{\"pull_request\":{\"head\":{\"repo\":null}}}"),
		 "a pull request from the fork (deleted)", "nor from one that is gone");
	ok(stranger("pull_request_target",
		    "{\"pull_request\":{\"head\":{\"repo\":{\"full_name\":\"acme/shop\"}}}}")
		   != NULL,
	   "pull_request_target never");
	ok(stranger("workflow_run",
		    "{\"workflow_run\":{\"head_repository\":{\"full_name\":\"eve/shop\"}}}")
		   != NULL,
	   "nor what a fork's workflow started");
	ok(!stranger("workflow_run",
		     "{\"workflow_run\":{\"head_repository\":{\"full_name\":\"acme/shop\"}}}"),
	   "our own may");
	ok(stranger("pull_request", NULL) != NULL, "a pull request that can't be seen");
}

static void test_check(void)
{
	json_auto json_t *json = json_loads(
		"{\"pull_request\":{\"head\":{\"repo\":{\"full_name\":\"eve/shop\"}},\"base\":{"
		"\"sha\":\"1111111111111111111111111111111111111111\"}}}",
		0, NULL);
	struct trust trust = {
		.event = "pull_request_target", .repository = "acme/shop", .payload = json};
	struct err err = ERR_INIT;
	const char *base = "?";

	ok(trust_check(&trust, arena, &base, &err) < 0 && err.kind == ERR_USAGE,
	   "a stranger's code is refused");
	ok(strstr(err.text, "'allow-forks: true'") != NULL, "and it says what to do");
	trust.allow = true;
	ok(trust_check(&trust, arena, &base, &err) == 0, "unless it is allowed");
	same_str(base, "1111111111111111111111111111111111111111",
		 "with the project file of the base");
	trust.event = "push";
	trust.payload = NULL;
	ok(trust_check(&trust, arena, &base, &err) == 0 && !base, "ours needs none");
}

/* The API, as a script. */
static const char *answer;
static char *asked;

static int fake_send(struct http *http, const struct http_request *request,
		     struct http_response *response, struct err *err)
{
	(void)http, (void)err;
	free(asked);
	asked = xstrdup(request->url);
	response->status = answer ? 200 : 404;
	buf_adds(&response->body, answer ? answer : "{}");
	return 0;
}

static void fake_free(struct http *http)
{
	(void)http;
}

static int read_config(const char *path, const char **text, struct err *err)
{
	struct http http = {fake_send, fake_free};
	const struct github_login login = {.api = "https://api.github.com", .token = "t"};
	cleanup(github_freep) struct github *github = github_new(&login, &http, &clock_system);

	return trust_config(github, "acme/shop", path, "main", arena, text, err);
}

static void test_config(void)
{
	struct err err = ERR_INIT;
	const char *text = NULL;

	answer = "{\"encoding\":\"base64\",\"content\":\"dmVyc2lv\\nbjogMQo=\\n\"}";
	ok(read_config("apps/slipway.yml", &text, &err) == 0, "the base's project file");
	same_str(text, "version: 1\n", "its text");
	same_str(asked, "https://api.github.com/repos/acme/shop/contents/apps/slipway.yml?ref=main",
		 "asked for at the base");
	ok(read_config("../slipway.yml", &text, &err) < 0 && err.kind == ERR_USAGE,
	   "a path that leaves the repository");
	ok(read_config("a.yml?ref=evil", &text, &err) < 0, "or changes the question");
	answer = NULL;
	ok(read_config("slipway.yml", &text, &err) < 0 && err.kind == ERR_USAGE, "none there");
	answer = "{\"encoding\":\"none\",\"content\":\"\"}";
	ok(read_config("slipway.yml", &text, &err) < 0, "one that GitHub doesn't send");
}

int main(void)
{
	arena = arena_new();
	test_strangers();
	test_check();
	test_config();
	free(asked);
	arena_free(arena);
	return tap_done();
}

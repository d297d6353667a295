/* The API against the real store: every call, and every error as a problem document. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "service/api.h"
#include "service/vitals.h"
#include "tap.h"
#include "wire.h"

#define COMMIT  "0123456789abcdef0123456789abcdef01234567"
#define COMMIT2 "89abcdef0123456789abcdef0123456789abcdef"
#define OPS     "Authorization: Bearer ops-token\r\n"
#define VIEWER  "Authorization: Bearer viewer-token\r\n"
#define SHOP    "\"repository\":\"acme/shop\",\"service\":\"shop\",\"environment\":\"production\""

struct rig {
	char folder[64], url[128];
	struct settings settings;
	struct auth *auth;
	struct store_pool *stores;
	struct metrics *metrics;
	struct api *api;
	struct vitals *vitals;
	struct route routes[API_ROUTES + VITALS_ROUTES];
	struct server *server;
	struct store *store; /* the test's own: it plays router and worker */
	int port;
	char out[300000];
	int status;
	json_t *json; /* of the last answer */
};

static const char *const all[] = {"read", "redeploy", "rollback", "metrics", NULL};
static const char *const some[] = {"read", NULL};
static struct settings_token tokens[] = {
	{.name = "ops", .secret = {.text = "ops-token"}, .may = all},
	{.name = "viewer", .secret = {.text = "viewer-token"}, .may = some},
};
static struct settings_repository repositories[] = {{.name = "acme/shop"}};
static struct settings_secret secrets[] = {{.secret = {.text = "s"}}};
static struct settings_hook hooks[] = {
	{.path = "/hooks/github", .secrets = {.items = secrets, .count = 1}},
};

static void rig_start(struct rig *rig)
{
	struct server_options options = {.address = "127.0.0.1:0", .may = auth_may};
	struct err err = ERR_INIT;
	size_t count;

	snprintf(rig->folder, sizeof rig->folder, "/tmp/api-test-XXXXXX");
	if (!mkdtemp(rig->folder))
		bail_out("mkdtemp");
	snprintf(rig->url, sizeof rig->url, "sqlite://%s/slipway.db", rig->folder);
	rig->settings = (struct settings){.tokens = {.items = tokens, .count = 2},
					  .hooks = {.items = hooks, .count = 1},
					  .repositories = {.items = repositories, .count = 1}};
	if (store_open(&rig->store, rig->url, &err) < 0
	    || auth_new(&rig->auth, &rig->settings, &err) < 0)
		bail_out(err.text);
	rig->stores = store_pool_new(rig->url, 4);
	rig->metrics = metrics_new();
	rig->api = api_new(&rig->settings, rig->stores, rig->auth, &clock_system);
	rig->vitals = vitals_new(&rig->settings, rig->stores, rig->metrics, &clock_system);
	count = api_routes(rig->api, rig->routes);
	count += vitals_routes(rig->vitals, rig->routes + count);
	options.self = rig->auth;
	if (server_start(&rig->server, &options, rig->routes, count, NULL, &err) < 0)
		bail_out(err.text);
	rig->port = server_port(rig->server);
}

static void rig_stop(struct rig *rig)
{
	struct err err = ERR_INIT;

	server_stop(rig->server);
	vitals_free(rig->vitals);
	api_free(rig->api);
	metrics_free(rig->metrics);
	store_pool_free(rig->stores);
	auth_free(rig->auth);
	store_free(rig->store);
	json_decref(rig->json);
	if (file_remove_tree(rig->folder, &err) < 0)
		tap_note("%s", err.text);
}

/* One call; its answer's body parsed where it is JSON. */
static int call(struct rig *rig, const char *method, const char *path, const char *headers,
		const char *body)
{
	char text[4096];
	struct err err = ERR_INIT;
	const char *at;

	snprintf(
		text, sizeof text,
		"%s %s HTTP/1.0\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
		method, path, strlen(body), headers, body);
	rig->status = wire_ask(rig->port, text, strlen(text), rig->out, sizeof rig->out);
	json_decref(rig->json);
	rig->json = NULL;
	at = strstr(rig->out, "\r\n\r\n");
	if (at && strstr(rig->out, "json\r\n"))
		(void)!json_parse(&rig->json, at + 4, strlen(at + 4), &err);
	return rig->status;
}

static int get(struct rig *rig, const char *path)
{
	return call(rig, "GET", path, VIEWER, "");
}

/* An error as it should be: status, a problem document, and this in its detail. */
static void is_problem(const struct rig *rig, int status, const char *detail, const char *name)
{
	const char *text = json_text(rig->json, "detail");
	bool fine = rig->status == status && json_integer_at(rig->json, "status", 0) == status
		    && strstr(rig->out, "Content-Type: application/problem+json\r\n")
		    && json_text(rig->json, "type") && json_text(rig->json, "title") && text
		    && strstr(text, detail);

	if (!ok(fine, name))
		tap_note("%s", rig->out);
}

static void record(struct rig *rig, const char *guid, const char *event)
{
	char hex[SHA256_HEX_SIZE];
	struct delivery item = {.guid = guid,
				.hook = "/hooks/github",
				.event = event,
				.type = "application/json",
				.body_sha256 = hex,
				.body = guid,
				.body_fd = -1,
				.size = strlen(guid)};
	struct err err = ERR_INIT;

	sha256_hex(guid, strlen(guid), hex);
	if (rig->store->record(rig->store, &item, 1, 1700000000, &err) < 0)
		bail_out(err.text);
}

static struct instant now(void)
{
	return (struct instant){clock_now(&clock_system), clock_ticks(&clock_system)};
}

static void claim(struct rig *rig, struct claim *out, struct arena *arena)
{
	struct err err = ERR_INIT;

	if (rig->store->claim(rig->store, "w", now(), 60000, out, arena, &err) != 0)
		bail_out("nothing to claim");
}

static void finish(struct rig *rig, const struct claim *claim, enum outcome outcome)
{
	struct result result = {.outcome = outcome,
				.failed = STEP_DONE,
				.progress = {.version = "v1", .url = "http://shop.localhost"}};
	struct err err = ERR_INIT;

	if (rig->store->finish(rig->store, claim, &result, clock_now(&clock_system), &err) != 0)
		bail_out(err.text);
}

static void say(struct rig *rig, const struct claim *claim, const char *text)
{
	struct err err = ERR_INIT;

	if (rig->store->append_log(rig->store, claim, text, strlen(text), &err) != 0)
		bail_out(err.text);
}

static void test_vitals(struct rig *rig)
{
	same_int(call(rig, "GET", "/healthz", "", ""), 200, "/healthz is open");
	ok(strstr(rig->out, "\r\n\r\nok\n"), "and says no more than ok");
	same_int(call(rig, "GET", "/readyz", "", ""), 200, "/readyz is open");
	call(rig, "GET", "/metrics", "", "");
	is_problem(rig, 401, "'metrics'", "/metrics needs its right");
	call(rig, "GET", "/metrics", VIEWER, "");
	is_problem(rig, 403, "'metrics'", "which another token lacks");
	same_int(call(rig, "GET", "/metrics", OPS, ""), 200, "with it");
	ok(strstr(rig->out, "slipway_deliveries{state=\"received\"} 0\n"), "the store is counted");
	ok(strstr(rig->out, "slipway_secret_last_used_timestamp_seconds{hook=\"/hooks/github\","
			    "secret=\"0\"} -1\n"),
	   "and each secret's last use");
}

static void test_rights(struct rig *rig)
{
	static const char *const reading[] = {"/v1/deployments", "/v1/deployments/1",
					      "/v1/deployments/1/log", "/v1/deliveries",
					      "/v1/deliveries/g"};

	for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
		call(rig, "GET", reading[i], "", "");
		is_problem(rig, 401, "'read'", reading[i]);
	}
	ok(strstr(rig->out, "\r\nWWW-Authenticate: Bearer\r\n"), "a 401 says how");
	call(rig, "POST", "/v1/redeploy", VIEWER, "{}");
	is_problem(rig, 403, "'redeploy'", "redeploy needs its right");
	call(rig, "POST", "/v1/rollback", VIEWER, "{}");
	is_problem(rig, 403, "'rollback'", "rollback too");
	call(rig, "POST", "/v1/redeploy", "Authorization: Bearer nobody\r\n", "{}");
	is_problem(rig, 401, "bearer token", "an unknown token is 401");
	call(rig, "DELETE", "/v1/deployments/1", OPS, "");
	is_problem(rig, 405, "takes GET", "another method is 405");
	call(rig, "GET", "/v1/nothing", OPS, "");
	is_problem(rig, 404, "nothing at this path", "an unknown path is 404");
}

static void test_bad_orders(struct rig *rig)
{
	static const struct {
		const char *body, *detail;
		int status;
	} rows[] = {
		{"", "not valid JSON", 400},
		{"{", "not valid JSON", 400},
		{"[]", "not a JSON object", 400},
		{"{}", "'repository' is missing", 400},
		{"{\"repository\":1}", "'repository' is not a text", 400},
		{"{\"repository\":\"shop\"}", "expected owner/name", 400},
		{"{\"repository\":\"acme/shop\",\"service\":\"../x\"}", "'service' is '../x'", 400},
		{"{\"repository\":\"acme/shop\",\"service\":\"shop\"}", "'environment' is missing",
		 400},
		{"{\"repository\":\"acme/shop\",\"servce\":\"shop\"}", "did you mean 'service'?",
		 400},
		{"{" SHOP ",\"version\":\"v1\"}", "no member 'version'", 400},
		{"{" SHOP ",\"commit\":\"main\"}", "expected a whole commit id", 400},
		{"{\"repository\":\"acme/"
		 "other\",\"service\":\"shop\",\"environment\":\"production\"}",
		 "no repository 'acme/other'", 404},
		{"{" SHOP "}", "name a commit", 409},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		call(rig, "POST", "/v1/redeploy", OPS, rows[i].body);
		is_problem(rig, rows[i].status, rows[i].detail, rows[i].detail);
	}
	call(rig, "POST", "/v1/rollback", OPS, "{" SHOP ",\"commit\":\"" COMMIT "\"}");
	is_problem(rig, 400, "no member 'commit'", "rollback takes a version");
	call(rig, "POST", "/v1/redeploy", OPS "Content-Type: text/plain\r\n", "{" SHOP "}");
	is_problem(rig, 415, "expected application/json", "another content type is 415");
	call(rig, "POST", "/v1/redeploy?wait=x", OPS, "{" SHOP "}");
	is_problem(rig, 400, "query parameter wait", "a wait that is no number");
	call(rig, "POST", "/v1/redeploy", OPS "Idempotency-Key: \r\n",
	     "{" SHOP ",\"commit\":\"" COMMIT "\"}");
	is_problem(rig, 400, "Idempotency-Key", "an empty Idempotency-Key");
	same_int(call(rig, "GET", "/v1/deployments", OPS, ""), 200, "none of them");
	same_int((intmax_t)json_array_size(json_object_get(rig->json, "deployments")), 0,
		 "made a deployment");
}

static void test_orders(struct rig *rig)
{
	static const char body[] = "{" SHOP ",\"commit\":\"" COMMIT "\"}";
	static const char other[] = "{" SHOP ",\"commit\":\"" COMMIT2 "\"}";
	int64_t first;

	same_int(call(rig, "POST", "/v1/redeploy", OPS "Idempotency-Key: k1\r\n", body), 202,
		 "a redeploy is taken");
	first = json_integer_at(rig->json, "id", 0);
	ok(first > 0, "with its id");
	same_str(json_text(rig->json, "links.self"), "/v1/deployments/1", "its links");
	ok(strstr(rig->out, "\r\nLocation: /v1/deployments/1\r\n"), "and its place");
	same_str(json_text(rig->json, "state"), "queued", "queued");
	same_str(json_text(rig->json, "cause.token"), "ops", "in the token's name");
	same_int(call(rig, "POST", "/v1/redeploy", OPS "Idempotency-Key: k1\r\n", body), 202,
		 "the same key again");
	same_int(json_integer_at(rig->json, "id", 0), first, "is the same deployment");
	call(rig, "POST", "/v1/redeploy", OPS "Idempotency-Key: k1\r\n", other);
	is_problem(rig, 422, "deployment 1", "the same key for another commit is 422");
	call(rig, "POST", "/v1/rollback", OPS "Idempotency-Key: k1\r\n", "{" SHOP "}");
	is_problem(rig, 409, "nothing to go back to", "a rollback needs an older good version");
	same_int(call(rig, "POST", "/v1/redeploy", OPS, body), 202, "without a key");
	ok(json_integer_at(rig->json, "id", 0) > first, "it is another each time");
	get(rig, "/v1/deployments/1");
	same_str(json_text(rig->json, "state"), "superseded", "the older queued one is superseded");
}

static void test_implicit(struct rig *rig)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct claim claimed;
	int64_t id;

	claim(rig, &claimed, arena);
	finish(rig, &claimed, OUTCOME_LIVE);
	same_int(call(rig, "POST", "/v1/redeploy", OPS "Idempotency-Key: k2\r\n", "{" SHOP "}"),
		 202, "without a commit");
	same_str(json_text(rig->json, "commit"), COMMIT, "it is the live one");
	id = json_integer_at(rig->json, "id", 0);
	claim(rig, &claimed, arena);
	finish(rig, &claimed, OUTCOME_LIVE);
	call(rig, "POST", "/v1/redeploy", OPS, "{" SHOP ",\"commit\":\"" COMMIT2 "\"}");
	claim(rig, &claimed, arena);
	finish(rig, &claimed, OUTCOME_LIVE);
	same_int(call(rig, "POST", "/v1/redeploy", OPS "Idempotency-Key: k2\r\n", "{" SHOP "}"),
		 202, "the same call and key when another is live");
	same_int(json_integer_at(rig->json, "id", 0), id, "is still the same deployment");
	same_int(call(rig, "POST", "/v1/rollback", OPS, "{" SHOP ",\"version\":\"v1\"}"), 202,
		 "a rollback is taken");
	claim(rig, &claimed, arena);
	ok(claimed.order.revive, "as one");
	same_str(claimed.order.version, "v1", "to the version");
	finish(rig, &claimed, OUTCOME_ROLLED_BACK);
}

static void test_reading(struct rig *rig)
{
	char path[100];
	size_t count;

	same_int(get(rig, "/v1/deployments?limit=2"), 200, "a list");
	count = json_array_size(json_object_get(rig->json, "deployments"));
	same_int((intmax_t)count, 2, "has as many as it may");
	ok(json_integer_at(rig->json, "next", 0) > 0, "and where to go on");
	snprintf(path, sizeof path, "/v1/deployments?limit=200&before=%lld",
		 (long long)json_integer_at(rig->json, "next", 0));
	get(rig, path);
	ok(json_array_size(json_object_get(rig->json, "deployments")) >= 2, "where the rest is");
	ok(json_is_null(json_object_get(rig->json, "next")), "to the end");
	get(rig, "/v1/deployments?state=superseded&repository=acme/shop&service=shop"
		 "&environment=production");
	same_int((intmax_t)json_array_size(json_object_get(rig->json, "deployments")), 1,
		 "it can be filtered");
	get(rig, "/v1/deployments?repository=acme%2Fother");
	same_int((intmax_t)json_array_size(json_object_get(rig->json, "deployments")), 0,
		 "to none");
	get(rig, "/v1/deployments?state=done");
	is_problem(rig, 400, "expected one of queued, running", "an unknown state is 400");
	get(rig, "/v1/deployments?limit=0");
	is_problem(rig, 400, "query parameter limit", "a limit of 0");
	get(rig, "/v1/deployments?before=-1");
	is_problem(rig, 400, "query parameter before", "a negative before");
	get(rig, "/v1/deployments/999");
	is_problem(rig, 404, "999", "no such deployment");
	get(rig, "/v1/deployments/x");
	is_problem(rig, 404, "{id}", "no number");
	get(rig, "/v1/deployments/1/x");
	is_problem(rig, 404, "/log", "something below it");
	get(rig, "/v1/deployments/999/log");
	is_problem(rig, 404, "999", "the log of none");
}

static void test_deliveries(struct rig *rig)
{
	struct err err = ERR_INIT;
	size_t made;

	record(rig, "g-1", "push");
	record(rig, "g-2", "star");
	if (rig->store->route(rig->store, "g-2", "acme/shop", NULL, 0, "no rule deploys on star",
			      1700000001, &made, &err)
	    != 0)
		bail_out(err.text);
	same_int(get(rig, "/v1/deliveries"), 200, "deliveries");
	same_int((intmax_t)json_array_size(json_object_get(rig->json, "deliveries")), 2, "all");
	get(rig, "/v1/deliveries?state=ignored");
	same_int((intmax_t)json_array_size(json_object_get(rig->json, "deliveries")), 1,
		 "by state");
	same_int(get(rig, "/v1/deliveries/g-2"), 200, "one");
	same_str(json_text(rig->json, "reason"), "no rule deploys on star",
		 "and why it didn't deploy");
	same_str(json_text(rig->json, "event"), "star", "its event");
	same_str(json_text(rig->json, "hook"), "/hooks/github", "its hook");
	get(rig, "/v1/deliveries/g-3");
	is_problem(rig, 404, "no delivery", "none of that id");
	get(rig, "/v1/deliveries?state=queued");
	is_problem(rig, 400, "expected one of received", "an unknown state");
}

struct later {
	struct rig *rig;
	struct claim claim;
	struct arena *arena;
	enum outcome outcome;
	struct store *store; /* this thread's own */
};

static void *end_later(void *self)
{
	struct later *later = self;
	struct result result = {.outcome = later->outcome,
				.failed = STEP_TEST,
				.err = {.kind = ERR_REMOTE, .text = "the tests failed"}};
	struct err err = ERR_INIT;
	bool claimed = false;

	if (store_open(&later->store, later->rig->url, &err) < 0)
		bail_out(err.text);
	for (int i = 0; i < 100 && !claimed; i++) {
		clock_sleep(&clock_system, 50);
		claimed = later->store->claim(later->store, "w", now(), 60000, &later->claim,
					      later->arena, &err)
			  == 0;
	}
	clock_sleep(&clock_system, 300);
	(void)!later->store->append_log(later->store, &later->claim, "two\nthr", 7, &err);
	clock_sleep(&clock_system, 300);
	(void)!later->store->append_log(later->store, &later->claim, "ee\rx\nlast", 9, &err);
	(void)!later->store->finish(later->store, &later->claim, &result, 1700000002, &err);
	store_free(later->store);
	return NULL;
}

static void later_start(struct later *later, struct rig *rig, enum outcome outcome,
			pthread_t *thread)
{
	*later = (struct later){.rig = rig, .arena = arena_new(), .outcome = outcome};
	pthread_create(thread, NULL, end_later, later);
}

static void later_end(struct later *later, pthread_t thread)
{
	pthread_join(thread, NULL);
	arena_free(later->arena);
}

static void test_wait(struct rig *rig)
{
	static const char body[] = "{" SHOP ",\"commit\":\"" COMMIT "\"}";
	int64_t began = clock_ticks(&clock_system);
	struct later later;
	pthread_t thread;

	same_int(call(rig, "POST", "/v1/redeploy?wait=1", OPS, body), 202,
		 "a wait that is over before the end is 202");
	ok(clock_ticks(&clock_system) - began >= 900, "and was waited for");
	same_str(json_text(rig->json, "state"), "queued", "with the state");
	later_start(&later, rig, OUTCOME_FAILED, &thread);
	same_int(call(rig, "POST", "/v1/redeploy?wait=30", OPS, body), 200,
		 "a wait that sees the end is 200");
	same_str(json_text(rig->json, "state"), "failed", "with the state");
	ok(clock_ticks(&clock_system) - began < 10000, "at once");
	later_end(&later, thread);
}

static void test_log(struct rig *rig)
{
	static const char body[] = "{" SHOP ",\"commit\":\"" COMMIT "\"}";
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct claim claimed;
	char path[100], *at;
	size_t lines = 0;

	call(rig, "POST", "/v1/redeploy", OPS, body);
	claim(rig, &claimed, arena);
	for (int i = 0; i < 4000; i++)
		say(rig, &claimed, "a line of the log, which is not so short\n");
	finish(rig, &claimed, OUTCOME_LIVE);
	snprintf(path, sizeof path, "/v1/deployments/%lld/log", (long long)claimed.deployment);
	same_int(get(rig, path), 200, "a log as text");
	ok(strstr(rig->out, "Content-Type: text/plain"), "is text");
	for (at = rig->out; (at = strstr(at, "a line of the log")); at++)
		lines++;
	same_int((intmax_t)lines, 4000, "and whole");
	same_int(call(rig, "GET", path,
		      VIEWER "Accept: text/event-stream\r\nLast-Event-ID: 163918\r\n", ""),
		 200, "events after an id");
	ok(strstr(rig->out, "id: 163959\ndata: a line of the log, which is not so short\n\n"),
	   "begin after it");
	ok(!strstr(rig->out, "id: 163918\n"), "and not before");
}

static void test_follow(struct rig *rig)
{
	static const char body[] = "{" SHOP ",\"commit\":\"" COMMIT "\"}";
	struct later later;
	pthread_t thread;
	char path[100];

	call(rig, "POST", "/v1/redeploy", OPS, body);
	snprintf(path, sizeof path, "/v1/deployments/%lld/log",
		 (long long)json_integer_at(rig->json, "id", 0));
	later_start(&later, rig, OUTCOME_FAILED, &thread);
	same_int(call(rig, "GET", path, VIEWER "Accept: text/event-stream\r\n", ""), 200,
		 "a log as events");
	ok(strstr(rig->out, "Content-Type: text/event-stream\r\n"), "is events");
	ok(strstr(rig->out, "id: 4\ndata: two\n\n"), "a line");
	ok(strstr(rig->out, "id: 12\ndata: threex\n\n"), "a line that came in pieces");
	ok(strstr(rig->out, "id: 16\ndata: last\n\n"), "the last, which has no end");
	ok(strstr(rig->out, "event: end\ndata: {"), "and the end");
	ok(strstr(rig->out, "\"state\":\"failed\""), "with how it ended");
	later_end(&later, thread);
}

static void *drain(void *self)
{
	struct rig *rig = self;

	clock_sleep(&clock_system, 500);
	server_drain(rig->server, 10);
	return NULL;
}

static void test_drain(struct rig *rig)
{
	static const char body[] = "{" SHOP ",\"commit\":\"" COMMIT "\"}";
	int64_t began = clock_ticks(&clock_system);
	pthread_t thread;

	pthread_create(&thread, NULL, drain, rig);
	same_int(call(rig, "POST", "/v1/redeploy?wait=600", OPS, body), 202,
		 "who waits while it drains is answered");
	pthread_join(thread, NULL);
	ok(clock_ticks(&clock_system) - began < 5000, "soon");
}

int main(void)
{
	static struct rig rig;

	rig_start(&rig);
	test_vitals(&rig);
	test_rights(&rig);
	test_bad_orders(&rig);
	test_orders(&rig);
	test_implicit(&rig);
	test_reading(&rig);
	test_deliveries(&rig);
	test_wait(&rig);
	test_log(&rig);
	test_follow(&rig);
	test_drain(&rig);
	rig_stop(&rig);
	return tap_done();
}

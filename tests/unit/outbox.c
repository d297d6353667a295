/* GitHub is told about deployments: a store of its own, and a script instead of GitHub. */
#include "service/outbox.h"

#include "base/json.h"
#include "contract/store.h"
#include "hand.h"
#include "script.h"

#define A    "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
#define D    "/repos/acme/shop/deployments"
#define LIKE D "?per_page=100&sha=" A "&environment=production"

static struct hand hand = HAND_INIT;
static struct script script;
static struct github *github;
static struct outbox outbox;
static struct place place;
static struct store *store;
static struct arena *arena;
static struct err err;

static void begin(void)
{
	static const struct github_patience patience = {.seconds = -1};
	const struct github_login login = {.api = "https://api.github.com", .token = "ghp_x"};

	place_make(&place, "sqlite");
	store = open_or_bail(place.url);
	arena = arena_new();
	github = github_new(&login, &script.http, &hand.clock);
	github_be_patient(github, &patience);
	outbox = (struct outbox){.store = store,
				 .github = github,
				 .clock = &hand.clock,
				 .deployments = true,
				 .name = "n",
				 .pace = 1000,
				 .progress = 5000};
}

static void end(void)
{
	github_free(github);
	arena_free(arena);
	store_free(store);
	place_remove(&place);
}

static void play(const struct line *lines, size_t count)
{
	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = count};
}

#define PLAY(lines) play(lines, sizeof lines / sizeof lines[0])

/* Everything that can be told now, a second apart. */
static void tell_all(const char *name)
{
	int got;

	while ((got = outbox_step(&outbox, &err)) == 0)
		hand_sleep(&hand.clock, 1000);
	if (got < 0)
		tap_note("%s", err.text);
	ok(got == STORE_EMPTY && script.at == script.count && !script.wrong, name);
}

/* The process is gone, and another one takes over. */
static void die(void)
{
	store_free(store);
	store = open_or_bail(place.url);
	outbox.store = store;
	outbox.next = 0;
	outbox.complained[0] = '\0';
}

static void test_life(void)
{
	static const struct line queued[] = {{"POST", D, 201, "{\"id\":42}", NULL, NULL}};
	static const struct line running[] = {
		{"POST", D "/42/statuses", 201, "{\"id\":1}", NULL, NULL},
	};
	static const struct line live[] = {
		{"POST", D "/42/statuses", 201, "{\"id\":2}", NULL, NULL},
	};
	struct claim claim;
	struct progress progress = {.url = "http://shop"};

	begin();
	tell_all("nothing to tell");
	order_one(store, an_order("web", A, "d1"));
	PLAY(queued);
	tell_all("a deployment is made when one is queued");
	claim_one(store, "w", clock_ticks(&hand.clock), &claim, arena);
	PLAY(running);
	hand_sleep(&hand.clock, 5000);
	tell_all("it runs");
	ok(strstr(script.body, "\"state\":\"in_progress\"") && strstr(script.body, "fetch"),
	   "and where");
	same_int(store->advance(store, &claim, STEP_BUILD, &progress, INT64_MAX / 2, &err), 0,
		 "the next step");
	play(NULL, 0);
	same_int(outbox_step(&outbox, &err), 0, "is seen");
	tell_all("but not told at once");
	finish_one(store, &claim, OUTCOME_LIVE);
	hand_sleep(&hand.clock, 5000);
	PLAY(live);
	tell_all("its end is");
	ok(strstr(script.body, "\"state\":\"success\"") != NULL, "as a success");
	ok(strstr(script.body, "\"auto_inactive\":false") != NULL, "and others keep theirs");
	end();
}

static void test_lost_answers(void)
{
	static const struct line lost[] = {{"POST", D, 502, "", NULL, NULL}};
	static const struct line found[] = {
		{"GET", LIKE, 200, "[{\"id\":7,\"payload\":{\"slipway\":{\"key\":\"n-1\"}}}]", NULL,
		 NULL},
	};
	static const struct line lost_status[] = {{"POST", D "/7/statuses", 0, NULL, NULL, NULL}};
	static const struct line found_status[] = {
		{"GET", D "/7/statuses?per_page=30", 200,
		 "[{\"state\":\"in_progress\",\"description\":\"Deploying: fetch\"}]", NULL, NULL},
	};
	struct claim claim;

	begin();
	order_one(store, an_order("web", A, "d1"));
	PLAY(lost);
	same_int(outbox_step(&outbox, &err), 0, "no answer to a POST");
	die();
	PLAY(found);
	hand_sleep(&hand.clock, 2000);
	tell_all("is looked for before another is sent, also by the next process");
	claim_one(store, "w", clock_ticks(&hand.clock), &claim, arena);
	PLAY(lost_status);
	hand_sleep(&hand.clock, 10000);
	same_int(outbox_step(&outbox, &err), 0, "a status that is lost");
	die();
	PLAY(found_status);
	hand_sleep(&hand.clock, 10000);
	tell_all("is looked for too");
	end();
}

static void test_refusals(void)
{
	static const struct line limited[] = {{"POST", D, 403, "{}", "Retry-After", "90"}};
	static const struct line made[] = {
		{"GET", LIKE, 200, "[]", NULL, NULL},
		{"POST", D, 201, "{\"id\":42}", NULL, NULL},
	};
	static const struct line refused[] = {
		{"POST", D, 403, "{\"message\":\"Resource not accessible\"}", NULL, NULL},
	};
	static const struct line status[] = {
		{"POST", "/repos/acme/shop/statuses/" A, 201, "{}", NULL, NULL},
	};
	struct claim claim;

	begin();
	order_one(store, an_order("web", A, "d1"));
	PLAY(limited);
	tell_all("a limit");
	hand_sleep(&hand.clock, 80000);
	play(NULL, 0);
	tell_all("is waited for");
	hand_sleep(&hand.clock, 20000);
	PLAY(made);
	tell_all("as long as GitHub says");
	order_one(store, an_order("api", A, "d2"));
	PLAY(refused);
	tell_all("what GitHub refuses");
	outbox.statuses = true;
	claim_one(store, "w", clock_ticks(&hand.clock), &claim, arena); /* web */
	claim_one(store, "w2", clock_ticks(&hand.clock), &claim, arena);
	same_int(claim.deployment, 2, "api runs");
	same_int(store->report_put_off(store, 1, "not now", INT64_MAX / 2, &err), 0, "web waits");
	PLAY(status);
	tell_all("is left, and the rest is told");
	end();
}

/* One that ends before it was announced, and one of nobody's interest any more. */
static void test_silence(void)
{
	struct report report;
	struct instant now;

	begin();
	order_one(store, an_order("web", A, "d1"));
	order_one(store, an_order("web", A, "d2"));
	play(NULL, 0);
	same_int(outbox_step(&outbox, &err), 0,
		 "one that was superseded before GitHub heard of it");
	now = (struct instant){clock_now(&hand.clock), clock_ticks(&hand.clock)};
	same_int(store->report(store, now, 0, &report, arena, &err), 0, "the other");
	same_int(report.deployment, 2, "is left");
	ok(!script.wrong, "and nothing was sent");
	end();
}

static void test_retire(void)
{
	static const struct line first[] = {
		{"POST", D, 201, "{\"id\":1}", NULL, NULL},
		{"POST", D "/1/statuses", 201, "{\"id\":1}", NULL, NULL},
	};
	static const struct line second[] = {
		{"POST", D, 201, "{\"id\":2}", NULL, NULL},
		{"POST", D "/2/statuses", 201, "{\"id\":2}", NULL, NULL},
		{"POST", D "/1/statuses", 201, "{\"id\":3}", NULL, NULL},
	};
	struct claim claim;

	begin();
	outbox.progress = 0;
	order_one(store, an_order("web", A, "d1"));
	claim_one(store, "w", clock_ticks(&hand.clock), &claim, arena);
	finish_one(store, &claim, OUTCOME_LIVE);
	hand.milliseconds = 3000 * 1000;
	PLAY(first);
	tell_all("one goes live");
	order_one(store, an_order("web", A, "d2"));
	claim_one(store, "w", clock_ticks(&hand.clock), &claim, arena);
	finish_one(store, &claim, OUTCOME_LIVE);
	PLAY(second);
	tell_all("another does, and the first is retired");
	ok(strstr(script.body, "inactive") != NULL, "as inactive");
	end();
}

int main(void)
{
	hand.milliseconds = 3000 * 1000; /* near what the store's helpers call now */
	test_life();
	test_lost_answers();
	test_refusals();
	test_silence();
	test_retire();
	return tap_done();
}

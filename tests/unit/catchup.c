/* Missed deliveries are fetched: a store of its own, and a script instead of GitHub. */
#include "service/catchup.h"

#include "contract/store.h"
#include "hand.h"
#include "script.h"

#define HOOK "/repos/acme/shop/hooks/3/deliveries"
#define LIST HOOK "?per_page=100"
#define ITEM(id, guid, event, time)                                                         \
	"{\"id\":" id ",\"guid\":\"" guid "\",\"event\":\"" event "\",\"status_code\":502," \
	"\"delivered_at\":\"" time "\"}"
#define PAYLOAD "{\"request\":{\"payload\":{\"ref\":\"refs/heads/main\"}}}"

static struct hand hand = HAND_INIT; /* 2026-11-24T13:45:00Z */
static struct script script;
static struct err err;
static struct place place;
static struct store *store;
static struct github *github;
static struct arena *arena;
static struct catchup catchup;
static const char *deliveries[] = {"repos/acme/shop", NULL};
static struct settings_hook hooks[] = {{.path = "/hooks/github"}};
static struct settings_github github_settings = {.token = {.text = "ghp_x"}, .poll = 60};
static struct settings settings = {.listen = "127.0.0.1:1", .github = &github_settings};

static void begin(void)
{
	static const struct github_patience patience = {.seconds = -1};
	const struct github_login login = {.api = "https://api.github.com", .token = "ghp_x"};

	settings.hooks = (struct field_array){hooks, 1};
	github_settings.deliveries = deliveries;
	place_make(&place, "sqlite");
	store = open_or_bail(place.url);
	arena = arena_new();
	github = github_new(&login, &script.http, &hand.clock);
	github_be_patient(github, &patience);
	catchup = (struct catchup){
		.store = store, .github = github, .clock = &hand.clock, .settings = &settings};
	catchup_init(&catchup, arena);
}

static void end(void)
{
	catchup_free(&catchup);
	github_free(github);
	arena_free(arena);
	store_free(store);
	place_remove(&place);
}

static void look(const struct line *lines, size_t count, const char *name)
{
	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = count};
	hand_sleep(&hand.clock, 60000);
	same_int(catchup_step(&catchup, &err), 0, name);
	ok(script.at == script.count && !script.wrong, "with just these calls");
	same_int(catchup_step(&catchup, &err), STORE_EMPTY, "and then not for a while");
}

#define LOOK(lines, name) look(lines, sizeof lines / sizeof lines[0], name)

static const struct line first[] = {
	{"GET", "/repos/acme/shop/hooks?per_page=100", 200,
	 "[{\"id\":2,\"config\":{\"url\":\"https://chat/x\"}},"
	 "{\"id\":3,\"config\":{\"url\":\"https://deploy/hooks/github\"}}]",
	 NULL, NULL},
	{"GET", LIST, 200, "[" ITEM("1", "old", "push", "2026-11-24T13:00:00Z") "]", "ETag",
	 "\"a\""},
};

static void test_missed(void)
{
	static const struct line missed[] = {
		{"GET", LIST, 200,
		 "[" ITEM("9", "g3", "push", "2026-11-24T13:46:50Z") "," ITEM(
			 "8", "g2", "star",
			 "2026-11-24T13:46:40Z") "," ITEM("7", "g1", "push",
							  "2026-11-24T13:46:30Z") "," ITEM("6",
											   "g3",
											   "push",
											   "2026-"
											   "11-"
											   "24T13:"
											   "46:20Z") "]",
		 "Link", "<https://api.github.com/page2>; rel=\"next\""},
		{"GET", "/page2", 200,
		 "[" ITEM("5", "here", "push", "2026-11-24T13:46:10Z") "," ITEM(
			 "1", "old", "push", "2026-11-24T13:00:00Z") "]",
		 "Link", "<https://api.github.com/page3>; rel=\"next\""},
		{"GET", HOOK "/7", 200, PAYLOAD, NULL, NULL},
		{"GET", HOOK "/9", 502, "", NULL, NULL},
	};
	static const struct line again[] = {
		{"GET", LIST, 200,
		 "[" ITEM("9", "g3", "push", "2026-11-24T13:46:50Z") "," ITEM(
			 "7", "g1", "push", "2026-11-24T13:46:30Z") "]",
		 "ETag", "\"b\""},
		{"GET", HOOK "/9", 200, PAYLOAD, NULL, NULL},
	};
	static const struct line nothing[] = {{"GET", LIST, 304, "", NULL, NULL}};

	begin();
	LOOK(first, "the hook that delivers to us is found");
	same_str(delivery_field(store, "old", "state"), "(none)",
		 "what is from before the first look isn't fetched");
	record_one(store, "here", "{}", 1);
	LOOK(missed, "missed ones, until one can't be had");
	same_str(delivery_field(store, "g1", "reason"), "fetched from GitHub",
		 "the oldest is there");
	same_str(delivery_field(store, "g1", "hook"), "repos/acme/shop/hooks/3", "from where");
	same_str(delivery_field(store, "g3", "state"), "(none)", "the next isn't");
	LOOK(again, "the rest comes at the next look");
	same_str(delivery_field(store, "g3", "state"), "received", "it is there");
	LOOK(nothing, "nothing new");
	same_str(script.etag, "\"b\"", "is asked for as such");
	end();
}

static void test_refused(void)
{
	static const struct line refused[] = {
		{"GET", "/repos/acme/shop/hooks?per_page=100", 404, "{}", NULL, NULL},
	};
	static const struct line limited[] = {
		{"GET", "/repos/acme/shop/hooks?per_page=100", 429, "{}", "Retry-After", "600"},
	};

	begin();
	LOOK(limited, "a limit");
	hand_sleep(&hand.clock, 500 * 1000);
	same_int(catchup_step(&catchup, &err), STORE_EMPTY, "is kept to");
	hand_sleep(&hand.clock, 100 * 1000);
	LOOK(refused, "what we may not see");
	hand_sleep(&hand.clock, 3000 * 1000);
	same_int(catchup_step(&catchup, &err), STORE_EMPTY, "isn't asked for soon");
	end();
}

int main(void)
{
	test_missed();
	test_refused();
	return tap_done();
}

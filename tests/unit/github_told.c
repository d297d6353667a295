/* What GitHub is told, and the deliveries that it is asked for: over a script instead of a network.
 */
#include "base/json.h"
#include "github/checks.h"
#include "github/deliveries.h"
#include "github/deployments.h"
#include "hand.h"
#include "script.h"
#include "tap.h"

#define A "6113728f27ae82c7b1a177c8d03f9e96e0adf246"

static struct hand hand = HAND_INIT;
static struct script script;
static struct err err;

static struct github *begin(const struct line *lines, size_t count)
{
	const struct github_login login = {.api = "https://api.github.com", .token = "ghp_x"};

	script = (struct script){.http = {.send = script_send}, .lines = lines, .count = count};
	hand.slept = 0;
	err = (struct err)ERR_INIT;
	return github_new(&login, &script.http, &hand.clock);
}

#define BEGIN(lines) begin(lines, sizeof lines / sizeof lines[0])

static void played(const char *name)
{
	ok(script.at == script.count && !script.wrong, name);
}

static const struct deployments_new shop = {.repository = "acme/shop",
					    .commit = A,
					    .environment = "blue green",
					    .key = "k-12",
					    .service = "web"};

#define DEPLOYMENTS "/repos/acme/shop/deployments"
#define LIKE        DEPLOYMENTS "?per_page=100&sha=" A "&environment=blue%20green"

static void test_create(void)
{
	static const struct line lines[] = {
		{"POST", DEPLOYMENTS, 201, "{\"id\":42}", NULL, NULL},
		{"POST", DEPLOYMENTS, 202, "{\"message\":\"Auto-merged\"}", NULL, NULL},
		{"POST", DEPLOYMENTS, 409, "{\"message\":\"Conflict\"}", NULL, NULL},
		{"POST", DEPLOYMENTS, 502, "", NULL, NULL},
		{"POST", DEPLOYMENTS, 0, NULL, NULL, NULL},
		{"POST", DEPLOYMENTS, 403, "{}", "Retry-After", "3"},
		{"POST", DEPLOYMENTS, 201, "{\"id\":43}", NULL, NULL},
		{"POST", DEPLOYMENTS, 307, "{}", "Location",
		 "https://api.github.com/repositories/7/deployments"},
		{"POST", "/repositories/7/deployments", 201, "{\"id\":44}", NULL, NULL},
		{"POST", DEPLOYMENTS, 307, "{}", "Location", "https://elsewhere/deployments"},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	int64_t id;

	same_int(deployments_create(github, &shop, &id, &err), 0, "create a deployment");
	same_int(id, 42, "its id");
	same_str(script.body,
		 "{\"ref\":\"" A "\",\"task\":\"deploy\",\"environment\":\"blue green\","
		 "\"auto_merge\":false,\"required_contexts\":[],\"payload\":{\"slipway\":"
		 "{\"key\":\"k-12\",\"service\":\"web\"}},\"transient_environment\":false}",
		 "what was sent");
	ok(deployments_create(github, &shop, &id, &err) < 0 && err.kind == ERR_REMOTE,
	   "202 is no deployment");
	ok(deployments_create(github, &shop, &id, &err) < 0 && err.kind == ERR_CONFLICT, "409");
	ok(deployments_create(github, &shop, &id, &err) < 0 && err.kind == ERR_TRANSIENT,
	   "502: it may be there, so it isn't sent again");
	ok(deployments_create(github, &shop, &id, &err) < 0 && err.kind == ERR_TRANSIENT,
	   "nor after a lost connection");
	same_int(deployments_create(github, &shop, &id, &err), 0, "a limit is waited for");
	same_int(hand.slept, 3000, "as long as GitHub says");
	same_int(deployments_create(github, &shop, &id, &err), 0, "a renamed repository");
	same_int(id, 44, "is followed with the same request");
	ok(deployments_create(github, &shop, &id, &err) < 0, "but not to another host");
	played("create: all calls were made");
}

static void test_find(void)
{
	static const struct line lines[] = {
		{"GET", LIKE, 200,
		 "[{\"id\":1,\"payload\":{}},{\"id\":2,\"payload\":{\"slipway\":{\"key\":\"k-1\"}}}"
		 ","
		 "{\"id\":3,\"payload\":\"{\\\"slipway\\\":{\\\"key\\\":\\\"k-12\\\"}}\"}]",
		 NULL, NULL},
		{"GET", LIKE, 200, "[]", NULL, NULL},
		{"GET", LIKE, 200,
		 "[{\"id\":5,\"payload\":{\"slipway\":{\"key\":\"k\"}}},{\"id\":6,\"payload\":\"\"}"
		 ","
		 "{\"id\":7,\"payload\":{}}]",
		 NULL, NULL},
		{"GET", DEPLOYMENTS "/6/statuses?per_page=30", 200,
		 "[{\"log_url\":\"https://github.com/acme/shop/actions/runs/123/job/1\"}]", NULL,
		 NULL},
		{"GET", DEPLOYMENTS "/7/statuses?per_page=30", 200,
		 "[{\"log_url\":\"https://github.com/acme/shop/actions/runs/12/job/1\"}]", NULL,
		 NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	int64_t id;

	same_int(deployments_find(github, &shop, &id, &err), 0, "find by key");
	same_int(id, 3, "also when the payload came back as a text");
	same_int(deployments_find(github, &shop, &id, &err), 0, "find none");
	same_int(id, 0, "is 0");
	same_int(deployments_find_job(github, &shop, "12", &id, &err), 0, "find the job's own");
	same_int(id, 7, "by its run, and not by one whose number begins alike");
	played("find: all calls were made");
}

static void test_tell(void)
{
	static const struct line lines[] = {
		{"POST", DEPLOYMENTS "/7/statuses", 201, "{\"id\":1}", NULL, NULL},
		{"GET", DEPLOYMENTS "/7/statuses?per_page=30", 200,
		 "[{\"state\":\"in_progress\",\"description\":\"build\"},"
		 "{\"state\":\"queued\",\"description\":\"\"}]",
		 NULL, NULL},
		{"GET", DEPLOYMENTS "/7/statuses?per_page=30", 200,
		 "[{\"state\":\"in_progress\",\"description\":\"build\"}]", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	char description[600] = "";
	struct deployments_status status = {.state = DEPLOYMENTS_SUCCESS,
					    .description = description,
					    .log_url = "https://l",
					    .environment_url = "https://e"};
	json_auto json_t *sent = NULL;
	bool told;

	for (int i = 0; i < 200; i++)
		strcat(description, "é");
	same_int(deployments_tell(github, "acme/shop", 7, &status, &err), 0, "tell");
	sent = json_loads(script.body, 0, NULL);
	same_str(json_text(sent, "state"), "success", "its state");
	same_int((int64_t)strlen(json_text(sent, "description")), 280,
		 "140 characters, none of them cut");
	same_str(json_text(sent, "log_url"), "https://l", "the log's URL");
	same_str(json_text(sent, "environment_url"), "https://e", "the app's URL");
	ok(json_is_false(json_object_get(sent, "auto_inactive")), "others stay as they are");
	status = (struct deployments_status){.state = DEPLOYMENTS_IN_PROGRESS,
					     .description = "build"};
	same_int(deployments_was_told(github, "acme/shop", 7, &status, &told, &err), 0, "look");
	ok(told, "it was told");
	status.description = "test";
	same_int(deployments_was_told(github, "acme/shop", 7, &status, &told, &err), 0, "look");
	ok(!told, "something else was told");
	played("tell: all calls were made");
}

static void test_checks(void)
{
	static const struct line lines[] = {
		{"POST", "/repos/acme/shop/check-runs", 201, "{\"id\":9}", NULL, NULL},
		{"PATCH", "/repos/acme/shop/check-runs/9", 502, "", NULL, NULL},
		{"PATCH", "/repos/acme/shop/check-runs/9", 200, "{}", NULL, NULL},
		{"PATCH", "/repos/acme/shop/check-runs/9", 200, "{}", NULL, NULL},
		{"POST", "/repos/acme/shop/check-runs", 403,
		 "{\"message\":\"You must authenticate via a GitHub App.\"}", NULL, NULL},
		{"GET",
		 "/repos/acme/shop/commits/" A
		 "/check-runs?filter=all&per_page=100&check_name=slipway%20%2F%20prod",
		 200,
		 "{\"check_runs\":[{\"id\":1,\"external_id\":\"k\"},{\"id\":2,\"external_id\":\"k-"
		 "12\"}]}",
		 NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	autofree struct checks_annotation *annotations = xalloc(120 * sizeof *annotations);
	autofree char *summary = xalloc(100001);
	struct checks_run run = {.repository = "acme/shop",
				 .commit = A,
				 .name = "slipway / prod",
				 .external_id = "k-12",
				 .status = "completed",
				 .conclusion = "success",
				 .title = "live",
				 .summary = summary,
				 .annotations = annotations,
				 .annotation_count = 120};
	json_auto json_t *sent = NULL;
	int64_t id;

	memset(summary, 'x', 100000);
	for (int i = 0; i < 120; i++)
		annotations[i] = (struct checks_annotation){
			.path = "a.c", .start_line = i + 1, .message = "m\xff"};
	same_int(checks_create(github, &run, &id, &err), 0, "create a check run");
	same_int(id, 9, "its id");
	sent = json_loads(script.body, 0, NULL);
	same_int((int64_t)json_array_size(json_at(sent, "output.annotations")), 20,
		 "annotations go in three pieces, the last of 20");
	same_int(json_integer_at(json_array_get(json_at(sent, "output.annotations"), 19),
				 "start_line", 0),
		 120, "to the last");
	same_str(json_text(json_array_get(json_at(sent, "output.annotations"), 19), "message"),
		 "m?", "what isn't UTF-8 can be read still");
	ok(strlen(json_text(sent, "output.summary")) <= 65535
		   && text_ends(json_text(sent, "output.summary"), "GitHub takes.\n"),
	   "the summary is cut, and says so");
	ok(checks_create(github, &run, &id, &err) < 0 && err.kind == ERR_AUTH,
	   "a token may not make one");
	same_int(checks_find(github, &run, &id, &err), 0, "find");
	same_int(id, 2, "by the external id");
	played("checks: all calls were made");
}

static void test_status(void)
{
	static const struct line lines[] = {
		{"POST", "/repos/acme/shop/statuses/" A, 201, "{}", NULL, NULL},
		{"GET", "/repos/acme/shop/commits/" A "/statuses?per_page=100", 200,
		 "[{\"context\":\"other\",\"state\":\"success\",\"description\":\"live\"},"
		 "{\"context\":\"Slipway/prod\",\"state\":\"success\",\"description\":\"live\"},"
		 "{\"context\":\"slipway/prod\",\"state\":\"pending\"}]",
		 NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	const struct checks_commit_status status = {.repository = "acme/shop",
						    .commit = A,
						    .state = "success",
						    .context = "slipway/prod",
						    .description = "live"};
	bool is;

	same_int(checks_post_status(github, &status, &err), 0, "a commit's status");
	same_str(script.body,
		 "{\"state\":\"success\",\"context\":\"slipway/prod\",\"description\":\"live\"}",
		 "what was sent");
	same_int(checks_status_is(github, &status, &is, &err), 0, "look at it");
	ok(is, "it is what was said last");
	played("status: all calls were made");
}

#define GUID "0b989ba4-242f-11e5-81e1-c7b6966d2516"
#define ITEM(id)                                                                       \
	"{\"id\":" id ",\"guid\":\"" GUID "\",\"event\":\"push\",\"status_code\":502," \
	"\"delivered_at\":\"2026-11-24T17:05:06Z\",\"redelivery\":true}"

static void test_deliveries(void)
{
	static const struct line lines[] = {
		{"GET", "/repos/acme/shop/hooks/3/deliveries?per_page=100", 200,
		 "[" ITEM("8") ",{\"id\":1,\"guid\":\"../x\",\"event\":\"push\","
			       "\"delivered_at\":\"2026-11-24T17:05:06Z\"}]",
		 "Link", "<https://api.github.com/next?cursor=v1>; rel=\"next\""},
		{"GET", "/next?cursor=v1", 200, "[" ITEM("7") "]", "ETag", "\"e\""},
		{"GET", "/repos/acme/shop/hooks/3/deliveries?per_page=100", 304, "", NULL, NULL},
		{"GET", "/repos/acme/shop/hooks/3/deliveries?per_page=100", 200, "{}", NULL, NULL},
		{"GET", "/repos/acme/shop/hooks/3/deliveries/8", 200,
		 "{\"id\":8,\"request\":{\"payload\":{\"ref\":\"x\"}}}", NULL, NULL},
		{"GET", "/repos/acme/shop/hooks/3/deliveries/8", 200, "{\"id\":8}", NULL, NULL},
		{"POST", "/repos/acme/shop/hooks/3/deliveries/8/attempts", 202, "", NULL, NULL},
		{"GET", "/repos/acme/shop/hooks?per_page=100", 200,
		 "[{\"id\":3,\"active\":true,\"config\":{\"url\":\"https://d/h\"}}]", NULL, NULL},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct deliveries_hook hook = {.repository = "acme/shop", .id = 3};
	struct deliveries_webhook *hooks;
	struct deliveries_page page;
	json_auto json_t *payload = NULL;
	size_t count;

	same_int(deliveries_list(github, &hook, NULL, NULL, arena, &page, &err), 0, "list");
	same_int((int64_t)page.count, 1, "what has no proper guid is passed over");
	same_str(page.items[0].guid, GUID, "a guid");
	same_int(page.items[0].delivered_at, 1795539906, "a time");
	ok(page.items[0].redelivery && page.items[0].status_code == 502, "and the rest");
	same_int(deliveries_list(github, &hook, page.next, NULL, arena, &page, &err), 0,
		 "the next page");
	ok(page.items[0].id == 7 && !page.next, "the last");
	same_int(deliveries_list(github, &hook, NULL, page.etag, arena, &page, &err), 0,
		 "nothing new");
	ok(page.unchanged && page.count == 0, "is no page");
	same_str(script.etag, "\"e\"", "If-None-Match");
	ok(deliveries_list(github, &hook, NULL, NULL, arena, &page, &err) < 0
		   && err.kind == ERR_REMOTE,
	   "no list");
	same_int(deliveries_read(github, &hook, 8, &payload, &err), 0, "a payload");
	same_str(json_text(payload, "ref"), "x", "as it was");
	json_decref(payload);
	ok(deliveries_read(github, &hook, 8, &payload, &err) < 0 && !payload, "none there");
	same_int(deliveries_redeliver(github, &hook, 8, &err), 0, "ask for it again");
	same_int(deliveries_hooks(github, &hook, arena, &hooks, &count, &err), 0, "webhooks");
	ok(count == 1 && hooks[0].id == 3 && hooks[0].active, "one");
	ok(deliveries_list(github, &hook, "https://elsewhere/x", NULL, arena, &page, &err) < 0,
	   "a page elsewhere isn't asked for");
	played("deliveries: all calls were made");
}

static int stop(void *self)
{
	int *left = self;

	return (*left)-- <= 0;
}

static void test_patience(void)
{
	static const struct line lines[] = {
		{"GET", "/a", 403, "{}", "Retry-After", "50"},
		{"GET", "/a", 429, "{}", "Retry-After", "80"},
		{"GET", "/a", 502, "", NULL, NULL},
		{"GET", "/a", 429, "{}", "Retry-After", "30"},
	};
	cleanup(github_freep) struct github *github = BEGIN(lines);
	const struct github_call call = {.method = "GET", .path = "/a", .what = "get"};
	struct github_patience patience = {.seconds = -1};
	struct github_answer answer;
	int left = 4;

	github_be_patient(github, &patience);
	ok(github_send(github, &call, &answer, &err) < 0 && err.kind == ERR_LIMIT, "a limit");
	same_int(answer.retry_after, 50, "how long it lasts");
	same_int(hand.slept, 0, "isn't waited for");
	patience = (struct github_patience){.deadline = clock_ticks(&hand.clock) + 60000};
	github_be_patient(github, &patience);
	ok(github_send(github, &call, &answer, &err) < 0 && err.kind == ERR_LIMIT, "nor one past");
	same_int(hand.slept, 0, "the deadline");
	patience = (struct github_patience){.deadline = clock_ticks(&hand.clock) + 900};
	github_be_patient(github, &patience);
	ok(github_send(github, &call, &answer, &err) < 0 && err.kind == ERR_TRANSIENT,
	   "no second try after the deadline");
	patience = (struct github_patience){.tick = stop, .self = &left};
	github_be_patient(github, &patience);
	ok(github_send(github, &call, &answer, &err) < 0 && err.kind == ERR_CANCELLED,
	   "somebody breaks it off");
	ok(hand.slept < 4000, "while it waits");
	github_answer_free(&answer);
	played("patience: all calls were made");
}

int main(void)
{
	test_create();
	test_find();
	test_tell();
	test_checks();
	test_status();
	test_deliveries();
	test_patience();
	return tap_done();
}

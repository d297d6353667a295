#include "router_scene.h"

static void test_push(void)
{
	begin("push");
	same_int(step(), STORE_EMPTY, "nothing recorded: nothing to do");
	push("g1", "main", C1, C2, FILES("shop/a") "," FILES("api/b"));
	same_int(step(), 0, "push: routed");
	same_str(queued(), "shop:production:22 api:production:22", "push: both services");
	outcome("g1", "deployed",
		"pushed to main; 222222222222: shop to production, api to production",
		"push: the reason");
	push("g2", "feature/x", C1, C2, FILES("shop/a"));
	same_int(step(), 0, "push to another branch: routed");
	outcome("g2", "ignored", "pushed to feature/x; this server deploys only main to production",
		"push to another branch: why not");
	push("g3", "main", C1, C2, FILES("shop/a") "," FILES("api/b"));
	step();
	outcome("g3", "ignored", "the same body came before, as delivery g1", "a replayed body");
	push("g4", "main", C1, C2, FILES("shop/other"));
	step();
	outcome("g4", "ignored", "for this commit already", "the same commit in another body");
	same_str(queued(), "shop:production:22 api:production:22", "and nothing is queued twice");
	push("g5", "main", C2, Z, "");
	step();
	outcome("g5", "ignored", "main: the branch was deleted", "a deleted branch");
	same_int(step(), STORE_EMPTY, "all are routed");
}

static void test_paths(void)
{
	begin("paths");
	push("g1", "main", C1, C2, FILES("api/x"));
	step();
	same_str(queued(), "api:production:22", "paths: only the service that changed");
	outcome("g1", "deployed", "none of its files changed: shop to production",
		"paths: and the reason names the other");
	push("g2", "main", C2, C3, FILES("docs/x"));
	step();
	outcome("g2", "ignored", "none of its files changed: shop to production, api to production",
		"paths: nobody's");
	scene.changed = LIST("shop/y");
	push("g3", "main", C1, C4, "");
	step();
	same_str(queued(), "api:production:22 shop:production:44",
		 "paths: asked for when the payload lists none");
	scene.changed = LIST("docs/y");
	push("g4", "new", Z, C5, "");
	push("g5", "main", "ffffffffffffffffffffffffffffffffffffffff", C5, "");
	step();
	step();
	same_str(queued(), "shop:production:55 api:production:55",
		 "paths: everything, when the commit before is gone");
}

static void test_rule_paths(void)
{
	struct settings_repository *repository = settings.repositories.items;
	struct settings_rule *rules = repository->rules.items;

	begin("rule-paths");
	rules[0].paths = LIST("shop/**", "!shop/docs/**");
	push("g1", "main", C1, C2, FILES("shop/docs/x"));
	push("g2", "main", C2, C3, FILES("shop/x"));
	step();
	outcome("g1", "ignored", "none of its files changed", "a rule's paths: taken away");
	step();
	same_str(queued(), "shop:production:33", "a rule's paths");
	rules[0].paths = NULL;
	rules[0].services = LIST("api");
	push("g3", "main", C3, C4, FILES("shop/x") "," FILES("api/x"));
	step();
	same_str(queued(), "shop:production:33 api:production:44", "a rule's services");
	rules[0].services = NULL;
}

static void test_out_of_order(void)
{
	begin("order");
	push("late", "main", C2, C3, FILES("shop/x"));
	step();
	push("early", "main", C1, C2, FILES("shop/y") "," FILES("api/y"));
	step();
	same_str(queued(), "shop:production:33 api:production:33",
		 "out of order: what replaced it is deployed, also where only it had changes");
	outcome("early", "deployed", "222222222222 was replaced by 333333333333",
		"out of order: the reason");
	push("first", "main", Z, C1, FILES("shop/z"));
	step();
	outcome("first", "ignored", "111111111111 was replaced by 333333333333",
		"out of order: through two replacements");
	same_str(queued(), "shop:production:33 api:production:33", "out of order: nothing twice");
	push("back", "main", C3, C2, FILES("shop/y"));
	step();
	outcome("back", "ignored", "newer already: shop to production (333333333333 is queued)",
		"a forced push back is not a push that came late");
}

static void test_older(void)
{
	begin("older");
	push("g1", "main", C3, C4, FILES("shop/x") "," FILES("api/x"));
	step();
	push("g2", "main", C1, C2, FILES("shop/x"));
	step();
	outcome("g2", "ignored", "newer already: shop to production (444444444444 is queued)",
		"older than what is queued");
	deploy_all();
	push("g3", "main", C1, C3, FILES("shop/x"));
	step();
	outcome("g3", "ignored", "444444444444", "older than what is live, by what replaced it");
	push("g4", "main", C1, C2, FILES("shop/y"));
	step();
	outcome("g4", "ignored", "newer already: shop to production (444444444444 is live)",
		"older than what is live");
	push("g5", "main", C4, CA, FILES("shop/y"));
	step();
	same_str(queued(), "shop:production:aa", "diverged from what is live: deployed");
}

static void test_put_off(void)
{
	int tries = 0, rc;
	int64_t began = hand.now;

	begin("off");
	push("g1", "main", C1, C2, FILES("shop/x"));
	scene.fault = ERR_TRANSIENT;
	same_int(step(), 0, "a source that is out");
	same_int(step(), STORE_EMPTY, "put off: not again at once");
	outcome("g1", "received", "the source is out", "put off: the reason so far");
	hand.now += 1;
	same_int(step(), 0, "put off: again after a second");
	hand.now += 1;
	same_int(step(), STORE_EMPTY, "put off: then after two");
	hand.now += 1;
	scene.fault = ERR_NONE;
	same_int(step(), 0, "put off: and then it works");
	same_str(queued(), "shop:production:22", "put off: nothing is lost");

	began = hand.now;
	push("g2", "main", C2, C3, FILES("shop/x"));
	scene.fault = ERR_LIMIT;
	for (; tries < 5000 && (rc = step()) >= 0; hand.now += 1, tries++) {
		json_auto json_t *json = NULL;

		if (store->delivery(store, "g2", &json, &err) == 0
		    && text_same(json_text(json, "state"), "failed"))
			break;
	}
	outcome("g2", "failed", "given up after an hour: the source is out",
		"put off: not for ever");
	ok(hand.now - began > 3000 && hand.now - began < 4500, "put off: for about an hour");
	push("g3", "main", C3, C4, FILES("shop/x"));
	scene.fault = ERR_NONE;
	step();
	ok(strstr(queued(), "shop:production:44"), "put off: the next one isn't held up");
}

static void test_wrong(void)
{
	begin("wrong");
	scene.project = "version: 1\nservices:\n  shop:\n    pathh: x\n";
	push("g1", "main", C1, C2, FILES("shop/x"));
	same_int(step(), 0, "a wrong slipway.yml");
	outcome("g1", "failed", "slipway.yml:4:5:", "a wrong slipway.yml: where, and what");
	outcome("g1", "failed", "222222222222", "a wrong slipway.yml: of which commit");
	scene.project = NULL;
	push("g2", "main", C2, C3, FILES("shop/x"));
	step();
	outcome("g2", "ignored", "there is no slipway.yml at 333333333333", "no slipway.yml");
	scene.project = project;
	post("g3", "push", "{\"repository\":");
	step();
	outcome("g3", "failed", "read the payload", "a malformed body");
	post("g4", "push", "{\"repository\":{\"full_name\":\"acme/shop\"}}");
	step();
	outcome("g4", "failed", "push: ref is missing", "a body that is no push");
	post("g5", "push",
	     "{\"repository\":{\"full_name\":\"acme/other\"},\"ref\":\"refs/heads/main\","
	     "\"before\":\"" C1 "\",\"after\":\"" C2 "\"}");
	step();
	outcome("g5", "ignored", "acme/other isn't one of this server's repositories",
		"another repository");
	post("g6", "ping", "{\"zen\":\"x\",\"hook_id\":1}");
	step();
	outcome("g6", "ignored", "ping", "a ping");
	post("g7", "star", "{\"action\":\"created\"}");
	step();
	outcome("g7", "ignored", "'star'", "an event that deploys nothing");
	scene.fault = ERR_AUTH;
	push("g8", "main", C3, C4, FILES("shop/x"));
	step();
	outcome("g8", "received", "the source is out", "a login that is refused may be mended");
	same_str(queued(), "", "none of these deploys");
}

static void release(const char *guid, const char *more)
{
	char body[500];

	snprintf(body, sizeof body,
		 "{\"repository\":{\"full_name\":\"acme/shop\"},\"action\":\"published\","
		 "\"release\":{\"tag_name\":\"v1\",\"draft\":false%s}}",
		 more);
	post(guid, "release", body);
}

static void test_release(void)
{
	begin("release");
	release("g1", "");
	step();
	same_str(queued(), "shop:production:55 api:production:55",
		 "release: the tag's commit, and all services");
	release("g2", ",\"prerelease\":true");
	step();
	outcome("g2", "ignored", "prerelease v1 was published", "release: a prerelease");
	scene.tip = NULL;
	release("g3", ",\"id\":3");
	step();
	outcome("g3", "ignored", "refs/tags/v1 isn't there now", "release: the tag is gone");
}

static void run(const char *guid, const char *commit)
{
	char body[700];

	snprintf(body, sizeof body,
		 "{\"repository\":{\"full_name\":\"acme/shop\"},\"action\":\"completed\","
		 "\"workflow_run\":{\"name\":\"CI\",\"head_branch\":\"main\",\"head_sha\":\"%s\","
		 "\"status\":\"completed\",\"conclusion\":\"success\",\"event\":\"push\","
		 "\"html_url\":\"%s\",\"head_repository\":{\"full_name\":\"acme/shop\"}}}",
		 commit, guid);
	post(guid, "workflow_run", body);
}

static void test_workflow_run(void)
{
	begin("run");
	scene.tip = C3;
	run("g1", C3);
	step();
	same_str(queued(), "shop:staging:33", "workflow_run: the branch's tip");
	run("g2", C2);
	step();
	outcome("g2", "ignored", "newer already: shop to staging (333333333333 is queued)",
		"workflow_run: of an older commit");
	run("g3", CA);
	step();
	outcome("g3", "ignored", "aaaaaaaaaaaa isn't on the branch main",
		"workflow_run: of a tag that has the branch's name");
	scene.tip = NULL;
	run("g4", C4);
	step();
	outcome("g4", "ignored", "there is no branch main now",
		"workflow_run: of a branch that is gone");
	deploy_all();
	scene.tip = C4;
	scene.changed = LIST("docs/x");
	run("g5", C5);
	run("g6", C4);
	step();
	step();
	outcome("g5", "ignored", "isn't on the branch", "workflow_run: ahead of the branch");
	outcome("g6", "ignored", "none of its files changed: shop to staging",
		"workflow_run: nothing changed since what is live");
}

static void test_deployment(void)
{
	static const char body[] =
		"{\"repository\":{\"full_name\":\"acme/shop\"},\"action\":\"created\","
		"\"deployment\":{\"sha\":\"" C4 "\",\"ref\":\"main\",\"environment\":\"%s\"}}";
	char text[500];

	begin("deployment");
	snprintf(text, sizeof text, body, "staging");
	post("g1", "deployment", text);
	step();
	same_str(queued(), "shop:staging:44", "deployment: what it names");
	snprintf(text, sizeof text, body, "qa");
	post("g2", "deployment", text);
	step();
	outcome("g2", "ignored", "has the environment qa",
		"deployment: nobody has the environment");
}

static void test_needs(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct instant now = {hand.now, hand.now * 1000};
	struct claim claim;

	begin("needs");
	push("g1", "main", C1, C2, FILES("shop/a") "," FILES("api/b"));
	step();
	same_int(store->claim(store, "worker-1", now, 30000, &claim, arena, &err), 0,
		 "needs: claim");
	same_str(claim.order.service, "api", "needs: what the other waits for comes first");
	same_str(claim.order.cause, "{\"delivery\":\"g1\"}", "the order's cause");
	same_str(claim.order.ref, "refs/heads/main", "the order's ref");
	same_int(store->claim(store, "worker-2", now, 30000, &claim, arena, &err), STORE_EMPTY,
		 "needs: the other waits");
}

/* What must become of each of octokit's examples, by its place among those of its event; ""
 * deploys. */
static const struct {
	const char *event;
	const char *reasons[14]; /* NULL ends; the last goes on for the rest */
} verdicts[] = {
	{"push",
	 {"", "simple-tag: the tag was deleted", "simple-tag: the tag was deleted",
	  "simple-tag: the tag was deleted", "none of its files changed: shop",
	  "none of its files changed: shop", "simple-tag: the tag was deleted"}},
	{"release",
	 {"", "0.0.1: only a release's publication", "0.0.1: only a release's publication",
	  "0.0.1: only a release's publication", "0.0.1: only a release's publication",
	  "0.0.1: only a release's publication", "0.0.1: only a release's publication",
	  "0.0.1: only a release's publication", "0.0.1: only a release's publication",
	  "0.0.1: only a release's publication", "", "", "0.0.1: only a release's publication"}},
	{"workflow_run",
	 {"the workflow has not completed", "started by repository_dispatch, not by a push",
	  "started by repository_dispatch, not by a push", "the workflow has not completed"}},
	{"deployment", {"", "has the environment github-pages", "", ""}},
	{"ping", {"a ping: the webhook is set up"}},
	{"pull_request", {"a pull request doesn't deploy by itself"}},
	{"package", {"the event 'package' doesn't deploy anything"}},
	{"create", {"the event 'create' doesn't deploy anything"}},
};

static const char *verdict_of(size_t row, size_t place)
{
	const char *const *reasons = verdicts[row].reasons;

	while (place-- > 0 && reasons[1])
		reasons++;
	return *reasons;
}

static void route_example(size_t row, size_t place, const json_t *example)
{
	autofree char *body = json_dumps(example, JSON_COMPACT);
	const char *want = verdict_of(row, place);
	char name[100], store_name[40];

	snprintf(store_name, sizeof store_name, "example-%zu-%zu", row, place);
	begin(store_name);
	scene.tip = C5;
	post("g", verdicts[row].event, body);
	if (step() != 0)
		bail_out(err.text);
	snprintf(name, sizeof name, "octokit's %s %zu: %.60s", verdicts[row].event, place,
		 *want ? want : "deploys");
	outcome("g", *want ? "ignored" : "deployed", want, name);
}

static void test_examples(void)
{
	json_auto json_t *corpus = json_load_file("tests/npm/node_modules/@octokit/"
						  "webhooks-examples/api.github.com/index.json",
						  0, NULL);
	const json_t *entry;
	size_t i, j;

	if (!corpus) {
		skip("octokit's examples", "tests/npm/node_modules is absent");
		return;
	}
	for (size_t row = 0; row < sizeof verdicts / sizeof verdicts[0]; row++)
		json_array_foreach(corpus, i, entry)
		{
			const json_t *example;

			if (!text_same(json_text(entry, "name"), verdicts[row].event))
				continue;
			json_array_foreach(json_object_get(entry, "examples"), j, example)
				route_example(row, j, example);
		}
}

static void test_package(void)
{
	json_auto json_t *payload = json_load_file("tests/golden/registry_package.json", 0, NULL);
	autofree char *body = json_dumps(payload, JSON_COMPACT);

	begin("package");
	post("g1", "registry_package", body);
	step();
	outcome("g1", "deployed", "package shop:v1.4.0 was published", "registry_package");
	same_str(queued(), "shop:production:6c api:production:6c", "registry_package: its commit");
}

int main(void)
{
	struct settings_rule rules[] = {
		{.on = PUSH, .branches = LIST("main"), .environment = "production"},
		{.on = PUSH,
		 .branches = LIST("ma*"),
		 .tags = LIST("v*"),
		 .environment = "production",
		 .services = LIST("none")},
		{.on = RELEASE, .environment = "production"},
		{.on = WORKFLOW_RUN, .branches = LIST("main"), .environment = "staging"},
		{.on = DEPLOYMENT},
		{.on = REGISTRY_PACKAGE, .packages = LIST("shop"), .environment = "production"},
	};
	struct settings_rule all[] = {
		{.on = PUSH, .environment = "production"},
		{.on = RELEASE, .environment = "production"},
		{.on = WORKFLOW_RUN, .environment = "production"},
		{.on = DEPLOYMENT},
		{.on = REGISTRY_PACKAGE, .environment = "production"},
	};
	const struct field_array all_rules = {.items = all, .count = sizeof all / sizeof all[0]};
	struct settings_repository repositories[] = {
		{.name = "acme/shop",
		 .config = "slipway.yml",
		 .rules = {.items = rules, .count = sizeof rules / sizeof rules[0]}},
		{.name = "Codertocat/Hello-World", .config = "slipway.yml", .rules = all_rules},
		{.name = "octo-org/octo-repo", .config = "slipway.yml", .rules = all_rules},
	};

	scratch_begin();
	log_setup("router", LOG_LEVEL_ERROR, false);
	settings.repositories = (struct field_array){.items = repositories, .count = 3};
	test_push();
	test_paths();
	test_rule_paths();
	test_out_of_order();
	test_older();
	test_put_off();
	test_wrong();
	test_release();
	test_workflow_run();
	test_deployment();
	test_needs();
	test_package();
	test_examples();
	store_free(store);
	return tap_done();
}

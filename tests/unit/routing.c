#include "service/routing.h"

#include "base/text.h"
#include "tap.h"

static struct arena *arena;

/* In the order of settings_rule_events. */
enum { PUSH, RELEASE, WORKFLOW_RUN, DEPLOYMENT, REGISTRY_PACKAGE };

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct routing_verdict decide(const struct event *event, const struct settings_rule *rules,
				     size_t count)
{
	const struct settings_repository repository = {
		.name = "acme/shop", .rules = {.items = (void *)(uintptr_t)rules, .count = count}};
	struct routing_verdict verdict;

	routing_decide(event, &repository, arena, &verdict);
	return verdict;
}

static void chosen(const struct event *event, const struct settings_rule *rules, size_t count,
		   const char *environments, const char *name)
{
	struct routing_verdict verdict = decide(event, rules, count);
	char text[200] = "";

	for (size_t i = 0; i < verdict.count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
			 verdict.choices[i].environment);
	same_str(text, environments, name);
	if (!verdict.why || !*verdict.why)
		ok(false, "a verdict without a reason");
}

static void refused(const struct event *event, const struct settings_rule *rules, size_t count,
		    const char *why, const char *name)
{
	struct routing_verdict verdict = decide(event, rules, count);

	if (verdict.count)
		ok(false, name);
	else
		same_str(verdict.why, why, name);
}

#define CHOSEN(event, rules, ...) \
	chosen(event, rules, sizeof(rules) / sizeof(rules)[0], __VA_ARGS__)
#define REFUSED(event, rules, ...) \
	refused(event, rules, sizeof(rules) / sizeof(rules)[0], __VA_ARGS__)

static void test_push(void)
{
	const struct settings_rule rules[] = {
		{.on = PUSH, .branches = LIST("main"), .environment = "production"},
		{.on = PUSH,
		 .branches = LIST("main", "release/**", "!release/old"),
		 .environment = "staging"},
		{.on = PUSH, .tags = LIST("v*"), .environment = "archive"},
		{.on = RELEASE, .environment = "production"},
	};
	const struct settings_rule only_main[] = {
		{.on = PUSH, .branches = LIST("main"), .environment = "production"}};
	const struct settings_rule any[] = {{.on = PUSH, .environment = "staging"}};
	struct event event = {
		.kind = EVENT_PUSH, .name = "push", .branch = "main", .ref = "refs/heads/main"};

	CHOSEN(&event, rules, "production staging", "push: every rule that fits");
	event.branch = "release/1/2";
	CHOSEN(&event, rules, "staging", "push: a pattern");
	event.branch = "release/old";
	event.ref = "refs/heads/release/old";
	CHOSEN(&event, rules, "", "push: a pattern that takes away");
	event.branch = "feature/x";
	event.ref = "refs/heads/feature/x";
	REFUSED(&event, only_main,
		"pushed to feature/x; this server deploys only main to production",
		"push: why not");
	REFUSED(&event, rules,
		"pushed to feature/x; this server deploys only main to production; main, "
		"release/**, !release/old to staging; tags v* to archive",
		"push: why not, all of it");
	refused(&event, &rules[3], 1, "pushed to feature/x; no rule of acme/shop deploys on push",
		"push: no rule for it");
	CHOSEN(&event, any, "staging", "push: a rule without filters takes any branch");
	event = (struct event){
		.kind = EVENT_PUSH, .name = "push", .tag = "v1", .ref = "refs/tags/v1"};
	CHOSEN(&event, rules, "archive", "push: a tag");
	CHOSEN(&event, only_main, "", "push: a rule for branches isn't for tags");
	CHOSEN(&event, any, "staging", "push: a rule without filters takes tags too");
	event.tag = "main";
	CHOSEN(&event, only_main, "", "push: a tag with a branch's name");
	event = (struct event){
		.kind = EVENT_PUSH, .name = "push", .branch = "v1", .ref = "refs/heads/v1"};
	chosen(&event, &rules[2], 1, "", "push: a rule for tags isn't for branches");
	event.unfit = "the branch was deleted";
	REFUSED(&event, any, "v1: the branch was deleted", "push: unfit for any rule");
}

static void test_release(void)
{
	const struct settings_rule rules[] = {
		{.on = RELEASE, .environment = "production"},
		{.on = RELEASE, .tags = LIST("v*"), .environment = "beta", .prereleases = true},
	};
	struct event event = {
		.kind = EVENT_RELEASE, .name = "release", .tag = "v1", .ref = "refs/tags/v1"};

	CHOSEN(&event, rules, "production beta", "release");
	event.prerelease = true;
	CHOSEN(&event, rules, "beta", "release: a prerelease only where the rule says so");
	event.tag = "x1";
	REFUSED(&event, rules,
		"prerelease x1 was published; this server deploys only full releases to "
		"production; tags v* to beta",
		"release: why not");
	event.prerelease = false;
	CHOSEN(&event, rules, "production", "release: a pattern of tags");
	event.draft = true;
	event.unfit = "the release is a draft";
	CHOSEN(&event, rules, "", "release: a draft");
}

static void test_workflow_run(void)
{
	const struct settings_rule rules[] = {
		{.on = WORKFLOW_RUN,
		 .branches = LIST("main"),
		 .workflows = LIST("CI"),
		 .environment = "production"},
		{.on = PUSH, .environment = "staging"},
	};
	struct event event = {.kind = EVENT_WORKFLOW_RUN,
			      .name = "workflow_run",
			      .branch = "main",
			      .workflow = "CI",
			      .ref = "refs/heads/main"};

	CHOSEN(&event, rules, "production", "workflow_run");
	event.branch = "other";
	CHOSEN(&event, rules, "", "workflow_run: another branch");
	event.branch = "main";
	event.workflow = "Lint";
	REFUSED(&event, rules,
		"workflow 'Lint' succeeded on main; this server deploys only main of workflow CI "
		"to "
		"production",
		"workflow_run: another workflow");
	event.workflow = NULL;
	CHOSEN(&event, rules, "", "workflow_run: a workflow without a name");
	event.workflow = "CI";
	event.unfit = "the workflow ended as failure";
	CHOSEN(&event, rules, "", "workflow_run: failed");
}

static void test_deployment(void)
{
	const struct settings_rule one[] = {{.on = DEPLOYMENT, .environment = "staging"}};
	const struct settings_rule any[] = {{.on = DEPLOYMENT, .branches = LIST("main")}};
	struct event event = {.kind = EVENT_DEPLOYMENT,
			      .name = "deployment",
			      .ref = "main",
			      .environment = "production"};

	REFUSED(&event, one,
		"a deployment of main to production was asked for; this server deploys only "
		"deployments to staging",
		"deployment: its environment must be allowed");
	CHOSEN(&event, any, "production", "deployment: a rule without one takes the event's own");
	event.environment = "staging";
	CHOSEN(&event, one, "staging", "deployment: the rule's environment");
	event.ref = "other";
	CHOSEN(&event, any, "", "deployment: another branch");
}

static void test_package(void)
{
	const struct settings_rule rules[] = {
		{.on = REGISTRY_PACKAGE, .packages = LIST("shop"), .environment = "production"},
		{.on = REGISTRY_PACKAGE, .tags = LIST("v*"), .environment = "staging"},
	};
	struct event event = {.kind = EVENT_REGISTRY_PACKAGE,
			      .name = "registry_package",
			      .package = "shop",
			      .package_tag = "v1",
			      .action = "published",
			      .ref = "x"};

	CHOSEN(&event, rules, "production staging", "registry_package");
	event.package_tag = NULL;
	CHOSEN(&event, rules, "production", "registry_package: no tag");
	event.package = "other";
	REFUSED(&event, rules,
		"package other was published; this server deploys only package shop to production; "
		"tags v* to staging",
		"registry_package: another package");
}

static void test_never(void)
{
	const struct settings_rule rules[] = {{.on = PUSH, .environment = "production"},
					      {.on = DEPLOYMENT}};
	struct event event = {.kind = EVENT_PULL_REQUEST,
			      .name = "pull_request",
			      .branch = "main",
			      .ref = "refs/heads/main",
			      .unfit = "a pull request doesn't deploy by itself"};

	REFUSED(&event, rules, "main: a pull request doesn't deploy by itself", "pull_request");
	event.unfit = NULL;
	CHOSEN(&event, rules, "", "pull_request: even if it were fit");
	event = (struct event){.kind = EVENT_PING, .name = "ping"};
	CHOSEN(&event, rules, "", "ping");
	event = (struct event){.kind = EVENT_OTHER, .name = "star"};
	CHOSEN(&event, rules, "", "another event");
	event = (struct event){.kind = EVENT_PUSH, .name = "push", .branch = "main"};
	refused(&event, NULL, 0, "pushed to main; no rule of acme/shop deploys on push",
		"no rules at all");
}

static void test_long(void)
{
	const char *const main_only[] = {"main", NULL};
	struct settings_rule rules[500];
	struct event event = {
		.kind = EVENT_PUSH, .name = "push", .branch = "x", .ref = "refs/heads/x"};
	struct routing_verdict verdict;

	for (size_t i = 0; i < 500; i++)
		rules[i] = (struct settings_rule){
			.on = PUSH, .branches = main_only, .environment = "production"};
	verdict = decide(&event, rules, 500);
	ok(verdict.count == 0 && strlen(verdict.why) < 500, "many rules don't make a long reason");
}

static void test_paths(void)
{
	ok(routing_any_matches(LIST("docs/**", "!docs/api/**"), LIST("x", "docs/a")), "paths: one");
	ok(!routing_any_matches(LIST("docs/**", "!docs/api/**"), LIST("x", "docs/api/a")),
	   "paths: none");
}

int main(void)
{
	arena = arena_new();
	test_push();
	test_release();
	test_workflow_run();
	test_deployment();
	test_package();
	test_never();
	test_long();
	test_paths();
	arena_free(arena);
	return tap_done();
}

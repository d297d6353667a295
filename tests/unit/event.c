#include "github/event.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "tap.h"

#define A    "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
#define B    "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
#define ZERO "0000000000000000000000000000000000000000"
#define SHOP "\"repository\":{\"full_name\":\"acme/shop\"}"

static struct arena *arena;
static struct err err;

static int read_text(struct event *event, const char *name, const char *text)
{
	json_auto json_t *payload = json_loads(text, 0, NULL);

	if (!payload)
		bail_out("a test's payload is not JSON");
	err.text[0] = '\0';
	return event_read(event, name, payload, arena, &err);
}

static void push(struct event *event, const char *more)
{
	char text[4096];

	snprintf(text, sizeof text, "{%s,\"ref\":\"refs/heads/main\",\"before\":\"" B "\",%s}",
		 SHOP, more);
	if (read_text(event, "push", text) < 0)
		tap_note("%s", err.text);
}

static void test_push(void)
{
	struct event event;

	push(&event, "\"after\":\"" A "\",\"head_commit\":{\"id\":\"" A "\",\"message\":\"x\"},"
		     "\"installation\":{\"id\":7},"
		     "\"commits\":[{\"added\":[\"a\"],\"removed\":[],\"modified\":[\"b/c\"]},"
		     "{\"added\":null,\"removed\":[\"d\"]}]");
	same_int(event.kind, EVENT_PUSH, "push: kind");
	same_str(event.repository, "acme/shop", "push: repository");
	same_str(event.branch, "main", "push: branch");
	same_str(event.commit, A, "push: commit");
	same_str(event.before, B, "push: before");
	same_str(event.installation, "7", "push: installation");
	same_str(event.unfit, NULL, "push: fit to deploy");
	ok(event.paths_known && text_same(event.paths[0], "a") && text_same(event.paths[1], "b/c")
		   && text_same(event.paths[2], "d") && !event.paths[3],
	   "push: the files of all its commits");

	push(&event, "\"after\":\"" A "\",\"commits\":[]");
	ok(!event.paths_known, "push: no commits, files unknown");
	push(&event, "\"after\":\"" A "\",\"forced\":true,\"commits\":[{\"added\":[\"a\"]}]");
	ok(!event.paths_known && event.forced, "push: forced, files unknown");
	push(&event, "\"after\":\"" ZERO "\",\"deleted\":true,\"head_commit\":null");
	same_str(event.unfit, "the branch was deleted", "push: a deleted branch");
	same_str(event.commit, NULL, "push: a deleted branch has no commit");
	push(&event, "\"after\":\"" ZERO "\"");
	ok(event.deleted && event.unfit, "push: deleted, though it doesn't say so");
	push(&event, "\"after\":\"" A "\",\"head_commit\":{\"message\":\"y\\n[skip deploy]\"}");
	ok(event.unfit && strstr(event.unfit, "[skip deploy]"), "push: [skip deploy]");
	push(&event, "\"after\":\"" A "\",\"head_commit\":{\"message\":\"[deploy skip] z\"}");
	ok(event.unfit && strstr(event.unfit, "[skip deploy]"), "push: [deploy skip]");
}

static void test_truncated(void)
{
	cleanup(buf_free) struct buf more = BUF_INIT(1024 * 1024);
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	struct event event;

	for (int i = 0; i < 2048; i++)
		buf_adds(&more, i ? ",{\"added\":[\"a\"]}" : "{\"added\":[\"a\"]}");
	buf_addf(&text,
		 "{" SHOP ",\"ref\":\"refs/heads/main\",\"before\":\"" B "\",\"after\":\"" A "\","
		 "\"commits\":[%s]}",
		 buf_text(&more));
	same_int(read_text(&event, "push", buf_text(&text)), 0, "push of 2048 commits");
	ok(!event.paths_known, "push of 2048 commits: the list may be cut, files unknown");
}

static void test_tag(void)
{
	struct event event;

	read_text(&event, "push",
		  "{" SHOP ",\"ref\":\"refs/tags/v1\",\"before\":\"" ZERO "\","
		  "\"after\":\"" B "\",\"head_commit\":{\"id\":\"" A "\"}}");
	same_str(event.tag, "v1", "tag: name");
	same_str(event.branch, NULL, "tag: no branch");
	same_str(event.commit, A, "an annotated tag's commit is not the tag object");
	same_str(event.before, NULL, "tag: nothing before");
	read_text(&event, "push",
		  "{" SHOP ",\"ref\":\"refs/tags/v1\",\"before\":\"" ZERO "\","
		  "\"after\":\"" B "\",\"head_commit\":null}");
	same_str(event.commit, NULL, "tag: without head_commit it must be looked up");
	read_text(&event, "push",
		  "{" SHOP ",\"ref\":\"refs/notes/x\",\"before\":\"" ZERO "\","
		  "\"after\":\"" B "\"}");
	ok(event.unfit != NULL, "a note is neither branch nor tag");
}

static void run(struct event *event, const char *action, const char *more)
{
	char text[2048];

	snprintf(text, sizeof text,
		 "{" SHOP ",\"action\":\"%s\",\"workflow_run\":{\"head_branch\":\"main\","
		 "\"head_sha\":\"" A "\",\"name\":\"CI\",%s}}",
		 action, more);
	if (read_text(event, "workflow_run", text) < 0)
		tap_note("%s", err.text);
}

#define RUN(status, conclusion, cause, home)                                         \
	"\"status\":\"" status "\",\"conclusion\":" conclusion ",\"event\":\"" cause \
	"\",\"head_repository\":{\"full_name\":\"" home "\"}"

static void test_workflow_run(void)
{
	struct event event;

	run(&event, "completed", RUN("completed", "\"success\"", "push", "acme/shop"));
	same_str(event.unfit, NULL, "workflow_run: successful, from a push, of its own");
	same_str(event.workflow, "CI", "workflow_run: name");
	same_str(event.branch, "main", "workflow_run: branch");
	run(&event, "completed", RUN("completed", "\"success\"", "push", "mallory/shop"));
	ok(event.fork && event.unfit, "workflow_run: a fork's");
	run(&event, "completed",
	    "\"status\":\"completed\",\"conclusion\":\"success\","
	    "\"event\":\"push\",\"head_repository\":null");
	ok(event.fork && event.unfit, "workflow_run: of a repository that is gone");
	run(&event, "completed", RUN("completed", "\"failure\"", "push", "acme/shop"));
	same_str(event.unfit, "the workflow ended as failure", "workflow_run: failed");
	run(&event, "requested", RUN("queued", "null", "push", "acme/shop"));
	same_str(event.unfit, "the workflow has not completed", "workflow_run: not completed");
	run(&event, "completed", RUN("completed", "\"success\"", "pull_request", "acme/shop"));
	ok(event.unfit && strstr(event.unfit, "pull_request"), "workflow_run: of a pull request");
}

static void test_release(void)
{
	struct event event;

	read_text(&event, "release",
		  "{" SHOP ",\"action\":\"published\",\"release\":{"
		  "\"tag_name\":\"v1\",\"draft\":false,\"prerelease\":true}}");
	same_str(event.tag, "v1", "release: tag");
	same_str(event.ref, "refs/tags/v1", "release: ref");
	same_str(event.commit, NULL, "release: the commit must be looked up");
	ok(event.prerelease && !event.unfit, "release: a prerelease is for the rules to judge");
	read_text(&event, "release",
		  "{" SHOP ",\"action\":\"published\",\"release\":{"
		  "\"tag_name\":\"v1\",\"draft\":true}}");
	same_str(event.unfit, "the release is a draft", "release: a draft");
	read_text(&event, "release",
		  "{" SHOP ",\"action\":\"released\",\"release\":{"
		  "\"tag_name\":\"v1\"}}");
	ok(event.unfit != NULL, "release: released comes besides published");
}

static void test_deployment(void)
{
	struct event event;

	read_text(&event, "deployment",
		  "{" SHOP ",\"action\":\"created\",\"deployment\":{\"sha\":\"" A "\","
		  "\"ref\":\"main\",\"environment\":\"production\",\"task\":\"deploy\","
		  "\"payload\":\"any text\"}}");
	same_str(event.environment, "production", "deployment: environment");
	same_str(event.commit, A, "deployment: commit");
	same_str(event.unfit, NULL, "deployment: fit to deploy");
	read_text(&event, "deployment",
		  "{" SHOP ",\"action\":\"created\",\"deployment\":{\"sha\":\"" A "\","
		  "\"ref\":\"main\",\"environment\":\"production\",\"payload\":{\"slipway\":1}}}");
	ok(event.unfit && strstr(event.unfit, "Slipway itself"), "deployment: our own");
	read_text(&event, "deployment",
		  "{" SHOP ",\"action\":\"created\",\"deployment\":{\"sha\":\"" A "\","
		  "\"ref\":\"main\",\"environment\":\"a b\",\"payload\":{}}}");
	ok(event.unfit != NULL, "deployment: a name that no environment can have");
}

static json_t *load(const char *path)
{
	return json_load_file(path, 0, NULL);
}

static void test_registry_package(void)
{
	json_auto json_t *payload = load("tests/golden/registry_package.json");
	json_t *version = json_at(payload, "registry_package.package_version");
	struct event event;

	same_int(event_read(&event, "registry_package", payload, arena, &err), 0,
		 "registry_package: read");
	same_str(event.package, "shop", "registry_package: name");
	same_str(event.package_tag, "v1.4.0", "registry_package: tag");
	same_str(event.commit, "6c62fb45fe66bfb1ea9a66abc38f6a0cc974292b",
		 "registry_package: the commit is the image's label");
	json_object_clear(json_at(version, "container_metadata.labels.all_labels"));
	same_int(event_read(&event, "registry_package", payload, arena, &err), 0,
		 "registry_package: without labels");
	ok(!event.commit && event.unfit, "an image's digest is not taken for a commit");
	json_object_set_new(version, "target_oid", json_string(A));
	same_int(event_read(&event, "registry_package", payload, arena, &err), 0,
		 "registry_package: with a target");
	same_str(event.commit, A, "registry_package: the commit is the target");
}

static void test_pull_request(void)
{
	struct event event;

	read_text(&event, "pull_request",
		  "{" SHOP ",\"action\":\"opened\",\"pull_request\":{\"head\":{\"ref\":\"x\","
		  "\"sha\":\"" A "\",\"repo\":null}}}");
	ok(event.fork && event.unfit, "pull_request: of a fork that is gone");
	read_text(&event, "pull_request",
		  "{" SHOP ",\"action\":\"opened\",\"pull_request\":{\"head\":{\"ref\":\"x\","
		  "\"sha\":\"" A "\",\"repo\":{\"full_name\":\"acme/shop\"}}}}");
	ok(!event.fork && event.unfit, "pull_request: doesn't deploy by itself");
}

static void test_refused(void)
{
	static const struct {
		const char *event, *payload, *says, *name;
	} bad[] = {
		{"push", "[]", "expected an object", "a list for a payload"},
		{"push", "{}", "repository.full_name is missing", "an empty payload"},
		{"push", "{\"repository\":7}", "to be within an object",
		 "a number for a repository"},
		{"push", "{\"repository\":{\"full_name\":\"../etc\"}}", "'../etc'", "a traversal"},
		{"push", "{\"repository\":{\"full_name\":\"a/b/c\"}}", "owner/name", "three parts"},
		{"push", "{\"repository\":{\"full_name\":\"acme/$(id)\"}}", "owner/name",
		 "a shell"},
		{"push",
		 "{" SHOP ",\"ref\":\"refs/heads/-x\",\"before\":\"" A "\",\"after\":\"" A "\"}",
		 "refs/heads/-x", "a branch that looks like an option"},
		{"push",
		 "{" SHOP ",\"ref\":\"refs/heads/a..b\",\"before\":\"" A "\",\"after\":\"" A "\"}",
		 "a ref such as", "two dots in a branch"},
		{"push",
		 "{" SHOP ",\"ref\":\"refs/heads/a\\nb\",\"before\":\"" A "\",\"after\":\"" A "\"}",
		 "a?b", "a newline in a branch"},
		{"push", "{" SHOP ",\"ref\":\"main\",\"before\":\"" A "\",\"after\":\"" A "\"}",
		 "a ref such as", "a short ref"},
		{"push",
		 "{" SHOP ",\"ref\":\"refs/heads/a\",\"before\":\"" A "\",\"after\":\"--upload\"}",
		 "'--upload'", "an option for a commit"},
		{"push",
		 "{" SHOP ",\"ref\":\"refs/heads/a\",\"before\":\"" A "\",\"after\":\"" A "\","
		 "\"commits\":[{\"added\":[7]}]}",
		 "commits[]", "a number for a file"},
		{"push",
		 "{" SHOP ",\"ref\":\"refs/heads/a\",\"before\":\"" A "\",\"after\":\"" A "\","
		 "\"commits\":{}}",
		 "commits is an object", "an object for the commits"},
		{"push", "{" SHOP ",\"installation\":{\"id\":\"7\"}}", "installation.id is a text",
		 "a text for the installation"},
		{"release", "{" SHOP ",\"action\":\"published\",\"release\":{\"tag_name\":\"-t\"}}",
		 "release.tag_name", "a tag that looks like an option"},
		{"release", "{" SHOP ",\"action\":\"published\"}", "release.tag_name is missing",
		 "no release"},
		{"Push", "{}", "a lower-case word", "an event's name in upper case"},
		{"", "{}", "a lower-case word", "an event without a name"},
		{"pu\nsh", "{}", "pu?sh", "an event's name with a newline"},
	};
	struct event event;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char name[120];
		int rc = read_text(&event, bad[i].event, bad[i].payload);

		snprintf(name, sizeof name, "refused: %s", bad[i].name);
		if (!ok(rc < 0 && err.kind == ERR_USAGE && strstr(err.text, bad[i].says)
				&& !strchr(err.text, '\n'),
			name))
			tap_note("%d %s", rc, err.text);
	}
}

static void payload(const char *type, const char *body, const char *want, const char *name)
{
	json_auto json_t *json = NULL;
	int rc = event_payload(&json, type, body, strlen(body), &err);

	if (want)
		same_str(rc == 0 ? json_text(json, "a") : err.text, want, name);
	else
		ok(rc < 0 && err.kind == ERR_USAGE && !json, name);
}

static void test_payload(void)
{
	static const char form[] = "application/x-www-form-urlencoded";

	payload("application/json", "{\"a\":\"b\"}", "b", "JSON");
	payload("Application/JSON; charset=utf-8", "{\"a\":\"b\"}", "b", "JSON with a charset");
	payload(form, "payload=%7B%22a%22%3A%22b+c%26%22%7D", "b c&", "form");
	payload(form, "x=1&payload=%7B%22a%22:%22b%22%7D&y", "b", "form with more fields");
	payload(form, "payload=%7B%7D&payload=%7B%7D", NULL, "a form with two payloads is refused");
	payload(form, "payloads=%7B%7D", NULL, "a form without a payload is refused");
	payload(form, "payload=", NULL, "a form with an empty payload is refused");
	payload(form, "payload=%7", NULL, "a form that is cut is refused");
	payload(form, "payload=%zz", NULL, "a form with wrong escapes is refused");
	payload(form, "", NULL, "an empty form is refused");
	payload("application/json", "", NULL, "an empty body is refused");
	payload("application/json", "{\"a\":\"b\"", NULL, "cut JSON is refused");
	payload("application/json", "{\"a\":1,\"a\":2}", NULL, "a key twice is refused");
	payload("application/jsonx", "{}", NULL, "another type is refused");
	payload(NULL, "{}", NULL, "no type is refused");
}

/* Put each wrong kind of value in each place of the payload in turn: never a crash, and never a
 * text that isn't checked. */
static void spoil(const char *name, json_t *payload_, json_t *at, int *calls)
{
	static const char *const values[] = {"null", "7",   "\"\\u0001 ../-x\"", "[]", "{}",
					     "true", "[7]", "{\"id\":\"x\"}"};
	struct event event;
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(at, next, key, value)
	{
		json_incref(value);
		for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
			json_object_set_new(at, key, json_loads(values[i], JSON_DECODE_ANY, NULL));
			if (event_read(&event, name, payload_, arena, &err) == 0 && event.repository
			    && !text_is_repository(event.repository))
				bail_out("a repository that wasn't checked");
			++*calls;
		}
		json_object_set(at, key, value);
		if (json_is_object(value))
			spoil(name, payload_, value, calls);
		json_decref(value);
	}
}

static void test_corpus(void)
{
	json_auto json_t *corpus = load("tests/npm/node_modules/@octokit/webhooks-examples/"
					"api.github.com/index.json");
	const json_t *entry;
	json_t *example;
	size_t i, j, refused = 0, count = 0;
	int calls = 0;

	if (!corpus) {
		skip("octokit's examples are all read", "tests/npm/node_modules is absent");
		return;
	}
	json_array_foreach(corpus, i, entry)
	{
		const char *name = json_text(entry, "name");

		json_array_foreach(json_object_get(entry, "examples"), j, example)
		{
			struct event event;

			count++;
			if (event_read(&event, name, example, arena, &err) < 0) {
				refused++;
				tap_note("%s %zu: %s", name, j, err.text);
			}
			if (j == 0 && event_read(&event, name, example, arena, &err) == 0
			    && event.kind != EVENT_OTHER)
				spoil(name, example, example, &calls);
		}
	}
	same_int((intmax_t)count, 329, "octokit's examples");
	same_int((intmax_t)refused, 0, "octokit's examples are all read");
	ok(calls > 5000, "spoilt examples don't crash");
}

int main(void)
{
	arena = arena_new();
	test_push();
	test_truncated();
	test_tag();
	test_workflow_run();
	test_release();
	test_deployment();
	test_registry_package();
	test_pull_request();
	test_refused();
	test_payload();
	test_corpus();
	arena_free(arena);
	return tap_done();
}

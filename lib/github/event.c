#include "github/event.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "net/url.h"

/* GitHub lists this many commits of a push at most; a full list may be a cut one. */
#define COMMITS_MAX 2048

static const char *const kind_names[EVENT_KIND_COUNT] = {
	[EVENT_OTHER] = "other",
	[EVENT_PING] = "ping",
	[EVENT_PUSH] = "push",
	[EVENT_RELEASE] = "release",
	[EVENT_WORKFLOW_RUN] = "workflow_run",
	[EVENT_DEPLOYMENT] = "deployment",
	[EVENT_REGISTRY_PACKAGE] = "registry_package",
	[EVENT_PULL_REQUEST] = "pull_request",
};

const char *event_kind_name(enum event_kind kind)
{
	return kind_names[kind];
}

struct reading {
	struct event *event;
	const json_t *payload;
	struct arena *arena;
	struct err *err;
};

/** What a text must be: the check, and its description for the message. */
struct rule {
	bool (*fits)(const char *text);
	const char *expected;
};

/* A value for a message: its beginning, with nothing that could break the line. */
static const char *shown(const struct reading *reading, const char *value)
{
	char *copy = arena_printf(reading->arena, "%.60s", value);

	for (char *at = copy; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	return copy;
}

static const char *type_name(const json_t *json)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",      [JSON_NULL] = "null",
	};

	return names[json_typeof(json)];
}

static int wrong_type(const struct reading *reading, const char *path, const json_t *got,
		      const char *expected)
{
	return err_set(reading->err, ERR_USAGE, 0, "%s: %s is %s, expected %s",
		       reading->event->name, path, type_name(got), expected);
}

static int missing(const struct reading *reading, const char *path)
{
	return err_set(reading->err, ERR_USAGE, 0, "%s: %s is missing", reading->event->name, path);
}

/* *out is NULL when the value, or anything above it, is absent or null: GitHub uses both alike. */
static int look(const struct reading *reading, const char *path, const json_t **out)
{
	const json_t *at = reading->payload;
	const char *key = path;

	*out = NULL;
	while (*key) {
		size_t size = strcspn(key, ".");

		if (!json_is_object(at))
			return wrong_type(reading, path, at, "to be within an object");
		at = json_object_getn(at, key, size);
		if (!at || json_is_null(at))
			return 0;
		key += size + (key[size] == '.');
	}
	*out = at;
	return 0;
}

static int read_text(const struct reading *reading, const char *path, const struct rule *rule,
		     const char **out)
{
	const json_t *json;

	*out = NULL;
	if (look(reading, path, &json) < 0)
		return -1;
	if (!json)
		return 0;
	if (!json_is_string(json))
		return wrong_type(reading, path, json, "a text");
	if (rule && !rule->fits(json_string_value(json)))
		return err_set(reading->err, ERR_USAGE, 0, "%s: %s is '%s', expected %s",
			       reading->event->name, path, shown(reading, json_string_value(json)),
			       rule->expected);
	*out = arena_strdup(reading->arena, json_string_value(json));
	return 0;
}

static int need_text(const struct reading *reading, const char *path, const struct rule *rule,
		     const char **out)
{
	if (read_text(reading, path, rule, out) < 0)
		return -1;
	return *out ? 0 : missing(reading, path);
}

static int read_flag(const struct reading *reading, const char *path, bool *out)
{
	const json_t *json;

	*out = false;
	if (look(reading, path, &json) < 0)
		return -1;
	if (json && !json_is_boolean(json))
		return wrong_type(reading, path, json, "true or false");
	*out = json_is_true(json);
	return 0;
}

static bool fits_short_ref(const char *text)
{
	return text_is_ref(text) && !text_starts(text, "refs/");
}

static bool fits_full_ref(const char *text)
{
	return text_starts(text, "refs/") && text_is_ref(text);
}

/* The all-zero id stands for "nothing" in a push. */
static bool is_zero(const char *text)
{
	size_t zeros = strspn(text, "0");

	return text[zeros] == '\0' && (zeros == 40 || zeros == 64);
}

static bool fits_commit_or_zero(const char *text)
{
	return text_is_commit(text) || is_zero(text);
}

/* Names that only match patterns and go into messages: package, workflow, tag of an image. */
static bool fits_label(const char *text)
{
	size_t size = strlen(text);

	if (size > 255)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool fits_word(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && size <= 100
	       && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == size;
}

static const struct rule repository_rule = {text_is_repository, "owner/name"};
static const struct rule commit_rule = {text_is_commit, "a commit id (40 or 64 hex digits)"};
static const struct rule commit_or_zero_rule = {fits_commit_or_zero,
						"a commit id (40 or 64 hex digits)"};
static const struct rule full_ref_rule = {fits_full_ref, "a ref such as refs/heads/main"};
static const struct rule short_ref_rule = {fits_short_ref, "the name of a branch or tag"};
static const struct rule any_ref_rule = {text_is_ref, "a branch, a tag or a commit id"};
static const struct rule label_rule = {fits_label, "a name of at most 255 bytes"};
static const struct rule word_rule = {fits_word, "a lower-case word"};

static int unfit(const struct reading *reading, const char *why)
{
	if (!reading->event->unfit)
		reading->event->unfit = why;
	return 0;
}

static bool says_skip(const char *message)
{
	return message && (strstr(message, "[skip deploy]") || strstr(message, "[deploy skip]"));
}

/* The branch or tag that a full ref names. */
static void name_ref(struct event *event)
{
	if (text_starts(event->ref, "refs/heads/"))
		event->branch = event->ref + strlen("refs/heads/");
	else if (text_starts(event->ref, "refs/tags/"))
		event->tag = event->ref + strlen("refs/tags/");
}

static int count_paths(const struct reading *reading, const json_t *commit, size_t *count)
{
	static const char *const lists[] = {"added", "removed", "modified"};

	if (!json_is_object(commit))
		return wrong_type(reading, "commits[]", commit, "an object");
	for (size_t i = 0; i < 3; i++) {
		const json_t *list = json_object_get(commit, lists[i]), *path;
		size_t at;

		if (list && !json_is_array(list) && !json_is_null(list))
			return wrong_type(reading, "commits[]'s list of files", list, "a list");
		json_array_foreach(list, at, path) if (!json_is_string(path)) return wrong_type(
			reading, "commits[]'s file", path, "a text");
		*count += json_array_size(list);
	}
	return 0;
}

static void copy_paths(const struct reading *reading, const json_t *commits, size_t count)
{
	static const char *const lists[] = {"added", "removed", "modified"};
	const char **paths = arena_alloc(reading->arena, (count + 1) * sizeof *paths);
	const json_t *commit, *path;
	size_t at, inner, used = 0;

	json_array_foreach(commits, at, commit) for (size_t i = 0; i < 3; i++)
		json_array_foreach(json_object_get(commit, lists[i]), inner, path) paths[used++] =
			arena_strdup(reading->arena, json_string_value(path));
	reading->event->paths = paths;
}

/* A forced push also takes away what older commits brought, and no list shows that. */
static int read_paths(const struct reading *reading)
{
	struct event *event = reading->event;
	const json_t *commits, *commit;
	size_t at, count = 0;

	if (look(reading, "commits", &commits) < 0)
		return -1;
	if (commits && !json_is_array(commits))
		return wrong_type(reading, "commits", commits, "a list");
	json_array_foreach(commits, at,
			   commit) if (count_paths(reading, commit, &count) < 0) return -1;
	event->paths_known = count > 0 && json_array_size(commits) < COMMITS_MAX && !event->forced;
	if (event->paths_known)
		copy_paths(reading, commits, count);
	return 0;
}

/* `after` of an annotated tag is the tag's own id; head_commit has the commit's. */
static int read_pushed_commit(const struct reading *reading)
{
	struct event *event = reading->event;
	const char *after, *head, *message;

	if (need_text(reading, "after", &commit_or_zero_rule, &after) < 0
	    || read_text(reading, "head_commit.id", &commit_rule, &head) < 0
	    || read_text(reading, "head_commit.message", NULL, &message) < 0)
		return -1;
	if (event->deleted || is_zero(after)) {
		event->deleted = true;
		return 0;
	}
	event->commit = event->tag ? head : after;
	if (says_skip(message))
		unfit(reading, "its commit message says [skip deploy]");
	return 0;
}

static int read_push(const struct reading *reading)
{
	struct event *event = reading->event;
	const char *before;

	if (need_text(reading, "ref", &full_ref_rule, &event->ref) < 0
	    || need_text(reading, "before", &commit_or_zero_rule, &before) < 0
	    || read_flag(reading, "deleted", &event->deleted) < 0
	    || read_flag(reading, "forced", &event->forced) < 0)
		return -1;
	name_ref(event);
	if ((event->branch && !fits_short_ref(event->branch))
	    || (event->tag && !fits_short_ref(event->tag)))
		return err_set(reading->err, ERR_USAGE, 0, "push: ref is '%s', expected %s",
			       shown(reading, event->ref), short_ref_rule.expected);
	event->before = is_zero(before) ? NULL : before;
	if (read_pushed_commit(reading) < 0 || read_paths(reading) < 0)
		return -1;
	if (event->deleted)
		return unfit(reading,
			     event->tag ? "the tag was deleted" : "the branch was deleted");
	if (!event->branch && !event->tag)
		return unfit(reading, "it is neither a branch nor a tag");
	return 0;
}

static int read_release(const struct reading *reading)
{
	struct event *event = reading->event;

	if (need_text(reading, "action", &word_rule, &event->action) < 0
	    || need_text(reading, "release.tag_name", &short_ref_rule, &event->tag) < 0
	    || read_flag(reading, "release.draft", &event->draft) < 0
	    || read_flag(reading, "release.prerelease", &event->prerelease) < 0)
		return -1;
	event->ref = arena_printf(reading->arena, "refs/tags/%s", event->tag);
	if (!text_same(event->action, "published"))
		unfit(reading, "only a release's publication deploys");
	if (event->draft)
		unfit(reading, "the release is a draft");
	return 0;
}

/* GitHub gives the name of a tag as head_branch too: whoever decides looks the branch up. */
static int read_workflow_run(const struct reading *reading)
{
	struct event *event = reading->event;
	const char *status, *home, *message;

	if (need_text(reading, "action", &word_rule, &event->action) < 0
	    || read_text(reading, "workflow_run.head_branch", &short_ref_rule, &event->branch) < 0
	    || need_text(reading, "workflow_run.head_sha", &commit_rule, &event->commit) < 0
	    || read_text(reading, "workflow_run.status", &word_rule, &status) < 0
	    || read_text(reading, "workflow_run.conclusion", &word_rule, &event->conclusion) < 0
	    || need_text(reading, "workflow_run.event", &word_rule, &event->cause) < 0
	    || read_text(reading, "workflow_run.name", &label_rule, &event->workflow) < 0
	    || read_text(reading, "workflow_run.head_commit.message", NULL, &message) < 0
	    || read_text(reading, "workflow_run.head_repository.full_name", &repository_rule, &home)
		       < 0)
		return -1;
	event->fork = !home || !text_same_nocase(home, event->repository);
	if (event->branch)
		event->ref = arena_printf(reading->arena, "refs/heads/%s", event->branch);
	if (!text_same(event->action, "completed") || !text_same(status, "completed"))
		return unfit(reading, "the workflow has not completed");
	if (!text_same(event->conclusion, "success"))
		return unfit(reading,
			     arena_printf(reading->arena, "the workflow ended as %s",
					  event->conclusion ? event->conclusion : "nothing yet"));
	if (event->fork)
		return unfit(reading, "the workflow ran for another repository's code");
	if (!text_same(event->cause, "push"))
		return unfit(reading, arena_printf(reading->arena,
						   "the workflow was started by %s, not by a push",
						   event->cause));
	if (!event->branch)
		return unfit(reading, "the workflow ran for no branch");
	if (says_skip(message))
		unfit(reading, "its commit message says [skip deploy]");
	return 0;
}

/* Deployments that Slipway reports to GitHub carry {"slipway": …} in their payload. */
static int read_deployment(const struct reading *reading)
{
	struct event *event = reading->event;
	const json_t *payload;
	const char *task;

	if (need_text(reading, "action", &word_rule, &event->action) < 0
	    || need_text(reading, "deployment.sha", &commit_rule, &event->commit) < 0
	    || need_text(reading, "deployment.ref", &any_ref_rule, &event->ref) < 0
	    || need_text(reading, "deployment.environment", &label_rule, &event->environment) < 0
	    || read_text(reading, "deployment.task", &label_rule, &task) < 0
	    || look(reading, "deployment.payload", &payload) < 0)
		return -1;
	event->deployment = json_integer_at(reading->payload, "deployment.id", 0);
	if (!text_same(event->action, "created"))
		return unfit(reading, "only a deployment's creation deploys");
	if (json_is_object(payload) && json_object_get(payload, "slipway"))
		return unfit(reading, "the deployment was made by Slipway itself");
	if (task && !text_same(task, "deploy"))
		return unfit(reading, arena_printf(reading->arena,
						   "the deployment's task is '%s', not 'deploy'",
						   shown(reading, task)));
	if (!text_is_name(event->environment))
		return unfit(reading, arena_printf(reading->arena,
						   "'%s' can't be the name of an environment here",
						   shown(reading, event->environment)));
	return 0;
}

/* The first of these that is a commit id. target_oid is the image's digest for containers, which
 * looks like a SHA-256 commit id: only 40 digits count there. */
static void find_revision(const struct reading *reading)
{
	static const char version[] = "registry_package.package_version";
	const json_t *found = json_at(reading->payload, version);
	const json_t *labels = json_at(found, "container_metadata.labels");
	const char *texts[] = {
		json_string_value(json_object_get(json_object_get(labels, "all_labels"),
						  "org.opencontainers.image.revision")),
		json_string_value(json_object_get(labels, "org.opencontainers.image.revision")),
		json_string_value(json_object_get(labels, "revision")),
		json_text(found, "target_oid"),
	};

	for (size_t i = 0; i < 4 && !reading->event->commit; i++)
		if (texts[i] && text_is_commit(texts[i]) && (i < 3 || strlen(texts[i]) == 40))
			reading->event->commit = arena_strdup(reading->arena, texts[i]);
}

static int read_registry_package(const struct reading *reading)
{
	struct event *event = reading->event;

	if (need_text(reading, "action", &word_rule, &event->action) < 0
	    || need_text(reading, "registry_package.name", &label_rule, &event->package) < 0
	    || read_text(reading, "registry_package.package_version.container_metadata.tag.name",
			 &label_rule, &event->package_tag)
		       < 0)
		return -1;
	if (event->package_tag && !*event->package_tag)
		event->package_tag = NULL;
	find_revision(reading);
	event->ref = event->commit;
	if (!text_same(event->action, "published") && !text_same(event->action, "updated"))
		return unfit(reading, "only a package's publication or update deploys");
	if (!event->repository)
		return unfit(reading, "the package isn't linked with a repository");
	if (!event->commit)
		return unfit(reading,
			     "the package doesn't say which commit it was made from (label "
			     "org.opencontainers.image.revision)");
	return 0;
}

static int read_pull_request(const struct reading *reading)
{
	struct event *event = reading->event;
	const char *home;

	if (need_text(reading, "action", &word_rule, &event->action) < 0
	    || need_text(reading, "pull_request.head.ref", &short_ref_rule, &event->branch) < 0
	    || need_text(reading, "pull_request.head.sha", &commit_rule, &event->commit) < 0
	    || read_text(reading, "pull_request.head.repo.full_name", &repository_rule, &home) < 0)
		return -1;
	event->fork = !home || !text_same_nocase(home, event->repository);
	event->ref = arena_printf(reading->arena, "refs/heads/%s", event->branch);
	return unfit(reading, event->fork ? "a pull request from a fork never deploys"
					  : "a pull request doesn't deploy by itself");
}

/* What other events have in common is read where it has the usual shape, and not asked for. */
static int read_other(const struct reading *reading)
{
	const char *action = json_text(reading->payload, "action");

	if (action && fits_label(action))
		reading->event->action = arena_strdup(reading->arena, action);
	return unfit(reading, reading->event->kind == EVENT_PING
				      ? "a ping: the webhook is set up"
				      : arena_printf(reading->arena,
						     "the event '%s' doesn't deploy anything",
						     shown(reading, reading->event->name)));
}

static const struct {
	int (*read)(const struct reading *reading);
	bool repository; /* it must name one */
} readers[EVENT_KIND_COUNT] = {
	[EVENT_OTHER] = {read_other, false},
	[EVENT_PING] = {read_other, false},
	[EVENT_PUSH] = {read_push, true},
	[EVENT_RELEASE] = {read_release, true},
	[EVENT_WORKFLOW_RUN] = {read_workflow_run, true},
	[EVENT_DEPLOYMENT] = {read_deployment, true},
	[EVENT_REGISTRY_PACKAGE] = {read_registry_package, false},
	[EVENT_PULL_REQUEST] = {read_pull_request, true},
};

static enum event_kind kind_of(const char *name)
{
	for (int kind = EVENT_PING; kind < EVENT_KIND_COUNT; kind++)
		if (text_same(name, kind_names[kind]))
			return (enum event_kind)kind;
	return EVENT_OTHER;
}

static int read_common(const struct reading *reading)
{
	struct event *event = reading->event;
	const json_t *id;

	if (read_text(reading, "repository.full_name", &repository_rule, &event->repository) < 0
	    || look(reading, "installation.id", &id) < 0)
		return -1;
	if (id && !json_is_integer(id))
		return wrong_type(reading, "installation.id", id, "a number");
	if (id)
		event->installation = arena_printf(reading->arena, "%" JSON_INTEGER_FORMAT,
						   json_integer_value(id));
	if (!event->repository && readers[event->kind].repository)
		return missing(reading, "repository.full_name");
	return 0;
}

int event_read(struct event *out, const char *name, const json_t *payload, struct arena *arena,
	       struct err *err)
{
	struct reading reading = {out, payload, arena, err};

	*out = (struct event){.kind = kind_of(name)};
	if (!fits_word(name))
		return err_set(err, ERR_USAGE, 0, "the event's name is '%s', expected %s",
			       shown(&reading, name), word_rule.expected);
	out->name = arena_strdup(arena, name);
	if (!json_is_object(payload))
		return err_set(err, ERR_USAGE, 0, "%s: the payload is %s, expected an object", name,
			       payload ? type_name(payload) : "missing");
	if (read_common(&reading) < 0)
		return -1;
	return readers[out->kind].read(&reading);
}

static bool is_type(const char *content_type, const char *wanted)
{
	size_t size = strcspn(content_type, "; \t");

	return size == strlen(wanted) && strncasecmp(content_type, wanted, size) == 0;
}

/* The field's raw value within a form, or NULL when there is none or more than one. */
static const char *form_field(const char *body, size_t size, const char *name, size_t *value_size,
			      struct err *err)
{
	size_t name_size = strlen(name);
	const char *at = body, *end = body + size, *found = NULL;

	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		size_t length = (size_t)((stop ? stop : end) - at);

		if (length > name_size && memcmp(at, name, name_size) == 0
		    && at[name_size] == '=') {
			if (found) {
				err_set(err, ERR_USAGE, 0,
					"the form has the field '%s' more than once", name);
				return NULL;
			}
			found = at + name_size + 1;
			*value_size = length - name_size - 1;
		}
		at += length + 1;
	}
	if (!found)
		err_set(err, ERR_USAGE, 0, "the form has no field '%s'", name);
	return found;
}

static int form_payload(json_t **out, const char *body, size_t size, struct err *err)
{
	size_t value_size = 0;
	const char *value = form_field(body, size, "payload", &value_size, err);
	autofree char *copy = NULL;
	long decoded;

	if (!value)
		return -1;
	copy = xalloc(value_size + 1);
	memcpy(copy, value, value_size);
	decoded = url_form_decode(copy, value_size);
	if (decoded < 0)
		return err_set(err, ERR_USAGE, 0,
			       "the form's field 'payload' is not percent-encoded as it should be");
	return json_parse(out, copy, (size_t)decoded, err);
}

int event_payload(json_t **out, const char *content_type, const char *body, size_t size,
		  struct err *err)
{
	int rc;

	*out = NULL;
	if (content_type && is_type(content_type, "application/json"))
		rc = json_parse(out, body, size, err);
	else if (content_type && is_type(content_type, "application/x-www-form-urlencoded"))
		rc = form_payload(out, body, size, err);
	else
		return err_set(err, ERR_USAGE, 0,
			       "the body's content type is '%.60s', expected application/json or "
			       "application/x-www-form-urlencoded",
			       content_type ? content_type : "");
	return rc < 0 ? err_within(err, "read the payload") : 0;
}

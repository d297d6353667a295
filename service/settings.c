#include "service/settings.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "net/url.h"
#include "service/settings_fields.h"
#include "service/settings_secrets.h"

enum { MAX_SIZE = 1024 * 1024 };

/* Everything that reading one file needs. */
struct reading {
	struct fields_reader fields;
	struct mistakes *mistakes;
	struct arena *arena;
	const char *folder;
	struct settings *settings;
};

/* The text of item `index`'s member, when an earlier item has the same. */
static bool is_repeated(const struct field_array *array, size_t size, size_t at, size_t index)
{
	const char *items = array->items;
	const char *text = *(const char *const *)(items + index * size + at);

	for (size_t i = 0; i < index && text; i++)
		if (text_same(text, *(const char *const *)(items + i * size + at)))
			return true;
	return false;
}

static void check_hooks(struct reading *reading, json_t *json)
{
	const struct field_array *hooks = &reading->settings->hooks;
	const struct settings_hook *list = hooks->items;

	for (size_t i = 0; i < hooks->count; i++) {
		json_t *secrets = json_object_get(json_array_get(json, i), "secrets");
		autofree char *path = xprintf("/hooks/%zu/path", i);
		autofree char *at = xprintf("/hooks/%zu/secrets", i);

		if (!secrets || json_is_null(secrets)
		    || (json_is_array(secrets) && json_array_size(secrets) == 0))
			mistakes_add(
				reading->mistakes, at,
				"a hook without a secret would take anyone's deliveries; expected "
				"'secrets: [{file: …}]' with the webhook's secret");
		if (is_repeated(hooks, sizeof *list, offsetof(struct settings_hook, path), i))
			mistakes_add(reading->mistakes, path, "'path': '%s' is another hook's too",
				     list[i].path);
	}
}

static void check_tokens(struct reading *reading)
{
	const struct field_array *tokens = &reading->settings->tokens;
	const struct settings_token *list = tokens->items;

	for (size_t i = 0; i < tokens->count; i++) {
		autofree char *at = xprintf("/tokens/%zu/name", i);

		if (is_repeated(tokens, sizeof *list, offsetof(struct settings_token, name), i))
			mistakes_add(reading->mistakes, at, "'name': '%s' is another token's too",
				     list[i].name);
	}
}

static void finish_github(struct reading *reading)
{
	struct settings *settings = reading->settings;
	json_auto json_t *nothing = json_object();
	struct settings_github *github = settings->github;

	if (!github) {
		github = settings->github = arena_alloc(reading->arena, sizeof *github);
		fields_read(&reading->fields, &(struct fields_part){settings_github_fields, github},
			    1, nothing, "/github");
	} else if (github->app && (github->token.text || github->token.file)) {
		mistakes_add(reading->mistakes, "/github",
			     "'github': expected 'app' or 'token', found both");
	}
	if (github->api && text_ends(github->api, "/"))
		github->api = arena_memdup(reading->arena, github->api, strlen(github->api) - 1);
}

static bool list_has(const char *const *list, const char *word)
{
	for (; list && *list; list++)
		if (text_same(*list, word))
			return true;
	return false;
}

bool settings_has_login(const struct settings *settings)
{
	const struct settings_github *github = settings->github;

	return github->app || github->token.text || github->token.file;
}

bool settings_reports(const struct settings *settings, const char *how)
{
	const char *const *report = settings->github->report;

	if (!settings_has_login(settings))
		return false;
	return report ? list_has(report, how) : !text_same(how, "checks");
}

const char *const *settings_deliveries(const struct settings *settings, struct arena *arena)
{
	static const char *const app[] = {"app", NULL}, *const none[] = {NULL};
	const struct settings_repository *repositories = settings->repositories.items;
	const struct settings_github *github = settings->github;
	const char **list;

	if (!settings_has_login(settings) || list_has(github->deliveries, "none"))
		return none;
	if (github->deliveries)
		return github->deliveries;
	if (settings->listen && settings->hooks.count == 0)
		return none; /* nobody expects any */
	if (github->app)
		return app;
	list = arena_alloc(arena, (settings->repositories.count + 1) * sizeof *list);
	for (size_t i = 0; i < settings->repositories.count; i++)
		list[i] = arena_printf(arena, "repos/%s", repositories[i].name);
	return list;
}

/* What is told and fetched needs somebody to be logged in as, and some of it an App. */
static void check_dealings(struct reading *reading)
{
	const struct settings_github *github = reading->settings->github;
	bool login = settings_has_login(reading->settings);

	if (github->report && !list_has(github->report, "none") && !login)
		mistakes_add(reading->mistakes, "/github/report",
			     "'report': expected 'app' or 'token' beside it: GitHub takes nothing "
			     "from strangers");
	if (list_has(github->report, "checks") && login && !github->app)
		mistakes_add(reading->mistakes, "/github/report",
			     "'checks' can be made by an App only; expected 'app', or 'statuses' "
			     "instead");
	if (github->report && list_has(github->report, "none") && github->report[1])
		mistakes_add(reading->mistakes, "/github/report",
			     "'none' with others beside it; expected it alone");
	if (github->deliveries && !list_has(github->deliveries, "none") && !login)
		mistakes_add(reading->mistakes, "/github/deliveries",
			     "'deliveries': expected 'app' or 'token' beside it: GitHub shows them "
			     "to nobody else");
	if (list_has(github->deliveries, "app") && login && !github->app)
		mistakes_add(reading->mistakes, "/github/deliveries",
			     "'app': there is no 'github: {app: …}'; expected repos/OWNER/NAME");
}

/* Without a port nothing can come in: whatever would is a misunderstanding. */
static void check_closed(struct reading *reading, json_t *json)
{
	struct settings *settings = reading->settings;
	cleanup(arena_freep) struct arena *arena = arena_new();
	static const char *const open[] = {"hooks", "tokens", "anonymous"};

	if (!text_same(settings->listen, "none"))
		return;
	settings->listen = NULL;
	for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
		autofree char *at = yaml_pointer("", open[i]);

		if (json_object_get(json, open[i]))
			mistakes_add_key(reading->mistakes, at,
					 "'%s' means nothing with 'listen: none': nobody can call",
					 open[i]);
	}
	if (!*settings_deliveries(settings, arena))
		mistakes_add(reading->mistakes, "/listen",
			     "'listen: none' needs 'github: {deliveries: …}' and a login there, or "
			     "nobody could ask for a deployment");
}

/* Which of a rule's filters mean something for its event (architecture: nothing is ignored
 * silently). */
static void check_filters(struct reading *reading, const struct settings_rule *rule, json_t *json,
			  const char *pointer)
{
	static const struct {
		const char *name, *events;
	} filters[] = {
		{"branches", "push, workflow_run, deployment"},
		{"tags", "push, release, registry_package"},
		{"paths", "push"},
		{"workflows", "workflow_run"},
		{"packages", "registry_package"},
		{"prereleases", "release"},
	};
	const char *on = settings_rule_events[rule->on];

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		autofree char *at = yaml_pointer(pointer, filters[i].name);

		if (json_object_get(json, filters[i].name) && !strstr(filters[i].events, on))
			mistakes_add_key(reading->mistakes, at,
					 "'%s' means nothing for 'on: %s'; it is for %s",
					 filters[i].name, on, filters[i].events);
	}
}

/* A list of which every pattern takes away matches nothing. */
static void check_patterns(struct reading *reading, const char *const *patterns,
			   const char *pointer, const char *name)
{
	autofree char *at = yaml_pointer(pointer, name);

	if (!patterns || !*patterns)
		return;
	for (; *patterns; patterns++)
		if (**patterns != '!')
			return;
	mistakes_add(reading->mistakes, at,
		     "'%s': every pattern begins with '!' and takes away, so nothing matches; put "
		     "'**' first",
		     name);
}

static void check_rule(struct reading *reading, const struct settings_rule *rule, json_t *json,
		       const char *pointer)
{
	check_patterns(reading, rule->branches, pointer, "branches");
	check_patterns(reading, rule->tags, pointer, "tags");
	check_patterns(reading, rule->paths, pointer, "paths");
	/* No event, or one that isn't there, was said already. */
	if (!json_is_object(json) || rule->on < 0 || !json_object_get(json, "on"))
		return;
	check_filters(reading, rule, json, pointer);
	if (!json_object_get(json, "environment")
	    && !text_same(settings_rule_events[rule->on], "deployment"))
		mistakes_add(reading->mistakes, pointer,
			     "'environment' is missing; 'on: %s' needs one",
			     settings_rule_events[rule->on]);
}

static void check_git(struct reading *reading, struct settings_repository *repository,
		      const char *pointer)
{
	bool password = repository->git_password.text || repository->git_password.file;
	const char *git = repository->git;
	struct url url = {0};
	struct err err = ERR_INIT;

	if (!git)
		return;
	if (!strstr(git, "://")) {
		const char *colon = strchr(git, ':'), *slash = strchr(git, '/');
		autofree char *joined = file_join(reading->folder, git);

		/* host:path is git's short form of an ssh URL. */
		if (!colon || (slash && slash < colon))
			repository->git = arena_strdup(reading->arena, joined);
	} else if (password && text_starts(git, "http://")
		   && url_parse(&url, git, reading->arena, &err) == 0
		   && !url_is_loopback(url.host)) {
		mistakes_add(reading->mistakes, pointer,
			     "'git': the password would travel in the clear; use https://");
	}
}

static void read_source(struct reading *reading, struct settings_repository *repository,
			json_t *source, const char *pointer)
{
	if (!source || text_same(json_string_value(source), "github"))
		return;
	if (!json_is_object(source)) {
		mistakes_add(
			reading->mistakes, pointer,
			"'source': expected github, or {git: URL or path}, found something else");
		return;
	}
	fields_read(&reading->fields, &(struct fields_part){settings_source_fields, repository}, 1,
		    source, pointer);
	check_git(reading, repository, pointer);
}

static void finish_repository(struct reading *reading, const struct settings_repository_text *text,
			      struct settings_repository *repository, json_t *json)
{
	autofree char *pointer = yaml_pointer("/repositories", text->repository.name);
	autofree char *source = yaml_pointer(pointer, "source");
	json_t *deploy = json_object_get(json, "deploy");
	const struct settings_rule *rules;

	*repository = text->repository;
	read_source(reading, repository, text->source, source);
	rules = repository->rules.items;
	for (size_t i = 0; i < repository->rules.count; i++) {
		autofree char *at = xprintf("%s/deploy/%zu", pointer, i);

		check_rule(reading, &rules[i], json_array_get(deploy, i), at);
	}
}

static void finish_repositories(struct reading *reading, const struct field_array *texts,
				json_t *json)
{
	struct field_array *array = &reading->settings->repositories;
	const struct settings_repository_text *text = texts->items;
	struct settings_repository *list;

	list = arena_alloc(reading->arena, (texts->count + 1) * sizeof *list);
	array->items = list;
	array->count = texts->count;
	for (size_t i = 0; i < texts->count; i++) {
		autofree char *at = yaml_pointer("/repositories", text[i].repository.name);

		for (size_t j = 0; j < i; j++)
			if (text_same_nocase(list[j].name, text[i].repository.name))
				mistakes_add_key(
					reading->mistakes, at,
					"'%s' is here already as '%s': GitHub's names don't "
					"differ by case",
					text[i].repository.name, list[j].name);
		finish_repository(reading, &text[i], &list[i],
				  json_object_get(json, text[i].repository.name));
	}
}

static const char *without_end(const char *path, struct arena *arena)
{
	size_t size = path ? strlen(path) : 0;

	while (size > 1 && path[size - 1] == '/')
		size--;
	return path ? arena_memdup(arena, path, size) : NULL;
}

static void read_settings(struct reading *reading, json_t *json)
{
	struct settings_text text = {0};

	if (!json_is_object(json)) {
		mistakes_add(reading->mistakes, "", "expected settings, found %s",
			     json_is_null(json) ? "nothing" : "something else");
		return;
	}
	if (json_object_get(json, "services") && !json_object_get(json, "repositories")) {
		mistakes_add_key(reading->mistakes, "/services",
				 "this is an app's slipway.yml, expected a server's slipwayd.yml; "
				 "an app's file is checked by: slipway check FILE");
		return;
	}
	fields_read(&reading->fields, &(struct fields_part){settings_fields, &text}, 1, json, "");
	text.settings.file = reading->settings->file;
	text.settings.warnings = reading->settings->warnings;
	*reading->settings = text.settings;
	reading->settings->data = without_end(text.settings.data, reading->arena);
	reading->settings->url = without_end(text.settings.url, reading->arena);
	if (!json_object_get(json, "hooks") && !json_object_get(json, "tokens")
	    && !text_same(text.settings.listen, "none"))
		mistakes_add(reading->mistakes, "",
			     "there are neither 'hooks' nor 'tokens', so nobody could ask for a "
			     "deployment");
	check_hooks(reading, json_object_get(json, "hooks"));
	check_tokens(reading);
	finish_github(reading);
	finish_repositories(reading, &text.repositories, json_object_get(json, "repositories"));
	check_dealings(reading);
	check_closed(reading, json);
}

/* With `files`, secrets' files are looked at too. */
static int read_text(struct reading *reading, const char *text, size_t size, bool files,
		     struct err *err)
{
	cleanup(yaml_marks_freep) struct yaml_marks *marks = NULL;
	json_auto json_t *json = NULL;

	if (yaml_parse(&json, &marks, text, size, reading->mistakes, err) < 0)
		return -1;
	reading->mistakes->marks = marks;
	read_settings(reading, json);
	if (files)
		settings_check_secrets(reading->settings, reading->arena, reading->mistakes);
	reading->mistakes->marks = NULL;
	return mistakes_result(reading->mistakes, err);
}

static void begin(struct reading *reading, const char *path, struct arena *arena,
		  struct mistakes *mistakes)
{
	static const char *const no_warnings[] = {NULL};
	struct settings *settings = arena_alloc(arena, sizeof *settings);
	const char *end = strrchr(path, '/');

	settings->file = arena_strdup(arena, path);
	settings->warnings = no_warnings;
	reading->settings = settings;
	reading->arena = arena;
	reading->mistakes = mistakes;
	reading->folder = arena_memdup(arena, path, end > path ? (size_t)(end - path) : 1);
	reading->fields = (struct fields_reader){arena, mistakes, reading->folder};
	if (!mistakes->file)
		mistakes->file = settings->file;
}

int settings_read(struct settings **out, const char *path, const char *text, size_t size,
		  struct arena *arena, struct mistakes *mistakes, struct err *err)
{
	struct reading reading;

	*out = NULL;
	begin(&reading, path, arena, mistakes);
	if (read_text(&reading, text, size, false, err) < 0)
		return -1;
	*out = reading.settings;
	return 0;
}

int settings_load(struct settings **out, const char *path, struct arena *arena,
		  struct mistakes *mistakes, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(MAX_SIZE);
	autofree char *here = getcwd(NULL, 0);
	autofree char *absolute = NULL;
	struct reading reading;

	*out = NULL;
	if (!here)
		return err_errno(err, "find the current folder");
	absolute = file_join(here, path);
	begin(&reading, absolute, arena, mistakes);
	if (file_read(path, &text, err) < 0)
		return -1;
	if (read_text(&reading, buf_text(&text), text.size, true, err) < 0)
		return -1;
	*out = reading.settings;
	return 0;
}

const struct settings_repository *settings_repository(const struct settings *settings,
						      const char *name)
{
	const struct settings_repository *list = settings->repositories.items;

	for (size_t i = 0; i < settings->repositories.count; i++)
		if (text_same_nocase(list[i].name, name))
			return &list[i];
	return NULL;
}

const char *const *settings_environment(void)
{
	return (const char *const *)environ;
}

const char *settings_store(const struct settings *settings, struct arena *arena)
{
	if (!text_same(settings->store, "sqlite"))
		return settings->store;
	return arena_printf(arena, "sqlite://%s/store/slipway.db", settings->data);
}

#include "service/routing.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* A reason is one line; a server with hundreds of rules doesn't make it a page. */
#define LIST_LIMIT 300

/* Not EVENT_KIND_COUNT for those that have no rules. */
static int rule_event(enum event_kind kind)
{
	for (int i = 0; settings_rule_events[i]; i++)
		if (text_same(settings_rule_events[i], event_kind_name(kind)))
			return i;
	return -1;
}

bool routing_matches(const char *const *patterns, const char *text)
{
	bool matches = false;

	for (; *patterns; patterns++) {
		bool takes_away = **patterns == '!';

		if (text_matches(*patterns + takes_away, text))
			matches = !takes_away;
	}
	return matches;
}

bool routing_any_matches(const char *const *patterns, const char *const *files)
{
	for (; *files; files++)
		if (routing_matches(patterns, *files))
			return true;
	return false;
}

static bool allows(const char *const *patterns, const char *text)
{
	return !patterns || (text && routing_matches(patterns, text));
}

/* As in a workflow: a rule that names only branches is not for tags, and the other way round. */
static bool fits_push(const struct settings_rule *rule, const struct event *event)
{
	if (event->tag)
		return rule->tags ? routing_matches(rule->tags, event->tag) : !rule->branches;
	return rule->branches ? routing_matches(rule->branches, event->branch) : !rule->tags;
}

static bool fits_release(const struct settings_rule *rule, const struct event *event)
{
	return allows(rule->tags, event->tag) && (!event->prerelease || rule->prereleases);
}

static bool fits_workflow_run(const struct settings_rule *rule, const struct event *event)
{
	return allows(rule->branches, event->branch) && allows(rule->workflows, event->workflow);
}

static const char *short_ref(const char *ref)
{
	static const char *const prefixes[] = {"refs/heads/", "refs/tags/"};

	for (size_t i = 0; i < 2; i++)
		if (text_starts(ref, prefixes[i]))
			return ref + strlen(prefixes[i]);
	return ref;
}

static bool fits_deployment(const struct settings_rule *rule, const struct event *event)
{
	return (!rule->environment || text_same(rule->environment, event->environment))
	       && allows(rule->branches, short_ref(event->ref));
}

static bool fits_registry_package(const struct settings_rule *rule, const struct event *event)
{
	return allows(rule->packages, event->package) && allows(rule->tags, event->package_tag);
}

static bool (*const fits[EVENT_KIND_COUNT])(const struct settings_rule *rule,
					    const struct event *event) = {
	[EVENT_PUSH] = fits_push,
	[EVENT_RELEASE] = fits_release,
	[EVENT_WORKFLOW_RUN] = fits_workflow_run,
	[EVENT_DEPLOYMENT] = fits_deployment,
	[EVENT_REGISTRY_PACKAGE] = fits_registry_package,
};

static const char *describe(const struct event *event, struct arena *arena)
{
	switch (event->kind) {
	case EVENT_PUSH:
		return event->tag ? arena_printf(arena, "tag %s was pushed", event->tag)
				  : arena_printf(arena, "pushed to %s", event->branch);
	case EVENT_RELEASE:
		return arena_printf(arena, "%s %s was published",
				    event->prerelease ? "prerelease" : "release", event->tag);
	case EVENT_WORKFLOW_RUN:
		return arena_printf(arena, "workflow '%s' succeeded on %s",
				    event->workflow ? event->workflow : "", event->branch);
	case EVENT_DEPLOYMENT:
		return arena_printf(arena, "a deployment of %s to %s was asked for",
				    short_ref(event->ref), event->environment);
	case EVENT_REGISTRY_PACKAGE:
		return arena_printf(arena, "package %s%s%s was %s", event->package,
				    event->package_tag ? ":" : "",
				    event->package_tag ? event->package_tag : "", event->action);
	default:
		return event->name;
	}
}

static void add_patterns(struct buf *out, const char *before, const char *const *patterns)
{
	const char *between = before;

	for (; patterns && *patterns; patterns++) {
		buf_addf(out, "%s%s", between, *patterns);
		between = ", ";
	}
}

/* What a rule without filters takes. */
static const char *rule_subject(const struct settings_rule *rule)
{
	static const struct {
		const char *event, *subject;
	} subjects[] = {
		{"push", "pushes"},
		{"workflow_run", "workflow runs"},
		{"deployment", "deployments"},
		{"registry_package", "packages"},
	};

	for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
		if (text_same(settings_rule_events[rule->on], subjects[i].event))
			return subjects[i].subject;
	return rule->prereleases ? "releases" : "full releases";
}

/* "main to production", "tags v* to production", "any branch to staging". */
static void add_rule(struct buf *out, const struct settings_rule *rule)
{
	size_t before = out->size;

	add_patterns(out, "", rule->branches);
	add_patterns(out, out->size > before ? " and tags " : "tags ", rule->tags);
	add_patterns(out, out->size > before ? " of workflow " : "workflow ", rule->workflows);
	add_patterns(out, out->size > before ? " of package " : "package ", rule->packages);
	if (out->size == before)
		buf_adds(out, rule_subject(rule));
	buf_addf(out, " to %s", rule->environment ? rule->environment : "any environment");
}

/* Why none of the rules fits: what they would take instead. */
static const char *explain(const char *what, int on, const struct settings_repository *repository,
			   struct arena *arena)
{
	cleanup(buf_free) struct buf list = BUF_INIT(65536);
	const struct settings_rule *rules = repository->rules.items;
	size_t same = 0;

	for (size_t i = 0; i < repository->rules.count; i++) {
		if (rules[i].on != on)
			continue;
		buf_adds(&list, same++ ? "; " : "");
		add_rule(&list, &rules[i]);
	}
	if (same == 0)
		return arena_printf(arena, "%s; no rule of %s deploys on %s", what,
				    repository->name, settings_rule_events[on]);
	return arena_printf(arena, "%s; this server deploys only %.*s%s", what, LIST_LIMIT,
			    buf_text(&list), list.size > LIST_LIMIT ? "…" : "");
}

void routing_decide(const struct event *event, const struct settings_repository *repository,
		    struct arena *arena, struct routing_verdict *out)
{
	const struct settings_rule *rules = repository->rules.items;
	int on = rule_event(event->kind);

	*out = (struct routing_verdict){0};
	if (event->unfit || on < 0) {
		const char *why = event->unfit ? event->unfit : "nothing that deploys";

		out->why = event->ref ? arena_printf(arena, "%s: %s", short_ref(event->ref), why)
				      : why;
		return;
	}
	out->why = describe(event, arena);
	out->choices = arena_alloc(arena, (repository->rules.count + 1) * sizeof *out->choices);
	for (size_t i = 0; i < repository->rules.count; i++)
		if (rules[i].on == on && fits[event->kind](&rules[i], event))
			out->choices[out->count++] = (struct routing_choice){
				.environment = rules[i].environment ? rules[i].environment
								    : event->environment,
				.services = rules[i].services,
				.paths = rules[i].paths,
			};
	if (out->count == 0)
		out->why = explain(out->why, on, repository, arena);
}

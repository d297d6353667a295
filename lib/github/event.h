#ifndef GITHUB_EVENT_H
#define GITHUB_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* What a webhook's payload says, in one form for all events. Nothing here decides. */

enum event_kind {
	EVENT_OTHER, /* authentic, but nothing that deploys */
	EVENT_PING,
	EVENT_PUSH,
	EVENT_RELEASE,
	EVENT_WORKFLOW_RUN,
	EVENT_DEPLOYMENT,
	EVENT_REGISTRY_PACKAGE,
	EVENT_PULL_REQUEST,
	EVENT_KIND_COUNT
};

struct event {
	enum event_kind kind;
	const char *name, *action;  /* "push"; action NULL when it has none */
	const char *repository;     /* "acme/shop"; NULL when it names none */
	const char *installation;   /* App installation id as text; NULL */
	const char *branch, *tag;   /* at most one; without refs/… */
	const char *ref;            /* refs/heads/main, as a person would name it; NULL */
	const char *commit;         /* whole id; NULL when it must be looked up from `ref` */
	const char *before;         /* push: NULL when created */
	bool deleted, forced, fork; /* fork: the code comes from another repository */
	bool prerelease, draft;
	const char *conclusion, *cause; /* workflow_run: conclusion and the event that started it */
	const char *workflow;           /* workflow_run: its name */
	const char *environment;        /* deployment: what it names */
	int64_t deployment;             /* deployment: its id; 0 */
	const char *package, *package_tag; /* registry_package: name; tag may be NULL */
	const char *const *paths; /* push: changed files, NULL-ended; valid if paths_known */
	bool paths_known;         /* false: truncated, or the payload lists none */
	const char *unfit; /* why it can't deploy by itself: "the branch was deleted"; NULL */
};

/**
 * Read a payload. Values are validated (names, refs, commit ids: what isn't valid is ERR_USAGE, as
 * is a payload that isn't of its event's shape). Strings live in the arena.
 */
int event_read(struct event *out, const char *name, const json_t *payload, struct arena *arena,
	       struct err *err) MUST_CHECK;

/** The JSON text within a body: itself, or the `payload` field of a form. Decoded in place in the
 * arena's copy. ERR_USAGE when there is none. */
int event_payload(json_t **out, const char *content_type, const char *body, size_t size,
		  struct err *err) MUST_CHECK;

/** "push", …; "other" */
const char *event_kind_name(enum event_kind kind);

#endif

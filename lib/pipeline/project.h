#ifndef PIPELINE_PROJECT_H
#define PIPELINE_PROJECT_H

#include "base/fields.h"
#include "base/mistakes.h"
#include "target/target.h"

/* slipway.yml, read and checked. All of it lives in one arena. */

struct project_environment {
	const char *name;
	const struct target *target;
	void *settings; /* of target->fields */
};

struct project_build {
	const char *const *run;        /* argv; NULL */
	const char *dockerfile;        /* from the service's folder; NULL */
	const char *target;            /* stage of it; NULL: the last */
	const char *platform;          /* "linux/amd64"; NULL: the engine's own */
	const struct field_pair *args; /* build arguments; may be NULL */
	int64_t timeout;
};

struct project_command {
	const char *const *run;
	int64_t timeout;
};

struct project_service {
	const char *name;
	const char *path;            /* folder relative to the repository's root; "." */
	const char *const *watch;    /* more paths whose changes concern it; may be NULL */
	struct project_build *build; /* NULL: nothing to build */
	struct project_command *test, *release; /* NULL: none */
	const char *const *start;
	struct health health;
	const struct field_pair *env;
	const char *const *secrets; /* names; NULL */
	const char *const *needs;   /* names of services; NULL */
	struct project_environment *environments;
	size_t environment_count;
};

struct project {
	struct project_service *services;
	size_t service_count;
};

/** Read slipway.yml. `name` is used in messages. -1 with all mistakes in *mistakes. */
int project_read(struct project **out, const char *name, const char *text, size_t size,
		 struct arena *arena, struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** The same from a file. ERR_ABSENT when there is none. */
int project_load(struct project **out, const char *path, struct arena *arena,
		 struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** What a caller says of an environment in the place of slipway.yml. */
struct project_override {
	const char *service; /* NULL: every service, or every one that has the environment */
	const char *environment;
	const char *target;   /* NULL: the one that slipway.yml says */
	const char *settings; /* a mapping in YAML; NULL: none */
	const char *name;     /* of the settings, for messages: "input 'settings'" */
};

/**
 * Change a project that was read from this text: settings replace those of the same name; with
 * another target all of them are replaced. An environment that slipway.yml hasn't is added when
 * the target is given. -1 with all mistakes in *mistakes, whose file is override->name then.
 */
int project_override(struct project *project, const char *text, size_t size,
		     const struct project_override *override, struct arena *arena,
		     struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** NULL when there is none of that name. */
const struct project_service *project_service(const struct project *project, const char *name);
const struct project_environment *project_environment(const struct project_service *service,
						      const char *name);

/** Does a change of these files (relative to the repository's root) concern the service? */
bool project_concerns(const struct project_service *service, const char *const *paths);

/** The JSON Schema (draft-07) of slipway.yml; new reference. */
json_t *project_schema(void);

/** The settings of slipway.yml as Markdown, for docs/. */
void project_markdown(struct buf *out);

#endif

#ifndef SERVICE_SETTINGS_H
#define SERVICE_SETTINGS_H

#include "base/fields.h"
#include "base/mistakes.h"

/* slipwayd.yml. Secrets are read by the process that may have them, with secret_read(). */

struct settings_hook {
	const char *path;           /* "/hooks/github" */
	struct field_array secrets; /* of struct settings_secret */
};

struct settings_secret {
	struct secret secret;
};

struct settings_token {
	const char *name;
	struct secret secret;
	const char *const *may; /* read, metrics, redeploy, rollback */
};

struct settings_app {
	const char *id;
	struct secret key;
};

struct settings_github {
	const char *api;
	struct settings_app *app;      /* NULL */
	struct secret token;           /* both members NULL: none */
	const char *const *report;     /* as what GitHub is told: deployments, statuses, checks;
					  none. NULL: the usual */
	const char *const *deliveries; /* whose deliveries are looked through: app,
					  repos/OWNER/NAME, …; none. NULL: the usual */
	int64_t poll;                  /* seconds from one look to the next */
};

/** One rule of a repository's `deploy:`. */
struct settings_rule {
	int on; /* index into settings_rule_events */
	const char *const *branches, *const *tags, *const *paths; /* patterns; NULL: any */
	const char *const *workflows; /* workflow_run: names; NULL: any */
	const char *const *packages;  /* registry_package: names; NULL: any */
	const char *const *services;  /* NULL: all that have the environment */
	const char *environment;      /* required, but for deployment: NULL takes the event's own */
	bool prereleases;
};
/** push release workflow_run deployment registry_package; NULL-ended. */
extern const char *const settings_rule_events[];

struct settings_repository {
	const char *name;           /* acme/shop */
	const char *git;            /* source {git: …}: URL or path; NULL: GitHub's tarball */
	struct secret git_password; /* for the git URL; may be unset */
	const char *git_user;
	const char *config;         /* "slipway.yml" */
	struct field_array rules;   /* of struct settings_rule */
	struct field_array secrets; /* of struct settings_value: what services may name */
};

struct settings_value {
	const char *name;
	struct secret value;
};

struct settings {
	const char *listen; /* NULL: nowhere */
	const char *url;    /* where people reach it, without a '/' at its end; NULL */
	const char *data, *store;
	struct field_array hooks, tokens;
	const char *const *anonymous;
	struct settings_github *github; /* never NULL after loading */
	int64_t workers;
	struct field_array repositories;
	const char *log_format;      /* "text" or "json" */
	const char *path;            /* PATH of build and test children */
	const char *docker;          /* the engine's socket; NULL: none may be used */
	const char *file;            /* absolute path of the file itself */
	const char *const *warnings; /* of settings_load, for the log; NULL-ended, never NULL */
};

/** Check a text that stands for the file at `path` (absolute; relative names are relative to its
 * folder). Secrets' files are not looked at: a role reads the text that the supervisor checked. */
int settings_read(struct settings **out, const char *path, const char *text, size_t size,
		  struct arena *arena, struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** Read and check all of it, secrets' files included (they must be readable, but aren't kept). */
int settings_load(struct settings **out, const char *path, struct arena *arena,
		  struct mistakes *mistakes, struct err *err) MUST_CHECK;

/** The repository of that name, or NULL. */
const struct settings_repository *settings_repository(const struct settings *settings,
						      const char *name);

/** Is there a login, so that GitHub can be told something and asked for what was missed? */
bool settings_has_login(const struct settings *settings);

/** Is GitHub told that way ("statuses")? */
bool settings_reports(const struct settings *settings, const char *how);

/** Whose deliveries are looked through, in the arena; NULL-ended and never NULL. */
const char *const *settings_deliveries(const struct settings *settings, struct arena *arena);

/** The store's URL: sqlite in the data folder, or as given. */
const char *settings_store(const struct settings *settings, struct arena *arena);

/** What this process was started with, for clouds: "NAME=value", NULL-ended. */
const char *const *settings_environment(void);

/** The settings of slipwayd.yml as Markdown, and as a JSON Schema (draft-07; new reference). */
void settings_markdown(struct buf *out);
json_t *settings_schema(void);

#endif

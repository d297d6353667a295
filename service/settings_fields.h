#ifndef SERVICE_SETTINGS_FIELDS_H
#define SERVICE_SETTINGS_FIELDS_H

#include "service/settings.h"

/* The tables of slipwayd.yml, and the structs that they fill. Only settings.c reads by them. */

enum { SETTINGS_MAX_NAMED = 1000, SETTINGS_MAX_HOOKS = 100, SETTINGS_MAX_TOKENS = 100 };

/** `into` is a struct settings_text. */
extern const struct field settings_fields[];

struct settings_text {
	struct settings settings;
	struct field_array repositories; /* of struct settings_repository_text */
};

struct settings_repository_text {
	struct settings_repository repository;
	json_t *source; /* "github", or an object for source_fields; NULL: github */
};

/** `into` is a struct settings_repository. */
extern const struct field settings_source_fields[];

/** `into` is a struct settings_github. */
extern const struct field settings_github_fields[];

#endif

#ifndef PIPELINE_PROJECT_FIELDS_H
#define PIPELINE_PROJECT_FIELDS_H

#include "pipeline/project.h"

/* The tables of slipway.yml, and the structs that they fill. Only project.c reads by them. */

enum { PROJECT_MAX_SERVICES = 100, PROJECT_TARGET_FIELDS = 2 };

struct project_text {
	int64_t version;
	struct field_array services; /* of struct project_service_text */
};

struct project_service_text {
	struct project_service service;
	struct health *health;
	json_t *environments;
};

struct project_target_name {
	const char *target;
};

extern const struct field project_fields[];

/** The table of what every environment has, whatever its target; its choices live in the arena. */
void project_target_fields(struct field fields[PROJECT_TARGET_FIELDS], struct arena *arena);

/** The health settings of a service that says nothing about them. */
void project_health_default(const struct fields_reader *reader, struct health *health);

#endif

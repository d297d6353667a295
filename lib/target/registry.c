#include <string.h>

#include "target/target.h"

extern const struct target target_server;

const struct target *const targets[] = {&target_server, NULL};

void target_fact(struct deploy *deploy, const char *name, const char *value)
{
	json_object_set_new(deploy->facts, name, json_string(value));
}

const struct target *target_find(const char *name)
{
	for (size_t i = 0; targets[i]; i++)
		if (strcmp(targets[i]->name, name) == 0)
			return targets[i];
	return NULL;
}

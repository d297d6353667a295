#include <string.h>

#include "target/target.h"

extern const struct target target_server, target_app_runner, target_ecs_express;

const struct target *const targets[] = {&target_server, &target_app_runner, &target_ecs_express,
					NULL};

void target_fact(struct deploy *deploy, const char *name, const char *value)
{
	json_object_set_new(deploy->facts, name, json_string(value));
}

void target_let_go(struct deploy *deploy)
{
	if (deploy->let_go)
		deploy->let_go(deploy->held);
	deploy->held = NULL;
	deploy->let_go = NULL;
}

const struct target *target_find(const char *name)
{
	for (size_t i = 0; targets[i]; i++)
		if (strcmp(targets[i]->name, name) == 0)
			return targets[i];
	return NULL;
}

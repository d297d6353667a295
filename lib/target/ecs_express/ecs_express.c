/* Target ecs-express: a service of Amazon ECS in Express Mode, from an image. */

#include "target/ecs_express/settings.h"
#include "target/ecs_express/steps.h"

extern const struct target target_ecs_express;

const struct target target_ecs_express = {
	.name = "ecs-express",
	.summary = "a service of Amazon ECS in Express Mode, from an image in ECR or elsewhere",
	.fields = express_fields,
	.settings_size = sizeof(struct express_settings),
	.check = express_check,
	.publish = express_publish,
	.shift = express_shift,
	.probe = express_probe,
	.rollback = express_rollback,
	.retire = express_retire,
	.logs = express_logs,
	.plan = express_plan,
};

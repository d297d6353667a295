#include "action/command.h"
#include "base/json.h"
#include "pipeline/project.h"

static int schema(const struct call *call, struct err *err)
{
	json_auto json_t *json = project_schema();

	if (json_dumpf(json, call->out, JSON_INDENT(2)) || fputs("\n", call->out) < 0)
		return err_errno(err, "write the schema");
	return 0;
}

const struct command command_schema = {
	.name = "schema",
	.summary = "print the JSON Schema of slipway.yml",
	.description = "Prints a JSON Schema (draft-07) made from the same tables that slipway "
		       "reads the file "
		       "with. Editors check and complete a slipway.yml by it.",
	.examples = " slipway schema >slipway.schema.json",
	.run = schema,
};

#include "action/setup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"

#define CONFIG_LIMIT (1024 * 1024)

/* Has it the keys of a server's file, and none of a project's? */
static bool is_servers(const char *path)
{
	static const char *const keys[] = {"hooks", "listen", "repositories", "workers"};
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(path);
	cleanup(yaml_marks_freep) struct yaml_marks *marks = NULL;
	cleanup(buf_free) struct buf text = BUF_INIT(CONFIG_LIMIT);
	json_auto json_t *json = NULL;
	struct err err = ERR_INIT;

	if (file_read(path, &text, &err)
	    || yaml_parse(&json, &marks, buf_text(&text), text.size, &mistakes, &err)
	    || json_object_get(json, "services"))
		return false;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (json_object_get(json, keys[i]))
			return true;
	return false;
}

static int check(const struct call *call, struct err *err)
{
	const char *file = call->options.operand ? call->options.operand : "slipway.yml";
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct project *project = NULL;

	if (is_servers(file))
		return err_set(err, ERR_USAGE, 0,
			       "%s is a server's file; it is checked by: slipwayd check %s", file,
			       file);
	if (setup_project(&project, file, call, arena, err))
		return -1;
	fprintf(call->out, "%s: good\n", file);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct project_service *service = &project->services[i];

		for (size_t j = 0; j < service->environment_count; j++)
			fprintf(call->out, "  %s in %s: target %s\n", service->name,
				service->environments[j].name,
				service->environments[j].target->name);
	}
	return 0;
}

const struct command command_check = {
	.name = "check",
	.summary = "validate a slipway.yml: every mistake, not only the first",
	.operand = "[FILE]",
	.description =
		"Reads the file (slipway.yml when none is named) and prints every mistake with its "
		"line and column, each on a line of its own, on standard error. A server's "
		"slipwayd.yml "
		"is checked by slipwayd check.",
	.examples = " slipway check\n slipway check services/shop/slipway.yml",
	.run = check,
};

/* A file that a stranger wrote, as slipway.yml and as slipwayd.yml. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/project.h"
#include "service/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the file holds, a message is printable text, a line each. */
static void check_mistakes(const struct mistakes *mistakes, int failed, const struct err *err)
{
	const char *text = buf_text(&mistakes->text);

	assert((mistakes->count > 0) == (failed < 0));
	assert(!failed || (err->kind == ERR_USAGE && *err->text && !strchr(err->text, '\n')));
	assert(buf_full(&mistakes->text) || text_is_utf8(text, mistakes->text.size));
	for (; *text; text++)
		assert(*text == '\n' || (unsigned char)*text >= 0x20);
}

static void read_project(const char *text, size_t size)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f");
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct project *project;
	struct err err = ERR_INIT;
	int failed = project_read(&project, "f", text, size, arena, &mistakes, &err);

	check_mistakes(&mistakes, failed, &err);
	assert(failed ? !project : project->service_count > 0);
	for (size_t i = 0; project && i < project->service_count; i++) {
		const struct project_service *service = &project->services[i];

		assert(text_is_name(service->name) && *service->path != '/');
		assert(service->environment_count > 0 && service->environments[0].target);
		(void)project_concerns(service, (const char *const[]){"web/app.py", NULL});
	}
}

static void read_settings(const char *text, size_t size)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("f");
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct settings *settings;
	struct err err = ERR_INIT;
	int failed = settings_read(&settings, "/f", text, size, arena, &mistakes, &err);

	check_mistakes(&mistakes, failed, &err);
	assert(failed || (settings->github && settings->workers > 0 && settings->data[0] == '/'));
	for (size_t i = 0; settings && i < settings->hooks.count; i++) {
		const struct settings_hook *hooks = settings->hooks.items;

		assert(hooks[i].secrets.count > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_project((const char *)data, size);
	read_settings((const char *)data, size);
	return 0;
}

#include <stddef.h>

#include "action/launch.h"
#include "base/clock.h"
#include "base/file.h"
#include "net/http.h"
#include "target/target.h"

static int down(const struct call *call, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(http_freep) struct http *http = NULL;
	cleanup(file_close_at) int lock = -1;
	cleanup(engine_freep) struct engine *engine = NULL;
	struct site site = {.clock = &clock_system};
	const char *docker;

	if (setup_data(&site.data, call, arena, err) || setup_docker(&docker, call, err))
		return -1;
	if (!file_exists(site.data))
		return err_set(err, ERR_USAGE, 0,
			       "there is no data folder %s, so nothing runs from it", site.data);
	if (http_curl_new(&http, "slipway", err) || launch_lock(&lock, site.data, err))
		return -1;
	site.http = http;
	if (docker)
		engine = engine_new(docker,
				    &(struct engine_site){.http = http, .clock = &clock_system});
	site.engine = engine;
	for (size_t i = 0; targets[i]; i++)
		if (targets[i]->down && targets[i]->down(&site, err))
			return -1;
	fprintf(call->out, "apps and gateway of %s stopped\n", site.data);
	return 0;
}

static const struct option options[] = {OPTION_DATA, OPTION_DOCKER, {0}};

const struct command command_down = {
	.name = "down",
	.summary = "stop the apps and the gateway of a data folder",
	.description =
		"Ends every app that was deployed with this data folder, and the gateway. Releases "
		"and what is known of them stay: the next deploy or rollback of an app starts it "
		"again, and a slipwayd with the same data folder starts all of them.",
	.options = options,
	.examples = " slipway down",
	.run = down,
};

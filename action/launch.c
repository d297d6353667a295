#include "action/launch.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/inputs.h"
#include "action/stop.h"
#include "action/watcher.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"
#include "net/http.h"
#include "pipeline/pipeline.h"
#include "pipeline/work.h"

#define CHILD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* One order of all of the data folder's: a later one has a larger number. The lock is held. */
static int next_fence(int64_t *fence, const char *data, struct err *err)
{
	autofree char *path = file_join(data, "fence");
	cleanup(buf_free) struct buf text = BUF_INIT(64);
	char number[32];
	int64_t last = 0;

	if (file_exists(path)) {
		if (file_read(path, &text, err)
		    || text_number(buf_text(&text), 0, INT64_MAX - 1, &last, err))
			return err_within(err, "read %s", path);
	}
	*fence = last + 1;
	snprintf(number, sizeof number, "%lld", (long long)*fence);
	return file_write(path, number, strlen(number), 0600, err);
}

int launch_lock(int *lock, const char *data, struct err *err)
{
	autofree char *path = file_join(data, "lock");

	if (file_make_dirs(data, 0700, err))
		return -1;
	*lock = file_lock(path, false, err);
	if (*lock < 0 && err->kind == ERR_CONFLICT)
		return err_set(err, ERR_CONFLICT, 0,
			       "another slipway works with the data folder %s; wait for it, or "
			       "give another with --data",
			       data);
	return *lock < 0 ? -1 : 0;
}

/* What an earlier slipway that was killed left running, and its work folder. The lock is held. */
static int tidy_up(const char *data, struct err *err)
{
	autofree char *work = file_join(data, "work");
	DIR *folder = opendir(work);
	const struct dirent *entry;
	int result = 0;

	while (folder && result == 0 && (entry = readdir(folder))) {
		autofree char *job = xprintf("SLIPWAY_JOB=%s#%s", data, entry->d_name);
		autofree char *path = file_join(work, entry->d_name);

		if (entry->d_name[0] != 'h')
			continue; /* not by hand: a slipwayd may be at it */
		(void)child_kill_marked(job);
		result = file_remove_tree(path, err);
	}
	if (folder)
		closedir(folder);
	return result;
}

static int make_plan(struct plan *plan, const struct setup *setup, const struct launch *launch,
		     const struct project_service *service, struct arena *arena, struct err *err)
{
	char key[11];
	autofree char *work = NULL;

	crypto_random_hex(key, sizeof key - 1);
	key[0] = 'h'; /* by hand: never the number of a service's deployment */
	work = work_folder(setup->data, key);
	*plan = (struct plan){
		.project = setup->project,
		.service = service->name,
		.environment = setup->environment,
		.commit = launch->commit,
		.revive = launch->revive,
		.version = launch->version,
		.config = setup->config,
		.work = arena_strdup(arena, work),
		.job = arena_printf(arena, "SLIPWAY_JOB=%s#%s", setup->data, key),
	};
	return inputs_secrets(&plan->secrets, service->secrets, arena, err);
}

static void tell(const struct call *call, const struct plan *plan, const struct result *result)
{
	const struct progress *progress = &result->progress;
	const char *version = progress->version ? progress->version : "?";

	if (result->outcome == OUTCOME_LIVE) {
		fprintf(call->out, "%s is live in %s: %s\nversion %s", plan->service,
			plan->environment, progress->url ? progress->url : "", version);
		if (progress->previous)
			fprintf(call->out, ", before: %s", progress->previous);
		fputs("\n", call->out);
		fflush(call->out);
		return;
	}
	fprintf(call->report, "slipway: %s is not live in %s: %s\n", plan->service,
		plan->environment, result->err.text);
	if (result->outcome == OUTCOME_USAGE)
		fputs("slipway: nothing was touched\n", call->report);
	else if (result->outcome == OUTCOME_ROLLED_BACK && progress->previous)
		fprintf(call->report, "slipway: version %s serves again\n", progress->previous);
	else if (result->outcome == OUTCOME_UNKNOWN || result->outcome == OUTCOME_LOST)
		fputs("slipway: what serves now is unknown; look, then deploy or roll back\n",
		      call->report);
}

/* The work folder of one that was cut off is needed to end it in order. */
static void tidy_work(const struct plan *plan, const struct result *result, const struct call *call)
{
	struct err err = ERR_INIT;

	if (result->outcome != OUTCOME_LOST && file_remove_tree(plan->work, &err))
		fprintf(call->report, "slipway: warning: %s\n", err.text);
}

/* From where on a plan is run. */
struct start {
	enum step step;
	const struct progress *saved;
	int64_t fence;
};

static void run_staged(const struct plan *plan, struct world *world, const struct start *start,
		       const struct launch *launch, struct arena *arena, struct result *result)
{
	const struct launch_stage *stage = launch->stage;

	world->observer = stage->observer;
	world->launcher = stage->launcher;
	world->env = stage->env;
	world->id_token = stage->id_token;
	world->id_token_self = stage->self;
	stage->begin(stage->self, plan, project_service(plan->project, plan->service),
		     start->fence);
	pipeline_run(plan, start->step, start->saved, start->fence, world, arena, result);
	stage->end(stage->self, plan, result);
}

static void run_watched(const struct plan *plan, struct world *world, int64_t fence,
			const struct call *call, struct arena *arena, struct result *result)
{
	bool terminal = isatty(fileno(call->report)) && inputs_terminal_can_draw();
	struct watcher *watcher = watcher_new(&(struct watcher_options){
		.out = call->report,
		.clock = world->clock,
		.terminal = terminal,
		.colour = inputs_want_colour(),
		.stop = &stop_count,
		.job = plan->job,
	});

	world->observer = watcher_observer(watcher);
	pipeline_run(plan, STEP_FETCH, NULL, fence, world, arena, result);
	watcher_free(watcher);
}

static int run_plan(const struct plan *plan, struct world *world, const struct call *call,
		    int64_t fence, const struct launch *launch, struct arena *arena)
{
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	struct result result = {0};

	world->redactor = redactor;
	fprintf(call->report, "%s %s in %s\n", plan->revive ? "rolling back" : "deploying",
		plan->service, plan->environment);
	if (launch->stage)
		run_staged(plan, world, &(struct start){STEP_FETCH, NULL, fence}, launch, arena,
			   &result);
	else
		run_watched(plan, world, fence, call, arena, &result);
	tell(call, plan, &result);
	tidy_work(plan, &result, call);
	if (launch->last)
		*launch->last = result;
	return outcome_exit(result.outcome);
}

int launch_all(const struct setup *setup, const struct launch *launch, const struct call *call,
	       struct arena *arena, struct err *err)
{
	cleanup(http_freep) struct http *http = NULL;
	cleanup(source_freep) struct source *source = NULL;
	cleanup(file_close_at) int lock = -1;
	struct world world = {.clock = &clock_system,
			      .data = setup->data,
			      .path = CHILD_PATH,
			      .docker = setup->docker,
			      .env = inputs_environment()};
	int status = 0;

	if (http_curl_new(&http, "slipway", err) || launch_lock(&lock, setup->data, err)
	    || tidy_up(setup->data, err))
		return -1;
	source = source_folder_new(setup->folder);
	world.http = http;
	world.source = source;
	stop_install();
	for (size_t i = 0; setup->services[i] && status == 0; i++) {
		struct plan plan;
		int64_t fence = 0;

		if (make_plan(&plan, setup, launch, setup->services[i], arena, err)
		    || next_fence(&fence, setup->data, err))
			return -1;
		status = run_plan(&plan, &world, call, fence, launch, arena);
		if (status != 0 && setup->services[i + 1])
			fputs("slipway: the services after it were left as they are\n",
			      call->report);
	}
	return status;
}

int launch_resume(const struct setup *setup, struct plan *plan, enum step step,
		  const struct progress *saved, const struct launch *launch,
		  const struct call *call, struct arena *arena, struct err *err)
{
	cleanup(http_freep) struct http *http = NULL;
	cleanup(source_freep) struct source *source = NULL;
	cleanup(file_close_at) int lock = -1;
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	struct world world = {.clock = &clock_system,
			      .data = setup->data,
			      .path = CHILD_PATH,
			      .docker = setup->docker};
	const struct project_service *service = project_service(setup->project, plan->service);
	struct start start = {.step = step, .saved = saved};

	plan->project = setup->project;
	if (!service)
		return err_set(err, ERR_ABSENT, 0, "there is no service '%s' in %s", plan->service,
			       setup->config);
	if (inputs_secrets(&plan->secrets, service->secrets, arena, err)
	    || http_curl_new(&http, "slipway", err) || launch_lock(&lock, setup->data, err)
	    || next_fence(&start.fence, setup->data, err))
		return -1;
	source = source_folder_new(setup->folder);
	world.http = http;
	world.source = source;
	world.redactor = redactor;
	run_staged(plan, &world, &start, launch, arena, launch->last);
	tell(call, plan, launch->last);
	tidy_work(plan, launch->last, call);
	return outcome_exit(launch->last->outcome);
}

int launch_explain(const struct setup *setup, const struct launch *launch, const struct call *call,
		   struct arena *arena, struct err *err)
{
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	cleanup(http_freep) struct http *http = NULL;
	struct world world = {.clock = &clock_system,
			      .data = setup->data,
			      .path = CHILD_PATH,
			      .docker = setup->docker,
			      .env = inputs_environment(),
			      .redactor = redactor};

	if (http_curl_new(&http, "slipway", err))
		return -1;
	world.http = http;
	for (size_t i = 0; setup->services[i]; i++) {
		cleanup(buf_free) struct buf out = BUF_INIT(256 * 1024);
		struct plan plan;

		if (make_plan(&plan, setup, launch, setup->services[i], arena, err)
		    || pipeline_explain(&plan, &world, &out, err))
			return -1;
		fprintf(call->out, "%s%s in %s, from %s\n%s", i ? "\n" : "", plan.service,
			plan.environment, setup->folder, buf_text(&out));
	}
	return 0;
}

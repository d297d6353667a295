#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "net/http.h"
#include "pipeline/work.h"
#include "service/confined.h"
#include "service/hold.h"
#include "service/roles.h"
#include "service/sources.h"
#include "service/store.h"

#define LEASE     60000 /* milliseconds, renewed three times in that; no step is silent so long */
#define POLL      200   /* milliseconds between looks at an empty queue */
#define LOSSES    5     /* workers that may die at one step before it is given up */
#define LOG_EVERY 250   /* milliseconds that lines of the log may wait for each other */
#define LOG_PIECE (32 * 1024)

/* The observer of one deployment: keeps the lease, writes the log. */
struct job {
	struct observer observer;
	struct store *store;
	const struct claim *claim;
	struct buf lines;
	int64_t written, renewed; /* ticks */
	bool lost;
};

static void write_log(struct job *job)
{
	struct err err = ERR_INIT;

	job->written = clock_ticks(&clock_system);
	if (job->lines.size == 0)
		return;
	/* A log that can't be written doesn't stop a deployment; a state that can't be does (see
	 * ended). */
	if (job->store->append_log(job->store, job->claim, job->lines.data, job->lines.size, &err)
	    < 0)
		log_warn("a deployment's log could not be written", "error", err.text);
	buf_clear(&job->lines);
}

static void job_said(struct observer *observer, enum step step, const char *line, size_t size)
{
	struct job *job = (struct job *)observer;

	(void)step;
	buf_add(&job->lines, line, size);
	buf_addc(&job->lines, '\n');
	if (job->lines.size > LOG_PIECE || clock_ticks(&clock_system) - job->written > LOG_EVERY)
		write_log(job);
}

static void job_began(struct observer *observer, enum step step)
{
	struct job *job = (struct job *)observer;
	char text[CLOCK_TEXT_SIZE];

	clock_text(clock_now(&clock_system), text);
	buf_addf(&job->lines, "--- %s %s\n", step_name(step), text);
	write_log(job);
}

static int job_ended(struct observer *observer, enum step step, enum step next,
		     const struct progress *progress, struct err *err)
{
	struct job *job = (struct job *)observer;
	int64_t until = clock_ticks(&clock_system) + LEASE;
	int stored;

	(void)step;
	write_log(job);
	stored = job->store->advance(job->store, job->claim, next, progress, until, err);
	job->lost |= stored == STORE_LOST;
	return stored;
}

static int job_alive(struct observer *observer)
{
	struct job *job = (struct job *)observer;
	int64_t now = clock_ticks(&clock_system);
	struct err err = ERR_INIT;

	if (job->lines.size > 0 && now - job->written > LOG_EVERY)
		write_log(job);
	if (!job->lost && now - job->renewed > LEASE / 3) {
		job->renewed = now;
		job->lost =
			job->store->renew(job->store, job->claim, now + LEASE, &err) == STORE_LOST;
	}
	return job->lost ? OBSERVER_LOST : 0;
}

/* Values of the repository's secrets, which become part of the plan; the arena's, so not wiped one
 * by one: the process ends with the deployment. */
static int load_secrets(const struct settings_repository *repository, struct redactor *redactor,
			struct arena *arena, const struct field_pair **out, struct err *err)
{
	const struct settings_value *values = repository->secrets.items;
	size_t count = repository->secrets.count;
	struct field_pair *pairs = arena_alloc(arena, (count + 1) * sizeof *pairs);

	for (size_t i = 0; i < count; i++) {
		char *text;

		if (secret_read(&values[i].value, &text, err) < 0)
			return err_within(err, "secret %s of %s", values[i].name, repository->name);
		redactor_add(redactor, text);
		pairs[i] = (struct field_pair){values[i].name, arena_strdup(arena, text)};
		crypto_wipe_text(text);
		free(text);
	}
	*out = pairs;
	return 0;
}

struct run {
	const struct settings *settings;
	struct claim *claim;
	struct world world;
	struct plan plan;
	struct arena *arena;
};

/* All that the plan needs from outside; on -1 nothing was touched. */
static int prepare(struct run *run, struct err *err)
{
	const struct order *order = &run->claim->order;
	const struct settings_repository *repository =
		settings_repository(run->settings, order->repository);
	const char *id = arena_printf(run->arena, "%lld", (long long)run->claim->deployment);
	autofree char *work = work_folder(run->settings->data, id);

	if (!repository)
		return err_set(err, ERR_USAGE, 0, "%s is not in %s any more", order->repository,
			       run->settings->file);
	if (!order->commit)
		return err_set(err, ERR_USAGE, 0, "the order names no commit");
	run->plan = (struct plan){
		.repository = order->repository,
		.service = order->service,
		.environment = order->environment,
		.commit = order->commit,
		.ref = order->ref,
		.revive = order->revive,
		.version = order->version,
		.config = repository->config,
		.work = arena_strdup(run->arena, work),
		.job = arena_printf(run->arena, "SLIPWAY_JOB=%s#%s", run->settings->data, id),
	};
	if (run->claim->losses >= LOSSES)
		run->plan.abandon = arena_printf(
			run->arena,
			"its worker died %d times in a row at this step, so it isn't tried again: "
			"see the log, and whether memory ran out",
			run->claim->losses);
	if (load_secrets(repository, run->world.redactor, run->arena, &run->plan.secrets, err) < 0)
		return -1;
	return sources_open(&run->world.source, run->settings, repository, run->world.http, err);
}

static void report(const struct claim *claim, const struct result *result)
{
	const struct order *order = &claim->order;
	char id[24];

	snprintf(id, sizeof id, "%lld", (long long)claim->deployment);
	log_info("deployment ended", "id", id, "repository", order->repository, "service",
		 order->service, "environment", order->environment, "commit", order->commit,
		 "state", outcome_state(result->outcome), "error",
		 result->err.kind == ERR_NONE ? NULL : result->err.text);
}

/* The pipeline tells its own failures; this is one from before it. */
static void not_begun(struct job *job, struct result *result)
{
	*result = (struct result){
		.outcome = OUTCOME_USAGE, .failed = job->claim->step, .err = result->err};
	buf_addf(&job->lines, "%s\n", result->err.text);
}

static void run_claim(const struct settings *settings, struct store *store, struct claim *claim,
		      struct http *http, struct arena *arena, struct result *result)
{
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	struct job job = {
		.observer = {.began = job_began,
			     .said = job_said,
			     .ended = job_ended,
			     .alive = job_alive},
		.store = store,
		.claim = claim,
		.lines = BUF_INIT(1024 * 1024),
		.renewed = clock_ticks(&clock_system),
	};
	struct run run = {
		.settings = settings,
		.claim = claim,
		.arena = arena,
		.world = {.http = http,
			  .clock = &clock_system,
			  .observer = &job.observer,
			  .redactor = redactor,
			  .data = settings->data,
			  .path = settings->path,
			  .docker = settings->docker,
			  .env = settings_environment(),
			  .launcher = confined_launcher(settings, arena, &result->err)},
	};

	if (!run.world.launcher || prepare(&run, &result->err) < 0)
		not_begun(&job, result);
	else
		pipeline_run(&run.plan, claim->step, claim->tries > 1 ? &claim->progress : NULL,
			     claim->fence, &run.world, arena, result);
	write_log(&job);
	buf_free(&job.lines);
	source_free(run.world.source);
}

static void remove_work(const struct settings *settings, const struct claim *claim)
{
	autofree char *id = xprintf("%lld", (long long)claim->deployment);
	autofree char *work = work_folder(settings->data, id);
	struct err err = ERR_INIT;

	if (file_remove_tree(work, &err) < 0)
		log_warn("can't remove a work folder", "error", err.text);
}

/* 0, or STORE_LOST. */
static int carry_out(const struct settings *settings, struct store *store, struct claim *claim,
		     struct arena *arena, struct err *err)
{
	cleanup(http_freep) struct http *http = NULL;
	struct result result = {0};
	int got;

	if (http_curl_new(&http, "slipwayd", err) < 0)
		return -1;
	run_claim(settings, store, claim, http, arena, &result);
	if (result.outcome == OUTCOME_LOST)
		return STORE_LOST;
	got = store->finish(store, claim, &result, clock_now(&clock_system), err);
	if (got < 0)
		return err_within(err, "store how deployment %lld ended",
				  (long long)claim->deployment);
	if (got > 0)
		return got;
	report(claim, &result);
	remove_work(settings, claim);
	return 0;
}

static int take_one(const struct settings *settings, struct store *store, const char *name,
		    struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct instant now = {clock_now(&clock_system), clock_ticks(&clock_system)};
	struct claim claim = {0};
	struct hold hold = {settings->data, store, &claim, LEASE, -1};
	int got = store->claim(store, name, now, LEASE, &claim, arena, err);

	if (got != 0)
		return got;
	got = hold_take(&hold, err);
	if (got == 0)
		got = carry_out(settings, store, &claim, arena, err);
	hold_drop(&hold, got == 0);
	if (got != STORE_LOST)
		return got;
	log_warn("a deployment was lost to another worker");
	return 0;
}

int worker_main(const struct settings *settings, const char *name, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(store_freep) struct store *store = NULL;

	if (store_open(&store, settings_store(settings, arena), err) < 0)
		return -1;
	/* There is one process of our name at a time: whatever it held, its earlier self is dead.
	 */
	if (store->release(store, name, err) < 0)
		return -1;
	while (!role_stopping) {
		int got = take_one(settings, store, name, err);

		if (got <= 0)
			return got;
		clock_sleep(&clock_system, POLL);
	}
	return 0;
}

#include "service/router.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "github/event.h"
#include "net/http.h"
#include "pipeline/project.h"
#include "service/roles.h"
#include "service/routing.h"
#include "service/selection.h"
#include "service/sources.h"

#define POLL_MS       200
#define RESTORE_MS    10000
#define BACKOFF_MIN   1000
#define BACKOFF_MAX   300000
#define TRIES         19 /* put off so often: about an hour since the first try */
#define FAILURES      10 /* of the store, in a row: end, and be started with a new connection */
#define PROJECT_BYTES 1048576
#define REPLACED_MAX  50
#define EXPIRE_MS     3600000
#define KEEP_SECONDS  (90LL * 24 * 3600) /* bodies and logs; docs/reliability.md */

/** One delivery on its way. */
struct job {
	struct router *router;
	struct arena *arena;
	struct delivery delivery;
	const char *replay_of;
	int tries;
	struct event event;
	const struct settings_repository *repository; /* NULL until it is known */
	struct source *source;
	struct routing_verdict verdict;
	const char *commit;
	struct project *project;
	struct selection selection;
};

/* "nothing to deploy, and this is why" */
static int settled(struct job *job, const char *why)
{
	job->selection = (struct selection){.why = why};
	return 1;
}

static int read_event(struct job *job, struct err *err)
{
	json_auto json_t *payload = NULL;

	if (event_payload(&payload, job->delivery.type, job->delivery.body, job->delivery.size, err)
	    < 0)
		return -1;
	return event_read(&job->event, job->delivery.event, payload, job->arena, err);
}

/* What can be said without looking anywhere else. */
static int judge(struct job *job)
{
	const struct event *event = &job->event;
	const struct settings *settings = job->router->settings;

	if (event->repository)
		job->repository = settings_repository(settings, event->repository);
	if (!event->repository || event->kind == EVENT_PING || event->kind == EVENT_OTHER)
		return settled(job, event->unfit ? event->unfit : "it names no repository");
	if (!job->repository)
		return settled(job, arena_printf(job->arena,
						 "%s isn't one of this server's repositories",
						 event->repository));
	routing_decide(event, job->repository, job->arena, &job->verdict);
	if (job->verdict.count == 0)
		return settled(job, job->verdict.why);
	if (job->replay_of)
		return settled(job,
			       arena_printf(job->arena, "the same body came before, as delivery %s",
					    job->replay_of));
	return 0;
}

/* A run for a tag names the tag as its branch: without this a tag called "main" would deploy as
 * main. */
static int check_branch(struct job *job, struct err *err)
{
	struct source *source = job->source;
	const char *tip, *const *files;
	enum relation relation = RELATION_UNKNOWN;

	if (source->resolve(source, job->event.ref, job->arena, &tip, err) < 0)
		return err->kind == ERR_ABSENT ? settled(
			       job, arena_printf(job->arena, "%s; there is no branch %s now",
						 job->verdict.why, job->event.branch))
					       : -1;
	if (text_same(tip, job->commit))
		return 0;
	if (source->compare(source, job->commit, tip, job->arena, &relation, &files, err) < 0
	    && err->kind != ERR_ABSENT)
		return -1;
	if (relation == RELATION_AHEAD || relation == RELATION_SAME)
		return 0;
	return settled(job, arena_printf(job->arena, "%s; %.12s isn't on the branch %s",
					 job->verdict.why, job->commit, job->event.branch));
}

/* A push that came late: what replaced it is deployed instead, to the services that it changed. The
 * store's dedupe leaves out those that have it already. */
static int follow_replacements(struct job *job, struct err *err)
{
	struct store *store = job->router->store;
	const char *at = job->commit, *newer;

	for (int i = 0; i < REPLACED_MAX; i++) {
		if (store->replaced(store, job->repository->name, job->event.ref, at, job->arena,
				    &newer, err)
		    < 0)
			return -1;
		if (!newer)
			break;
		/* This push came after that one: it takes it away again. */
		if (text_same(newer, job->event.before) || text_same(newer, job->commit))
			return 0;
		at = newer;
	}
	job->commit = at;
	return 0;
}

static int find_commit(struct job *job, struct err *err)
{
	const struct event *event = &job->event;
	struct source *source = job->source;

	job->commit = event->commit;
	if (!event->commit
	    && source->resolve(source, event->ref, job->arena, &job->commit, err) < 0)
		return err->kind == ERR_ABSENT
			       ? settled(job, arena_printf(job->arena, "%s; %s isn't there now",
							   job->verdict.why, event->ref))
			       : -1;
	if (event->kind == EVENT_WORKFLOW_RUN)
		return check_branch(job, err);
	if (event->kind == EVENT_PUSH && event->branch)
		return follow_replacements(job, err);
	return 0;
}

static int read_project(struct job *job, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(PROJECT_BYTES);
	const char *file = job->repository->config;
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(file);

	if (job->source->read(job->source, job->commit, file, &text, err) < 0) {
		if (err->kind != ERR_ABSENT)
			return -1;
		return settled(job, arena_printf(job->arena, "%s; there is no %s at %.12s (%s)",
						 job->verdict.why, file, job->commit, err->text));
	}
	if (project_read(&job->project, file, buf_text(&text), text.size, job->arena, &mistakes,
			 err)
	    == 0)
		return 0;
	err_within(err, "%.12s", job->commit);
	err->kind = ERR_USAGE;
	return -1;
}

static int select_services(struct job *job, struct err *err)
{
	const struct selection_input input = {
		.event = &job->event,
		.verdict = &job->verdict,
		.project = job->project,
		.repository = job->repository->name,
		.guid = job->delivery.guid,
		.commit = job->commit,
		.source = job->source,
		.store = job->router->store,
	};

	return selection_make(&job->selection, &input, job->arena, err);
}

static int open_source(struct job *job, struct err *err)
{
	struct router *router = job->router;

	if (router->open(router->self, job->repository, &job->source, err) == 0)
		return 0;
	/* Settings were checked at start: what fails now may work when a person has mended it. */
	err->kind = ERR_TRANSIENT;
	return -1;
}

/* 0 or 1 with job->selection; -1. */
static int decide(struct job *job, struct err *err)
{
	int rc = read_event(job, err);

	if (rc == 0)
		rc = judge(job);
	if (rc == 0)
		rc = open_source(job, err);
	if (rc == 0)
		rc = find_commit(job, err);
	if (rc == 0)
		rc = read_project(job, err);
	if (rc == 0)
		rc = select_services(job, err);
	return rc;
}

static const char *repository_name(const struct job *job)
{
	return job->repository ? job->repository->name : job->event.repository;
}

/* One that didn't come by itself says so. */
static const char *reason(const struct job *job, const char *why)
{
	if (job->delivery.secret >= 0)
		return why;
	return arena_printf(job->arena, "fetched from GitHub; %s", why ? why : "");
}

static int route(struct job *job, struct err *err)
{
	struct store *store = job->router->store;
	const struct selection *selection = &job->selection;
	const char *why = reason(job, selection->why);
	size_t made = 0;
	char count[24];

	if (store->route(store, job->delivery.guid, repository_name(job), selection->orders,
			 selection->count, why, clock_now(job->router->clock), &made, err)
	    < 0)
		return err_within(err, "route delivery %s", job->delivery.guid);
	snprintf(count, sizeof count, "%zu", made);
	log_info("delivery routed", "guid", job->delivery.guid, "event", job->delivery.event,
		 "repository", repository_name(job), "deployments", count, "reason", why);
	return 0;
}

static int give_up(struct job *job, const char *why, struct err *err)
{
	struct store *store = job->router->store;

	why = reason(job, why);
	log_warn("delivery can't be routed", "guid", job->delivery.guid, "event",
		 job->delivery.event, "repository", repository_name(job), "reason", why);
	if (store->give_up(store, job->delivery.guid, repository_name(job), why, err) < 0)
		return err_within(err, "give up delivery %s", job->delivery.guid);
	return 0;
}

static int put_off(struct job *job, const char *why, struct err *err)
{
	struct store *store = job->router->store;
	int64_t wait = job->tries > 8 ? BACKOFF_MAX : (int64_t)BACKOFF_MIN << job->tries;
	char seconds[24];

	snprintf(seconds, sizeof seconds, "%" PRId64, wait / 1000);
	log_warn("delivery put off", "guid", job->delivery.guid, "repository", repository_name(job),
		 "seconds", seconds, "reason", why);
	if (store->put_off(store, job->delivery.guid, why, clock_ticks(job->router->clock) + wait,
			   err)
	    < 0)
		return err_within(err, "put off delivery %s", job->delivery.guid);
	return 0;
}

/* Does another try make sense? A remote that answers nonsense may be down, and a wrong credential
 * may be mended; what is wrong with the payload or the project file stays wrong. */
static bool is_passing(const struct err *err)
{
	return err->kind != ERR_USAGE && err->kind != ERR_ABSENT && err->kind != ERR_CONFLICT;
}

static int settle_failure(struct job *job, const struct err *failure, struct err *err)
{
	const char *why = failure->text;

	if (!is_passing(failure))
		return give_up(job, why, err);
	if (job->tries >= TRIES)
		return give_up(job, arena_printf(job->arena, "given up after an hour: %s", why),
			       err);
	return put_off(job, why, err);
}

int router_step(struct router *router, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct job job = {.router = router, .arena = arena};
	struct instant now = {clock_now(router->clock), clock_ticks(router->clock)};
	struct err failure = ERR_INIT;
	int got = router->store->unrouted(router->store, now, &job.delivery, &job.replay_of,
					  &job.tries, arena, err);

	if (got < 0)
		return err_within(err, "look for deliveries");
	if (got > 0)
		return got;
	if (router->attempt)
		attempt_begin(router->attempt, job.delivery.guid);
	got = decide(&job, &failure) < 0 ? settle_failure(&job, &failure, err) : route(&job, err);
	if (router->attempt)
		attempt_end(router->attempt);
	return got;
}

/** The role's own state: its sources, one per repository, so that a login is used for its whole
 * life. */
struct keeper {
	const struct settings *settings;
	struct http *http;
	struct source **sources;
	int64_t restore_at;
	char complained[sizeof((struct err *)0)->text]; /* so that a lasting fault is logged once */
};

static int keeper_open(void *data, const struct settings_repository *repository,
		       struct source **out, struct err *err)
{
	struct keeper *keeper = data;
	const struct settings_repository *all = keeper->settings->repositories.items;
	struct source **at = &keeper->sources[repository - all];

	if (!*at && sources_open(at, keeper->settings, repository, keeper->http, err) < 0)
		return err_within(err, "open the source of %s", repository->name);
	*out = *at;
	return 0;
}

static void keeper_say(void *data, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void keeper_say(void *data, const char *fmt, ...)
{
	char text[500];
	va_list args;

	(void)data;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	log_info("restore", "what", text);
}

static int keeper_tick(void *data)
{
	(void)data;
	return role_stopping;
}

/* Bring back what should be live: after a reboot, or when something outside killed it. */
static void keeper_restore(struct keeper *keeper)
{
	const struct engine_site engine_site = {
		.http = keeper->http, .clock = &clock_system, .tick = keeper_tick};
	cleanup(engine_freep) struct engine *engine =
		keeper->settings->docker ? engine_new(keeper->settings->docker, &engine_site)
					 : NULL;
	const struct site site = {
		.engine = engine,
		.data = keeper->settings->data,
		.http = keeper->http,
		.clock = &clock_system,
		.say = keeper_say,
		.tick = keeper_tick,
		.self = keeper,
	};
	bool failed = false;

	for (size_t i = 0; targets[i]; i++) {
		struct err err = ERR_INIT;

		if (!targets[i]->restore || targets[i]->restore(&site, &err) == 0)
			continue;
		failed = true;
		if (strcmp(keeper->complained, err.text) != 0)
			log_error("can't restore what should be live", "target", targets[i]->name,
				  "error", err.text);
		memcpy(keeper->complained, err.text, sizeof keeper->complained);
	}
	if (!failed)
		keeper->complained[0] = '\0';
}

/* Bodies and logs of long ago, a piece at a time; is there more? */
static bool expire(struct router *router)
{
	struct err err = ERR_INIT;
	int got =
		router->store->expire(router->store, clock_now(router->clock) - KEEP_SECONDS, &err);

	if (got < 0)
		log_warn("can't forget old deliveries", "error", err.text);
	return got == 0;
}

static int run(struct router *router, struct keeper *keeper, struct err *err)
{
	int64_t expire_at = 0;
	int failures = 0;

	while (!role_stopping) {
		int64_t now = clock_ticks(&clock_system);
		int rc;

		if (now >= keeper->restore_at) {
			keeper_restore(keeper);
			keeper->restore_at = clock_ticks(&clock_system) + RESTORE_MS;
		}
		if (now >= expire_at)
			expire_at = expire(router) ? now : now + EXPIRE_MS;
		rc = router_step(router, err);
		failures = rc < 0 ? failures + 1 : 0;
		if (failures == FAILURES)
			return -1;
		if (rc < 0)
			log_error("the store fails", "error", err->text);
		if (rc != 0)
			clock_sleep(&clock_system, rc < 0 ? 5 * POLL_MS : POLL_MS);
	}
	return 0;
}

int router_main(const struct settings *settings, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(store_freep) struct store *store = NULL;
	cleanup(http_freep) struct http *http = NULL;
	struct keeper keeper = {.settings = settings};
	cleanup(attempt_close) struct attempt attempt = {.fd = -1};
	autofree char *folder = file_join(settings->data, "store");
	struct router router = {settings, NULL, &clock_system, keeper_open, &keeper, &attempt};
	int rc;

	if (store_open(&store, settings_store(settings, arena), err) < 0
	    || http_curl_new(&http, "slipwayd", err) < 0)
		return -1;
	if (attempt_open(&attempt, folder, err) < 0
	    || attempt_settle(&attempt, store, &clock_system, err) < 0)
		return -1;
	router.store = store;
	keeper.http = http;
	keeper.sources =
		arena_alloc(arena, (settings->repositories.count + 1) * sizeof(struct source *));
	rc = run(&router, &keeper, err);
	for (size_t i = 0; i < settings->repositories.count; i++)
		source_free(keeper.sources[i]);
	return rc;
}

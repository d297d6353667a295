/* The role that deals with GitHub where nobody waits: tells it, and asks for what was missed. */
#include "base/confine.h"
#include "base/log.h"
#include "net/http.h"
#include "service/catchup.h"
#include "service/login.h"
#include "service/outbox.h"
#include "service/roles.h"

#define POLL_MS     200
#define FAILURES    10 /* of the store, in a row: end, and be started with a new connection */
#define PACE_MS     1000
#define PROGRESS_MS 5000

bool courier_is_wanted(const struct settings *settings)
{
	cleanup(arena_freep) struct arena *arena = arena_new();

	return settings_reports(settings, "deployments") || settings_reports(settings, "statuses")
	       || settings_reports(settings, "checks") || *settings_deliveries(settings, arena);
}

static int tick(void *self)
{
	(void)self;
	return role_stopping;
}

static int deal(struct outbox *outbox, struct catchup *catchup, struct err *err)
{
	int told = STORE_EMPTY, looked;

	if (outbox->deployments || outbox->statuses || outbox->checks)
		told = outbox_step(outbox, err);
	if (told < 0)
		return -1;
	looked = catchup_step(catchup, err);
	if (looked < 0)
		return -1;
	return told == 0 || looked == 0 ? 0 : STORE_EMPTY;
}

static int run(struct outbox *outbox, struct catchup *catchup, struct err *err)
{
	int failures = 0;

	while (!role_stopping) {
		int rc = deal(outbox, catchup, err);

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

int courier_main(const struct settings *settings, struct err *err)
{
	static const struct github_patience patience = {.seconds = -1, .tick = tick};
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(store_freep) struct store *store = NULL;
	cleanup(http_freep) struct http *http = NULL;
	cleanup(github_freep) struct github *github = NULL;
	cleanup(catchup_free) struct catchup catchup = {
		.clock = &clock_system, .settings = settings, .tick = tick};
	struct outbox outbox = {.clock = &clock_system,
				.deployments = settings_reports(settings, "deployments"),
				.statuses = settings_reports(settings, "statuses"),
				.checks = settings_reports(settings, "checks"),
				.link = settings->url,
				.pace = PACE_MS,
				.progress = PROGRESS_MS};

	if (store_open(&store, settings_store(settings, arena), err) < 0
	    || store->name(store, arena, &outbox.name, err) < 0
	    || http_curl_new(&http, "slipwayd", err) < 0
	    || login_open(&github, settings, http, err) < 0 || confine_no_children(err) < 0)
		return -1;
	github_be_patient(github, &patience);
	outbox.store = catchup.store = store;
	outbox.github = catchup.github = github;
	catchup_init(&catchup, arena);
	return run(&outbox, &catchup, err);
}

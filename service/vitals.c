#include "service/vitals.h"

#include <pthread.h>

#include "base/json.h"
#include "base/log.h"

/* So long an answer of /readyz stands: each is a write to the disk. */
#define READY_FOR_MS 1000

struct vitals {
	const struct settings *settings;
	struct store_pool *stores;
	struct metrics *metrics;
	struct clock *clock;
	pthread_mutex_t mutex; /* for what follows */
	int64_t looked;
	bool known, ready;
};

static void healthz(void *self, const struct call *call, struct reply *reply)
{
	(void)self;
	(void)call;
	reply->status = 200;
	reply->type = "text/plain; charset=utf-8";
	buf_adds(&reply->body, "ok\n");
}

static bool look(struct vitals *vitals)
{
	struct err err = ERR_INIT;
	struct store *store;
	int rc = store_pool_take(vitals->stores, &store, &err);

	if (rc == 0) {
		rc = store->ready(store, &err);
		store_pool_give(vitals->stores, store);
	}
	if (rc < 0 && (!vitals->known || vitals->ready))
		log_error("the store takes no writes", "why", err.text);
	if (rc == 0 && vitals->known && !vitals->ready)
		log_info("the store takes writes again");
	return rc == 0;
}

static void readyz(void *self, const struct call *call, struct reply *reply)
{
	struct vitals *vitals = self;
	int64_t now = clock_ticks(vitals->clock);
	bool ready;

	(void)call;
	pthread_mutex_lock(&vitals->mutex);
	if (!vitals->known || now - vitals->looked >= READY_FOR_MS) {
		vitals->ready = look(vitals);
		vitals->known = true;
		vitals->looked = now;
	}
	ready = vitals->ready;
	pthread_mutex_unlock(&vitals->mutex);
	reply->status = ready ? 200 : 503;
	reply->type = "text/plain; charset=utf-8";
	buf_adds(&reply->body, ready ? "ready\n" : "not ready\n");
}

static void add_secrets(const struct vitals *vitals, struct store *store, struct buf *out)
{
	const struct settings_hook *hooks = vitals->settings->hooks.items;
	bool first = true;

	for (size_t i = 0; i < vitals->settings->hooks.count; i++)
		for (size_t s = 0; s < hooks[i].secrets.count; s++) {
			struct err err = ERR_INIT;
			int64_t last;

			if (store->secret_used(store, hooks[i].path, (int)s, &last, &err) < 0)
				continue;
			metrics_secret(out, first, hooks[i].path, (int)s, last);
			first = false;
		}
}

/* Without the store there are still the listener's own numbers. */
static void metrics(void *self, const struct call *call, struct reply *reply)
{
	struct vitals *vitals = self;
	json_auto json_t *counts = NULL;
	struct err err = ERR_INIT;
	struct store *store = NULL;

	if (store_pool_take(vitals->stores, &store, &err) < 0
	    || store->counts(store, &counts, &err) < 0)
		log_error("can't count what is in the store", "why", err.text);
	metrics_write(vitals->metrics, counts, call_connections(call->request), &reply->body);
	if (store) {
		add_secrets(vitals, store, &reply->body);
		store_pool_give(vitals->stores, store);
	}
	reply->status = 200;
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
}

struct vitals *vitals_new(const struct settings *settings, struct store_pool *stores,
			  struct metrics *counters, struct clock *clock)
{
	struct vitals *vitals = xalloc(sizeof *vitals);

	vitals->settings = settings;
	vitals->stores = stores;
	vitals->metrics = counters;
	vitals->clock = clock;
	pthread_mutex_init(&vitals->mutex, NULL);
	return vitals;
}

void vitals_free(struct vitals *vitals)
{
	if (!vitals)
		return;
	pthread_mutex_destroy(&vitals->mutex);
	free(vitals);
}

size_t vitals_routes(struct vitals *vitals, struct route *routes)
{
	const struct route table[VITALS_ROUTES] = {
		{.method = "GET", .path = "/healthz", .right = RIGHT_OPEN, .handle = healthz},
		{.method = "GET", .path = "/readyz", .right = RIGHT_OPEN, .handle = readyz},
		{.method = "GET", .path = "/metrics", .right = RIGHT_METRICS, .handle = metrics},
	};

	for (size_t i = 0; i < VITALS_ROUTES; i++) {
		routes[i] = table[i];
		routes[i].self = vitals;
	}
	return VITALS_ROUTES;
}

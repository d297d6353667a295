/* What the store's tests share: a fresh store of a kind, and short ways to fill it. */
#ifndef TESTS_CONTRACT_STORE_H
#define TESTS_CONTRACT_STORE_H
#include <unistd.h>

#include "base/file.h"
#include "service/store.h"
#include "service/store_kinds.h"
#include "tap.h"

struct place {
	char dir[64], url[128];
};

static inline void place_make(struct place *place, const char *scheme)
{
	snprintf(place->dir, sizeof place->dir, "/tmp/slipway-store-XXXXXX");
	if (!mkdtemp(place->dir))
		bail_out("mkdtemp");
	if (strcmp(scheme, "sqlite") != 0)
		bail_out("this kind of store is new: say here how to make a fresh one");
	snprintf(place->url, sizeof place->url, "sqlite://%s/s.db", place->dir);
}

static inline void place_remove(struct place *place)
{
	struct err err;

	if (file_remove_tree(place->dir, &err) < 0)
		tap_note("%s", err.text);
}

/* Opens or ends the test. */
static inline struct store *open_or_bail(const char *url)
{
	struct store *store;
	struct err err;

	if (store_open(&store, url, &err) < 0) {
		tap_note("%s", err.text);
		bail_out("can't open the store");
	}
	return store;
}

/* A delivery whose digest is its body: good enough to tell bodies apart. */
static inline struct delivery a_delivery(const char *guid, const char *body)
{
	return (struct delivery){.guid = guid,
				 .hook = "/hooks/github",
				 .event = "push",
				 .type = "application/json",
				 .body_sha256 = body,
				 .body = body,
				 .body_fd = -1,
				 .size = strlen(body)};
}

/* 0 new, 1 seen before, -1 (and said). */
static inline int record_one(struct store *store, const char *guid, const char *body, int64_t now)
{
	struct delivery delivery = a_delivery(guid, body);
	struct err err = ERR_INIT;

	if (store->record(store, &delivery, 1, now, &err) < 0) {
		tap_note("%s", err.text);
		return -1;
	}
	return delivery.duplicate;
}

static inline struct order an_order(const char *service, const char *commit, const char *dedupe)
{
	return (struct order){.repository = "acme/shop",
			      .service = service,
			      .environment = "production",
			      .commit = commit,
			      .ref = "refs/heads/main",
			      .cause = "{\"token\": \"ops\"}",
			      .dedupe = dedupe};
}

/* The id of a new deployment, or what went otherwise (≤ 0). */
static inline int64_t order_one(struct store *store, struct order order)
{
	struct err err = ERR_INIT;
	int64_t id = 0;
	int got = store->order(store, &order, 1000, &id, &err);

	if (got < 0)
		tap_note("%s", err.text);
	return got ? -got : id;
}

/* A field of a deployment or delivery, until the next call. */
static inline const char *field(json_t *object, const char *name)
{
	static char text[1000];
	json_t *value = json_object_get(object, name);

	if (json_is_string(value))
		snprintf(text, sizeof text, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
	else if (!value || json_is_null(value))
		return NULL;
	else {
		char *dumped = json_dumps(value, JSON_COMPACT);

		snprintf(text, sizeof text, "%s", dumped);
		free(dumped);
	}
	return text;
}

static inline const char *deployment_field(struct store *store, int64_t id, const char *name)
{
	struct err err;
	json_t *object;
	const char *value;

	if (store->deployment(store, id, &object, &err) < 0)
		return err.text[0] ? "(error)" : "(none)";
	value = field(object, name);
	json_decref(object);
	return value;
}

static inline const char *delivery_field(struct store *store, const char *guid, const char *name)
{
	struct err err;
	json_t *object;
	const char *value;

	if (store->delivery(store, guid, &object, &err) < 0)
		return "(none)";
	value = field(object, name);
	json_decref(object);
	return value;
}

/* Claims and says the id, 0 for none; *claim in the arena. */
static inline int64_t claim_one(struct store *store, const char *worker, int64_t ticks,
				struct claim *claim, struct arena *arena)
{
	struct err err = ERR_INIT;
	int got = store->claim(store, worker, (struct instant){2000, ticks}, 1000, claim, arena,
			       &err);

	if (got < 0)
		tap_note("%s", err.text);
	return got == 0 ? claim->deployment : got == STORE_EMPTY ? 0 : -1;
}

static inline int finish_one(struct store *store, const struct claim *claim, enum outcome outcome)
{
	struct result result = {.outcome = outcome,
				.failed = outcome == OUTCOME_LIVE ? STEP_DONE : STEP_BUILD,
				.progress = {.version = claim->order.version
								? claim->order.version
								: claim->order.commit}};
	struct err err = ERR_INIT;

	if (outcome != OUTCOME_LIVE)
		err_set(&result.err, ERR_REMOTE, 1, "make: exit status 2");
	return store->finish(store, claim, &result, 3000, &err);
}

#endif

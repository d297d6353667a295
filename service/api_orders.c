/* What a person asks for: redeploy and rollback. */
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "service/api_within.h"
#include "service/payload.h"

#define KEY_MAX 255

static bool is_version(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return *text && strlen(text) <= 200;
}

enum member { REPOSITORY, SERVICE, ENVIRONMENT, COMMIT, VERSION, MEMBERS };

static const struct {
	const char *name, *expected;
	bool (*valid)(const char *text);
	bool required;
} members[MEMBERS] = {
	[REPOSITORY] = {"repository", "owner/name", text_is_repository, true},
	[SERVICE] = {"service", "a service's name", text_is_name, true},
	[ENVIRONMENT] = {"environment", "an environment's name", text_is_name, true},
	[COMMIT] = {"commit", "a whole commit id of 40 or 64 hex digits", text_is_commit, false},
	[VERSION] = {"version", "a version as the deployments list it", is_version, false},
};

/* The members that this call takes. */
static bool takes(enum member member, bool rollback)
{
	return member != (rollback ? COMMIT : VERSION);
}

static int find_member(const char *name, bool rollback)
{
	for (int i = 0; i < MEMBERS; i++)
		if (takes((enum member)i, rollback) && strcmp(members[i].name, name) == 0)
			return i;
	return -1;
}

static int unknown_member(const char *name, bool rollback, struct err *err)
{
	const char *known[MEMBERS], *nearest;
	size_t count = 0;

	for (int i = 0; i < MEMBERS; i++)
		if (takes((enum member)i, rollback))
			known[count++] = members[i].name;
	nearest = text_nearest(name, known, count);
	return err_set(err, ERR_USAGE, 0, "the body has no member '%.60s'%s%s%s", name,
		       nearest ? "; did you mean '" : "", nearest ? nearest : "",
		       nearest ? "'?" : "");
}

static void check_member(enum member member, const json_t *value, const char **out, struct err *err)
{
	const char *text = json_string_value(value);

	if (!text)
		err_set(err, ERR_USAGE, 0, "'%s' is not a text, expected %s", members[member].name,
			members[member].expected);
	else if (!members[member].valid(text))
		err_set(err, ERR_USAGE, 0, "'%s' is '%.80s', expected %s", members[member].name,
			text, members[member].expected);
	*out = text;
}

static int read_members(const json_t *body, bool rollback, const char *values[MEMBERS],
			struct err *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		return err_set(err, ERR_USAGE, 0, "the body is not a JSON object");
	json_object_foreach((json_t *)(uintptr_t)body, name, value)
	{
		int member = find_member(name, rollback);

		if (member < 0)
			return unknown_member(name, rollback, err);
		if (json_is_null(value))
			continue;
		check_member((enum member)member, value, &values[member], err);
		if (err->kind != ERR_NONE)
			return -1;
	}
	for (int i = 0; i < MEMBERS; i++)
		if (members[i].required && !values[i])
			return err_set(err, ERR_USAGE, 0, "'%s' is missing, expected %s",
				       members[i].name, members[i].expected);
	return 0;
}

/* The body, parsed; what it names is checked. */
static bool read_body(const struct api *api, const struct call *call, bool rollback, json_t **body,
		      const char *values[MEMBERS], struct reply *reply)
{
	const char *type = call_header(call->request, "Content-Type");
	struct err err = ERR_INIT;

	if (type && payload_type(type) != PAYLOAD_JSON) {
		reply_problem(reply, 415, "Unsupported Media Type",
			      "the content type is '%.60s', expected application/json", type);
		return false;
	}
	if (json_parse(body, call->body, call->size, &err) < 0
	    || read_members(*body, rollback, values, &err) < 0) {
		reply_error(reply, &err);
		return false;
	}
	if (settings_repository(api->settings, values[REPOSITORY]))
		return true;
	reply_problem(reply, 404, "Not Found", "the server's settings name no repository '%s'",
		      values[REPOSITORY]);
	return false;
}

static bool is_key(const char *key)
{
	for (const char *c = key; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return *key && strlen(key) <= KEY_MAX;
}

/* The order's cause and dedupe key, in the arena. */
static bool identify(const struct api *api, const struct call *call, bool rollback,
		     struct order *order, struct arena *arena, struct reply *reply)
{
	const char *who = auth_who(api->auth, call_header(call->request, "Authorization"));
	const char *key = call_header(call->request, "Idempotency-Key");
	char once[33];
	json_auto json_t *cause = NULL;
	autofree char *text = NULL;

	if (key && !is_key(key)) {
		reply_problem(reply, 400, "Bad Request",
			      "Idempotency-Key is empty, not ASCII or longer than %d characters",
			      KEY_MAX);
		return false;
	}
	who = who ? who : "anonymous";
	cause = json_pack("{s:s,s:s}", "token", who, "call", rollback ? "rollback" : "redeploy");
	if (key)
		json_object_set_new(cause, "idempotency_key", json_string(key));
	text = json_dumps(cause, JSON_COMPACT);
	order->cause = arena_strdup(arena, text);
	crypto_random_hex(once, 32);
	order->dedupe = key ? arena_printf(arena, "key:%s:%s", who, key)
			    : arena_printf(arena, "once:%s", once);
	return true;
}

/* Without a commit it is the live one. */
static bool find_live(struct store *store, struct order *order, struct arena *arena,
		      struct reply *reply)
{
	struct err err = ERR_INIT;

	if (store->live(store, order->repository, order->service, order->environment, arena,
			&order->commit, &order->ref, &err)
	    < 0) {
		reply_error(reply, &err);
		return false;
	}
	if (order->commit)
		return true;
	reply_problem(reply, 409, "Conflict",
		      "no version of %s is live in %s, so there is nothing to deploy again; name a "
		      "commit",
		      order->service, order->environment);
	return false;
}

/* What to go back to: decided now, so that the answer names it and a second call goes back further.
 */
static bool find_good(struct store *store, struct order *order, struct arena *arena,
		      struct reply *reply)
{
	const char *wanted = order->version;
	struct err err = ERR_INIT;
	int rc = store->good(store, order, wanted, arena, order, &err);

	if (rc < 0)
		reply_error(reply, &err);
	if (rc == STORE_EMPTY && wanted)
		reply_problem(
			reply, 404, "Not Found",
			"no version '%s' of %s was ever live in %s; GET /v1/deployments lists them",
			wanted, order->service, order->environment);
	else if (rc == STORE_EMPTY)
		reply_problem(reply, 409, "Conflict",
			      "no good version of %s in %s is older than the live one, so there is "
			      "nothing to go back to",
			      order->service, order->environment);
	return rc == 0;
}

/* The same key and the same call, whose live commit was another one at the time. */
static bool is_same_call(struct store *store, const struct order *order, int64_t id)
{
	json_auto json_t *twin = NULL, *cause = NULL;
	struct err err = ERR_INIT;

	if (store->deployment(store, id, &twin, &err) < 0)
		return false;
	cause = json_loads(order->cause, 0, NULL);
	return json_equal(cause, json_object_get(twin, "cause"))
	       && text_same(json_text(twin, "repository"), order->repository)
	       && text_same(json_text(twin, "service"), order->service)
	       && text_same(json_text(twin, "environment"), order->environment);
}

static bool place(struct store *store, struct clock *clock, struct order *order, bool implicit,
		  int64_t *id, struct reply *reply)
{
	struct err err = ERR_INIT;
	int rc = store->order(store, order, clock_now(clock), id, &err);

	if (rc == STORE_CONFLICT && implicit && is_same_call(store, order, *id))
		rc = STORE_DUPLICATE;
	if (rc < 0)
		reply_error(reply, &err);
	if (rc == STORE_CONFLICT)
		reply_problem(reply, 422, "Unprocessable Content",
			      "this Idempotency-Key was used for another request: deployment %lld",
			      (long long)*id);
	if (rc == 0)
		log_info(order->revive ? "rollback asked for" : "redeploy asked for", "repository",
			 order->repository, "service", order->service, "environment",
			 order->environment, "cause", order->cause);
	return rc == 0 || rc == STORE_DUPLICATE;
}

static bool submit(struct api *api, struct order *order, struct arena *arena, int64_t *id,
		   struct reply *reply)
{
	bool implicit = order->revive ? !order->version : !order->commit;
	struct err err = ERR_INIT;
	struct store *store;
	bool placed;

	if (store_pool_take(api->stores, &store, &err) < 0) {
		reply_error(reply, &err);
		return false;
	}
	placed = (order->revive ? find_good(store, order, arena, reply)
				: !implicit || find_live(store, order, arena, reply))
		 && place(store, api->clock, order, implicit, id, reply);
	store_pool_give(api->stores, store);
	return placed;
}

static void take_order(struct api *api, const struct call *call, bool rollback, struct reply *reply)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *values[MEMBERS] = {NULL};
	json_auto json_t *body = NULL;
	struct order order = {.revive = rollback};
	int64_t seconds, id = 0;

	if (!api_wait_seconds(call, &seconds, reply)
	    || !read_body(api, call, rollback, &body, values, reply)
	    || !identify(api, call, rollback, &order, arena, reply))
		return;
	order.repository = values[REPOSITORY];
	order.service = values[SERVICE];
	order.environment = values[ENVIRONMENT];
	order.commit = values[COMMIT];
	order.version = values[VERSION];
	if (!submit(api, &order, arena, &id, reply))
		return;
	api_answer_when_ended(api, call, id, seconds, reply);
	if (seconds == 0 && reply->status == 200)
		reply->status = 202; /* an order that was given again, and has ended since */
	snprintf(reply->location, sizeof reply->location, "/v1/deployments/%lld", (long long)id);
}

void api_redeploy(void *self, const struct call *call, struct reply *reply)
{
	take_order(self, call, false, reply);
}

void api_rollback(void *self, const struct call *call, struct reply *reply)
{
	take_order(self, call, true, reply);
}

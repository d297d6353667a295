#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "service/api_within.h"

#define ORDER_MAX        ((size_t)64 * 1024)
#define WAIT_EVERY_MS    100
#define LOOK_EVERY_TIMES 3
#define LIMIT_MAX        200

static const char deployments_path[] = "/v1/deployments/";
static const char deliveries_path[] = "/v1/deliveries/";

static const char *const deployment_states[] = {"queued",      "running",    "succeeded", "failed",
						"rolled_back", "superseded", "cancelled", NULL};
static const char *const delivery_states[] = {"received", "deployed", "ignored", "failed", NULL};

bool api_has_ended(const json_t *deployment)
{
	const char *state = json_text(deployment, "state");

	return state && strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

bool api_deployment(struct api *api, int64_t id, json_t **out, struct reply *reply)
{
	struct err err = ERR_INIT;
	struct store *store;
	int rc;

	*out = NULL;
	if (store_pool_take(api->stores, &store, &err) < 0) {
		reply_error(reply, &err);
		return false;
	}
	rc = store->deployment(store, id, out, &err);
	store_pool_give(api->stores, store);
	if (rc < 0)
		reply_error(reply, &err);
	return rc == 0;
}

static bool number_query(const struct call *call, const char *name, int64_t min, int64_t max,
			 int64_t *out, struct reply *reply)
{
	const char *text = call_query(call->request, name);
	struct err err = ERR_INIT;

	*out = 0;
	if (!text || !*text || text_number(text, min, max, out, &err) == 0)
		return true;
	err_within(&err, "query parameter %s", name);
	reply_error(reply, &err);
	return false;
}

bool api_wait_seconds(const struct call *call, int64_t *seconds, struct reply *reply)
{
	return number_query(call, "wait", 0, API_WAIT_MAX, seconds, reply);
}

static void add_links(json_t *deployment, int64_t id)
{
	autofree char *self = xprintf("%s%lld", deployments_path, (long long)id);
	autofree char *log = xprintf("%s/log", self);

	json_object_set_new(deployment, "links", json_pack("{s:s,s:s}", "self", self, "log", log));
}

void api_answer_when_ended(struct api *api, const struct call *call, int64_t id, int64_t seconds,
			   struct reply *reply)
{
	int64_t until = clock_ticks(api->clock) + seconds * 1000;
	json_auto json_t *deployment = NULL;

	if (!api_deployment(api, id, &deployment, reply))
		return;
	for (unsigned turn = 1; !api_has_ended(deployment) && clock_ticks(api->clock) < until
				&& !call_is_over(call->request);
	     turn++) {
		clock_sleep(api->clock, WAIT_EVERY_MS);
		if (turn % LOOK_EVERY_TIMES)
			continue;
		json_decref(take(deployment));
		if (!api_deployment(api, id, &deployment, reply))
			return;
	}
	add_links(deployment, id);
	reply_json(reply, api_has_ended(deployment) ? 200 : 202, deployment);
}

static const char *text_query(const struct call *call, const char *name)
{
	const char *text = call_query(call->request, name);

	return text && *text ? text : NULL;
}

static bool read_filter(const struct call *call, const char *const *states,
			struct store_filter *filter, struct reply *reply)
{
	cleanup(buf_free) struct buf known = BUF_INIT(400);

	filter->repository = text_query(call, "repository");
	filter->service = text_query(call, "service");
	filter->environment = text_query(call, "environment");
	filter->state = text_query(call, "state");
	if (!number_query(call, "limit", 1, LIMIT_MAX, &filter->limit, reply)
	    || !number_query(call, "before", 1, INT64_MAX, &filter->before, reply))
		return false;
	for (size_t i = 0; filter->state && states[i]; i++) {
		if (strcmp(states[i], filter->state) == 0)
			return true;
		buf_addf(&known, "%s%s", i ? ", " : "", states[i]);
	}
	if (!filter->state)
		return true;
	reply_problem(reply, 400, "Bad Request",
		      "query parameter state is '%.60s', expected one of %s", filter->state,
		      buf_text(&known));
	return false;
}

static void list(struct api *api, const struct store_filter *filter, bool deployments,
		 struct reply *reply)
{
	json_auto json_t *out = NULL;
	struct err err = ERR_INIT;
	struct store *store;
	int rc;

	if (store_pool_take(api->stores, &store, &err) < 0) {
		reply_error(reply, &err);
		return;
	}
	rc = (deployments ? store->deployments : store->deliveries)(store, filter, &out, &err);
	store_pool_give(api->stores, store);
	if (rc < 0)
		reply_error(reply, &err);
	else
		reply_json(reply, 200, out);
}

static void list_deployments(void *self, const struct call *call, struct reply *reply)
{
	struct store_filter filter = {0};

	if (read_filter(call, deployment_states, &filter, reply))
		list(self, &filter, true, reply);
}

static void list_deliveries(void *self, const struct call *call, struct reply *reply)
{
	struct store_filter filter = {0};

	if (read_filter(call, delivery_states, &filter, reply))
		list(self, &filter, false, reply);
}

/* "17" or "17/log". */
static void one_deployment(void *self, const struct call *call, struct reply *reply)
{
	autofree char *tail = xstrdup(call->path + sizeof deployments_path - 1);
	char *slash = strchr(tail, '/');
	struct err err = ERR_INIT;
	int64_t id, seconds;

	if (slash)
		*slash++ = '\0';
	if ((slash && strcmp(slash, "log") != 0) || text_number(tail, 1, INT64_MAX, &id, &err) < 0)
		reply_problem(reply, 404, "Not Found",
			      "there is nothing here: expected %s{id} or %s{id}/log",
			      deployments_path, deployments_path);
	else if (slash)
		api_log(self, call, id, reply);
	else if (api_wait_seconds(call, &seconds, reply)) {
		api_answer_when_ended(self, call, id, seconds, reply);
		/* It is there, ended or not. */
		if (reply->status == 202)
			reply->status = 200;
	}
}

static void one_delivery(void *self, const struct call *call, struct reply *reply)
{
	struct api *api = self;
	json_auto json_t *out = NULL;
	struct err err = ERR_INIT;
	struct store *store;
	int rc;

	if (store_pool_take(api->stores, &store, &err) < 0) {
		reply_error(reply, &err);
		return;
	}
	rc = store->delivery(store, call->path + sizeof deliveries_path - 1, &out, &err);
	store_pool_give(api->stores, store);
	if (rc < 0)
		reply_error(reply, &err);
	else
		reply_json(reply, 200, out);
}

static const struct route api_table[API_ROUTES] = {
	{.method = "POST",
	 .path = "/v1/redeploy",
	 .right = RIGHT_REDEPLOY,
	 .body_limit = ORDER_MAX,
	 .handle = api_redeploy},
	{.method = "POST",
	 .path = "/v1/rollback",
	 .right = RIGHT_ROLLBACK,
	 .body_limit = ORDER_MAX,
	 .handle = api_rollback},
	{.method = "GET",
	 .path = "/v1/deployments",
	 .right = RIGHT_READ,
	 .handle = list_deployments},
	{.method = "GET", .path = deployments_path, .right = RIGHT_READ, .handle = one_deployment},
	{.method = "GET", .path = "/v1/deliveries", .right = RIGHT_READ, .handle = list_deliveries},
	{.method = "GET", .path = deliveries_path, .right = RIGHT_READ, .handle = one_delivery},
};

struct api *api_new(const struct settings *settings, struct store_pool *stores,
		    const struct auth *auth, struct clock *clock)
{
	struct api *api = xalloc(sizeof *api);

	*api = (struct api){settings, stores, auth, clock};
	return api;
}

void api_free(struct api *api)
{
	free(api);
}

size_t api_routes(struct api *api, struct route *routes)
{
	for (size_t i = 0; i < API_ROUTES; i++) {
		routes[i] = api_table[i];
		routes[i].self = api;
	}
	return API_ROUTES;
}

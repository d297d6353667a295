#include "github/deliveries.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/text.h"

static char *hook_path(const struct deliveries_hook *hook)
{
	assert((hook->repository != NULL) + (hook->organization != NULL) + hook->app == 1);
	if (hook->app)
		return xstrdup("/app/hook");
	if (hook->repository)
		return xprintf("/repos/%s/hooks/%" PRId64, hook->repository, hook->id);
	return xprintf("/orgs/%s/hooks/%" PRId64, hook->organization, hook->id);
}

static int send(struct github *github, const struct deliveries_hook *hook, struct github_call *call,
		struct github_answer *answer, struct err *err)
{
	call->as_app = hook->app;
	call->repository = hook->repository;
	return github_send(github, call, answer, err);
}

/* "2026-11-24T17:05:06Z", with or without a fraction; 0 when it is neither. */
static int64_t read_time(const char *text)
{
	struct tm tm = {0};

	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return timegm(&tm);
}

/* A guid becomes a key of the store, and an event a word in the log. */
static bool is_word(const char *text)
{
	size_t size = text ? strlen(text) : 0;

	return size > 0 && size <= 100
	       && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
			  == size;
}

static bool read_item(const json_t *json, struct arena *arena, struct deliveries_item *item)
{
	const char *guid = json_text(json, "guid"), *event = json_text(json, "event");

	*item = (struct deliveries_item){
		.id = json_integer_at(json, "id", 0),
		.guid = arena_strdup(arena, guid),
		.event = arena_strdup(arena, event),
		.delivered_at = read_time(json_text(json, "delivered_at")),
		.status_code = (int)json_integer_at(json, "status_code", 0),
		.redelivery = json_flag(json, "redelivery"),
	};
	return item->id > 0 && is_word(guid) && is_word(event) && item->delivered_at > 0;
}

static int read_page(const struct github_answer *answer, struct arena *arena,
		     struct deliveries_page *out, struct err *err)
{
	size_t count = json_array_size(answer->json), i;
	struct deliveries_item *items = arena_alloc(arena, (count + 1) * sizeof *items);
	const json_t *json;

	out->etag = arena_strdup(arena, answer->etag);
	out->next = arena_strdup(arena, answer->next);
	out->unchanged = answer->status == 304;
	out->items = items;
	if (out->unchanged)
		return 0;
	if (!json_is_array(answer->json))
		return err_set(err, ERR_REMOTE, answer->status,
			       "github: list a webhook's deliveries: the answer is no list");
	json_array_foreach(answer->json, i, json)
	{
		if (read_item(json, arena, &items[out->count]))
			out->count++;
	}
	return 0;
}

int deliveries_list(struct github *github, const struct deliveries_hook *hook, const char *next,
		    const char *etag, struct arena *arena, struct deliveries_page *out,
		    struct err *err)
{
	autofree char *at = hook_path(hook), *first = xprintf("%s/deliveries?per_page=100", at);
	struct github_call call = {.method = "GET",
				   .path = next ? next : first,
				   .etag = etag,
				   .what = "list a webhook's deliveries"};
	struct github_answer answer;
	int rc = send(github, hook, &call, &answer, err);

	*out = (struct deliveries_page){0};
	if (rc == 0)
		rc = read_page(&answer, arena, out, err);
	github_answer_free(&answer);
	return rc;
}

int deliveries_read(struct github *github, const struct deliveries_hook *hook, int64_t id,
		    json_t **payload, struct err *err)
{
	autofree char *at = hook_path(hook), *path = xprintf("%s/deliveries/%" PRId64, at, id);
	struct github_call call = {.method = "GET", .path = path, .what = "fetch a delivery"};
	struct github_answer answer;
	int rc = send(github, hook, &call, &answer, err);

	*payload = NULL;
	if (rc == 0) {
		*payload = json_incref(json_at(answer.json, "request.payload"));
		if (!json_is_object(*payload)) {
			json_decref(*payload);
			*payload = NULL;
			rc = err_set(err, ERR_REMOTE, answer.status,
				     "github: fetch a delivery: the answer has no payload");
		}
	}
	github_answer_free(&answer);
	return rc;
}

int deliveries_redeliver(struct github *github, const struct deliveries_hook *hook, int64_t id,
			 struct err *err)
{
	autofree char *at = hook_path(hook),
		      *path = xprintf("%s/deliveries/%" PRId64 "/attempts", at, id);
	struct github_call call = {
		.method = "POST", .path = path, .what = "ask for a delivery again"};
	struct github_answer answer;
	int rc = send(github, hook, &call, &answer, err);

	github_answer_free(&answer);
	return rc;
}

int deliveries_hooks(struct github *github, const struct deliveries_hook *whose,
		     struct arena *arena, struct deliveries_webhook **out, size_t *count,
		     struct err *err)
{
	autofree char *path = whose->repository
				      ? xprintf("/repos/%s/hooks?per_page=100", whose->repository)
				      : xprintf("/orgs/%s/hooks?per_page=100", whose->organization);
	struct github_call call = {.method = "GET", .path = path, .what = "list the webhooks"};
	struct github_answer answer;
	const json_t *json;
	size_t i;
	int rc = send(github, whose, &call, &answer, err);

	*out = NULL;
	*count = 0;
	if (rc < 0) {
		github_answer_free(&answer);
		return -1;
	}
	*out = arena_alloc(arena, (json_array_size(answer.json) + 1) * sizeof **out);
	json_array_foreach(answer.json, i, json)
	{
		const char *url = json_text(json, "config.url");

		(*out)[(*count)++] = (struct deliveries_webhook){
			.id = json_integer_at(json, "id", 0),
			.url = arena_strdup(arena, url ? url : ""),
			.active = json_flag(json, "active"),
		};
	}
	github_answer_free(&answer);
	return 0;
}

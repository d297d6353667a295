#include "github/deployments.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "net/url.h"

#define DESCRIPTION 140 /* characters, by GitHub's API */
#define JOB_LOOKS   10  /* deployments of one commit and environment whose statuses are looked at */

static const char *const state_names[DEPLOYMENTS_STATE_COUNT] = {
	[DEPLOYMENTS_QUEUED] = "queued",   [DEPLOYMENTS_IN_PROGRESS] = "in_progress",
	[DEPLOYMENTS_SUCCESS] = "success", [DEPLOYMENTS_FAILURE] = "failure",
	[DEPLOYMENTS_ERROR] = "error",     [DEPLOYMENTS_INACTIVE] = "inactive",
};

const char *deployments_state_name(enum deployments_state state)
{
	return state_names[state];
}

/* NULL stays NULL. */
static json_t *short_text(const char *text)
{
	return text ? json_stringn(text, text_fit(text, SIZE_MAX, DESCRIPTION)) : NULL;
}

static void set(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

int deployments_create(struct github *github, const struct deployments_new *new, int64_t *id,
		       struct err *err)
{
	json_auto json_t *mark = json_pack("{s:s, s:s*}", "key", new->key, "service", new->service);
	json_auto json_t *body =
		json_pack("{s:s, s:s, s:s, s:b, s:[], s:{s:O}, s:b, s:o*}", "ref", new->commit,
			  "task", "deploy", "environment", new->environment, "auto_merge", 0,
			  "required_contexts", "payload", "slipway", mark, "transient_environment",
			  new->transient, "description", short_text(new->description));
	autofree char *path = xprintf("/repos/%s/deployments", new->repository);
	const struct github_call call = {.method = "POST",
					 .path = path,
					 .repository = new->repository,
					 .body = body,
					 .what = "create a deployment"};
	struct github_answer answer;
	int rc = github_send(github, &call, &answer, err);

	*id = json_integer_at(answer.json, "id", 0);
	if (rc == 0 && *id <= 0)
		rc = err_set(err, ERR_REMOTE, answer.status,
			     "github: create a deployment: the answer has no id");
	github_answer_free(&answer);
	return rc;
}

/* Those of the commit and environment, newest first. */
static int list_like(struct github *github, const struct deployments_new *like, json_t **list,
		     struct err *err)
{
	cleanup(buf_free) struct buf path = BUF_INIT(8192);

	buf_addf(&path, "/repos/%s/deployments?per_page=100&sha=%s&environment=", like->repository,
		 like->commit);
	url_encode(&path, like->environment, false);
	return github_get(github, like->repository, buf_text(&path), list, err);
}

/* A payload may come back as an object, or as a text that holds one. */
static bool is_ours(const json_t *deployment, const char *key)
{
	const json_t *payload = json_object_get(deployment, "payload");
	json_auto json_t *parsed = NULL;

	if (json_is_string(payload)) {
		parsed = json_loads(json_string_value(payload), 0, NULL);
		payload = parsed;
	}
	return key ? text_same(json_text(payload, "slipway.key"), key)
		   : json_object_get(payload, "slipway") != NULL;
}

int deployments_find(struct github *github, const struct deployments_new *like, int64_t *id,
		     struct err *err)
{
	json_auto json_t *list = NULL;
	const json_t *one;
	size_t i;

	*id = 0;
	if (list_like(github, like, &list, err) < 0)
		return -1;
	json_array_foreach(list, i, one)
	{
		if (is_ours(one, like->key)) {
			*id = json_integer_at(one, "id", 0);
			break;
		}
	}
	return 0;
}

static int list_statuses(struct github *github, const char *repository, int64_t id, json_t **list,
			 struct err *err)
{
	autofree char *path =
		xprintf("/repos/%s/deployments/%" PRId64 "/statuses?per_page=30", repository, id);

	return github_get(github, repository, path, list, err);
}

/* Is it a page of that run? The id must end there: run 12 isn't run 123. */
static bool is_of_run(const char *url, const char *run_id)
{
	const char *at = url ? strstr(url, "/runs/") : NULL;
	size_t size = strlen(run_id);

	if (!at || !text_starts(at += strlen("/runs/"), run_id))
		return false;
	return at[size] == '\0' || at[size] == '/' || at[size] == '?';
}

static int made_by_run(struct github *github, const char *repository, int64_t id,
		       const char *run_id, bool *made, struct err *err)
{
	json_auto json_t *list = NULL;
	const json_t *status;
	size_t i;

	*made = false;
	if (list_statuses(github, repository, id, &list, err) < 0)
		return -1;
	json_array_foreach(list, i, status)
	{
		*made |= is_of_run(json_text(status, "log_url"), run_id)
			 || is_of_run(json_text(status, "target_url"), run_id);
	}
	return 0;
}

int deployments_find_job(struct github *github, const struct deployments_new *like,
			 const char *run_id, int64_t *id, struct err *err)
{
	json_auto json_t *list = NULL;
	const json_t *one;
	size_t i;
	int looks = 0;

	*id = 0;
	if (list_like(github, like, &list, err) < 0)
		return -1;
	json_array_foreach(list, i, one)
	{
		int64_t candidate = json_integer_at(one, "id", 0);
		bool made;

		if (is_ours(one, NULL) || candidate <= 0 || ++looks > JOB_LOOKS)
			continue;
		if (made_by_run(github, like->repository, candidate, run_id, &made, err) < 0)
			return -1;
		if (made) {
			*id = candidate;
			return 0;
		}
	}
	return 0;
}

int deployments_tell(struct github *github, const char *repository, int64_t id,
		     const struct deployments_status *status, struct err *err)
{
	autofree char *path = xprintf("/repos/%s/deployments/%" PRId64 "/statuses", repository, id);
	json_auto json_t *body =
		json_pack("{s:s, s:b, s:o*}", "state", state_names[status->state], "auto_inactive",
			  status->auto_inactive, "description", short_text(status->description));
	const struct github_call call = {.method = "POST",
					 .path = path,
					 .repository = repository,
					 .body = body,
					 .what = "set a deployment's status"};
	struct github_answer answer;
	int rc;

	set(body, "log_url", status->log_url);
	set(body, "environment_url", status->environment_url);
	rc = github_send(github, &call, &answer, err);
	github_answer_free(&answer);
	return rc;
}

int deployments_was_told(struct github *github, const char *repository, int64_t id,
			 const struct deployments_status *status, bool *told, struct err *err)
{
	json_auto json_t *list = NULL, *description = short_text(status->description);
	const json_t *newest;
	const char *said;

	*told = false;
	if (list_statuses(github, repository, id, &list, err) < 0)
		return -1;
	newest = json_array_get(list, 0);
	said = json_text(newest, "description");
	*told = text_same(json_text(newest, "state"), state_names[status->state])
		&& text_same(said ? said : "", description ? json_string_value(description) : "");
	return 0;
}

#include "target/app_runner/api.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define PAGE      20
#define MAX_PAGES 200

static int call(struct job *job, const char *operation, json_t *body, bool once, json_t **answer,
		struct err *err)
{
	const struct aws_call call = {
		.service = &aws_apprunner,
		.operation = operation,
		.body = body,
		.once = once,
		.deadline = job->deadline,
	};

	*answer = NULL;
	return aws_call(job->aws, &call, answer, err);
}

int api_read(struct job *job, const char *operation, json_t *body, json_t **answer, struct err *err)
{
	int result = call(job, operation, body, false, answer, err);

	json_decref(body);
	return result;
}

int api_change(struct job *job, const char *operation, json_t *body, json_t **answer,
	       struct err *err)
{
	int result = call(job, operation, body, true, answer, err);

	json_decref(body);
	return result;
}

static void forget(struct job *job)
{
	json_decref(job->service);
	job->service = NULL;
}

int api_describe(struct job *job, struct err *err)
{
	json_auto json_t *answer = NULL;
	json_t *service;

	if (api_read(job, "DescribeService", json_pack("{s:s}", "ServiceArn", job->arn), &answer,
		     err)) {
		if (err->kind != ERR_ABSENT
		    && !aws_error_is(aws_last(job->aws), "ResourceNotFoundException"))
			return -1;
		forget(job);
		return 0;
	}
	service = json_object_get(answer, "Service");
	if (!json_is_object(service) || !json_text(service, "Status"))
		return err_set(err, ERR_TRANSIENT, 0,
			       "App Runner: DescribeService: an answer without a service");
	forget(job);
	job->service = json_incref(service);
	return 0;
}

/* The ARN of the living service of our name on this page; NULL. */
static const char *on_page(const struct job *job, const json_t *answer)
{
	json_t *list = json_object_get(answer, "ServiceSummaryList"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (text_same(json_text(item, "ServiceName"), job->name)
		    && !text_same(json_text(item, "Status"), "DELETED"))
			return json_text(item, "ServiceArn");
	}
	return NULL;
}

static json_t *page_body(const char *arn, const char *token)
{
	json_t *body = json_pack("{s:i}", "MaxResults", PAGE);

	if (arn)
		json_object_set_new(body, "ServiceArn", json_string(arn));
	if (token)
		json_object_set_new(body, "NextToken", json_string(token));
	return body;
}

static int find_by_name(struct job *job, struct err *err)
{
	autofree char *token = NULL;

	job->arn = NULL;
	for (int page = 0; page < MAX_PAGES; page++) {
		json_auto json_t *answer = NULL;

		if (api_read(job, "ListServices", page_body(NULL, token), &answer, err))
			return -1;
		job->arn = arena_strdup(job->arena, on_page(job, answer));
		free(token);
		token = xstrdup(json_text(answer, "NextToken"));
		if (job->arn || !token)
			return 0;
	}
	return err_set(err, ERR_REMOTE, 0, "App Runner: ListServices: the list has no end");
}

int api_find(struct job *job, struct err *err)
{
	const char *given = job->settings->service_arn;

	forget(job);
	if (given)
		job->arn = given;
	if (!job->arn && find_by_name(job, err))
		return -1;
	if (!job->arn)
		return 0;
	if (api_describe(job, err))
		return -1;
	if (api_status(job) != API_GONE)
		return 0;
	forget(job);
	if (given)
		return err_set(
			err, ERR_ABSENT, 0,
			"there is no service %s: correct service-arn, or leave it out to have "
			"one made",
			given);
	/* Known from earlier, and gone since; another may have its name by now. */
	if (find_by_name(job, err))
		return -1;
	if (!job->arn)
		return 0;
	if (api_describe(job, err))
		return -1;
	if (api_status(job) == API_GONE) {
		forget(job);
		job->arn = NULL;
	}
	return 0;
}

enum api_status api_status(struct job *job)
{
	static const struct {
		const char *word;
		enum api_status status;
	} words[] = {
		{"RUNNING", API_RUNNING},
		{"OPERATION_IN_PROGRESS", API_BUSY},
		{"PAUSED", API_PAUSED},
		{"CREATE_FAILED", API_CREATE_FAILED},
		{"DELETE_FAILED", API_DELETE_FAILED},
		{"DELETED", API_GONE},
	};
	const char *word = json_text(job->service, "Status");

	if (!job->service)
		return API_GONE;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (text_same(words[i].word, word))
			return words[i].status;
	if (!job->odd_said)
		job_say(job,
			"App Runner says the service is '%.60s', which is new to Slipway: "
			"waiting until it is something else",
			word ? word : "");
	job->odd_said = true;
	return API_BUSY;
}

/* ---- operations ---- */

int api_operations(struct job *job, int (*look)(void *self, const json_t *operation), void *self,
		   struct err *err)
{
	autofree char *token = NULL;

	for (int page = 0; page < MAX_PAGES; page++) {
		json_auto json_t *answer = NULL;
		json_t *item;
		size_t i;

		if (api_read(job, "ListOperations", page_body(job->arn, token), &answer, err))
			return -1;
		json_array_foreach(json_object_get(answer, "OperationSummaryList"), i, item)
		{
			if (look(self, item))
				return 0;
		}
		free(token);
		token = xstrdup(json_text(answer, "NextToken"));
		if (!token)
			return 0;
	}
	return 0;
}

struct search {
	struct arena *arena;
	const char *id, *type, *found;
};

static int take_first(void *self, const json_t *operation)
{
	struct search *search = self;

	search->found = arena_strdup(search->arena, json_text(operation, "Id"));
	return search->found != NULL;
}

int api_newest(struct job *job, const char **id, struct err *err)
{
	struct search search = {.arena = job->arena};

	if (api_operations(job, take_first, &search, err))
		return -1;
	*id = search.found ? search.found : "";
	return 0;
}

static int take_after(void *self, const json_t *operation)
{
	struct search *search = self;

	if (text_same(json_text(operation, "Id"), search->id))
		return 1;
	if (!search->type || text_same(json_text(operation, "Type"), search->type))
		search->found = arena_strdup(search->arena, json_text(operation, "Id"));
	return 0;
}

int api_after(struct job *job, const char *before, const char *type, const char **id,
	      struct err *err)
{
	struct search search = {.arena = job->arena, .id = before, .type = type};

	if (api_operations(job, take_after, &search, err))
		return -1;
	*id = search.found;
	return 0;
}

static int take_status(void *self, const json_t *operation)
{
	struct search *search = self;
	const char *status = json_text(operation, "Status");

	if (!text_same(json_text(operation, "Id"), search->id))
		return 0;
	search->found = arena_strdup(search->arena, status ? status : "");
	return 1;
}

int api_operation(struct job *job, const char *id, const char **status, struct err *err)
{
	struct search search = {.arena = job->arena, .id = id};

	if (api_operations(job, take_status, &search, err))
		return -1;
	*status = search.found ? search.found : "";
	return 0;
}

bool api_is_busy(struct job *job)
{
	const struct aws_error *last = aws_last(job->aws);

	return aws_error_is(last, "InvalidStateException")
	       || (aws_error_is(last, "InvalidRequestException")
		   && strstr(last->message, "OPERATION_IN_PROGRESS"));
}

#include "target/ecs_express/api.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/arn.h"

#define PAGE      100
#define MAX_PAGES 20

static int call(struct express *job, const char *operation, json_t *body, bool once,
		json_t **answer, struct err *err)
{
	const struct aws_call call = {
		.service = &aws_ecs,
		.operation = operation,
		.body = body,
		.once = once,
		.deadline = job->deadline,
	};
	int result;

	*answer = NULL;
	result = aws_call(job->aws, &call, answer, err);
	json_decref(body);
	return result;
}

int express_read(struct express *job, const char *operation, json_t *body, json_t **answer,
		 struct err *err)
{
	return call(job, operation, body, false, answer, err);
}

int express_change(struct express *job, const char *operation, json_t *body, json_t **answer,
		   struct err *err)
{
	return call(job, operation, body, true, answer, err);
}

/* ---- the service ---- */

static void forget(struct express *job)
{
	json_decref(job->service);
	job->service = NULL;
}

static bool is_absent(const struct express *job, const struct err *err)
{
	const struct aws_error *last = aws_last(job->aws);

	return err->kind == ERR_ABSENT || aws_error_is(last, "ResourceNotFoundException")
	       || aws_error_is(last, "ServiceNotFoundException")
	       || aws_error_is(last, "ClusterNotFoundException");
}

int express_describe(struct express *job, struct err *err)
{
	json_auto json_t *answer = NULL;
	json_t *service;

	if (express_read(job, "DescribeExpressGatewayService",
			 json_pack("{s:s}", "serviceArn", job->arn), &answer, err)) {
		if (!is_absent(job, err))
			return -1;
		forget(job);
		return 0;
	}
	service = json_object_get(answer, "service");
	if (!json_text(service, "status.statusCode"))
		return err_set(err, ERR_TRANSIENT, 0,
			       "ECS: DescribeExpressGatewayService: an answer without a service");
	forget(job);
	job->service = json_incref(service);
	return 0;
}

/* arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME: no list has to be searched. */
static int make_arn(struct express *job, struct err *err)
{
	const char *given = job->settings->service_arn;
	const struct sts_identity *who;
	struct arn arn;

	if (given) {
		if (arn_parse(&arn, given, job->arena, err))
			return -1;
		if (!text_same(arn.region, aws_region(job->aws)))
			return err_set(err, ERR_USAGE, 0,
				       "service-arn: is of region %s, but the region is %s",
				       arn.region, aws_region(job->aws));
		job->arn = given;
		arn.resource += strlen("service/");
		job->cluster = arena_memdup(job->arena, arn.resource, strcspn(arn.resource, "/"));
		return 0;
	}
	if (aws_identity(job->aws, job->deadline, &who, err)
	    || arn_parse(&arn, who->arn, job->arena, err))
		return -1;
	job->cluster = job->settings->cluster ? job->settings->cluster : EXPRESS_CLUSTER;
	job->arn = arena_printf(job->arena, "arn:%s:ecs:%s:%s:service/%s/%s", arn.partition,
				aws_region(job->aws), who->account, job->cluster, job->name);
	return 0;
}

int express_find(struct express *job, struct err *err)
{
	if ((!job->arn && make_arn(job, err)) || express_describe(job, err))
		return -1;
	if (!job->settings->service_arn || express_status(job) != EXPRESS_GONE)
		return 0;
	return err_set(err, ERR_ABSENT, 0,
		       "there is no Express Mode service %s: correct service-arn, or leave it out "
		       "to have one made",
		       job->arn);
}

static void say_odd(struct express *job, const char *what, const char *word)
{
	if (!job->odd_said)
		express_say(job,
			    "ECS calls the %s's state '%.60s', which is new to Slipway: waiting "
			    "until it is something else",
			    what, word ? word : "");
	job->odd_said = true;
}

enum express_status express_status(struct express *job)
{
	const char *word = json_text(job->service, "status.statusCode");

	if (!job->service || text_same(word, "INACTIVE"))
		return EXPRESS_GONE;
	if (text_same(word, "ACTIVE"))
		return EXPRESS_ACTIVE;
	if (!text_same(word, "DRAINING"))
		say_odd(job, "service", word);
	return EXPRESS_DRAINING;
}

/* ---- deployments ---- */

enum express_state express_state(struct express *job, const char *word)
{
	static const struct {
		const char *word;
		enum express_state state;
	} words[] = {
		{"", EXPRESS_UNDERWAY},
		{"PENDING", EXPRESS_UNDERWAY},
		{"IN_PROGRESS", EXPRESS_UNDERWAY},
		{"STOP_REQUESTED", EXPRESS_UNDERWAY},
		{"ROLLBACK_REQUESTED", EXPRESS_UNDERWAY},
		{"ROLLBACK_IN_PROGRESS", EXPRESS_UNDERWAY},
		{"SUCCESSFUL", EXPRESS_SUCCESSFUL},
		{"STOPPED", EXPRESS_STOPPED},
		{"ROLLBACK_SUCCESSFUL", EXPRESS_ROLLED_BACK},
		{"ROLLBACK_FAILED", EXPRESS_STUCK_BACK},
	};

	for (size_t i = 0; word && i < sizeof words / sizeof *words; i++)
		if (text_same(words[i].word, word))
			return words[i].state;
	say_odd(job, "deployment", word);
	return EXPRESS_UNDERWAY;
}

static int list_page(struct express *job, const char *token, json_t **answer, struct err *err)
{
	json_t *body = json_pack("{s:s,s:s,s:i}", "service", job->arn, "cluster", job->cluster,
				 "maxResults", PAGE);

	if (token)
		json_object_set_new(body, "nextToken", json_string(token));
	return express_read(job, "ListServiceDeployments", body, answer, err);
}

/* Add a page's rows; true when `before` was among them. */
static bool take_rows(json_t *rows, const json_t *answer, const char *before)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "serviceDeployments"), i, row)
	{
		if (text_same(json_text(row, "serviceDeploymentArn"), before))
			return true;
		json_array_append(rows, row);
	}
	return false;
}

static int list(struct express *job, const char *before, int pages, json_t *rows, struct err *err)
{
	autofree char *token = NULL;

	for (int page = 0; page < pages; page++) {
		json_auto json_t *answer = NULL;

		if (list_page(job, token, &answer, err))
			return is_absent(job, err) ? 0 : -1;
		if (take_rows(rows, answer, before))
			return 0;
		free(token);
		token = xstrdup(json_text(answer, "nextToken"));
		if (!token)
			return 0;
	}
	return 0;
}

int express_after(struct express *job, const char *before, json_t **rows, struct err *err)
{
	*rows = json_array();
	if (list(job, before, MAX_PAGES, *rows, err) == 0)
		return 0;
	json_decref(*rows);
	*rows = NULL;
	return -1;
}

int express_newest(struct express *job, json_t **row, struct err *err)
{
	json_auto json_t *rows = json_array();

	*row = NULL;
	if (list(job, NULL, 1, rows, err))
		return -1;
	*row = json_incref(json_array_get(rows, 0));
	return 0;
}

int express_deployment(struct express *job, const char *arn, json_t **row, struct err *err)
{
	json_auto json_t *answer = NULL;

	*row = NULL;
	if (express_read(job, "DescribeServiceDeployments",
			 json_pack("{s:[s]}", "serviceDeploymentArns", arn), &answer, err))
		return is_absent(job, err) ? 0 : -1;
	*row = json_incref(json_array_get(json_object_get(answer, "serviceDeployments"), 0));
	return 0;
}

int express_revision_image(struct express *job, const char *revision, const char **image,
			   struct err *err)
{
	json_auto json_t *answer = NULL;
	json_t *row, *container;

	*image = "";
	if (express_read(job, "DescribeServiceRevisions",
			 json_pack("{s:[s]}", "serviceRevisionArns", revision), &answer, err))
		return -1;
	row = json_array_get(json_object_get(answer, "serviceRevisions"), 0);
	container = json_array_get(json_object_get(row, "containerImages"), 0);
	if (json_text(container, "image"))
		*image = arena_strdup(job->arena, json_text(container, "image"));
	return 0;
}

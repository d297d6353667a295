#include "target/aws/logs.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/ecs_express/api.h"
#include "target/ecs_express/shape.h"
#include "target/ecs_express/steps.h"

#define LINES        50
#define LATE_SECONDS 20
#define LOOK_SECONDS 30
#define EVENTS       8
#define TASKS        100 /* what ListTasks and DescribeTasks take at once */

struct report {
	struct express *job;
	struct buf *out;
	const char *image;          /* ours */
	const char *group, *prefix; /* of its log; NULL: unknown */
	const char *task;           /* one of ours whose log is shown, its id */
	const char *container;      /* of that task */
};

/* ---- what ECS says ---- */

static void add_deployment(struct report *report)
{
	const char *arn = express_recall(report->job, "deployment");
	json_auto json_t *row = NULL;
	struct err ignored = ERR_INIT;
	const char *reason;

	if (!arn || express_deployment(report->job, arn, &row, &ignored) || !row)
		return;
	reason = json_text(row, "rollback.reason");
	if (!reason)
		reason = json_text(row, "statusReason");
	buf_addf(report->out, "--- deployment %s: %s ---\n", strrchr(arn, '/') + 1,
		 json_text(row, "status") ? json_text(row, "status") : "?");
	if (reason)
		buf_addf(report->out, "%s\n", reason);
}

static void add_events(struct report *report)
{
	struct express *job = report->job;
	json_auto json_t *answer = NULL;
	json_t *events, *event;
	struct err err = ERR_INIT;
	size_t i;

	if (express_read(job, "DescribeServices",
			 json_pack("{s:s,s:[s]}", "cluster", job->cluster, "services", job->arn),
			 &answer, &err)) {
		buf_addf(report->out, "(the service's events: %s)\n", err.text);
		return;
	}
	events = json_object_get(json_array_get(json_object_get(answer, "services"), 0), "events");
	if (json_array_size(events) > 0)
		buf_adds(report->out, "--- the service's events, newest first ---\n");
	json_array_foreach(events, i, event)
	{
		if (i < EVENTS && json_text(event, "message"))
			buf_addf(report->out, "%s\n", json_text(event, "message"));
	}
}

/* ---- the tasks of our image ---- */

static const json_t *container_of(const struct report *report, const json_t *task)
{
	json_t *list = json_object_get(task, "containers"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (text_same(json_text(item, "image"), report->image))
			return item;
	}
	return NULL;
}

static void add_task(struct report *report, const json_t *task)
{
	const json_t *container = container_of(report, task);
	const char *arn = json_text(task, "taskArn"), *why = json_text(task, "stoppedReason");
	const char *own = json_text(container, "reason");

	if (!container || !arn || !strrchr(arn, '/'))
		return;
	if (!report->task || why) {
		const char *name = json_text(container, "name");

		report->task = arena_strdup(report->job->arena, strrchr(arn, '/') + 1);
		report->container = arena_strdup(report->job->arena, name ? name : "Main");
	}
	if (!why && !own)
		return;
	buf_addf(report->out, "task %s stopped: %s", strrchr(arn, '/') + 1, why ? why : own);
	if (why && own)
		buf_addf(report->out, "; %s", own);
	if (json_object_get(container, "exitCode"))
		buf_addf(report->out, " (exit %lld)",
			 (long long)json_integer_at(container, "exitCode", 0));
	buf_addc(report->out, '\n');
}

static int add_tasks(struct report *report, const char *status, struct err *err)
{
	struct express *job = report->job;
	json_auto json_t *listed = NULL, *answer = NULL;
	json_t *arns, *task;
	size_t i;

	if (express_read(job, "ListTasks",
			 json_pack("{s:s,s:s,s:s,s:i}", "cluster", job->cluster, "serviceName",
				   job->name, "desiredStatus", status, "maxResults", TASKS),
			 &listed, err))
		return -1;
	arns = json_object_get(listed, "taskArns");
	if (json_array_size(arns) == 0)
		return 0;
	if (express_read(job, "DescribeTasks",
			 json_pack("{s:s,s:O}", "cluster", job->cluster, "tasks", arns), &answer,
			 err))
		return -1;
	json_array_foreach(json_object_get(answer, "tasks"), i, task) add_task(report, task);
	return 0;
}

/* ---- what the app said ---- */

static void add_lines(struct report *report)
{
	struct express *job = report->job;
	const char *stream = report->task ? arena_printf(job->arena, "%s/%s/%s", report->prefix,
							 report->container, report->task)
					  : NULL;
	const struct aws_logs logs = {
		.aws = job->aws,
		.site = job->site,
		.group = report->group,
		.stream = stream,
		.lines = LINES,
		.wait = LATE_SECONDS,
	};
	cleanup(buf_free) struct buf lines = BUF_INIT(256 * 1024);
	struct err err = ERR_INIT;

	if (aws_logs_tail(&logs, &lines, &err))
		buf_addf(report->out, "(the app's log: %s; %s)\n",
			 err.kind == ERR_ABSENT ? "no log was written" : err.text,
			 aws_logs_link(&logs, job->arena));
	else if (lines.size > 0)
		buf_addf(report->out, "--- the app's log ---\n%s", buf_text(&lines));
}

/* The log's place is known from what was asked for, what is active, or what was live before. */
static void find_log(struct report *report)
{
	const struct express *job = report->job;
	const char *revision = express_recall(job, "revision");
	const json_t *places[] = {
		json_object_get(express_active(job->service, revision), "primaryContainer"),
		json_at(job->memo, "previous.primaryContainer"),
	};

	report->group = job->settings->log_group;
	report->prefix = job->settings->log_prefix ? job->settings->log_prefix : EXPRESS_PREFIX;
	for (size_t i = 0; !report->group && i < sizeof places / sizeof *places; i++) {
		report->group = json_text(places[i], "awsLogsConfiguration.logGroup");
		if (report->group)
			report->prefix =
				json_text(places[i], "awsLogsConfiguration.logStreamPrefix");
	}
	/* What ECS calls it when it makes one, as far as is known. */
	if (!report->group)
		report->group = arena_printf(job->arena, "/aws/ecs/%s/%s", job->cluster, job->name);
	if (!report->prefix)
		report->prefix = EXPRESS_PREFIX;
}

int express_logs(struct deploy *deploy, struct buf *out, struct err *err)
{
	cleanup(express_close) struct express job;
	struct report report = {.job = &job, .out = out};
	struct err tasks = ERR_INIT;

	if (express_open(&job, deploy, err))
		return -1;
	job.deadline = express_later(&job, LOOK_SECONDS);
	if (!express_recall(&job, "sent"))
		return 0;
	if (express_find(&job, err))
		return -1;
	if (!job.service)
		return 0;
	report.image = express_recall(&job, "image");
	add_deployment(&report);
	add_events(&report);
	if (add_tasks(&report, "RUNNING", &tasks) || add_tasks(&report, "STOPPED", &tasks))
		buf_addf(out, "(its tasks: %s)\n", tasks.text);
	find_log(&report);
	add_lines(&report);
	return 0;
}

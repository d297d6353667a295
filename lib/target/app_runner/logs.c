#include "target/aws/logs.h"

#include <string.h>

#include "base/json.h"
#include "target/app_runner/api.h"
#include "target/app_runner/steps.h"

#define LINES        50
#define LATE_SECONDS 60
#define LOOK_SECONDS 30

/* https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cwl.html */
static const char *group_of(const struct job *job, const char *which)
{
	return arena_printf(job->arena, "/aws/apprunner/%s/%s/%s",
			    json_text(job->service, "ServiceName"),
			    json_text(job->service, "ServiceId"), which);
}

/* The stream of one operation: its id without the dashes. */
static const char *stream_of(const struct job *job)
{
	const char *id = job_recall(job, "operation");
	char *stream = id ? arena_printf(job->arena, "deployment/%s", id) : NULL, *to = stream;

	if (!stream)
		return NULL;
	for (const char *from = stream; *from; from++)
		if (*from != '-')
			*to++ = *from;
	*to = '\0';
	return stream;
}

static void add(struct job *job, const char *what, const char *group, const char *stream,
		struct buf *out)
{
	const struct aws_logs logs = {
		.aws = job->aws,
		.site = job->site,
		.group = group,
		.stream = stream,
		.lines = LINES,
		.wait = LATE_SECONDS,
	};
	cleanup(buf_free) struct buf lines = BUF_INIT(256 * 1024);
	struct err err = ERR_INIT;

	if (aws_logs_tail(&logs, &lines, &err))
		buf_addf(out, "(%s: %s; %s)\n", what,
			 err.kind == ERR_ABSENT ? "no log was written" : err.text,
			 aws_logs_link(&logs, job->arena));
	else if (lines.size > 0)
		buf_addf(out, "--- %s ---\n%s", what, buf_text(&lines));
}

int app_runner_logs(struct deploy *deploy, struct buf *out, struct err *err)
{
	cleanup(job_close) struct job job;

	if (job_open(&job, deploy, err))
		return -1;
	job.deadline = clock_ticks(job.site->clock) + 1000 * LOOK_SECONDS;
	if (!job_recall(&job, "sent") || !job.arn)
		return 0;
	if (api_describe(&job, err) || !job.service)
		return -1;
	add(&job, "App Runner's events", group_of(&job, "service"), stream_of(&job), out);
	add(&job, "the app's log", group_of(&job, "application"), NULL, out);
	return 0;
}

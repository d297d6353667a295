#include "target/app_runner/hint.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* https://docs.aws.amazon.com/apprunner/latest/dg/apprunner-availability-change.html; the text of
 * the refusal isn't documented, so it's matched loosely. */
static bool is_closed(const struct aws_error *last)
{
	return strstr(last->message, "new customers") || strstr(last->message, "maintenance mode")
	       || strstr(last->code, "SubscriptionRequired") || strstr(last->code, "OptInRequired");
}

static void add_map(struct buf *out, const char *name, const struct field_pair *pair)
{
	if (!pair || !pair->name)
		return;
	buf_addf(out, "        %s:\n", name);
	for (; pair->name; pair++) {
		buf_addf(out, "          %s: ", pair->name);
		buf_add_json_text(out, pair->value); /* JSON's texts are YAML's too */
		buf_addc(out, '\n');
	}
}

/* What the service has of its own, under ecs-express's names. */
static void add_own(const struct app_runner_settings *settings, const struct app *app,
		    struct buf *out)
{
	const struct app_runner_health *health = settings->health_check;

	if (settings->image)
		buf_addf(out, "        image: %s\n", settings->image);
	if (settings->repository)
		buf_addf(out, "        repository: %s\n", settings->repository);
	buf_addf(out, "        port: %lld\n", settings->port ? (long long)settings->port : 8080);
	buf_addf(out, "        cpu: %s\n        memory: %s\n",
		 settings->cpu ? app_runner_cpu(settings->cpu) : "1024",
		 settings->memory ? app_runner_memory(settings->memory) : "2048");
	buf_addf(out, "        health-check-path: %s\n",
		 health && health->path ? health->path : app->health->path);
	if (settings->scaling)
		buf_addf(out, "        scaling: {min: %lld, max: %lld}\n",
			 (long long)settings->scaling->min, (long long)settings->scaling->max);
	if (settings->instance_role)
		buf_addf(out, "        task-role: %s\n", settings->instance_role);
	add_map(out, "runtime-secrets", settings->runtime_secrets);
	add_map(out, "tags", settings->tags);
}

void hint_express(const struct app_runner_settings *settings, const struct app *app,
		  const char *region, const char *account, struct buf *out)
{
	cleanup(arena_freep) struct arena *arena = arena_new();

	buf_addf(out, "      %s:\n        target: ecs-express\n", app->environment);
	buf_addf(out, "        region: %s\n", region);
	if (settings->aws.role_to_assume)
		buf_addf(out, "        role-to-assume: %s\n", settings->aws.role_to_assume);
	buf_addf(out, "        service-name: %s\n", app_runner_name(settings, app, arena));
	add_own(settings, app, out);
	buf_addf(out,
		 "        execution-role: arn:aws:iam::%s:role/ecsTaskExecutionRole\n"
		 "        infrastructure-role: arn:aws:iam::%s:role/"
		 "ecsInfrastructureRoleForExpressServices\n",
		 account, account);
}

static void closed(struct job *job, struct err *err)
{
	cleanup(buf_free) struct buf lines = BUF_INIT(8 * 1024);
	const char *region = aws_region(job->aws);
	struct err refusal = *err, ignored = ERR_INIT;
	const struct sts_identity *who = NULL;

	err_set(err, ERR_AUTH, refusal.code,
		"%.220s; App Runner takes no new customers since 2026-04-30; this service as one "
		"of "
		"ECS Express Mode: {target: ecs-express, region: %s, port: %lld}, all of it in the "
		"log",
		refusal.text, region,
		job->settings->port ? (long long)job->settings->port : 8080LL);
	if (aws_identity(job->aws, job->deadline, &who, &ignored))
		who = NULL;
	hint_express(job->settings, job->deploy->app, region, who ? who->account : "123456789012",
		     &lines);
	job_say(job,
		"App Runner takes no new customers. In slipway.yml this makes the service one of "
		"ECS Express Mode (docs/targets/ecs-express.md):\n    environments:\n%s",
		buf_text(&lines));
}

static void append(struct err *err, const char *hint)
{
	struct err before = *err;

	err_set(err, before.kind, before.code, "%.330s; %s", before.text, hint);
}

void hint_add(struct job *job, const char *type, struct err *err)
{
	const struct aws_error *last = aws_last(job->aws);

	if (is_closed(last) && text_same(type, "CREATE_SERVICE"))
		closed(job, err);
	else if (strstr(last->message, "iam:PassRole"))
		append(err, "the role that deploys may not hand this one on: allow iam:PassRole "
			    "for it (docs/targets/app-runner.md)");
	else if (aws_error_is(last, "ServiceQuotaExceededException"))
		append(err, "services whose creation failed count too: delete those that nobody "
			    "needs, or ask for a higher quota");
	else if (aws_error_is(last, "AccessDeniedException"))
		append(err, "docs/targets/app-runner.md has the policy that the deploying role "
			    "needs");
}

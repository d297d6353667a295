#include "target/app_runner/job.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/note.h"
#include "target/aws/open.h"

int job_open(struct job *job, struct deploy *deploy, struct err *err)
{
	*job = (struct job){
		.deploy = deploy,
		.settings = deploy->settings,
		.site = deploy->site,
		.arena = deploy->arena,
	};
	job->name = app_runner_name(job->settings, deploy->app, job->arena);
	if (note_claim(deploy, err) || aws_open(&job->aws, deploy, &job->settings->aws, err))
		return -1;
	job->memo = note_read(deploy);
	job->arn = arena_strdup(job->arena, json_text(job->memo, "arn"));
	return 0;
}

void job_close(struct job *job)
{
	json_decref(job->service);
	json_decref(job->memo);
}

void job_save(struct job *job)
{
	note_write(job->deploy, job->memo);
}

const char *job_recall(const struct job *job, const char *name)
{
	return json_text(job->memo, name);
}

void job_note(struct job *job, const char *name, const char *value)
{
	note_set(job->memo, name, value);
}

int job_pause(struct job *job, int64_t deadline, struct err *err)
{
	return aws_pause(job->site, aws_poll(job->site, job->looks++), deadline, err);
}

void job_facts(struct job *job)
{
	const char *url = json_text(job->service, "ServiceUrl");
	const char *arn = json_text(job->service, "ServiceArn");
	const char *id = json_text(job->service, "ServiceId");

	if (arn)
		target_fact(job->deploy, "service-arn", arn);
	if (id)
		target_fact(job->deploy, "service-id", id);
	/* A private service has none, also when it had one before. */
	job->deploy->url = NULL;
	json_object_del(job->deploy->facts, "service-url");
	if (!url || !*url)
		return;
	job->deploy->url = strstr(url, "://") ? arena_strdup(job->arena, url)
					      : arena_printf(job->arena, "https://%s", url);
	target_fact(job->deploy, "service-url", job->deploy->url);
}

const char *job_console(const struct job *job)
{
	const char *region = aws_region(job->aws);
	const char *path = job->arn ? arena_printf(job->arena,
						   "/apprunner/home?region=%s#/services/"
						   "dashboard?service_arn=%s",
						   region, job->arn)
				    : arena_printf(job->arena, "/apprunner/home?region=%s", region);

	return aws_console(job->aws, path, job->arena);
}

int job_ends(struct job *job, enum ending ending)
{
	job->deploy->ending = ending;
	return -1;
}

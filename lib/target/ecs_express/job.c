#include "target/ecs_express/job.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/aws/note.h"
#include "target/aws/open.h"
#include "target/ecs_express/shape.h"

int express_open(struct express *job, struct deploy *deploy, struct err *err)
{
	*job = (struct express){
		.deploy = deploy,
		.settings = deploy->settings,
		.site = deploy->site,
		.arena = deploy->arena,
	};
	job->name = express_name(job->settings, deploy->app, job->arena);
	if (note_claim(deploy, err) || aws_open(&job->aws, deploy, &job->settings->aws, err))
		return -1;
	job->memo = note_read(deploy);
	job->arn = arena_strdup(job->arena, express_recall(job, "arn"));
	job->cluster = arena_strdup(job->arena, express_recall(job, "cluster"));
	return 0;
}

void express_close(struct express *job)
{
	json_decref(job->service);
	json_decref(job->memo);
}

void express_save(struct express *job)
{
	note_write(job->deploy, job->memo);
}

const char *express_recall(const struct express *job, const char *name)
{
	return json_text(job->memo, name);
}

void express_note(struct express *job, const char *name, const char *value)
{
	note_set(job->memo, name, value);
}

int64_t express_later(const struct express *job, int64_t seconds)
{
	return clock_ticks(job->site->clock) + 1000 * seconds;
}

int express_pause(struct express *job, int64_t deadline, struct err *err)
{
	return aws_pause(job->site, aws_poll(job->site, job->looks++), deadline, err);
}

void express_facts(struct express *job)
{
	const char *url =
		express_url(express_active(job->service, express_recall(job, "revision")));

	if (job->arn)
		target_fact(job->deploy, "service-arn", job->arn);
	if (!url)
		return;
	job->deploy->url = strstr(url, "://") ? arena_strdup(job->arena, url)
					      : arena_printf(job->arena, "https://%s", url);
	target_fact(job->deploy, "service-url", job->deploy->url);
}

const char *express_console(const struct express *job)
{
	return aws_console(job->aws,
			   arena_printf(job->arena, "/ecs/v2/clusters/%s/services/%s?region=%s",
					job->cluster, job->name, aws_region(job->aws)),
			   job->arena);
}

int express_ends(struct express *job, enum ending ending)
{
	job->deploy->ending = ending;
	return -1;
}

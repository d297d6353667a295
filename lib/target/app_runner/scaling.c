#include "target/app_runner/scaling.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/api.h"

#define CONFIG "AutoScalingConfiguration"

static int describe(struct job *job, const char *arn, json_t **out, struct err *err)
{
	json_auto json_t *answer = NULL;

	if (api_read(job, "DescribeAutoScalingConfiguration", json_pack("{s:s}", CONFIG "Arn", arn),
		     &answer, err))
		return -1;
	*out = json_incref(json_object_get(answer, CONFIG));
	return *out ? 0 : err_set(err, ERR_REMOTE, 0, "App Runner: an answer without " CONFIG);
}

/* "…:autoscalingconfiguration/name/3/id" is whole; without revision or id it must be asked for. */
static bool is_whole(const char *arn)
{
	unsigned slashes = 0;

	for (const char *c = arn; *c; c++)
		slashes += *c == '/';
	return slashes >= 3;
}

static int named(struct job *job, const char *given, const char **arn, struct err *err)
{
	json_auto json_t *found = NULL;

	*arn = given;
	if (is_whole(given))
		return 0;
	if (describe(job, given, &found, err))
		return err_within(err, "auto-scaling-configuration");
	if (!text_same_nocase(json_text(found, "Status"), "active"))
		return err_set(err, ERR_USAGE, 0,
			       "auto-scaling-configuration: %s is '%s'; name one that is active",
			       given, json_text(found, "Status"));
	*arn = arena_strdup(job->arena, json_text(found, CONFIG "Arn"));
	return 0;
}

static bool has_values(const json_t *found, const struct app_runner_scaling *wish)
{
	return json_integer_at(found, "MaxConcurrency", 0) == wish->concurrency
	       && json_integer_at(found, "MinSize", 0) == wish->min
	       && json_integer_at(found, "MaxSize", 0) == wish->max
	       && text_same_nocase(json_text(found, "Status"), "active");
}

/* The newest revision's, when it has the values; NULL. */
static int find_values(struct job *job, const char *name, const struct app_runner_scaling *wish,
		       const char **arn, struct err *err)
{
	json_auto json_t *answer = NULL, *found = NULL;
	const char *newest;

	*arn = NULL;
	if (api_read(job, "ListAutoScalingConfigurations",
		     json_pack("{s:s,s:b}", CONFIG "Name", name, "LatestOnly", 1), &answer, err))
		return -1;
	newest = json_text(json_array_get(json_object_get(answer, CONFIG "SummaryList"), 0),
			   CONFIG "Arn");
	if (!newest)
		return 0;
	if (describe(job, newest, &found, err))
		return -1;
	if (has_values(found, wish))
		*arn = arena_strdup(job->arena, newest);
	return 0;
}

static int make_values(struct job *job, const char *name, const struct app_runner_scaling *wish,
		       const char **arn, struct err *err)
{
	json_auto json_t *answer = NULL;
	struct err second = ERR_INIT;
	int result;

	job_say(job, "making a revision of auto-scaling configuration '%s'", name);
	result = api_change(job, "CreateAutoScalingConfiguration",
			    json_pack("{s:s,s:I,s:I,s:I}", CONFIG "Name", name, "MaxConcurrency",
				      (json_int_t)wish->concurrency, "MinSize",
				      (json_int_t)wish->min, "MaxSize", (json_int_t)wish->max),
			    &answer, err);
	/* Each call would make one more: look before that. */
	if (result == AWS_UNKNOWN && find_values(job, name, wish, arn, &second) == 0 && *arn)
		return 0;
	if (result)
		return err_within(err, "auto-scaling configuration '%s'", name);
	*arn = arena_strdup(job->arena, json_text(answer, CONFIG "." CONFIG "Arn"));
	return 0;
}

int scaling_choose(struct job *job, bool make, const char **arn, struct err *err)
{
	const struct app_runner_scaling *wish = job->settings->scaling;
	const char *name;

	*arn = NULL;
	if (job->settings->scaling_arn)
		return named(job, job->settings->scaling_arn, arn, err);
	if (!wish)
		return 0;
	name = wish->name ? wish->name : arena_printf(job->arena, "%.32s", job->name);
	if (find_values(job, name, wish, arn, err))
		return err_within(err, "auto-scaling");
	if (*arn)
		return 0;
	if (make)
		return make_values(job, name, wish, arn, err);
	*arn = "(a new revision)";
	return 0;
}

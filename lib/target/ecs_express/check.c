#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "target/aws/arn.h"
#include "target/aws/valid.h"
#include "target/ecs_express/settings.h"

/* What the settings mean, and what they can't be together. */

#define MAX_VALUE 32768 /* of a variable */

/* https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html: what
 * Fargate has. The first pair of 256 is outside of the steps. */
static const struct size {
	int cpu, least, most, step;
} sizes[] = {
	{256, 1024, 2048, 1024},      {512, 1024, 4096, 1024},   {1024, 2048, 8192, 1024},
	{2048, 4096, 16384, 1024},    {4096, 8192, 30720, 1024}, {8192, 16384, 61440, 4096},
	{16384, 32768, 122880, 8192},
};

#define SIZES (sizeof sizes / sizeof *sizes)

/* "1.5 GB" in 1024ths, "1536"; 0 when it's no number. *bare: there was no unit. */
static long number_of(const char *text, const char *unit, bool *bare)
{
	size_t size = strspn(text, "0123456789");
	const char *rest = text + size;
	long whole = 0, part = 0;

	if (size == 0 || size > 6)
		return 0;
	for (size_t i = 0; i < size; i++)
		whole = whole * 10 + (text[i] - '0');
	whole *= 1024;
	if (*rest == '.') {
		size_t digits = strspn(rest + 1, "0123456789");
		long scale = 1;

		if (digits == 0 || digits > 4)
			return 0;
		for (size_t i = 0; i < digits; i++, scale *= 10)
			part = part * 10 + (rest[1 + i] - '0');
		whole += part * 1024 / scale;
		rest += 1 + digits;
	}
	while (*rest == ' ')
		rest++;
	*bare = *rest == '\0';
	return *bare || text_same_nocase(rest, unit) ? whole : 0;
}

/* A bare number that is too large for the unit is one of 1024ths already. */
static long units_of(const char *text, const char *unit, long small)
{
	bool bare = false;
	long number = number_of(text, unit, &bare);

	return bare && number >= small * 1024 ? number / 1024 : number;
}

const char *express_cpu(const char *text, struct arena *arena)
{
	long units = units_of(text, "vCPU", 256);

	for (size_t i = 0; i < SIZES; i++)
		if (sizes[i].cpu == units)
			return arena_printf(arena, "%ld", units);
	return NULL;
}

const char *express_memory(const char *text, struct arena *arena)
{
	long units = units_of(text, "GB", 512);

	for (size_t i = 0; i < SIZES; i++)
		if (units == 512
		    || (units >= sizes[i].least && units <= sizes[i].most
			&& units % sizes[i].step == 0))
			return arena_printf(arena, "%ld", units);
	return NULL;
}

bool express_is_pair(const char *cpu, const char *memory)
{
	long units = strtol(cpu, NULL, 10), wanted = strtol(memory, NULL, 10);

	for (size_t i = 0; i < SIZES; i++)
		if (sizes[i].cpu == units)
			return (units == 256 && wanted == 512)
			       || (wanted >= sizes[i].least && wanted <= sizes[i].most
				   && wanted % sizes[i].step == 0);
	return false;
}

bool express_is_ecr(const char *image)
{
	const char *at = image + strspn(image, "0123456789");

	return text_starts(image, "public.ecr.aws/")
	       || (at - image == 12 && text_starts(at, ".dkr.ecr.")
		   && strstr(at, ".amazonaws.com") != NULL);
}

const char *express_name(const struct express_settings *settings, const struct app *app,
			 struct arena *arena)
{
	if (settings->service_arn)
		return strrchr(settings->service_arn, '/') + 1;
	if (settings->service_name)
		return settings->service_name;
	return valid_default_name(app, arena);
}

/* ---- the mistakes ---- */

static void check_size(const struct express_settings *settings, struct buf *out)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *cpu = settings->cpu ? express_cpu(settings->cpu, arena) : NULL;
	const char *memory = settings->memory ? express_memory(settings->memory, arena) : NULL;

	if (!settings->cpu != !settings->memory)
		valid_wrong(out,
			    "cpu and memory: give both or neither, Fargate knows some pairs only");
	if (cpu && memory && !express_is_pair(cpu, memory))
		valid_wrong(
			out,
			"cpu: '%s' with memory: '%s': expected 0.25 vCPU with 0.5, 1 or 2 GB, 0.5 "
			"with 1 to 4, 1 with 2 to 8, 2 with 4 to 16, 4 with 8 to 30, 8 with 16 to "
			"60, "
			"16 with 32 to 120",
			settings->cpu, settings->memory);
}

static void check_image(const struct express_settings *settings, const struct app *app,
			struct buf *out)
{
	if (!settings->image && !app->image)
		valid_wrong(
			out,
			"say what to deploy: `build: {dockerfile: …}` for an image that is built "
			"here, or `image:` for one that is there");
	if (settings->image && app->image)
		valid_wrong(out, "image: '%.100s' and build.dockerfile: deploy one of them",
			    settings->image);
	if (settings->repository_credentials
	    && (!settings->image || express_is_ecr(settings->image)))
		valid_wrong(out, "repository-credentials: are for registries other than ECR, which "
				 "execution-role opens");
}

static void check_roles(const struct express_settings *settings, struct buf *out)
{
	if (settings->service_arn)
		return;
	if (!settings->execution_role)
		valid_wrong(out,
			    "execution-role: is missing: ECS needs it to pull the image (trusted "
			    "service: ecs-tasks.amazonaws.com)");
	if (!settings->infrastructure_role)
		valid_wrong(
			out,
			"infrastructure-role: is missing: ECS needs it to make the load balancer "
			"(trusted service: ecs.amazonaws.com)");
}

static void check_scaling(const struct express_scaling *scaling, struct buf *out)
{
	if (scaling->min && scaling->max && scaling->min > scaling->max)
		valid_wrong(out, "scaling: min %lld is over max %lld", (long long)scaling->min,
			    (long long)scaling->max);
	if (scaling->target > 100 && scaling->metric >= 0 && scaling->metric < 2)
		valid_wrong(out, "scaling.target: %lld percent: expected at most 100",
			    (long long)scaling->target);
}

static void check_names(const struct express_settings *settings, const struct app *app,
			struct buf *out)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *name = express_name(settings, app, arena);

	if (settings->service_arn && settings->service_name
	    && !text_same(name, settings->service_name))
		valid_wrong(out, "service-name: '%s', but service-arn is of '%s'",
			    settings->service_name, name);
	if (settings->service_arn && settings->cluster
	    && !strstr(settings->service_arn,
		       arena_printf(arena, ":service/%s/", settings->cluster)))
		valid_wrong(out, "cluster: '%s', but service-arn is of another", settings->cluster);
	if (settings->log_prefix && !settings->log_group)
		valid_wrong(out, "log-prefix: needs log-group");
}

int express_check(const void *at, const struct app *app, struct err *err)
{
	const struct express_settings *settings = at;
	cleanup(buf_free) struct buf out = BUF_INIT(16 * 1024);
	struct err one = ERR_INIT;

	check_names(settings, app, &out);
	check_image(settings, app, &out);
	check_roles(settings, &out);
	check_size(settings, &out);
	if (settings->scaling)
		check_scaling(settings->scaling, &out);
	valid_env(app, settings->runtime_secrets, "ECS", MAX_VALUE, &out);
	valid_tags(settings->tags, &out);
	if (aws_settings_check(&settings->aws, &one))
		valid_wrong(&out, "%s", one.text);
	return out.size ? err_set(err, ERR_USAGE, 0, "%s", buf_text(&out)) : 0;
}

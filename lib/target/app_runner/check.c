#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "target/app_runner/settings.h"
#include "target/aws/arn.h"
#include "target/aws/valid.h"

/* What the settings mean, and what they can't be together. */

struct unit {
	const char *said, *number; /* "0.25", "256" */
};

static const struct unit cpus[] = {
	{"0.25", "256"}, {"0.5", "512"}, {"1", "1024"}, {"2", "2048"}, {"4", "4096"}, {NULL, NULL},
};
static const struct unit memories[] = {
	{"0.5", "512"}, {"1", "1024"}, {"2", "2048"},   {"3", "3072"},   {"4", "4096"},
	{"6", "6144"},  {"8", "8192"}, {"10", "10240"}, {"12", "12288"}, {NULL, NULL},
};

/* https://docs.aws.amazon.com/apprunner/latest/api/API_InstanceConfiguration.html and CDK's
 * Memory: which memory goes with which cpu. */
static const char *const pairs[][4] = {
	{"256", "512", "1024", NULL},       {"512", "1024", NULL},
	{"1024", "2048", "3072", "4096"},   {"2048", "4096", "6144", NULL},
	{"4096", "8192", "10240", "12288"},
};

/* "1 vCPU", "1vcpu", "1.0": the number without unit, space and needless digits. */
static const char *number_of(const struct unit *units, const char *unit, const char *text)
{
	char number[16];
	size_t size = strspn(text, "0123456789.");
	const char *rest = text + size;

	if (size == 0 || size >= sizeof number)
		return NULL;
	snprintf(number, sizeof number, "%.*s", (int)size, text);
	while (*rest == ' ')
		rest++;
	for (const struct unit *at = units; at->said && !*rest; at++)
		if (strcmp(at->number, number) == 0)
			return at->number;
	if (*rest && !text_same_nocase(rest, unit))
		return NULL;
	if (text_ends(number, ".0"))
		number[size - 2] = '\0';
	for (const struct unit *at = units; at->said; at++)
		if (strcmp(at->said, number) == 0)
			return at->number;
	return NULL;
}

const char *app_runner_cpu(const char *text)
{
	return number_of(cpus, "vCPU", text);
}

const char *app_runner_memory(const char *text)
{
	return number_of(memories, "GB", text);
}

const char *app_runner_branch(const char *text)
{
	static const char heads[] = "refs/heads/";

	return text_starts(text, heads) ? text + sizeof heads - 1 : text;
}

bool app_runner_is_ecr(const char *image)
{
	const char *at = image + strspn(image, "0123456789");

	return at - image == 12 && text_starts(at, ".dkr.ecr.")
	       && strstr(at, ".amazonaws.com/") != NULL;
}

bool app_runner_is_ecr_public(const char *image)
{
	return text_starts(image, "public.ecr.aws/");
}

const char *app_runner_name(const struct app_runner_settings *settings, const struct app *app,
			    struct arena *arena)
{
	if (settings->service_name)
		return settings->service_name;
	return valid_default_name(app, arena);
}

/* ---- the mistakes ---- */

static void check_size(const struct app_runner_settings *settings, struct buf *out)
{
	const char *cpu = settings->cpu ? app_runner_cpu(settings->cpu) : NULL;
	const char *memory = settings->memory ? app_runner_memory(settings->memory) : NULL;

	if (!settings->cpu != !settings->memory)
		valid_wrong(
			out,
			"cpu and memory: give both or neither, App Runner knows some pairs only");
	if (!cpu || !memory)
		return;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (strcmp(pairs[i][0], cpu) != 0)
			continue;
		for (size_t j = 1; j < 4 && pairs[i][j]; j++)
			if (strcmp(pairs[i][j], memory) == 0)
				return;
	}
	valid_wrong(
		out,
		"cpu: '%s' with memory: '%s': expected 0.25 vCPU with 0.5 or 1 GB, 0.5 with 1, 1 "
		"with 2, 3 or 4, 2 with 4 or 6, 4 with 8, 10 or 12",
		settings->cpu, settings->memory);
}

static void check_image(const struct app_runner_settings *settings, const struct app *app,
			struct buf *out)
{
	const char *image = settings->image;
	bool private = image ? app_runner_is_ecr(image) : !settings->code;

	if (!settings->image && !settings->code && !app->image)
		valid_wrong(
			out,
			"say what to deploy: `build: {dockerfile: …}` for an image that is built "
			"here, `image:` for one in ECR, or `code:`");
	if (settings->code && (settings->image || app->image))
		valid_wrong(out, "code: and an image: App Runner takes one of them");
	if (settings->image && app->image)
		valid_wrong(out, "image: '%.100s' and build.dockerfile: deploy one of them", image);
	if (settings->code && settings->access_role)
		valid_wrong(out,
			    "access-role: is for images of ECR; code: has a connection instead");
	if (private && !settings->access_role && !settings->service_arn)
		valid_wrong(
			out,
			"access-role: is missing: App Runner needs it to pull a private image of "
			"ECR (trusted service: build.apprunner.amazonaws.com)");
	if (image && app_runner_is_ecr_public(image) && settings->auto_deployments)
		valid_wrong(out, "auto-deployments: App Runner can't for an image of ECR Public");
	if (settings->image_by_digest && settings->auto_deployments)
		valid_wrong(out, "auto-deployments with image-by-digest: a digest never moves");
}

static void check_code(const struct app_runner_code *code, const struct app_runner_settings *all,
		       const struct app *app, struct buf *out)
{
	bool by_file = code->source == CODE_SOURCE_REPOSITORY;

	if (!code->connection && strstr(code->repository, "github.com"))
		valid_wrong(
			out,
			"code.connection: is missing: App Runner reaches GitHub through one only");
	if (!by_file && !code->runtime)
		valid_wrong(
			out,
			"code.runtime: is missing; or say `configuration-source: repository` to "
			"use the repository's apprunner.yaml");
	if (by_file && (code->runtime || code->build_command || all->start_command || all->port))
		valid_wrong(out,
			    "code.configuration-source: repository: runtime, build-command, "
			    "start-command and port stand in apprunner.yaml then; leave them out");
	if (by_file && ((app->env && app->env[0]) || all->runtime_secrets))
		valid_wrong(out, "code.configuration-source: repository: env and secrets stand in "
				 "apprunner.yaml then; leave them out");
}

static void check_health(const struct app_runner_health *health, struct buf *out)
{
	if (health->protocol == 0 && health->path)
		valid_wrong(
			out,
			"health-check.path: with protocol tcp nothing is asked for; say protocol: "
			"http");
}

static void check_network(const struct app_runner_settings *settings, struct buf *out)
{
	if (settings->ingress == INGRESS_PRIVATE && settings->ip_address_type == 1)
		valid_wrong(out, "ip-address-type: dual-stack is for public services only");
	if (settings->scaling && settings->scaling_arn)
		valid_wrong(out, "auto-scaling and auto-scaling-configuration: give one");
	if (settings->scaling && settings->scaling->min > settings->scaling->max)
		valid_wrong(out, "auto-scaling: min-size %lld is over max-size %lld",
			    (long long)settings->scaling->min, (long long)settings->scaling->max);
}

static void check_name(const struct app_runner_settings *settings, const struct app *app,
		       struct buf *out)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *name = app_runner_name(settings, app, arena);
	size_t size = strlen(name);

	if (!settings->service_arn && (size < 4 || size > 40))
		valid_wrong(
			out,
			"service-name: the service would be called '%.80s', but App Runner wants 4 "
			"to 40 characters; say service-name",
			name);
}

int app_runner_check(const void *at, const struct app *app, struct err *err)
{
	const struct app_runner_settings *settings = at;
	cleanup(buf_free) struct buf out = BUF_INIT(16 * 1024);
	struct err one = ERR_INIT;

	check_name(settings, app, &out);
	check_image(settings, app, &out);
	if (settings->code)
		check_code(settings->code, settings, app, &out);
	check_size(settings, &out);
	if (settings->health_check)
		check_health(settings->health_check, &out);
	check_network(settings, &out);
	valid_env(app, settings->runtime_secrets, "App Runner", 51200, &out);
	valid_tags(settings->tags, &out);
	if (aws_settings_check(&settings->aws, &one))
		valid_wrong(&out, "%s", one.text);
	return out.size ? err_set(err, ERR_USAGE, 0, "%s", buf_text(&out)) : 0;
}

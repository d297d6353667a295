#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "target/app_runner/settings.h"
#include "target/aws/arn.h"

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

bool app_runner_is_secret(const struct app *app, const char *entry)
{
	size_t size = strcspn(entry, "=");

	for (const char *const *name = app->secrets; name && *name; name++)
		if (strlen(*name) == size && strncmp(*name, entry, size) == 0)
			return true;
	return false;
}

const char *app_runner_name(const struct app_runner_settings *settings, const struct app *app,
			    struct arena *arena)
{
	char *name;

	if (settings->service_name)
		return settings->service_name;
	name = arena_printf(arena, "%s-%s", app->service, app->environment);
	for (char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
			*at = '-';
	return name;
}

/* ---- the mistakes ---- */

static void wrong(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void wrong(struct buf *out, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_addf(out, "%s%s", out->size ? "; " : "", text);
}

static void check_size(const struct app_runner_settings *settings, struct buf *out)
{
	const char *cpu = settings->cpu ? app_runner_cpu(settings->cpu) : NULL;
	const char *memory = settings->memory ? app_runner_memory(settings->memory) : NULL;

	if (!settings->cpu != !settings->memory)
		wrong(out,
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
	wrong(out,
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
		wrong(out,
		      "say what to deploy: `build: {dockerfile: …}` for an image that is built "
		      "here, `image:` for one in ECR, or `code:`");
	if (settings->code && (settings->image || app->image))
		wrong(out, "code: and an image: App Runner takes one of them");
	if (settings->image && app->image)
		wrong(out, "image: '%.100s' and build.dockerfile: deploy one of them", image);
	if (settings->code && settings->access_role)
		wrong(out, "access-role: is for images of ECR; code: has a connection instead");
	if (private && !settings->access_role && !settings->service_arn)
		wrong(out,
		      "access-role: is missing: App Runner needs it to pull a private image of "
		      "ECR (trusted service: build.apprunner.amazonaws.com)");
	if (image && app_runner_is_ecr_public(image) && settings->auto_deployments)
		wrong(out, "auto-deployments: App Runner can't for an image of ECR Public");
	if (settings->image_by_digest && settings->auto_deployments)
		wrong(out, "auto-deployments with image-by-digest: a digest never moves");
}

static void check_code(const struct app_runner_code *code, const struct app_runner_settings *all,
		       const struct app *app, struct buf *out)
{
	bool by_file = code->source == CODE_SOURCE_REPOSITORY;

	if (!code->connection && strstr(code->repository, "github.com"))
		wrong(out,
		      "code.connection: is missing: App Runner reaches GitHub through one only");
	if (!by_file && !code->runtime)
		wrong(out, "code.runtime: is missing; or say `configuration-source: repository` to "
			   "use the repository's apprunner.yaml");
	if (by_file && (code->runtime || code->build_command || all->start_command || all->port))
		wrong(out, "code.configuration-source: repository: runtime, build-command, "
			   "start-command and port stand in apprunner.yaml then; leave them out");
	if (by_file && ((app->env && app->env[0]) || all->runtime_secrets))
		wrong(out, "code.configuration-source: repository: env and secrets stand in "
			   "apprunner.yaml then; leave them out");
}

static void check_health(const struct app_runner_health *health, struct buf *out)
{
	if (health->protocol == 0 && health->path)
		wrong(out,
		      "health-check.path: with protocol tcp nothing is asked for; say protocol: "
		      "http");
}

static void check_network(const struct app_runner_settings *settings, struct buf *out)
{
	if (settings->ingress == INGRESS_PRIVATE && settings->ip_address_type == 1)
		wrong(out, "ip-address-type: dual-stack is for public services only");
	if (settings->scaling && settings->scaling_arn)
		wrong(out, "auto-scaling and auto-scaling-configuration: give one");
	if (settings->scaling && settings->scaling->min > settings->scaling->max)
		wrong(out, "auto-scaling: min-size %lld is over max-size %lld",
		      (long long)settings->scaling->min, (long long)settings->scaling->max);
}

static const char *env_value(const struct app *app, const char *name)
{
	size_t size = strlen(name);

	for (const char *const *entry = app->env; entry && *entry; entry++)
		if (strncmp(*entry, name, size) == 0 && (*entry)[size] == '=')
			return *entry + size + 1;
	return NULL;
}

static void check_env(const struct app_runner_settings *settings, const struct app *app,
		      struct buf *out)
{
	for (const char *const *entry = app->env; entry && *entry; entry++) {
		int size = (int)strcspn(*entry, "=");

		if (strlen(*entry) > 51200)
			wrong(out, "env: '%.*s' is longer than 51200 bytes", size, *entry);
		if (app_runner_is_secret(app, *entry) && !arn_is_secret(*entry + size + 1))
			wrong(out,
			      "secrets: '%.*s': App Runner would show its value to whoever may "
			      "look "
			      "at the service, so it isn't sent; keep it in Secrets Manager or SSM "
			      "and give the ARN: runtime-secrets: {%.*s: arn:aws:secretsmanager:…}",
			      size, *entry, size, *entry);
	}
	for (const struct field_pair *pair = settings->runtime_secrets; pair && pair->name;
	     pair++) {
		if (!arn_is_secret(pair->value))
			wrong(out,
			      "runtime-secrets: '%s': expected the ARN of a secret (Secrets "
			      "Manager "
			      "or SSM), found something else",
			      pair->name);
		if (env_value(app, pair->name))
			wrong(out, "runtime-secrets: '%s' is in env or secrets too", pair->name);
	}
}

static void check_tags(const struct field_pair *tags, struct buf *out)
{
	for (; tags && tags->name; tags++)
		if (strlen(tags->value) > 256)
			wrong(out, "tags: '%.60s': the value is longer than 256", tags->name);
}

static void check_name(const struct app_runner_settings *settings, const struct app *app,
		       struct buf *out)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const char *name = app_runner_name(settings, app, arena);
	size_t size = strlen(name);

	if (!settings->service_arn && (size < 4 || size > 40))
		wrong(out,
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
	check_env(settings, app, &out);
	check_tags(settings->tags, &out);
	if (aws_settings_check(&settings->aws, &one))
		wrong(&out, "%s", one.text);
	return out.size ? err_set(err, ERR_USAGE, 0, "%s", buf_text(&out)) : 0;
}

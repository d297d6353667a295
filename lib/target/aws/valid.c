#include "target/aws/valid.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "target/aws/arn.h"

int valid_repository(const char *text, struct err *err)
{
	size_t size = strlen(text);
	bool good = size >= 2 && size <= 256 && isalnum((unsigned char)*text)
		    && isalnum((unsigned char)text[size - 1]);

	for (const char *c = text; *c; c++)
		good &= islower((unsigned char)*c) || isdigit((unsigned char)*c)
			|| strchr("._-/", *c);
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the name of an ECR repository, as acme/shop (lower case, without "
		       "the registry), found '%.60s'",
		       text);
}

int valid_role(const char *text, struct err *err)
{
	return arn_check(text, "iam", "role/", err);
}

int valid_variable(const char *text, struct err *err)
{
	if (text_is_variable(text) && strcmp(text, "PORT") != 0)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.60s' is no name of a variable: expected letters, digits and '_', the "
		       "first not a digit, and not PORT",
		       text);
}

int valid_path(const char *text, struct err *err)
{
	bool good = *text == '/' && strlen(text) <= 1024;

	for (const char *c = text; *c; c++)
		good &= (unsigned char)*c > ' ' && (unsigned char)*c < 0x7f;
	if (good)
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected a path such as /healthz, found '%.60s'", text);
}

void valid_wrong(struct buf *out, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_addf(out, "%s%s", out->size ? "; " : "", text);
}

bool valid_is_secret(const struct app *app, const char *entry)
{
	size_t size = strcspn(entry, "=");

	for (const char *const *name = app->secrets; name && *name; name++)
		if (strlen(*name) == size && strncmp(*name, entry, size) == 0)
			return true;
	return false;
}

static const char *env_value(const struct app *app, const char *name)
{
	size_t size = strlen(name);

	for (const char *const *entry = app->env; entry && *entry; entry++)
		if (strncmp(*entry, name, size) == 0 && (*entry)[size] == '=')
			return *entry + size + 1;
	return NULL;
}

void valid_env(const struct app *app, const struct field_pair *runtime_secrets,
	       const char *platform, size_t most, struct buf *out)
{
	for (const char *const *entry = app->env; entry && *entry; entry++) {
		int size = (int)strcspn(*entry, "=");

		if (strlen(*entry) > most)
			valid_wrong(out, "env: '%.*s' is longer than %zu bytes", size, *entry,
				    most);
		if (valid_is_secret(app, *entry) && !arn_is_secret(*entry + size + 1))
			valid_wrong(out,
				    "secrets: '%.*s': %s would show its value to whoever may look "
				    "at the service, so it isn't sent; keep it in Secrets Manager "
				    "or SSM and give the ARN: runtime-secrets: {%.*s: "
				    "arn:aws:secretsmanager:…}",
				    size, *entry, platform, size, *entry);
	}
	for (const struct field_pair *pair = runtime_secrets; pair && pair->name; pair++) {
		if (!arn_is_secret(pair->value))
			valid_wrong(out,
				    "runtime-secrets: '%s': expected the ARN of a secret (Secrets "
				    "Manager or SSM), found something else",
				    pair->name);
		if (env_value(app, pair->name))
			valid_wrong(out, "runtime-secrets: '%s' is in env or secrets too",
				    pair->name);
	}
}

void valid_tags(const struct field_pair *tags, struct buf *out)
{
	for (; tags && tags->name; tags++)
		if (strlen(tags->value) > 256)
			valid_wrong(out, "tags: '%.60s': the value is longer than 256", tags->name);
}

const char *valid_default_name(const struct app *app, struct arena *arena)
{
	char *name = arena_printf(arena, "%s-%s", app->service, app->environment);

	for (char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
			*at = '-';
	return name;
}

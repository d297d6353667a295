#include "target/aws/diff.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

struct diff {
	const struct diff_kind *kind;
	struct buf *out;
	char path[600];
};

/* By its whole path, or by its last part ("*.Port"); else as AWS calls it. */
static const char *setting_of(const struct diff *diff)
{
	const char *dot = strrchr(diff->path, '.'), *last = dot ? dot + 1 : diff->path;

	for (const struct diff_name *name = diff->kind->names; name->path; name++)
		if (text_same(name->path, diff->path)
		    || (text_starts(name->path, "*.") && text_same(name->path + 2, last)))
			return name->setting;
	return diff->path;
}

static void add_value(struct buf *out, const json_t *value)
{
	if (!value)
		buf_adds(out, "(nothing)");
	else if (json_is_string(value))
		buf_adds(out, json_string_value(value));
	else if (json_is_integer(value))
		buf_addf(out, "%lld", (long long)json_integer_value(value));
	else
		buf_add_json(out, value);
}

/* The values of variables may be anything; the names say enough. */
static void diff_env(struct diff *diff, const char *word, const json_t *old, const json_t *new)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)new, name, value)
	{
		const json_t *before = json_object_get(old, name);

		if (!before)
			buf_addf(diff->out, "%s %s: added\n", word, name);
		else if (!json_equal(before, value))
			buf_addf(diff->out, "%s %s: changed\n", word, name);
	}
	json_object_foreach((json_t *)old, name, value)
	{
		if (!json_object_get(new, name))
			buf_addf(diff->out, "%s %s: removed\n", word, name);
	}
}

static void diff_value(struct diff *diff, const json_t *old, const json_t *new)
{
	if (json_equal(old, new))
		return;
	buf_addf(diff->out, "%s: ", setting_of(diff));
	if (old) {
		add_value(diff->out, old);
		buf_adds(diff->out, " -> ");
	}
	add_value(diff->out, new);
	buf_addc(diff->out, '\n');
}

static void walk(struct diff *diff, const json_t *old, const json_t *new, unsigned depth);

static void step(struct diff *diff, const char *name, const json_t *old, const json_t *new,
		 unsigned depth)
{
	size_t size = strlen(diff->path);

	snprintf(diff->path + size, sizeof diff->path - size, "%s%s", size ? "." : "", name);
	if (text_same(name, diff->kind->env))
		diff_env(diff, "env", old, new);
	else if (text_same(name, diff->kind->secrets))
		diff_env(diff, "runtime-secrets", old, new);
	else if (depth > 0 && (json_is_object(old) || json_is_object(new)))
		walk(diff, old, new, depth - 1);
	else
		diff_value(diff, old, new);
	diff->path[size] = '\0';
}

static void walk(struct diff *diff, const json_t *old, const json_t *new, unsigned depth)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)new, name, value)
		step(diff, name, json_object_get(old, name), value, depth);
	json_object_foreach((json_t *)old, name, value)
	{
		if (!json_object_get(new, name))
			step(diff, name, value, NULL, depth);
	}
}

void diff_print(const struct diff_kind *kind, const json_t *live, const json_t *merged,
		struct buf *out)
{
	struct diff diff = {.kind = kind, .out = out};

	walk(&diff, live, merged, 8);
}

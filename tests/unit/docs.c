/* The reference pages are made from the tables: `make docs` (UPDATE_DOCS=1) writes them again. */
#include "action/action.h"
#include "base/file.h"
#include "pipeline/project.h"
#include "service/settings.h"
#include "tap.h"
#include "target/target.h"

static void check(const char *path, void (*make)(struct buf *out))
{
	cleanup(buf_free) struct buf want = BUF_INIT(1024 * 1024), got = BUF_INIT(1024 * 1024);
	struct err err = ERR_INIT;

	make(&want);
	if (getenv("UPDATE_DOCS"))
		ok(file_write(path, want.data, want.size, 0644, &err) == 0, path);
	else if (ok(file_read(path, &got, &err) == 0, path))
		ok(strcmp(buf_text(&got), buf_text(&want)) == 0,
		   "is what the tables say (if not: make docs)");
	if (err.kind != ERR_NONE)
		tap_note("%s", err.text);
}

/* A page that is written by hand but for the tables between these two lines. */
static void check_part(const char *path, const char *begins, const char *ends,
		       const struct buf *table)
{
	cleanup(buf_free) struct buf page = BUF_INIT(1024 * 1024), want = BUF_INIT(1024 * 1024);
	struct err err = ERR_INIT;
	const char *start, *rest;

	if (!ok(file_read(path, &page, &err) == 0, path))
		return;
	start = strstr(buf_text(&page), begins);
	start = start ? strchr(start, '\n') : NULL;
	rest = start ? strstr(start, ends) : NULL;
	if (!ok(rest != NULL, "has a place for its tables"))
		return;
	buf_add(&want, page.data, (size_t)(start + 1 - page.data));
	buf_addf(&want, "\n%s\n%s", buf_text(table), rest);
	if (getenv("UPDATE_DOCS"))
		ok(file_write(path, want.data, want.size, 0644, &err) == 0, "written");
	else
		ok(strcmp(buf_text(&page), buf_text(&want)) == 0,
		   "is what the tables say (if not: make docs)");
}

static void check_target(const struct target *target)
{
	cleanup(buf_free) struct buf table = BUF_INIT(1024 * 1024);
	autofree char *path = xprintf("docs/targets/%s.md", target->name);

	fields_markdown(target->fields, &table);
	check_part(path, "<!-- settings:", "<!-- end of settings -->\n", &table);
}

static void check_action(void)
{
	cleanup(buf_free) struct buf table = BUF_INIT(1024 * 1024);

	action_markdown(&table);
	check_part("docs/action.md",
		   "<!-- inputs and outputs:", "<!-- end of inputs and outputs -->\n", &table);
}

/* The example of a page must be one that is accepted. */
static void check_example(void (*make)(struct buf *out), bool is_project)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("example");
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(buf_free) struct buf page = BUF_INIT(1024 * 1024);
	const char *start, *end;
	struct err err = ERR_INIT;
	struct settings *settings;
	struct project *project;
	int failed;

	make(&page);
	start = strstr(buf_text(&page), "```yaml\n") + 8;
	end = strstr(start, "```\n");
	if (is_project)
		failed = project_read(&project, "example", start, (size_t)(end - start), arena,
				      &mistakes, &err);
	else
		failed = settings_read(&settings, "/etc/slipway/example", start,
				       (size_t)(end - start), arena, &mistakes, &err);
	if (!ok(failed == 0, "its example is accepted"))
		tap_note("%s", buf_text(&mistakes.text));
}

int main(void)
{
	check("docs/slipway.yml.md", project_markdown);
	check("docs/slipwayd.yml.md", settings_markdown);
	for (size_t i = 0; targets[i]; i++)
		check_target(targets[i]);
	check("action.yml", action_yml);
	check_action();
	check_example(project_markdown, true);
	check_example(settings_markdown, false);
	return tap_done();
}

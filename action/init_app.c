#include "action/init_app.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define SOURCE_LIMIT (256 * 1024) /* a longer file is no entry point */
#define MOST_FILES   500

struct search {
	struct init_app *app;
	struct arena *arena;
};

static void close_folder(DIR **at)
{
	if (*at)
		closedir(*at);
}

static bool has(const char *folder, const char *name)
{
	autofree char *path = file_join(folder, name);

	return file_exists(path);
}

/* The text of one of its files; empty when there is none or it is too long. */
static void read_quietly(const char *folder, const char *name, struct buf *out)
{
	autofree char *path = file_join(folder, name);
	struct err ignored = ERR_INIT;

	buf_clear(out);
	if (file_read(path, out, &ignored))
		buf_clear(out);
}

/* What a service may be called, made from what the folder is called. */
static const char *name_from(const char *text, struct arena *arena)
{
	char name[64];
	size_t size = 0;

	for (const char *c = text; *c && size < 40; c++) {
		bool letter = isalnum((unsigned char)*c) != 0;

		if (letter)
			name[size++] = (char)tolower((unsigned char)*c);
		else if (size > 0 && name[size - 1] != '-')
			name[size++] = '-';
	}
	while (size > 0 && name[size - 1] == '-')
		size--;
	name[size] = '\0';
	return size > 0 ? arena_strdup(arena, name) : "app";
}

static void note_health(struct init_app *app, const char *source)
{
	static const char *const known[] = {"/healthz", "/health", "/readyz", "/ping"};

	for (size_t i = 0; i < sizeof known / sizeof *known && text_same(app->health, "/"); i++) {
		const char *at = strstr(source, known[i]);
		char after = at ? at[strlen(known[i])] : 'x';

		if (at && (after == '"' || after == '\''))
			app->health = known[i];
	}
}

/* The variable of a line "app = Flask(…" that isn't indented; NULL. */
static const char *flask_variable(const char *source, struct arena *arena)
{
	for (const char *line = source, *end; *line; line = *end ? end + 1 : end) {
		size_t size, blanks;

		end = line + strcspn(line, "\n");
		size = strspn(line,
			      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
		blanks = strspn(line + size, " ");
		if (size == 0 || line[size + blanks] != '=')
			continue;
		blanks += 1 + strspn(line + size + blanks + 1, " ");
		if (text_starts(line + size + blanks, "Flask(")
		    || text_starts(line + size + blanks, "flask.Flask("))
			return arena_printf(arena, "%.*s", (int)size, line);
	}
	return strstr(source, "\ndef create_app(") ? "create_app()" : NULL;
}

static bool is_module(const char *file)
{
	return text_ends(file, ".py") && !text_starts(file, "test_")
	       && !text_starts(file, "conftest") && !text_starts(file, "setup.");
}

/* Does this file make the app? app.py and the like win over others. */
static void look_at_python(struct search *search, const char *folder, const char *file)
{
	static const char *const usual[] = {"wsgi.py", "app.py", "main.py", "application.py"};
	cleanup(buf_free) struct buf source = BUF_INIT(SOURCE_LIMIT);
	struct init_app *app = search->app;
	const char *variable;
	bool better = !app->entry;

	if (!is_module(file))
		return;
	read_quietly(folder, file, &source);
	note_health(app, buf_text(&source));
	variable = flask_variable(buf_text(&source), search->arena);
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		better |= strcmp(file, usual[i]) == 0;
	if (!variable || !better)
		return;
	app->kind = INIT_FLASK;
	app->entry =
		arena_printf(search->arena, "%.*s:%s", (int)(strlen(file) - 3), file, variable);
}

static void look_at_go(struct search *search, const char *folder, const char *file)
{
	cleanup(buf_free) struct buf source = BUF_INIT(SOURCE_LIMIT);
	struct init_app *app = search->app;

	if (!text_ends(file, ".go"))
		return;
	app->has_tests |= text_ends(file, "_test.go");
	read_quietly(folder, file, &source);
	note_health(app, buf_text(&source));
	if (!text_ends(file, "_test.go")
	    && (text_starts(buf_text(&source), "package main")
		|| strstr(buf_text(&source), "\npackage main")))
		app->entry = ".";
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of their names, so that the same folder gives the same answer. */
static void each_file(struct search *search, const char *folder,
		      void (*look)(struct search *search, const char *folder, const char *file))
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, NULL, by_name);

	for (int i = 0; i < count; i++) {
		if (i < MOST_FILES && entries[i]->d_name[0] != '.')
			look(search, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static void look_at_command(struct search *search, const char *folder, const char *file)
{
	autofree char *path = file_join(folder, file);
	const char *before = search->app->entry;

	search->app->entry = NULL;
	each_file(search, path, look_at_go);
	search->app->entry = before               ? before
			     : search->app->entry ? arena_printf(search->arena, "./cmd/%s", file)
						  : NULL;
}

static void find_go(struct search *search, const char *folder)
{
	cleanup(buf_free) struct buf module = BUF_INIT(SOURCE_LIMIT);
	struct init_app *app = search->app;
	const char *line;

	read_quietly(folder, "go.mod", &module);
	each_file(search, folder, look_at_go);
	if (!app->entry && has(folder, "cmd")) {
		autofree char *commands = file_join(folder, "cmd");

		each_file(search, commands, look_at_command);
	}
	if (!app->entry)
		return;
	app->kind = INIT_GO;
	line = text_starts(buf_text(&module), "module ") ? module.data
							 : strstr(buf_text(&module), "\nmodule ");
	if (line) {
		const char *path = strchr(line, ' ') + 1;
		char last[128];

		snprintf(last, sizeof last, "%.*s", (int)strcspn(path, " \r\n"), path);
		app->name = name_from(strrchr(last, '/') ? strrchr(last, '/') + 1 : last,
				      search->arena);
	}
}

int init_app_find(struct init_app *out, const char *folder, struct arena *arena, struct err *err)
{
	struct search search = {.app = out, .arena = arena};
	autofree char *whole = realpath(folder, NULL);
	cleanup(close_folder) DIR *there = opendir(folder);

	if (!whole || !there)
		return err_set(err, ERR_ABSENT, 0, "there is no folder '%.200s'", folder);
	*out = (struct init_app){
		.name = name_from(strrchr(whole, '/') + 1, arena),
		.health = "/",
		.has_dockerfile = has(folder, "Dockerfile"),
		.has_requirements = has(folder, "requirements.txt"),
	};
	if (has(folder, "go.mod"))
		find_go(&search, folder);
	if (out->kind == INIT_UNKNOWN) {
		out->has_tests = has(folder, "tests") || has(folder, "test");
		each_file(&search, folder, look_at_python);
	}
	if (out->kind == INIT_UNKNOWN && out->has_dockerfile)
		out->kind = INIT_IMAGE;
	return 0;
}

const char *init_app_text(const struct init_app *app, struct arena *arena)
{
	switch (app->kind) {
	case INIT_FLASK:
		return arena_printf(arena, "a Flask app, %s", app->entry);
	case INIT_GO:
		return arena_printf(arena, "a Go program, package %s", app->entry);
	case INIT_IMAGE:
		return "a Dockerfile";
	default:
		return "no app that slipway knows (Flask, Go or a Dockerfile)";
	}
}

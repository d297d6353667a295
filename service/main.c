#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "net/http.h"
#include "service/confined.h"
#include "service/manual.h"
#include "service/roles.h"
#include "target/target.h"

#define VERSION "0.1.0"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_SETTINGS = 2 }; /* manual.c */

struct options {
	const char *command, *config, *role, *supervisor;
};

static int usage(const char *what, const char *seen)
{
	fprintf(stderr, "slipwayd: %s '%s'; see slipwayd --help\n", what, seen);
	return EXIT_SETTINGS;
}

static int unknown(const char *what, const char *seen, const char *const *known, size_t count)
{
	const char *near = text_nearest(seen, known, count);

	if (!near)
		return usage(what, seen);
	fprintf(stderr, "slipwayd: %s '%s'; did you mean '%s'?\n", what, seen, near);
	return EXIT_SETTINGS;
}

static int unknown_option(const char *word)
{
	static const char *const known[] = {"--config", "--help", "--version"};

	return unknown("there is no option", word, known, 3);
}

static int missing_file(const char *command)
{
	fprintf(stderr,
		"slipwayd: the settings' file is missing: slipwayd %s FILE; see slipwayd --help\n",
		!command                      ? "--config"
		: text_same(command, "check") ? "check"
					      : "down --config");
	return EXIT_SETTINGS;
}

static bool is_command(const char *word)
{
	return text_same(word, "check") || text_same(word, "down");
}

static int unknown_command(const char *word)
{
	static const char *const known[] = {"check", "down"};

	return unknown("there is no command", word, known, 2);
}

/* 0, or an exit code with the message printed; -1: help or version was all that was wanted. */
static int read_options(int argc, char **argv, struct options *out)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		const char **value = strcmp(word, "--config") == 0       ? &out->config
				     : strcmp(word, "--role") == 0       ? &out->role
				     : strcmp(word, "--supervisor") == 0 ? &out->supervisor
									 : NULL;

		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			fputs(manual_text, stdout);
			return -1;
		}
		if (strcmp(word, "--version") == 0) {
			puts("slipwayd " VERSION);
			return -1;
		}
		if (value && i + 1 == argc)
			return missing_file(out->command);
		if (value)
			*value = argv[++i];
		else if (word[0] == '-')
			return unknown_option(word);
		else if (!out->command && !is_command(word))
			return unknown_command(word);
		else if (!out->command)
			out->command = word;
		else if (!out->config && strcmp(out->command, "check") == 0)
			out->config = word;
		else
			return usage("neither an option nor expected:", word);
	}
	return out->config ? 0 : missing_file(out->command);
}

static int load(struct settings **settings, const char *file, struct arena *arena)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(file);
	struct err err = ERR_INIT;

	if (settings_load(settings, file, arena, &mistakes, &err) == 0)
		return 0;
	if (mistakes.count > 0)
		fputs(buf_text(&mistakes.text), stderr);
	else
		fprintf(stderr, "slipwayd: %s%s\n", err.text,
			err.kind == ERR_ABSENT ? "; docs/slipwayd.yml.md says how to write one"
					       : "");
	return -1;
}

static int fail(const struct err *err)
{
	fprintf(stderr, "slipwayd: %s\n", err->text);
	return err->kind == ERR_USAGE ? EXIT_SETTINGS : EXIT_FAILED;
}

/* What is wrong with the file would have been said before; this is about the machine. */
static int check(const struct settings *settings, const char *file)
{
	const struct site site = {.data = settings->data, .clock = &clock_system};
	struct err err = ERR_INIT;

	for (size_t i = 0; settings->warnings[i]; i++)
		fprintf(stderr, "warning: %s\n", settings->warnings[i]);
	for (size_t i = 0; targets[i]; i++)
		if (targets[i]->ready && targets[i]->ready(&site, &err) < 0)
			fprintf(stderr, "warning: target %s: %s\n", targets[i]->name, err.text);
	printf("%s: good\n", file);
	return EXIT_DONE;
}

static int down(const struct settings *settings)
{
	cleanup(http_freep) struct http *http = NULL;
	struct err err = ERR_INIT;
	cleanup(engine_freep) struct engine *engine = NULL;
	struct site site = {.data = settings->data, .clock = &clock_system};

	if (http_curl_new(&http, "slipwayd", &err) < 0)
		return fail(&err);
	site.http = http;
	if (settings->docker)
		engine = engine_new(settings->docker,
				    &(struct engine_site){.http = http, .clock = &clock_system});
	site.engine = engine;
	for (size_t i = 0; targets[i]; i++)
		if (targets[i]->down && targets[i]->down(&site, &err) < 0)
			return fail(&err);
	puts("apps and gateway stopped; they come back when slipwayd starts");
	return EXIT_DONE;
}

/* What the supervisor checked, not what the file says by now; without a supervisor (a test), the
 * file. */
static int load_for_role(struct settings **settings, const char *file, struct arena *arena)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(file);
	struct err err = ERR_INIT;
	struct stat st;
	char *text;

	if (fstat(ROLE_SETTINGS, &st) < 0)
		return load(settings, file, arena);
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	if (pread(ROLE_SETTINGS, text, (size_t)st.st_size, 0) == st.st_size
	    && settings_read(settings, file, text, (size_t)st.st_size, arena, &mistakes, &err) == 0)
		return 0;
	fprintf(stderr, "slipwayd: the settings that were handed over can't be read: %s\n",
		err.text);
	return -1;
}

static int run_role(const struct settings *settings, const struct options *options)
{
	const char *role = options->role;
	struct err err = ERR_INIT;
	int ended;

	log_setup(role, LOG_LEVEL_INFO, text_same(settings->log_format, "json"));
	role_catch_signals();
	confine_memory(); /* builds run as our user */
	if (options->supervisor && role_stay_under(options->supervisor, &err) < 0)
		return fail(&err);
	ended = strcmp(role, "listener") == 0  ? listener_main(settings, &err)
		: strcmp(role, "router") == 0  ? router_main(settings, &err)
		: strcmp(role, "courier") == 0 ? courier_main(settings, &err)
					       : worker_main(settings, role, &err);
	if (ended < 0)
		log_error("the role ends", "error", err.text);
	return ended < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct settings *settings)
{
	struct err err = ERR_INIT;

	log_setup("slipwayd", LOG_LEVEL_INFO, text_same(settings->log_format, "json"));
	return supervisor_main(settings, &err) < 0 ? fail(&err) : EXIT_DONE;
}

/* Between a worker and what it builds: see confined.h. The exit status is a shell's for "can't
 * run". */
static int confined(char **words)
{
	struct err err = ERR_INIT;
	int failed = confined_exec(words, &err);

	fprintf(stderr, "slipwayd: %s\n", err.text);
	return failed && err.code == ENOENT ? 127 : 126;
}

int main(int argc, char **argv)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct options options = {0};
	struct settings *settings;
	int done;

	if (argc > 1 && strcmp(argv[1], "confined") == 0)
		return confined(argv + 2);
	done = read_options(argc, argv, &options);

	if (done != 0)
		return done < 0 ? EXIT_DONE : done;
	umask(077);
	if ((options.role ? load_for_role : load)(&settings, options.config, arena) < 0)
		return EXIT_SETTINGS;
	if (text_same(options.command, "check"))
		return check(settings, options.config);
	if (options.command)
		return down(settings);
	return options.role ? run_role(settings, &options) : run(settings);
}

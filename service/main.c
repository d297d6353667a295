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
#include "service/roles.h"
#include "target/target.h"

#define VERSION "0.1.0"

/* Exit codes, as for slipway: interfaces.md. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_SETTINGS = 2 };

static const char help[] =
	"slipwayd - receive GitHub's webhooks and deploy\n"
	"\n"
	"usage: slipwayd --config FILE         run until SIGTERM\n"
	"       slipwayd check FILE            check a slipwayd.yml: every mistake, not only the "
	"first\n"
	"       slipwayd down --config FILE    stop the apps and the gateway that slipwayd keeps "
	"running\n"
	"       slipwayd --help | --version\n"
	"\n"
	"slipwayd verifies signed deliveries, records each before it answers, and turns them into\n"
	"tested, health-checked deployments. It runs as one supervisor and, below it, a listener "
	"(the\n"
	"port, the webhook secrets), a router and workers (what deployments need). None needs "
	"root.\n"
	"\n"
	"Signals:\n"
	"  SIGHUP            read FILE again: all of it, or, when anything is wrong, nothing\n"
	"  SIGTERM, SIGINT   take nothing new, finish running deployments, end; the apps and the\n"
	"                    gateway go on serving. A second one ends at once: what was running "
	"goes\n"
	"                    on where it was after the next start\n"
	"\n"
	"Files: FILE is described in docs/slipwayd.yml.md; its `data` folder holds all that is "
	"written.\n"
	"\n"
	"Exit: 0 ended as asked, 1 failed, 2 the settings or the command line are wrong.\n";

struct options {
	const char *command, *config, *role, *supervisor;
};

static int usage(const char *what, const char *seen)
{
	fprintf(stderr, "slipwayd: %s '%s': see slipwayd --help\n", what, seen);
	return EXIT_SETTINGS;
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
			fputs(help, stdout);
			return -1;
		}
		if (strcmp(word, "--version") == 0) {
			puts("slipwayd " VERSION);
			return -1;
		}
		if (value && i + 1 == argc)
			return usage("a value is missing after", word);
		if (value)
			*value = argv[++i];
		else if (word[0] == '-')
			return usage("no such option", word);
		else if (!out->command)
			out->command = word;
		else if (!out->config && strcmp(out->command, "check") == 0)
			out->config = word;
		else
			return usage("don't know what to do with", word);
	}
	return 0;
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
		fprintf(stderr, "slipwayd: %s\n", err.text);
	return -1;
}

static int fail(const struct err *err)
{
	fprintf(stderr, "slipwayd: %s\n", err->text);
	return err->kind == ERR_USAGE ? EXIT_SETTINGS : EXIT_FAILED;
}

static int down(const struct settings *settings)
{
	cleanup(http_freep) struct http *http = NULL;
	struct err err = ERR_INIT;
	struct site site = {.data = settings->data, .clock = &clock_system};

	if (http_curl_new(&http, "slipwayd", &err) < 0)
		return fail(&err);
	site.http = http;
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
	ended = strcmp(role, "listener") == 0 ? listener_main(settings, &err)
		: strcmp(role, "router") == 0 ? router_main(settings, &err)
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
	if (options.command && strcmp(options.command, "check") != 0
	    && strcmp(options.command, "down") != 0)
		return usage("no such command", options.command);
	if (!options.config)
		return usage("a settings file is missing after",
			     text_same(options.command, "check") ? "check" : "--config");
	if ((options.role ? load_for_role : load)(&settings, options.config, arena) < 0)
		return EXIT_SETTINGS;
	if (text_same(options.command, "check")) {
		for (size_t i = 0; settings->warnings[i]; i++)
			fprintf(stderr, "warning: %s\n", settings->warnings[i]);
		printf("%s: good\n", options.config);
		return EXIT_DONE;
	}
	if (options.command)
		return down(settings);
	return options.role ? run_role(settings, &options) : run(settings);
}

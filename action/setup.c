#include "action/setup.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/inputs.h"
#include "base/file.h"
#include "base/text.h"

/* How a person says it: on the command line, or in a workflow. */
static const char *way(const char *option, const struct setup_change *change, struct arena *arena)
{
	return change ? arena_printf(arena, "input '%s'", option)
		      : arena_printf(arena, "--%s", option);
}

static int show_mistakes(const struct mistakes *mistakes, const char *what, const struct call *call,
			 struct err *err)
{
	if (mistakes->count == 0) {
		err->kind = ERR_USAGE; /* nothing was touched */
		return -1;
	}
	fputs(buf_text(&mistakes->text), call->report);
	fflush(call->report);
	return err_set(err, ERR_USAGE, 0, "%s has %u mistake%s; nothing was touched", what,
		       mistakes->count, mistakes->count > 1 ? "s" : "");
}

static int read_text(const char **out, const char *config, const struct setup_change *change,
		     struct arena *arena, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);

	*out = change ? change->text : NULL;
	if (*out)
		return 0;
	if (file_read(config, &text, err) == 0) {
		*out = arena_memdup(arena, buf_text(&text), text.size);
		if (strlen(*out) == text.size)
			return 0;
		return err_set(err, ERR_USAGE, 0, "read %s: it holds a NUL: not a text", config);
	}
	if (err->kind == ERR_ABSENT)
		return err_set(err, ERR_USAGE, 0,
			       "there is no project file '%s'; write one, or name it with %s",
			       config, way("config", change, arena));
	err->kind = ERR_USAGE;
	return -1;
}

static int load_project(struct setup *out, struct project **project, const struct call *call,
			const struct setup_change *change, struct arena *arena, struct err *err)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(out->config);

	if (read_text(&out->text, out->config, change, arena, err))
		return -1;
	assert(out->text);
	if (project_read(project, out->config, out->text, strlen(out->text), arena, &mistakes, err))
		return show_mistakes(&mistakes, out->config, call, err);
	out->project = *project;
	return 0;
}

int setup_project(const struct project **out, const char *config, const struct call *call,
		  struct arena *arena, struct err *err)
{
	struct setup setup = {.config = config};
	struct project *project = NULL;

	if (load_project(&setup, &project, call, NULL, arena, err))
		return -1;
	*out = project;
	return 0;
}

static int change_project(const struct setup *setup, struct project *project,
			  const struct call *call, const struct setup_change *change,
			  struct arena *arena, struct err *err)
{
	static const char name[] = "input 'settings'";
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT(name);
	const struct project_override override = {.service = call->options.service,
						  .environment = setup->environment,
						  .target = change->target,
						  .settings = change->settings,
						  .name = name};

	if (!change->target && !change->settings)
		return 0;
	if (project_override(project, setup->text, strlen(setup->text), &override, arena, &mistakes,
			     err))
		return show_mistakes(&mistakes, name, call, err);
	return 0;
}

/* Absolute without following links: the data folder may not be there yet. */
static int absolute(const char **out, const char *path, struct arena *arena, struct err *err)
{
	char here[PATH_MAX];

	*out = path;
	if (*path == '/')
		return 0;
	if (!getcwd(here, sizeof here))
		return err_errno(err, "find the current folder");
	*out = arena_printf(arena, "%s/%s", here, text_starts(path, "./") ? path + 2 : path);
	return 0;
}

static int folder_of(const char **out, const char *config, struct arena *arena, struct err *err)
{
	const char *slash = strrchr(config, '/');
	const char *folder = slash ? arena_memdup(arena, config, (size_t)(slash - config)) : ".";
	autofree char *real = realpath(*folder ? folder : "/", NULL);

	if (!real)
		return err_errno(err, "find the folder of %s", config);
	*out = arena_strdup(arena, real);
	return 0;
}

/* Add a name to a list of those seen, once. */
static size_t note_name(const char **names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return count;
	names[count] = name;
	return count + 1;
}

static int choose_environment(struct setup *out, const struct options *options,
			      const struct setup_change *change, struct arena *arena,
			      struct err *err)
{
	const struct project *project = out->project;
	cleanup(buf_free) struct buf text = BUF_INIT(300);
	const char **names, *near;
	size_t room = 1, count = 0;

	for (size_t i = 0; i < project->service_count; i++)
		room += project->services[i].environment_count;
	names = arena_alloc(arena, room * sizeof *names);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct project_service *service = &project->services[i];

		for (size_t j = 0; j < service->environment_count; j++)
			if (!options->service || strcmp(options->service, service->name) == 0)
				count = note_name(names, count, service->environments[j].name);
	}
	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%s%s", i ? ", " : "", names[i]);
	out->environment = options->environment ? options->environment : names[0];
	if (!options->environment && count != 1)
		return err_set(err, ERR_USAGE, 0, "say which environment with %s; %s has: %s",
			       way("environment", change, arena), out->config, buf_text(&text));
	if (change && change->target)
		return 0; /* it may be a new one */
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], out->environment) == 0)
			return 0;
	near = text_nearest(out->environment, names, count);
	return err_set(err, ERR_USAGE, 0, "there is no environment '%s' in %s%s%s; there is: %s",
		       out->environment, out->config, near ? ", did you mean " : "",
		       near ? near : "", buf_text(&text));
}

static int check_service(const struct setup *setup, const char *name, struct arena *arena,
			 struct err *err)
{
	const struct project *project = setup->project;
	const char **names, *near;

	if (!name || project_service(project, name))
		return 0;
	names = arena_alloc(arena, (project->service_count + 1) * sizeof *names);
	for (size_t i = 0; i < project->service_count; i++)
		names[i] = project->services[i].name;
	near = text_nearest(name, names, project->service_count);
	return err_set(err, ERR_USAGE, 0, "there is no service '%s' in %s%s%s%s", name,
		       setup->config, near ? "; did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

/* After those that it needs; project_read refused circles. */
static void add_service(struct setup *out, size_t *count, const struct project_service *service)
{
	for (size_t i = 0; i < *count; i++)
		if (out->services[i] == service)
			return;
	for (const char *const *need = service->needs; need && *need; need++)
		add_service(out, count, project_service(out->project, *need));
	if (project_environment(service, out->environment))
		out->services[(*count)++] = service;
}

static void choose_services(struct setup *out, const char *only, struct arena *arena)
{
	const struct project *project = out->project;
	size_t count = 0;

	out->services = arena_alloc(arena, (project->service_count + 1) * sizeof *out->services);
	if (only)
		out->services[0] = project_service(project, only);
	else
		for (size_t i = 0; i < project->service_count; i++)
			add_service(out, &count, &project->services[i]);
}

static void note_several(const struct setup *setup, const struct call *call)
{
	if (!setup->services[1])
		return;
	fputs("several services, in this order:", call->report);
	for (size_t i = 0; setup->services[i]; i++)
		fprintf(call->report, " %s", setup->services[i]->name);
	fputs("\n", call->report);
}

/* A checkout is a copy of the folder: the data folder in it would be copied into itself. */
static int check_data(const struct setup *setup, struct err *err)
{
	autofree char *real = realpath(setup->data, NULL);
	autofree char *data = xprintf("%s/", real ? real : setup->data);
	autofree char *folder = xprintf("%s/", setup->folder);

	if (!text_starts(data, folder))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "the data folder %s lies in the folder that is deployed, %s; give another "
		       "with --data",
		       setup->data, setup->folder);
}

int setup_data(const char **out, const struct call *call, struct arena *arena, struct err *err)
{
	const char *data = call->options.data;

	if (!data && inputs_data(&data, arena, err))
		return -1;
	return absolute(out, data, arena, err);
}

int setup_docker(const char **out, const struct call *call, struct err *err)
{
	const char *host = inputs_docker_host();

	*out = call->options.docker ? call->options.docker : host;
	if (!*out)
		*out = "/var/run/docker.sock";
	if (text_starts(*out, "unix://"))
		*out += strlen("unix://");
	if (**out == '/')
		return 0;
	if (call->options.docker)
		return err_set(err, ERR_USAGE, 0,
			       "--docker is '%.100s': expected the absolute path of Docker's "
			       "socket, such as /var/run/docker.sock",
			       *out);
	*out = NULL;
	return 0;
}

int setup_load_changed(struct setup *out, const struct call *call,
		       const struct setup_change *change, struct arena *arena, struct err *err)
{
	const struct options *options = &call->options;
	struct project *project = NULL;

	*out = (struct setup){.config = options->config ? options->config : "slipway.yml"};
	if (load_project(out, &project, call, change, arena, err)
	    || folder_of(&out->folder, out->config, arena, err)
	    || check_service(out, options->service, arena, err)
	    || choose_environment(out, options, change, arena, err)
	    || (change && change_project(out, project, call, change, arena, err)))
		return -1;
	if (setup_data(&out->data, call, arena, err) || check_data(out, err)
	    || setup_docker(&out->docker, call, err))
		return -1;
	choose_services(out, options->service, arena);
	note_several(out, call);
	return 0;
}

int setup_load(struct setup *out, const struct call *call, struct arena *arena, struct err *err)
{
	return setup_load_changed(out, call, NULL, arena, err);
}

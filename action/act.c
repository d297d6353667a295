#include "action/act.h"

#include <string.h>
#include <unistd.h>

#include "action/command_files.h"
#include "action/first.h"
#include "action/guard.h"
#include "action/inputs.h"
#include "action/stop.h"
#include "action/trust.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "github/oidc.h"

/* The runner waits 7.5 s between SIGINT and SIGTERM. */
enum { BUDGET = 6500 };

static void heard(void *self, const char *line, size_t size)
{
	annotations_line(self, line, size);
}

int act_begin(struct act *act, const struct call *call, const char *data, struct err *err)
{
	*act = (struct act){.arena = arena_new(), .internal = call->options.internal};
	act->began = clock_now(&clock_system);
	if (workplace_find(&act->place, data, act->internal && strstr(act->internal, "sibling"),
			   act->arena, err)
	    || http_curl_new(&act->http, "slipway", err)) {
		arena_free(act->arena);
		return -1;
	}
	confine_memory();
	stop_install();
	act->workflow = workflow_new(STDOUT_FILENO, act->place.debug);
	act->stream = workflow_stream(act->workflow);
	act->annotations =
		annotations_new(&(struct annotations_options){.workspace = act->place.workspace});
	act->summary = summary_new(&clock_system);
	annotations_from(act->annotations, act->place.workspace, ".", act->place.prefix);
	workflow_listen(act->workflow, heard, act->annotations);
	return 0;
}

static int read_event(json_t **out, struct err *err)
{
	cleanup(buf_free) struct buf text = BUF_INIT(32 * 1024 * 1024);
	const char *path = inputs_variable("GITHUB_EVENT_PATH");

	*out = NULL;
	if (!path || !file_exists(path))
		return 0;
	if (file_read(path, &text, err) || json_parse(out, buf_text(&text), text.size, err))
		return err_within(err, "read %s", path);
	return 0;
}

/* The project file as the repository names it. */
static const char *repository_path(const struct act *act)
{
	const char *config = act->settings.config, *rest = NULL;
	size_t size = strlen(act->place.workspace);

	if (*config == '/' && strncmp(config, act->place.workspace, size) == 0
	    && config[size] == '/')
		rest = config + size + 1;
	while (config[0] == '.' && config[1] == '/')
		config += 2;
	if (rest || strcmp(act->place.prefix, ".") == 0)
		return rest ? rest : config;
	return arena_printf(act->arena, "%s/%s", act->place.prefix, config);
}

int act_trust(struct act *act, const char **text, struct err *err)
{
	json_auto json_t *payload = NULL;
	struct trust trust = {.event = inputs_variable("GITHUB_EVENT_NAME"),
			      .repository = inputs_variable("GITHUB_REPOSITORY"),
			      .allow = act->settings.allow_forks};
	const struct github_login login = {.api = inputs_variable("GITHUB_API_URL"),
					   .token = act->settings.token};
	struct github *github;
	const char *base;
	int result;

	*text = NULL;
	if (read_event(&payload, err))
		return -1;
	trust.payload = payload;
	if (trust_check(&trust, act->arena, &base, err))
		return -1;
	if (!base)
		return 0;
	if (!login.api || !login.token)
		return err_set(
			err, ERR_USAGE, 0,
			"the project file must come from the base branch here, and there is no "
			"GITHUB_API_URL or no input 'token' to read it with");
	workflow_say(act->workflow, "a stranger's code: the project file is that of the base, %s",
		     base);
	github = github_new(&login, act->http, &clock_system);
	result = trust_config(github, trust.repository, repository_path(act), base, act->arena,
			      text, err);
	github_free(github);
	return result;
}

/* What a step left running in this container ends with it. Where files can't be hidden from the
 * project's commands, they are shut while such may run. */
static void around_step(void *self, enum step step, bool begins)
{
	const struct act *act = self;
	bool runs = step == STEP_BUILD || step == STEP_TEST || step == STEP_RELEASE;

	if (!begins) {
		first_kill_others(act->internal);
		guard_open(act->notes);
	} else if (runs && act->guarded) {
		guard_shut(act->notes, act->place.temp, act->place.files);
	}
}

struct tell *act_tell(const struct act *act, bool several)
{
	return tell_new(&(struct tell_options){.http = act->http,
					       .clock = &clock_system,
					       .workflow = act->workflow,
					       .token = act->settings.token,
					       .repository = inputs_variable("GITHUB_REPOSITORY"),
					       .several = several,
					       .what = (enum tell_what)act->settings.report});
}

/* The post step needs the project file as it was, not as a build may have left it. */
static int keep_text(const struct act *act, const struct setup *setup, struct err *err)
{
	autofree char *path = file_join(act->notes, "project.yml");

	return file_write(path, setup->text, strlen(setup->text), 0600, err);
}

int act_prepare(struct act *act, const struct setup *setup, struct err *err)
{
	const char *data = act->place.data, *state = act->place.state;
	char began[24], name[9];

	crypto_random_hex(name, sizeof name - 1);
	if (!act->notes)
		act->notes = arena_printf(act->arena, "%s/act_%s", data, name);
	if (file_make_dirs(act->notes, 0700, err) || keep_text(act, setup, err))
		return -1;
	snprintf(began, sizeof began, "%lld", (long long)act->began);
	if (state
	    && (command_files_set(state, "data", data, err)
		|| command_files_set(state, "sibling", act->place.sibling ? "yes" : "", err)
		|| command_files_set(state, "notes", act->notes, err)
		|| command_files_set(state, "began", began, err)))
		workflow_say(act->workflow, "warning: %s: the post step can't tidy up", err->text);
	act->reporter = reporter_new(&(struct reporter_options){
		.workflow = act->workflow,
		.annotations = act->annotations,
		.summary = act->summary,
		.clock = &clock_system,
		.data = act->notes,
		.prefix = act->place.prefix,
		.stop = &stop_count,
		.budget = BUDGET,
		.deadline = act->settings.wait_timeout
				    ? clock_ticks(&clock_system) + act->settings.wait_timeout * 1000
				    : 0,
		.around = around_step,
		.self = act,
	});
	if (!act->tell)
		act->tell = act_tell(act, setup->services[0] && setup->services[1]);
	return 0;
}

void act_confine(struct act *act, struct unprivileged *out)
{
	const char **hidden = arena_alloc(act->arena, 5 * sizeof *hidden);
	size_t count = 0;

	unprivileged_user(out, act->place.workspace);
	out->within = act->place.data;
	if (act->place.temp)
		hidden[count++] = act->place.temp;
	if (act->place.files)
		hidden[count++] = act->place.files;
	if (act->place.docker)
		hidden[count++] = act->place.docker;
	if (!act->place.passing)
		hidden[count++] = act->place.data;
	out->hidden = hidden;
	act->guarded = out->drop && !confine_can_hide();
	if (act->guarded)
		workflow_debug(act->workflow, "no Landlock here: the runner's files are root's "
					      "alone while commands run");
}

int act_id_token(void *self, const char *audience, char **token, struct err *err)
{
	const struct act *act = self;
	const struct oidc oidc = {.url = inputs_variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
				  .token = inputs_variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
				  .http = act->http,
				  .clock = &clock_system};

	return oidc_token(&oidc, audience, token, err);
}

int act_refuse(struct act *act, const struct err *err)
{
	const char *text = err->text;

	fflush(act->stream);
	annotations_step(act->annotations, true);
	annotations_add(act->annotations,
			&(struct workflow_annotation){.kind = WORKFLOW_ERROR,
						      .title = "Slipway deployed nothing",
						      .message = text});
	summary_refusal(act->summary, text);
	if (act->place.output) {
		struct err unwritten = ERR_INIT;

		if (command_files_set(act->place.output, "state", "failed", &unwritten)
		    || command_files_set(act->place.output, "summary", text, &unwritten))
			workflow_say(act->workflow, "warning: %s", unwritten.text);
	}
	switch (err->kind) {
	case ERR_USAGE:
	case ERR_ABSENT:
		return 2;
	case ERR_CANCELLED:
		return 4;
	default:
		return 1;
	}
}

static void write_summary(const struct act *act)
{
	cleanup(buf_free) struct buf text = BUF_INIT(COMMAND_FILES_SUMMARY);
	struct err err = ERR_INIT;

	summary_write(act->summary, &text);
	if (act->place.summary && text.size > 0
	    && command_files_append(act->place.summary, text.data, text.size, COMMAND_FILES_SUMMARY,
				    &err))
		workflow_say(act->workflow, "warning: %s", err.text);
}

static bool handed_over(const struct act *act)
{
	return act->reporter && reporter_stopped(act->reporter) == REPORTER_HANDED_OVER;
}

/* What a cancelled step has no time for, the post step does. */
static void tidy_data(const struct act *act)
{
	const char *folder = act->place.passing ? act->place.data : act->notes;
	struct err err = ERR_INIT;

	if (folder && (stop_count == 0 || !act->place.passing) && file_remove_tree(folder, &err))
		workflow_say(act->workflow, "warning: %s", err.text);
}

/* Then the post step needn't look. */
static void note_done(const struct act *act)
{
	bool left = act->place.passing && stop_count > 0;
	struct err err = ERR_INIT;

	if (act->notes && act->place.state && !left
	    && command_files_set(act->place.state, "done", "yes", &err))
		workflow_say(act->workflow, "warning: %s", err.text);
}

void act_end(struct act *act)
{
	fclose(act->stream);
	workflow_group_end(act->workflow);
	annotations_print(act->annotations, act->workflow);
	write_summary(act);
	if (act->notes)
		guard_open(act->notes);
	if (!handed_over(act)) {
		tidy_data(act);
		note_done(act);
		workplace_give_back(&act->place, act->began);
	}
	reporter_free(act->reporter);
	tell_free(act->tell);
	summary_free(act->summary);
	annotations_free(act->annotations);
	workflow_free(act->workflow);
	http_free(act->http);
	arena_free(act->arena);
}

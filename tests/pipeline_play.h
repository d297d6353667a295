/* A run of the pipeline whose target, source, clock and observer follow a script; its children are
 * real ones. */
#ifndef TESTS_PIPELINE_PLAY_H
#define TESTS_PIPELINE_PLAY_H

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/pipeline.h"
#include "tap.h"

/* What a scenario makes happen, and what must come of it. */
struct scenario {
	const char *name;
	const char *build, *test, *release; /* shell; NULL: writes its own name to $TRACE */
	int64_t build_timeout;              /* 0: 60 */
	const char *fails;                  /* the call of source or target that fails … */
	enum err_kind kind;                 /* … and how */
	enum ending ending;                 /* how that left things, by the target's word */
	const char *probes;                 /* w g b t(ransient), the last for ever; NULL: g */
	int64_t settle;
	enum step stop_at; /* the step in which the observer says `stop` */
	int stop;
	enum step store_fails; /* the step whose end can't be stored */
	bool store_broken;
	enum step dies; /* STEP_FETCH: it doesn't. Lost at the end of this step, before it was
			   stored … */
	bool again;     /* … and resumed by another worker, without the faults */
	bool abandon;   /* … which was told not to try that step any more */
	bool revive, nothing_before;

	enum outcome outcome;
	enum step failed;
	const char *calls;   /* of source and target, in order; a run of probes is one */
	const char *ran;     /* of build, test, release */
	const char *message; /* part of the error */
	const char *said;    /* part of what was told */
};

static struct state {
	const struct scenario *scenario;
	bool faults;
	int64_t ticks;
	struct buf calls, said;
	unsigned probes;
	bool rolling_back;
	enum step step, stored;
	struct progress progress;
	const char *folder;
} state;

static int64_t fake_ticks(struct clock *clock)
{
	(void)clock;
	return state.ticks;
}

static void fake_sleep(struct clock *clock, int64_t milliseconds)
{
	(void)clock;
	state.ticks += milliseconds;
}

static struct clock fake_clock = {fake_ticks, fake_ticks, fake_sleep};

static int called(const char *name, struct err *err)
{
	const struct scenario *s = state.scenario;
	char text[100];

	buf_addf(&state.calls, "%s%s", state.calls.size ? " " : "", name);
	if (!state.faults || !s->fails || !strstr(s->fails, name))
		return 0;
	/* Where the text will be cut stands another secret. */
	snprintf(text, sizeof text, "scripted %s with hunter2secret", name);
	return err_set(err, s->kind ? s->kind : ERR_REMOTE, 0, "%-486s%s", text, "hunter2secret");
}

static int fake_fetch(struct source *source, const char *commit, const char *folder,
		      const struct source_tick *tick, struct err *err)
{
	autofree char *app = file_join(folder, "app");

	(void)source;
	(void)commit;
	if (called("fetch", err))
		return -1;
	if (tick->tick(tick->self))
		return err_set(err, ERR_CANCELLED, 0, "stopped");
	return file_make_dirs(app, 0755, err);
}

static int fake_check(const void *settings, const struct app *app, struct err *err)
{
	const struct scenario *s = state.scenario;

	(void)settings;
	(void)app;
	return s->fails && strcmp(s->fails, "check") == 0
		       ? err_set(err, ERR_USAGE, 0, "scripted check")
		       : 0;
}

static const char *fake_folder(const struct deploy *deploy)
{
	return arena_printf(deploy->arena, "%s/release-%s", deploy->site->data, deploy->key);
}

static int fake_publish(struct deploy *deploy, struct err *err)
{
	deploy->version = "v2";
	deploy->previous = state.scenario->nothing_before ? NULL : "v1";
	deploy->url = "http://shop.test";
	deploy->site->say(deploy->site->self, "made with %s", "hunter2secret");
	deploy->site->say(deploy->site->self, "%2040s%s", "long", "hunter2secret");
	return called("publish", err);
}

static int fake_revive(struct deploy *deploy, struct err *err)
{
	if (called("revive", err))
		return -1;
	deploy->previous = "v2";
	return 0;
}

static int fake_shift(struct deploy *deploy, struct err *err)
{
	deploy->memo = "shifted";
	deploy->ending = state.scenario->ending;
	return called("shift", err);
}

static int fake_probe(struct deploy *deploy, enum probe *probe, struct err *err)
{
	const char *script = state.scenario->probes;
	size_t last;
	char c;

	(void)deploy;
	if (!script || !state.faults)
		script = "g";
	last = strlen(script) - 1;
	c = script[state.probes > last ? last : state.probes];
	state.probes++;
	if (!strstr(buf_text(&state.calls), "probe") && called("probe", err))
		return -1;
	*probe = c == 'g' ? PROBE_GOOD : c == 'b' ? PROBE_BAD : PROBE_WAITING;
	if (c == 'b')
		err_set(err, ERR_REMOTE, 0, "scripted bad probe");
	return c == 't' ? err_set(err, ERR_TRANSIENT, 0, "scripted transient") : 0;
}

static int fake_rollback(struct deploy *deploy, struct err *err)
{
	(void)deploy;
	return called("rollback", err);
}

static int fake_retire(struct deploy *deploy, struct err *err)
{
	(void)deploy;
	return called("retire", err);
}

static int fake_logs(struct deploy *deploy, struct buf *out, struct err *err)
{
	(void)deploy;
	(void)err;
	buf_adds(out, "app line one\napp saw hunter2secret\n");
	return 0;
}

static const struct target fake_target = {.name = "fake",
					  .check = fake_check,
					  .folder = fake_folder,
					  .publish = fake_publish,
					  .revive = fake_revive,
					  .shift = fake_shift,
					  .probe = fake_probe,
					  .rollback = fake_rollback,
					  .retire = fake_retire,
					  .logs = fake_logs};

static void fake_began(struct observer *observer, enum step step)
{
	(void)observer;
	state.step = step;
}

static void fake_said(struct observer *observer, enum step step, const char *line, size_t size)
{
	(void)observer;
	(void)step;
	buf_add(&state.said, line, size);
	buf_addc(&state.said, '\n');
}

static int fake_ended(struct observer *observer, enum step step, enum step next,
		      const struct progress *progress, struct err *err)
{
	const struct scenario *s = state.scenario;

	(void)observer;
	if (state.faults && s->again && step == s->dies)
		return 1;
	if (state.faults && s->store_broken && step == s->store_fails)
		return err_set(err, ERR_SYSTEM, 28, "No space left on device");
	state.stored = next;
	state.progress = *progress;
	return 0;
}

static int fake_alive(struct observer *observer)
{
	const struct scenario *s = state.scenario;

	(void)observer;
	return state.faults && s->stop && state.step >= s->stop_at ? s->stop : 0;
}

static struct observer fake_observer = {
	.began = fake_began, .said = fake_said, .ended = fake_ended, .alive = fake_alive};

#define SHELL(text)                           \
	(const char *const[])                 \
	{                                     \
		"/bin/sh", "-c", (text), NULL \
	}

static const char * or (const char *text, const char *fallback)
{
	return text ? text : fallback;
}

static void run(const char *data, struct arena *arena, enum step first, struct result *result)
{
	const struct scenario *s = state.scenario;
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	const struct field_pair env[] = {
		{"TRACE", arena_printf(arena, "%s/trace", data)}, {"LANG", "C"}, {NULL, NULL}};
	const struct field_pair secrets[] = {{"TOKEN", "hunter2secret"}, {NULL, NULL}};
	struct project_build build = {.run = SHELL(or (s->build, "echo build >>$TRACE")),
				      .timeout = s->build_timeout ? s->build_timeout : 60};
	struct project_command test = {SHELL(or (s->test, "echo test >>$TRACE")), 60};
	struct project_command release = {SHELL(or (s->release, "echo release >>$TRACE")), 60};
	struct project_environment environment = {"production", &fake_target, NULL};
	struct project_service service = {.name = "shop",
					  .path = "app",
					  .build = &build,
					  .test = &test,
					  .release = &release,
					  .health = {"/healthz", 200, 5, s->settle},
					  .env = env,
					  .secrets = (const char *const[]){"TOKEN", NULL},
					  .environments = &environment,
					  .environment_count = 1};
	struct project project = {&service, 1};
	const struct plan plan = {
		.project = &project,
		.service = "shop",
		.environment = "production",
		.commit = "0123456789abcdef0123456789abcdef01234567",
		.config = "slipway.yml",
		.revive = s->revive,
		.version = s->revive ? "v1" : NULL,
		.abandon = first != STEP_FETCH && s->abandon ? "its worker died too often" : NULL,
		.secrets = s->fails && strcmp(s->fails, "secret") == 0 ? NULL : secrets,
		.work = arena_printf(arena, "%s/work", data),
		.job = arena_printf(arena, "SLIPWAY_JOB=%s#17", data)};
	struct source source = {.fetch = fake_fetch};
	struct world world = {.clock = &fake_clock,
			      .source = &source,
			      .observer = &fake_observer,
			      .redactor = redactor,
			      .data = data,
			      .path = "/usr/bin:/bin"};

	pipeline_run(&plan, first, first == STEP_FETCH ? NULL : &state.progress, 1, &world, arena,
		     result);
}

/* What the children noted, on one line. */
static char *what_ran(const char *data)
{
	autofree char *path = file_join(data, "trace");
	struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;

	if (file_exists(path) && file_read(path, &text, &err))
		bail_out("can't read the trace");
	for (char *at = text.data; at && *at; at++)
		if (*at == '\n')
			*at = at[1] ? ' ' : '\0';
	return buf_take(&text);
}

static void expect(const struct scenario *s, const struct result *result, const char *data)
{
	autofree char *ran = what_ran(data);
	bool pass = result->outcome == s->outcome && result->failed == s->failed
		    && strcmp(buf_text(&state.calls), s->calls) == 0
		    && strcmp(ran, or (s->ran, "build test release")) == 0
		    && (!s->message || strstr(result->err.text, s->message))
		    && (!s->said || strstr(buf_text(&state.said), s->said))
		    && !strstr(buf_text(&state.said), "hunt") && !strstr(result->err.text, "hunt")
		    && (result->outcome == OUTCOME_LIVE) == (result->err.kind == ERR_NONE);

	if (!ok(pass, s->name))
		tap_note("outcome %d (want %d), failed in %s (want %s)\ncalls: %s\nran: %s\n"
			 "message: %s\nsaid: %.900s",
			 (int)result->outcome, (int)s->outcome, step_name(result->failed),
			 step_name(s->failed), buf_text(&state.calls), ran, result->err.text,
			 buf_text(&state.said));
}

static void play(const struct scenario *s)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	char data[] = "/tmp/slipway-pipeline-XXXXXX";
	struct result result = {0};
	struct err err = ERR_INIT;

	if (!mkdtemp(data))
		bail_out("no temporary folder");
	state = (struct state){.scenario = s,
			       .faults = true,
			       .calls = BUF_INIT(64 * 1024),
			       .said = BUF_INIT(1024 * 1024)};
	run(data, arena, STEP_FETCH, &result);
	if (s->again) {
		ok(result.outcome == OUTCOME_LOST, "the first worker lost it");
		state.faults = false;
		run(data, arena, state.stored, &result);
	}
	expect(s, &result, data);
	buf_free(&state.calls);
	buf_free(&state.said);
	if (file_remove_tree(data, &err))
		tap_note("%s", err.text);
}

#endif

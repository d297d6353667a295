/* The pipeline as the service uses it: slipway.yml comes from the source, children through a
 * launcher. The target is the real one, and is never asked to publish. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "pipeline/pipeline.h"
#include "tap.h"

static struct {
	const char *config; /* what the source has; NULL: nothing */
	const char *link;   /* "app" is a link to there; NULL: a folder */
	unsigned reads, fetches;
	struct buf said;
	bool lost;
	struct progress progress;
	enum step stored;
} state;

static int fake_read(struct source *source, const char *commit, const char *path, struct buf *out,
		     struct err *err)
{
	(void)source;
	(void)commit;
	state.reads++;
	if (!state.config)
		return err_set(err, ERR_ABSENT, 0, "no %s", path);
	buf_adds(out, state.config);
	return 0;
}

static int fake_fetch(struct source *source, const char *commit, const char *folder,
		      const struct source_tick *tick, struct err *err)
{
	autofree char *app = file_join(folder, "app");

	(void)source;
	(void)commit;
	(void)tick;
	state.fetches++;
	if (!state.link)
		return file_make_dirs(app, 0755, err);
	return symlink(state.link, app) ? err_errno(err, "link") : 0;
}

static void fake_began(struct observer *observer, enum step step)
{
	(void)observer;
	(void)step;
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
	(void)observer;
	(void)step;
	(void)err;
	state.stored = next;
	state.progress = *progress;
	return state.lost && next == STEP_TEST ? 1 : 0;
}

static int fake_alive(struct observer *observer)
{
	(void)observer;
	return 0;
}

struct setting {
	struct arena *arena;
	struct redactor *redactor;
	struct observer observer;
	struct source source;
	struct world world;
	struct plan plan;
	char data[40];
};

static void begin(struct setting *s)
{
	*s = (struct setting){.arena = arena_new(),
			      .redactor = redactor_new(),
			      .observer = {fake_began, fake_said, fake_ended, fake_alive},
			      .source = {.fetch = fake_fetch, .read = fake_read},
			      .data = "/tmp/slipway-pipeline-XXXXXX"};
	if (!mkdtemp(s->data))
		bail_out("no temporary folder");
	s->world = (struct world){.clock = &clock_system,
				  .source = &s->source,
				  .observer = &s->observer,
				  .redactor = s->redactor,
				  .data = s->data,
				  .path = "/usr/bin:/bin"};
	s->plan = (struct plan){.repository = "acme/shop",
				.service = "shop",
				.environment = "production",
				.commit = "0123456789abcdef0123456789abcdef01234567",
				.config = "slipway.yml",
				.work = arena_printf(s->arena, "%s/work", s->data),
				.job = arena_printf(s->arena, "SLIPWAY_JOB=%s#7", s->data)};
	memset(&state, 0, sizeof state);
	state.said = (struct buf)BUF_INIT(1024 * 1024);
}

static void end(struct setting *s)
{
	struct err err = ERR_INIT;

	if (file_remove_tree(s->data, &err))
		tap_note("%s", err.text);
	redactor_free(s->redactor);
	arena_free(s->arena);
	buf_free(&state.said);
}

#define CONFIG(more)                                                               \
	"version: 1\nservices:\n  shop:\n    path: app\n    start: [./app]\n" more \
	"    environments:\n      production: {target: server, url: 'http://shop.localhost:1'}\n"

static void run(struct setting *s, enum step first, struct result *result)
{
	pipeline_run(&s->plan, first, first == STEP_FETCH ? NULL : &state.progress, 1, &s->world,
		     s->arena, result);
}

static void no_config(void)
{
	struct result result = {0};
	struct setting s;

	begin(&s);
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_USAGE, "a commit without slipway.yml");
	ok(strstr(result.err.text, "read slipway.yml at commit 0123456789abcdef")
		   && strstr(result.err.text, ": no slipway.yml"),
	   "says what is missing");
	same_int(state.fetches, 0, "nothing was fetched");
	end(&s);
}

static void wrong_config(void)
{
	struct result result = {0};
	struct setting s;

	begin(&s);
	state.config = "version: 1\nservices:\n  shop:\n    strat: [x]\n    helth: {}\n";
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_USAGE, "a wrong slipway.yml");
	ok(strstr(buf_text(&state.said), "slipway.yml:4:5:")
		   && strstr(buf_text(&state.said), "slipway.yml:5:5:"),
	   "every mistake is in the log");
	end(&s);

	begin(&s);
	state.config = CONFIG("");
	s.plan.environment = "staging";
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_USAGE, "an environment that isn't there");
	ok(strstr(result.err.text, "it has: production"), "says which there are");
	s.plan.environment = "production";
	s.plan.service = "shpo";
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_USAGE, "a service that isn't there");
	end(&s);

	begin(&s);
	state.config = CONFIG("    build: {dockerfile: Dockerfile}\n");
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_USAGE, "an image, and no engine to build it");
	ok(strstr(result.err.text, "`build: {run: …}`"), "says what to do");
	end(&s);
}

static void a_link_out(void)
{
	struct result result = {0};
	struct setting s;

	begin(&s);
	state.config = CONFIG("    test: {run: [/bin/false]}\n");
	state.link = "/usr";
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_USAGE, "path: is a link that leaves the checkout");
	ok(strstr(result.err.text, "'app' is a link that leaves the repository"), "and is refused");
	end(&s);

	begin(&s);
	state.config = CONFIG("    test: {run: [/bin/false]}\n");
	state.link = "nowhere";
	run(&s, STEP_FETCH, &result);
	ok(strstr(result.err.text, "there is no folder 'app'"), "path: isn't there");
	end(&s);
}

static void a_second_worker(void)
{
	struct result result = {0};
	struct setting s;

	begin(&s);
	state.config = CONFIG("    test: {run: 'echo tested; exit 1'}\n");
	state.lost = true;
	run(&s, STEP_FETCH, &result);
	same_int(result.outcome, OUTCOME_LOST, "a worker is lost");
	same_str(state.progress.target, "server", "the target's name was stored");
	ok(file_exists(state.progress.folder), "the checkout stays for the next one");
	state.lost = false;
	state.config = NULL;
	run(&s, STEP_TEST, &result);
	same_int(result.failed, STEP_TEST, "the next one goes on where it was");
	ok(strstr(buf_text(&state.said), "\ntested\n"), "and runs the tests");
	same_int(state.reads, 1, "with the slipway.yml that the first one read");
	same_int(state.fetches, 1, "and what it fetched");
	ok(!file_exists(state.progress.folder), "which is removed when it failed");
	end(&s);

	begin(&s);
	state.config = CONFIG("    test: {run: 'exit 1'}\n");
	state.progress = (struct progress){.folder = "/nonexistent/checkout"};
	run(&s, STEP_TEST, &result);
	same_int(state.fetches, 1, "without its checkout it begins again");
	same_int(result.failed, STEP_TEST, "and comes as far");
	end(&s);
}

static void the_launcher(void)
{
	const char *launcher[] = {NULL, "confined", "--hide", "/etc/secret", NULL};
	struct result result = {0};
	struct err err = ERR_INIT;
	struct setting s;

	static const char script[] = "#!/bin/sh\necho \"launched with $*\"\n"
				     "while [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";

	begin(&s);
	launcher[0] = arena_printf(s.arena, "%s/launcher", s.data);
	if (file_write(launcher[0], script, strlen(script), 0700, &err))
		bail_out(err.text);
	s.world.launcher = launcher;
	state.config = CONFIG("    test: {run: [sh, -c, 'echo in $(basename $PWD); exit 1']}\n");
	run(&s, STEP_FETCH, &result);
	ok(strstr(buf_text(&state.said), "launched with confined --hide /etc/secret --show "),
	   "a child is started through the launcher");
	ok(strstr(buf_text(&state.said), "work/home --show "), "which shows it its home");
	ok(strstr(buf_text(&state.said), "work/tmp -- sh -c "),
	   "and its folder for temporary files");
	ok(strstr(buf_text(&state.said), "\nin app\n"), "and then becomes the command");
	end(&s);
}

static void what_it_left(void)
{
	struct result result = {0};
	struct setting s;

	begin(&s);
	state.config = CONFIG("    build: {run: 'setsid sleep 300 >/dev/null 2>&1 & sleep 0.2'}\n"
			      "    test: {run: 'exit 1'}\n");
	run(&s, STEP_FETCH, &result);
	same_int(result.failed, STEP_TEST, "a build that leaves a daemon behind goes well");
	same_int(child_kill_marked(s.plan.job), 0, "and the daemon is gone");
	end(&s);
}

static void explained(void)
{
	cleanup(buf_free) struct buf out = BUF_INIT(64 * 1024);
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("slipway.yml");
	static const char config[] = CONFIG("    test: {run: [make, check], timeout: 5m}\n");
	struct project *project = NULL;
	struct err err = ERR_INIT;
	struct setting s;

	begin(&s);
	if (project_read(&project, "slipway.yml", config, strlen(config), s.arena, &mistakes, &err))
		bail_out(err.text);
	s.plan.project = project;
	same_int(pipeline_explain(&s.plan, &s.world, &out, &err), 0, "a plan is explained");
	ok(strstr(buf_text(&out), "test      `make check`, for at most 300 s\n"), "its commands");
	ok(strstr(buf_text(&out), "fetch     commit 0123456789abcdef0123456789abcdef01234567 of "
				  "acme/shop\n"),
	   "its commit");
	ok(strstr(buf_text(&out), "nothing is live now"), "what the target says");
	ok(!file_exists(s.plan.work), "and nothing is written");
	end(&s);
}

int main(void)
{
	no_config();
	wrong_config();
	a_link_out();
	a_second_worker();
	the_launcher();
	what_it_left();
	explained();
	return tap_done();
}

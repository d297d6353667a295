/* Images in the pipeline: built, tested in and released with a real Docker engine, published by a
 * target that only looks. Skipped where no engine answers. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "pipeline/pipeline.h"
#include "scratch.h"
#include "tap.h"

#define SOCKET  "/var/run/docker.sock"
#define BUSYBOX "/bin/busybox"

static const char dockerfile[] = "FROM scratch AS base\n"
				 "COPY busybox /bin/busybox\n"
				 "RUN [\"/bin/busybox\", \"mkdir\", \"-p\", \"/tmp\", \"/srv\"]\n"
				 "RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n"
				 "WORKDIR /srv\n"
				 "ENV IN_IMAGE=yes\n"
				 "ARG WHO=nobody\n"
				 "RUN echo \"built for $WHO\"\n"
				 "FROM base\n"
				 "RUN echo never; false\n";

static struct {
	struct buf said;
	char *built; /* as publish saw it */
	enum step lost_at;
	struct progress progress;
	enum step next;
	bool dying; /* tell the parent when the tests run */
	int pipe[2];
	int stop_after; /* looks during the tests; 0: never */
	enum step step;
} state;

static int fetch(struct source *source, const char *commit, const char *folder,
		 const struct source_tick *tick, struct err *err)
{
	autofree char *app = file_join(folder, "app"), *file = file_join(app, "Dockerfile"),
		      *program = file_join(app, "busybox"),
		      *ignore = file_join(app, ".dockerignore");
	cleanup(buf_free) struct buf busybox = BUF_INIT(16 * 1024 * 1024);

	(void)source, (void)commit, (void)tick;
	return file_make_dirs(app, 0755, err) || file_read(BUSYBOX, &busybox, err)
			       || file_write(program, busybox.data, busybox.size, 0755, err)
			       || file_write(ignore, "*\n!busybox\n", 11, 0644, err)
			       || file_write(file, dockerfile, strlen(dockerfile), 0644, err)
		       ? -1
		       : 0;
}

static int publish(struct deploy *deploy, struct err *err)
{
	(void)err;
	free(state.built);
	state.built = xstrdup(deploy->artifact->image);
	deploy->version = "v1";
	deploy->url = "http://x.test";
	target_fact(deploy, "arn", "a:b");
	return 0;
}

static int nothing(struct deploy *deploy, struct err *err)
{
	(void)deploy, (void)err;
	return 0;
}

static int probe(struct deploy *deploy, enum probe *probe, struct err *err)
{
	(void)deploy, (void)err;
	*probe = PROBE_GOOD;
	return 0;
}

static const struct target looker = {.name = "looker",
				     .publish = publish,
				     .shift = nothing,
				     .probe = probe,
				     .rollback = nothing};

static void began(struct observer *observer, enum step step)
{
	(void)observer;
	state.step = step;
}

static void said(struct observer *observer, enum step step, const char *line, size_t size)
{
	(void)observer, (void)step;
	buf_add(&state.said, line, size);
	buf_addc(&state.said, '\n');
	if (state.dying && size == 8 && memcmp(line, "sleeping", 8) == 0)
		(void)!write(state.pipe[1], "x", 1);
}

static int ended(struct observer *observer, enum step step, enum step next,
		 const struct progress *progress, struct err *err)
{
	(void)observer, (void)err;
	if (state.lost_at == step && step != STEP_FETCH)
		return 1;
	state.next = next;
	state.progress = *progress;
	return 0;
}

static int alive(struct observer *observer)
{
	(void)observer;
	if (state.step == STEP_TEST && state.stop_after > 0 && --state.stop_after == 0) {
		state.stop_after = 1; /* for good */
		return OBSERVER_CANCEL;
	}
	return 0;
}

struct deployment {
	const char *test, *release, *target;
	const char *job;
	int64_t timeout;
};

static void run(const struct deployment *d, enum step first, struct arena *arena,
		struct result *result)
{
	const char *const testing[] = {"sh", "-c", d->test, NULL};
	const char *const releasing[] = {"sh", "-c", d->release, NULL};
	const struct field_pair args[] = {{"WHO", "us"}, {NULL, NULL}};
	const struct field_pair env[] = {{"LOG_LEVEL", "info"}, {NULL, NULL}};
	const struct field_pair secrets[] = {{"TOKEN", "hunter2secret"}, {NULL, NULL}};
	struct project_build build = {.dockerfile = "Dockerfile",
				      .target = d->target ? d->target : "base",
				      .args = args,
				      .timeout = 60};
	struct project_command test = {testing, d->timeout ? d->timeout : 60};
	struct project_command release = {releasing, 60};
	struct project_environment environment = {"production", &looker, NULL};
	struct project_service service = {.name = "Shop.Web-",
					  .path = "app",
					  .build = &build,
					  .test = d->test ? &test : NULL,
					  .release = d->release ? &release : NULL,
					  .health = {"/", 200, 5, 0},
					  .env = env,
					  .secrets = (const char *const[]){"TOKEN", NULL},
					  .environments = &environment,
					  .environment_count = 1};
	struct project project = {&service, 1};
	const struct plan plan = {
		.project = &project,
		.service = "Shop.Web-",
		.environment = "production",
		.commit = "0123456789abcdef0123456789abcdef01234567",
		.config = "slipway.yml",
		.secrets = secrets,
		.work = arena_printf(arena, "%s/work-%s", scratch_folder, d->job),
		.job = arena_printf(arena, "SLIPWAY_JOB=%s#%s", scratch_folder, d->job)};
	cleanup(redactor_freep) struct redactor *redactor = redactor_new();
	cleanup(http_freep) struct http *http = NULL;
	struct source source = {.fetch = fetch};
	struct observer observer = {began, said, ended, alive, NULL};
	struct err err = ERR_INIT;
	struct world world = {.clock = &clock_system,
			      .source = &source,
			      .observer = &observer,
			      .redactor = redactor,
			      .data = scratch_folder,
			      .docker = SOCKET,
			      .path = "/usr/bin:/bin"};

	if (http_curl_new(&http, "test", &err))
		bail_out(err.text);
	world.http = http;
	buf_clear(&state.said);
	pipeline_run(&plan, first, first == STEP_FETCH ? NULL : &state.progress, 1, &world, arena,
		     result);
}

static struct engine *connect_engine(struct http **http)
{
	struct err err = ERR_INIT;

	if (http_curl_new(http, "test", &err))
		bail_out(err.text);
	return engine_new(SOCKET, &(struct engine_site){.http = *http, .clock = &clock_system});
}

/* Containers of this job that are left. */
static int left(const char *job)
{
	cleanup(http_freep) struct http *http = NULL;
	cleanup(engine_freep) struct engine *engine = connect_engine(&http);
	autofree char *label = xprintf("slipway.task=%s#%s", scratch_folder, job);
	json_auto json_t *list = NULL;
	struct err err = ERR_INIT;

	if (engine_list(engine, label, &list, &err))
		bail_out(err.text);
	return (int)json_array_size(list);
}

static bool hears(const char *text)
{
	return strstr(buf_text(&state.said), text) != NULL;
}

static void all_the_way(struct arena *arena)
{
	struct result result = {0};
	struct stat made;
	autofree char *workspace = file_join(scratch("work-1"), "checkout/app/made-by-test");

	run(&(struct deployment){.test = "echo \"$PWD $IN_IMAGE $LOG_LEVEL $SLIPWAY_SERVICE $HOME "
					 "<$TOKEN>\"; "
					 "ls; touch made-by-test; printf last",
				 .release = "echo \"released in $PWD with $TOKEN\"",
				 .job = "1"},
	    STEP_FETCH, arena, &result);
	same_int(result.outcome, OUTCOME_LIVE, "an image goes live");
	same_str(result.err.text, "", "without an error");
	ok(state.built && strlen(state.built) == 71, "publish gets its whole id");
	same_str(result.progress.built, state.built, "which is kept between steps");
	ok(result.progress.facts && strstr(result.progress.facts, "a:b"), "as are facts");
	ok(hears("\nbuilt for us\n"), "the build's argument, stage and log");
	ok(hears("image slipway/shop.web:0123456789ab, sha256:"), "the image has a readable name");
	ok(hears("/checkout/app yes info Shop.Web- /tmp <>\n"),
	   "tests run in the image, in the checkout, with the service's env and no secret");
	ok(hears("\nDockerfile\nbusybox\n"), "and see what .dockerignore leaves out of the image");
	ok(hears("\nlast\n"), "a last line without an end is heard");
	ok(stat(workspace, &made) == 0 && made.st_uid == geteuid(),
	   "what they make belongs to the checkout's owner");
	ok(hears("released in /srv with ***"), "the release command runs as the app will");
	same_int(left("1"), 0, "no container is left");
}

static void failures(struct arena *arena)
{
	struct result result = {0};

	run(&(struct deployment){.job = "3", .test = "echo so; sleep 0.3; echo sad >&2; exit 3"},
	    STEP_FETCH, arena, &result);
	if (!ok(result.outcome == OUTCOME_FAILED && result.failed == STEP_TEST
			&& strstr(result.err.text, "ended with status 3: sad"),
		"tests that fail"))
		tap_note("%s\n%s", result.err.text, buf_text(&state.said));
	run(&(struct deployment){.job = "3", .test = "echo zzz; sleep 50", .timeout = 1},
	    STEP_FETCH, arena, &result);
	ok(strstr(result.err.text, "took longer than 1 s: zzz") != NULL,
	   "tests that take too long");
	state.stop_after = 3;
	run(&(struct deployment){.job = "3", .test = "sleep 50"}, STEP_FETCH, arena, &result);
	state.stop_after = 0;
	same_int(result.outcome, OUTCOME_CANCELLED, "tests that are cancelled");
	run(&(struct deployment){.job = "3", .target = ""}, STEP_FETCH, arena, &result);
	ok(result.failed == STEP_BUILD && strstr(result.err.text, "non-zero code: 1")
		   && hears("\nnever\n"),
	   "a build that fails, with its log");
	same_int(left("3"), 0, "no container is left");
}

/* The worker is killed while the tests run; another goes on. */
static void a_worker_dies(struct arena *arena)
{
	struct deployment d = {.test = "echo sleeping; sleep 100", .job = "2"};
	struct result result = {0};
	autofree char *before = NULL;
	char heard;
	pid_t worker;

	run(&(struct deployment){.test = "true", .job = "2"}, STEP_FETCH, arena, &result);
	before = xstrdup(result.progress.built);
	if (pipe(state.pipe) || (worker = fork()) < 0)
		bail_out("fork");
	if (worker == 0) {
		state.dying = true;
		run(&d, STEP_FETCH, arena, &result);
		_exit(0);
	}
	ok(read(state.pipe[0], &heard, 1) == 1, "the tests run");
	kill(worker, SIGKILL);
	waitpid(worker, NULL, 0);
	same_int(left("2"), 1, "their container outlives the worker");
	state.progress = (struct progress){.folder = arena_strdup(arena, result.progress.folder),
					   .built = before};
	run(&(struct deployment){.test = "echo again", .job = "2"}, STEP_TEST, arena, &result);
	same_int(result.outcome, OUTCOME_LIVE, "the next worker goes on with the tests");
	ok(!hears("docker build") && hears("\nagain\n"), "in the image that was built");
	same_str(state.built, before, "which is what it publishes");
	same_int(left("2"), 0, "the container is gone");
	state.progress = (struct progress){
		.folder = result.progress.folder,
		.built = "sha256:00000000000000000000000000000000000000000000000000000000000000aa"};
	run(&(struct deployment){.test = "echo again", .job = "2"}, STEP_TEST, arena, &result);
	ok(result.outcome == OUTCOME_LIVE && hears("docker build Dockerfile"),
	   "an image that is gone is built again");
}

static void tidy_up(void)
{
	cleanup(http_freep) struct http *http = NULL;
	cleanup(engine_freep) struct engine *engine = connect_engine(&http);
	struct err err = ERR_INIT;

	if (engine_untag(engine, "slipway/shop.web:0123456789ab", &err))
		tap_note("%s", err.text);
}

int main(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(http_freep) struct http *http = NULL;
	struct engine *engine = connect_engine(&http);
	struct err err = ERR_INIT;
	bool there = engine_ping(engine, NULL, NULL, NULL, &err) == 0;

	engine_free(engine);
	if (!there)
		skip_all("no Docker engine answers");
	if (!file_exists(BUSYBOX))
		skip_all("no busybox");
	signal(SIGPIPE, SIG_IGN);
	scratch_begin();
	state.said = (struct buf)BUF_INIT(1024 * 1024);
	all_the_way(arena);
	failures(arena);
	a_worker_dies(arena);
	tidy_up();
	buf_free(&state.said);
	free(state.built);
	return tap_done();
}

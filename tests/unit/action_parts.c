/* Smaller parts of the action: what the post step is told, the checked-out commit, inputs. */
#include <sys/stat.h>
#include <unistd.h>

#include "action/action.h"
#include "action/commit.h"
#include "action/unfinished.h"
#include "pipeline/project.h"
#include "scratch.h"
#include "tap.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

static struct arena *arena;

static void put(const char *name, const char *text)
{
	struct err err = ERR_INIT;

	if (file_write(scratch(name), text, strlen(text), 0600, &err))
		bail_out(err.text);
}

static void test_unfinished(void)
{
	const struct unfinished left = {.service = "shop",
					.environment = "production",
					.work = "/data/h1",
					.job = "SLIPWAY_JOB=x#h1",
					.fence = 7,
					.step = STEP_VERIFY,
					.progress = {.version = "v2", .memo = "{\"a\":1}"},
					.deployment = 42};
	struct err err = ERR_INIT;
	struct unfinished got;

	same_int(unfinished_read(&got, scratch_folder, arena, &err), UNFINISHED_NONE,
		 "nothing is unfinished");
	ok(unfinished_write(scratch_folder, &left, &err) == 0, "what is under way is kept");
	ok(unfinished_read(&got, scratch_folder, arena, &err) == 0, "and found by the post step");
	same_str(got.service, "shop", "its service");
	same_int(got.step, STEP_VERIFY, "its step");
	same_str(got.progress.version, "v2", "its version");
	same_str(got.progress.memo, "{\"a\":1}", "what its target must know");
	ok(!got.progress.previous && !got.commit, "what isn't known stays unknown");
	same_int(got.deployment, 42, "GitHub's number");
	put("unfinished.json", "{\"service\": \"shop\"}");
	ok(unfinished_read(&got, scratch_folder, arena, &err) < 0,
	   "one that isn't whole is refused");
	unfinished_forget(scratch_folder);
	same_int(unfinished_read(&got, scratch_folder, arena, &err), UNFINISHED_NONE,
		 "it is forgotten");
}

static void test_head(void)
{
	mkdir(scratch("repo"), 0700);
	mkdir(scratch("repo/.git"), 0700);
	mkdir(scratch("repo/.git/refs"), 0700);
	mkdir(scratch("repo/.git/refs/heads"), 0700);
	mkdir(scratch("repo/apps"), 0700);
	ok(!commit_head(scratch("repo"), scratch("repo"), arena), "no HEAD, no commit");
	put("repo/.git/HEAD", ID "\n");
	same_str(commit_head(scratch("repo"), scratch("repo"), arena), ID,
		 "a commit that is checked out");
	same_str(commit_head(scratch("repo/apps"), scratch("repo"), arena), ID,
		 "seen from a folder below");
	put("repo/.git/HEAD", "ref: refs/heads/main\n");
	put("repo/.git/packed-refs",
	    "# pack-refs\n" ID " refs/heads/mainly\n" ID " refs/heads/main\n");
	same_str(commit_head(scratch("repo"), scratch("repo"), arena), ID,
		 "a branch in packed-refs");
	put("repo/.git/refs/heads/main", "89abcdef0123456789abcdef0123456789abcdef\n");
	same_str(commit_head(scratch("repo"), scratch("repo"), arena),
		 "89abcdef0123456789abcdef0123456789abcdef", "a branch of its own file goes first");
	put("secret", ID "\n");
	put("repo/.git/HEAD", "ref: refs/../../../secret\n");
	ok(!commit_head(scratch("repo"), scratch("repo"), arena), "a branch doesn't lead out");
}

static const char yml[] = "version: 1\n"
			  "services:\n"
			  "  shop:\n"
			  "    start: [shop]\n"
			  "    environments:\n"
			  "      production: {target: server, url: 'http://a.localhost:8080'}\n";

static int change(const struct project_override *override, struct project **project,
		  struct mistakes *mistakes, struct err *err)
{
	if (project_read(project, "slipway.yml", yml, strlen(yml), arena, mistakes, err))
		bail_out(err->text);
	return project_override(*project, yml, strlen(yml), override, arena, mistakes, err);
}

static void test_override(void)
{
	cleanup(mistakes_free) struct mistakes none = MISTAKES_INIT("x"),
					       wrong = MISTAKES_INIT("x"), bad = MISTAKES_INIT("x"),
					       more = MISTAKES_INIT("x");
	struct project_override override = {.environment = "production",
					    .settings = "url: http://b.localhost:8080\n",
					    .name = "input 'settings'"};
	struct project *project;
	struct err err = ERR_INIT;

	ok(change(&override, &project, &none, &err) == 0, "settings of the workflow");
	override.settings = "url: http://b.localhost:8080\nkepp: 3\n";
	ok(change(&override, &project, &wrong, &err) < 0, "a mistake in them");
	ok(strstr(buf_text(&wrong.text), "input 'settings':2:1: no such setting 'kepp'") != NULL,
	   "is told where it stands");
	override.settings = "- a\n";
	ok(change(&override, &project, &bad, &err) < 0, "so is what are no settings");
	override = (struct project_override){.environment = "preview",
					     .target = "server",
					     .settings = "url: http://c.localhost:8080",
					     .name = "input 'settings'"};
	ok(change(&override, &project, &more, &err) == 0
		   && project_environment(project_service(project, "shop"), "preview") != NULL
		   && project_environment(project_service(project, "shop"), "production") != NULL,
	   "with a target there may be a new environment");
}

static void test_inputs(void)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("inputs");
	struct action_settings settings;
	struct err err = ERR_INIT;

	setenv("INPUT_DRY-RUN", "true", 1);
	setenv("INPUT_WAIT-TIMEOUT", "15m", 1);
	setenv("INPUT_SERVICE", "", 1);
	ok(action_settings_read(&settings, arena, &mistakes, &err) == 0,
	   "inputs as the runner names them");
	ok(settings.dry_run && settings.wait_timeout == 900 && !settings.service,
	   "an empty one is as good as unset");
	same_str(settings.config, "slipway.yml", "what isn't given has its default");
	ok(!settings.token, "the token's default is for action.yml alone");
	setenv("INPUT_DATA", "here", 1);
	ok(action_settings_read(&settings, arena, &mistakes, &err) < 0 && mistakes.count == 1,
	   "a mistake is one");
}

int main(void)
{
	scratch_begin();
	arena = arena_new();
	test_unfinished();
	test_head();
	test_override();
	test_inputs();
	arena_free(arena);
	return tap_done();
}

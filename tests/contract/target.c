/*
 * What every target promises (lib/target/target.h), for each row of targets[]. A worker may die at
 * any moment: each call is made again by a new struct deploy that knows only what the pipeline
 * stored, and some are killed half-way first.
 */
#include <dirent.h>

#include "target/aws.h"
#include "target/bench.h"

/* How a target is tried out. Keys name versions: what is deployed under "k1" answers "k1". */
struct harness {
	const char *target;
	void (*open)(struct bench *bench);
	void (*try)(struct bench *bench, struct try *try, struct arena *arena, const char *key,
		    int64_t fence);
	void (*build)(struct try *try);             /* make what publish ships */
	const char *(*serves)(struct bench *bench); /* the key of what answers; "" for nothing */
	unsigned (*versions)(struct bench *bench);  /* how many are kept, the live one counted;
						       NULL: it keeps none itself */
	void (*close)(struct bench *bench);
	const char *(*absent)(void); /* why it can't be tried here; NULL: it can */
	bool proves;                 /* it counts only versions that were retired as good */
};

/* ---- server ---- */

static void server_try(struct bench *bench, struct try *try, struct arena *arena, const char *key,
		       int64_t fence)
{
	bench_try(bench, try, arena, key, fence, "ok");
}

static const char *server_serves(struct bench *bench)
{
	const char *answer = bench_get(bench, "/");

	return text_starts(answer, "200: ") ? answer + 5 : "";
}

static unsigned server_versions(struct bench *bench)
{
	autofree char *path =
		xprintf("%s/server/apps/acme+shop+web+production/releases", bench->dir);
	DIR *folder = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (folder)
		closedir(folder);
	return count;
}

static const struct harness harnesses[] = {
	{"server", bench_open, server_try, bench_checkout, server_serves, server_versions,
	 bench_close, NULL, true},
	{"app-runner", aws_open_world, app_runner_try, aws_build, app_runner_serves, NULL,
	 aws_close, aws_absent, false},
	{"ecs-express", aws_open_world, ecs_express_try, aws_build, ecs_express_serves, NULL,
	 aws_close, aws_absent, false},
};

/* ---- the calls, as the pipeline makes them ---- */

enum call { PUBLISH, SHIFT, PROBE, ROLLBACK, RETIRE, REVIVE };

struct stored {
	char version[200], previous[200], memo[16384];
};

struct run {
	const struct target *target;
	const struct harness *harness;
	struct bench bench;
	struct arena *arena;
	struct err err;
	enum probe probe;
};

/* One call in a struct deploy of its own, from what was stored to what is to be stored. */
static int call(struct run *run, enum call what, const char *key, int64_t fence,
		struct stored *stored)
{
	const struct target *target = run->target;
	struct deploy *deploy;
	struct try try;
	int result = -1;

	run->harness->try(&run->bench, &try, run->arena, key, fence);
	deploy = &try.deploy;
	deploy->version = stored->version[0] ? stored->version : NULL;
	deploy->previous = stored->previous[0] ? stored->previous : NULL;
	deploy->memo = stored->memo[0] ? stored->memo : NULL;
	deploy->facts = json_object();
	run->err = (struct err)ERR_INIT;
	run->probe = PROBE_WAITING;
	switch (what) {
	case PUBLISH:
		run->harness->build(&try);
		result = target->publish(deploy, &run->err);
		break;
	case REVIVE:
		result = target->revive(deploy, &run->err);
		break;
	case SHIFT:
		result = target->shift(deploy, &run->err);
		break;
	case PROBE:
		result = target->probe(deploy, &run->probe, &run->err);
		break;
	case ROLLBACK:
		result = target->rollback(deploy, &run->err);
		break;
	case RETIRE:
		result = target->retire ? target->retire(deploy, &run->err) : 0;
		break;
	}
	if (deploy->version != stored->version)
		snprintf(stored->version, sizeof stored->version, "%s",
			 deploy->version ? deploy->version : "");
	if (deploy->previous != stored->previous)
		snprintf(stored->previous, sizeof stored->previous, "%s",
			 deploy->previous ? deploy->previous : "");
	if (deploy->memo != stored->memo)
		snprintf(stored->memo, sizeof stored->memo, "%s", deploy->memo ? deploy->memo : "");
	target_let_go(deploy);
	json_decref(deploy->facts);
	return result;
}

static void expect(struct run *run, enum call what, const char *key, int64_t fence,
		   struct stored *stored, const char *name)
{
	if (!same_int(call(run, what, key, fence, stored), 0, name))
		tap_note("%s", run->err.text);
}

static bool is_good(struct run *run, const char *key, int64_t fence, struct stored *stored)
{
	for (int i = 0; i < 40; i++) {
		if (call(run, PROBE, key, fence, stored) == 0 && run->probe != PROBE_WAITING)
			break;
		clock_sleep(&clock_system, 250);
	}
	return run->probe == PROBE_GOOD;
}

static void deploy_all(struct run *run, const char *key, int64_t fence, struct stored *stored)
{
	expect(run, PUBLISH, key, fence, stored, "publish");
	expect(run, SHIFT, key, fence, stored, "shift");
	ok(is_good(run, key, fence, stored), "probe says good");
	expect(run, RETIRE, key, fence, stored, "retire");
	same_str(run->harness->serves(&run->bench), key, "it serves");
}

/* Start the call in a process that is killed after so long. */
static void killed(struct run *run, enum call what, const char *key, int64_t fence,
		   const struct stored *stored, unsigned milliseconds)
{
	struct stored copy = *stored;
	pid_t pid = fork();

	if (pid == 0) {
		struct err err;

		if (http_curl_new(&run->bench.site.http, "slipway-test", &err) == 0)
			(void)call(run, what, key, fence, &copy);
		_exit(0);
	}
	clock_sleep(&clock_system, milliseconds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- what is promised ---- */

static void same_key_one_version(struct run *run)
{
	struct stored first = {0}, again = {0};

	expect(run, PUBLISH, "k1", 1, &first, "publish");
	same_str(run->harness->serves(&run->bench), "", "published takes no traffic");
	expect(run, PUBLISH, "k1", 2, &again, "publish with the same key, knowing nothing");
	same_str(again.version, first.version, "it is the same version");
	if (run->harness->versions)
		same_int(run->harness->versions(&run->bench), 1, "there is one");
	same_str(again.previous, "", "nothing was before it");
	expect(run, SHIFT, "k1", 2, &again, "shift");
	expect(run, SHIFT, "k1", 2, &again, "shift again");
	same_str(run->harness->serves(&run->bench), "k1", "it serves");
	expect(run, PUBLISH, "k1", 2, &again, "publish once more, after the shift");
	same_str(again.version, first.version, "it is the same version still");
	ok(is_good(run, "k1", 2, &again), "probe says good");
	expect(run, RETIRE, "k1", 2, &again, "retire");
	expect(run, RETIRE, "k1", 2, &again, "retire again");
	same_str(run->harness->serves(&run->bench), "k1", "it serves");
}

static void probe_knows_its_own(struct run *run)
{
	struct stored old = {0}, new = {0};

	expect(run, PUBLISH, "k1", 3, &old, "publish what is live already");
	expect(run, PUBLISH, "k2", 3, &new, "publish the next");
	ok(strcmp(old.version, new.version) != 0, "it is another version");
	same_str(new.previous, old.version, "it knows what was live before");
	same_int(call(run, PROBE, "k2", 3, &new), 0, "probe before the shift");
	ok(run->probe != PROBE_GOOD, "isn't good: the one before serves");
	same_str(run->harness->serves(&run->bench), "k1", "the one before serves");
	expect(run, SHIFT, "k2", 3, &new, "shift");
	same_int(call(run, PROBE, "k1", 3, &old), 0, "probe for the one before");
	ok(run->probe != PROBE_GOOD, "isn't good: the new one serves");
	ok(is_good(run, "k2", 3, &new), "probe for the new one is");
	expect(run, ROLLBACK, "k2", 3, &new, "roll back");
	same_str(run->harness->serves(&run->bench), "k1", "the one before serves again");
	expect(run, ROLLBACK, "k2", 3, &new, "roll back again");
	same_str(run->harness->serves(&run->bench), "k1", "and goes on");
}

static void fenced(struct run *run)
{
	struct stored old = {0}, new = {0};

	expect(run, PUBLISH, "k3", 10, &old, "an older claim publishes");
	expect(run, PUBLISH, "k3", 11, &new, "a newer one takes over");
	same_int(call(run, SHIFT, "k3", 10, &old), -1, "the older can't shift");
	same_int(run->err.kind, ERR_CONFLICT, "and is told so");
	same_int(call(run, ROLLBACK, "k3", 10, &old), -1, "nor roll back");
	same_str(run->harness->serves(&run->bench), "k1", "what was live is");
	expect(run, SHIFT, "k3", 11, &new, "the newer can");
	same_int(call(run, RETIRE, "k3", 10, &old), -1, "the older can't retire");
	same_str(run->harness->serves(&run->bench), "k3", "the new version serves");
	expect(run, RETIRE, "k3", 11, &new, "the newer retires");
}

/* Each call is killed at several moments, then made again. */
static void survives_kills(struct run *run)
{
	static const unsigned moments[] = {1, 5, 20, 60, 150, 300};
	int64_t fence = 20;
	char last[32] = "k3", key[32];

	for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
		struct stored stored = {0};
		unsigned after = moments[i];

		snprintf(key, sizeof key, "kill-%u", after);
		killed(run, PUBLISH, key, ++fence, &stored, after);
		same_str(run->harness->serves(&run->bench), last, "publish killed: the old serves");
		expect(run, PUBLISH, key, ++fence, &stored, "publish again");
		killed(run, SHIFT, key, fence, &stored, after / 5);
		expect(run, SHIFT, key, ++fence, &stored, "shift again");
		ok(is_good(run, key, fence, &stored), "it is good");
		if (i % 2) {
			killed(run, RETIRE, key, ++fence, &stored, after);
			expect(run, RETIRE, key, ++fence, &stored, "retire again");
			snprintf(last, sizeof last, "%s", key);
		} else {
			killed(run, ROLLBACK, key, ++fence, &stored, after);
			expect(run, ROLLBACK, key, ++fence, &stored, "roll back again");
		}
		same_str(run->harness->serves(&run->bench), last, "the right one serves");
	}
}

/* A deployment that stops half-way for good is in nobody's way. */
static void abandoned(struct run *run)
{
	struct stored lost = {0}, next = {0};

	expect(run, PUBLISH, "lost", 50, &lost, "publish one");
	expect(run, SHIFT, "lost", 50, &lost, "and shift to it, unproved");
	deploy_all(run, "after", 51, &next);
	same_int(call(run, ROLLBACK, "lost", 50, &lost), -1, "the lost one can't come back");
	same_str(run->harness->serves(&run->bench), "after", "the new one serves");
	if (run->harness->proves)
		ok(strcmp(next.previous, lost.version) != 0,
		   "the unproved one doesn't count as before it");
}

static void keeps_five(struct run *run)
{
	struct stored stored;
	char key[32];

	for (int i = 1; i <= 6; i++) {
		stored = (struct stored){0};
		snprintf(key, sizeof key, "keep-%d", i);
		deploy_all(run, key, 60 + i, &stored);
	}
	if (run->harness->versions)
		same_int(run->harness->versions(&run->bench), 5, "the last five are kept");
}

static void revives(struct run *run)
{
	struct stored stored = {0}, named = {0};

	if (!run->target->revive) {
		skip("revive", "this target has none");
		return;
	}
	expect(run, REVIVE, "back-1", 70, &stored, "revive the last good one");
	expect(run, SHIFT, "back-1", 70, &stored, "shift");
	ok(is_good(run, "back-1", 70, &stored), "it is good");
	expect(run, RETIRE, "back-1", 70, &stored, "retire");
	ok(strstr(stored.version, "keep-5") != NULL, "it is the one before");
	stored = (struct stored){0};
	expect(run, REVIVE, "back-2", 71, &stored, "revive once more");
	ok(strstr(stored.version, "keep-4") != NULL, "it goes back further, not forth");
	expect(run, REVIVE, "back-2", 72, &stored, "again, with the same key");
	ok(strstr(stored.version, "keep-4") != NULL, "it is the same");
	expect(run, ROLLBACK, "back-2", 72, &stored, "roll that back");
	expect(run, REVIVE, "back-2b", 73, &stored, "a good version is still there after that");
	expect(run, ROLLBACK, "back-2b", 73, &stored, "roll that back");
	snprintf(named.version, sizeof named.version, "%s", "../../../../etc");
	same_int(call(run, REVIVE, "back-3", 74, &named), -1, "no such version");
	same_int(run->err.kind, ERR_ABSENT, "and it says so");
}

static void first_fails(struct run *run)
{
	struct stored stored = {0};

	expect(run, PUBLISH, "first", 1, &stored, "publish the first ever");
	expect(run, SHIFT, "first", 1, &stored, "shift");
	same_str(run->harness->serves(&run->bench), "first", "it serves");
	expect(run, ROLLBACK, "first", 1, &stored, "roll back to nothing");
	same_str(run->harness->serves(&run->bench), "", "nothing serves");
}

static void try_target(const struct target *target, const struct harness *harness,
		       void (*const *promises)(struct run *run))
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct run run = {.target = target, .harness = harness, .arena = arena};

	harness->open(&run.bench);
	for (; *promises; promises++)
		(*promises)(&run);
	harness->close(&run.bench);
}

int main(void)
{
	static void (*const most[])(struct run * run) = {
		same_key_one_version,
		probe_knows_its_own,
		fenced,
		survives_kills,
		abandoned,
		keeps_five,
		revives,
		NULL,
	};
	static void (*const from_nothing[])(struct run * run) = {first_fails, NULL};

	for (size_t i = 0; targets[i]; i++) {
		const struct harness *harness = NULL;

		for (size_t j = 0; j < sizeof harnesses / sizeof *harnesses; j++)
			if (strcmp(harnesses[j].target, targets[i]->name) == 0)
				harness = &harnesses[j];
		if (!ok(harness != NULL, targets[i]->name))
			continue;
		if (harness->absent && harness->absent()) {
			skip(targets[i]->name, harness->absent());
			continue;
		}
		try_target(targets[i], harness, from_nothing);
		try_target(targets[i], harness, most);
	}
	return tap_done();
}

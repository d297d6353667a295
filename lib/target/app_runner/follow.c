#include "target/app_runner/follow.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "target/app_runner/api.h"
#include "target/app_runner/shape.h"

#define SAY_EVERY_MS 30000

enum state { STATE_UNDERWAY, STATE_SUCCEEDED, STATE_FAILED, STATE_ROLLED_BACK, STATE_STUCK_BACK };

struct watch {
	const char *said; /* the last state that was told */
	int64_t began, told;
	bool odd_said;
};

static enum state state_of(struct job *job, struct watch *watch, const char *status)
{
	static const struct {
		const char *word;
		enum state state;
	} words[] = {
		{"", STATE_UNDERWAY},
		{"PENDING", STATE_UNDERWAY},
		{"IN_PROGRESS", STATE_UNDERWAY},
		{"ROLLBACK_IN_PROGRESS", STATE_UNDERWAY},
		{"SUCCEEDED", STATE_SUCCEEDED},
		{"FAILED", STATE_FAILED},
		{"ROLLBACK_SUCCEEDED", STATE_ROLLED_BACK},
		{"ROLLBACK_FAILED", STATE_STUCK_BACK},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (text_same(words[i].word, status))
			return words[i].state;
	if (!watch->odd_said)
		job_say(job,
			"App Runner calls the operation's state '%.60s', which is new to "
			"Slipway: waiting until it is something else",
			status);
	watch->odd_said = true;
	return STATE_UNDERWAY;
}

static void tell(struct job *job, struct watch *watch, const char *status)
{
	int64_t now = clock_ticks(job->site->clock);

	if (text_same(watch->said, status) && now - watch->told < SAY_EVERY_MS)
		return;
	watch->said = status;
	watch->told = now;
	job_say(job, "%s: %s, %lld s of at most %lld s", job_recall(job, "sent"),
		*status ? status : "not in the list yet", (long long)(now - watch->began) / 1000,
		(long long)job->settings->wait_timeout);
}

/* App Runner gave no id with its answer. */
static int find_id(struct job *job, struct err *err)
{
	const char *id = NULL;

	if (job_recall(job, "operation"))
		return 0;
	if (api_after(job, job_recall(job, "before"), job_recall(job, "sent"), &id, err))
		return -1;
	if (!id)
		return 0;
	job_note(job, "operation", id);
	job_save(job);
	target_fact(job->deploy, "operation-id", id);
	return 0;
}

/* One look; *status "" when there is nothing to see yet. */
static int look(struct job *job, const char **status, struct err *err)
{
	*status = "";
	if (find_id(job, err))
		return -1;
	if (job_recall(job, "operation")
	    && api_operation(job, job_recall(job, "operation"), status, err))
		return -1;
	return 0;
}

static int gone(struct job *job, struct err *err)
{
	job_ends(job, ENDING_AS_BEFORE);
	return err_set(err, ERR_CONFLICT, 0,
		       "the service was deleted by somebody else while operation %s was under way",
		       job_recall(job, "operation") ? job_recall(job, "operation") : "(unknown)");
}

static const char *operation_of(const struct job *job)
{
	const char *id = job_recall(job, "operation");

	return id ? id : "(App Runner gave no id)";
}

static int timed_out(struct job *job, const char *status, struct err *err)
{
	job_ends(job, ENDING_GOES_ON);
	target_fact(job->deploy, "operation-status", *status ? status : "UNKNOWN");
	return err_set(err, ERR_LIMIT, 0,
		       "App Runner hasn't ended operation %s within %lld s (wait-timeout): %s; it "
		       "goes on without us, and may yet go live or be rolled back: look at %s; one "
		       "that never ends only AWS Support can end; nothing was deleted",
		       operation_of(job), (long long)job->settings->wait_timeout,
		       *status ? status : "not in the list", job_console(job));
}

static int cancelled(struct job *job)
{
	job_say(job,
		"stopped waiting; an operation of App Runner's can't be cancelled: %s goes on, see "
		"%s",
		operation_of(job), job_console(job));
	return job_ends(job, ENDING_GOES_ON);
}

/* What goes wrong while we look doesn't change what App Runner does. */
static int lost_sight(struct job *job, struct err *err)
{
	if (err->kind == ERR_CANCELLED)
		return cancelled(job);
	job_ends(job, ENDING_GOES_ON);
	return err_within(err, "operation %s goes on, but we can't look at it any more",
			  operation_of(job));
}

static int failed(struct job *job, enum state state, const char *status, struct err *err)
{
	const char *type = job_recall(job, "sent"), *id = operation_of(job);
	struct err ignored = ERR_INIT;
	bool broken;

	if (state == STATE_ROLLED_BACK) {
		target_fact(job->deploy, "rolled-back", "true");
		job_ends(job, ENDING_REVERTED);
		return err_set(err, ERR_REMOTE, 0,
			       "App Runner couldn't deploy it and went back to the version before "
			       "(operation %s: %s)",
			       id, status);
	}
	if (state == STATE_STUCK_BACK) {
		job_ends(job, ENDING_GOES_ON);
		return err_set(
			err, ERR_REMOTE, 0,
			"App Runner couldn't deploy it, and couldn't go back to the version "
			"before either (operation %s: %s): the service may be down; look at %s",
			id, status, job_console(job));
	}
	broken = api_describe(job, &ignored) == 0 && api_status(job) == API_CREATE_FAILED;
	if (broken || text_same(type, "CREATE_SERVICE"))
		job_ends(job, ENDING_AS_BEFORE);
	return err_set(err, ERR_REMOTE, 0,
		       "App Runner's operation %s (%s) has failed: %s; look at %s", id, type,
		       broken ? "CREATE_FAILED" : status, job_console(job));
}

/* Is there anything left to wait for? A service that was deleted has no operations. */
static int still_there(struct job *job, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (api_describe(job, &ignored))
		return 0;
	return api_status(job) == API_GONE ? gone(job, err) : 0;
}

static int wait_for_end(struct job *job, struct err *err)
{
	struct watch watch = {.began = clock_ticks(job->site->clock)};
	const char *status = "";

	job->looks = 0;
	for (;;) {
		enum state state = STATE_UNDERWAY;

		if (look(job, &status, err) == 0) {
			state = state_of(job, &watch, status);
			tell(job, &watch, status);
		} else if (err->kind == ERR_ABSENT || err->kind == ERR_REMOTE) {
			if (still_there(job, err))
				return -1;
		} else if (err->kind != ERR_TRANSIENT && err->kind != ERR_LIMIT) {
			return lost_sight(job, err);
		}
		target_fact(job->deploy, "operation-status", *status ? status : "PENDING");
		if (state == STATE_SUCCEEDED)
			return 0;
		if (state != STATE_UNDERWAY)
			return failed(job, state, status, err);
		if (still_there(job, err))
			return -1;
		if (job_pause(job, job->deadline, err) == 0)
			continue;
		return err->kind == ERR_LIMIT ? timed_out(job, status, err) : lost_sight(job, err);
	}
}

static int superseded(struct job *job, const json_t *wish, struct err *err)
{
	json_auto json_t *live = shape_live(job->service);
	const char *newest = "", *runs = shape_runs(live);
	struct err ignored = ERR_INIT;

	if (api_newest(job, &newest, &ignored))
		newest = "";
	job_ends(job, ENDING_SUPERSEDED);
	return err_set(err, ERR_CONFLICT, 0,
		       "superseded by operation %s: the service runs %.150s, not %.150s",
		       newest && *newest ? newest : "(unknown)", runs ? runs : "(nothing)",
		       shape_runs(wish));
}

static int not_running(struct job *job, struct err *err)
{
	job_ends(job, ENDING_AS_BEFORE);
	return err_set(err, ERR_CONFLICT, 0,
		       "the operation succeeded, but the service is %s by now; look at %s",
		       json_text(job->service, "Status"), job_console(job));
}

int follow_check(struct job *job, const json_t *wish, struct err *err)
{
	json_auto json_t *live = NULL;

	if (api_status(job) == API_GONE)
		return gone(job, err);
	job_facts(job);
	if (api_status(job) != API_RUNNING)
		return not_running(job, err);
	live = shape_live(job->service);
	return shape_same_source(live, wish) ? 0 : superseded(job, wish, err);
}

int follow_judge(struct job *job, const json_t *wish, struct err *err)
{
	job->looks = 0;
	for (;;) {
		int unseen = api_describe(job, err);

		if (unseen && err->kind != ERR_TRANSIENT)
			return lost_sight(job, err);
		if (!unseen && api_status(job) != API_BUSY)
			break;
		if (job_pause(job, job->deadline, err) == 0)
			continue;
		if (err->kind != ERR_LIMIT)
			return lost_sight(job, err);
		return timed_out(job, "SUCCEEDED, but the service is still busy", err);
	}
	return follow_check(job, wish, err);
}

int follow(struct job *job, const json_t *wish, struct err *err)
{
	if (job->service)
		job_facts(job);
	if (wait_for_end(job, err))
		return -1;
	job_note(job, "status", "SUCCEEDED");
	job_save(job);
	return follow_judge(job, wish, err);
}

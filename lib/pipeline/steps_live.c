#include "pipeline/steps.h"

/* From an artifact to a version that serves, or back. */

#define POLL_TICKS        250
#define SAY_TICKS         5000
#define MARGIN_SECONDS    10
#define ROLLBACK_TRIES    3
#define ROLLBACK_PAUSE_MS 1000

int step_publish(struct run *run, struct err *err)
{
	const struct target *target = run->environment->target;

	if (run->plan->revive && !target->revive)
		return err_set(err, ERR_USAGE, 0, "target '%s' can't go back to an older version",
			       target->name);
	if (run_mark(run, "publish", "", err))
		return -1;
	run->touched = true;
	if (!run->plan->revive)
		return target->publish(&run->deploy, err);
	if (target->revive(&run->deploy, err) == 0)
		return 0;
	/* Nothing began, so there is nothing to give back: a rollback could only harm what is live.
	 */
	if (err->kind == ERR_ABSENT)
		run->touched = false;
	return -1;
}

int step_shift(struct run *run, struct err *err)
{
	if (run_mark(run, "shift", "", err))
		return -1;
	return run->environment->target->shift(&run->deploy, err);
}

struct wait {
	int64_t began, told; /* ticks */
	int64_t good_since;  /* -1 while it isn't good */
};

static void tell(struct run *run, struct wait *wait, int64_t now)
{
	const struct health *health = run->app.health;

	if (now - wait->told < SAY_TICKS)
		return;
	wait->told = now;
	if (wait->good_since < 0)
		run_say(run, "waiting for health, %lld s of %lld s",
			(long long)(now - wait->began) / 1000, (long long)health->timeout);
	else
		run_say(run, "healthy, watching it for %lld s of %lld s",
			(long long)(now - wait->good_since) / 1000, (long long)health->settle);
}

/* One look: 1 when it has been good for long enough, 0 to look again. */
static int look(struct run *run, struct wait *wait, struct err *err)
{
	const struct health *health = run->app.health;
	enum probe probe = PROBE_WAITING;
	int64_t now;

	if (run->environment->target->probe(&run->deploy, &probe, err)) {
		if (err->kind != ERR_TRANSIENT)
			return -1;
		probe = PROBE_WAITING;
	}
	now = clock_ticks(run->world->clock);
	if (probe == PROBE_BAD)
		return -1;
	if (probe == PROBE_WAITING)
		wait->good_since = -1;
	else if (wait->good_since < 0)
		wait->good_since = now;
	if (probe == PROBE_GOOD && now - wait->good_since >= health->settle * 1000)
		return 1;
	tell(run, wait, now);
	return 0;
}

static int too_late(const struct run *run, const struct wait *wait, const struct err *last,
		    struct err *err)
{
	const struct health *health = run->app.health;
	const char *sep = last->kind == ERR_NONE ? "" : "; last: ";

	if (wait->good_since >= 0)
		return err_set(err, ERR_LIMIT, 0,
			       "%s answered %lld, but not steadily for %lld s within %lld s",
			       health->path, (long long)health->status, (long long)health->settle,
			       (long long)health->timeout + (long long)health->settle
				       + MARGIN_SECONDS);
	return err_set(err, ERR_LIMIT, 0,
		       "%s didn't answer %lld from the new version within %lld s%s%s", health->path,
		       (long long)health->status, (long long)health->timeout, sep, last->text);
}

int step_verify(struct run *run, struct err *err)
{
	const struct health *health = run->app.health;
	struct clock *clock = run->world->clock;
	struct wait wait = {.began = clock_ticks(clock), .good_since = -1};
	int64_t late = wait.began + 1000 * (health->timeout + MARGIN_SECONDS);
	struct err last = ERR_INIT;

	wait.told = wait.began;
	run_say(run, "%s must answer %lld within %lld s", health->path, (long long)health->status,
		(long long)health->timeout);
	for (;;) {
		int seen = look(run, &wait, &last);
		int64_t now = clock_ticks(clock);

		if (seen > 0)
			return 0;
		if (seen < 0) {
			*err = last;
			return -1;
		}
		if (now >= late + (wait.good_since < 0 ? 0 : 1000 * health->settle))
			return too_late(run, &wait, &last, err);
		clock_sleep(clock, POLL_TICKS);
		if (run_tick(run))
			return err_set(err, ERR_CANCELLED, 0, "stopped while waiting for health");
	}
}

int step_rollback(struct run *run, struct err *err)
{
	const struct target *target = run->environment->target;

	for (int try = 1;; try++) {
		if (target->rollback(&run->deploy, err) == 0)
			break;
		if (err->kind != ERR_TRANSIENT || try == ROLLBACK_TRIES || run_tick(run))
			return -1;
		run_say(run, "%s; trying again", err->text);
		clock_sleep(run->world->clock, ROLLBACK_PAUSE_MS);
	}
	if (!run_marked(run, "shift"))
		run_say(run, "nothing was switched; the new version is stopped");
	else if (run->deploy.previous)
		run_say(run, "version %s has the traffic again", run->deploy.previous);
	else
		run_say(run, "there was no version before this one: nothing has the traffic");
	return 0;
}

int step_retire(struct run *run, struct err *err)
{
	const struct target *target = run->environment->target;

	return target->retire ? target->retire(&run->deploy, err) : 0;
}

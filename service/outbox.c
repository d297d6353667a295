#include "service/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "service/outbox_within.h"

#define STALE_SECONDS 86400 /* nobody waits for news of what ended longer ago */
#define BACKOFF_MIN   1000
#define BACKOFF_MAX   300000
#define LIMIT_SECONDS 60 /* that a limit lasts when GitHub doesn't say */
#define ODD_TRIES     5  /* of what may be a passing confusion on the other side */
#define TELL_TRIES    3  /* in vain before the log says so */

bool outbox_ended(const struct report *report)
{
	return !text_same(report->state, "queued") && !text_same(report->state, "running");
}

int outbox_keep(struct telling *telling, struct err *err)
{
	struct store *store = telling->outbox->store;
	autofree char *text = json_dumps(telling->memo, JSON_COMPACT);

	if (store->report_keep(store, telling->report, text, REPORT_MIDWAY, err) == 0)
		return 0;
	telling->store_failed = true;
	return -1;
}

static json_t *part_memo(json_t *memo, const char *name)
{
	json_t *part = json_object_get(memo, name);

	if (!json_is_object(part)) {
		part = json_object();
		json_object_set_new(memo, name, part);
	}
	return part;
}

static void tell_part(struct telling *telling, const struct outbox_part *part, int *rc,
		      struct err *err)
{
	json_t *memo = part_memo(telling->memo, part->name);

	if (*rc != PART_QUIET || json_flag(memo, "off"))
		return;
	*rc = part->advance(telling, memo, err);
	if (*rc < 0 && !telling->store_failed)
		err_within(err, "report: %s", part->name);
}

/* Each part has said its piece before the next begins; the first that fails is the one that `name`
 * names. */
static int tell_parts(struct telling *telling, const struct outbox_part **failed, struct err *err)
{
	const struct outbox *outbox = telling->outbox;
	const struct outbox_part *parts[] = {
		outbox->deployments ? &outbox_deployment : NULL,
		outbox->statuses ? &outbox_status : NULL,
		outbox->checks ? &outbox_check : NULL,
		outbox->deployments ? &outbox_retire : NULL,
	};
	int rc = PART_QUIET;

	for (size_t i = 0; i < sizeof parts / sizeof *parts && rc == PART_QUIET; i++) {
		*failed = parts[i];
		if (parts[i])
			tell_part(telling, parts[i], &rc, err);
	}
	return rc;
}

static int put_off(struct telling *telling, const char *why, int64_t milliseconds, struct err *err)
{
	struct outbox *outbox = telling->outbox;

	return outbox->store->report_put_off(outbox->store, telling->report->deployment, why,
					     clock_ticks(outbox->clock) + milliseconds, err);
}

/* GitHub won't take this part of this deployment, now or later: the others go on. */
static int give_up(struct telling *telling, const struct outbox_part *part,
		   const struct err *failure, struct err *err)
{
	struct outbox *outbox = telling->outbox;

	json_object_set_new(part_memo(telling->memo, part->name), "off", json_true());
	if (strcmp(outbox->complained, failure->text) != 0)
		log_warn("GitHub isn't told", "repository", telling->report->repository, "error",
			 failure->text);
	memcpy(outbox->complained, failure->text, sizeof outbox->complained);
	return outbox_keep(telling, err);
}

static bool is_passing(const struct err *failure, int tries)
{
	switch (failure->kind) {
	case ERR_TRANSIENT:
	case ERR_CANCELLED:
		return true;
	case ERR_AUTH: /* a token may be renewed; what it may do stays the same */
		return failure->code == 401;
	case ERR_USAGE: /* a commit that isn't everywhere at GitHub yet */
	case ERR_REMOTE:
		return tries < ODD_TRIES;
	default:
		return false;
	}
}

static int settle_failure(struct telling *telling, const struct outbox_part *part,
			  const struct err *failure, struct err *err)
{
	struct outbox *outbox = telling->outbox;
	int tries = telling->report->tries;
	int64_t wait = tries > 8 ? BACKOFF_MAX : (int64_t)BACKOFF_MIN << tries;

	if (failure->kind == ERR_LIMIT) {
		int64_t after = github_retry_after(outbox->github);

		after = after > 0 ? after : LIMIT_SECONDS;
		outbox->next = clock_ticks(outbox->clock) + after * 1000;
		log_warn("GitHub's limit is reached; reports wait", "error", failure->text);
		return 0;
	}
	if (!is_passing(failure, tries))
		return give_up(telling, part, failure, err);
	if (tries == TELL_TRIES)
		log_warn("GitHub can't be told yet", "repository", telling->report->repository,
			 "error", failure->text);
	return put_off(telling, failure->text, wait, err);
}

static const char *state_text(const struct telling *telling)
{
	const struct report *report = telling->report;

	return arena_printf(telling->arena, "%s %s", report->state, report->step);
}

/* All is said of this state. */
static int settle_quiet(struct telling *telling, struct err *err)
{
	struct store *store = telling->outbox->store;
	autofree char *text = NULL;

	json_object_set_new(telling->memo, "now", json_string(state_text(telling)));
	json_object_set_new(telling->memo, "at", json_integer(clock_ticks(telling->outbox->clock)));
	text = json_dumps(telling->memo, JSON_COMPACT);
	return store->report_keep(store, telling->report, text,
				  outbox_ended(telling->report) ? REPORT_CLOSED : REPORT_TOLD, err);
}

/* A step that comes soon after another was told waits a little: it may be over by then. */
static int64_t too_soon(const struct telling *telling)
{
	int64_t progress = telling->outbox->progress;
	int64_t at = json_integer_at(telling->memo, "at", 0);
	int64_t since = clock_ticks(telling->outbox->clock) - at;
	const char *told = json_text(telling->memo, "now");

	if (!told || !text_starts(told, "running ") || outbox_ended(telling->report) || since < 0)
		return 0;
	return since < progress ? progress - since : 0;
}

static int tell(struct telling *telling, struct err *err)
{
	struct outbox *outbox = telling->outbox;
	const struct outbox_part *part = NULL;
	struct err failure = ERR_INIT;
	int rc;

	rc = tell_parts(telling, &part, &failure);
	if (telling->store_failed) {
		*err = failure;
		return -1;
	}
	if (rc < 0)
		return settle_failure(telling, part, &failure, err);
	if (rc == PART_QUIET)
		return settle_quiet(telling, err);
	outbox->next = clock_ticks(outbox->clock) + outbox->pace;
	return outbox_keep(telling, err);
}

static json_t *read_memo(const char *text)
{
	json_t *memo = text ? json_loads(text, 0, NULL) : NULL;

	if (json_is_object(memo))
		return memo;
	json_decref(memo);
	return json_object();
}

int outbox_step(struct outbox *outbox, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct instant now = {clock_now(outbox->clock), clock_ticks(outbox->clock)};
	json_auto json_t *memo = NULL;
	struct report report;
	struct telling telling = {.outbox = outbox, .report = &report, .arena = arena};
	int64_t wait;
	int got;

	if (now.ticks < outbox->next)
		return STORE_EMPTY;
	got = outbox->store->report(outbox->store, now, now.now - STALE_SECONDS, &report, arena,
				    err);
	if (got)
		return got < 0 ? err_within(err, "look for what GitHub should know") : got;
	memo = read_memo(report.memo);
	telling.memo = memo;
	telling.key = arena_printf(arena, "%s-%" PRId64, outbox->name, report.deployment);
	if (outbox->link)
		telling.log = arena_printf(arena, "%s/v1/deployments/%" PRId64 "/log", outbox->link,
					   report.deployment);
	wait = too_soon(&telling);
	return wait > 0 ? put_off(&telling, NULL, wait, err) : tell(&telling, err);
}

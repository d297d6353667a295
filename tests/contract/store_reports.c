/* What every store promises about the reports to GitHub. */
#include "contract/store_cases.h"

static struct err err;

static int next(struct store *store, int64_t ticks, struct report *out)
{
	int got = store->report(store, (struct instant){5000, ticks}, 0, out, arena, &err);

	if (got < 0)
		tap_note("%s", err.text);
	return got;
}

static void each_change_is_told(struct store *store)
{
	struct report report;
	struct claim claim;
	struct progress progress = {.version = "v1", .url = "http://x"};

	same_int(next(store, 0, &report), STORE_EMPTY, "nothing to tell");
	order_one(store, an_order("web", "c1", "d1"));
	same_int(next(store, 0, &report), 0, "a new deployment is to be told");
	same_str(report.state, "queued", "that it is queued");
	same_str(report.commit, "c1", "its commit");
	ok(!report.memo && !report.last && !report.finished_at, "nothing was kept yet");
	same_int(store->report_keep(store, &report, "{1}", REPORT_MIDWAY, &err), 0, "half-way");
	same_int(next(store, 0, &report), 0, "it is still to be told");
	same_str(report.memo, "{1}", "with what was kept");
	same_int(store->report_keep(store, &report, "{2}", REPORT_TOLD, &err), 0, "told");
	same_int(next(store, 0, &report), STORE_EMPTY, "nothing more to tell");
	claim_one(store, "w", 0, &claim, arena);
	same_int(next(store, 0, &report), 0, "it runs");
	same_int(store->advance(store, &claim, STEP_BUILD, &progress, 99, &err), 0, "a step on");
	same_int(store->report_keep(store, &report, "{3}", REPORT_TOLD, &err), 0,
		 "told what was given out");
	same_int(next(store, 0, &report), 0, "the step is to be told");
	same_str(report.step, "build", "which one");
	finish_one(store, &claim, OUTCOME_LIVE);
	same_int(next(store, 0, &report), 0, "its end");
	ok(report.finished_at == 3000, "when it was");
	same_int(store->report_keep(store, &report, "{4}", REPORT_CLOSED, &err), 0, "closed");
	same_int(next(store, 0, &report), STORE_EMPTY, "is never told again");
	order_one(store, an_order("web", "c2", "d2"));
	same_int(next(store, 0, &report), 0, "the next of the same service");
	same_str(report.last, "{4}", "knows the one before it");
}

static void put_off_and_old(struct store *store)
{
	struct report report;
	struct claim claim;

	order_one(store, an_order("web", "c1", "d1"));
	order_one(store, an_order("api", "c1", "d2"));
	same_int(store->report_put_off(store, 1, "github is down", 70, &err), 0, "put off");
	same_int(next(store, 60, &report), 0, "then the next");
	same_int(report.deployment, 2, "comes");
	same_int(store->report_put_off(store, 2, "github is down", 80, &err), 0, "and that too");
	same_int(next(store, 60, &report), STORE_EMPTY, "nothing for now");
	same_int(next(store, 90, &report), 0, "when the time has come");
	ok(report.deployment == 1 && report.tries == 1, "the first is back");
	claim_one(store, "w", 0, &claim, arena);
	finish_one(store, &claim, OUTCOME_LIVE);
	same_int(store->report(store, (struct instant){0, 90}, 3001, &report, arena, &err), 0,
		 "what ended long ago");
	same_int(report.deployment, 2, "isn't told any more");
}

static void names_and_marks(struct store *store)
{
	const char *one, *two;
	int64_t until;

	same_int(store->name(store, arena, &one, &err), 0, "a name");
	same_int(store->name(store, arena, &two, &err), 0, "again");
	same_str(one, two, "is the same");
	same_int((int64_t)strlen(one), 16, "and nobody else's");
	same_int(store->fetched(store, "app", &until, &err), 0, "never fetched");
	same_int(until, 0, "is 0");
	same_int(store->fetched_until(store, "app", 77, &err), 0, "a mark");
	same_int(store->fetched_until(store, "app", 78, &err), 0, "moved");
	same_int(store->fetched(store, "app", &until, &err), 0, "is read");
	same_int(until, 78, "as it was set");
	same_int(store->fetched(store, "repos/a/b/hooks/1", &until, &err), 0, "another's");
	same_int(until, 0, "is its own");
}

static void fetched_deliveries(struct store *store)
{
	struct delivery delivery = a_delivery("g1", "{}");

	delivery.secret = -1;
	same_int(store->record(store, &delivery, 1, 1000, &err), 0, "one that no secret signed");
	same_str(delivery_field(store, "g1", "reason"), "fetched from GitHub", "says where from");
	same_int(record_one(store, "g1", "{}", 1001), 1, "and counts when it comes by itself");
}

static const struct store_case cases[] = {
	{"each change is told", each_change_is_told},
	{"put off, and old", put_off_and_old},
	{"names and marks", names_and_marks},
	{"fetched deliveries", fetched_deliveries},
};

int main(void)
{
	return run_cases(cases, sizeof cases / sizeof *cases);
}
